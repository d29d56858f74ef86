/* Streams without TLS, over socket pairs and loopback. */
#include "net/stream.h"

#include "net/loop_private.h"
#include "bare_pair.h"

#include <malloc.h>

static size_t
peer_reads(char *out, size_t size)
{
	ssize_t n = recv(fd[1], out, size, MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

/* --- input ------------------------------------------------------------------- */

START_TEST(offers_in_trickles)
{
	static const char text[] = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
	size_t step = (size_t)_i == 0 ? sizeof text - 1 : (size_t)_i;

	open_pair(SOCK_STREAM);
	for (size_t at = 0; at < sizeof text - 1; at += step) {
		size_t n = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;

		ck_assert_int_eq(send(fd[1], text + at, n, 0), (int)n);
		UNTIL(l, a.got.len == at + n);
	}
	ck_assert_str_eq(a.got.data, text);
	ck_assert_str_eq(a.diary, "D");
}
END_TEST

/* Takes whole lines and leaves the rest. */
static void
take_lines(struct end *e)
{
	struct str in = stream_input(e->s);
	const char *nl;

	while ((nl = memchr(in.p, '\n', in.n)) != NULL) {
		size_t n = (size_t)(nl + 1 - in.p);

		buf_put(&e->got, in.p, n);
		buf_putc(&e->got, '|');
		stream_consume(e->s, n);
		in = stream_input(e->s);
	}
}

START_TEST(what_is_left_is_offered_again)
{
	open_pair(SOCK_STREAM);
	a.on_data = take_lines;
	end_send(fd[1], "one\ntw");
	UNTIL(l, a.data == 1);
	ck_assert_str_eq(a.got.data, "one\n|");
	ck_assert(str_is(stream_input(a.s), "tw"));
	loop_turn(l, false);
	ck_assert_int_eq(a.data, 1);	/* not again without news */
	end_send(fd[1], "o\nth");
	UNTIL(l, a.data == 2);
	end_send(fd[1], "ree");
	UNTIL(l, a.data == 3);
	end_send(fd[1], "\n");
	UNTIL(l, a.data == 4);
	ck_assert_str_eq(a.got.data, "one\n|two\n|three\n|");
	ck_assert_uint_eq(stream_input(a.s).n, 0);
}
END_TEST

START_TEST(end_comes_after_input_that_is_left)
{
	open_pair(SOCK_STREAM);
	a.leave = 3;
	end_send(fd[1], "abcdef");
	shutdown(fd[1], SHUT_WR);
	UNTIL(l, end_has(&a, 'C'));
	ck_assert_str_eq(a.diary, "DC");
	ck_assert_int_ge(a.data, 2);
	ck_assert(str_is(stream_input(a.s), "def"));
	ck_assert_int_eq(stream_fault(a.s), FAULT_CLOSED);
	ck_assert_str_eq(stream_why(a.s), "connection closed by the peer");
	/* Our side still goes out. */
	stream_write(a.s, "bye", 3);
	loop_turn(l, false);
	ck_assert_uint_eq(peer_reads((char[8]){ 0 }, 8), 3);
}
END_TEST

START_TEST(pause_keeps_all_until_resume)
{
	open_pair(SOCK_STREAM);
	a.leave = 2;
	a.pause_at = 'D';
	end_send(fd[1], "abcd");
	UNTIL(l, a.data == 1);
	end_send(fd[1], "efgh");
	shutdown(fd[1], SHUT_WR);
	for (int i = 0; i < 3; i++)
		loop_turn(l, false);
	ck_assert_int_eq(a.data, 1);
	ck_assert_str_eq(a.got.data, "ab");
	stream_resume(a.s);
	ck_assert_int_eq(a.data, 1);	/* from the loop, not from inside the call */
	a.leave = 0;
	loop_turn(l, true);
	ck_assert_int_eq(a.data, 2);	/* what was left, and it pauses again */
	ck_assert_str_eq(a.got.data, "abcd");
	a.pause_at = 0;
	stream_resume(a.s);
	UNTIL(l, end_has(&a, 'C'));
	ck_assert_str_eq(a.got.data, "abcdefgh");
}
END_TEST

static void
take_one_and_pause(struct end *e)
{
	stream_consume(e->s, 1);
	stream_pause(e->s);
}

START_TEST(paused_at_the_end_of_input)
{
	open_pair(SOCK_STREAM);
	a.on_data = take_one_and_pause;
	end_send(fd[1], "abc");
	shutdown(fd[1], SHUT_WR);
	for (int i = 1; i <= 3; i++) {
		UNTIL(l, a.data == i);
		ck_assert(!end_has(&a, 'C'));
		stream_resume(a.s);
	}
	UNTIL(l, end_has(&a, 'C'));
	ck_assert_int_eq(a.data, 3);
}
END_TEST

static void
take_nothing(struct end *e)
{
	(void)e;
}

START_TEST(kept_input_is_bounded)	/* C-14 */
{
	static char flood[64 * 1024];
	size_t sent = 0, before;
	ssize_t n;

	open_pair(SOCK_STREAM);
	a.on_data = take_nothing;
	for (int i = 0; i < 100; i++) {
		while ((n = send(fd[1], flood, sizeof flood, MSG_DONTWAIT)) > 0)
			sent += (size_t)n;
		loop_turn(l, false);
	}
	before = stream_input(a.s).n;
	ck_assert_uint_ge(before, STREAM_INPUT_MAX);
	ck_assert_uint_lt(before, STREAM_INPUT_MAX + LOOP_SCRATCH);
	ck_assert_uint_lt(before, sent);
	a.on_data = NULL;
	stream_consume(a.s, before);
	UNTIL(l, a.got.len == sent - before);	/* and it reads on by itself */
}
END_TEST

START_TEST(a_flood_leaves_turns_to_others)
{
	static char flood[64 * 1024];
	int other[2];
	ssize_t n;

	open_pair(SOCK_STREAM);
	end_pair(SOCK_STREAM, other);
	b.s = stream_accept(l, other[0], end_on, &b);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 8 << 20 }, sizeof(int));
	while ((n = send(fd[1], flood, sizeof flood, MSG_DONTWAIT)) > 0)
		;
	end_send(other[1], "quick");
	loop_turn(l, true);
	ck_assert_str_eq(b.got.data, "quick");
	ck_assert_uint_gt(a.got.len, 0);
	ck_assert_uint_le(a.got.len, 4 * LOOP_SCRATCH);
	close(other[1]);
}
END_TEST

