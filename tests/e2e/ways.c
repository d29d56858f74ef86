/*
 * Finding the way, end to end: what is remembered of ports, how they are looked at again, `gatepost probe' without a
 * configuration, and how long the first message takes while a port is in the way.  GATEPOST_FIGURES=N prints the times of N
 * rounds (docs/performance.md).
 */
#include "e2e/world.h"

#include <check.h>
#include <jansson.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT "Subject: hello\r\nFrom: app@client.example\r\n\r\nbody\r\n"

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t whole_ms;	/* what the last one took in all */

/* Milliseconds from the client's 250 until the provider has it all. */
static int64_t
send_one(struct world *w)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);
	unsigned before = provider_count(w->provider);
	int64_t began, all;

	ck_assert_ptr_nonnull(c);
	ck_assert(client_login(c));
	all = now_ms();
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	began = now_ms();
	ck_assert_msg(provider_wait(w->provider, before + 1, 30000), "nothing came");
	began = now_ms() - began;
	whole_ms = now_ms() - all;
	client_free(&c);
	return began;
}

static unsigned
last_port(struct world *w)
{
	return provider_message(w->provider, provider_count(w->provider) - 1)->port;
}

/* Until the daemon has written down what it knows of ports. */
static void
wait_saved(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof path, "%s/spool/ports", w->dir);
	for (int i = 0; i < 3000 && access(path, F_OK) < 0; i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	ck_assert_msg(access(path, F_OK) == 0, "%s is not there", path);
}

/* B.1, 4: what worked is tried first, after a restart and after a kill, and `status' has the whole story from the start. */
START_TEST(memory_outlives_the_process)
{
	struct world w;
	char out[8192], want[64];
	unsigned asked;

	world_new(&w, PROVIDER_STARTTLS, "banner: 554 5.7.1 no", PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	send_one(&w);
	ck_assert_uint_eq(last_port(&w), w.p465);
	asked = provider_connections(w.provider, w.p587);
	ck_assert_uint_eq(asked, 1);
	wait_saved(&w);
	world_stop(&w, _i == 0 ? SIGTERM : SIGKILL);
	world_start(&w);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 0);
	snprintf(want, sizeof want, "%u starttls", w.p587);
	ck_assert_msg(strstr(out, want) != NULL, "%s", out);
	ck_assert_msg(strstr(out, "blocked  greeted with 554 5.7.1 no, ") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "; next try in 5 min") != NULL, "%s", out);
	send_one(&w);
	ck_assert_uint_eq(last_port(&w), w.p465);
	ck_assert_uint_eq(provider_connections(w.provider, w.p587), asked);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* The earlier port is looked at without mail, and used again when it works. */
START_TEST(the_earlier_port_is_taken_again)
{
	struct world w;
	char want[96];

	world_new(&w, PROVIDER_STARTTLS, "strip: 1", PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, " recheck = \"1s\"\n", "");
	world_start(&w);
	send_one(&w);
	ck_assert_uint_eq(last_port(&w), w.p465);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	snprintf(want, sizeof want, "port=%u tls=starttls address=127.0.0.1 state=up", w.p587);
	ck_assert(world_wait_log(&w, want, 30000));
	ck_assert_uint_eq(provider_said(w.provider, "MAIL"), 1);
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);	/* nor is there a login to look */
	send_one(&w);
	ck_assert_uint_eq(last_port(&w), w.p587);
	ck_assert_uint_eq(provider_complaints(w.provider), 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* --- probe without a configuration ------------------------------------------------------ */

/* Runs the program with a presets file, and this CA as the system's; its standard output. */
static int
probe(const struct world *w, const char *ca, const char *args, char *out, size_t size)
{
	char command[512];
	size_t n;
	FILE *f;

	snprintf(command, sizeof command, "env GATEPOST_PROVIDERS=%s/presets SSL_CERT_FILE=%s SSL_CERT_DIR=/nowhere '%s' probe %s 2>&1",
	    w->dir, ca, getenv("GATEPOST"), args);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	n = (size_t)pclose(f);
	return WIFEXITED((int)n) ? WEXITSTATUS((int)n) : -1;
}

static bool
localhost_resolves(void)
{
	struct addrinfo *ai;

	if (getaddrinfo("localhost", NULL, NULL, &ai) != 0)
		return false;
	freeaddrinfo(ai);
	return true;
}

/* The first port at the address where the provider is: localhost may have another one before it. */
static const json_t *
first_candidate(const json_t *doc)
{
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(doc, "candidates"), i, c)
		if (strcmp(json_string_value(json_object_get(c, "address")), "127.0.0.1") == 0)
			return c;
	return NULL;
}

