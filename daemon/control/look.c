/*
 * Answers a LOOK: the status, and the oldest messages with why they wait.  Unless metrics.addresses is set, addresses of
 * senders and recipients are taken out here already: the thread that serves the page never has them.
 */
#include "control/look.h"

#include <stdlib.h>
#include <string.h>

#include "base/ident.h"
#include "base/mem.h"
#include "control/mask.h"
#include "control/snapshot.h"

static struct str
local_part(struct str address)
{
	for (size_t n = address.n; n > 0; n--)
		if (address.p[n - 1] == '@')
			return (struct str){ address.p, n - 1 };
	return address;
}

enum {
	NAMES = 3,		/* of an address */
	KNOWN_RECIPIENTS = 8	/* of one message, to others */
};

/* The address, its local part, and that without its quotes. */
static unsigned
know(struct str *known, unsigned n, const char *address)
{
	struct str s = str_of(address), local = local_part(s);

	if (s.n == 0)
		return n;
	known[n++] = s;
	known[n++] = local;
	if (local.n > 2 && local.p[0] == '"' && local.p[local.n - 1] == '"')
		known[n++] = (struct str){ local.p + 1, local.n - 2 };
	return n;
}

static bool
still_waits(const struct envelope *e, unsigned i)
{
	return e->rcpt[i].state == RCPT_WAITING || e->rcpt[i].state == RCPT_OUT;
}

void
look_know(struct look_known *k, const struct queue_message *m)
{
	const struct envelope *e = m->envelope;
	unsigned recipients = 0;

	if (e == NULL || k->n + NAMES > LOOK_KNOWN_MAX)
		return;
	k->n = know(k->name, k->n, e->sender);
	for (unsigned i = 0; i < e->nrcpt && recipients < KNOWN_RECIPIENTS && k->n + NAMES <= LOOK_KNOWN_MAX; i++)
		if (still_waits(e, i)) {
			k->n = know(k->name, k->n, e->rcpt[i].address);
			recipients++;
		}
}

static json_t *
masked(const char *text, const struct str *known, unsigned nknown)
{
	struct buf b = { 0 };
	json_t *v;

	mask_put(&b, str_of(text), known, nknown);
	buf_putc(&b, '\0');
	v = snapshot_text(b.data);
	buf_clear(&b);
	return v;
}

/* What is said of one message may name another: providers speak of the connection, of accounts, of both. */
static json_t *
masked_reason(const struct queue_message *m, const struct look_known *others)
{
	const struct envelope *e = m->envelope;
	struct str *known;
	unsigned n = 0;
	json_t *v;

	if (e == NULL)
		return masked(m->reason, others->name, others->n);
	known = mem_array(NAMES * ((size_t)e->nrcpt + 1) + others->n, sizeof *known);
	n = know(known, n, e->sender);
	for (unsigned i = 0; i < e->nrcpt; i++)
		n = know(known, n, e->rcpt[i].address);
	memcpy(known + n, others->name, others->n * sizeof *known);
	v = masked(m->reason, known, n + others->n);
	free(known);
	return v;
}

static json_t *
some_recipients(const struct envelope *e)
{
	json_t *list = json_array();

	for (unsigned i = 0; e != NULL && i < e->nrcpt && json_array_size(list) < LOOK_RECIPIENTS_MAX; i++)
		if (still_waits(e, i))
			json_array_append_new(list, snapshot_text(e->rcpt[i].address));
	return list;
}

json_t *
look_message(const struct queue_message *m, bool addresses, const struct look_known *known)
{
	const struct envelope *e = m->envelope;
	char id[IDENT_TEXT];
	json_t *doc;

	ident_print(id, m->id);
	doc = json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:o}",
	    "id", id, "size", (json_int_t)m->size, "age_s", (json_int_t)m->age_s,
	    "state", message_state_name(m->state), "attempts", (json_int_t)m->attempts,
	    "recipients", (json_int_t)m->recipients, "next_attempt_s", (json_int_t)m->next_attempt_s,
	    "reason", addresses ? snapshot_text(m->reason) : masked_reason(m, known));
	if (addresses) {
		json_object_set_new(doc, "from", snapshot_text(e == NULL ? "" : e->sender));
		json_object_set_new(doc, "to", some_recipients(e));
	}
	return doc;
}

static void
mask_member(json_t *doc, const char *name, const struct look_known *known)
{
	const char *text = json_string_value(json_object_get(doc, name));

	if (text != NULL && strlen(text) > 0)
		json_object_set_new(doc, name, masked(text, known->name, known->n));
}

void
look_mask_status(json_t *status, const struct look_known *known)
{
	json_t *u, *c;
	size_t i, n;

	json_array_foreach(json_object_get(status, "upstreams"), i, u) {
		mask_member(u, "reason", known);
		json_array_foreach(json_object_get(u, "candidates"), n, c)
			mask_member(c, "reason", known);
	}
}

void
look_answer(struct look *l, struct queue *q, int64_t uptime_s)
{
	bool addresses = queue_get_config(q)->metrics.addresses;
	unsigned wanted = l->wanted < LOOK_MESSAGES_MAX ? l->wanted : LOOK_MESSAGES_MAX, n = 0;
	struct queue_message *m = mem_array(LOOK_MESSAGES_MAX, sizeof *m);
	struct look_known *known = mem_zero(sizeof *known);
	uint64_t after = 0;

	l->status = snapshot_status(q, uptime_s);
	l->oldest = json_array();
	while (n < wanted && queue_next_message(q, &after, true, &m[n]))
		look_know(known, &m[n++]);
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(l->oldest, look_message(&m[i], addresses, known));
	if (!addresses)
		look_mask_status(l->status, known);
	for (unsigned i = 0; i < n; i++)
		envelope_free(&m[i].envelope);
	free(known);
	free(m);
}
