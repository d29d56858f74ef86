/* The queue: see queue_rig.h for what is real in it and what is the test. */
#include "queue_rig.h"

#include <stdatomic.h>
#include <sys/syscall.h>

/* A disk that stands still for as long as the test likes; of this whole program, quick for all others. */
static atomic_bool stalled;

int
fdatasync(int fd)
{
	while (atomic_load(&stalled))
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	return (int)syscall(SYS_fdatasync, fd);
}

START_TEST(a_message_is_kept_and_relayed_byte_for_byte)
{
	struct rig r;

	rig_up(&r, basic);
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.sent == 1);
	ck_assert_int_eq(r.last_verdict, VERDICT_KEPT);
	ck_assert_str_eq(r.last_body.data, "Received: by relay.example\r\nSubject: hello\r\n\r\nbody\r\n");
	ck_assert_str_eq(r.last_sender, "app@client.example");
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

START_TEST(nothing_leaves_before_its_verdict)	/* A-130, D-01 */
{
	struct rig r;

	rig_up(&r, basic);
	for (unsigned i = 0; i < 50; i++)
		submit(&r, "a@b.example", NULL);
	while (r.sent < 50) {
		loop_turn(r.loop, false);
		ck_assert_uint_ge(r.verdicts, r.sent);
	}
	ck_assert_int_lt(count_get(COUNT_SYNCS), 50);	/* D-27: shared syncs */
	rig_down(&r);
}
END_TEST

START_TEST(a_disk_that_stands_still_is_a_451_and_the_record_void)	/* */
{
	struct rig r;

	rig_up(&r, basic);
	r.down = "up";			/* nothing is delivered, should it be queued after all */
	atomic_store(&stalled, true);
	submit(&r, "a@b.example", NULL);
	settle(&r);
	clock_fake_add(105 * 1000);
	settle(&r);
	ck_assert_uint_eq(r.verdicts, 0);
	clock_fake_add(6 * 1000);
	turn_until(&r, r.verdicts == 1);
	ck_assert_int_eq(r.last_verdict, VERDICT_LOCAL_ERROR);
	atomic_store(&stalled, false);
	turn_until(&r, totals(&r).messages == 0);
	r.down = NULL;
	submit(&r, "later@b.example", NULL);	/* the disk is back */
	turn_until(&r, r.sent == 1);
	restart(&r, basic);
	settle(&r);
	ck_assert_uint_eq(r.sent, 1);
	ck_assert_uint_eq(totals(&r).messages, 0);
	rig_down(&r);
}
END_TEST

START_TEST(deferred_goes_by_the_schedule_and_a_retry_at_once)	/* B-140 */
{
	struct rig r;
	struct why why;
	uint64_t id;

	rig_up(&r, basic);
	r.job_result = OUTCOME_DEFER;
	id = submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == 1);
	turn_until(&r, totals(&r).deferred == 1);
	settle(&r);
	ck_assert_uint_eq(r.jobs, 1);
	clock_fake_add(30 * 1000);
	turn_until(&r, r.jobs == 2);
	clock_fake_add(30 * 1000);		/* the second wait is a minute */
	settle(&r);
	ck_assert_uint_eq(r.jobs, 2);
	r.job_result = OUTCOME_SENT;
	ck_assert_int_eq(queue_act(r.queue, id, QUEUE_RETRY, &why), 0);
	turn_until(&r, r.sent == 1);
	rig_down(&r);
}
END_TEST

START_TEST(a_refusal_bounces_to_the_sender)	/* B-043 */
{
	struct rig r;

	rig_up(&r, basic);
	r.refuse_to = "bad@b.example";
	submit(&r, "good@b.example", "bad@b.example");
	turn_until(&r, r.sent == 2);
	ck_assert_str_eq(r.sent_to, "up:good@b.example up:app@client.example ");
	ck_assert_str_eq(r.last_sender, "");
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "Final-Recipient: rfc822; bad@b.example"));
	ck_assert_ptr_null(strstr(r.last_body.data, "Final-Recipient: rfc822; good@b.example"));
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "Auto-Submitted: auto-replied"));
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "Subject: hello"));
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

