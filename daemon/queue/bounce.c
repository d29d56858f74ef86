/*
 * Telling the sender: failure notices (RFC 3464), delay warnings, and "relayed" reports where the provider
 * gives none.  Whether to send one is decided here, its text is mail/dsn's.  A notification is a message like any
 * other, with the null sender; never one about a message that had it.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	ORIGINAL_MAX = 64 * 1024,	/* quoted whole up to here */
	OWED_MS = 30 * 1000		/* a notice that could not be queued is tried again */
};

/* The message as it goes out: all of it if short, else its header.  False: it could not be read, see errno. */
static bool
read_original(struct queue *q, struct entry *e, bool *headers_only, struct buf *out)
{
	struct spool_reader *r;
	struct why why;
	int64_t n = 0;
	const char *end;

	errno = 0;
	if (spool_read_open(q->spool, &e->item, &r, &why) < 0)
		return false;
	buf_room(out, ORIGINAL_MAX);
	while (out->len < ORIGINAL_MAX &&
	    (n = spool_read(r, out->data + out->len, ORIGINAL_MAX - out->len, &why)) > 0)
		out->len += (size_t)n;
	spool_read_close(&r);
	if (n < 0)
		return false;
	if (*headers_only || e->size > ORIGINAL_MAX) {
		*headers_only = true;
		end = memmem(out->data, out->len, "\r\n\r\n", 4);
		buf_cut(out, end != NULL ? (size_t)(end - out->data) + 2 : out->len);
	}
	return true;
}

static const char *
address_of(const struct queue *q, const struct envelope *about)
{
	const char *to = q->config->queue.bounce_to;

	return to != NULL && to[0] != '\0' ? to : about->sender;
}

struct envelope *
bounce_envelope(const char *to)
{
	struct envelope *env = envelope_new();

	env->is_bounce = true;
	env->is_utf8 = !str_is_ascii(str_of(to));
	env->arrived_wall_s = clock_wall_s();
	envelope_add(env, to, NULL, NOTIFY_NEVER);
	return env;
}

/* The upstream could not take this message's 8-bit octets: it could not take them quoted either. */
static void
make_ascii(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if ((unsigned char)b->data[i] >= 0x80)
			b->data[i] = '?';
}

static bool
is_refused_for_octets(const struct recipient *r)
{
	return strcmp(r->last.status, "5.6.3") == 0 || strcmp(r->last.status, "5.6.7") == 0;
}

/* The sender is told of this message by that notice. */
void
bounce_note(struct queue *q, struct entry *e, enum dsn_action action, const char *to, unsigned n, uint64_t notice)
{
	static const char *const events[] = { [DSN_FAILED] = "bounced", [DSN_DELAYED] = "warned", [DSN_RELAYED] = "reported" };

	log_event(LOG_INFO, events[action], log_id("msg", e->item.id), log_id("notice", notice),
	    log_text("to", to), log_num("rcpts", n));
	history_put_notice(q, e->item.id, events[action], to, notice);
	for (unsigned i = 0; i < e->envelope->nrcpt && action == DSN_FAILED; i++)
		if (e->envelope->rcpt[i].state == RCPT_FAILED)
			e->envelope->rcpt[i].reported = true;
	if (action == DSN_DELAYED)
		e->warned = true;
}

/* What the message looked like. */
static void
quote(struct queue *q, struct entry *e, struct dsn *d, bool plain, struct buf *original)
{
	if (read_original(q, e, &d->headers_only, original)) {
		if (plain)
			make_ascii(original);
		d->original = buf_str(original);
	} else if (!entry_is_local(errno)) {
		e->damaged = true;	/* the sender is told all the same */
	}
}

/* False: it could not be queued, and is owed. */
bool
bounce_send(struct queue *q, struct entry *e, enum dsn_action action, const struct dsn_recipient *rcpt, unsigned n)
{
	const struct envelope *about = e->envelope;
	struct buf original = { 0 }, text = { 0 };
	char *to = mem_text(address_of(q, about));
	struct envelope *env = bounce_envelope(to);
	bool plain = is_refused_for_octets(rcpt[0].rcpt), kept;
	struct why why = { "" };
	struct dsn d = {
		.action = action,
		.hostname = q->config->hostname,
		.to = to,
		.id = e->item.id,
		.own_id = memo_next_id(),
		.envelope = about,
		.rcpt = rcpt,
		.nrcpt = n,
		.now_wall_s = clock_wall_s(),
		.headers_only = action != DSN_FAILED || about->ret == RET_HDRS || plain,
	};

	d.expires_wall_s = d.now_wall_s + (int64_t)e->arrived_queue_s - retry_clock_s(q) + q->config->queue.expire_ms / 1000;
	quote(q, e, &d, plain, &original);
	dsn_build(&text, &d);
	env->is_8bit = !str_is_ascii(buf_str(&text));
	kept = admit_own(q, &env, d.own_id, buf_str(&text), &why) == 0;
	if (kept) {
		bounce_note(q, e, action, to, n, d.own_id);
	} else {
		log_event(LOG_WARNING, "notice_owed", log_id("msg", e->item.id), log_text("to", to), log_text("reason", why.text));
		envelope_free(&env);
	}
	free(to);
	buf_clear(&text);
	buf_clear(&original);
	return kept;
}

