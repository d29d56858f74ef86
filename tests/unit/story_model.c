/*
 * Random sessions against their model (PROTOCOL.md C-13): three clients at a time say lines to a real listener, on ports of every
 * profile, over TCP, TLS and the unix socket, in flights that are cut anywhere.  Each reply must be the model's, and each message
 * that reaches the queue one that the model accepted, with the same envelope and content.
 *
 * GATEPOST_MODEL=N says that many lines instead of 50,000, GATEPOST_MODEL_SEED=S others; GATEPOST_MODEL_SESSION=K plays that one
 * session alone.  `make model N=1000000 SEED=7'.
 */
#include "base/count.h"
#include "model_steps.h"

#include <pwd.h>
#include <time.h>

enum { CLIENTS = 3, FLIGHT_MAX = 12, PATIENCE_S = 20 };

static const struct profile profiles[RIG_PORTS] = {
	[RIG_PLAIN] = { .plain_auth = true }, [RIG_TRUSTED] = { .trusted = true }, [RIG_STARTTLS] = { .needs_tls = true },
	[RIG_IMPLICIT] = { .implicit = true }, [RIG_OUTSIDE] = { .needs_tls = true }, [RIG_SUBMIT] = { .submit = true }
};

struct due {	/* a message that the model accepted */
	char *envelope, *content;
	size_t n;
	enum verdict verdict;
};

enum stage { AWAY, CALLING, SHAKING, TALKING, LEAVING };

struct client {
	struct rig *rig;
	struct stream *stream;
	enum stage stage;
	struct model model;
	struct steps steps;		/* each session has its own, so that it can be played again alone */
	unsigned long session, lines, lines_max;
	struct buf heard, out, story;
	size_t out_at, whole_from;	/* of out: sent; from here on it is not cut */
	enum { WHOLE, CUT, TRICKLED } manner;
	const char *reply[FLIGHT_MAX + 4];
	unsigned nreply, nheard;
	struct due due[FLIGHT_MAX];
	unsigned ndue, arrived;
	bool closed;			/* by the other side */
};

static struct client clients[CLIENTS];
static struct {
	uint64_t seed;
	int round;
	unsigned long lines, lines_max, sessions, only, messages, replies;
	const char *postmaster, *login;
	unsigned max_errors;
	bool moved;			/* something happened in this turn */
} world;

static _Noreturn void
lose(const struct client *c, const char *what, const char *more)
{
	const char *story = c->story.data != NULL ? c->story.data : "";
	size_t n = strlen(story);

	ck_abort_msg("%s%s\nGATEPOST_MODEL_SEED=%llu GATEPOST_MODEL_SESSION=%lu, round %d, on %s:\n...%s", what, more,
	    (unsigned long long)world.seed, c->session, world.round, rig_names[c->model.p - profiles], story + (n > 3000 ? n - 3000 : 0));
}

static unsigned
any(struct client *c, unsigned below)
{
	return steps_any(&c->steps, below);
}

/* --- the queue's side: each message is one that some model accepted -------------------- */

static bool
is_same(const struct due *a, const struct due *b)
{
	return strcmp(a->envelope, b->envelope) == 0 && a->n == b->n && (a->n == 0 || memcmp(a->content, b->content, a->n) == 0);
}

/* The client whose newest message, as far as we know, was this; NULL: none but perhaps `c'. */
static struct client *
find_other(const struct client *c, const struct due *d)
{
	for (struct client *o = clients; o < clients + CLIENTS; o++)
		if (o != c && o->stage == TALKING && o->arrived > 0 && is_same(&o->due[o->arrived - 1], d))
			return o;
	return NULL;
}

/*
 * It is c's, and so those before it have come: they were taken for those of others, who expect the same.  Each client ends with
 * all of its own nevertheless.
 */
static const struct due *
take(struct client *c, const struct due *came)
{
	unsigned n = c->arrived, was[CLIENTS];
	struct client *o;

	while (n < c->ndue && !is_same(&c->due[n], came))
		n++;
	if (c->stage != TALKING || n == c->ndue)
		return NULL;
	for (unsigned i = 0; i < CLIENTS; i++)
		was[i] = clients[i].arrived;
	for (unsigned i = n; i-- > c->arrived; o->arrived--) {
		o = find_other(c, &c->due[i]);
		if (o == NULL) {
			for (i = 0; i < CLIENTS; i++)
				clients[i].arrived = was[i];
			return NULL;
		}
	}
	c->arrived = n + 1;
	return &c->due[n];
}