static const struct {
	const char *args;
	enum provider_mode m587;
	const char *s587;
	bool trusted;		/* the provider's CA */
	int status;
	const char *best;	/* NULL: none */
	const char *stage;	/* of the first port */
} probes[] = {
	{ "--json --provider fake", PROVIDER_STARTTLS, NULL, true, 0, "587", "done" },
	{ "--json --provider fake --host localhost", PROVIDER_STARTTLS, NULL, true, 0, "587", "done" },
	{ "--json --provider other --host 127.0.0.1", PROVIDER_STARTTLS, NULL, true, 0, "587", "done" },
	{ "--json --provider fake", PROVIDER_REFUSE, NULL, true, 0, "465", "tcp" },
	{ "--json --provider fake", PROVIDER_STARTTLS, "strip: 1", true, 0, "465", "starttls" },
	{ "--json --provider fake", PROVIDER_STARTTLS, NULL, false, 1, NULL, "tls" },
};

START_TEST(probe_needs_no_configuration)
{
	struct world w;
	char out[16384], path[128], best[32];
	const json_t *doc, *first;
	json_t *all;
	FILE *f;
	int status;

	if (strstr(probes[_i].args, "localhost") != NULL && !localhost_resolves()) {
		fprintf(stderr, "ways: a probe of localhost is skipped: here it does not resolve\n");
		return;
	}
	world_new(&w, probes[_i].m587, probes[_i].s587, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	snprintf(path, sizeof path, "%s/presets", w.dir);
	f = fopen(path, "w");
	fprintf(f, "provider \"fake\" { host = \"127.0.0.1\" chain = {\"%u/starttls\", \"%u/implicit\"} }\n"
	    "provider \"other\" { host = \"192.0.2.1\" chain = {\"%u/starttls\", \"%u/implicit\"} }\n", w.p587, w.p465,
	    w.p587, w.p465);
	fclose(f);
	status = probe(&w, probes[_i].trusted ? provider_ca(w.provider) : "/dev/null", probes[_i].args, out, sizeof out);
	ck_assert_msg(status == probes[_i].status, "%d: %s", status, out);
	all = json_loads(out, 0, NULL);
	ck_assert_msg(json_array_size(all) == 1, "%s", out);
	doc = json_array_get(all, 0);
	first = first_candidate(doc);
	if (probes[_i].best == NULL) {
		ck_assert(json_is_null(json_object_get(doc, "best")));
	} else {
		snprintf(best, sizeof best, strcmp(probes[_i].best, "587") == 0 ? "%u/starttls" : "%u/implicit",
		    strcmp(probes[_i].best, "587") == 0 ? w.p587 : w.p465);
		ck_assert_str_eq(json_string_value(json_object_get(doc, "best")), best);
	}
	ck_assert_str_eq(json_string_value(json_object_get(first, "stage")), probes[_i].stage);
	ck_assert_str_eq(json_string_value(json_object_get(first, "auth")), "not tried");
	ck_assert_uint_eq(provider_said(w.provider, "MAIL"), 0);
	json_decref(all);
	world_free(&w);
}
END_TEST

/* What was typed is told, and no file that is gone. */
START_TEST(a_preset_that_is_not_there)
{
	struct world w;
	char out[4096], path[128], want[256];
	FILE *f;

	world_new(&w, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	snprintf(path, sizeof path, "%s/presets", w.dir);
	f = fopen(path, "w");
	fprintf(f, "provider \"fake\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} }\n", w.p587);
	fclose(f);
	ck_assert_int_eq(probe(&w, "/dev/null", "--provider fakir", out, sizeof out), 78);
	snprintf(want, sizeof want, "gatepost: probe: provider: `fakir' is not in %s; did you mean fake?\n", path);
	ck_assert_str_eq(out, want);
	ck_assert_int_eq(probe(&w, "/dev/null", "--host bad..host", out, sizeof out), 78);
	ck_assert_msg(strncmp(out, "gatepost: probe: host: `bad..host' is not a host name", 53) == 0, "%s", out);
	world_free(&w);
}
END_TEST

/* --- the price of a port in the way --------------------------------------------------------- */

/* The head start is race_delay, a little less to be sure; a port that is not left behind would cost the whole of connect_timeout. */
enum { HEAD_START_MS = 250, TIMEOUT_MS = 8000 };

static const struct {
	const char *what;
	enum provider_mode mode;
	const char *script;
	int64_t least_ms;
} prices[] = {
	{ "open", PROVIDER_STARTTLS, NULL, 0 },
	{ "refused", PROVIDER_REFUSE, NULL, 0 },
	{ "STARTTLS stripped", PROVIDER_STARTTLS, "strip: 1", 0 },
	{ "dropped", PROVIDER_DROP, NULL, HEAD_START_MS },
	{ "silent after TCP", PROVIDER_STARTTLS, "connect: !silent", HEAD_START_MS },
};

static int
by_size(const void *a, const void *b)
{
	return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

/* First with nothing known, then by a process that was started anew and remembers. */
static void
measure(unsigned i, int64_t *first, int64_t *again)
{
	struct world w;
	unsigned want;
	int64_t took;
	char race[80];

	world_new(&w, prices[i].mode, prices[i].script, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	snprintf(race, sizeof race, " race_delay = \"300ms\" connect_timeout = \"%ums\"\n", TIMEOUT_MS);
	world_configure(&w, race, "");
	world_start(&w);
	*first = send_one(&w);
	want = prices[i].mode == PROVIDER_STARTTLS && prices[i].script == NULL ? w.p587 : w.p465;
	ck_assert_int_ge(whole_ms, prices[i].least_ms);
	ck_assert(last_port(&w) == want || whole_ms >= prices[i].least_ms + HEAD_START_MS);	/* a slow machine leaves it behind, too */
	if (prices[i].mode == PROVIDER_DROP) {	/* known when connect_timeout has passed */
		char blocked[64];

		snprintf(blocked, sizeof blocked, "port=%u tls=starttls address=127.0.0.1 state=blocked", w.p587);
		ck_assert(world_wait_log(&w, blocked, 30000));
	}
	wait_saved(&w);
	*again = INT64_MAX;
	for (unsigned k = 0; k < 10 && *again >= HEAD_START_MS; k++) {	/* a machine with other work may be slow more than once */
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		world_start(&w);
		took = send_one(&w);
		*again = took < *again ? took : *again;
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}

START_TEST(a_port_in_the_way_costs_a_head_start)
{
	const char *figures = getenv("GATEPOST_FIGURES");
	unsigned rounds = figures != NULL ? (unsigned)strtoul(figures, NULL, 10) : 1;
	int64_t first[100], again[100];

	if (rounds < 1 || rounds > 100)
		rounds = 1;
	for (unsigned k = 0; k < rounds; k++)
		measure(_i, &first[k], &again[k]);
	qsort(first, rounds, sizeof first[0], by_size);
	qsort(again, rounds, sizeof again[0], by_size);
	if (figures != NULL)
		fprintf(stderr, "%-18s first %4lld ms (at most %4lld), after a restart %4lld ms (at most %4lld)\n", prices[_i].what,
		    (long long)first[rounds / 2], (long long)first[rounds - 1], (long long)again[rounds / 2],
		    (long long)again[rounds - 1]);
	ck_assert_msg(first[rounds / 2] < TIMEOUT_MS, "%s: %lld ms",
	    prices[_i].what, (long long)first[rounds / 2]);
	if (prices[_i].mode == PROVIDER_DROP)	/* it is remembered, and not asked first any more */
		ck_assert_msg(again[rounds / 2] < prices[_i].least_ms, "%lld ms", (long long)again[rounds / 2]);
}
END_TEST

Suite *ways_suite(void);

Suite *
ways_suite(void)
{
	Suite *s = suite_create("ways");
	TCase *t = tcase_create("ways");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, memory_outlives_the_process, 0, 2);
	tcase_add_test(t, the_earlier_port_is_taken_again);
	tcase_add_loop_test(t, probe_needs_no_configuration, 0, (int)(sizeof probes / sizeof probes[0]));
	tcase_add_test(t, a_preset_that_is_not_there);
	suite_add_tcase(s, t);
	t = tcase_create("price");
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, a_port_in_the_way_costs_a_head_start, 0, (int)(sizeof prices / sizeof prices[0]));
	suite_add_tcase(s, t);
	return s;
}
