/* Who gives way when it gets crowded (C-21, A-006; CONTRACT.md 3). */
#include <sys/resource.h>

#include "listener_client.h"

enum { HELD_MAX = 64 };

static struct held {
	int fd;
	bool ended;
	char heard[2048];
	size_t n;
} held[HELD_MAX];

/* Puts the rig's connection aside. */
static void
put_aside(struct rig *r, unsigned i)
{
	held[i] = (struct held){ .fd = r->fd, .ended = r->ended, .n = r->heard.len };
	ck_assert_uint_lt(r->heard.len, sizeof held[i].heard);
	if (r->heard.len > 0)
		memcpy(held[i].heard, r->heard.data, r->heard.len);
	buf_clear(&r->heard);
	r->fd = -1;
}

static void
arrive(struct rig *r, unsigned i, enum rig_port port, const char *say)
{
	rig_connect(r, port);
	rig_say_text(r, say);
	put_aside(r, i);
}

static const char *
look(unsigned i)
{
	struct held *h = &held[i];
	ssize_t n;

	while ((n = recv(h->fd, h->heard + h->n, sizeof h->heard - 1 - h->n, MSG_DONTWAIT)) > 0)
		h->n += (size_t)n;
	h->ended = h->ended || n == 0 || (n < 0 && errno != EAGAIN);
	return h->heard;
}

/* A password takes its time. */
static void
await(struct rig *r, unsigned i, const char *text)
{
	for (int n = 0; n < 30000 && strstr(look(i), text) == NULL; n++)
		rig_turn(r);
	ck_assert_msg(strstr(look(i), text) != NULL, "no \"%s\" in \"%s\"", text, look(i));
}

static bool
is_gone(unsigned i)
{
	look(i);
	return held[i].ended;
}

static void
leave(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(held[i].fd);
	rig_settle(r);
	ck_assert_int_eq(rig_sessions(), 0);
	rig_stop(r);
}

/* The one that came first and has not logged in, however busy it is; but everybody has a moment. */
START_TEST(strangers_give_way)
{
	struct rig r;

	rig_start(&r, "limits { connections = 3 }\n");
	arrive(&r, 0, RIG_PLAIN, IN);
	await(&r, 0, "235 ");
	arrive(&r, 1, RIG_PLAIN, HI);
	rig_pass(&r, 10);
	arrive(&r, 2, RIG_PLAIN, HI);
	rig_pass(&r, 10);
	arrive(&r, 3, RIG_PLAIN, HI);		/* waits, and nobody leaves */
	ck_assert_str_eq(look(3), "");
	ck_assert(!is_gone(0) && !is_gone(1) && !is_gone(2));
	ck_assert_int_eq(send(held[1].fd, "NOOP\r\n", 6, 0), 6);
	rig_pass(&r, 100);
	rig_pass(&r, 100);
	ck_assert(strstr(look(3), "220 ") != NULL);
	ck_assert(is_gone(1) && !is_gone(0) && !is_gone(2) && !is_gone(3));
	ck_assert(strstr(look(1), "421 4.7.0 mail.example too many connections\r\n") != NULL);
	ck_assert_int_eq(rig_sessions(), 3);
	leave(&r, 4);
}
END_TEST

/* C-21: ten seconds in all, not for each command; and only under stress. */
START_TEST(strangers_have_ten_seconds)
{
	struct rig r;

	rig_start(&r, "limits { connections = 11 }\n");
	for (unsigned i = 0; i < 8; i++)
		arrive(&r, i, RIG_TRUSTED, HI);
	arrive(&r, 8, RIG_PLAIN, HI);
	rig_pass(&r, 60 * 1000);
	ck_assert(!is_gone(8));
	arrive(&r, 9, RIG_PLAIN, HI);		/* the tenth: there is stress now */
	rig_pass(&r, 100);
	rig_pass(&r, 1000);
	ck_assert(is_gone(8) && strstr(look(8), "421 4.4.2 ") != NULL);
	ck_assert(!is_gone(9) && !is_gone(0));
	leave(&r, 10);
}
END_TEST

static void
send_to(unsigned i, const char *text)
{
	ck_assert_int_eq(send(held[i].fd, text, strlen(text), 0), (int)strlen(text));
}

/* Those that were used just now have two sweeps more. */
static void
pass_sweeps(struct rig *r)
{
	for (unsigned i = 0; i < 3; i++)
		rig_pass(r, 100);
}