static void
on_submit(struct rig *r, const struct submit *m)
{
	struct due came = { .content = m->text.data, .n = m->text.len };
	struct buf envelope = { 0 };
	const struct due *d = NULL;

	model_print(&envelope, m);
	came.envelope = envelope.data;
	world.messages++;
	world.moved = true;
	for (struct client *c = clients; c < clients + CLIENTS && d == NULL; c++)
		if (c->arrived < c->ndue && is_same(&c->due[c->arrived], &came))
			d = take(c, &came);
	for (struct client *c = clients; c < clients + CLIENTS && d == NULL; c++)
		d = take(c, &came);
	for (struct client *c = clients; c < clients + CLIENTS && d == NULL; c++)
		if (c->arrived < c->ndue)
			lose(c, "another message was expected than came: ", envelope.data);
	if (d == NULL)
		lose(&clients[0], "a message came that no model accepted: ", envelope.data);
	r->verdict = d->verdict;
	buf_clear(&envelope);
}

/* --- the client ------------------------------------------------------------------------- */

/* One whole reply, as the model writes it. */
static void
hear(struct client *c, const char *first, const char *last)
{
	char said[64];
	bool has_status = last[4] >= '2' && last[4] <= '5' && last[5] == '.';

	snprintf(said, sizeof said, "%.3s%s%.*s", last, has_status ? "/" : "",
	    has_status ? (int)strcspn(last + 4, " \r") : 0, last + 4);
	if (first != last)
		snprintf(said, sizeof said, "%.3s%s%s", last, memmem(first, (size_t)(last - first), "-STARTTLS\r", 10) != NULL ? "+STARTTLS" : "",
		    memmem(first, (size_t)(last - first), "-AUTH PLAIN LOGIN\r", 18) != NULL ? "+AUTH" : "");
	buf_printf(&c->story, "        < %.*s\n", (int)strcspn(last, "\r"), last);
	if (c->nheard == c->nreply)
		lose(c, "nothing was to be said, and this was: ", said);
	if (strcmp(said, c->reply[c->nheard]) != 0) {
		buf_printf(&c->story, "(the model: %s)\n", c->reply[c->nheard]);
		lose(c, "not the model's reply: ", said);
	}
	c->nheard++;
	world.replies++;
}

static void
hear_all(struct client *c)
{
	const char *first, *last, *end;

	while (c->heard.len > 0) {
		for (first = last = c->heard.data;; last = end + 2) {
			end = strstr(last, "\r\n");
			if (end == NULL)
				return;
			if (last[3] != '-')
				break;
		}
		hear(c, first, last);
		buf_drop(&c->heard, (size_t)(end + 2 - c->heard.data));
	}
}

static void
on_stream(void *arg, struct stream *s, enum stream_event ev)
{
	struct client *c = arg;

	world.moved = true;
	switch (ev) {
	case STREAM_DATA:
		buf_putstr(&c->heard, stream_input(s));
		stream_consume(s, stream_input(s).n);
		hear_all(c);
		break;
	case STREAM_UP:
		if (c->model.p->implicit)
			ck_assert_int_eq(stream_start_tls(s, c->rig->trust, "mail.example"), 0);
		c->stage = c->model.p->implicit ? SHAKING : TALKING;
		break;
	case STREAM_SECURE:
		c->stage = TALKING;
		break;
	case STREAM_FAILED:
	case STREAM_CLOSED:
		c->closed = true;
		stream_close(&c->stream);
		break;
	default:
		break;
	}
}

static void
forget_flight(struct client *c)
{
	for (unsigned i = 0; i < c->ndue; i++) {
		free(c->due[i].envelope);
		free(c->due[i].content);
	}
	c->ndue = c->arrived = c->nreply = c->nheard = 0;
	buf_cut(&c->out, 0);
	c->out_at = 0;
	c->whole_from = SIZE_MAX;
	c->manner = any(c, 10) == 0 ? TRICKLED : any(c, 2) == 0 ? CUT : WHOLE;
}