START_TEST(a_refused_bounce_is_held_not_bounced)	/* A-209, D11 */
{
	struct rig r;
	struct why why;
	int64_t bounced = count_get(COUNT_BOUNCED);

	rig_up(&r, basic);
	r.refuse_to = "bad@b.example";
	submit_from(&r, "bad@b.example", "bad@b.example", NULL);
	turn_until(&r, totals(&r).held == 1);
	settle(&r);
	ck_assert_int_eq(count_get(COUNT_BOUNCED), bounced + 1);	/* what is held is queued, and counts as nothing else */
	ck_assert_uint_eq(r.jobs, 2);
	ck_assert_uint_eq(totals(&r).messages, 1);
	r.refuse_to = NULL;
	ck_assert_int_eq(queue_act(r.queue, order_next(&r.queue->order, 0)->item.id, QUEUE_RELEASE, &why), 0);
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

/* The one message is being tried once more, and meanwhile nobody is told that it has ended. */
#define expect_unbounced(r, tried)                                             \
	do {                                                                   \
		turn_until(r, tried);                                          \
		settle(r);                                                     \
		ck_assert_uint_eq(totals(r).messages, 1);                      \
		ck_assert(!order_next(&(r)->queue->order, 0)->is_bounce);      \
		ck_assert_uint_eq((r)->sent, 0);                               \
	} while (0)

START_TEST(it_expires_only_after_a_failed_attempt_past_its_deadline)	/* B-140 */
{
	struct rig r;

	rig_up(&r, basic);
	r.job_result = OUTCOME_DEFER;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	r.hold_jobs = true;
	clock_fake_add(6LL * 86400 * 1000);
	expect_unbounced(&r, r.held != NULL);
	ck_assert_str_eq(r.held->envelope->rcpt[r.held->rcpt[0]].address, "a@b.example");
	r.hold_jobs = false;
	answer_job(&r, r.held);
	r.job_result = OUTCOME_SENT;
	turn_until(&r, r.sent == 1);
	ck_assert_uint_eq(r.jobs, 3);
	ck_assert_str_eq(r.sent_to, "up:app@client.example ");
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "4.4.7"));
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

START_TEST(a_wall_clock_that_jumps_expires_nothing)	/* D-16 */
{
	struct rig r;

	rig_up(&r, basic);
	r.job_result = OUTCOME_DEFER;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	clock_fake(clock_now_ms() + 30000, 1800000000 + 10LL * 365 * 86400);
	turn_until(&r, r.jobs == 2 && totals(&r).deferred == 1);
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 1);
	ck_assert_uint_eq(r.queue->totals.recipients, 1);
	clock_fake(2000000, 1800000000 + 30LL * 365 * 86400);	/* and over a restart */
	restart(&r, basic);
	r.jobs = 0;
	clock_fake_add(60 * 1000);
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	ck_assert_uint_eq(totals(&r).messages, 1);
	rig_down(&r);
}
END_TEST

/* Whoever lists the queue asks for those of at least some age, 0 if he does not say. */
START_TEST(a_message_from_before_the_clock_went_back_is_new)	/* D-16 */
{
	struct rig r;
	struct queue_message m;

	rig_up(&r, basic);
	r.job_result = OUTCOME_DEFER;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	clock_fake(clock_now_ms(), 1800000000 - 3600);
	ck_assert(queue_find_message(r.queue, r.last_id, false, &m));
	ck_assert_int_eq(m.age_s, 0);
	rig_down(&r);
}
END_TEST

START_TEST(an_unreachable_upstream_costs_no_attempt_and_drains_when_back)
{
	struct rig r;
	struct queue_message m;

	rig_up(&r, basic);
	r.open_result = OPENED_ALL_FAILED;
	for (unsigned i = 0; i < 20; i++)
		submit(&r, "a@b.example", NULL);
	turn_until(&r, r.verdicts == 20 && r.opens >= 1);
	settle(&r);
	ck_assert_uint_eq(r.opens, 1);
	ck_assert_uint_eq(totals(&r).deferred, 20);
	ck_assert(queue_find_message(r.queue, r.last_id, true, &m));
	ck_assert_uint_eq(m.attempts, 0);
	ck_assert_str_eq(m.reason, "no port works");
	ck_assert_int_gt(m.next_attempt_s, 0);
	envelope_free(&m.envelope);
	clock_fake_add(30 * 1000);
	turn_until(&r, r.opens == 2);
	settle(&r);
	r.open_result = OPENED_UP;
	clock_fake_add(60 * 1000);
	turn_until(&r, r.sent == 20);
	rig_down(&r);
}
END_TEST

START_TEST(mail_expires_while_the_upstream_is_down)	/* B-140: a connection that fails is an attempt */
{
	struct rig r;

	rig_up(&r, basic);
	r.open_result = OPENED_ALL_FAILED;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.opens == 1 && r.queue->gateway[0]->gate.state == GATE_DOWN);
	r.hold_opens = true;
	clock_fake_add(6LL * 86400 * 1000);
	expect_unbounced(&r, r.held_open != NULL);
	r.hold_opens = false;
	answer_open(&r, r.held_open);
	turn_until(&r, r.opens == 2);
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 1);	/* the bounce, which is young */
	ck_assert(order_next(&r.queue->order, 0)->is_bounce);
	rig_down(&r);
}
END_TEST

