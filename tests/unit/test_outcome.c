/* mail/outcome: what is set is presentable, and survives the spool. */
#include "unit/bytes.h"

#include <string.h>

#include "mail/outcome.h"

Suite *test_outcome(void);

/* B-108, C-07: nothing of it can be a line of its own, or a terminal's command. */
static const struct {
	struct str in;
	const char *out;
} texts[] = {
	{ STR(""), NULL },
	{ STR("5.1.1 no such user"), "5.1.1 no such user" },
	{ STR("a\x1b]0;x\x07"), "a\\x1B]0;x\\x07" },
	{ STR("one\ntype: mda\nthree"), "one type: mda three" },
	{ STR("\xff\xc3\xb6\r"), "\\xFF\\xC3\\xB6\\x0D" },
	{ STR("a\0b"), "a\\x00b" },
	{ STR("back\\slash"), "back\\slash" },
};

START_TEST(presentable)
{
	struct outcome o = { 0 };

	outcome_set(&o, OUTCOME_REFUSE, 550, "5.1.1", texts[_i].in);
	ck_assert_int_eq(o.kind, OUTCOME_REFUSE);
	ck_assert_int_eq(o.code, 550);
	ck_assert_str_eq(o.status, "5.1.1");
	if (texts[_i].out == NULL)
		ck_assert_ptr_null(o.text);
	else
		ck_assert_str_eq(o.text, texts[_i].out);
	outcome_clear(&o);
	ck_assert_int_eq(o.kind, OUTCOME_NONE);
	ck_assert_ptr_null(o.text);
}
END_TEST

START_TEST(status)
{
	static const char *const want[OUTCOMES] = {
		"", "2.0.0", "4.0.0", "5.0.0", "4.0.0"
	};
	struct outcome o = { 0 };

	outcome_set(&o, _i, 0, NULL, STR(""));
	ck_assert_str_eq(o.status, want[_i]);
	outcome_set(&o, _i, 0, "", STR("x"));
	ck_assert_str_eq(o.status, want[_i]);
	outcome_set(&o, _i, 0, "5.123.456", str_of(o.text));	/* its own text */
	ck_assert_str_eq(o.status, "5.123.456");
	ck_assert_str_eq(o.text, "x");
	outcome_clear(&o);
}
END_TEST

/* At most 2 KB, and no half escape at its end. */
START_TEST(long_text)
{
	for (size_t plain = 2030; plain < 2060; plain++) {
		struct outcome o = { 0 };
		struct buf b = { 0 };
		size_t n;

		while (b.len < plain)
			buf_putc(&b, 'x');
		while (b.len < 5000)
			buf_putc(&b, '\x01');
		outcome_set(&o, OUTCOME_DEFER, 451, "4.0.0", buf_str(&b));
		n = strlen(o.text);
		ck_assert_uint_le(n, 2048);
		ck_assert_uint_gt(n, 2044);
		ck_assert(o.text[n - 1] == 'x' || memcmp(o.text + n - 4, "\\x01", 4) == 0);
		outcome_clear(&o);
		buf_clear(&b);
	}
}
END_TEST

START_TEST(spool)
{
	struct outcome o = { 0 }, back = { 0 }, copy = { 0 };
	struct buf b = { 0 };
	struct cursor c;

	outcome_set(&o, OUTCOME_DEFER, 451, "4.7.1", STR("later, \x1b please"));
	o.maybe = true;
	outcome_encode(&b, &o);
	for (size_t n = 0; n < b.len; n++) {
		char *heap = mem_copy(b.data, n);

		c = cursor_init(heap, n);
		ck_assert_int_eq(outcome_decode(&c, &back), -1);
		free(heap);
	}
	buf_put_u8(&b, 42);
	c = cursor_init(b.data, b.len);
	ck_assert_int_eq(outcome_decode(&c, &back), 0);
	ck_assert_uint_eq(cursor_u8(&c), 42);
	ck_assert_int_eq(back.kind, OUTCOME_DEFER);
	ck_assert(back.maybe);
	ck_assert_int_eq(back.code, 451);
	ck_assert_str_eq(back.status, "4.7.1");
	ck_assert_str_eq(back.text, "later, \\x1B please");
	outcome_copy(&copy, &back);
	outcome_copy(&copy, &copy);
	ck_assert_str_eq(copy.text, back.text);
	ck_assert_ptr_ne(copy.text, back.text);
	outcome_clear(&o);
	outcome_clear(&back);
	outcome_clear(&copy);
	buf_clear(&b);
}
END_TEST

/* C-18: whatever stands there, it is an outcome that can be used, or none. */
START_TEST(spoiled)
{
	uint32_t seed = 5;
	struct outcome o = { 0 };
	struct buf good = { 0 };

	outcome_set(&o, OUTCOME_REFUSE, 550, "5.1.1", STR("no"));
	outcome_encode(&good, &o);
	for (int i = 0; i < 20000; i++) {
		char *heap = mem_copy(good.data, good.len);
		struct cursor c = cursor_init(heap, good.len);

		for (uint32_t n = 1 + bytes_random(&seed, 3); n > 0; n--)
			heap[bytes_random(&seed, (uint32_t)good.len)] =
			    (char)bytes_random(&seed, 256);
		if (outcome_decode(&c, &o) == 0) {
			ck_assert_int_lt(o.kind, OUTCOMES);
			ck_assert(!str_has_control(str_of(o.status)));
			ck_assert(!str_has_control(str_of(o.text)));
			ck_assert(o.code >= 0 && o.code <= 999);
		}
		free(heap);
	}
	outcome_clear(&o);
	buf_clear(&good);
}
END_TEST

/* Decodes a record of a status and a text of these lengths. */
static int
decode(size_t nstatus, size_t ntext, char fill)
{
	struct outcome o = { 0 };
	struct buf b = { 0 }, x = { 0 };
	struct cursor c;
	int result;

	while (x.len < 3000)
		buf_putc(&x, fill);
	buf_put_u32(&b, OUTCOME_REFUSE | 550 << 16);
	buf_put_text(&b, (struct str){ x.data, nstatus });
	buf_put_text(&b, (struct str){ x.data, ntext });
	c = cursor_init(b.data, b.len);
	result = outcome_decode(&c, &o);
	if (result == 0)
		ck_assert_uint_eq(strlen(o.text), ntext);
	outcome_clear(&o);
	buf_clear(&b);
	buf_clear(&x);
	return result;
}

START_TEST(bounds)
{
	ck_assert_int_eq(decode(11, 2048, 'x'), 0);
	ck_assert_int_eq(decode(12, 2048, 'x'), -1);
	ck_assert_int_eq(decode(11, 2049, 'x'), -1);
	ck_assert_int_eq(decode(5, 1, '\xff'), -1);
	ck_assert_int_eq(decode(5, 1, '\n'), -1);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(tls_mode_name(TLS_NONE), "none");
	ck_assert_str_eq(tls_mode_name(TLS_STARTTLS), "starttls");
	ck_assert_str_eq(tls_mode_name(TLS_IMPLICIT), "implicit");
}
END_TEST

Suite *
test_outcome(void)
{
	Suite *s = suite_create("test_outcome");
	TCase *t = tcase_create("outcome");

	tcase_add_loop_test(t, presentable, 0, sizeof texts / sizeof texts[0]);
	tcase_add_loop_test(t, status, 0, OUTCOMES);
	tcase_add_test(t, long_text);
	tcase_add_test(t, spool);
	tcase_add_test(t, spoiled);
	tcase_add_test(t, bounds);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	return s;
}
