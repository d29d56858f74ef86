/* Names to addresses.  Names under .dns.test, and localhost for all tests, are answered by a getaddrinfo of our own,
 * which stands before the C library's; all others go there. */
#include "net/dns.h"

#include "support_dns.h"
#include "support_net.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

static struct loop *l;
static struct dns *d;
static atomic_int calls;
static bool localhost_is_real;
pthread_mutex_t support_dns_gate = PTHREAD_MUTEX_INITIALIZER;	/* held: the helper waits */

/* --- the resolver that is tested against ------------------------------------------------ */

static struct addrinfo *
address_new(const char *text, struct addrinfo *next)
{
	struct addrinfo *ai = mem_zero(sizeof *ai + sizeof(struct sockaddr_in6));
	struct sockaddr_in *v4 = (struct sockaddr_in *)(ai + 1);
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(ai + 1);

	ai->ai_next = next;
	ai->ai_addr = (struct sockaddr *)(ai + 1);
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		ai->ai_family = v4->sin_family = AF_INET;
		ai->ai_addrlen = sizeof *v4;
	} else {
		memset(v6, 0, sizeof *v6);
		ck_assert_int_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		ai->ai_family = v6->sin6_family = AF_INET6;
		ai->ai_addrlen = sizeof *v6;
	}
	return ai;
}

static struct addrinfo *
addresses_of(const char *list)
{
	struct str rest = str_of(list), part;
	char text[64];

	if (!str_split(&rest, ' ', &part))
		return NULL;
	snprintf(text, sizeof text, "%.*s", (int)part.n, part.p);
	return address_new(text, rest.n > 0 ? addresses_of(rest.p) : NULL);
}

static struct addrinfo *
many(void)
{
	struct addrinfo *all = NULL;
	char text[32];

	for (int i = 0; i < 512; i++) {
		snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
		all = address_new(text, all);
	}
	return all;
}

