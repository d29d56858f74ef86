/* What the running daemon keeps of secrets, and what it leaves when it dies (C-31). */
#include "e2e/world.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world w;

static void
up(const char *rest)
{
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", rest);
	world_start(&w);
}

static void
mail(unsigned port, enum client_tls tls)
{
	struct client *c = client_new(&w, port, tls);

	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", "Subject: x\r\n\r\nx\r\n"), 250);
	client_free(&c);
}

START_TEST(it_dumps_no_core)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char path[64], line[256];
	bool limited = false;
	int status;
	FILE *f;

	(void)setrlimit(RLIMIT_CORE, &all);	/* as root; else what we have */
	up("");
	snprintf(path, sizeof path, "/proc/%d/limits", (int)w.pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		char soft[32], hard[32];

		if (sscanf(line, "Max core file size %31s %31s", soft, hard) == 2)
			limited = strcmp(soft, "0") == 0 && strcmp(hard, "0") == 0;
	}
	fclose(f);
	ck_assert(limited);
	kill(w.pid, SIGABRT);
	ck_assert_int_eq(waitpid(w.pid, &status, 0), w.pid);
	w.pid = 0;
	ck_assert(WIFSIGNALED(status) && !WCOREDUMP(status));
	world_free(&w);
}
END_TEST

/* --- its memory ------------------------------------------------------------------------ */

/* As it is, and as base 64 has it after AUTH PLAIN and in LOGIN. */
static const char *const canaries[] = { "app-secret", "AGFwcABhcHAtc2VjcmV0", "YXBwLXNlY3JldA" };

static const char *
find_canary(const char *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof canaries / sizeof canaries[0]; i++)
		if (memmem(bytes, n, canaries[i], strlen(canaries[i])) != NULL)
			return canaries[i];
	return NULL;
}

/* The first canary in what the process can write, NULL if none; *found says where. */
static const char *
search_memory(char *found, size_t size)
{
	char path[64], line[512];
	const char *canary = NULL;
	unsigned long from, to;
	FILE *maps;
	int mem;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)w.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/maps", (int)w.pid);
	maps = fopen(path, "r");
	ck_assert(mem >= 0 && maps != NULL);
	while (canary == NULL && fgets(line, sizeof line, maps) != NULL) {
		char *bytes;
		ssize_t n;

		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || strstr(line, " rw") == NULL || to - from > 1UL << 30)
			continue;
		bytes = malloc(to - from);
		n = pread(mem, bytes, to - from, (off_t)from);
		if (n > 0 && (canary = find_canary(bytes, (size_t)n)) != NULL)
			snprintf(found, size, "%s", line);
		free(bytes);
	}
	fclose(maps);
	close(mem);
	return canary;
}

static void
expect_none(const char *what, int ms)
{
	char found[512] = "";
	const char *canary;

	for (; (canary = search_memory(found, sizeof found)) != NULL && ms > 0; ms -= 50)
		usleep(50000);
	ck_assert_msg(canary == NULL, "%s: %s in %s", what, canary, found);
}

START_TEST(a_password_is_forgotten_after_the_login)
{
	struct client *c;

	if (geteuid() != 0) {
		fprintf(stderr, "reading the daemon's memory needs root: skipped\n");
		return;
	}
	up("");
	mail(w.l587, CLIENT_STARTTLS);
	mail(w.l465, CLIENT_IMPLICIT);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert_int_eq(client_ask(c, "AUTH LOGIN\r\n"), 334);
	ck_assert_int_eq(client_ask(c, "YXBw\r\n"), 334);
	ck_assert_int_eq(client_ask(c, "YXBwLXNlY3JldA==\r\n"), 235);
	expect_none("while the session lasts", 0);
	client_free(&c);
	expect_none("afterwards", 0);
	world_free(&w);
}
END_TEST

#define PLAIN "AUTH PLAIN AGFwcABhcHAtc2VjcmV0"

static void
in_pieces(struct client *c)
{
	static const char all[] = PLAIN "\r\n";

	for (size_t i = 0; i < sizeof all - 1; i += 7) {
		ck_assert_int_eq(client_send(c, all + i, sizeof all - 1 - i < 7 ? sizeof all - 1 - i : 7), 0);
		usleep(5000);	/* so that each is read alone */
	}
	ck_assert_int_eq(client_reply(c), 235);
}

static void
behind_others(struct client *c)
{
	static char noops[2000 * 6 + sizeof PLAIN + 2];

	for (unsigned i = 0; i < 2000; i++)
		memcpy(noops + 6 * i, "NOOP\r\n", 6);
	memcpy(noops + 2000 * 6, PLAIN "\r\n", sizeof PLAIN + 1);
	ck_assert_int_eq(client_send(c, noops, 2000 * 6 + sizeof PLAIN + 1), 0);
	for (unsigned i = 0; i < 2000; i++)
		ck_assert_int_eq(client_reply(c), 250);
	ck_assert_int_eq(client_reply(c), 235);
}

static void
with_a_bare_lf(struct client *c)
{
	ck_assert_int_eq(client_ask(c, PLAIN "\n"), 500);
}

static void
where_none_was_asked_for(struct client *c)
{
	ck_assert_int_eq(client_ask(c, "AUTH LOGINX\r\n"), 504);
	ck_assert_int_eq(client_ask(c, "YXBwLXNlY3JldA==\r\n"), 500);
	ck_assert_int_eq(client_ask(c, "app-secret\r\n"), 500);
}

static void
half_way(struct client *c)
{
	ck_assert_int_eq(client_send(c, PLAIN, sizeof PLAIN - 1), 0);
}

static const struct {
	const char *what;
	void (*say)(struct client *c);
} ways[] = {
	{ "in pieces", in_pieces },
	{ "behind others", behind_others },
	{ "with a bare LF", with_a_bare_lf },
	{ "where none was asked for", where_none_was_asked_for },
	{ "half way", half_way },
};

START_TEST(a_password_is_forgotten_however_it_came)	/* C-31 */
{
	enum client_tls tls = _i % 2 == 0 ? CLIENT_IMPLICIT : CLIENT_PLAIN;
	struct client *c;
	unsigned port;
	char listen[80];

	if (geteuid() != 0)
		return;
	port = world_free_port();
	snprintf(listen, sizeof listen, "listen \"127.0.0.1:%u\" { plaintext_auth = \"loopback\" }", port);
	up(listen);
	c = client_new(&w, tls == CLIENT_IMPLICIT ? w.l465 : port, tls);
	ways[_i / 2].say(c);
	if (ways[_i / 2].say != half_way)
		expect_none(ways[_i / 2].what, 0);
	client_free(&c);
	expect_none(ways[_i / 2].what, 15000);
	world_free(&w);
}
END_TEST

Suite *secrets_suite(void);

Suite *
secrets_suite(void)
{
	Suite *s = suite_create("secrets");
	TCase *t = tcase_create("secrets");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, it_dumps_no_core);
	tcase_add_test(t, a_password_is_forgotten_after_the_login);
	tcase_add_loop_test(t, a_password_is_forgotten_however_it_came, 0, 2 * sizeof ways / sizeof ways[0]);
	suite_add_tcase(s, t);
	return s;
}
