/*
 * The control socket's daemon side over a real socket, with a real queue and spool; the relay is the test, whose
 * upstream is down until it is told otherwise.
 */
#include "control/control.h"

#include <check.h>
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/accept.h"
#include "unit/bytes.h"

enum { PATIENCE_MS = 20 * 1000, STRANGER = 65534 };

static struct rig {
	char dir[64], file[96], path[96];
	struct loop *loop;
	struct queue *queue;
	struct control *control;
	struct channel *main, *listener, *relay;
	int fd;
	unsigned kept;
	bool up;			/* the upstream */
	struct reload *asked;		/* of main, by the newest RELOAD */
	unsigned reloads;
} rig;

static void
on_main(void *arg, struct link *l)
{
	struct memo *m = container_of(l, struct memo, link);

	(void)arg;
	if (m->kind != MEMO_RELOAD) {
		free(m);
		return;
	}
	ck_assert_ptr_null(rig.asked);		/* one at a time */
	rig.asked = (struct reload *)m;
	rig.reloads++;
}

/* Main's answer to the RELOAD that is under way. */
static void
answer_reload(int status, const char *text)
{
	struct reload *r = rig.asked;

	ck_assert_ptr_nonnull(r);
	rig.asked = NULL;
	r->memo.kind = MEMO_RELOADED;
	r->status = status;
	snprintf(r->text, sizeof r->text, "%s", text);
	memo_post(r->back, &r->memo);
}

static void
on_listener(void *arg, struct link *l)
{
	struct memo *m = container_of(l, struct memo, link);
	struct submit *s = (struct submit *)m;

	(void)arg;
	if (m->kind != MEMO_VERDICT) {
		if (m->kind == MEMO_LIMITS)
			memo_limits_clear(container_of(m, struct limits, memo));
		free(m);
		return;
	}
	ck_assert_int_eq(s->verdict, VERDICT_KEPT);
	rig.kept++;
	memo_submit_free(&s);
}

static void
on_relay(void *arg, struct link *l)
{
	struct memo *m = container_of(l, struct memo, link);
	struct open *o = (struct open *)m;
	struct job *j = (struct job *)m;

	(void)arg;
	if (m->kind == MEMO_OPEN) {
		o->result = rig.up ? OPENED_UP : OPENED_ALL_FAILED;
		o->winner = o->candidate[0];
		if (!rig.up)
			outcome_set(&o->outcome, OUTCOME_DEFER, 0, "4.4.1", STR("no port works"));
		m->kind = MEMO_OPENED;
	} else if (m->kind == MEMO_JOB) {
		for (unsigned i = 0; i < j->nrcpt; i++)
			outcome_set(&j->result[i], OUTCOME_SENT, 250, "2.0.0", STR("taken"));
		snprintf(j->peer.upstream, sizeof j->peer.upstream, "up");
		m->kind = MEMO_REPORT;
	} else if (m->kind == MEMO_CLOSE) {
		m->kind = MEMO_CLOSED;
	} else {
		ck_abort_msg("memo %d", m->kind);
	}
	memo_post(queue_get_channel(rig.queue), m);
}