START_TEST(a_refused_login_pauses_and_bounces_nothing)	/* B-019, D6 */
{
	struct rig r;

	rig_up(&r, basic);
	r.open_result = OPENED_LOGIN_REFUSED;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.opens == 1);
	settle(&r);
	ck_assert_int_eq(r.queue->gateway[0]->gate.state, GATE_AUTH_FAILED);
	ck_assert_uint_eq(totals(&r).messages, 1);
	/* Time without valid credentials does not age a message. */
	clock_fake_add(30LL * 86400 * 1000);
	r.open_result = OPENED_UP;
	r.job_result = OUTCOME_DEFER;
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	ck_assert_uint_eq(totals(&r).messages, 1);
	rig_down(&r);
}
END_TEST

START_TEST(a_login_told_later_waits_five_minutes)	/* B-021 */
{
	struct rig r;

	rig_up(&r, basic);
	r.open_result = OPENED_LOGIN_LATER;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.queue->gateway[0]->gate.state == GATE_DOWN);
	r.open_result = OPENED_UP;
	clock_fake_add(4 * 60 * 1000);
	settle(&r);
	ck_assert_uint_eq(r.opens, 1);
	clock_fake_add(60 * 1000);
	turn_until(&r, r.sent == 1);
	rig_down(&r);
}
END_TEST

START_TEST(the_next_upstream_takes_over_and_gives_back)
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.down = "up";
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "backup:a@b.example ");
	r.down = NULL;
	clock_fake_add(30 * 1000);
	submit(&r, "b@b.example", NULL);
	turn_until(&r, r.sent == 2 && r.queue->gateway[0]->gate.state == GATE_UP);
	submit(&r, "c@b.example", NULL);
	turn_until(&r, r.sent == 3);
	ck_assert_ptr_nonnull(strstr(r.sent_to, "up:c@b.example"));
	ck_assert_ptr_null(strstr(r.sent_to, "backup:c@b.example"));
	rig_down(&r);
}
END_TEST

START_TEST(recipients_go_by_their_routes)
{
	struct rig r;

	rig_up(&r, routed);
	submit(&r, "a@b.example", "a@Other.example");
	turn_until(&r, r.sent == 2);
	ck_assert_ptr_nonnull(strstr(r.sent_to, "up:a@b.example"));
	ck_assert_ptr_nonnull(strstr(r.sent_to, "other:a@Other.example"));
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

START_TEST(what_was_kept_is_there_after_a_restart)
{
	struct rig r;
	struct queue_message m;

	rig_up(&r, basic);
	r.job_result = OUTCOME_DEFER;
	r.refuse_to = NULL;
	submit(&r, "a@b.example", "c@d.example");
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	restart(&r, basic);
	ck_assert_uint_eq(totals(&r).messages, 1);
	ck_assert(queue_find_message(r.queue, r.last_id, true, &m));
	ck_assert_uint_eq(m.attempts, 1);
	ck_assert_uint_eq(m.envelope->nrcpt, 2);
	ck_assert_str_eq(m.envelope->rcpt[1].last.text, "said the provider");
	ck_assert_int_gt(m.next_attempt_s, 0);
	envelope_free(&m.envelope);
	r.job_result = OUTCOME_SENT;
	clock_fake_add(30 * 1000);
	turn_until(&r, r.sent == 2);
	turn_until(&r, totals(&r).messages == 0);
	restart(&r, basic);
	ck_assert_uint_eq(totals(&r).messages, 0);	/* and what is done stays done */
	rig_down(&r);
}
END_TEST

START_TEST(a_delivered_recipient_is_not_tried_again)	/* B-041 */
{
	struct rig r;

	rig_up(&r, basic);
	r.refuse_to = "x@y.example";	/* nobody; two different results by hand: */
	r.hold_jobs = true;
	submit(&r, "a@b.example", "c@d.example");
	turn_until(&r, r.held != NULL);
	outcome_set(&r.held->result[0], OUTCOME_SENT, 250, "2.0.0", STR("ok"));
	outcome_set(&r.held->result[1], OUTCOME_DEFER, 450, "4.2.0", STR("later"));
	r.held->memo.kind = MEMO_REPORT;
	memo_post(queue_get_channel(r.queue), &r.held->memo);
	turn_until(&r, totals(&r).deferred == 1);
	ck_assert_uint_eq(totals(&r).recipients, 1);
	r.hold_jobs = false;
	restart(&r, basic);		/* not even after a restart */
	ck_assert_uint_eq(totals(&r).recipients, 1);
	clock_fake_add(30 * 1000);
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "up:c@d.example ");
	rig_down(&r);
}
END_TEST

