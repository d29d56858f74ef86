/*
 * The history through a real queue, spool and thread: what was put comes back by its id, in order, also after a
 * restart and in parts, for as long as it is to be kept.  Time is the test's.
 */
#include "queue/private.h"

#include <check.h>
#include <dirent.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "unit/bytes.h"
#include "unit/scratch.h"

enum { NOW_S = 1800000000, DAY_S = 86400 };

static struct loop *loop;
static struct queue *q;
static bool is_ready;

static void
open_queue(const char *options)
{
	struct config_options o = { .file = scratch_path("gatepost.conf"), .state = scratch_dir, .secrets = true };
	struct queue_options qo = { 0 };
	char text[512];
	struct why why;

	snprintf(text, sizeof text, "hostname = \"relay.example\"\nqueue { %s }\n"
	    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n", options);
	scratch_write("gatepost.conf", text);
	loop = loop_new("test");
	ck_assert_msg(config_load(&qo.config, &o, NULL, NULL, &why) == 0, "%s", why.text);
	ck_assert_msg(queue_new(&q, loop, &qo, &why) == 0, "%s", why.text);
	config_unref(&qo.config);
}

static void
close_queue(void)
{
	queue_free(&q);
	loop_free(&loop);
}

static void
setup(void)
{
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, NOW_S);
	scratch_make();
	open_queue("");
}

static void
teardown(void)
{
	if (q != NULL)
		close_queue();
	scratch_remove();
}

static void
on_ready(void *arg)
{
	*(bool *)arg = true;
}

/* The next event that is found; false: no more. */
static bool
next(struct queue_trace *t, struct queue_event *e)
{
	enum queue_trace_step step;

	while ((step = queue_trace_next(t, e)) == TRACE_LATER)
		for (is_ready = false; !is_ready; poll(NULL, 0, 1))
			loop_turn(loop, false);
	return step == TRACE_EVENT;
}

/* "event who, event who, " of all that happened to it. */
static const char *
story(uint64_t id)
{
	static char text[2048];
	struct queue_trace *t = queue_trace_start(q, id, on_ready, &is_ready);
	struct queue_event e;

	ck_assert_ptr_nonnull(t);
	for (text[0] = '\0'; next(t, &e);)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s, ", e.event, e.who);
	queue_trace_stop(&t);
	ck_assert_ptr_null(t);
	return text;
}

/* An id of so many seconds after the start. */
static uint64_t
id_at(int64_t s)
{
	return (uint64_t)(NOW_S + s) * 1000000 + 7;
}

static void
pass(int64_t s)
{
	for (; s > 0; s -= 1800) {
		clock_fake_add((s < 1800 ? s : 1800) * 1000);
		loop_turn(loop, false);
		history_minute(q);
		story(1);		/* until the thread has done that */
	}
}

/* --- one record ------------------------------------------------------------------ */

static void
put_attempt(uint64_t id, const char *to, enum outcome_kind kind, int code, const char *status, const char *text)
{
	struct job j = { .id = id, .took_ms = 380 };
	struct outcome o = { 0 };

	snprintf(j.peer.upstream, sizeof j.peer.upstream, "sendgrid");
	snprintf(j.peer.address, sizeof j.peer.address, "2001:db8::1");
	j.peer.port = 465;
	j.peer.tls = TLS_IMPLICIT;
	outcome_set(&o, kind, code, status, str_of(text));
	o.maybe = kind == OUTCOME_DEFER;
	history_put_attempt(q, &j, kind == OUTCOME_SENT ? "relayed" : "deferred", to, &o);
	outcome_clear(&o);
}

static void
put_accepted(uint64_t id, const char *sender, const char *user)
{
	struct entry e = { .item = { .id = id } };

	e.envelope = envelope_new();
	free(e.envelope->sender);
	free(e.envelope->user);
	e.envelope->sender = mem_text(sender);
	e.envelope->user = mem_text(user);
	e.envelope->size = 12345678901;
	envelope_add(e.envelope, "you@far.example", NULL, 0);
	history_put_accepted(q, &e);
	envelope_free(&e.envelope);
}

