/*
 * Telling the sender: failure notices (RFC 3464), delay warnings, and "relayed" reports where the provider
 * gives none.  Whether to send one is decided here, its text is mail/dsn's.  A notification is a message like any
 * other, with the null sender; never one about a message that had it.
 */
#include "queue/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/dsn.h"

enum { ORIGINAL_MAX = 64 * 1024 };	/* quoted whole up to here */

/* The message as it goes out: all of it if short, else its header.  False: it could not be read. */
static bool
read_original(struct queue *q, struct entry *e, bool *headers_only, struct buf *out)
{
	struct spool_reader *r;
	struct why why;
	int64_t n = 0;
	const char *end;

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
	env->is_8bit = about->is_8bit;
	env->is_utf8 = about->is_utf8;
	env->arrived_wall_s = clock_wall_s();
	envelope_add(env, to != NULL && to[0] != '\0' ? to : about->sender, NULL, NOTIFY_NEVER);
	return env;
}

static void
send_dsn(struct queue *q, struct entry *e, enum dsn_action action, const struct dsn_recipient *rcpt, unsigned n)
{
	const struct envelope *about = e->envelope;
	struct buf original = { 0 }, text = { 0 };
	struct envelope *env = make_envelope(q, about);
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
		.headers_only = action != DSN_FAILED || about->ret == RET_HDRS,
	};

	d.expires_wall_s = d.now_wall_s + (int64_t)e->arrived_queue_s - retry_clock_s(q) + q->config->queue.expire_ms / 1000;
	if (read_original(q, e, &d.headers_only, &original))
		d.original = buf_str(&original);
	dsn_build(&text, &d);
	if (admit_own(q, &env, d.own_id, buf_str(&text), &why) < 0)
		log_event(LOG_ERROR, "not_notified", log_id("msg", e->item.id), log_text("sender", about->sender),
		    log_text("reason", why.text));
	else
		log_event(LOG_INFO, action == DSN_FAILED ? "bounced" : action == DSN_DELAYED ? "warned" : "reported",
		    log_id("msg", e->item.id), log_id("notice", d.own_id),
		    log_text("to", about->sender), log_num("rcpts", n));
	if (env != NULL)
		envelope_free(&env);
	buf_clear(&text);
	buf_clear(&original);
}

static bool
wants(const struct recipient *r, uint8_t kind)
{
	return r->notify == 0 ? kind != NOTIFY_SUCCESS : (r->notify & kind) != 0;
}

void
bounce_round(struct queue *q, struct entry *e, const struct peer *peer)
{
	struct envelope *env = e->envelope;
	struct dsn_recipient *rcpt = mem_array(env->nrcpt, sizeof *rcpt);
	unsigned failed = 0, delayed = 0;

	for (unsigned i = 0; i < env->nrcpt; i++) {
		struct recipient *r = &env->rcpt[i];

		if (r->state != RCPT_FAILED || r->reported)
			continue;
		r->reported = true;
		if (!wants(r, NOTIFY_FAILURE) || env->sender[0] == '\0')
			continue;
		rcpt[failed].rcpt = r;
		if (peer != NULL)
			rcpt[failed].peer = *peer;
		failed++;
	}
	if (failed > 0)
		send_dsn(q, e, DSN_FAILED, rcpt, failed);
	if (env->sender[0] != '\0' && retry_wants_warning(q, e)) {
		for (unsigned i = 0; i < env->nrcpt; i++)
			if (env->rcpt[i].state == RCPT_WAITING && wants(&env->rcpt[i], NOTIFY_DELAY))
				rcpt[delayed++] = (struct dsn_recipient){ .rcpt = &env->rcpt[i] };
		e->warned = true;
		if (delayed > 0)
			send_dsn(q, e, DSN_DELAYED, rcpt, delayed);
	}
	free(rcpt);
}

void
bounce_relayed(struct queue *q, struct entry *e, const struct job *j)
{
	const struct lane *l = gateway_find_lane(q, j->lane);
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
		send_dsn(q, e, DSN_RELAYED, rcpt, n);
	free(rcpt);
}