static bool
wants(const struct recipient *r, uint8_t kind)
{
	return r->notify == 0 ? kind != NOTIFY_SUCCESS : (r->notify & kind) != 0;
}

/* Failed recipients whose sender has not been told; those that nobody is to be told about count as told. */
unsigned
bounce_find_failed(const struct entry *e, const struct peer *peer, struct dsn_recipient *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		struct recipient *r = &e->envelope->rcpt[i];

		if (r->state != RCPT_FAILED || r->reported)
			continue;
		if (!wants(r, NOTIFY_FAILURE) && !e->is_bounce) {
			r->reported = true;
			continue;
		}
		out[n] = (struct dsn_recipient){ .rcpt = r };
		if (peer != NULL)
			out[n].peer = *peer;
		n++;
	}
	return n;
}

unsigned
bounce_find_delayed(const struct queue *q, const struct entry *e, struct dsn_recipient *out)
{
	unsigned n = 0;

	if (!retry_wants_warning(q, e))
		return 0;
	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		const struct recipient *r = &e->envelope->rcpt[i];

		if (r->state == RCPT_WAITING && wants(r, NOTIFY_DELAY))
			out[n++] = (struct dsn_recipient){ .rcpt = r };
	}
	return n;
}

/* Over the limit, and while others are being gathered for the same address, it goes with them. */
static bool
may_go_alone(struct queue *q, const struct entry *e, const char *to)
{
	if (e->gathered || owed_is_open(q, to))
		return false;
	return q->config->queue.bounce_limit.count == 0 || bucket_take(&q->bounces, loop_now_ms(q->loop));
}

/* 0, or in how many ms to look again. */
static int64_t
tell(struct queue *q, struct entry *e, enum dsn_action action, const struct dsn_recipient *rcpt, unsigned n)
{
	const char *to = address_of(q, e->envelope);

	if (may_go_alone(q, e, to))
		return bounce_send(q, e, action, rcpt, n) ? 0 : OWED_MS;
	owed_put(q, e, to);
	return owed_wait_ms(q, to) + OWED_MS;
}

int64_t
bounce_round(struct queue *q, struct entry *e, const struct peer *peer)
{
	struct envelope *env = e->envelope;
	struct dsn_recipient *rcpt = mem_array(env->nrcpt, sizeof *rcpt);
	unsigned n = bounce_find_failed(e, peer, rcpt);
	int64_t owed_ms = 0;

	if (n > 0 && env->sender[0] != '\0')
		owed_ms = tell(q, e, DSN_FAILED, rcpt, n);
	if (env->sender[0] != '\0' && retry_wants_warning(q, e)) {
		n = bounce_find_delayed(q, e, rcpt);
		if (n > 0)
			(void)tell(q, e, DSN_DELAYED, rcpt, n);
		e->warned = n == 0 || !e->gathered;	/* best effort: nothing is lost with it */
	}
	free(rcpt);
	return owed_ms;
}

void
bounce_relayed(struct queue *q, struct entry *e, const struct job *j)
{
	struct dsn_recipient *rcpt;
	unsigned n = 0;

	if (e->envelope->sender[0] == '\0' || j->dsn)
		return;
	rcpt = mem_array(j->nrcpt, sizeof *rcpt);
	for (unsigned i = 0; i < j->nrcpt; i++) {
		const struct recipient *r = &e->envelope->rcpt[j->rcpt[i]];

		if (j->result[i].kind != OUTCOME_SENT || !(r->notify & NOTIFY_SUCCESS))
			continue;
		rcpt[n].rcpt = r;
		rcpt[n++].peer = j->peer;
	}
	if (n > 0)
		(void)bounce_send(q, e, DSN_RELAYED, rcpt, n);
	free(rcpt);
}