START_TEST(every_kind_comes_back_whole)
{
	struct queue_trace *t;
	struct queue_event e;
	char *long_text = mem_zero(3000);

	memset(long_text, 'x', 2999);
	put_accepted(5, "app@client.example", "app");
	clock_fake_add(1234);
	put_attempt(5, "you@far.example", OUTCOME_DEFER, 451, "4.2.1", "4.2.1 slow \xe2\x82\xac\x01\xff down");
	put_attempt(5, "you@far.example", OUTCOME_SENT, 250, "2.0.0", long_text);
	history_put_notice(q, 5, "bounced", "app@client.example", 77);
	history_put(q, 5, "held", "", "by the operator");
	history_put(q, 5, "expired", long_text, NULL);
	t = queue_trace_start(q, 5, on_ready, &is_ready);
	ck_assert(next(t, &e) && e.kind == EVENT_ACCEPTED && e.size == 12345678901 && e.recipients == 1 && !e.own);
	ck_assert_str_eq(e.who, "app@client.example");
	ck_assert_str_eq(e.user, "app");
	ck_assert_int_eq(e.wall_ms, INT64_C(1000) * NOW_S);
	ck_assert(next(t, &e) && e.kind == EVENT_ATTEMPT && e.code == 451 && e.maybe && e.port == 465);
	ck_assert(e.tls == TLS_IMPLICIT && e.took_ms == 380 && e.wall_ms == INT64_C(1000) * NOW_S + 1234);
	ck_assert_str_eq(e.event, "deferred");
	ck_assert_str_eq(e.who, "you@far.example");
	ck_assert_str_eq(e.upstream, "sendgrid");
	ck_assert_str_eq(e.address, "2001:db8::1");
	ck_assert_str_eq(e.status, "4.2.1");
	ck_assert_str_eq(e.text, "4.2.1 slow \\xE2\\x82\\xAC\\x01\\xFF down");
	ck_assert(next(t, &e) && e.code == 250 && !e.maybe);
	ck_assert_uint_eq(strlen(e.text), 400);
	ck_assert(next(t, &e) && e.kind == EVENT_NOTICE && e.notice == 77);
	ck_assert_str_eq(e.who, "app@client.example");
	ck_assert(next(t, &e) && e.kind == EVENT_PLAIN);
	ck_assert_str_eq(e.text, "by the operator");
	ck_assert(next(t, &e) && strlen(e.who) == 400 && e.text[0] == '\0');
	ck_assert(!next(t, &e));
	queue_trace_stop(&t);
	free(long_text);
}
END_TEST

/* Records from a disk: any prefix, and any octet changed. */
START_TEST(no_record_is_trusted)
{
	const struct buf *page = &q->history->page[0];
	struct queue_event e;
	struct cursor c;
	struct str r;

	put_accepted(5, "app@client.example", "app");
	put_attempt(5, "you@far.example", OUTCOME_SENT, 250, "2.0.0", "2.0.0 ok");
	history_put_notice(q, 5, "bounced", "app@client.example", 77);
	history_put(q, 5, "held", "", "by the operator");
	for (size_t n = 0; n < page->len; n++) {
		char *copy = mem_copy(page->data, n + 1);	/* the sanitizer guards its end */
		unsigned records = 0;

		c = cursor_init(copy, n);
		while ((r = history_find(&c, 5)).n > 0) {
			ck_assert(history_read(r, &e));
			records++;
		}
		ck_assert_uint_lt(records, 4);
		for (unsigned bit = 0; bit < 8; bit++) {
			copy[n] = (char)(page->data[n] ^ 1 << bit);
			c = cursor_init(copy, n + 1);
			while ((r = history_find(&c, 5)).n > 0)
				(void)!history_read(r, &e);
		}
		free(copy);
	}
	c = cursor_init(page->data, page->len);
	r = history_find(&c, 5);
	for (size_t n = 0; n < r.n; n++)
		ck_assert(!history_read((struct str){ r.p, n }, &e));
	ck_assert_uint_eq(history_find(&c, 6).n, 0);
}
END_TEST

/* --- many ------------------------------------------------------------------------- */

START_TEST(each_finds_its_own_also_after_a_restart)
{
	char name[32];

	for (unsigned i = 0; i < 3000; i++) {	/* many pages */
		snprintf(name, sizeof name, "to%u@far.example", i);
		put_attempt(1 + i % 1000, name, OUTCOME_SENT, 250, "2.0.0", "2.0.0 ok");
	}
	ck_assert_str_eq(story(8), "relayed to7@far.example, relayed to1007@far.example, relayed to2007@far.example, ");
	ck_assert_str_eq(story(2000), "");
	close_queue();
	open_queue("");
	ck_assert_str_eq(story(8), "relayed to7@far.example, relayed to1007@far.example, relayed to2007@far.example, ");
	history_put(q, 8, "ended", "", "");
	ck_assert_str_eq(story(8), "relayed to7@far.example, relayed to1007@far.example, relayed to2007@far.example, ended , ");
	ck_assert_str_eq(story(9), "relayed to8@far.example, relayed to1008@far.example, relayed to2008@far.example, ");
}
END_TEST

