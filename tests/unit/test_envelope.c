/* mail/envelope: recipients once each, and the spool's record of it all. */
#include "unit/bytes.h"

#include <stdio.h>
#include <string.h>

#include "mail/envelope.h"

Suite *test_envelope(void);

/* */
START_TEST(once)
{
	struct envelope *e = envelope_new();

	ck_assert(envelope_add(e, "a@b", NULL, 0));
	ck_assert(!envelope_add(e, "a@b", NULL, 0));
	ck_assert(!envelope_add(e, "a@B", NULL, 0));
	ck_assert(envelope_add(e, "A@b", NULL, 0));
	ck_assert(envelope_add(e, "a@b", NULL, NOTIFY_NEVER));
	ck_assert(envelope_add(e, "a@b", "rfc822;x", 0));
	ck_assert(!envelope_add(e, "a@b", "rfc822;x", 0));
	ck_assert(envelope_add(e, "a@b", "rfc822;y", 0));
	ck_assert_uint_eq(e->nrcpt, 5);
	ck_assert_uint_eq(envelope_open(e), 5);
	e->rcpt[0].state = RCPT_OUT;
	e->rcpt[1].state = RCPT_SENT;
	e->rcpt[2].state = RCPT_FAILED;
	ck_assert_uint_eq(envelope_open(e), 3);
	envelope_free(&e);
	ck_assert_ptr_null(e);
	envelope_free(&e);
}
END_TEST

/* many, in the order given. */
START_TEST(many)
{
	struct envelope *e = envelope_new();
	char address[40];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3000; i++) {
			snprintf(address, sizeof address, "user%d@x.example", i);
			ck_assert_int_eq(envelope_add(e, address, NULL, 0), round == 0);
		}
	ck_assert_uint_eq(e->nrcpt, 3000);
	ck_assert_str_eq(e->rcpt[2999].address, "user2999@x.example");
	envelope_free(&e);
}
END_TEST

static struct envelope *
sample(void)
{
	struct envelope *e = envelope_new();

	free(e->sender);
	free(e->user);
	e->sender = mem_text("j\xc3\xb6@x.example");
	e->user = mem_text("app");
	e->envid = mem_text("QQ+2B1");
	e->ret = RET_HDRS;
	e->is_8bit = e->is_utf8 = true;
	e->size = UINT64_C(5) << 32;
	e->arrived_wall_s = 1700000000;
	envelope_add(e, "a@b", NULL, 0);
	envelope_add(e, "c@d", "rfc822;c+40d", NOTIFY_SUCCESS | NOTIFY_DELAY);
	e->rcpt[0].state = RCPT_SENT;
	outcome_set(&e->rcpt[0].last, OUTCOME_SENT, 250, NULL, STR("ok"));
	return e;
}

START_TEST(round_trip)
{
	struct envelope *e = sample(), *back;
	struct envelope_peek peek;
	struct buf b = { 0 };
	char *heap;

	envelope_encode(&b, e);
	heap = mem_copy(b.data, b.len);
	back = envelope_decode((struct str){ heap, b.len });
	ck_assert_ptr_nonnull(back);
	free(heap);
	ck_assert_str_eq(back->sender, e->sender);
	ck_assert_str_eq(back->user, "app");
	ck_assert_str_eq(back->envid, "QQ+2B1");
	ck_assert_int_eq(back->ret, RET_HDRS);
	ck_assert(back->is_8bit && back->is_utf8 && !back->is_bounce);
	ck_assert_uint_eq(back->size, e->size);
	ck_assert_int_eq(back->arrived_wall_s, e->arrived_wall_s);
	ck_assert_uint_eq(back->nrcpt, 2);
	ck_assert_str_eq(back->rcpt[0].address, "a@b");
	ck_assert_ptr_null(back->rcpt[0].orcpt);
	ck_assert_str_eq(back->rcpt[1].orcpt, "rfc822;c+40d");
	ck_assert_uint_eq(back->rcpt[1].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	ck_assert_int_eq(back->rcpt[0].state, RCPT_WAITING);
	ck_assert_int_eq(back->rcpt[0].last.kind, OUTCOME_NONE);
	ck_assert(!envelope_add(back, "a@b", NULL, 0));
	ck_assert(envelope_peek((struct str){ b.data, 64 }, &peek));
	ck_assert_uint_eq(peek.nrcpt, 2);
	ck_assert_uint_eq(peek.size, e->size);
	ck_assert_int_eq(peek.arrived_wall_s, 1700000000);
	ck_assert(!peek.is_bounce);
	envelope_free(&e);
	envelope_free(&back);
	buf_clear(&b);
}
END_TEST

/* The empty one, and a bounce: the null sender, nobody's. */
START_TEST(bounce)
{
	struct envelope *e = envelope_new(), *back;
	struct envelope_peek peek;
	struct buf b = { 0 };

	e->is_bounce = true;
	envelope_encode(&b, e);
	back = envelope_decode(buf_str(&b));
	ck_assert_ptr_nonnull(back);
	ck_assert(back->is_bounce);
	ck_assert_str_eq(back->sender, "");
	ck_assert_ptr_null(back->envid);
	ck_assert_uint_eq(back->nrcpt, 0);
	ck_assert(envelope_peek(buf_str(&b), &peek) && peek.is_bounce);
	envelope_free(&e);
	envelope_free(&back);
	buf_clear(&b);
}
END_TEST

/* C-18: cut short, too long, or spoiled. */
START_TEST(untrusted)
{
	struct envelope *e = sample(), *back;
	struct envelope_peek peek;
	struct buf b = { 0 };
	uint32_t seed = 9;

	envelope_encode(&b, e);
	for (size_t n = 0; n < b.len; n++) {
		char *heap = mem_copy(b.data, n);

		ck_assert_ptr_null(envelope_decode((struct str){ heap, n }));
		ck_assert_int_eq(envelope_peek((struct str){ heap, n }, &peek), n >= 24);
		free(heap);
	}
	for (int i = 0; i < 50000; i++) {
		char *heap = mem_copy(b.data, b.len);

		for (uint32_t n = 1 + bytes_random(&seed, 3); n > 0; n--)
			heap[bytes_random(&seed, (uint32_t)b.len)] =
			    (char)bytes_random(&seed, 256);
		back = envelope_decode((struct str){ heap, b.len });
		if (back != NULL)
			for (unsigned k = 0; k < back->nrcpt; k++)
				ck_assert(!str_has_control(str_of(back->rcpt[k].address)));
		envelope_free(&back);
		free(heap);
	}
	buf_putc(&b, '\0');
	ck_assert_ptr_null(envelope_decode(buf_str(&b)));
	b.data[0] = 2;
	b.len--;
	ck_assert_ptr_null(envelope_decode(buf_str(&b)));
	ck_assert(!envelope_peek(buf_str(&b), &peek));
	envelope_free(&e);
	buf_clear(&b);
}
END_TEST

/* A count that no record of this length can hold is not believed. */
START_TEST(count)
{
	struct buf b = { 0 };

	buf_put_u32(&b, 1);
	buf_put_u32(&b, UINT32_MAX);
	while (b.len < 100)
		buf_putc(&b, '\0');
	ck_assert_ptr_null(envelope_decode(buf_str(&b)));
	buf_clear(&b);
}
END_TEST

Suite *
test_envelope(void)
{
	Suite *s = suite_create("test_envelope");
	TCase *t = tcase_create("envelope");

	tcase_add_test(t, once);
	tcase_add_test(t, many);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, bounce);
	tcase_add_test(t, untrusted);
	tcase_add_test(t, count);
	suite_add_tcase(s, t);
	return s;
}