/* The only place there is: whoever has it keeps it as long as it is not idle, in a transaction or not. */
START_TEST(an_idle_one_gives_way)
{
	struct rig r;

	rig_start(&r, "limits { connections = 1 }\n");
	arrive(&r, 0, RIG_TRUSTED, HI MAIL);
	rig_pass(&r, 9000);
	arrive(&r, 1, RIG_TRUSTED, "");
	ck_assert(strstr(look(1), "421 4.7.0") != NULL && is_gone(1));
	close(held[1].fd);
	rig_pass(&r, 2000);
	ck_assert(!is_gone(0));
	arrive(&r, 1, RIG_TRUSTED, HI);
	ck_assert(strstr(look(1), "250 HELP") != NULL);
	ck_assert(is_gone(0));
	leave(&r, 2);
}
END_TEST

/* Who must log in finds a place, however few there are: one is left free, or the one who has most gives way. */
START_TEST(few_places_are_not_one_users)
{
	static const unsigned places[] = { 2, 3, 5, 9, 19 };
	struct rig r;
	char limits[64];

	snprintf(limits, sizeof limits, "limits { connections = %u }\n", places[_i]);
	rig_start(&r, limits);
	for (unsigned i = 0; i < 20; i++) {
		arrive(&r, i, RIG_SUBMIT, HI);
		for (unsigned k = 0; k <= i; k++)
			(void)send(held[k].fd, "NOOP\r\n", 6, MSG_NOSIGNAL);
		rig_pass(&r, 10);
	}
	arrive(&r, 20, RIG_PLAIN, IN);
	for (unsigned i = 0; i < 60; i++) {
		for (unsigned k = 0; k < 20; k++)
			(void)send(held[k].fd, "NOOP\r\n", 6, MSG_NOSIGNAL);
		rig_pass(&r, 10);
	}
	await(&r, 20, "235 ");
	ck_assert(!is_gone(20));
	leave(&r, 21);
}
END_TEST

/* connections = 50 leave 45 for those who are known: the first `n' come by submit.sock, the rest log in as u. */
static void
fill(struct rig *r, unsigned n, const char *then)
{
	char say[256];

	rig_start(r, "limits { connections = 50 }\n");
	for (unsigned i = 0; i < 45; i++) {
		snprintf(say, sizeof say, "%s%s", i < n ? HI : IN, then);
		arrive(r, i, i < n ? RIG_SUBMIT : RIG_PLAIN, say);
		await(r, i, i < n ? "250 HELP" : "235 ");
	}
}

static unsigned
count_gone(unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += is_gone(i);
	return n;
}

static int
count_of(const char *text, const char *what)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* The mails of two users fill the house, and are not idle: whoever has fewer comes in all the same. */
START_TEST(who_has_most_gives_way)
{
	static const char *const then[] = { MAIL, MAIL RCPT "DATA\r\nSubject: ", "" };
	struct rig r;

	fill(&r, 25, then[_i]);
	for (unsigned i = 0; i < 10; i++) {
		arrive(&r, 45 + i, RIG_PLAIN, HI "AUTH PLAIN AGJvdW5kAHA=\r\n");
		await(&r, 45 + i, "235 2.7.0");
		pass_sweeps(&r);
		ck_assert_uint_eq(count_gone(0, 25) + count_gone(25, 45), i + 1);
		ck_assert_uint_eq(count_gone(25, 45), i < 5 ? 0 : (i - 4) / 2);
	}
	ck_assert_uint_eq(count_gone(45, 55), 0);
	ck_assert_int_eq(rig_sessions(), 45);
	ck_assert(strstr(look(0), "421 4.7.0 mail.example too many connections\r\n") != NULL);
	for (unsigned i = 0; i < 55; i++)	/* nobody has heard what was another's */
		ck_assert_msg(count_of(look(i), "250 HELP") == 1 && count_of(look(i), "421 ") == is_gone(i), "%u: %s", i, look(i));
	leave(&r, 55);
}
END_TEST

/* Who has most is not refused either: of his sessions the one that he used least lately goes. */
START_TEST(who_has_most_replaces_his_own)
{
	struct rig r;

	fill(&r, 25, "");
	send_to(0, "NOOP\r\n");
	rig_settle(&r);
	arrive(&r, 45, RIG_SUBMIT, HI);
	await(&r, 45, "250 HELP");
	pass_sweeps(&r);
	ck_assert_uint_eq(count_gone(0, 46), 1);
	ck_assert(is_gone(1));
	ck_assert(strstr(look(1), "421 4.7.0 mail.example too many connections\r\n") != NULL);
	leave(&r, 46);
}
END_TEST

