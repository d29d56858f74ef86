/* TLS connections: STARTTLS, data, and every kind of end.  The other end is a stream
 * too, or OpenSSL by hand. */
#include "net/tls_session.h"

#include "support_tls.h"

#include <malloc.h>

START_TEST(close_says_so)		/* */
{
	char got[64] = "";
	int64_t start = clock_now_ms();
	int r;

	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	UNTIL(l, end_has(&server, 'S'));
	stream_write(server.s, "221 bye\r\n", 9);
	if (_i == 0)
		stream_close(&server.s);
	else
		stream_finish(&server.s, 1000);
	r = SSL_read(hand, got, sizeof got - 1);
	ck_assert_str_eq(got, "221 bye\r\n");
	while ((r = SSL_read(hand, got, sizeof got)) < 0 && clock_now_ms() < start + 5000)
		loop_turn(l, false);
	ck_assert_int_eq(SSL_get_error(hand, r), SSL_ERROR_ZERO_RETURN);
	ck_assert_int_eq(recv(fd[0], got, 1, 0), 0);	/* and FIN */
}
END_TEST

START_TEST(not_tls_at_all)		/* */
{
	static const char *const said[] = { "NOOP\r\nNOOP\r\n", "GET / HTTP/1.0\r\n\r\n" };
	static const char *const words[] = { "peer does not speak TLS here", "peer speaks HTTP" };
	char got[64];
	ssize_t n;

	hand_open();
	end_send(fd[0], said[_i]);
	UNTIL(l, end_has(&server, 'F'));
	ck_assert_int_eq(stream_fault(server.s), FAULT_TLS);
	ck_assert_str_eq(stream_why(server.s), words[_i]);
	n = recv(fd[0], got, sizeof got, MSG_DONTWAIT);
	ck_assert(n <= 0 || got[0] == 0x15);	/* an alert at most, never a reply */
}
END_TEST

START_TEST(gone_during_the_handshake)
{
	hand_open();
	loop_turn(l, false);
	(void)SSL_do_handshake(hand);
	close(fd[0]);
	fd[0] = -1;
	UNTIL(l, end_has(&server, 'F'));
	ck_assert(stream_fault(server.s) == FAULT_CLOSED || stream_fault(server.s) == FAULT_RESET);
}
END_TEST

START_TEST(replies_leave_in_one_record)
{
	char got[64];
	int r;

	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	UNTIL(l, end_has(&server, 'S'));
	stream_write(server.s, "250-a\r\n", 7);
	stream_write(server.s, "250 b\r\n", 7);
	loop_turn(l, false);
	do	/* the ticket comes first */
		r = SSL_read(hand, got, sizeof got);
	while (r < 0 && SSL_get_error(hand, r) == SSL_ERROR_WANT_READ);
	ck_assert_int_eq(r, 14);
}
END_TEST

static void
hand_says(const char *p, int n)
{
	ck_assert_int_eq(SSL_write(hand, p, n), n);
}

START_TEST(data_and_close_notify_in_one_flight)
{
	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	UNTIL(l, end_has(&server, 'S'));
	hand_says("QUIT", 4);
	SSL_shutdown(hand);		/* and no FIN */
	UNTIL(l, end_has(&server, 'C'));
	ck_assert_str_eq(server.got.data, "QUIT");
	ck_assert(strstr(server.diary, "DC") != NULL);
}
END_TEST