/* --- output ------------------------------------------------------------------ */

static void
answer_each(struct end *e)
{
	struct str in = stream_input(e->s);

	stream_consume(e->s, in.n);
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] == '\n')
			stream_write(e->s, "250 ok\r\n", 8);
}

START_TEST(replies_leave_in_one_piece)
{
	char got[128] = "";

	open_pair(SOCK_SEQPACKET);	/* one recv is one send */
	a.on_data = answer_each;
	end_send(fd[1], "a\nb\nc\n");
	UNTIL(l, end_has(&a, 'R'));
	ck_assert_uint_eq(peer_reads(got, sizeof got), 24);
	ck_assert_str_eq(got, "250 ok\r\n250 ok\r\n250 ok\r\n");
	ck_assert_str_eq(a.diary, "DR");
	ck_assert_uint_eq(stream_pending(a.s), 0);
}
END_TEST

START_TEST(output_waits_for_the_end_of_the_turn)
{
	char got[16];

	open_pair(SOCK_STREAM);
	buf_puts(stream_output(a.s), "abc");
	stream_flush(a.s);
	ck_assert_uint_eq(stream_pending(a.s), 3);
	ck_assert_uint_eq(peer_reads(got, sizeof got), 0);
	loop_turn(l, false);
	ck_assert_uint_eq(peer_reads(got, sizeof got), 3);
}
END_TEST

START_TEST(much_output_through_a_narrow_pipe)
{
	enum { SIZE = 3000000 };
	struct buf got = { 0 };

	open_pair(SOCK_STREAM);
	for (int i = 0; i < SIZE; i++)
		buf_putc(stream_output(a.s), (char)(i % 251));
	stream_flush(a.s);
	loop_turn(l, false);
	ck_assert_uint_gt(stream_pending(a.s), 0);
	ck_assert_str_eq(a.diary, "");
	stream_write(a.s, "end", 3);
	while (got.len < SIZE + 3) {
		got.len += peer_reads(buf_room(&got, 100000), 100000);
		loop_turn(l, false);
	}
	ck_assert_str_eq(a.diary, "R");
	for (int i = 0; i < SIZE; i++)	/* ck_assert is slow */
		if ((unsigned char)got.data[i] != i % 251)
			ck_abort_msg("octet %d", i);
	ck_assert_mem_eq(got.data + SIZE, "end", 3);
	buf_clear(&got);
}
END_TEST

static int chunks;

static void
on_pump(void *arg, struct stream *s, enum stream_event ev)
{
	static char chunk[1000];

	(void)arg;
	ck_assert_int_eq(ev, STREAM_DRAINED);
	if (chunks++ < 5)
		stream_write(s, chunk, sizeof chunk);
}

START_TEST(a_pump_gets_one_chunk_a_turn)
{
	end_pair(SOCK_STREAM, fd);
	a.s = stream_accept(l, fd[0], on_pump, NULL);
	chunks = 0;
	stream_write(a.s, "x", 1);
	loop_turn(l, true);
	ck_assert_int_eq(chunks, 1);
	loop_turn(l, true);		/* does not wait */
	ck_assert_int_eq(chunks, 2);
	UNTIL(l, chunks == 6);
	ck_assert_uint_eq(stream_pending(a.s), 0);
}
END_TEST

/* --- ends -------------------------------------------------------------------- */

/* Between the poll and the write of one turn. */
static void
say_421_and_go(void *arg)
{
	(void)arg;
	if (fd[1] < 0)
		return;
	end_send(fd[1], "421 too many\r\n");
	close(fd[1]);
	fd[1] = -1;
	stream_write(a.s, "MAIL", 4);
}