/* Nor does it help who has most that all of his are at work, or owed a reply, at any moment. */
START_TEST(being_busy_keeps_no_place)
{
	struct rig r;

	rig_start(&r, "limits { connections = 50 }\n");
	r.hold = _i == 1;
	for (unsigned i = 0; i < 50; i++)
		arrive(&r, i, RIG_SUBMIT, _i == 1 ? HI MAIL RCPT "DATA\r\n" TEXT : HI);
	arrive(&r, 50, RIG_PLAIN, IN);
	for (unsigned n = 0; n < 60; n++) {
		for (unsigned i = 0; i < 50 && _i == 0; i++)
			(void)send(held[i].fd, "NOOP\r\n", 6, MSG_NOSIGNAL);
		rig_pass(&r, 10);
	}
	await(&r, 50, "235 ");
	ck_assert(!is_gone(50));
	ck_assert_int_le(rig_sessions(), 46);
	for (unsigned i = 0; i < 51; i++)
		close(held[i].fd);
	if (_i == 1)
		rig_release(&r);
	rig_stop(&r);
}
END_TEST

/* Addresses that are trusted, as many as one likes, go before somebody who logged in, and is not as fast. */
START_TEST(trusted_addresses_go_before_users)
{
	struct rig r;

	rig_start(&r, "limits { connections = 50 }\n");
	arrive(&r, 49, RIG_PLAIN, IN);
	await(&r, 49, "235 ");
	for (unsigned i = 0; i < 49; i++) {
		r.from = htonl(INADDR_LOOPBACK + 256 + i);
		arrive(&r, i, RIG_TRUSTED, HI);
	}
	r.from = 0;
	for (unsigned n = 0; n < 100; n++) {
		for (unsigned i = 0; i < 49; i++)
			(void)send(held[i].fd, "NOOP\r\n", 6, MSG_NOSIGNAL);
		rig_pass(&r, 10);
	}
	ck_assert(!is_gone(49));
	ck_assert_uint_ge(count_gone(0, 49), 4);
	leave(&r, 50);
}
END_TEST

/* Who says nothing at all need not be waited for as long. */
START_TEST(the_silent_give_way_sooner)
{
	struct rig r;

	rig_start(&r, "limits { connections = 3 }\n");
	arrive(&r, 0, RIG_PLAIN, HI);
	arrive(&r, 1, RIG_PLAIN, "");
	arrive(&r, 2, RIG_PLAIN, "");
	rig_pass(&r, 10);
	arrive(&r, 3, RIG_PLAIN, HI);
	ck_assert_str_eq(look(3), "");
	rig_pass(&r, 20);
	rig_pass(&r, 20);
	ck_assert(strstr(look(3), "250 HELP") != NULL);
	ck_assert(!is_gone(0) && is_gone(1) && !is_gone(2));
	arrive(&r, 4, RIG_PLAIN, HI);
	rig_pass(&r, 20);
	ck_assert(strstr(look(4), "250 HELP") != NULL);
	ck_assert(!is_gone(0) && is_gone(2) && !is_gone(3));
	leave(&r, 5);
}
END_TEST

/* Where it has been full for a while, one who pauses gives way as soon, and one who goes on does not. */
START_TEST(who_pauses_gives_way_when_it_stays_full)
{
	struct rig r;

	rig_start(&r, "limits { connections = 3 }\n");
	for (unsigned i = 0; i < 9; i++)	/* three come in, and three, and three */
		arrive(&r, i, RIG_PLAIN, HI);
	rig_pass(&r, 40);
	ck_assert_uint_eq(count_gone(0, 9), 0);	/* all have a moment */
	for (unsigned i = 0; i < 12 && strstr(look(8), "250 HELP") == NULL; i++)
		rig_pass(&r, 20);
	ck_assert_uint_eq(count_gone(0, 6), 6);
	rig_pass(&r, 15);
	(void)send(held[6].fd, "NOOP\r\n", 6, MSG_NOSIGNAL);
	(void)send(held[8].fd, "NOOP\r\n", 6, MSG_NOSIGNAL);
	rig_pass(&r, 10);
	arrive(&r, 9, RIG_PLAIN, HI);
	rig_pass(&r, 10);
	ck_assert(strstr(look(9), "250 HELP") != NULL);
	ck_assert(!is_gone(6) && is_gone(7) && !is_gone(8));
	leave(&r, 10);
}

static void
turns(struct rig *r, int64_t later_ms)
{
	clock_fake_add(later_ms);
	for (unsigned n = 0; n < 12; n++)
		loop_turn(r->loop, false);
}
END_TEST