START_TEST(a_long_story_comes_in_parts_and_in_order)
{
	enum { EVENTS = 20000 };
	struct queue_trace *t, *other;
	struct queue_event e;
	char number[32];

	for (unsigned i = 0; i < EVENTS; i++) {
		snprintf(number, sizeof number, "%u", i);
		history_put(q, 5, "deferred", number, "still the same text, of about the usual length");
	}
	t = queue_trace_start(q, 5, on_ready, &is_ready);
	for (unsigned i = 0; i < EVENTS; i++) {
		snprintf(number, sizeof number, "%u", i);
		ck_assert(next(t, &e));
		ck_assert_str_eq(e.who, number);
		if (i % 5000 == 0) {	/* and somebody else meanwhile, who loses interest */
			other = queue_trace_start(q, 5, on_ready, &is_ready);
			history_put(q, 6, "held", "", "");
			queue_trace_stop(&other);
		}
	}
	ck_assert(!next(t, &e));
	queue_trace_stop(&t);
}
END_TEST

START_TEST(a_stop_waits_for_nobody_who_has_left)
{
	struct queue_trace *t;

	history_put(q, 5, "held", "", "");
	for (unsigned i = 0; i < 20; i++) {
		t = queue_trace_start(q, 5, on_ready, &is_ready);
		queue_trace_stop(&t);
	}
	close_queue();
}
END_TEST

START_TEST(it_is_written_within_a_second_and_not_at_once)
{
	const struct history *h = q->history;

	history_put(q, 5, "held", "", "");
	loop_turn(loop, false);
	ck_assert_uint_eq(h->sent, 0);
	clock_fake_add(1000);
	loop_turn(loop, false);
	ck_assert_uint_eq(h->sent, h->page[0].len);
	ck_assert_uint_gt(h->sent, 0);
}
END_TEST

START_TEST(the_newest_is_remembered_for_followers)
{
	struct queue_event e;

	ck_assert(!history_recall(q, 5, &e));
	put_accepted(5, "app@client.example", "app");
	ck_assert(!history_recall(q, 5, &e));
	put_attempt(5, "one@far.example", OUTCOME_DEFER, 451, "4.2.0", "later");
	put_attempt(5, "one@far.example", OUTCOME_SENT, 250, "2.0.0", "ok");
	history_put(q, 5, "ended", "", "");
	clock_fake_add(5000);		/* written or not */
	loop_turn(loop, false);
	ck_assert(history_recall(q, 5, &e));
	ck_assert_str_eq(e.event, "relayed");
	for (unsigned i = 0; i < 200; i++)
		put_attempt(6, "other@far.example", OUTCOME_SENT, 250, "2.0.0", "ok");
	ck_assert(history_recall(q, 5, &e));
	for (unsigned i = 0; i < 2000; i++)
		put_attempt(6, "other@far.example", OUTCOME_SENT, 250, "2.0.0", "ok");
	ck_assert(!history_recall(q, 5, &e));
	ck_assert_uint_le(q->history->page[0].cap + q->history->page[1].cap, 512 * 1024);
}
END_TEST

/* --- for how long ----------------------------------------------------------------- */