START_TEST(a_server_that_always_hangs_up_meets_the_schedule)
{
	struct rig r;

	rig_up(&r, basic);
	r.job_result = OUTCOME_AGAIN;
	r.lane_lost = true;
	r.upstream = UPSTREAM_LOST;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == AGAIN_MAX);
	settle(&r);
	ck_assert_uint_eq(r.jobs, AGAIN_MAX);
	ck_assert_uint_eq(totals(&r).deferred, 1);
	rig_down(&r);
}
END_TEST

START_TEST(nobody_waits_for_anothers_upstream)	/* B-142 */
{
	struct rig r;

	rig_up(&r, routed);
	r.down = "other";
	submit(&r, "a@other.example", "b@b.example");
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "up:b@b.example ");
	turn_until(&r, r.queue->gateway[1]->gate.state == GATE_DOWN);
	clock_fake_add(6LL * 86400 * 1000);	/* only the one that was not tried fails, with its own reason */
	turn_until(&r, r.sent == 2);
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "Final-Recipient: rfc822; a@other.example"));
	ck_assert_ptr_null(strstr(r.last_body.data, "Final-Recipient: rfc822; b@b.example"));
	rig_down(&r);
}
END_TEST

START_TEST(a_refused_login_expires_nothing_when_another_upstream_fails)
{
	struct rig r;

	rig_up(&r, routed);
	r.open_result = OPENED_LOGIN_REFUSED;
	submit(&r, "b@b.example", NULL);
	turn_until(&r, r.queue->gateway[0]->gate.state == GATE_AUTH_FAILED);
	r.open_result = OPENED_ALL_FAILED;
	r.down = "other";
	clock_fake_add(50 * 1000);
	submit(&r, "a@other.example", NULL);
	turn_until(&r, r.queue->gateway[1]->gate.state == GATE_DOWN);
	clock_fake_add(6LL * 86400 * 1000);
	r.open_result = OPENED_LOGIN_REFUSED;
	turn_until(&r, order_next(&r.queue->order, r.last_id) != NULL);	/* the bounce for the other */
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 2);
	rig_down(&r);
}
END_TEST

START_TEST(mail_expires_while_the_upstream_is_busy)	/* B-007, B-008 */
{
	struct rig r;

	rig_up(&r, basic);
	r.open_result = OPENED_BUSY;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.queue->gateway[0]->gate.state == GATE_DOWN);
	clock_fake_add(6LL * 86400 * 1000);
	turn_until(&r, r.opens >= 2 && order_next(&r.queue->order, 0)->is_bounce);
	rig_down(&r);
}
END_TEST

START_TEST(a_delay_warning_is_sent_while_the_upstream_is_down)	/* 4 h */
{
	struct rig r;

	rig_up(&r, routed);
	r.down = "other";
	submit(&r, "a@other.example", NULL);
	turn_until(&r, r.queue->gateway[1]->gate.state == GATE_DOWN);
	clock_fake_add(5LL * 3600 * 1000);
	turn_until(&r, r.sent == 1);
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "Action: delayed"));
	clock_fake_add(5LL * 3600 * 1000);
	settle(&r);
	ck_assert_uint_eq(r.sent, 1);		/* once */
	rig_down(&r);
}
END_TEST

START_TEST(over_bounce_limit_bounces_are_owed_not_lost)
{
	struct rig r;

	rig_up(&r, "queue { bounce_limit = \"1/h\" }\n"
	    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n");
	r.refuse_to = "bad@b.example";
	submit(&r, "bad@b.example", NULL);
	submit(&r, "bad@b.example", NULL);
	turn_until(&r, r.sent == 1 && totals(&r).messages == 1);
	settle(&r);
	ck_assert_uint_eq(r.sent, 1);
	restart(&r, "queue { bounce_limit = \"1/h\" }\n"	/* and a restart forgets none */
	    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n");
	r.refuse_to = NULL;
	clock_fake_add(3700LL * 1000);
	turn_until(&r, r.sent == 2 && totals(&r).messages == 0);
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "Final-Recipient: rfc822; bad@b.example"));
	rig_down(&r);
}
END_TEST

START_TEST(a_null_sender_message_is_held_when_nothing_is_left_to_try)	/* */
{
	struct rig r;

	rig_up(&r, basic);
	r.refuse_to = "bad@b.example";
	r.job_result = OUTCOME_DEFER;
	submit_from(&r, "", "bad@b.example", "slow@b.example");
	turn_until(&r, totals(&r).deferred == 1 && r.jobs == 1);
	r.job_result = OUTCOME_SENT;
	clock_fake_add(30 * 1000);
	turn_until(&r, r.sent == 1 && totals(&r).held == 1);
	rig_down(&r);
}
END_TEST

