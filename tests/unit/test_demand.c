/* One request from anybody: its grammar, its limits, and whose name it calls us by (CONTRACT.md 5). */
#include "web/demand.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct demand_hosts local = { "127.0.0.1:9587", "relay.example" };

#define H "Host: localhost:9587\r\n"

static const struct {
	const char *text;
	int status;
	enum demand_path path;
	bool head;
} cases[] = {
	{ "GET / HTTP/1.1\r\n" H "\r\n", 200, DEMAND_PAGE, false },
	{ "GET /metrics HTTP/1.1\r\n" H "Accept: */*\r\n\r\n", 200, DEMAND_METRICS, false },
	{ "HEAD /healthz HTTP/1.1\r\n" H "\r\n", 200, DEMAND_HEALTH, true },
	{ "GET /?x=1 HTTP/1.1\r\n" H "\r\n", 200, DEMAND_PAGE, false },
	{ "\r\nGET / HTTP/1.1\r\n" H "\r\n", 200, DEMAND_PAGE, false },
	{ "GET /metrics HTTP/1.0\r\n\r\n", 200, DEMAND_METRICS, false },	/* probes; a browser sends Host */
	{ "GET http://127.0.0.1:9587/metrics HTTP/1.1\r\n" H "\r\n", 200, DEMAND_METRICS, false },
	{ "GET / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 200, DEMAND_PAGE, false },
	{ "GET / HTTP/1.1\n" "Host: localhost\n" "\n", 200, DEMAND_PAGE, false },
	/* refused */
	{ "GET / HTTP/1.1\r\n\r\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\n" H H "\r\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, 0, false },
	{ "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403, 0, false },
	{ "GET http://evil.example/ HTTP/1.1\r\n" H "\r\n", 403, 0, false },
	{ "GET /nowhere HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, 0, false },
	{ "GET /nowhere HTTP/1.1\r\n" H "\r\n", 404, 0, false },
	{ "GET /metrics/ HTTP/1.1\r\n" H "\r\n", 404, 0, false },
	{ "GET /../metrics HTTP/1.1\r\n" H "\r\n", 404, 0, false },
	{ "GET * HTTP/1.1\r\n" H "\r\n", 404, 0, false },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 405, 0, false },
	{ "OPTIONS * HTTP/1.1\r\n" H "\r\n", 405, 0, false },
	{ "get / HTTP/1.1\r\n" H "\r\n", 405, 0, false },
	{ "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 413, 0, false },
	{ "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 413, 0, false },
	{ "GET / HTTP/2.0\r\n" H "\r\n", 505, 0, false },
	{ "PRI * HTTP/2.0\r\n\r\n", 505, 0, false },
	{ "GET /\r\n\r\n", 400, 0, false },
	{ "\x16\x03\x01\r\n\r\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\n" H " folded: x\r\n\r\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\n" H "no colon\r\n\r\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\n" H "Name : x\r\n\r\n", 400, 0, false },
	{ "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 400, 0, false },
};

/* Each octet on its own, so that the input ends exactly where it ends. */
START_TEST(requests)
{
	size_t n = strlen(cases[_i].text);
	struct demand d;

	for (size_t i = 0; i <= n; i++) {
		char *copy = malloc(i + 1);
		bool done;

		memcpy(copy, cases[_i].text, i);
		done = demand_parse(&d, (struct str){ copy, i }, &local);
		free(copy);
		ck_assert_msg(done == (i == n), "%zu of %zu: %s", i, n, cases[_i].text);
	}
	ck_assert_msg(d.status == cases[_i].status, "%d %s: %s", d.status, d.why, cases[_i].text);
	if (d.status == 200) {
		ck_assert_int_eq(d.path, cases[_i].path);
		ck_assert_int_eq(d.head, cases[_i].head);
	} else {
		ck_assert_uint_gt(strlen(d.why), 0);
	}
}
END_TEST

START_TEST(eight_kilobytes)
{
	static char text[2 * DEMAND_MAX];
	struct demand d;
	size_t n;

	memset(text, 'x', sizeof text);
	ck_assert(!demand_parse(&d, (struct str){ text, DEMAND_MAX - 1 }, &local));
	ck_assert(demand_parse(&d, (struct str){ text, DEMAND_MAX }, &local));
	ck_assert_int_eq(d.status, 431);
	/* a head of just that many octets, and of one more */
	for (unsigned more = 0; more < 2; more++) {
		memset(text, 'x', sizeof text);
		memcpy(text, "GET / HTTP/1.1\r\n" H "X:", strlen("GET / HTTP/1.1\r\n" H "X:"));
		n = DEMAND_MAX + more;
		memcpy(text + n - 4, "\r\n\r\n", 4);
		ck_assert(demand_parse(&d, (struct str){ text, n }, &local));
		ck_assert_int_eq(d.status, more ? 431 : 200);
	}
	/* NUL */
	ck_assert(demand_parse(&d, STR("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), &local));
	ck_assert_int_eq(d.status, 400);
	ck_assert(demand_parse(&d, STR("GET / HTTP/1.1\r\nHost: localhost\0.evil\r\n\r\n"), &local));
	ck_assert_int_eq(d.status, 400);
}
END_TEST

static const struct {
	const char *listen, *host;
	bool ours;
} hosts[] = {
	{ "127.0.0.1:9587", "127.0.0.1:9587", true },
	{ "127.0.0.1:9587", "127.0.0.1", true },
	{ "127.0.0.1:9587", "127.0.0.1:80", true },	/* a tunnel */
	{ "127.0.0.1:9587", "LocalHost:9587", true },
	{ "127.0.0.1:9587", "[::1]:9587", true },
	{ "127.0.0.1:9587", "relay.example", false },	/* a name: it could be made to point here */
	{ "127.0.0.1:9587", "192.0.2.1", false },
	{ "127.0.0.1:9587", "evil.localhost", false },
	{ "127.0.0.1:9587", "localhost.evil.example", false },
	{ "127.0.0.1:9587", "127.0.0.1.evil.example", false },
	{ "127.0.0.1:9587", "127.0.0.1@evil.example", false },
	{ "127.0.0.1:9587", "localhost:x", false },
	{ "127.0.0.1:9587", "localhost:", true },
	{ "127.0.0.1:9587", "127.0.0.1:65535", true },
	{ "127.0.0.1:9587", "127.0.0.1:65536", false },
	{ "127.0.0.1:9587", "127.0.0.1:99999", false },
	{ "127.0.0.1:9587", "127.0.0.1:99999999999999999999", false },
	{ "127.0.0.1:9587", "127.0.0.1:0", false },
	{ "127.0.0.1:9587", "127.0.0.1:-1", false },
	{ "127.0.0.1:9587", "[::1]:99999", false },
	{ "127.0.0.1:9587", "[::1]x", false },
	{ "127.0.0.1:9587", "[::1", false },
	{ "127.0.0.1:9587", "", false },
	{ "127.0.0.1:9587", ":9587", false },
	{ "192.0.2.1:9587", "192.0.2.1:9587", true },
	{ "192.0.2.1:9587", "RELAY.example:9587", true },
	{ "192.0.2.1:9587", "192.0.2.2:9587", false },
	{ "192.0.2.1:9587", "evil.example", false },
	{ "[2001:db8::1]:9587", "[2001:DB8:0::1]:9587", true },
	{ "0.0.0.0:9587", "192.0.2.7:9587", true },
	{ "0.0.0.0:9587", "evil.example:9587", false },
	{ "[::]:9587", "[2001:db8::7]", true },
};

START_TEST(rebinding)
{
	const struct demand_hosts h = { hosts[_i].listen, "relay.example" };

	ck_assert_msg(demand_is_ours(str_of(hosts[_i].host), &h) == hosts[_i].ours, "%s on %s", hosts[_i].host, hosts[_i].listen);
}
END_TEST

Suite *test_demand(void);

Suite *
test_demand(void)
{
	Suite *s = suite_create("test_demand");
	TCase *t = tcase_create("demand");

	tcase_add_loop_test(t, requests, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, eight_kilobytes);
	tcase_add_loop_test(t, rebinding, 0, sizeof hosts / sizeof hosts[0]);
	suite_add_tcase(s, t);
	return s;
}
