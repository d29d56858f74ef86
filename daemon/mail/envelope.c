/*
 * Envelopes and how they are written to the spool: a fixed start of 24 octets
 * (format, flags, RET, a spare one, recipients, size, arrival), then the texts.  A
 * text that may be missing is preceded by 0 or 1.
 */
#include "mail/envelope.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "mail/address.h"

#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1 };
enum { FLAG_8BIT = 1, FLAG_UTF8 = 2, FLAG_BOUNCE = 4, FLAGS = 7 };

/* Far above what commands allow; what is longer was not written by us. */
enum { STRING_MAX = 4096 };

/* What the smallest recipient takes. */
enum { RCPT_MIN = 4 + 1 + 1 };

struct envelope *
envelope_new(void)
{
	struct envelope *e = mem_zero(sizeof *e);

	e->sender = mem_text("");
	e->user = mem_text("");
	return e;
}

void
envelope_free(struct envelope **ep)
{
	struct envelope *e = *ep;

	if (e == NULL)
		return;
	for (unsigned i = 0; i < e->nrcpt; i++) {
		free(e->rcpt[i].address);
		free(e->rcpt[i].orcpt);
		outcome_clear(&e->rcpt[i].last);
	}
	free(e->rcpt);
	free(e->sender);
	free(e->user);
	free(e->envid);
	free(e);
	*ep = NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The next recipient; the array doubles whenever it is full. */
static struct recipient *
new_recipient(struct envelope *e)
{
	if ((e->nrcpt & (e->nrcpt - 1)) == 0)
		e->rcpt = mem_resize(e->rcpt, e->nrcpt > 0 ? e->nrcpt * 2 : 1,
		    sizeof *e->rcpt);
	e->rcpt[e->nrcpt] = (struct recipient){ .state = RCPT_WAITING };
	return &e->rcpt[e->nrcpt++];
}

/* The case of a domain makes no other recipient, so that it does not count. */
static uint32_t
hash_of(const char *address)
{
	struct str local = address_local(str_of(address));

	return crc32c(0, local.p, local.n);
}

bool
envelope_add(struct envelope *e, const char *address, const char *orcpt,
    uint8_t notify)
{
	uint32_t hash = hash_of(address);
	struct recipient *r;

	for (unsigned i = 0; i < e->nrcpt; i++) {
		r = &e->rcpt[i];
		if (r->hash == hash && r->notify == notify &&
		    address_eq(str_of(r->address), str_of(address)) && same_text(r->orcpt, orcpt))
			return false;
	}
	r = new_recipient(e);
	r->address = mem_text(address);
	r->orcpt = mem_text(orcpt);
	r->notify = notify;
	r->hash = hash;
	return true;
}

static void
put_optional(struct buf *b, const char *text)
{
	buf_put_u8(b, text != NULL);
	if (text != NULL)
		buf_put_text(b, str_of(text));
}

void
envelope_encode(struct buf *b, const struct envelope *e)
{
	buf_put_u8(b, FORMAT);
	buf_put_u8(b, (e->is_8bit ? FLAG_8BIT : 0) | (e->is_utf8 ? FLAG_UTF8 : 0) |
	    (e->is_bounce ? FLAG_BOUNCE : 0));
	buf_put_u8(b, (uint8_t)e->ret);
	buf_put_u8(b, 0);
	buf_put_u32(b, e->nrcpt);
	buf_put_u64(b, e->size);
	buf_put_u64(b, (uint64_t)e->arrived_wall_s);
	buf_put_text(b, str_of(e->sender));
	buf_put_text(b, str_of(e->user));
	put_optional(b, e->envid);
	for (unsigned i = 0; i < e->nrcpt; i++) {
		buf_put_text(b, str_of(e->rcpt[i].address));
		put_optional(b, e->rcpt[i].orcpt);
		buf_put_u8(b, e->rcpt[i].notify);
	}
}

/* The fixed start; the three octets that a peek does not want into rest. */
static bool
take_start(struct cursor *c, struct envelope_peek *out, uint8_t rest[3])
{
	if (cursor_u8(c) != FORMAT)
		return false;
	for (unsigned i = 0; i < 3; i++)
		rest[i] = cursor_u8(c);
	out->nrcpt = cursor_u32(c);
	out->size = cursor_u64(c);
	out->arrived_wall_s = (int64_t)cursor_u64(c);
	out->is_8bit = rest[0] & FLAG_8BIT;
	out->is_utf8 = rest[0] & FLAG_UTF8;
	out->is_bounce = rest[0] & FLAG_BOUNCE;
	return !c->bad && rest[0] <= FLAGS && rest[1] <= RET_HDRS && rest[2] == 0;
}

bool
envelope_peek(struct str head, struct envelope_peek *out)
{
	struct cursor c = cursor_init(head.p, head.n);
	uint8_t rest[3];

	return take_start(&c, out, rest);
}

/* A text as C wants it; NULL, and the cursor bad, if it cannot be one of ours. */
static char *
take_string(struct cursor *c)
{
	struct str s = cursor_text(c);

	if (s.n > STRING_MAX || str_has_control(s))
		c->bad = true;
	return c->bad ? NULL : str_dup(s);
}

static char *
take_optional(struct cursor *c)
{
	uint8_t given = cursor_u8(c);

	if (given > 1)
		c->bad = true;
	return given == 1 ? take_string(c) : NULL;
}

static void
take_recipient(struct cursor *c, struct envelope *e)
{
	struct recipient *r = new_recipient(e);

	r->address = take_string(c);
	r->orcpt = take_optional(c);
	r->notify = cursor_u8(c);
	if (r->address != NULL)
		r->hash = hash_of(r->address);
}

struct envelope *
envelope_decode(struct str bytes)
{
	struct cursor c = cursor_init(bytes.p, bytes.n);
	struct envelope_peek start;
	struct envelope *e;
	uint8_t rest[3];

	if (!take_start(&c, &start, rest) || start.nrcpt > c.left / RCPT_MIN)
		return NULL;
	e = mem_zero(sizeof *e);
	e->is_8bit = start.is_8bit;
	e->is_utf8 = start.is_utf8;
	e->is_bounce = start.is_bounce;
	e->ret = rest[1];
	e->size = start.size;
	e->arrived_wall_s = start.arrived_wall_s;
	e->sender = take_string(&c);
	e->user = take_string(&c);
	e->envid = take_optional(&c);
	while (!c.bad && e->nrcpt < start.nrcpt)
		take_recipient(&c, e);
	if (c.bad || c.left > 0)
		envelope_free(&e);
	return e;
}

unsigned
envelope_open(const struct envelope *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->nrcpt; i++)
		n += e->rcpt[i].state == RCPT_WAITING ||
		    e->rcpt[i].state == RCPT_OUT;
	return n;
}