START_TEST(a_closed_gate_opens_whatever_its_lanes_do)
{
	struct rig r;

	rig_up(&r, "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" connections = 1 }\n");
	r.job_result = OUTCOME_DEFER;
	r.upstream = UPSTREAM_BUSY;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == 1 && r.queue->gateway[0]->gate.state == GATE_DOWN);
	r.job_result = OUTCOME_SENT;
	r.upstream = UPSTREAM_FINE;
	clock_fake_add(60 * 1000);
	turn_until(&r, r.sent == 1);
	rig_down(&r);
}
END_TEST

START_TEST(an_upstream_that_is_ourselves_gets_nothing)	/* B-139 */
{
	struct rig r;

	rig_up(&r, "listen \"127.0.0.1:10587\" {}\n"
	    "upstream \"me\" { host = \"127.0.0.1\" chain = {\"10587/starttls\"} auth = \"none\" tls_verify = false }\n");
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.queue->gateway[0]->gate.state == GATE_DOWN);
	ck_assert_ptr_nonnull(strstr(r.queue->gateway[0]->gate.reason, "gatepost itself"));
	ck_assert_uint_eq(r.opens, 0);
	rig_down(&r);
}
END_TEST

START_TEST(hold_release_delete)
{
	struct rig r;
	struct why why;
	uint64_t id;

	rig_up(&r, basic);
	r.hold_jobs = true;
	id = submit(&r, "a@b.example", NULL);
	turn_until(&r, r.held != NULL);
	ck_assert_int_eq(queue_act(r.queue, id, QUEUE_HOLD, &why), 0);
	r.job_result = OUTCOME_DEFER;
	answer_job(&r, r.held);
	turn_until(&r, totals(&r).held == 1);
	ck_assert_int_lt(queue_act(r.queue, id, QUEUE_RETRY, &why), 0);
	restart(&r, basic);
	ck_assert_uint_eq(totals(&r).held, 1);
	r.held = NULL;
	ck_assert_int_eq(queue_act(r.queue, id, QUEUE_RELEASE, &why), 0);
	turn_until(&r, r.held != NULL);
	ck_assert_int_eq(queue_act(r.queue, id, QUEUE_DELETE, &why), 0);
	answer_job(&r, r.held);
	turn_until(&r, totals(&r).messages == 0);
	ck_assert_int_lt(queue_act(r.queue, id, QUEUE_DELETE, &why), 0);
	rig_down(&r);
}
END_TEST

START_TEST(a_reload_routes_queued_mail_anew)
{
	struct rig r;
	struct config_memo *m;

	rig_up(&r, basic);
	r.open_result = OPENED_ALL_FAILED;
	submit(&r, "a@other.example", NULL);
	turn_until(&r, r.opens == 1 && totals(&r).deferred == 1);
	r.open_result = OPENED_UP;
	m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);
	m->config = load(&r, routed);
	memo_post(queue_get_channel(r.queue), &m->memo);
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "other:a@other.example ");
	rig_down(&r);
}
END_TEST

START_TEST(draining_waits_for_what_is_out_and_starts_nothing)
{
	struct rig r;

	rig_up(&r, basic);
	r.hold_jobs = true;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.held != NULL);
	memo_post(queue_get_channel(r.queue), memo_new(MEMO_DRAIN, sizeof(struct memo)));
	submit(&r, "b@b.example", NULL);
	turn_until(&r, r.verdicts == 2);
	settle(&r);
	ck_assert_uint_eq(r.drained, 0);
	answer_job(&r, r.held);
	turn_until(&r, r.drained == 1);
	ck_assert_uint_eq(r.jobs, 1);
	ck_assert_uint_eq(totals(&r).messages, 1);
	rig_down(&r);
}
END_TEST

START_TEST(the_upstream_hears_the_sender_that_it_wants)
{
	struct rig r;

	rig_up(&r, "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" sender = \"out@x.example\" }\n");
	r.job_result = OUTCOME_REFUSE;
	r.code = 550;
	submit(&r, "a@b.example", NULL);
	turn_until(&r, r.jobs == 1);
	ck_assert_str_eq(r.last_sender, "out@x.example");
	turn_until(&r, r.jobs == 2);	/* the notification goes to the one who sent it, from nobody */
	ck_assert_str_eq(r.last_sender, "");
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "To: <app@client.example>"));
	rig_down(&r);
}
END_TEST

