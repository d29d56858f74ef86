/* The orderly end of connections: all is sent, and the peer sees no reset. */
#include "net/farewell.h"

#include "support_net.h"

static struct loop *l;
static struct end a;
static int fd[2];

static void
setup(void)
{
	l = loop_new("test");
	memset(&a, 0, sizeof a);
	fd[0] = fd[1] = -1;
}

static void
teardown(void)
{
	end_clear(&a);
	if (fd[1] >= 0)
		close(fd[1]);
	loop_free(&l);
}

/* a is a stream, fd[1] the bare other end. */
static void
open_tcp(void)
{
	end_tcp(fd);
	a.s = stream_accept(l, fd[0], end_on, &a);
}

static size_t
peer_reads(char *out, size_t size)
{
	ssize_t n = recv(fd[1], out, size, MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

START_TEST(finish_sends_all_and_causes_no_reset)
{
	static char junk[200000], reply[300000];
	struct buf got = { 0 };
	ssize_t n;

	open_tcp();
	n = send(fd[1], junk, sizeof junk, MSG_DONTWAIT);	/* never read by a */
	ck_assert_int_gt(n, 0);
	stream_pause(a.s);
	loop_turn(l, false);
	stream_write(a.s, reply, sizeof reply);
	stream_finish(&a.s, 5000);
	ck_assert_ptr_null(a.s);
	for (;;) {
		n = recv(fd[1], buf_room(&got, 65536), 65536, MSG_DONTWAIT);
		if (n == 0)
			break;
		if (n > 0)
			got.len += (size_t)n;
		else
			ck_assert_int_eq(errno, EAGAIN);	/* and not ECONNRESET */
		(void)send(fd[1], junk, 100, MSG_DONTWAIT | MSG_NOSIGNAL);
		loop_turn(l, false);
	}
	ck_assert_uint_eq(got.len, sizeof reply);
	ck_assert_int_eq(send(fd[1], "x", 1, MSG_NOSIGNAL), 1);
	loop_turn(l, false);
	ck_assert_int_eq(send(fd[1], "x", 1, MSG_NOSIGNAL), 1);	/* still no reset */
	ck_assert_str_eq(a.diary, "");
	buf_clear(&got);
}
END_TEST

/* Peers that do not end: the oldest of many is closed at once, so that descriptors do not run out. */
START_TEST(many_that_wait_make_the_oldest_end)
{
	enum { MANY = 200 };
	int peer[MANY];
	unsigned open = 0;
	char text[4];

	for (unsigned i = 0; i < MANY; i++) {
		open_tcp();
		stream_write(a.s, "bye", 3);
		stream_finish(&a.s, 5000);
		end_clear(&a);
		peer[i] = fd[1];
		fd[1] = -1;
	}
	loop_turn(l, false);
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_int_eq(recv(peer[i], text, sizeof text, MSG_DONTWAIT), 3);	/* each has heard it */
		(void)send(peer[i], "x", 1, MSG_NOSIGNAL);
		open += send(peer[i], "x", 1, MSG_NOSIGNAL) == 1;	/* what is closed has answered with a reset */
		close(peer[i]);
	}
	ck_assert_uint_eq(open, 128);
}
END_TEST

START_TEST(finish_sends_all_to_a_peer_that_ended)
{
	static char reply[6000000];
	size_t got = 0;
	char piece[65536];

	open_tcp();
	shutdown(fd[1], SHUT_WR);
	if (_i == 1)
		UNTIL(l, end_has(&a, 'C'));
	stream_write(a.s, reply, sizeof reply);
	stream_finish(&a.s, 5000);
	for (int i = 0; i < 3; i++)
		loop_turn(l, false);
	for (;;) {
		size_t n = peer_reads(piece, sizeof piece);

		got += n;
		if (n == 0 && recv(fd[1], piece, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
			break;
		loop_turn(l, false);
	}
	ck_assert_uint_eq(got, sizeof reply);
}
END_TEST

START_TEST(finish_ends_with_the_peer_or_in_time)
{
	clock_fake(1000, 1);
	open_tcp();
	stream_finish(&a.s, 3000);
	clock_fake_add(2999);
	loop_turn(l, false);
	ck_assert_int_ge(fcntl(fd[0], F_GETFD), 0);
	if (_i == 0)
		clock_fake_add(1);
	else
		shutdown(fd[1], SHUT_WR);
	loop_turn(l, false);
	ck_assert_int_eq(fcntl(fd[0], F_GETFD), -1);
}
END_TEST

START_TEST(finish_is_cleaned_up_with_the_loop)
{
	open_tcp();
	stream_finish(&a.s, 100000);
	loop_free(&l);		/* the sanitizer would see a leak */
	ck_assert_int_eq(fcntl(fd[0], F_GETFD), -1);
	l = loop_new("again");
}
END_TEST

Suite *test_farewell(void);
Suite *
test_farewell(void)
{
	Suite *s = suite_create("test_farewell");
	TCase *tc = tcase_create("farewell");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, finish_sends_all_and_causes_no_reset);
	tcase_add_test(tc, many_that_wait_make_the_oldest_end);
	tcase_add_loop_test(tc, finish_sends_all_to_a_peer_that_ended, 0, 2);
	tcase_add_loop_test(tc, finish_ends_with_the_peer_or_in_time, 0, 2);
	tcase_add_test(tc, finish_is_cleaned_up_with_the_loop);
	suite_add_tcase(s, tc);
	return s;
}
