/* Notices over bounce_limit: one message tells of them, each is told of once, and none is forgotten. */
#include "queue_rig.h"

#include "base/ident.h"

#define UPSTREAM "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n"
#define LIMIT_1 "queue { bounce_limit = \"1/h\" }\n" UPSTREAM
#define TO_ADMIN "queue { bounce_limit = \"1/h\" bounce_to = \"admin@here.example\" }\n" UPSTREAM

enum { HOUR_MS = 3600 * 1000 };

/* How often the text has the words. */
static unsigned
count_of(const struct rig *r, const char *words)
{
	unsigned n = 0;

	for (const char *p = r->last_body.data; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

static uint64_t
fail_one(struct rig *r)
{
	unsigned jobs = r->jobs;
	uint64_t id = submit(r, "bad@b.example", NULL);

	turn_until(r, r->jobs > jobs);
	settle(r);
	return id;
}

START_TEST(a_storm_becomes_one_message)	/* C-28 */
{
	char number[IDENT_TEXT];
	uint64_t last = 0;
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.refuse_to = "bad@b.example";
	for (unsigned i = 0; i < 20; i++)
		last = fail_one(&r);
	ck_assert_uint_eq(r.sent, 1);	/* the first, alone */
	ck_assert_uint_eq(totals(&r).messages, 19);
	clock_fake_add(HOUR_MS - 60 * 1000);
	settle(&r);
	ck_assert_uint_eq(r.sent, 1);
	clock_fake_add(61 * 1000);
	turn_until(&r, r.sent == 2 && totals(&r).messages == 0);
	ck_assert_str_eq(r.last_sender, "");
	ck_assert_str_eq(r.sent_to, "up:app@client.example up:app@client.example ");
	ck_assert_uint_eq(count_of(&r, "Subject: 19 messages could not be delivered\r\n"), 1);
	ck_assert_uint_eq(count_of(&r, "\r\nMessage 0"), 19);
	ck_assert_uint_eq(count_of(&r, "    Subject: hello\r\n"), 19);
	ck_assert_uint_eq(count_of(&r, "    <bad@b.example>\r\n"), 19);
	ck_assert_uint_eq(count_of(&r, "550 said the provider"), 19);
	ck_assert_uint_eq(count_of(&r, "Auto-Submitted: auto-replied\r\n"), 1);
	ident_print(number, last);
	ck_assert_uint_eq(count_of(&r, number), 1);
	settle(&r);
	ck_assert_uint_eq(r.sent, 2);
	rig_down(&r);
}
END_TEST

START_TEST(one_alone_is_told_of_as_ever)
{
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.refuse_to = "bad@b.example";
	fail_one(&r);
	fail_one(&r);
	clock_fake_add(HOUR_MS + 1000);
	turn_until(&r, r.sent == 2 && totals(&r).messages == 0);
	ck_assert_uint_eq(count_of(&r, "Action: failed"), 1);
	rig_down(&r);
}
END_TEST

/* Each address has its own; bounce_to has all of them. */
START_TEST(gathered_by_address)
{
	struct rig r;

	rig_up(&r, _i == 0 ? LIMIT_1 : TO_ADMIN);
	r.refuse_to = "bad@b.example";
	fail_one(&r);
	for (unsigned i = 0; i < 4; i++)
		submit_from(&r, i % 2 == 0 ? "one@x.example" : "two@x.example", "bad@b.example", NULL);
	turn_until(&r, r.jobs == 6 && totals(&r).messages == 4);
	r.sent_to[0] = '\0';
	clock_fake_add(HOUR_MS + 1000);
	turn_until(&r, totals(&r).messages == 0);
	if (_i == 0)
		ck_assert_str_eq(r.sent_to, "up:one@x.example up:two@x.example ");
	else
		ck_assert_str_eq(r.sent_to, "up:admin@here.example ");
	ck_assert_uint_eq(count_of(&r, _i == 0 ? "To: <two@x.example>\r\n" : "To: <admin@here.example>\r\n"), 1);
	ck_assert_uint_eq(count_of(&r, "\r\nMessage 0"), _i == 0 ? 2 : 4);
	rig_down(&r);
}
END_TEST

/* What waits for the hour waits over a restart too, and nothing is told of twice. */
START_TEST(a_restart_forgets_none)
{
	struct queue_message m;
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.refuse_to = "bad@b.example";
	for (unsigned i = 0; i < 4; i++)
		fail_one(&r);
	ck_assert(queue_find_message(r.queue, r.last_id, false, &m));
	ck_assert_msg(strstr(m.reason, "bounce_limit") != NULL, "%s", m.reason);
	ck_assert_uint_eq(r.sent, 1);
	restart(&r, LIMIT_1);
	ck_assert_uint_eq(totals(&r).messages, 3);
	clock_fake_add(HOUR_MS);		/* one goes alone: the limit is fresh; two are gathered */
	turn_until(&r, r.sent == 2);
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 2);
	clock_fake_add(HOUR_MS + 1000);
	turn_until(&r, r.sent == 3 && totals(&r).messages == 0);
	ck_assert_uint_eq(count_of(&r, "\r\nMessage 0"), 2);
	restart(&r, LIMIT_1);
	clock_fake_add(2 * HOUR_MS);
	settle(&r);
	ck_assert_uint_eq(r.sent, 3);
	rig_down(&r);
}
END_TEST

/* The operator's word counts; a message with recipients that still wait goes on in its own time. */
START_TEST(what_goes_on_meanwhile)
{
	struct why why;
	uint64_t gone;
	unsigned jobs;
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.refuse_to = "bad@b.example";
	fail_one(&r);
	fail_one(&r);
	gone = fail_one(&r);
	r.job_result = OUTCOME_DEFER;
	submit(&r, "bad@b.example", "slow@b.example");
	turn_until(&r, totals(&r).messages == 3 && totals(&r).recipients == 1);
	ck_assert_int_eq(queue_act(r.queue, gone, QUEUE_DELETE, &why), 0);
	jobs = r.jobs;
	clock_fake_add(30 * 1000);
	turn_until(&r, r.jobs == jobs + 1);	/* its second attempt */
	settle(&r);
	r.job_result = OUTCOME_SENT;
	clock_fake_add(60 * 1000);
	turn_until(&r, r.sent == 2);
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 2);
	clock_fake_add(HOUR_MS);
	turn_until(&r, totals(&r).messages == 0);
	ck_assert_uint_eq(r.sent, 3);		/* alone, slow@, and the two together */
	ck_assert_uint_eq(count_of(&r, "\r\nMessage 0"), 2);
	settle(&r);
	ck_assert_uint_eq(r.sent, 3);
	rig_down(&r);
}
END_TEST