START_TEST(a_login_told_later_is_tried_again_only_for_mail)	/* B-021 */
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.open_result = OPENED_LOGIN_LATER;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, gateway_find(r.queue, "up")->gate.state == GATE_DOWN && gateway_find(r.queue, "backup")->gate.state == GATE_DOWN);
	r.open_result = OPENED_UP;
	r.down = "up";
	queue_open_gates(r.queue, "backup");
	turn_until(&r, r.sent == 1);
	r.down = NULL;
	r.opens = 0;
	clock_fake_add(6 * 60 * 1000);
	settle(&r);
	ck_assert_uint_eq(r.opens, 0);
	submit(&r, "two@b.example", NULL);
	turn_until(&r, gateway_find(r.queue, "up")->gate.state == GATE_UP);
	rig_down(&r);
}
END_TEST

/* Learned at the first connection; a small one goes as ever, a large one to who takes it, and neither waits for the other. */
START_TEST(what_the_first_lacks_the_next_takes)	/* B-111, B-142 */
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.caps.size = 1000;
	r.claim = 2000;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "backup:one@b.example ");
	r.claim = 0;
	submit(&r, "two@b.example", NULL);
	turn_until(&r, r.sent == 2);
	ck_assert_str_eq(r.sent_to, "backup:one@b.example up:two@b.example ");
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

START_TEST(who_waits_for_the_next_upstream_blocks_nobody)	/* B-142 */
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.caps.size = 1000;
	r.down = "backup";
	r.claim = 2000;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, gateway_find(r.queue, "backup")->gate.state == GATE_DOWN);
	r.claim = 0;
	submit(&r, "two@b.example", NULL);
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "up:two@b.example ");
	settle(&r);
	ck_assert_uint_eq(totals(&r).messages, 1);
	ck_assert_uint_eq(totals(&r).deferred, 1);
	r.down = NULL;
	clock_fake_add(31000);
	turn_until(&r, r.sent == 2);
	ck_assert_str_eq(r.sent_to, "up:two@b.example backup:one@b.example ");
	rig_down(&r);
}
END_TEST

/* Past its deadline, when the only upstream that takes it fails, it bounces: another that is up does not keep it. */
START_TEST(it_expires_though_others_are_up)	/* B-140 */
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.caps.size = 100000;
	r.down = "backup";
	r.claim = 200000;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, gateway_find(r.queue, "backup")->gate.state == GATE_DOWN);
	r.claim = 0;
	r.hold_opens = true;
	clock_fake_add(INT64_C(6) * 86400000);
	expect_unbounced(&r, r.held_open != NULL);
	ck_assert_str_eq(r.held_open->settings->name, "backup");
	r.hold_opens = false;
	answer_open(&r, r.held_open);
	turn_until(&r, r.sent == 1);
	ck_assert_str_eq(r.sent_to, "up:app@client.example ");
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "one@b.example"));
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

START_TEST(what_none_takes_is_refused_by_the_first)	/* B-111: 5.3.4, and the sender is told */
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.caps.size = r.backup_caps.size = 100000;
	r.claim = 200000;
	r.refuse_as = "5.3.4";
	r.refusals = 1;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, r.sent == 1);
	ck_assert(gateway_find(r.queue, "backup")->offer.known);	/* it was asked first */
	ck_assert_uint_eq(r.jobs, 2);
	ck_assert_str_eq(r.sent_to, "up:app@client.example ");
	ck_assert_ptr_nonnull(strstr(r.last_body.data, "5.3.4"));
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

/* An old connection lacks what the newest EHLO offers: that is no refusal. */
START_TEST(an_old_connection_decides_nothing)	/* B-110 */
{
	struct rig r;

	rig_up(&r, basic);
	r.refuse_as = "5.6.7";
	r.refusals = 1;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, r.sent == 1);
	ck_assert_uint_eq(r.jobs, 2);
	ck_assert_uint_eq(r.opens, 2);
	ck_assert_str_eq(r.sent_to, "up:one@b.example ");
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

/* More wait than have their envelopes in memory; what is written down of one must not need luck. */
START_TEST(a_crowd_of_waiting_messages)	/* I3 */
{
	enum { CROWD = OPEN_MAX + 50 };
	struct rig r;
	struct why why;
	uint64_t held;

	rig_up(&r, "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" max_recipients = 1 }\n");
	r.open_result = OPENED_ALL_FAILED;
	held = submit(&r, "held@b.example", NULL);
	submit(&r, "first@b.example", "second@b.example");
	turn_until(&r, gateway_find(r.queue, "up")->gate.state == GATE_DOWN);
	ck_assert_int_eq(queue_act(r.queue, held, QUEUE_HOLD, &why), 0);
	for (unsigned i = 0; i < CROWD; i++)
		submit(&r, "you@b.example", NULL);
	turn_until(&r, totals(&r).messages == CROWD + 2);
	turn_until(&r, r.queue->nopen <= OPEN_MAX + 1);
	ck_assert_int_eq(queue_act(r.queue, held, QUEUE_RELEASE, &why), 0);
	r.open_result = OPENED_UP;
	queue_open_gates(r.queue, NULL);
	turn_until(&r, r.sent == CROWD + 3);	/* one of them in two transactions */
	turn_until(&r, totals(&r).messages == 0);
	rig_down(&r);
}
END_TEST

