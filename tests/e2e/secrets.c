/* What the running daemon keeps of secrets, and what it leaves when it dies (C-31). */
#include "base/base64.h"
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

/* Long, since free() overwrites the first octets of a block: what is found of it is what nobody wiped. */
#define PASSWORD "s3cret-horse-battery-staple-and-four-words-more"
#define SHOWN "staple-and-four-words-more"

/* As it is, in AUTH PLAIN (without the first NUL, too) and in LOGIN; without what free() overwrites, and without the padding. */
static char plain[160], headless[160], alone[160];
static char canary[4][160] = { SHOWN };

static void
encode(char *out, char *searched, const char *raw, size_t n)
{
	struct buf b = { 0 };

	base64_put(&b, raw, n);
	snprintf(out, 160, "%s", b.data);
	snprintf(searched, 160, "%.*s", (int)(b.len - 24 - 4), b.data + 24);
	buf_clear(&b);
}

static void
make_canaries(void)
{
	encode(plain, canary[1], "\0app\0" PASSWORD, sizeof "\0app\0" PASSWORD - 1);
	encode(headless, canary[2], "app\0" PASSWORD, sizeof "app\0" PASSWORD - 1);
	encode(alone, canary[3], PASSWORD, sizeof PASSWORD - 1);
}

static const char *
find_canary(const char *bytes, size_t n)
{
	for (size_t i = 0; i < sizeof canary / sizeof canary[0]; i++)
		if (memmem(bytes, n, canary[i], strlen(canary[i])) != NULL)
			return canary[i];
	return NULL;
}

/* The first canary in what the process can write, NULL if none; *found says where. */
static const char *
search_memory(char *found, size_t size)
{
	char path[64], line[512];
	const char *which = NULL;
	unsigned long from, to;
	FILE *maps;
	int mem;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)w.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/maps", (int)w.pid);
	maps = fopen(path, "r");
	ck_assert(mem >= 0 && maps != NULL);
	while (which == NULL && fgets(line, sizeof line, maps) != NULL) {
		char *bytes;
		ssize_t n;

		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || strstr(line, " rw") == NULL || to - from > 1UL << 30)
			continue;
		bytes = malloc(to - from);
		n = pread(mem, bytes, to - from, (off_t)from);
		if (n > 0 && (which = find_canary(bytes, (size_t)n)) != NULL)
			snprintf(found, size, "%s", line);
		free(bytes);
	}
	fclose(maps);
	close(mem);
	return which;
}

static void
expect_none(const char *what, int ms)
{
	char found[512] = "";
	const char *which;

	for (; (which = search_memory(found, sizeof found)) != NULL && ms > 0; ms -= 50)
		usleep(50000);
	ck_assert_msg(which == NULL, "%s: %s in %s", what, which, found);
}

/* False: reading the daemon's memory needs root.  `app' has PASSWORD. */
static bool
up_to_be_searched(const char *rest)
{
	char out[512];

	if (geteuid() != 0) {
		fprintf(stderr, "reading the daemon's memory needs root: skipped\n");
		return false;
	}
	make_canaries();
	/* As the hardened program is linked; else what finds a function at its first call saves vector registers on the stack. */
	ck_assert_int_eq(setenv("LD_BIND_NOW", "1", 1), 0);
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", rest);
	ck_assert_msg(world_run(&w, out, sizeof out, PASSWORD "\n", "passwd app") == 0, "%s", out);
	world_start(&w);
	return true;
}

static int
ask(struct client *c, const char *verb, const char *what)
{
	char line[512];

	snprintf(line, sizeof line, "%s%s\r\n", verb, what);
	return client_ask(c, line);
}

static void
mail_long(unsigned port, enum client_tls tls)
{
	struct client *c = client_new(&w, port, tls);

	ck_assert_int_eq(ask(c, "AUTH PLAIN ", plain), 235);
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", "Subject: x\r\n\r\nx\r\n"), 250);
	client_free(&c);
}

START_TEST(a_password_is_forgotten_after_the_login)
{
	struct client *c;

	if (!up_to_be_searched(""))
		return;
	mail_long(w.l587, CLIENT_STARTTLS);
	mail_long(w.l465, CLIENT_IMPLICIT);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert_int_eq(client_ask(c, "AUTH LOGIN\r\n"), 334);
	ck_assert_int_eq(client_ask(c, "YXBw\r\n"), 334);
	ck_assert_int_eq(ask(c, "", alone), 235);
	expect_none("while the session lasts", 0);
	client_free(&c);
	expect_none("afterwards", 0);
	world_free(&w);
}
END_TEST

static void
in_pieces(struct client *c)
{
	char all[200];
	size_t n = (size_t)snprintf(all, sizeof all, "AUTH PLAIN %s\r\n", plain);

	for (size_t i = 0; i < n; i += 7) {
		ck_assert_int_eq(client_send(c, all + i, n - i < 7 ? n - i : 7), 0);
		usleep(5000);	/* so that each is read alone */
	}
	ck_assert_int_eq(client_reply(c), 235);
}

static void
behind_others(struct client *c)
{
	static char noops[2000 * 6 + 200];
	int n;

	for (unsigned i = 0; i < 2000; i++)
		memcpy(noops + 6 * i, "NOOP\r\n", 6);
	n = 2000 * 6 + snprintf(noops + 2000 * 6, 200, "AUTH PLAIN %s\r\n", plain);
	ck_assert_int_eq(client_send(c, noops, (size_t)n), 0);
	for (unsigned i = 0; i < 2000; i++)
		ck_assert_int_eq(client_reply(c), 250);
	ck_assert_int_eq(client_reply(c), 235);
}