static unsigned
files(void)
{
	DIR *d = opendir(scratch_path("spool/history"));
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

START_TEST(what_is_finished_goes_after_keep_history)
{
	put_attempt(id_at(0), "a@far.example", OUTCOME_SENT, 250, "2.0.0", "ok");
	pass(DAY_S - 600);
	ck_assert_str_eq(story(id_at(0)), "relayed a@far.example, ");
	pass(DAY_S);		/* a story may last a quarter longer */
	ck_assert_str_eq(story(id_at(0)), "");
	ck_assert_uint_eq(files(), 0);
}
END_TEST

/* It was queued for three days and ends now: its story is told for a day more, from the beginning. */
START_TEST(a_story_is_kept_whole)
{
	struct entry e = { .item = { .id = id_at(0) } };

	order_put(&q->order, &e);	/* in the queue */
	history_put(q, id_at(0), "deferred", "a", "");
	pass(3 * DAY_S);
	put_attempt(id_at(3 * DAY_S), "b@far.example", OUTCOME_SENT, 250, "2.0.0", "ok");
	history_put(q, id_at(0), "relayed", "a", "");
	history_put(q, id_at(0), "ended", "", "");
	order_take(&q->order, id_at(0));
	pass(DAY_S - 600);
	ck_assert_str_eq(story(id_at(0)), "deferred a, relayed a, ended , ");
	pass(DAY_S);
	ck_assert_str_eq(story(id_at(0)), "");
	ck_assert_str_eq(story(id_at(3 * DAY_S)), "");
}
END_TEST

/* One that is held for good keeps no more than keep_history and expire. */
START_TEST(what_is_held_for_good_keeps_nothing_for_good)
{
	struct entry e = { .item = { .id = id_at(0) } };

	order_put(&q->order, &e);
	history_put(q, id_at(0), "held", "", "");
	pass(5 * DAY_S);
	ck_assert_str_eq(story(id_at(0)), "held , ");
	pass(2 * DAY_S);
	ck_assert_str_eq(story(id_at(0)), "");
	order_take(&q->order, id_at(0));
}
END_TEST

START_TEST(none_is_kept_where_none_is_wanted)
{
	static const char *const off[] = { "keep_history = \"0\"", "history_size = \"0\"" };

	history_put(q, 5, "held", "", "");
	close_queue();
	open_queue(off[_i]);
	ck_assert_ptr_null(queue_trace_start(q, 5, on_ready, &is_ready));
	history_put(q, 5, "released", "", "");
	history_minute(q);
	close_queue();
	ck_assert_uint_eq(files(), 0);
	open_queue("");
	ck_assert_str_eq(story(5), "");
}
END_TEST

START_TEST(history_size_is_kept_to)
{
	unsigned long total = 0;

	close_queue();
	open_queue("history_size = \"1M\"");
	for (unsigned i = 0; i < 40000; i++) {
		put_attempt(10 + i, "a@far.example", OUTCOME_SENT, 250, "2.0.0", "ok");
		if (i % 400 == 0) {	/* the thread may take its time; here it shall not fall behind */
			ck_assert_str_eq(story(9), "");
		}
	}
	ck_assert_str_eq(story(10), "");
	ck_assert_str_eq(story(10 + 39999), "relayed a@far.example, ");
	close_queue();
	for (unsigned i = 1; i < 1000; i++) {
		char name[64];
		struct stat st;

		snprintf(name, sizeof name, "spool/history/%08x", i);
		if (stat(scratch_path(name), &st) == 0)
			total += (unsigned long)st.st_size;
	}
	ck_assert_uint_le(total, 1 << 20);
	ck_assert_uint_ge(total, 1 << 19);
}
END_TEST

/* --- the queue puts it ------------------------------------------------------------- */

START_TEST(without_a_place_mail_goes_on)
{
	close_queue();
	nftw(scratch_path("spool/history"), scratch_unlink, 8, FTW_DEPTH | FTW_PHYS);
	scratch_write("spool/history", "in the way");
	open_queue("");
	history_put(q, 5, "held", "", "");
	ck_assert_ptr_null(queue_trace_start(q, 5, on_ready, &is_ready));
	history_minute(q);
}
END_TEST

Suite *test_history(void);

Suite *
test_history(void)
{
	Suite *s = suite_create("test_history");
	TCase *t = tcase_create("history");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_kind_comes_back_whole);
	tcase_add_test(t, no_record_is_trusted);
	tcase_add_test(t, each_finds_its_own_also_after_a_restart);
	tcase_add_test(t, a_long_story_comes_in_parts_and_in_order);
	tcase_add_test(t, a_stop_waits_for_nobody_who_has_left);
	tcase_add_test(t, it_is_written_within_a_second_and_not_at_once);
	tcase_add_test(t, the_newest_is_remembered_for_followers);
	tcase_add_test(t, what_is_finished_goes_after_keep_history);
	tcase_add_test(t, a_story_is_kept_whole);
	tcase_add_test(t, what_is_held_for_good_keeps_nothing_for_good);
	tcase_add_loop_test(t, none_is_kept_where_none_is_wanted, 0, 2);
	tcase_add_test(t, history_size_is_kept_to);
	tcase_add_test(t, without_a_place_mail_goes_on);
	suite_add_tcase(s, t);
	return s;
}