/* Records without data, of which OpenSSL reads all that there are: a few are new keys now and then, many are an attack. */
START_TEST(new_keys_now_and_then)
{
	static const struct { int updates; bool ends; } some[] = { { 50, false }, { 20000, true } };
	int n = 0;

	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	UNTIL(l, end_has(&server, 'S'));
	SSL_set_mode(hand, SSL_MODE_ENABLE_PARTIAL_WRITE);
	while (n < some[_i].updates && SSL_key_update(hand, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(hand) == 1)
		n++;			/* as many as the socket holds */
	ck_assert_int_gt(n, some[_i].ends ? 200 : 49);
	if (!some[_i].ends)
		hand_says("QUIT", 4);
	UNTIL(l, end_has(&server, some[_i].ends ? 'F' : 'D'));
	ck_assert_int_eq(end_has(&server, 'D'), !some[_i].ends);
	if (some[_i].ends)
		ck_assert_str_eq(stream_why(server.s), "peer changes keys again and again, and says nothing");
}
END_TEST

/* --- stream to stream ---------------------------------------------------------------- */

START_TEST(what_was_agreed)
{
	struct tls_certificate seen;

	rig_open_streams();
	ck_assert_ptr_null(stream_cipher(client.s));
	ck_assert_int_eq(stream_peer_certificate(client.s, NULL, &seen), -1);
	end_clear(&client);
	end_clear(&server);
	rig_shake_hands();
	ck_assert(stream_is_secure(client.s) && stream_is_secure(server.s));
	ck_assert_str_eq(stream_cipher(client.s), "TLSv1.3 TLS_AES_256_GCM_SHA384");
	ck_assert_int_eq(stream_peer_certificate(client.s, NULL, &seen), 0);
	ck_assert_str_eq(seen.subject, "CN=mail");
	ck_assert_str_eq(seen.issuer, "CN=Test Root");
	ck_assert_int_eq(stream_peer_certificate(server.s, NULL, &seen), -1);
	ck_assert_int_eq(stream_fault(client.s), FAULT_NONE);
	ck_assert_str_eq(stream_why(client.s), "");
}
END_TEST

static void
answer_starttls(struct end *e)
{
	struct str in = stream_input(e->s);

	if (!str_is(in, "STARTTLS\r\n"))
		return;
	stream_consume(e->s, in.n);
	stream_write(e->s, "220 go\r\n", 8);
	ck_assert_int_eq(stream_start_tls(e->s, ss, NULL), 0);
	stream_write(e->s, "secret", 6);	/* must not follow the 220 in plain */
	e->on_data = NULL;
}

static void
follow_starttls(struct end *e)
{
	struct str in = stream_input(e->s);

	ck_assert(str_is(in, "220 go\r\n"));
	stream_consume(e->s, in.n);
	e->on_data = NULL;
	ck_assert_int_eq(stream_start_tls(e->s, cs, "mail.test"), 0);
	stream_write(e->s, "EHLO x\r\n", 8);	/* goes out encrypted, after the handshake */
}

START_TEST(starttls)
{
	rig_good_contexts();
	rig_open_streams();
	server.on_data = answer_starttls;
	client.on_data = follow_starttls;
	stream_write(client.s, "STARTTLS\r\n", 10);
	UNTIL(l, server.got.len == 8 && client.got.len == 6);
	ck_assert_str_eq(server.got.data, "EHLO x\r\n");
	ck_assert_str_eq(client.got.data, "secret");
	ck_assert(strncmp(client.diary, "RDS", 3) == 0);
	ck_assert_int_eq(server.diary[0], 'D');
	ck_assert(end_has(&server, 'S'));
}
END_TEST

static void
take_first_line(struct end *e)
{
	struct str in = stream_input(e->s);
	const char *nl = memchr(in.p, '\n', in.n);

	ck_assert_ptr_nonnull(nl);
	stream_consume(e->s, (size_t)(nl + 1 - in.p));
	ck_assert_int_eq(stream_start_tls(e->s, ss, NULL), -1);
	ck_assert(!stream_is_secure(e->s));
	stream_close(&e->s);
}

START_TEST(nothing_may_be_buffered_at_the_switch)	/* C-02, C-03, A-035, B-014 */
{
	rig_good_contexts();
	rig_open_streams();
	server.on_data = take_first_line;
	end_send(fd[0], "STARTTLS\r\nNOOP\r\n");
	UNTIL(l, server.s == NULL);
}
END_TEST

START_TEST(nothing_may_be_kept_at_the_switch)	/* C-02 */
{
	rig_good_contexts();
	rig_open_streams();
	server.leave = 1;
	end_send(fd[0], "x");
	UNTIL(l, server.data == 1);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), -1);
	stream_consume(server.s, 1);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), -1);
}
END_TEST

static void
fill(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_putc(b, (char)(i * 7 % 251));
}

static void
check(const struct buf *b, size_t n)
{
	ck_assert_uint_eq(b->len, n);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)b->data[i] != i * 7 % 251)
			ck_abort_msg("octet %zu", i);
}

START_TEST(much_data_both_ways)
{
	enum { SIZE = 2000000 };

	rig_shake_hands();
	fill(stream_output(client.s), SIZE);
	fill(stream_output(server.s), SIZE);
	stream_flush(client.s);
	stream_flush(server.s);
	UNTIL(l, client.got.len == SIZE && server.got.len == SIZE);
	check(&client.got, SIZE);
	check(&server.got, SIZE);
	ck_assert(end_has(&client, 'R') && end_has(&server, 'R'));
}
END_TEST

START_TEST(pause_with_records_under_way)
{
	enum { SIZE = 400000 };

	rig_shake_hands();
	server.pause_at = 'D';
	server.leave = 5;
	fill(stream_output(client.s), SIZE);
	stream_flush(client.s);
	for (int i = 0; server.got.len < SIZE - 5 && i < 1000; i++) {
		int data = server.data;

		UNTIL(l, server.data > data);
		for (int j = 0; j < 3; j++)
			loop_turn(l, false);
		ck_assert_int_eq(server.data, data + 1);
		stream_resume(server.s);
	}
	server.leave = 0;
	server.pause_at = 0;
	stream_resume(server.s);
	UNTIL(l, server.got.len == SIZE);
	check(&server.got, SIZE);
}
END_TEST