static void
with_a_bare_lf(struct client *c)
{
	char line[200];

	snprintf(line, sizeof line, "AUTH PLAIN %s\n", plain);
	ck_assert_int_eq(client_ask(c, line), 500);
}

static void
where_none_was_asked_for(struct client *c)
{
	ck_assert_int_eq(client_ask(c, "AUTH LOGINX\r\n"), 504);
	ck_assert_int_eq(ask(c, "", alone), 500);
	ck_assert_int_eq(ask(c, "", PASSWORD), 500);
}

static void
in_the_names_place(struct client *c)
{
	ck_assert_int_eq(client_ask(c, "AUTH LOGIN\r\n"), 334);
	ck_assert_int_eq(ask(c, "", alone), 334);
	ck_assert_int_eq(client_ask(c, "YXBw\r\n"), 535);
	ck_assert_int_eq(ask(c, "AUTH PLAIN ", headless), 535);
	ck_assert_int_eq(ask(c, "AUTH LOGIN ", alone), 334);
	ck_assert_int_eq(client_ask(c, "*\r\n"), 501);
}

static void
half_way(struct client *c)
{
	char all[200];
	int n = snprintf(all, sizeof all, "AUTH PLAIN %s", plain);

	ck_assert_int_eq(client_send(c, all, (size_t)n), 0);
}

static const struct {
	const char *what;
	void (*say)(struct client *c);
} ways[] = {
	{ "in pieces", in_pieces },
	{ "behind others", behind_others },
	{ "with a bare LF", with_a_bare_lf },
	{ "where none was asked for", where_none_was_asked_for },
	{ "in the name's place", in_the_names_place },
	{ "half way", half_way },
};

/* A listener on which a login needs no TLS. */
static unsigned
plain_port(char *listen, size_t size)
{
	unsigned port = world_free_port();

	snprintf(listen, size, "listen \"127.0.0.1:%u\" { plaintext_auth = \"loopback\" }", port);
	return port;
}

START_TEST(a_password_is_forgotten_however_it_came)	/* C-31 */
{
	enum client_tls tls = _i % 2 == 0 ? CLIENT_IMPLICIT : CLIENT_PLAIN;
	struct client *c;
	char listen[80];
	unsigned port = plain_port(listen, sizeof listen);

	if (!up_to_be_searched(listen))
		return;
	c = client_new(&w, tls == CLIENT_IMPLICIT ? w.l465 : port, tls);
	ways[_i / 2].say(c);
	if (ways[_i / 2].say != half_way)
		expect_none(ways[_i / 2].what, 0);
	client_free(&c);
	expect_none(ways[_i / 2].what, 15000);
	world_free(&w);
}
END_TEST

/* What ends a session, or begins TLS, with more behind it in the same write. */
static const char *const ends[] = { "QUIT\r\n", "BDAT 5 LAST\r\n", "GET / HTTP/1.1\r\n", "NO\0OP\r\n", "NOOP\n", "NO\rOP\r\n",
	"STARTTLS\r\n", "EHLO x\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n" };

static void
say_behind(struct client *c, const char *end)
{
	char all[512];
	size_t n = strcmp(end, "NO") == 0 ? sizeof "NO\0OP\r\n" - 1 : strlen(end);

	memcpy(all, end, n);
	n += (size_t)snprintf(all + n, sizeof all - n, "AUTH PLAIN %s\r\n%s\r\n", plain, alone);
	ck_assert_int_eq(client_send(c, all, n), 0);
	while (client_reply(c) != 0)
		;
}

START_TEST(a_password_is_forgotten_behind_the_end)	/* C-31 */
{
	char listen[80];
	unsigned port = plain_port(listen, sizeof listen);

	if (!up_to_be_searched(listen))
		return;
	for (size_t i = 0; i < 2 * sizeof ends / sizeof ends[0]; i++) {
		bool tls = i % 2 == 0;
		struct client *c;

		if (tls && strcmp(ends[i / 2], "STARTTLS\r\n") == 0)
			continue;	/* refused there, and the session goes on */
		c = client_new(&w, tls ? w.l465 : port, tls ? CLIENT_IMPLICIT : CLIENT_PLAIN);
		say_behind(c, ends[i / 2]);
		expect_none(ends[i / 2], 0);
		client_free(&c);
		expect_none(ends[i / 2], 0);
	}
	world_free(&w);
}
END_TEST

/* The session has ended, and the client goes on talking. */
START_TEST(a_password_is_forgotten_after_the_end)	/* C-31 */
{
	struct client *c;
	char listen[80], all[400];
	unsigned port = plain_port(listen, sizeof listen);
	int n;

	if (!up_to_be_searched(listen))
		return;
	c = client_new(&w, port, CLIENT_PLAIN);
	ck_assert_int_eq(client_ask(c, "QUIT\r\n"), 221);
	n = snprintf(all, sizeof all, "AUTH PLAIN %s\r\n%s\r\n", plain, alone);
	ck_assert_int_eq(client_send(c, all, (size_t)n), 0);
	for (int i = 0; i < 10; i++) {	/* nothing says when it was read */
		usleep(20000);
		expect_none("after QUIT", 0);
	}
	client_free(&c);
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
	tcase_add_test(t, a_password_is_forgotten_behind_the_end);
	tcase_add_test(t, a_password_is_forgotten_after_the_end);
	suite_add_tcase(s, t);
	return s;
}
