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
#include "mail/dsn.h"

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

static struct envelope *
make_envelope(const struct queue *q, const struct envelope *about)
{
	struct envelope *env = envelope_new();
	const char *to = q->config->queue.bounce_to;

	env->is_bounce = true;
	env->arrived_wall_s = clock_wall_s();
	envelope_add(env, to != NULL && to[0] != '\0' ? to : about->sender, NULL, NOTIFY_NEVER);
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

/* False: it could not be queued, and is owed. */
static bool
send_dsn(struct queue *q, struct entry *e, enum dsn_action action, const struct dsn_recipient *rcpt, unsigned n)
{
	static const char *const events[] = { [DSN_FAILED] = "bounced", [DSN_DELAYED] = "warned", [DSN_RELAYED] = "reported" };
	const struct envelope *about = e->envelope;
	struct buf original = { 0 }, text = { 0 };
	struct envelope *env = make_envelope(q, about);
	bool plain = is_refused_for_octets(rcpt[0].rcpt), kept;
	char *to = mem_text(env->rcpt[0].address);
	struct why why = { "" };
	struct dsn d = {
		.action = action,
		.hostname = q->config->hostname,
		.id = e->item.id,
		.own_id = memo_next_id(),
		.envelope = about,
		.rcpt = rcpt,
		.nrcpt = n,
		.now_wall_s = clock_wall_s(),
		.headers_only = action != DSN_FAILED || about->ret == RET_HDRS || plain,
	};

	d.expires_wall_s = d.now_wall_s + (int64_t)e->arrived_queue_s - retry_clock_s(q) + q->config->queue.expire_ms / 1000;
	if (read_original(q, e, &d.headers_only, &original)) {
		if (plain)
			make_ascii(&original);
		d.original = buf_str(&original);
	} else if (!entry_is_local(errno)) {
		e->damaged = true;	/* the sender is told all the same */
	}
	dsn_build(&text, &d);
	env->is_8bit = !str_is_ascii(buf_str(&text));
	env->is_utf8 = !str_is_ascii(str_of(to));
	kept = admit_own(q, &env, d.own_id, buf_str(&text), &why) == 0;
	if (kept) {
		log_event(LOG_INFO, events[action], log_id("msg", e->item.id), log_id("notice", d.own_id),
		    log_text("to", to), log_num("rcpts", n));
		history_put_notice(q, e->item.id, events[action], to, d.own_id);
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
static unsigned
find_failed(const struct entry *e, const struct peer *peer, struct dsn_recipient *out)
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

static unsigned
find_delayed(const struct entry *e, struct dsn_recipient *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		const struct recipient *r = &e->envelope->rcpt[i];

		if (r->state == RCPT_WAITING && wants(r, NOTIFY_DELAY))
			out[n++] = (struct dsn_recipient){ .rcpt = r };
	}
	return n;
}

/* How long until one may be sent; 0: now.  Over bounce_limit they wait, and are owed. */
static int64_t
limit_ms(struct queue *q)
{
	int64_t now = loop_now_ms(q->loop);

	if (q->config->queue.bounce_limit.count == 0 || bucket_take(&q->bounces, now))
		return 0;
	return bucket_wait_ms(&q->bounces, now) + 1;
}

int64_t
bounce_round(struct queue *q, struct entry *e, const struct peer *peer)
{
	struct envelope *env = e->envelope;
	struct dsn_recipient *rcpt = mem_array(env->nrcpt, sizeof *rcpt);
	unsigned n = find_failed(e, peer, rcpt);
	int64_t owed_ms = 0;

	if (n > 0 && env->sender[0] != '\0') {
		owed_ms = limit_ms(q);
		if (owed_ms == 0 && !send_dsn(q, e, DSN_FAILED, rcpt, n))
			owed_ms = OWED_MS;
		for (unsigned i = 0; i < env->nrcpt && owed_ms == 0; i++)
			if (env->rcpt[i].state == RCPT_FAILED)
				env->rcpt[i].reported = true;
	}
	if (env->sender[0] != '\0' && retry_wants_warning(q, e)) {
		e->warned = true;	/* best effort: nothing is lost with it */
		n = find_delayed(e, rcpt);
		if (n > 0)
			(void)send_dsn(q, e, DSN_DELAYED, rcpt, n);
	}
	free(rcpt);
	return owed_ms;
}

void
bounce_relayed(struct queue *q, struct entry *e, const struct job *j)
{
	const struct lane *l = lane_find(q, j->lane);
	struct dsn_recipient *rcpt;
	unsigned n = 0;

	if (e->envelope->sender[0] == '\0' || (l != NULL && l->dsn))
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
		(void)send_dsn(q, e, DSN_RELAYED, rcpt, n);
	free(rcpt);
}