START_TEST(last_data_and_the_end_in_one_flight)
{
	rig_shake_hands();
	stream_write(client.s, "QUIT", 4);
	stream_close(&client.s);
	UNTIL(l, end_has(&server, 'C'));
	ck_assert_str_eq(server.got.data, "QUIT");
	ck_assert_int_eq(stream_fault(server.s), FAULT_CLOSED);
}
END_TEST

START_TEST(end_without_close_notify)
{
	rig_shake_hands();
	shutdown(fd[0], SHUT_RDWR);
	UNTIL(l, end_has(&server, 'C'));
}
END_TEST

START_TEST(half_closed_by_the_peer)
{
	rig_shake_hands();
	stream_write(client.s, "last", 4);
	UNTIL(l, server.got.len == 4);
	shutdown(fd[0], SHUT_WR);
	UNTIL(l, end_has(&server, 'C'));
	stream_write(server.s, "250 ok", 6);
	stream_finish(&server.s, 1000);
	UNTIL(l, client.got.len == 6 && end_has(&client, 'C'));
}
END_TEST

START_TEST(finish_sends_all)
{
	enum { SIZE = 1000000 };

	rig_shake_hands();
	stream_pause(client.s);
	fill(stream_output(server.s), SIZE);
	stream_finish(&server.s, 5000);
	for (int i = 0; i < 3; i++)
		loop_turn(l, false);
	stream_resume(client.s);
	UNTIL(l, end_has(&client, 'C'));
	check(&client.got, SIZE);
	ck_assert_str_eq(server.diary, "S");
}
END_TEST

START_TEST(closing_inside_secure_or_failed)
{
	rig_good_contexts();
	client.close_at = _i == 0 ? 'S' : 'F';
	rig_start_both(_i == 0 ? "mail.test" : "other.test");
	UNTIL(l, client.s == NULL);
	UNTIL(l, end_has(&server, 'C') || end_has(&server, 'F'));
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(idle_sessions_are_small)
{
	enum { MANY = 50 };
	static struct end c[MANY], s[MANY];
	size_t before = 0, one;

	rig_good_contexts();
	for (int i = 0; i < MANY; i++) {
		int pair[2];

		if (i == 2)
			before = mallinfo2().uordblks;
		end_pair(SOCK_STREAM, pair);
		c[i].s = stream_accept(l, pair[0], end_on, &c[i]);
		s[i].s = stream_accept(l, pair[1], end_on, &s[i]);
		ck_assert_int_eq(stream_start_tls(s[i].s, ss, NULL), 0);
		ck_assert_int_eq(stream_start_tls(c[i].s, cs, "mail.test"), 0);
		stream_write(c[i].s, "NOOP", 4);
		UNTIL(l, s[i].got.len == 4);
		stream_write(s[i].s, "250 ok", 6);
		UNTIL(l, c[i].got.len == 6);
	}
	one = (mallinfo2().uordblks - before) / (MANY - 2) / 2;
	ck_assert_msg(one < 20000, "%zu octets for an idle session", one);
	if (getenv("VERBOSE") != NULL)
		printf("%zu octets for an idle TLS stream\n", one);
	for (int i = 0; i < MANY; i++) {
		end_clear(&c[i]);
		end_clear(&s[i]);
	}
}
END_TEST
#endif

static void
add_server_tests(Suite *s)
{
	TCase *tc = tcase_create("server");

	tcase_add_checked_fixture(tc, hand_setup, hand_teardown);
	tcase_add_loop_test(tc, close_says_so, 0, 2);
	tcase_add_loop_test(tc, not_tls_at_all, 0, 2);
	tcase_add_test(tc, gone_during_the_handshake);
	tcase_add_test(tc, replies_leave_in_one_record);
	tcase_add_test(tc, data_and_close_notify_in_one_flight);
	tcase_add_loop_test(tc, new_keys_now_and_then, 0, 2);
	suite_add_tcase(s, tc);
}

Suite *test_tls_session(void);
Suite *
test_tls_session(void)
{
	Suite *s = suite_create("test_tls_session");
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_test(tc, what_was_agreed);
	tcase_add_test(tc, starttls);
	tcase_add_test(tc, nothing_may_be_buffered_at_the_switch);
	tcase_add_test(tc, nothing_may_be_kept_at_the_switch);
	tcase_add_test(tc, much_data_both_ways);
	tcase_add_test(tc, pause_with_records_under_way);
	tcase_add_test(tc, last_data_and_the_end_in_one_flight);
	tcase_add_test(tc, end_without_close_notify);
	tcase_add_test(tc, half_closed_by_the_peer);
	tcase_add_test(tc, finish_sends_all);
	tcase_add_loop_test(tc, closing_inside_secure_or_failed, 0, 2);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	tcase_add_test(tc, idle_sessions_are_small);
#endif
	suite_add_tcase(s, tc);
	add_server_tests(s);
	return s;
}