static struct config *
load(void)
{
	struct config_options o = { .file = rig.file, .state = rig.dir, .secrets = true };
	FILE *f = fopen(rig.file, "w");
	struct config *c;
	struct why why;

	ck_assert_ptr_nonnull(f);
	fputs("hostname = \"relay.example\"\n"
	    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n", f);
	fclose(f);
	if (config_load(&c, &o, NULL, NULL, &why) < 0)
		ck_abort_msg("%s", why.text);
	return c;
}

static void
setup(void)
{
	struct queue_options o = { 0 };
	struct why why;

	memset(&rig, 0, sizeof rig);
	log_open(LOG_ERROR, LOG_LOGFMT);
	snprintf(rig.dir, sizeof rig.dir, "/tmp/gatepost-control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.dir));
	ck_assert_int_eq(chmod(rig.dir, 0755), 0);
	snprintf(rig.file, sizeof rig.file, "%s/gatepost.conf", rig.dir);
	snprintf(rig.path, sizeof rig.path, "%s/c.sock", rig.dir);
	rig.loop = loop_new("test");
	rig.main = channel_new(rig.loop, on_main, NULL);
	rig.listener = channel_new(rig.loop, on_listener, NULL);
	rig.relay = channel_new(rig.loop, on_relay, NULL);
	o.config = load();
	o.main = rig.main;
	if (queue_new(&rig.queue, rig.loop, &o, &why) < 0)
		ck_abort_msg("%s", why.text);
	config_unref(&o.config);
	queue_set_peers(rig.queue, &rig.listener, 1, &rig.relay, 1);
	queue_start(rig.queue);
	rig.fd = accept_bind_unix(rig.path, 0666, &why);
	ck_assert_msg(rig.fd >= 0, "%s", why.text);
	rig.control = control_start(rig.loop, rig.queue, rig.fd);
	control_tell(rig.control, rig.main);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
teardown(void)
{
	control_stop(&rig.control);
	channel_drain(rig.main);
	free(rig.asked);
	queue_free(&rig.queue);
	channel_free(&rig.main);
	channel_free(&rig.listener);
	channel_free(&rig.relay);
	loop_free(&rig.loop);
	close(rig.fd);
	nftw(rig.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- a client in the same thread --------------------------------------------- */

struct client {
	int fd;
	struct buf in;
	bool closed;
};

static void
open_as(struct client *c, uid_t uid)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	uid_t own = geteuid();

	*c = (struct client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	memcpy(sa.sun_path, rig.path, strlen(rig.path) + 1);
	ck_assert_int_eq(seteuid(uid), 0);
	ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&sa, sizeof sa), 0);
	ck_assert_int_eq(seteuid(own), 0);
}

static void
client_open(struct client *c)
{
	open_as(c, geteuid());
}

static void
client_close(struct client *c)
{
	close(c->fd);
	buf_clear(&c->in);
}

static void
turn(struct client *c)
{
	struct pollfd p = { .fd = c == NULL ? -1 : c->fd, .events = POLLIN };

	loop_turn(rig.loop, false);
	poll(&p, 1, 1);
}

static void
say(struct client *c, const char *text)
{
	ck_assert_int_eq(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void
take(struct client *c)
{
	ssize_t n = recv(c->fd, buf_room(&c->in, 65536), 65536, 0);

	if (n > 0) {
		c->in.len += (size_t)n;
		c->in.data[c->in.len] = '\0';
	} else if (n == 0) {
		c->closed = true;
	}
}

/* Until the answer's last line, or the end of the connection. */
static char *
hear(struct client *c)
{
	int64_t limit_ms = clock_now_ms() + PATIENCE_MS;

	while (!c->closed && (c->in.len == 0 || (strstr(c->in.data, "{\"end\":true}\n") == NULL &&
	    strstr(c->in.data, "\"exit\":") == NULL))) {
		ck_assert_msg(clock_now_ms() < limit_ms, "no answer; so far: %s", c->in.data);
		turn(c);
		take(c);
	}
	return c->in.data == NULL ? mem_zero(1) : buf_take(&c->in);
}

static char *
ask(const char *request)
{
	struct client c;
	char *answer;

	client_open(&c);
	say(&c, request);
	answer = hear(&c);
	client_close(&c);
	return answer;
}

static unsigned
lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

#define answer_has(answer, what)                                               \
	do {                                                                   \
		char *got = (answer);                                          \
		ck_assert_msg(strstr(got, what) != NULL, "got: %s", got);      \
		free(got);                                                     \
	} while (0)

/* It answers, once it has seen which connections are gone. */
static void
is_alive(void)
{
	bool answered = false;

	for (unsigned i = 0; i < 1000 && !answered; i++) {
		char *answer = ask("{\"command\":\"version\"}\n");

		answered = strstr(answer, "{\"end\":true}") != NULL;
		free(answer);
	}
	ck_assert(answered);
}

static uint64_t
submit(const char *user, const char *sender, const char *to)
{
	struct submit *s = memo_submit_new();
	unsigned before = rig.kept;
	uint64_t id;

	s->envelope = envelope_new();
	free(s->envelope->sender);
	free(s->envelope->user);
	s->envelope->sender = mem_text(sender);
	s->envelope->user = mem_text(user);
	s->envelope->arrived_wall_s = clock_wall_s();
	envelope_add(s->envelope, to, NULL, 0);
	id = s->id = memo_next_id();
	s->back = rig.listener;
	buf_puts(&s->prefix, "Received: by relay.example\r\n");
	buf_puts(&s->text, "Subject: hello\r\n\r\nbo\xff" "dy\r\n");
	s->envelope->size = s->prefix.len + s->text.len;
	memo_post(queue_get_channel(rig.queue), &s->memo);
	for (unsigned i = 0; i < PATIENCE_MS && rig.kept == before; i++)
		turn(NULL);
	ck_assert_uint_eq(rig.kept, before + 1);
	return id;
}

/* A request with an id in the place of %s. */
static char *
ask_of(const char *format, uint64_t id)
{
	char text[IDENT_TEXT], request[512];
	const char *at = strstr(format, "%s");

	ident_print(text, id);
	snprintf(request, sizeof request, "%.*s%s%s", (int)(at - format), format, text, at + 2);
	return ask(request);
}

/* --- the tests ------------------------------------------------------------------ */

START_TEST(status)
{
	char *answer = ask("{\"command\":\"status\"}\n");
	json_t *doc = json_loads(answer, JSON_DISABLE_EOF_CHECK, NULL);
	static const char *const names[] = { "version", "uptime_s", "hostname", "queue", "counters", "upstreams" };

	ck_assert_uint_eq(lines(answer), 2);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		ck_assert_ptr_nonnull(json_object_get(doc, names[i]));
	ck_assert_uint_eq(json_object_size(doc), sizeof names / sizeof names[0]);
	ck_assert_str_eq(json_string_value(json_object_get(doc, "hostname")), "relay.example");
	ck_assert_uint_eq(json_object_size(json_object_get(doc, "queue")), 7);
	ck_assert_uint_eq(json_object_size(json_object_get(doc, "counters")), 6);
	ck_assert_uint_eq(json_array_size(json_object_get(doc, "upstreams")), 1);
	json_decref(doc);
	free(answer);
}
END_TEST

static const struct {
	const char *request, *answer;
} bad[] = {
	{ "\n", "\"exit\":64" },
	{ "status\n", "\"exit\":64" },
	{ "{\"command\":\"reboot\"}\n", "unknown command" },
	{ "{\"command\":\"status\",\"all\":true}\n", "does not take" },
	{ "{\"command\":\"delete\",\"all\":true,\"held\":true}\n", "does not take" },
	{ "{\"command\":\"delete\"}\n", "needs a message id" },
	{ "{\"command\":\"delete\",\"all\":false}\n", "takes message ids, or all" },
	{ "{\"command\":\"delete\",\"all\":true,\"id\":\"0000000000001\"}\n", "takes message ids, or all" },
	{ "{\"command\":\"retry\",\"all\":true,\"upstream\":\"x\"}\n", "no upstream x" },
	{ "{\"command\":\"show\",\"id\":\"0000000000001\"}\n", "no message 0000000000001" },
	{ "{\"command\":\"text\",\"id\":\"0000000000001\"}\n", "no message 0000000000001" },
	{ "{\"command\":\"trace\",\"id\":\"0000000000001\"}\n", "no message 0000000000001" },
	{ "{\"command\":\"trace\"}\n", "needs a message id" },
	{ "{\"command\":\"hold\",\"id\":\"0000000000001\"}\n", "\"done\":false" },
};

START_TEST(bad_requests)
{
	answer_has(ask(bad[_i].request), bad[_i].answer);
}
END_TEST

/* One octet a turn, two requests, and one that comes after them in pieces. */
START_TEST(trickled_and_pipelined)
{
	static const char two[] = "{\"command\":\"version\"}\n{\"command\":\"version\"}\r\n";
	struct client c;

	client_open(&c);
	for (const char *p = two; *p != '\0'; p++) {
		ck_assert_int_eq(send(c.fd, p, 1, 0), 1);
		loop_turn(rig.loop, false);
		take(&c);
	}
	while (lines(c.in.data) < 4) {
		turn(&c);
		take(&c);
	}
	buf_cut(&c.in, 0);
	say(&c, two);
	while (lines(c.in.data) < 4) {
		turn(&c);
		take(&c);
	}
	ck_assert(!c.closed);
	client_close(&c);
}
END_TEST

START_TEST(half_closed)
{
	struct client c;

	client_open(&c);
	say(&c, "{\"command\":\"version\"}\n");
	shutdown(c.fd, SHUT_WR);
	answer_has(hear(&c), "{\"end\":true}");
	while (!c.closed) {
		turn(&c);
		take(&c);
	}
	client_close(&c);
}
END_TEST

/* C-15: what cannot be a request ends the connection, and costs nothing but that. */
START_TEST(endless_line)
{
	char junk[16384];
	struct client c;

	memset(junk, '[', sizeof junk);
	client_open(&c);
	send(c.fd, junk, sizeof junk, MSG_NOSIGNAL);
	answer_has(hear(&c), "at most 8192 octets");
	while (!c.closed) {
		turn(&c);
		take(&c);
	}
	client_close(&c);
	answer_has(ask("{\"command\":\"version\"}\n"), "end");
}
END_TEST

START_TEST(unfinished_line)
{
	struct client c;

	client_open(&c);
	say(&c, "{\"command\":\"version\"}");
	shutdown(c.fd, SHUT_WR);
	answer_has(hear(&c), "no end");
	client_close(&c);
}
END_TEST

/* C-15: octets of any kind, from many connections; then it still answers. */
START_TEST(junk)
{
	uint32_t seed = 99;
	char octets[700];

	for (unsigned round = 0; round < 300; round++) {
		struct client c;
		size_t n = 1 + bytes_random(&seed, sizeof octets - 1);

		for (size_t i = 0; i < n; i++)
			octets[i] = bytes_random(&seed, 20) == 0 ? '\n' : "{}[]\",:\\aucomnd \xff\x01"[bytes_random(&seed, 18)];
		client_open(&c);
		send(c.fd, octets, n, MSG_NOSIGNAL);
		for (unsigned i = bytes_random(&seed, 4); i > 0; i--)
			loop_turn(rig.loop, false);
		client_close(&c);
	}
	is_alive();
}
END_TEST

START_TEST(too_many)
{
	struct client c[40];
	unsigned refused = 0;

	for (unsigned i = 0; i < 40; i++)
		client_open(&c[i]);
	for (unsigned i = 0; i < 10; i++)
		turn(NULL);
	for (unsigned i = 0; i < 40; i++) {
		take(&c[i]);
		refused += c[i].in.len > 0 && strstr(c[i].in.data, "\"exit\":75") != NULL;
		client_close(&c[i]);
	}
	ck_assert_uint_eq(refused, 8);
	is_alive();
}
END_TEST

START_TEST(lists_and_filters)
{
	static const struct {
		const char *filter;
		unsigned n;
	} cases[] = {
		{ "", 3 }, { ",\"from\":\"*@x.example\"", 2 }, { ",\"from\":\"*@X.EXAMPLE\",\"to\":\"b@*\"", 1 },
		{ ",\"from\":\"<>\"", 1 }, { ",\"to\":\"nobody@*\"", 0 }, { ",\"limit\":2", 2 }, { ",\"limit\":0", 0 },
		{ ",\"held\":true", 1 }, { ",\"held\":false", 3 }, { ",\"older_s\":3600", 0 }, { ",\"older_s\":0", 3 },
	};
	char request[128];
	char *answer;
	uint64_t held;

	submit("ann", "a@x.example", "b@y.example");
	held = submit("bob", "a@x.example", "c@y.example");
	submit("ann", "", "b@y.example");
	answer_has(ask_of("{\"command\":\"hold\",\"id\":\"%s\"}\n", held), "\"done\":true}\n{\"count\":1}\n{\"end\":true}");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(request, sizeof request, "{\"command\":\"queue\"%s}\n", cases[i].filter);
		answer = ask(request);
		ck_assert_msg(lines(answer) == cases[i].n + 1, "%s: %s", cases[i].filter, answer);
		free(answer);
	}
}
END_TEST

/* Others see what they submitted, and nothing else happens to them. */
START_TEST(strangers)
{
	static const struct {
		const char *format, *answer;
	} cases[] = {
		{ "{\"command\":\"status\"}\n", "only root and the group gatepost" },
		{ "{\"command\":\"delete\",\"all\":true}\n", "only root" },
		{ "{\"command\":\"retry\",\"all\":true}\n", "only root" },
		{ "{\"command\":\"text\",\"id\":\"%s\"}\n", "only root" },
		{ "{\"command\":\"show\",\"id\":\"%s\"}\n", "no message" },
		{ "{\"command\":\"follow\",\"id\":\"%s\"}\n", "no message" },
		{ "{\"command\":\"trace\",\"id\":\"%s\"}\n", "no message" },
		{ "{\"command\":\"version\"}\n", "version" },
	};
	char text[IDENT_TEXT], request[128];
	struct client c;
	char *answer;

	if (geteuid() != 0)
		return;
	ident_print(text, submit("ann", "secret@x.example", "b@y.example"));
	submit("nobody", "mine@x.example", "b@y.example");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *at = strstr(cases[i].format, "%s");

		snprintf(request, sizeof request, "%.*s%s%s", at == NULL ? 100 : (int)(at - cases[i].format),
		    cases[i].format, at == NULL ? "" : text, at == NULL ? "" : at + 2);
		open_as(&c, STRANGER);
		say(&c, request);
		answer_has(hear(&c), cases[i].answer);
		client_close(&c);
	}
	open_as(&c, STRANGER);
	say(&c, "{\"command\":\"queue\"}\n");
	answer = hear(&c);
	ck_assert_uint_eq(lines(answer), 2);
	ck_assert_ptr_nonnull(strstr(answer, "mine@x.example"));
	free(answer);
	client_close(&c);
}
END_TEST

/* More than one slice, more than the socket holds, and a reader that takes its time; others are answered meanwhile. */
START_TEST(long_listing)
{
	enum { MESSAGES = 450 };
	char sender[256];
	struct client c;
	char *answer;

	memset(sender, 's', 190);
	snprintf(sender + 190, sizeof sender - 190, "@x.example");
	for (unsigned i = 0; i < MESSAGES; i++)
		submit("ann", sender, "b@y.example");
	client_open(&c);
	say(&c, "{\"command\":\"queue\"}\n{\"command\":\"version\"}\n");
	for (unsigned i = 0; i < 50; i++)
		loop_turn(rig.loop, false);
	answer_has(ask("{\"command\":\"version\"}\n"), "end");
	answer = hear(&c);
	ck_assert_uint_ge(lines(answer), MESSAGES + 1);
	free(answer);
	client_close(&c);
	answer_has(ask("{\"command\":\"delete\",\"all\":true}\n"), "{\"count\":450}");
	answer_has(ask("{\"command\":\"queue\"}\n"), "{\"end\":true}");
	/* A client that leaves in the middle. */
	client_open(&c);
	say(&c, "{\"command\":\"queue\"}\n");
	loop_turn(rig.loop, false);
	client_close(&c);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(rig.loop, false);
}
END_TEST

START_TEST(shows_and_reads)
{
	uint64_t id = submit("ann", "a@x.example", "b@y.example");
	struct buf text = { 0 };
	char *answer;
	json_t *doc;

	answer_has(ask_of("{\"command\":\"show\",\"id\":\"%s\"}\n", id), "\"user\":\"ann\"");
	answer = ask_of("{\"command\":\"text\",\"id\":\"%s\"}\n", id);
	doc = json_loads(answer, JSON_DISABLE_EOF_CHECK, NULL);
	ck_assert(base64_take(&text, str_of(json_string_value(json_object_get(doc, "data")))));
	bytes_eq(buf_str(&text), STR("Received: by relay.example\r\nSubject: hello\r\n\r\nbo\xff" "dy\r\n"));
	json_decref(doc);
	free(answer);
	buf_cut(&text, 0);
	answer = ask_of("{\"command\":\"text\",\"id\":\"%s\",\"headers\":true}\n", id);
	doc = json_loads(answer, JSON_DISABLE_EOF_CHECK, NULL);
	ck_assert(base64_take(&text, str_of(json_string_value(json_object_get(doc, "data")))));
	bytes_eq(buf_str(&text), STR("Received: by relay.example\r\nSubject: hello\r\n\r\n"));
	json_decref(doc);
	free(answer);
	buf_clear(&text);
}
END_TEST

START_TEST(holds_and_releases)
{
	uint64_t id = submit("ann", "a@x.example", "b@y.example");

	answer_has(ask("{\"command\":\"hold\",\"all\":true}\n"), "{\"count\":1}");
	answer_has(ask("{\"command\":\"queue\"}\n"), "\"state\":\"held\"");
	answer_has(ask_of("{\"command\":\"hold\",\"id\":\"%s\"}\n", id), "\"done\":false,\"reason\":\"");
	answer_has(ask("{\"command\":\"retry\",\"all\":true}\n"), "{\"count\":0}");
	answer_has(ask("{\"command\":\"release\",\"all\":true}\n"), "{\"count\":1}");
	answer_has(ask("{\"command\":\"release\",\"all\":true}\n"), "{\"count\":0}");
	answer_has(ask_of("{\"command\":\"delete\",\"ids\":[\"%s\"]}\n", id), "{\"count\":1}");
	answer_has(ask_of("{\"command\":\"show\",\"id\":\"%s\"}\n", id), "no message");
}
END_TEST

static char *
ask_as(uid_t uid, const char *command, uint64_t id)
{
	char text[IDENT_TEXT], request[128];
	struct client c;
	char *answer;

	ident_print(text, id);
	snprintf(request, sizeof request, "{\"command\":\"%s\",\"id\":\"%s\"}\n", command, text);
	open_as(&c, uid);
	say(&c, request);
	answer = hear(&c);
	client_close(&c);
	return answer;
}

/* What happened to a message, while it waits and after its end; and who may know. */
START_TEST(traces)
{
	uint64_t id = submit("nobody", "a@x.example", "b@y.example");
	uint64_t other = submit("ann", "a@x.example", "b@y.example");
	char *answer;

	answer = ask_as(geteuid(), "trace", id);
	ck_assert_uint_eq(lines(answer), 3);
	ck_assert_ptr_nonnull(strstr(answer, "\"event\":\"accepted\",\"from\":\"a@x.example\",\"user\":\"nobody\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"event\":\"queued\",\"state\":\""));
	free(answer);
	free(ask_as(geteuid(), "hold", id));
	free(ask_as(geteuid(), "release", id));
	rig.up = true;
	answer_has(ask("{\"command\":\"retry\",\"all\":true,\"upstream\":\"up\"}\n"), "count");
	for (unsigned i = 0; i < 100 && queue_find_message(rig.queue, other, false, &(struct queue_message){ 0 }); i++)
		turn(NULL);
	answer = ask_as(geteuid(), "trace", id);
	ck_assert_msg(lines(answer) == 6, "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "\"event\":\"held\",\"text\":\"held by the operator\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"event\":\"released\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"event\":\"relayed\",\"to\":\"b@y.example\",\"upstream\":\"up\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"event\":\"ended\",\"text\":\"\"}\n{\"end\":true}"));
	free(answer);
	if (geteuid() != 0)
		return;
	answer = ask_as(STRANGER, "trace", id);
	ck_assert_msg(lines(answer) == 6, "%s", answer);
	free(answer);
	answer_has(ask_as(STRANGER, "trace", other), "\"error\":\"no message");
}
END_TEST

/* One who asks and leaves, again and again. */
START_TEST(trace_left_alone)
{
	uint64_t id = submit("ann", "a@x.example", "b@y.example");
	char text[IDENT_TEXT], request[128];
	struct client c;

	ident_print(text, id);
	snprintf(request, sizeof request, "{\"command\":\"trace\",\"id\":\"%s\"}\n", text);
	for (unsigned i = 0; i < 50; i++) {
		client_open(&c);
		say(&c, request);
		for (unsigned k = 0; k < i % 5; k++)
			loop_turn(rig.loop, false);
		client_close(&c);
	}
	is_alive();
}
END_TEST

/* The upstream comes back: retry opens its gate, and who follows hears of it. */
START_TEST(follows)
{
	uint64_t id = submit("ann", "a@x.example", "b@y.example");
	char text[IDENT_TEXT], request[128];
	struct client c;

	answer_has(ask_of("{\"command\":\"follow\",\"id\":\"%s\",\"wait_s\":0}\n", id), "\"event\":\"waiting\"");
	/* One that leaves while it waits, and one that asks too late. */
	ident_print(text, id);
	snprintf(request, sizeof request, "{\"command\":\"follow\",\"id\":\"%s\"}\n", text);
	client_open(&c);
	say(&c, request);
	turn(NULL);
	client_close(&c);
	answer_has(ask_of("{\"command\":\"delete\",\"id\":\"%s\"}\n", id), "{\"count\":1}");
	answer_has(ask_of("{\"command\":\"follow\",\"id\":\"%s\",\"wait_s\":1}\n", id), "\"event\":\"");

	id = submit("ann", "a@x.example", "b@y.example");
	ident_print(text, id);
	snprintf(request, sizeof request, "{\"command\":\"follow\",\"id\":\"%s\"}\n", text);
	client_open(&c);
	say(&c, request);
	for (unsigned i = 0; i < 10; i++)
		turn(NULL);
	rig.up = true;
	answer_has(ask("{\"command\":\"retry\",\"all\":true,\"upstream\":\"up\"}\n"), "count");
	answer_has(hear(&c), "\"event\":\"relayed\"");
	client_close(&c);
}
END_TEST

/* --- reload: main is the test ------------------------------------------------------- */

#define RELOAD "{\"command\":\"reload\"}\n"

static void
await_reloads(unsigned n)
{
	for (unsigned i = 0; i < PATIENCE_MS && rig.reloads < n; i++)
		turn(NULL);
	ck_assert_uint_eq(rig.reloads, n);
}

/* What was asked before has been read when this has its answer. */
static void
settle(void)
{
	answer_has(ask("{\"command\":\"version\"}\n"), "{\"end\":true}\n");
}

START_TEST(reload_is_answered_by_what_came_of_it)
{
	struct client c;

	client_open(&c);
	say(&c, RELOAD);
	await_reloads(1);
	settle();
	take(&c);
	ck_assert_uint_eq(c.in.len, 0);		/* not before it is known */
	answer_reload(0, "/etc/gatepost/gatepost.conf");
	answer_has(hear(&c), "{\"file\":\"/etc/gatepost/gatepost.conf\"}\n{\"end\":true}\n");
	say(&c, RELOAD);
	await_reloads(2);
	answer_reload(78, "file:3: no such option \"\xff\"; the old configuration stays");
	answer_has(hear(&c), "no such option \\\"\\\\xFF\\\"; the old configuration stays\",\"exit\":78}\n");
	say(&c, RELOAD);
	await_reloads(3);
	answer_reload(1, "threads cannot change while running: restart");
	answer_has(hear(&c), "{\"error\":\"threads cannot change while running: restart\",\"exit\":1}\n");
	client_close(&c);
}
END_TEST

/* The one under way may have read the file before the later ones' change. */
START_TEST(reload_asked_for_meanwhile_is_another)
{
	struct client c[3];

	for (unsigned i = 0; i < 3; i++)
		client_open(&c[i]);
	say(&c[0], RELOAD);
	await_reloads(1);
	say(&c[1], RELOAD);
	say(&c[2], RELOAD);
	settle();
	ck_assert_uint_eq(rig.reloads, 1);
	answer_reload(0, "/first");
	answer_has(hear(&c[0]), "{\"file\":\"/first\"}\n");
	await_reloads(2);			/* one for both */
	take(&c[1]);
	ck_assert_uint_eq(c[1].in.len, 0);
	answer_reload(78, "second");
	answer_has(hear(&c[1]), "{\"error\":\"second\",\"exit\":78}\n");
	answer_has(hear(&c[2]), "{\"error\":\"second\",\"exit\":78}\n");
	settle();
	ck_assert_uint_eq(rig.reloads, 2);
	for (unsigned i = 0; i < 3; i++)
		client_close(&c[i]);
}
END_TEST

START_TEST(reload_left_alone)
{
	struct client c[3];

	for (unsigned i = 0; i < 3; i++)
		client_open(&c[i]);
	say(&c[0], RELOAD);
	await_reloads(1);
	say(&c[1], RELOAD);
	ck_assert_int_eq(shutdown(c[1].fd, SHUT_WR), 0);	/* as nc -N: it still wants its answer */
	say(&c[2], RELOAD);
	settle();
	client_close(&c[0]);			/* of the one under way */
	client_close(&c[2]);			/* of the next */
	is_alive();
	answer_reload(0, "/first");
	await_reloads(2);
	answer_reload(0, "/second");
	answer_has(hear(&c[1]), "{\"file\":\"/second\"}\n{\"end\":true}\n");
	client_close(&c[1]);
	is_alive();
	client_open(&c[0]);
	say(&c[0], RELOAD);
	await_reloads(3);
	answer_reload(0, "/third");		/* and the end comes before it: teardown */
	client_close(&c[0]);
}
END_TEST

START_TEST(reload_is_for_operators)
{
	struct client c;

	if (geteuid() == 0) {		/* else there is no stranger */
		open_as(&c, STRANGER);
		say(&c, RELOAD);
		answer_has(hear(&c), "only root and the group gatepost may do this");
		client_close(&c);
	}
	answer_has(ask("{\"command\":\"reload\",\"all\":true}\n"), "reload does not take one of these fields");
	ck_assert_uint_eq(rig.reloads, 0);
}
END_TEST

Suite *test_control(void);

Suite *
test_control(void)
{
	Suite *s = suite_create("test_control");
	TCase *t = tcase_create("control");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, status);
	tcase_add_loop_test(t, bad_requests, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(t, trickled_and_pipelined);
	tcase_add_test(t, half_closed);
	tcase_add_test(t, endless_line);
	tcase_add_test(t, unfinished_line);
	tcase_add_test(t, junk);
	tcase_add_test(t, too_many);
	tcase_add_test(t, lists_and_filters);
	tcase_add_test(t, strangers);
	tcase_add_test(t, long_listing);
	tcase_add_test(t, shows_and_reads);
	tcase_add_test(t, holds_and_releases);
	tcase_add_test(t, traces);
	tcase_add_test(t, trace_left_alone);
	tcase_add_test(t, follows);
	tcase_add_test(t, reload_is_answered_by_what_came_of_it);
	tcase_add_test(t, reload_asked_for_meanwhile_is_another);
	tcase_add_test(t, reload_left_alone);
	tcase_add_test(t, reload_is_for_operators);
	suite_add_tcase(s, t);
	return s;
}
