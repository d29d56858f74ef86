/* Who gives way when it gets crowded (C-21, A-006; CONTRACT.md 3). */
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
	for (int n = 0; n < 5000 && strstr(look(i), text) == NULL; n++)
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

/* Where all have logged in: the one that was idle longest, after ten seconds, and no transaction. */
START_TEST(idle_ones_give_way)
{
	struct rig r;

	rig_start(&r, "limits { connections = 3 }\n");
	arrive(&r, 0, RIG_TRUSTED, HI MAIL);
	arrive(&r, 1, RIG_TRUSTED, HI);
	arrive(&r, 2, RIG_TRUSTED, HI);
	rig_pass(&r, 9000);
	arrive(&r, 3, RIG_TRUSTED, "");
	ck_assert(strstr(look(3), "421 4.7.0") != NULL && is_gone(3));
	close(held[3].fd);
	ck_assert_int_eq(send(held[1].fd, "NOOP\r\n", 6, 0), 6);
	rig_pass(&r, 2000);
	ck_assert(!is_gone(0) && !is_gone(1) && !is_gone(2));
	arrive(&r, 3, RIG_TRUSTED, HI);
	ck_assert(strstr(look(3), "250 HELP") != NULL);
	ck_assert(!is_gone(0) && !is_gone(1) && is_gone(2));
	leave(&r, 4);
}
END_TEST

/* When nine tenths are in use nobody gets more than a quarter of all: not by a login, not by the submit socket. */
START_TEST(each_has_a_share)
{
	struct rig r;

	rig_start(&r, "limits { connections = 50 }\n");
	for (unsigned i = 0; i < 44; i++)
		arrive(&r, i, i < 25 ? RIG_SUBMIT : RIG_PLAIN, i < 25 ? HI : IN);
	for (unsigned i = 25; i < 44; i++)
		await(&r, i, "235 ");
	arrive(&r, 44, RIG_SUBMIT, "");
	await(&r, 44, "421 4.7.0 mail.example too many connections of this user\r\n");
	arrive(&r, 45, RIG_TRUSTED, HI);
	arrive(&r, 46, RIG_PLAIN, IN);
	await(&r, 46, "421 4.7.0 mail.example too many connections of this user\r\n");
	ck_assert(is_gone(46));
	arrive(&r, 47, RIG_PLAIN, HI "AUTH PLAIN AGJvdW5kAHA=\r\n");
	await(&r, 47, "235 2.7.0");
	for (unsigned i = 0; i < 44; i++)
		ck_assert(!is_gone(i));
	for (unsigned i = 0; i < 30; i++) {	/* and what they gave back they may take again */
		close(held[i].fd);
		held[i].fd = -1;
	}
	rig_settle(&r);
	arrive(&r, 0, RIG_SUBMIT, "");
	ck_assert(strstr(look(0), "220 ") != NULL);
	leave(&r, 48);
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
	tcase_add_test(t, idle_ones_give_way);
	tcase_add_test(t, each_has_a_share);
	suite_add_tcase(s, t);
	return s;
}
