/* Memos: ids that are each given once, and what is freed with its memo (ASan watches). */
#include "memo/memo.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

#include <check.h>

enum { THREADS = 3, IDS = 20000 };

static void *
take_ids(void *arg)
{
	uint64_t *id = arg;

	for (int i = 0; i < IDS; i++)
		id[i] = memo_next_id();
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

START_TEST(test_ids)
{
	static uint64_t id[THREADS * IDS];
	const uint64_t last = (uint64_t)1 << 62;	/* of a clock that once was ahead */
	pthread_t thread[THREADS];

	memo_start_ids(last);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, take_ids, id + i * IDS), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < THREADS * IDS; i++)
		ck_assert(id[i] > last && (i % IDS == 0 || id[i] > id[i - 1]));
	qsort(id, THREADS * IDS, sizeof id[0], compare);
	for (int i = 1; i < THREADS * IDS; i++)
		ck_assert_uint_ne(id[i], id[i - 1]);
}
END_TEST

START_TEST(test_submit)
{
	struct submit *m = memo_submit_new();

	ck_assert_int_eq(m->memo.kind, MEMO_SUBMIT);
	m->envelope = envelope_new();
	envelope_add(m->envelope, "c@d", NULL, 0);
	buf_puts(&m->prefix, "Received: x\r\n");
	buf_puts(&m->text, "hello\r\n");
	memo_submit_free(&m);
	ck_assert_ptr_null(m);
	memo_submit_free(&m);
}
END_TEST

START_TEST(test_job)
{
	struct envelope *lent = envelope_new();
	struct job *m = memo_job_new(3);

	ck_assert_int_eq(m->memo.kind, MEMO_JOB);
	ck_assert_uint_eq(m->nrcpt, 3);
	m->envelope = lent;
	m->sender = mem_text("a@b");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(m->result[i].kind, OUTCOME_NONE);
		m->rcpt[i] = i;
	}
	outcome_set(&m->result[1], OUTCOME_REFUSE, 550, "5.1.1", STR("no"));
	memo_job_free(&m);
	ck_assert_ptr_null(m);
	memo_job_free(&m);
	envelope_free(&lent);
}
END_TEST

START_TEST(test_others)
{
	struct open *o = memo_open_new();
	struct heard_memo *h = memo_heard_new(MEMO_PROBE);
	struct memo *bare = memo_new(MEMO_DRAIN, sizeof *bare);

	ck_assert_int_eq(o->memo.kind, MEMO_OPEN);
	o->password = mem_text("secret");
	outcome_set(&o->outcome, OUTCOME_DEFER, 421, "4.3.2", STR("later"));
	memo_open_free(&o);
	memo_open_free(&o);
	ck_assert_int_eq(h->memo.kind, MEMO_PROBE);
	memo_heard_free(&h);
	memo_heard_free(&h);
	ck_assert_int_eq(bare->kind, MEMO_DRAIN);
	free(bare);
}
END_TEST

static struct memo *used;

static void
on_used(void *arg, struct link *l)
{
	(void)arg;
	used = container_of(l, struct memo, link);
}

START_TEST(test_config)
{
	struct loop *loop = loop_new("test");
	struct channel *back = channel_new(loop, on_used, NULL);
	struct config_memo *m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);

	memo_config_used(m);		/* nobody asks: freed */
	m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);
	m->back = back;
	memo_config_used(m);
	channel_drain(back);
	ck_assert_ptr_eq(used, &m->memo);
	ck_assert_int_eq(used->kind, MEMO_CONFIGURED);
	free(m);
	channel_free(&back);
	loop_free(&loop);
}
END_TEST

Suite *test_memo(void);

Suite *
test_memo(void)
{
	Suite *s = suite_create("test_memo");
	TCase *t = tcase_create("memo");

	tcase_add_test(t, test_ids);
	tcase_add_test(t, test_submit);
	tcase_add_test(t, test_job);
	tcase_add_test(t, test_others);
	tcase_add_test(t, test_config);
	suite_add_tcase(s, t);
	return s;
}