/* Not as arrive, which hurries on to replies that are late. */
static void
come(struct rig *r, unsigned i, const char *say, int64_t later_ms)
{
	rig_connect(r, RIG_PLAIN);
	ck_assert_int_eq(send(r->fd, say, strlen(say), MSG_NOSIGNAL), (ssize_t)strlen(say));
	put_aside(r, i);
	turns(r, 0);
	turns(r, later_ms);
}

/* who is about to hear that its login was wrong is spared as who waits for its password to be looked at: else it would show that
 * the name is nobody's. */
START_TEST(a_refusal_to_come_is_waited_for)
{
	struct rig r;

	rig_start(&r, "limits { connections = 3 }\n");
	come(&r, 0, HI "AUTH PLAIN AG5vYm9keQBw\r\n", 0);
	come(&r, 1, HI, 0);
	come(&r, 2, HI, 110);
	come(&r, 3, HI, 20);
	ck_assert(strstr(look(3), "250 HELP") != NULL);
	ck_assert_ptr_null(strstr(look(0), "535"));
	ck_assert(!is_gone(0) && is_gone(1) && !is_gone(2));
	leave(&r, 4);
}
END_TEST

/* Guessers who leave without the answer take no places from others: in a full house they go at once, else a second later.  Who only ended
 * its side and waits for no password is answered as ever. */
START_TEST(who_left_goes_first)
{
	struct rig r;

	rig_start(&r, "limits { connections = 3 }\n");
	come(&r, 0, HI, 0);
	come(&r, 1, HI, 0);
	come(&r, 2, HI "AUTH PLAIN AG5vYm9keQBw\r\n", 110);
	ck_assert_int_eq(shutdown(held[2].fd, SHUT_WR), 0);
	come(&r, 3, HI, 1);
	ck_assert(!is_gone(0) && !is_gone(1) && is_gone(2));
	leave(&r, 4);

	rig_start(&r, "");
	for (unsigned i = 0; i < 6; i++)	/* the delays double */
		come(&r, i, HI "AUTH PLAIN AG5vYm9keQBw\r\n", 0);
	ck_assert_int_eq(shutdown(held[5].fd, SHUT_WR), 0);
	turns(&r, 0);
	turns(&r, 900);
	ck_assert(!is_gone(5));
	turns(&r, 1100);
	ck_assert(is_gone(5) && !is_gone(4));
	ck_assert(strstr(look(5), "421 4.4.2") != NULL);
	leave(&r, 6);
}
END_TEST

/* C-20: where descriptors run out before `connections' strangers give way, and who comes is not turned away; a minute later more are tried. */
START_TEST(descriptors_run_out)
{
	struct rlimit before, few;
	int next;
	struct rig r;

	rig_start(&r, "");
	for (unsigned i = 0; i < 20; i++)
		arrive(&r, i, RIG_PLAIN, HI);
	rig_pass(&r, 150);
	rig_connect(&r, RIG_PLAIN);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	next = dup(0);
	few.rlim_cur = (rlim_t)next;
	close(next);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (unsigned i = 0; i < 10; i++)
		rig_pass(&r, 20);
	setrlimit(RLIMIT_NOFILE, &before);
	rig_await(&r, "220 ");
	ck_assert_uint_ge(count_gone(0, 20), 1);
	ck_assert_uint_le(count_gone(0, 20), 3);
	ck_assert_uint_le(r.listener->bearable, 20);
	rig_pass(&r, 60 * 1000);
	ck_assert_uint_eq(r.listener->bearable, r.listener->descriptors);
	rig_hang_up(&r);
	leave(&r, 20);
}
END_TEST

/* A sweep comes a second after the first, however often somebody comes again, and again is the only one. */
START_TEST(a_sweep_is_not_put_off)
{
	struct rig r;

	rig_start(&r, "");
	for (unsigned i = 0; i < 20; i++)
		arrive(&r, i, RIG_PLAIN, HI);
	for (unsigned i = 0; i < 20; i++)
		close(held[i].fd);
	ck_assert_uint_eq(r.listener->peak.most, 20);
	for (unsigned i = 0; i < 20; i++) {
		rig_pass(&r, 500);
		ck_assert_int_eq(rig_sessions(), 0);
		arrive(&r, 0, RIG_PLAIN, HI);
		close(held[0].fd);
	}
	rig_settle(&r);
	ck_assert_uint_le(r.listener->peak.most, 1);
	leave(&r, 0);
}
END_TEST