static const struct fake {
	const char *name;
	int error;
	const char *addresses;
} fakes[] = {
	{ "four.dns.test", 0, "192.0.2.1 192.0.2.2" },
	{ "mixed.dns.test", 0, "2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1 192.0.2.2" },
	{ "twice.dns.test", 0, "192.0.2.1 2001:db8::1 192.0.2.1 2001:db8::1" },
	{ "none.dns.test", EAI_NONAME, NULL },
	{ "nodata.dns.test", EAI_NODATA, NULL },
	{ "again.dns.test", EAI_AGAIN, NULL },
	{ "system.dns.test", EAI_SYSTEM, NULL },
	{ "many.dns.test", 0, NULL },
};

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	typeof(getaddrinfo) *real = (typeof(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");

	/* A tree to build in has no /etc/hosts, and another one puts ::1 first. */
	if (node != NULL && strcmp(node, "localhost") == 0 && !localhost_is_real) {
		*res = address_new("127.0.0.1", NULL);
		return 0;
	}
	if (node == NULL || strcasestr(node, ".dns.test") == NULL || hints == NULL ||
	    (hints->ai_flags & AI_NUMERICHOST) != 0)
		return real(node, service, hints, res);
	atomic_fetch_add(&calls, 1);
	pthread_mutex_lock(&support_dns_gate);
	pthread_mutex_unlock(&support_dns_gate);
	for (size_t i = 0; i < sizeof fakes / sizeof fakes[0]; i++) {
		if (strcasecmp(node, fakes[i].name) != 0)
			continue;
		errno = EMFILE;		/* for EAI_SYSTEM */
		if (fakes[i].error == 0)
			*res = fakes[i].addresses != NULL ? addresses_of(fakes[i].addresses) : many();
		return fakes[i].error;
	}
	*res = address_new("192.0.2.99", NULL);
	return 0;
}

/* --- asking --------------------------------------------------------------------------------- */

struct question {
	struct buf got;		/* addresses, a space between them */
	enum dns_result result;
	char why[128];
	unsigned n;
	int told;
};

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct question *q = arg;

	buf_clear(&q->got);
	for (unsigned i = 0; i < a->n; i++)
		buf_printf(&q->got, "%s%s", i > 0 ? " " : "", a->address[i].text);
	q->result = a->result;
	snprintf(q->why, sizeof q->why, "%s", a->why);
	q->n = a->n;
	q->told++;
	if (a->n > 0)
		ck_assert_uint_eq(a->address[0].len, a->address[0].sa.ss_family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
}

static void
setup(void)
{
	l = loop_new("test");
	d = dns_start(l);
	atomic_store(&calls, 0);
}

static void
teardown(void)
{
	dns_stop(&d);
	loop_free(&l);
}

static const struct answer_case {
	const char *host;
	enum dns_result result;
	const char *want;	/* addresses, or what the reason begins with */
	int calls;
} answers[] = {
	{ "192.0.2.7", DNS_OK, "192.0.2.7", 0 },
	{ "2001:DB8::7", DNS_OK, "2001:db8::7", 0 },
	{ "four.dns.test", DNS_OK, "192.0.2.1 192.0.2.2", 1 },
	{ "FOUR.dns.TEST", DNS_OK, "192.0.2.1 192.0.2.2", 1 },
	{ "mixed.dns.test", DNS_OK,
	    "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3", 1 },	/* RFC 8305 4 */
	{ "twice.dns.test", DNS_OK, "192.0.2.1 2001:db8::1", 1 },
	{ "none.dns.test", DNS_NO_SUCH_NAME, "Name or service not known", 1 },
	{ "nodata.dns.test", DNS_NO_SUCH_NAME, "No address", 1 },
	{ "again.dns.test", DNS_FAILED, "Temporary failure", 1 },
	{ "system.dns.test", DNS_FAILED, "Too many open files", 1 },
};

START_TEST(questions_are_answered)
{
	const struct answer_case *c = &answers[_i];
	struct question q = { 0 };

	dns_resolve(d, c->host, on_answer, &q);
	ck_assert_int_eq(q.told, 0);	/* never from inside the call */
	UNTIL(l, q.told > 0);
	ck_assert_int_eq(q.result, c->result);
	ck_assert_int_eq(atomic_load(&calls), c->calls);
	if (c->result == DNS_OK) {
		ck_assert_str_eq(q.got.data, c->want);
		ck_assert_str_eq(q.why, "");
	} else {
		ck_assert_uint_eq(q.n, 0);
		ck_assert_msg(strncmp(q.why, c->want, strlen(c->want)) == 0, "%s", q.why);
	}
	buf_clear(&q.got);
}
END_TEST

START_TEST(a_great_many_addresses)	/* C-19 */
{
	struct question q = { 0 };

	dns_resolve(d, "many.dns.test", on_answer, &q);
	UNTIL(l, q.told > 0);
	ck_assert_uint_eq(q.n, DNS_ADDRESSES_MAX);
	buf_clear(&q.got);
}
END_TEST

START_TEST(the_system_knows_localhost)
{
	struct question q = { 0 };
	struct addrinfo *ai;
	int error;

	localhost_is_real = true;
	error = getaddrinfo("localhost", NULL, NULL, &ai);
	if (error != 0) {
		fprintf(stderr, "test_dns: the_system_knows_localhost is skipped: here localhost does not resolve (%s)\n", gai_strerror(error));
		localhost_is_real = false;
		return;
	}
	freeaddrinfo(ai);
	dns_resolve(d, "localhost", on_answer, &q);
	UNTIL(l, q.told > 0);
	ck_assert_int_eq(q.result, DNS_OK);
	ck_assert_msg(strstr(q.got.data, "127.0.0.1") != NULL || strstr(q.got.data, "::1") != NULL,
	    "%s", q.got.data);
	localhost_is_real = false;
	buf_clear(&q.got);
}
END_TEST

static void
ask(const char *host, struct question *q)
{
	q->told = 0;
	dns_resolve(d, host, on_answer, q);
	ck_assert_int_eq(q->told, 0);
	UNTIL(l, q->told == 1);
}

START_TEST(answers_are_kept_for_a_minute)
{
	struct question q = { 0 };

	clock_fake(1000, 1);
	ask("four.dns.test", &q);
	clock_fake_add(59999);
	ask("Four.DNS.test", &q);
	ck_assert_int_eq(atomic_load(&calls), 1);
	ck_assert_str_eq(q.got.data, "192.0.2.1 192.0.2.2");
	clock_fake_add(1);
	loop_turn(l, false);
	ask("four.dns.test", &q);
	ck_assert_int_eq(atomic_load(&calls), 2);
	ask("again.dns.test", &q);	/* failures are not kept */
	ask("again.dns.test", &q);
	ck_assert_int_eq(atomic_load(&calls), 4);
	buf_clear(&q.got);
}
END_TEST

START_TEST(one_question_for_all_who_ask)
{
	struct question q[3] = { 0 };

	pthread_mutex_lock(&support_dns_gate);
	for (int i = 0; i < 3; i++)
		dns_resolve(d, "four.dns.test", on_answer, &q[i]);
	pthread_mutex_unlock(&support_dns_gate);
	UNTIL(l, q[0].told && q[1].told && q[2].told);
	ck_assert_int_eq(atomic_load(&calls), 1);
	for (int i = 0; i < 3; i++)
		buf_clear(&q[i].got);
}
END_TEST

START_TEST(forgotten)
{
	struct question q[2] = { 0 };

	pthread_mutex_lock(&support_dns_gate);
	dns_resolve(d, "four.dns.test", on_answer, &q[0]);
	dns_resolve(d, "four.dns.test", on_answer, &q[1]);
	dns_forget(d, &q[0]);
	pthread_mutex_unlock(&support_dns_gate);
	UNTIL(l, q[1].told == 1);
	ck_assert_int_eq(q[0].told, 0);
	buf_clear(&q[1].got);
}
END_TEST

START_TEST(the_line_has_an_end)
{
	enum { MANY = 300 };
	static struct question q[MANY];
	char host[32];
	int refused = 0, left = MANY;

	pthread_mutex_lock(&support_dns_gate);
	for (int i = 0; i < MANY; i++) {
		snprintf(host, sizeof host, "n%d.dns.test", i);
		dns_resolve(d, host, on_answer, &q[i]);
	}
	loop_turn(l, true);
	for (int i = 0; i < MANY; i++)
		if (q[i].told == 1 && q[i].result == DNS_FAILED)
			refused++;
	ck_assert_int_eq(refused, MANY - 256);
	ck_assert_str_eq(q[MANY - 1].why, "too many names to resolve");
	pthread_mutex_unlock(&support_dns_gate);
	while (left > 0) {
		UNTIL(l, q[left - 1].told == 1);
		buf_clear(&q[--left].got);
	}
}
END_TEST

START_TEST(stop_waits_for_nobody)
{
	struct question q[2] = { 0 };

	pthread_mutex_lock(&support_dns_gate);
	dns_resolve(d, "four.dns.test", on_answer, &q[0]);
	dns_resolve(d, "mixed.dns.test", on_answer, &q[1]);
	while (atomic_load(&calls) == 0)	/* the helper is inside */
		sched_yield();
	dns_stop(&d);
	ck_assert_ptr_null(d);
	pthread_mutex_unlock(&support_dns_gate);
	loop_turn(l, false);
	ck_assert_int_eq(q[0].told + q[1].told, 0);
	ck_assert_int_eq(atomic_load(&calls), 1);
}
END_TEST

static void
stop_in_answer(void *arg, const struct dns_answer *a)
{
	int *told = arg;

	ck_assert_int_eq(a->result, DNS_OK);
	(*told)++;
	dns_stop(&d);
	ck_assert_int_eq(a->result, DNS_OK);	/* lives until we return */
}

START_TEST(stopping_inside_an_answer)
{
	int told = 0;

	for (int i = 0; i < 3; i++)
		dns_resolve(d, "192.0.2.1", stop_in_answer, &told);
	dns_resolve(d, "192.0.2.2", stop_in_answer, &told);
	UNTIL(l, told > 0);
	loop_turn(l, false);
	ck_assert_int_eq(told, 1);
}
END_TEST

static struct question next;

static void
ask_another(void *arg, const struct dns_answer *a)
{
	(void)arg, (void)a;
	dns_resolve(d, "mixed.dns.test", on_answer, &next);
}

START_TEST(asking_inside_an_answer)
{
	struct question q = { 0 };

	memset(&next, 0, sizeof next);
	dns_resolve(d, "none.dns.test", ask_another, NULL);
	dns_resolve(d, "again.dns.test", on_answer, &q);
	UNTIL(l, next.told == 1 && q.told == 1);
	ck_assert_uint_eq(next.n, 5);
	buf_clear(&next.got);
}
END_TEST

Suite *test_dns(void);
Suite *
test_dns(void)
{
	Suite *s = suite_create("test_dns");
	TCase *tc = tcase_create("dns");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, questions_are_answered, 0, sizeof answers / sizeof answers[0]);
	tcase_add_test(tc, a_great_many_addresses);
	tcase_add_test(tc, the_system_knows_localhost);
	tcase_add_test(tc, answers_are_kept_for_a_minute);
	tcase_add_test(tc, one_question_for_all_who_ask);
	tcase_add_test(tc, forgotten);
	tcase_add_test(tc, the_line_has_an_end);
	tcase_add_test(tc, stop_waits_for_nobody);
	tcase_add_test(tc, stopping_inside_an_answer);
	tcase_add_test(tc, asking_inside_an_answer);
	suite_add_tcase(s, tc);
	return s;
}