START_TEST(last_words_are_heard_before_the_failure)
{
	open_pair(SOCK_STREAM);
	loop_on_turn_end(l, say_421_and_go, NULL);
	loop_turn(l, false);
	ck_assert_str_eq(a.diary, "DF");
	ck_assert_str_eq(a.got.data, "421 too many\r\n");
	ck_assert_int_eq(stream_fault(a.s), FAULT_RESET);
}
END_TEST

START_TEST(close_sends_what_waits)
{
	char got[16] = "";

	open_pair(SOCK_STREAM);
	stream_write(a.s, "221 bye", 7);
	stream_close(&a.s);
	ck_assert_ptr_null(a.s);
	ck_assert_uint_eq(peer_reads(got, sizeof got - 1), 7);
	ck_assert_str_eq(got, "221 bye");
	ck_assert_int_eq(recv(fd[1], got, 1, MSG_DONTWAIT), 0);
	loop_turn(l, false);
	ck_assert_str_eq(a.diary, "");
	stream_close(&a.s);
}
END_TEST

START_TEST(closing_inside_any_event)
{
	static const char letters[] = "UDRCTF";
	struct sockaddr_in sin;
	int listening = end_listen(&sin);
	int accepted = -1;

	a.close_at = letters[_i];
	if (a.close_at == 'F')
		close(listening);
	a.s = stream_connect(l, (struct sockaddr *)&sin, sizeof sin, "", end_on, &a);
	if (a.close_at != 'F') {
		accepted = accept(listening, NULL, NULL);
		end_send(accepted, "hello");
		stream_write(a.s, "EHLO", 4);
		stream_deadline(a.s, clock_now_ms() + 20);
		if (a.close_at == 'C')
			shutdown(accepted, SHUT_WR);
	}
	UNTIL(l, a.s == NULL);
	loop_turn(l, false);
	ck_assert_int_eq(a.diary[a.entries - 1], letters[_i]);
	if (a.close_at != 'F') {
		close(accepted);
		close(listening);
	}
}
END_TEST

START_TEST(deadlines)
{
	clock_fake(1000, 1);
	open_pair(SOCK_STREAM);
	stream_deadline(a.s, 1010);
	stream_deadline(a.s, 1020);
	clock_fake_add(10);
	loop_turn(l, false);
	ck_assert_str_eq(a.diary, "");
	clock_fake_add(10);
	loop_turn(l, false);
	ck_assert_str_eq(a.diary, "T");
	stream_deadline(a.s, 1030);
	stream_deadline(a.s, 0);
	clock_fake_add(100);
	loop_turn(l, false);
	ck_assert_uint_eq(a.entries, 1);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(idle_streams_are_small)
{
	enum { MANY = 200 };
	static struct end e[MANY];
	static int other[MANY][2];
	size_t before = 0;

	for (int i = 0; i < MANY; i++)
		end_pair(SOCK_STREAM, other[i]);
	for (int i = 0; i < MANY; i++) {
		if (i == 1)		/* the first one pays for the loop's tables */
			before = mallinfo2().uordblks;
		e[i].s = stream_accept(l, other[i][0], end_on, &e[i]);
		e[i].on_data = answer_each;
		end_send(other[i][1], "NOOP\n");
		stream_deadline(e[i].s, clock_now_ms() + 100000);
		UNTIL(l, end_has(&e[i], 'R'));
	}
	before = (mallinfo2().uordblks - before) / (MANY - 1);
	ck_assert_msg(before < 800, "%zu octets for an idle stream", before);
	for (int i = 0; i < MANY; i++) {
		end_clear(&e[i]);
		close(other[i][1]);
	}
}
END_TEST
#endif

Suite *test_stream(void);
Suite *
test_stream(void)
{
	Suite *s = suite_create("test_stream");
	TCase *tc = tcase_create("stream");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, offers_in_trickles, 0, 4);
	tcase_add_test(tc, what_is_left_is_offered_again);
	tcase_add_test(tc, end_comes_after_input_that_is_left);
	tcase_add_test(tc, pause_keeps_all_until_resume);
	tcase_add_test(tc, paused_at_the_end_of_input);
	tcase_add_test(tc, kept_input_is_bounded);
	tcase_add_test(tc, a_flood_leaves_turns_to_others);
	tcase_add_test(tc, replies_leave_in_one_piece);
	tcase_add_test(tc, output_waits_for_the_end_of_the_turn);
	tcase_add_test(tc, much_output_through_a_narrow_pipe);
	tcase_add_test(tc, a_pump_gets_one_chunk_a_turn);
	tcase_add_test(tc, last_words_are_heard_before_the_failure);
	tcase_add_test(tc, close_sends_what_waits);
	tcase_add_loop_test(tc, closing_inside_any_event, 0, 6);
	tcase_add_test(tc, deadlines);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	tcase_add_test(tc, idle_streams_are_small);
#endif
	suite_add_tcase(s, tc);
	return s;
}