/* As many holders as there is room, each with one session that it uses all the time: who comes gets in all the same. */
START_TEST(many_holders_shut_nobody_out)
{
	struct rig r;

	rig_start(&r, "limits { connections = 50 }\n");
	for (unsigned i = 0; i < 45; i++) {
		r.from = htonl(INADDR_LOOPBACK + 256 + i);
		arrive(&r, i, RIG_TRUSTED, HI MAIL);
	}
	r.from = 0;
	ck_assert_uint_eq(count_gone(0, 45), 0);
	for (unsigned i = 1; i < 45; i++)
		send_to(i, "NOOP\r\n");
	rig_settle(&r);
	for (unsigned i = 45; i < 50; i++) {
		arrive(&r, i, RIG_PLAIN, IN);
		await(&r, i, "235 ");
		pass_sweeps(&r);
	}
	ck_assert(is_gone(0));
	ck_assert_uint_eq(count_gone(45, 50), 0);	/* u has five, but used them last of all */
	ck_assert_int_eq(rig_sessions(), 45);
	leave(&r, 50);
}
END_TEST

/* One holder alone may have nine tenths.  The rest is for those who have yet to say who they are, and they stay. */
START_TEST(strangers_are_never_shut_out)
{
	struct rig r;

	rig_start(&r, "limits { connections = 50 }\n");
	for (unsigned i = 0; i < 45; i++)
		arrive(&r, i, RIG_TRUSTED, HI);
	arrive(&r, 45, RIG_TRUSTED, HI);
	await(&r, 45, "250 HELP");
	for (unsigned i = 46; i < 50; i++)
		arrive(&r, i, RIG_PLAIN, HI);
	pass_sweeps(&r);
	ck_assert_uint_eq(count_gone(0, 46), 1);
	arrive(&r, 50, RIG_PLAIN, IN);
	await(&r, 50, "235 ");
	pass_sweeps(&r);
	ck_assert_uint_eq(count_gone(0, 46), 2);
	rig_pass(&r, 9000);
	for (unsigned i = 51; i < 60; i++) {	/* and those who are known do not go for strangers */
		arrive(&r, i, RIG_PLAIN, HI);
		rig_pass(&r, 100);
		rig_pass(&r, 1000);
	}
	ck_assert_uint_eq(count_gone(0, 46), 2);
	ck_assert(!is_gone(50) && !is_gone(59));
	leave(&r, 60);
}
END_TEST

/* Commands that come steadily do not help who has most; a reply that is owed does. */
START_TEST(what_is_owed_is_said_first)
{
	struct rig r;

	fill(&r, 45, "");
	r.hold = true;
	send_to(0, MAIL RCPT "DATA\r\n" TEXT);
	rig_settle(&r);
	ck_assert(r.held != NULL);
	for (unsigned i = 1; i < 45; i++)
		send_to(i, "NOOP\r\n");
	rig_settle(&r);
	arrive(&r, 45, RIG_PLAIN, IN);
	await(&r, 45, "235 ");
	pass_sweeps(&r);
	ck_assert(!is_gone(0) && is_gone(1));
	r.hold = false;
	rig_release(&r);
	await(&r, 0, "250 2.0.0");
	leave(&r, 46);
}
END_TEST

Suite *test_crowd(void);

Suite *
test_crowd(void)
{
	Suite *s = suite_create("test_crowd");
	TCase *t = tcase_create("crowd");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, strangers_give_way);
	tcase_add_test(t, strangers_have_ten_seconds);
	tcase_add_test(t, an_idle_one_gives_way);
	tcase_add_loop_test(t, few_places_are_not_one_users, 0, 5);
	tcase_add_loop_test(t, being_busy_keeps_no_place, 0, 2);
	tcase_add_test(t, trusted_addresses_go_before_users);
	tcase_add_test(t, the_silent_give_way_sooner);
	tcase_add_test(t, who_pauses_gives_way_when_it_stays_full);
	tcase_add_test(t, a_refusal_to_come_is_waited_for);
	tcase_add_test(t, who_left_goes_first);
	tcase_add_test(t, descriptors_run_out);
	tcase_add_test(t, a_sweep_is_not_put_off);
	tcase_add_loop_test(t, who_has_most_gives_way, 0, 3);
	tcase_add_test(t, who_has_most_replaces_his_own);
	tcase_add_test(t, many_holders_shut_nobody_out);
	tcase_add_test(t, strangers_are_never_shut_out);
	tcase_add_test(t, what_is_owed_is_said_first);
	suite_add_tcase(s, t);
	return s;
}
