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

static unsigned
know(struct str *known, unsigned n, const char *address)
{
	struct str s = str_of(address);

	if (s.n == 0)
		return n;
	known[n++] = s;
	known[n++] = local_part(s);
	return n;
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

static json_t *
masked_reason(const struct queue_message *m)
{
	const struct envelope *e = m->envelope;
	struct str *known;
	unsigned n = 0;
	json_t *v;

	if (e == NULL)
		return masked(m->reason, NULL, 0);
	known = mem_array(2 * ((size_t)e->nrcpt + 1), sizeof *known);
	n = know(known, n, e->sender);
	for (unsigned i = 0; i < e->nrcpt; i++)
		n = know(known, n, e->rcpt[i].address);
	v = masked(m->reason, known, n);
	free(known);
	return v;
}

static json_t *
some_recipients(const struct envelope *e)
{
	json_t *list = json_array();

	for (unsigned i = 0; e != NULL && i < e->nrcpt && json_array_size(list) < LOOK_RECIPIENTS_MAX; i++)
		if (e->rcpt[i].state == RCPT_WAITING || e->rcpt[i].state == RCPT_OUT)
			json_array_append_new(list, snapshot_text(e->rcpt[i].address));
	return list;
}

json_t *
look_message(const struct queue_message *m, bool addresses)
{
	const struct envelope *e = m->envelope;
	char id[IDENT_TEXT];
	json_t *doc;

	ident_print(id, m->id);
	doc = json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:o}",
	    "id", id, "size", (json_int_t)m->size, "age_s", (json_int_t)m->age_s,
	    "state", message_state_name(m->state), "attempts", (json_int_t)m->attempts,
	    "recipients", (json_int_t)m->recipients, "next_attempt_s", (json_int_t)m->next_attempt_s,
	    "reason", addresses ? snapshot_text(m->reason) : masked_reason(m));
	if (addresses) {
		json_object_set_new(doc, "from", snapshot_text(e == NULL ? "" : e->sender));
		json_object_set_new(doc, "to", some_recipients(e));
	}
	return doc;
}

static json_t *
oldest(struct queue *q, unsigned wanted, bool addresses)
{
	json_t *list = json_array();
	struct queue_message m;
	uint64_t after = 0;

	while (json_array_size(list) < wanted && queue_next_message(q, &after, true, &m)) {
		json_array_append_new(list, look_message(&m, addresses));
		envelope_free(&m.envelope);
	}
	return list;
}

static void
mask_member(json_t *doc, const char *name)
{
	const char *text = json_string_value(json_object_get(doc, name));

	if (text != NULL && strlen(text) > 0)
		json_object_set_new(doc, name, masked(text, NULL, 0));
}

void
look_mask_status(json_t *status)
{
	json_t *u, *c;
	size_t i, n;

	json_array_foreach(json_object_get(status, "upstreams"), i, u) {
		mask_member(u, "reason");
		json_array_foreach(json_object_get(u, "candidates"), n, c)
			mask_member(c, "reason");
	}
}

void
look_answer(struct look *l, struct queue *q, int64_t uptime_s)
{
	bool addresses = queue_get_config(q)->metrics.addresses;
	unsigned wanted = l->wanted < LOOK_MESSAGES_MAX ? l->wanted : LOOK_MESSAGES_MAX;

	l->status = snapshot_status(q, uptime_s);
	l->oldest = oldest(q, wanted, addresses);
	if (!addresses)
		look_mask_status(l->status);
}
