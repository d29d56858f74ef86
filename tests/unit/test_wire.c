/* Sockets: connecting, the words of failures, and who is at the other end. */
#include "net/wire.h"

#include "bare_pair.h"

#include <sys/resource.h>
#include <sys/un.h>

static void
open_tcp(void)
{
	end_tcp(fd);
	a.s = stream_accept(l, fd[0], end_on, &a);
}

static void
try_to_connect(const struct sockaddr *sa, socklen_t len, const char *source)
{
	a.s = stream_connect(l, sa, len, source, end_on, &a);
	ck_assert_str_eq(a.diary, "");	/* never from inside the call */
	UNTIL(l, a.entries > 0);
}

START_TEST(connects_and_knows_the_peer)
{
	struct sockaddr_in sin;
	int listening = end_listen(&sin);
	char address[64];
	uint16_t port;

	try_to_connect((struct sockaddr *)&sin, sizeof sin, _i == 0 ? "" : "127.0.0.2");
	ck_assert_str_eq(a.diary, "U");
	stream_peer(a.s, address, sizeof address, &port);
	ck_assert_str_eq(address, "127.0.0.1");
	ck_assert_uint_eq(port, ntohs(sin.sin_port));
	b.s = stream_accept(l, accept4(listening, NULL, NULL, SOCK_NONBLOCK), end_on, &b);
	stream_peer(b.s, address, sizeof address, &port);
	ck_assert_str_eq(address, _i == 0 ? "127.0.0.1" : "127.0.0.2");
	close(listening);
}
END_TEST

START_TEST(output_before_the_connection_is_up)
{
	struct sockaddr_in sin;
	int listening = end_listen(&sin);

	a.s = stream_connect(l, (struct sockaddr *)&sin, sizeof sin, "", end_on, &a);
	stream_write(a.s, "early", 5);
	b.s = stream_accept(l, accept4(listening, NULL, NULL, SOCK_NONBLOCK), end_on, &b);
	UNTIL(l, b.got.len == 5);
	ck_assert_str_eq(a.diary, "UR");
	close(listening);
}
END_TEST

START_TEST(mapped_peers_are_given_as_ipv4)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	socklen_t len = sizeof sin6;
	int listening = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char address[64];
	uint16_t port;

	if (listening < 0 ||
	    setsockopt(listening, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)) < 0 ||
	    bind(listening, (struct sockaddr *)&sin6, sizeof sin6) < 0)
		return;		/* no IPv6 here */
	ck_assert_int_eq(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&sin6, &len);
	sin.sin_port = sin6.sin6_port;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	try_to_connect((struct sockaddr *)&sin, sizeof sin, "");
	b.s = stream_accept(l, accept4(listening, NULL, NULL, SOCK_NONBLOCK), end_on, &b);
	stream_peer(b.s, address, sizeof address, &port);
	ck_assert_str_eq(address, "127.0.0.1");
	close(listening);
}
END_TEST

START_TEST(unix_peers_have_no_address)
{
	char address[64] = "x";
	uint16_t port = 1;

	open_pair(SOCK_STREAM);
	stream_peer(a.s, address, sizeof address, &port);
	ck_assert_str_eq(address, "");
	ck_assert_uint_eq(port, 0);
	ck_assert_int_eq(stream_fd(a.s), fd[0]);
}
END_TEST

/* --- broken connections ------------------------------------------------------------ */

START_TEST(peer_is_gone)
{
	open_pair(SOCK_STREAM);
	close(fd[1]);
	fd[1] = -1;
	stream_write(a.s, "x", 1);	/* no SIGPIPE */
	UNTIL(l, end_has(&a, 'F'));
	ck_assert_int_eq(stream_fault(a.s), FAULT_RESET);
	stream_write(a.s, "y", 1);	/* goes nowhere */
	ck_assert_uint_eq(stream_pending(a.s), 0);
	loop_turn(l, false);
	ck_assert_str_eq(a.diary, "CF");
}
END_TEST

static void
reset_peer(void)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd[1]);
	fd[1] = -1;
}

START_TEST(reset)
{
	open_tcp();
	reset_peer();
	UNTIL(l, end_has(&a, 'F'));
	ck_assert_str_eq(a.diary, "F");
	ck_assert_int_eq(stream_fault(a.s), FAULT_RESET);
	ck_assert_str_eq(stream_why(a.s), "connection reset by the peer");
}
END_TEST

/* --- connections that never were -------------------------------------------------- */

static const struct refusal {
	const char *what, *source;
	enum stream_fault fault;
	const char *why;
} refusals[] = {
	{ "closed port", "", FAULT_REFUSED, "connection refused" },
	{ "source of the other family", "::1", FAULT_LOCAL, "local address not available" },
	{ "source that is not ours", "192.0.2.7", FAULT_LOCAL, "local address not available" },
	{ "no source at all", "bogus", FAULT_LOCAL, "local address not available" },
	{ "no such socket", "", FAULT_REFUSED, "no such socket" },
	{ "no such family", "", FAULT_UNREACHABLE, "this machine lacks that address family" },
	{ "no descriptors", "", FAULT_LOCAL, "too many open files in this process" },
};

START_TEST(refused_connections_say_why)
{
	const struct refusal *r = &refusals[_i];
	struct sockaddr_in sin;
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/x" };
	struct sockaddr odd = { .sa_family = 250 };
	struct rlimit before, none = { 0 };

	close(end_listen(&sin));
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	if (strcmp(r->what, "no descriptors") == 0)
		setrlimit(RLIMIT_NOFILE, &none);
	if (strcmp(r->what, "no such socket") == 0)
		try_to_connect((struct sockaddr *)&sun, sizeof sun, "");
	else if (r->fault == FAULT_UNREACHABLE)
		try_to_connect(&odd, sizeof odd, "");
	else
		try_to_connect((struct sockaddr *)&sin, sizeof sin, r->source);
	setrlimit(RLIMIT_NOFILE, &before);
	ck_assert_str_eq(a.diary, "F");
	ck_assert_int_eq(stream_fault(a.s), r->fault);
	ck_assert_msg(strncmp(stream_why(a.s), r->why, strlen(r->why)) == 0,
	    "%s: %s", r->what, stream_why(a.s));
}
END_TEST

Suite *test_wire(void);
Suite *
test_wire(void)
{
	Suite *s = suite_create("test_wire");
	TCase *tc = tcase_create("wire");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, connects_and_knows_the_peer, 0, 2);
	tcase_add_test(tc, output_before_the_connection_is_up);
	tcase_add_test(tc, mapped_peers_are_given_as_ipv4);
	tcase_add_test(tc, unix_peers_have_no_address);
	tcase_add_loop_test(tc, refused_connections_say_why, 0,
	    sizeof refusals / sizeof refusals[0]);
	tcase_add_test(tc, peer_is_gone);
	tcase_add_test(tc, reset);
	suite_add_tcase(s, tc);
	return s;
}