/* The same where they are few, with many recipients each. */
START_TEST(a_crowd_of_waiting_recipients)
{
	enum { CROWD = OPEN_RCPT_MAX / 1000 + 10 };
	struct rig r;

	rig_up(&r, basic);
	r.open_result = OPENED_ALL_FAILED;
	r.many = 999;
	for (unsigned i = 0; i < CROWD; i++)
		submit(&r, "you@b.example", NULL);
	turn_until(&r, r.verdicts == CROWD);
	turn_until(&r, r.queue->nopen_rcpt <= OPEN_RCPT_MAX + 1000);
	ck_assert_uint_eq(totals(&r).recipients, CROWD * 1000);
	turn_until(&r, gateway_find(r.queue, "up")->gate.state == GATE_DOWN);
	r.open_result = OPENED_UP;
	queue_open_gates(r.queue, NULL);
	turn_until(&r, totals(&r).messages == 0);
	ck_assert_uint_eq(r.sent, CROWD * 1000);
	ck_assert_uint_eq(r.queue->nopen_rcpt, 0);
	rig_down(&r);
}
END_TEST

/* Its memory is given back when it has been gone for a while; half of it would be no reason. */
START_TEST(a_crowd_of_recipients_that_has_gone)
{
	struct rig r;
	struct why why;
	struct entry *e;

	rig_up(&r, basic);
	r.open_result = OPENED_ALL_FAILED;
	r.many = 999;
	for (unsigned i = 0; i < 60; i++)
		submit(&r, "you@b.example", NULL);
	turn_until(&r, r.verdicts == 60);
	ck_assert_uint_eq(r.queue->nopen_rcpt, 60 * 1000);
	while ((e = order_next(&r.queue->order, 0)) != NULL)
		ck_assert_int_eq(queue_act(r.queue, e->item.id, QUEUE_DELETE, &why), 0);
	ck_assert_uint_eq(r.queue->nopen_rcpt, 0);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_uint_eq(r.queue->open_peak.most, i < 7 ? 60 * 1000 : 0);
		clock_fake_add(1000);
		settle(&r);
	}
	rig_down(&r);
}
END_TEST

/* The queue's clock, with any bit of its file flipped: messages wait as ever, they do not grow old at once. */
START_TEST(a_spoiled_clock_expires_nothing)	/* D-05, D-16 */
{
	struct rig r;
	char path[128];
	int octet;
	FILE *f;

	rig_up(&r, basic);
	r.job_result = OUTCOME_DEFER;
	submit(&r, "one@b.example", NULL);
	turn_until(&r, r.jobs == 1 && totals(&r).deferred == 1);
	free_loop(&r);
	snprintf(path, sizeof path, "%s/spool/clock", r.dir);
	ck_assert_ptr_nonnull(f = fopen(path, "r+"));
	ck_assert_int_eq(fseek(f, _i, SEEK_SET), 0);
	ck_assert_int_ne(octet = fgetc(f), EOF);
	ck_assert_int_eq(fseek(f, _i, SEEK_SET), 0);
	fputc(octet ^ 0x80, f);
	fclose(f);
	make_loop(&r);
	start(&r, basic);
	clock_fake_add(31000);
	turn_until(&r, r.jobs == 2 && totals(&r).deferred == 1);
	settle(&r);
	ck_assert_uint_eq(r.jobs, 2);
	ck_assert_uint_eq(totals(&r).messages, 1);
	rig_down(&r);
}
END_TEST

START_TEST(offers_are_remembered)	/* D12 */
{
	static const char elsewhere[] =
	    "upstream \"up\" { host = \"127.0.0.2\" chain = {\"2525/none\"} auth = \"none\" message_size = \"7K\" }\n";
	struct rig r;

	rig_up(&r, basic);
	turn_until(&r, r.told.eightbit);	/* not known: it may */
	ck_assert(!r.told.utf8 && r.told.message_max == 0);
	r.caps = (struct caps){ .utf8 = true, .size = 5000 };
	submit(&r, "one@b.example", NULL);
	turn_until(&r, r.told.utf8);
	ck_assert(!r.told.eightbit && r.told.message_max == 5000);
	turn_until(&r, totals(&r).messages == 0);
	clock_fake_add(61000);
	settle(&r);
	memset(&r.told, 0, sizeof r.told);
	restart(&r, basic);
	turn_until(&r, r.told.utf8);
	ck_assert(!r.told.eightbit && r.told.message_max == 5000);
	restart(&r, elsewhere);		/* another host has said nothing yet */
	turn_until(&r, r.told.message_max == 7 * 1024);
	ck_assert(!r.told.utf8 && r.told.eightbit);
	rig_down(&r);
}
END_TEST