static void
call(struct client *c, struct rig *r)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof sa;
	unsigned port;

	c->session = world.only != 0 ? world.only : ++world.sessions;
	c->steps = (struct steps){ .random = (world.seed * 2 + (unsigned)world.round) * 0x2545f4914f6cdd1d + c->session };
	port = any(c, RIG_PORTS);
	c->rig = r;
	c->stage = CALLING;
	c->lines = 0;
	c->lines_max = 1 + any(c, any(c, 4) == 0 ? 400 : 60);
	c->closed = false;
	buf_cut(&c->story, 0);
	buf_cut(&c->heard, 0);
	forget_flight(c);
	model_begin(&c->model, &profiles[port], world.postmaster, world.max_errors, world.login);
	c->reply[c->nreply++] = "220";
	ck_assert_int_eq(getsockname(r->socket[port].fd, (struct sockaddr *)&sa, &len), 0);
	c->stream = stream_connect(r->loop, (struct sockaddr *)&sa, len, "", on_stream, c);
}

/* --- what is said next -------------------------------------------------------------------- */

static void
accept_due(struct client *c)
{
	struct due *d = &c->due[c->ndue++];
	const struct buf *content = &c->model.content;

	d->envelope = mem_text(c->model.envelope.data);
	d->n = content->len;
	d->content = mem_textn(content->len > 0 ? content->data : "", content->len);
	d->verdict = c->model.queued_as;
}

static void
say(struct client *c, const struct word *w)
{
	const char *reply = model_hear(&c->model, w);

	world.lines++;
	c->lines++;
	if (reply != NULL)
		c->reply[c->nreply++] = reply;
	if (c->model.queued)
		accept_due(c);
	buf_put(&c->out, w->text, w->n);
	buf_puts(&c->out, "\r\n");
	buf_puts(&c->story, "> ");
	str_safe(&c->story, (struct str){ w->text, w->n < 70 ? w->n : 70 }, false);
	buf_printf(&c->story, "   (%s)\n", reply != NULL ? reply : "-");
}

static void
say_flight(struct client *c)
{
	unsigned n = 1 + any(c, any(c, 2) == 0 ? 2 : FLIGHT_MAX);
	const struct word *w;

	forget_flight(c);
	for (unsigned i = 0; i < n && !c->model.closed && !c->model.tls_due; i++) {
		w = steps_pick(&c->steps, &c->model);
		/* What follows STARTTLS must come with it to be seen: so they go first and whole. */
		c->model.injected = w->cmd == STARTTLS && i == 0 && any(c, 10) == 0;
		if (c->model.injected)
			c->whole_from = 0;
		say(c, w);
		if (c->model.injected && !c->model.closed)
			c->model.injected = false, c->whole_from = SIZE_MAX;
	}
	if (c->model.closed && (c->whole_from == 0 || any(c, 3) == 0))
		say(c, steps_find("NOOP"));	/* and nothing comes of it */
}

static void
send_piece(struct client *c)
{
	size_t left = c->out.len - c->out_at, piece = left;

	if (c->whole_from == SIZE_MAX && c->manner != WHOLE)
		piece = c->manner == TRICKLED && left < 1000 ? 1 : 1 + any(c, (unsigned)left);
	stream_write(c->stream, c->out.data + c->out_at, piece);
	c->out_at += piece;
	world.moved = true;
}

/* --- turns ------------------------------------------------------------------------------ */

static void
leave(struct client *c)		/* in the middle of whatever it is */
{
	static const char *const last[] = { "", "MAIL FROM:<a@b", "\r\n.", "x\r\n.\r", "DATA\r" };
	const char *text = last[any(c, sizeof last / sizeof last[0])];

	stream_write(c->stream, text, strlen(text));
	stream_close(&c->stream);
	c->stage = AWAY;
}

static void
go_on(struct client *c)
{
	/* It was taken for another's that is the same, and that one is still to come. */
	if (c->nheard == c->nreply && c->out_at == c->out.len && c->arrived < c->ndue)
		return;
	if (c->closed) {
		if (c->nheard < c->nreply || !c->model.closed)
			lose(c, "the session ended, and should not have", "");
		c->stage = AWAY;
	} else if (c->out_at < c->out.len) {
		send_piece(c);
	} else if (c->nheard == c->nreply && !c->model.closed) {
		bool is_done = c->lines >= c->lines_max && c->steps.left == 0;

		world.moved = true;
		if (c->model.tls_due) {
			c->model.tls_due = false;
			c->model.secure = true;
			c->stage = SHAKING;
			ck_assert_int_eq(stream_start_tls(c->stream, c->rig->trust, "mail.example"), 0);
		} else if (is_done && c->model.mode != BODY && any(c, 2) == 0) {
			forget_flight(c);
			say(c, steps_find("QUIT"));
		} else if (is_done) {
			leave(c);
		} else {
			say_flight(c);
		}
	}
}

