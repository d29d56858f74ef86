/* Alerts on their way to the command: the helper is the test, time is false. */
#include "queue/herald.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "errand/record.h"

struct rig {
	struct loop *loop;
	struct config config;
	struct errands *errands;
	struct herald *herald;
	int fd;
	unsigned runs;
	uint32_t number;
	char last[64];
};

static void
turns(struct rig *r)
{
	static char bytes[RECORD_MAX];
	struct record rec;
	ssize_t n;

	for (unsigned i = 0; i < 5; i++)
		loop_turn(r->loop, false);
	while ((n = recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
		ck_assert(record_get((struct str){ bytes, (size_t)n }, &rec));
		if (rec.kind != RECORD_RUN)
			continue;
		ck_assert_uint_eq(rec.command, ERRAND_ALERT);
		r->runs++;
		r->number = rec.number;
		snprintf(r->last, sizeof r->last, "%.*s", (int)rec.text.n, rec.text.p);
	}
}

static void
rig_up(struct rig *r)
{
	int pair[2];

	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	r->loop = loop_new("test");
	r->config.alert.command = (char *)(uintptr_t)"/bin/alert";
	r->config.alert.webhook = (char *)(uintptr_t)"";
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->fd = pair[1];
	r->errands = errand_start(r->loop, pair[0], &r->config);
	r->herald = herald_start(r->loop, NULL, r->errands);
	herald_configure(r->herald, &r->config);
}

static void
rig_down(struct rig *r)
{
	herald_stop(&r->herald);
	errand_stop(&r->errands);
	close(r->fd);
	loop_free(&r->loop);
}

static void
answer(struct rig *r, enum errand_result result)
{
	const struct record rec = { .kind = RECORD_ENDED, .number = r->number, .result = result, .status = 256 };
	struct buf b = { 0 };

	record_put(&b, &rec);
	ck_assert_int_eq(send(r->fd, b.data, b.len, 0), (ssize_t)b.len);
	buf_clear(&b);
	turns(r);
}

static void
pass(struct rig *r, int64_t ms)
{
	clock_fake_add(ms);
	turns(r);
}

START_TEST(one_after_the_other)
{
	struct rig r;

	rig_up(&r);
	ck_assert(herald_has_hearers(r.herald));
	herald_tell(r.herald, "{1}");
	herald_tell(r.herald, "{2}");
	turns(&r);
	ck_assert_uint_eq(r.runs, 1);
	ck_assert_str_eq(r.last, "{1}");
	answer(&r, ERRAND_DONE);
	ck_assert_uint_eq(r.runs, 2);
	ck_assert_str_eq(r.last, "{2}");
	answer(&r, ERRAND_DONE);
	pass(&r, 3600000);
	ck_assert_uint_eq(r.runs, 2);
	rig_down(&r);
}
END_TEST

START_TEST(what_fails_is_tried_four_times_and_lost)
{
	static const int64_t delays_ms[] = { 10000, 60000, 300000 };
	struct rig r;

	rig_up(&r);
	herald_tell(r.herald, "{1}");
	herald_tell(r.herald, "{2}");
	turns(&r);
	for (unsigned i = 0; i < 3; i++) {
		answer(&r, i == 1 ? ERRAND_LATE : ERRAND_FAILED);
		pass(&r, delays_ms[i] - 1);
		ck_assert_uint_eq(r.runs, i + 1);
		pass(&r, 1);
		ck_assert_uint_eq(r.runs, i + 2);
		ck_assert_str_eq(r.last, "{1}");
	}
	answer(&r, ERRAND_FAILED);
	pass(&r, 10000);
	ck_assert_uint_eq(r.runs, 5);
	ck_assert_str_eq(r.last, "{2}");
	answer(&r, ERRAND_FAILED);
	pass(&r, 10000);
	answer(&r, ERRAND_DONE);
	pass(&r, 3600000);
	ck_assert_uint_eq(r.runs, 6);
	rig_down(&r);
}
END_TEST

START_TEST(the_queue_is_bounded_and_the_oldest_goes)
{
	struct rig r;
	char text[32];

	rig_up(&r);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "{%u}", i);
		herald_tell(r.herald, text);
	}
	turns(&r);
	ck_assert_str_eq(r.last, "{0}");		/* under way */
	answer(&r, ERRAND_DONE);
	ck_assert_str_eq(r.last, "{969}");
	while (r.runs < HERALD_NOTES_MAX)
		answer(&r, ERRAND_DONE);
	ck_assert_str_eq(r.last, "{999}");
	answer(&r, ERRAND_DONE);
	ck_assert_uint_eq(r.runs, HERALD_NOTES_MAX);
	rig_down(&r);
}
END_TEST

START_TEST(a_reload_without_it_ends_it)
{
	struct rig r;

	rig_up(&r);
	herald_tell(r.herald, "{1}");
	herald_tell(r.herald, "{2}");
	turns(&r);
	r.config.alert.command = (char *)(uintptr_t)"";
	herald_configure(r.herald, &r.config);
	ck_assert(!herald_has_hearers(r.herald));
	herald_tell(r.herald, "{3}");
	answer(&r, ERRAND_DONE);
	pass(&r, 3600000);
	ck_assert_uint_eq(r.runs, 1);
	rig_down(&r);
}
END_TEST

Suite *test_herald(void);
Suite *
test_herald(void)
{
	Suite *s = suite_create("test_herald");
	TCase *tc = tcase_create("herald");

	tcase_add_test(tc, one_after_the_other);
	tcase_add_test(tc, what_fails_is_tried_four_times_and_lost);
	tcase_add_test(tc, the_queue_is_bounded_and_the_oldest_goes);
	tcase_add_test(tc, a_reload_without_it_ends_it);
	suite_add_tcase(s, tc);
	return s;
}
