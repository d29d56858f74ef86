/*
 * The header's automaton.  A line in the header is a field's first (name, colon,
 * value), a field's next (begins with a blank), the empty one that ends the header, or
 * none of these, and then the header has ended without it.  Only the name is held
 * back; values and the body pass in runs.
 */
#include "mail/fixup.h"

#include "base/ident.h"
#include "mail/addrlist.h"

#include <string.h>

enum {
	START,		/* at the start of a line */
	EMPTY,		/* behind a CR there */
	NAME,
	VALUE,
	BODY
};

enum field { NO_FIELD, OTHER, DATE, FROM, SENDER, MESSAGE_ID, RECEIVED, UNWANTED };

enum { NAME_MAX_OCTETS = 998 };	/* RFC 5322 2.1.1: no line is longer */

void
fixup_init(struct fixup *f, const char *hostname)
{
	*f = (struct fixup){ .hostname = hostname, .state = START };
}

void
fixup_clear(struct fixup *f)
{
	buf_clear(&f->from);
	buf_clear(&f->sender);
	buf_clear(&f->value);
	buf_clear(&f->held);
}

static bool
is_8bit(const char *p, size_t n)
{
	uint64_t w, all = 0;

	for (; n >= sizeof w; p += sizeof w, n -= sizeof w) {
		memcpy(&w, p, sizeof w);
		all |= w;
	}
	for (; n > 0; p++, n--)
		all |= (unsigned char)*p;
	return (all & UINT64_MAX / 255 * 128) != 0;
}

static void
pass(struct fixup *f, const char *p, size_t n, struct buf *out)
{
	bool *flag = f->state == BODY || f->loose ? &f->has_8bit :
	    &f->has_8bit_header;

	if (!*flag && is_8bit(p, n))
		*flag = f->has_8bit = true;
	buf_put(out, p, n);
}

static void
pass_held(struct fixup *f, struct buf *out)
{
	pass(f, buf_str(&f->held).p, f->held.len, out);
	buf_cut(&f->held, 0);
}