static bool
is_shaking(void)
{
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->stage == SHAKING || c->stage == CALLING)
			return true;
	return false;
}

static bool
has_late(const struct rig *r)
{
	for (uint32_t i = 0; i < r->listener->nslot; i++)
		if (r->listener->slot[i].session != NULL && r->listener->slot[i].session->late.len > 0)
			return true;
	return false;
}

/* False: all is said and done. */
static bool
turn(struct rig *r, unsigned nclient)
{
	bool busy = false;

	world.moved = false;
	for (struct client *c = clients; c < clients + nclient; c++) {
		if (c->stage == AWAY && world.lines < world.lines_max && (world.only == 0 || c->lines == 0))
			call(c, r);
		if (c->stage == TALKING)
			go_on(c);
		busy = busy || c->stage != AWAY;
	}
	loop_turn(r->loop, false);
	if (!world.moved && !is_shaking() && has_late(r))
		clock_fake_add(1000);
	else if (!world.moved)		/* a password is being checked */
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 }, NULL);
	return busy || world.lines < world.lines_max;	/* all may have left in the same turn */
}

static void
play(const char *options, bool tolerant)
{
	time_t moved_s = time(NULL);
	struct rig r;

	rig_start_tls(&r, options);
	r.on_submit = on_submit;
	world.max_errors = tolerant ? 1000 : MAX_ERRORS;
	world.postmaster = tolerant ? "pm@x.example" : NULL;
	while (turn(&r, world.only != 0 ? 1 : CLIENTS)) {
		if (world.moved)
			moved_s = time(NULL);
		else if (time(NULL) - moved_s > PATIENCE_S)
			for (struct client *c = clients; c < clients + CLIENTS; c++)
				if (c->stage != AWAY)
					lose(c, c->arrived < c->ndue ? "accepted, and not queued: " : "no reply came",
					    c->arrived < c->ndue ? c->due[c->arrived].envelope : "");
	}
	for (int i = 0; i < 1000 && (i < 100 || count_get(COUNT_SESSIONS) > 0); i++) {
		clock_fake_add(1000);		/* replies that come late are waited for, also when nobody hears them */
		loop_turn(r.loop, false);
	}
	ck_assert_int_eq(count_get(COUNT_SESSIONS), 0);
	for (struct client *c = clients; c < clients + CLIENTS; c++) {
		forget_flight(c);
		buf_clear(&c->out);
		buf_clear(&c->heard);
		buf_clear(&c->story);
		model_clear(&c->model);
	}
	memset(clients, 0, sizeof clients);
	rig_stop(&r);
}

static unsigned long long
number_of(const char *variable, unsigned long long otherwise)
{
	const char *text = getenv(variable);

	return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

/*
 * C-13, A-066, A-124, A-139, A-142 to, C-02, C-25.  The first round ends sessions for their errors,
 * but for more than it takes recipients that are refused; the second lets them go on.
 */
START_TEST(test_model)
{
	unsigned long long n = number_of("GATEPOST_MODEL", 50000);
	bool tolerant = _i == 1;

	words_init();
	world.login = getpwuid(getuid())->pw_name;
	world.seed = number_of("GATEPOST_MODEL_SEED", 1);
	world.round = _i;
	world.only = (unsigned long)number_of("GATEPOST_MODEL_SESSION", 0);
	world.lines_max = world.only != 0 ? 1 : (unsigned long)n / 2;
	play(tolerant ? "postmaster = \"pm@x.example\"\nlimits { message_size = \"32770\" recipients = 4 hops = 5 errors = 1000 }\n" :
	    "limits { message_size = \"32770\" recipients = 4 hops = 5 errors = 30 }\n", tolerant);
	if (getenv("GATEPOST_MODEL") != NULL)
		printf("seed %llu: %lu lines in %lu sessions, %lu replies, %lu messages\n", (unsigned long long)world.seed, world.lines,
		    world.sessions, world.replies, world.messages);
}
END_TEST

Suite *story_model(void);

Suite *
story_model(void)
{
	Suite *s = suite_create("story_model");
	TCase *t = tcase_create("model");

	tcase_set_timeout(t, 30 + (double)number_of("GATEPOST_MODEL", 50000) / 1000);
	tcase_add_loop_test(t, test_model, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