/* The next takes over while the first is down; when the first is back, found by its timer, the very next message goes there. */
START_TEST(who_is_back_is_found_without_mail)
{
	struct rig r;

	rig_up(&r, two_upstreams);
	r.down = "up";
	submit(&r, "one@b.example", NULL);
	turn_until(&r, r.sent == 1);
	r.down = NULL;
	clock_fake_add(31000);
	turn_until(&r, gateway_find(r.queue, "up")->gate.state == GATE_UP);
	submit(&r, "two@b.example", NULL);
	turn_until(&r, r.sent == 2);
	ck_assert_str_eq(r.sent_to, "backup:one@b.example up:two@b.example ");
	rig_down(&r);
}
END_TEST

Suite *test_queue(void);

Suite *
test_queue(void)
{
	Suite *s = suite_create("test_queue");
	TCase *t = tcase_create("queue");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_message_is_kept_and_relayed_byte_for_byte);
	tcase_add_test(t, nothing_leaves_before_its_verdict);
	tcase_add_test(t, a_disk_that_stands_still_is_a_451_and_the_record_void);
	tcase_add_test(t, deferred_goes_by_the_schedule_and_a_retry_at_once);
	tcase_add_test(t, a_refusal_bounces_to_the_sender);
	tcase_add_test(t, a_refused_bounce_is_held_not_bounced);
	tcase_add_test(t, it_expires_only_after_a_failed_attempt_past_its_deadline);
	tcase_add_test(t, a_wall_clock_that_jumps_expires_nothing);
	tcase_add_test(t, a_message_from_before_the_clock_went_back_is_new);
	tcase_add_test(t, an_unreachable_upstream_costs_no_attempt_and_drains_when_back);
	tcase_add_test(t, mail_expires_while_the_upstream_is_down);
	tcase_add_test(t, a_refused_login_pauses_and_bounces_nothing);
	tcase_add_test(t, a_login_told_later_waits_five_minutes);
	tcase_add_test(t, the_next_upstream_takes_over_and_gives_back);
	tcase_add_test(t, recipients_go_by_their_routes);
	tcase_add_test(t, what_was_kept_is_there_after_a_restart);
	tcase_add_test(t, a_delivered_recipient_is_not_tried_again);
	tcase_add_test(t, a_server_that_always_hangs_up_meets_the_schedule);
	tcase_add_test(t, nobody_waits_for_anothers_upstream);
	tcase_add_test(t, a_refused_login_expires_nothing_when_another_upstream_fails);
	tcase_add_test(t, mail_expires_while_the_upstream_is_busy);
	tcase_add_test(t, a_delay_warning_is_sent_while_the_upstream_is_down);
	tcase_add_test(t, over_bounce_limit_bounces_are_owed_not_lost);
	tcase_add_test(t, a_null_sender_message_is_held_when_nothing_is_left_to_try);
	tcase_add_test(t, a_closed_gate_opens_whatever_its_lanes_do);
	tcase_add_test(t, an_upstream_that_is_ourselves_gets_nothing);
	tcase_add_test(t, hold_release_delete);
	tcase_add_test(t, a_reload_routes_queued_mail_anew);
	tcase_add_test(t, draining_waits_for_what_is_out_and_starts_nothing);
	tcase_add_test(t, the_upstream_hears_the_sender_that_it_wants);
	tcase_add_test(t, who_is_back_is_found_without_mail);
	tcase_add_test(t, a_login_told_later_is_tried_again_only_for_mail);
	tcase_add_test(t, what_the_first_lacks_the_next_takes);
	tcase_add_test(t, who_waits_for_the_next_upstream_blocks_nobody);
	tcase_add_test(t, it_expires_though_others_are_up);
	tcase_add_test(t, what_none_takes_is_refused_by_the_first);
	tcase_add_test(t, an_old_connection_decides_nothing);
	tcase_add_test(t, a_crowd_of_waiting_messages);
	tcase_add_test(t, a_crowd_of_waiting_recipients);
	tcase_add_test(t, a_crowd_of_recipients_that_has_gone);
	tcase_add_loop_test(t, a_spoiled_clock_expires_nothing, 0, 21);
	tcase_add_test(t, offers_are_remembered);
	suite_add_tcase(s, t);
	return s;
}