static enum field
name_field(struct str name)
{
	static const struct {
		const char *name;
		enum field field;
	} fields[] = {
		{ "Received", RECEIVED }, { "Date", DATE }, { "From", FROM },
		{ "Sender", SENDER }, { "Message-ID", MESSAGE_ID },
		{ "Bcc", UNWANTED }, { "Resent-Bcc", UNWANTED },
		{ "Return-Path", UNWANTED },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (str_iis(name, fields[i].name))
			return fields[i].field;
	return OTHER;
}

/* Where the current field's value is kept, NULL if nobody wants it. */
static struct buf *
wanted(struct fixup *f)
{
	switch (f->field) {
	case FROM:
		return &f->from;
	case SENDER:
		return &f->sender;
	case RECEIVED:
		return &f->value;
	default:
		return NULL;
	}
}

static void
begin_field(struct fixup *f, struct str name)
{
	struct buf *value;

	f->field = name_field(str_trim(name));
	if (f->loose && f->field != FROM && f->field != SENDER)
		f->field = OTHER;
	f->dropping = f->field == UNWANTED;
	f->kept = f->kept || !f->dropping;
	f->received += f->field == RECEIVED;
	f->has_date = f->has_date || f->field == DATE;
	f->has_from = f->has_from || (f->field == FROM && !f->loose);
	f->has_message_id = f->has_message_id || f->field == MESSAGE_ID;
	value = wanted(f);
	if (value != NULL && value->len > 0 && value->len <= ADDRLIST_MAX)
		buf_puts(value, ", ");
}

/* "... by HOSTNAME with PROTOCOL id ID", as mail/trace writes it. */
static bool
is_own(struct str value, const char *hostname)
{
	enum { BY, HOST, WITH, PROTOCOL, ID, VALUE_OF_ID, WORDS };
	struct str word, seen[WORDS] = { 0 };	/* the newest comes last */
	uint64_t id;

	while (str_split(&value, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (word.p[word.n - 1] == ';')
			word.n--;
		memmove(seen, seen + 1, sizeof seen - sizeof seen[0]);
		seen[VALUE_OF_ID] = word;
		if (str_iis(seen[ID], "id") && str_iis(seen[WITH], "with") &&
		    str_iis(seen[BY], "by") && str_iis(seen[HOST], hostname) &&
		    ident_parse(word, &id))
			return true;
	}
	return false;
}

static void
end_field(struct fixup *f)
{
	if (f->field == RECEIVED && f->hostname != NULL &&
	    is_own(buf_str(&f->value), f->hostname))
		f->own++;
	buf_cut(&f->value, 0);
	f->field = NO_FIELD;
	f->dropping = false;
}

/* From here on all is body. */
static void
end_header(struct fixup *f, struct buf *out)
{
	f->state = BODY;
	pass_held(f, out);
}

/* A line that is no field, so the header is over.  But where fields stand above it,
 * some readers go on looking for more until an empty line comes: what would be a
 * From: to them is noted, and nothing else done (CVE-2025-13033's lesson). */
static void
no_field(struct fixup *f, struct buf *out)
{
	if (!f->kept) {
		f->no_header = true;
		end_header(f, out);
		return;
	}
	f->loose = true;
	f->field = OTHER;
	f->state = VALUE;
	pass_held(f, out);
}

static const char *
take_start(struct fixup *f, const char *p, struct buf *out)
{
	bool folded = *p == ' ' || *p == '\t';

	if (folded && f->field != NO_FIELD) {
		f->state = VALUE;
		return p;
	}
	end_field(f);
	if (*p == '\r') {
		buf_putc(&f->held, *p);
		f->state = EMPTY;
		return p + 1;
	}
	if (*p == '\n')
		end_header(f, out);
	else if (folded)
		no_field(f, out);
	else
		f->state = NAME;
	return p;
}

/* May c follow `before' in a field's name?  Blanks may stand before the colon (RFC
 * 5322 4.5.8), and readers know such a field. */
static bool
continues_name(char before, char c)
{
	if (c == ' ' || c == '\t')
		return before != '\0';
	return c > ' ' && c < 0x7f && c != ':' && before != ' ' && before != '\t';
}

static const char *
take_name(struct fixup *f, const char *p, const char *end, struct buf *out)
{
	const char *from = p;
	char before = f->held.len > 0 ? f->held.data[f->held.len - 1] : '\0';

	while (p < end && f->held.len + (size_t)(p - from) < NAME_MAX_OCTETS &&
	    continues_name(before, *p))
		before = *p++;
	buf_put(&f->held, from, (size_t)(p - from));
	if (p == end)
		return p;
	if (*p != ':' || f->held.len == 0) {
		no_field(f, out);
		return p;
	}
	begin_field(f, buf_str(&f->held));
	buf_putc(&f->held, ':');
	if (f->dropping)
		buf_cut(&f->held, 0);
	else
		pass_held(f, out);
	f->state = VALUE;
	return p + 1;
}

static const char *
take_value(struct fixup *f, const char *p, const char *end, struct buf *out)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));
	const char *stop = newline != NULL ? newline + 1 : end;
	struct buf *value = wanted(f);

	if (!f->dropping)
		pass(f, p, (size_t)(stop - p), out);
	if (value != NULL)
		for (const char *c = p; c < stop && value->len <= ADDRLIST_MAX; c++)
			if (*c != '\r' && *c != '\n')
				buf_putc(value, *c == '\t' ? ' ' : *c);
	if (newline != NULL)
		f->state = START;
	return stop;
}

void
fixup_feed(struct fixup *f, const char *p, size_t n, struct buf *out)
{
	const char *end = n > 0 ? p + n : p;

	f->octets += n;
	while (p < end) {
		switch (f->state) {
		case START:
			p = take_start(f, p, out);
			break;
		case EMPTY:
			if (*p == '\n')
				end_header(f, out);
			else
				no_field(f, out);
			break;
		case NAME:
			p = take_name(f, p, end, out);
			break;
		case VALUE:
			p = take_value(f, p, end, out);
			break;
		default:
			pass(f, p, (size_t)(end - p), out);
			p = end;
		}
	}
}

void
fixup_end(struct fixup *f, struct buf *out)
{
	if (f->state == NAME || f->state == EMPTY)
		no_field(f, out);
	end_field(f);
}

bool
fixup_addresses(struct str value, void (*each)(void *, struct str addr), void *arg)
{
	return addrlist_parse(value, each, arg);
}
