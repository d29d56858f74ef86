/* What an upstream wants different in the message's header. */
#include "relay/edit.h"

#include "base/digest.h"

#include <string.h>

enum { HEADER_MAX = 256 * 1024 };	/* what is beyond is content to us */

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

/* Cuts one field with its folded lines from the front; false at the end of the header. */
static bool
next_field(struct str *rest, struct str *field)
{
	const char *p = rest->p, *end = p + rest->n, *nl;

	if (rest->n == 0 || *p == '\r')
		return false;
	do {
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl != NULL ? nl + 1 : end;
	} while (p < end && (*p == ' ' || *p == '\t'));
	*field = (struct str){ rest->p, (size_t)(p - rest->p) };
	*rest = str_from(*rest, field->n);
	return true;
}

static bool
is_named(struct str field, const char *name)
{
	struct str part;

	return str_split(&field, ':', &part) && str_iis(str_trim(part), name);
}

static bool
has_field(struct str header, const char *name)
{
	struct str field;

	while (next_field(&header, &field))
		if (is_named(field, name))
			return true;
	return false;
}

/* The fields at the start of the content, as far as HEADER_MAX. */
static int
read_header(struct job *j, struct buf *out, struct why *why)
{
	struct str rest, field;
	char piece[4096];
	size_t octets = 0;
	int64_t n;

	spool_read_rewind(j->body);
	while (out->len < HEADER_MAX) {
		n = spool_read(j->body, piece, sizeof piece, why);
		if (n < 0)
			return -1;
		buf_put(out, piece, (size_t)n);
		if (n == 0 || memmem(out->data, out->len, "\r\n\r\n", 4) != NULL)
			break;
	}
	for (rest = buf_str(out); next_field(&rest, &field);)
		octets += field.n;
	buf_cut(out, octets);
	return 0;
}

/* Those that a reply has not put off or refused. */
static bool
is_in(const struct job *j, unsigned rcpt)
{
	return j->result[rcpt].kind == OUTCOME_NONE;
}

/* The same for the same message to the same recipients, and for nothing else. */
static void
put_key(struct buf *out, const char *name, const struct job *j, const unsigned *rcpt, unsigned nrcpt, const char *hostname)
{
	unsigned char digest[32];
	struct buf data = { 0 };

	buf_put_u64(&data, j->id);
	for (unsigned i = 0; i < nrcpt; i++)
		if (is_in(j, rcpt[i]))
			buf_put_text(&data, str_of(j->envelope->rcpt[j->rcpt[rcpt[i]]].address));
	digest_hmac_sha256(digest, str_of(hostname), buf_str(&data));
	buf_clear(&data);
	buf_printf(out, "%s: ", name);
	for (size_t i = 0; i < 16; i++)
		buf_printf(out, "%02x", digest[i]);
	buf_puts(out, "\r\n");
}

/* The octets before the "<" of the field's first address; 0: it has none, or another one without brackets stands before it.
 * In a quoted name and in a comment (RFC 5322 3.2.2, 3.2.4) these signs mean nothing. */
static size_t
before_angle(struct str field)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < field.n; i++)
		switch (field.p[i]) {
		case '\\':
			i += quoted || depth > 0;
			break;
		case '"':
			quoted ^= depth == 0;
			break;
		case '(':
			depth += !quoted;
			break;
		case ')':
			depth -= !quoted && depth > 0;
			break;
		case '<':
		case ',':
			if (!quoted && depth == 0)
				return field.p[i] == '<' ? i : 0;
			break;
		}
	return 0;
}

/* Keeps the name that people read, folded as it is. */
static void
put_from(struct buf *out, struct str field, const char *sender)
{
	size_t n = before_angle(field);

	if (n == 0)
		buf_printf(out, "From: %s\r\n", sender);
	else
		buf_printf(out, "%.*s<%s>\r\n", (int)n, field.p, sender);
}

static void
put_rewritten(struct buf *out, struct str header, const char *sender)
{
	struct str field;

	while (next_field(&header, &field)) {
		if (is_named(field, "From"))
			put_from(out, field, sender);
		else
			buf_putstr(out, field);
	}
}

bool
edit_is_keyed(const struct upstream *u)
{
	return is_set(u->idempotency_header);
}

int
edit_content(struct content *c, struct job *j, const unsigned *rcpt, unsigned nrcpt, const struct config *config,
    const struct upstream *u, struct why *why)
{
	bool key = edit_is_keyed(u);
	bool from = u->rewrite_from && is_set(u->sender) && is_set(j->sender);	/* a bounce stays what it is */
	struct buf header = { 0 }, head = { 0 };

	if (!key && !from)
		return 0;
	if (read_header(j, &header, why) < 0) {
		buf_clear(&header);
		return -1;
	}
	if (key && !has_field(buf_str(&header), u->idempotency_header))
		put_key(&head, u->idempotency_header, j, rcpt, nrcpt, config->hostname);
	if (from)
		put_rewritten(&head, buf_str(&header), j->sender);
	content_replace(c, &head, from ? header.len : 0);
	buf_clear(&header);
	return 0;
}

int
edit_again(struct content *c, struct job *j, const unsigned *rcpt, unsigned nrcpt, const struct config *config,
    const struct upstream *u, bool chunked, struct why *why)
{
	bool all = true;

	for (unsigned i = 0; i < nrcpt; i++)
		all = all && is_in(j, rcpt[i]);
	if (all || !edit_is_keyed(u))
		return 0;
	if (edit_content(c, j, rcpt, nrcpt, config, u, why) < 0)
		return -1;
	return content_start(c, chunked, why);
}
