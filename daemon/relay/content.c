/* A message's content on its way from the spool to the wire. */
#include "relay/content.h"

enum { PIECE = 16 * 1024 };

void
content_init(struct content *c, struct spool_reader *r)
{
	*c = (struct content){ .reader = r, .octets = spool_read_octets(r) };
}

void
content_clear(struct content *c)
{
	buf_clear(&c->head);
}

void
content_replace(struct content *c, struct buf *head, size_t replaced)
{
	buf_clear(&c->head);
	c->head = *head;
	*head = (struct buf){ 0 };
	c->replaced = replaced;
	c->octets = spool_read_octets(c->reader) - replaced + c->head.len;
}

int
content_start(struct content *c, bool chunked, struct why *why)
{
	char piece[PIECE];

	spool_read_rewind(c->reader);
	dot_stuff_init(&c->dot);
	c->chunked = chunked;
	c->cr = c->headed = false;
	c->taken = 0;
	for (size_t left = c->replaced; left > 0;) {
		int64_t n = spool_read(c->reader, piece, left < PIECE ? left : PIECE, why);

		if (n <= 0)
			return n < 0 ? -1 : fail(why, "it is shorter than its header");
		left -= (size_t)n;
	}
	return 0;
}

/* BDAT sends octets as they are; what they are is checked all the same. */
static bool
is_clean(struct content *c, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c->cr != (p[i] == '\n') || p[i] == '\0')
			return false;
		c->cr = p[i] == '\r';
	}
	return true;
}

static bool
put(struct content *c, struct buf *out, const char *p, size_t n)
{
	c->taken += n;
	if (!c->chunked)
		return dot_stuff(&c->dot, p, n, out) == 0;
	buf_put(out, p, n);
	return is_clean(c, p, n);
}

static enum content_result
pour(struct content *c, struct buf *out, size_t n, struct why *why)
{
	size_t start = out->len;
	char piece[PIECE];
	int64_t got;

	if (!c->headed && c->head.len > 0 && !put(c, out, c->head.data, c->head.len))
		return CONTENT_UNCLEAN;
	c->headed = true;
	/* The last octet is the end of a BDAT: it may only stand there once the reader has said that all was well. */
	while (out->len - start < n || c->taken >= c->octets) {
		got = spool_read(c->reader, piece, sizeof piece, why);
		if (got < 0)
			return CONTENT_UNREADABLE;
		if (got > 0 && !put(c, out, piece, (size_t)got))
			return CONTENT_UNCLEAN;
		if (got > 0)
			continue;
		if (c->taken != c->octets) {
			fail(why, "it is shorter or longer than its record says");
			return CONTENT_UNREADABLE;
		}
		if (!c->chunked)
			dot_stuff_end(&c->dot, out);
		return c->chunked && c->cr ? CONTENT_UNCLEAN : CONTENT_END;
	}
	return CONTENT_MORE;
}

/* Unclean because it was accepted so, or because it has rotted since?  The checksum at its end tells. */
static enum content_result
ask_checksum(struct content *c, struct why *why)
{
	char part[16 * 1024];
	int64_t n;

	while ((n = spool_read(c->reader, part, sizeof part, why)) > 0)
		;
	return n < 0 ? CONTENT_UNREADABLE : CONTENT_UNCLEAN;
}

enum content_result
content_pour(struct content *c, struct buf *out, size_t n, struct why *why)
{
	size_t start = out->len;
	enum content_result r = pour(c, out, n, why);

	if (r == CONTENT_UNREADABLE || r == CONTENT_UNCLEAN)
		buf_cut(out, start);
	return r == CONTENT_UNCLEAN ? ask_checksum(c, why) : r;
}

int
content_has_8bit(struct content *c, struct why *why)
{
	char piece[PIECE];
	int64_t n;

	spool_read_rewind(c->reader);
	while ((n = spool_read(c->reader, piece, sizeof piece, why)) > 0)
		for (int64_t i = 0; i < n; i++)
			if (piece[i] & 0x80)
				return 1;
	return (int)n;
}