/* Delay warnings are a storm too: those that have come through within the hour are not told of. */
START_TEST(warnings_are_gathered)
{
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.job_result = OUTCOME_DEFER;
	for (unsigned i = 0; i < 5; i++)
		submit(&r, i == 4 ? "lucky@b.example" : "a@b.example", NULL);
	turn_until(&r, r.jobs == 5 && totals(&r).deferred == 5);
	clock_fake_add(4 * HOUR_MS);
	turn_until(&r, totals(&r).messages == 6);	/* the first warning, which is put off too */
	settle(&r);
	r.job_result = OUTCOME_SENT;
	for (struct entry *e = order_next(&r.queue->order, 0); e != NULL; e = order_next(&r.queue->order, e->item.id))
		if (e->is_bounce || e->item.id == r.last_id)
			ck_assert_int_eq(queue_act(r.queue, e->item.id, QUEUE_RETRY, &(struct why){ "" }), 0);
	turn_until(&r, totals(&r).messages == 4);
	r.job_result = OUTCOME_DEFER;
	clock_fake_add(HOUR_MS + 1000);
	turn_until(&r, strstr(r.last_body.data, "messages delayed") != NULL);
	ck_assert_uint_eq(count_of(&r, "\r\nMessage 0"), 3);
	ck_assert_uint_eq(count_of(&r, "lucky@"), 0);
	ck_assert_uint_eq(totals(&r).messages, 5);
	rig_down(&r);
}
END_TEST

/* What is too much for one message goes in a second, at once, each of them once. */
START_TEST(more_than_one_message_holds)
{
	static char text[256 * 1024];
	struct spool_reader *reader;
	unsigned told[2] = { 0 };
	struct queue_message m;
	uint64_t after = 0;
	struct why why;
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.refuse_to = "bad@b.example";
	for (unsigned i = 0; i < 520; i++)
		submit(&r, "bad@b.example", NULL);
	turn_until(&r, r.sent == 1 && totals(&r).messages == 519 && r.jobs == 521);
	r.job_result = OUTCOME_DEFER;
	clock_fake_add(HOUR_MS + 1000);
	turn_until(&r, totals(&r).messages == 2 && totals(&r).deferred == 2);
	for (unsigned i = 0; i < 2; i++) {
		int64_t n, at = 0;

		ck_assert(queue_next_message(r.queue, &after, false, &m));
		ck_assert_int_eq(queue_read_message(r.queue, m.id, &reader, &why), 0);
		while ((n = spool_read(reader, text + at, sizeof text - 1 - (size_t)at, &why)) > 0)
			at += n;
		spool_read_close(&reader);
		text[at] = '\0';
		for (const char *p = text; (p = strstr(p, "\r\nMessage 0")) != NULL; p++)
			told[i]++;
	}
	ck_assert_uint_eq(told[0], 500);
	ck_assert_uint_eq(told[1], 19);
	rig_down(&r);
}
END_TEST

/* A roundup that is refused is held like every notice. */
START_TEST(a_refused_roundup_is_held)	/* A-209 */
{
	struct queue_message m;
	uint64_t after = 0;
	struct rig r;

	rig_up(&r, LIMIT_1);
	r.refuse_to = "bad@b.example";
	for (unsigned i = 0; i < 3; i++)
		fail_one(&r);
	r.refuse_to = "app@client.example";
	clock_fake_add(HOUR_MS + 1000);
	turn_until(&r, totals(&r).held == 1);
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 1);
	ck_assert(queue_next_message(r.queue, &after, false, &m));
	ck_assert_str_eq(m.reason, "null sender, nobody to notify; refused: 550 said the provider");
	restart(&r, LIMIT_1);
	after = 0;
	ck_assert(queue_next_message(r.queue, &after, false, &m));
	ck_assert_str_eq(m.reason, "null sender, nobody to notify; refused: 550 said the provider");
	rig_down(&r);
}
END_TEST

Suite *test_owed(void);

Suite *
test_owed(void)
{
	Suite *s = suite_create("test_owed");
	TCase *t = tcase_create("owed");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_storm_becomes_one_message);
	tcase_add_test(t, one_alone_is_told_of_as_ever);
	tcase_add_loop_test(t, gathered_by_address, 0, 2);
	tcase_add_test(t, a_restart_forgets_none);
	tcase_add_test(t, what_goes_on_meanwhile);
	tcase_add_test(t, warnings_are_gathered);
	tcase_add_test(t, more_than_one_message_holds);
	tcase_add_test(t, a_refused_roundup_is_held);
	suite_add_tcase(s, t);
	return s;
}
