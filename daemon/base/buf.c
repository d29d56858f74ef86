/* A growing buffer, and the cursor that reads back what was written to one. */
#include "base/buf.h"

#include "base/mem.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64 };

void
buf_clear(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void
buf_wipe(struct buf *b)
{
	mem_wipe(b->data, b->cap);
	*b = (struct buf){ 0 };
}

void
buf_put_secret(struct buf *b, const void *p, size_t n)
{
	struct buf grown = { .len = b->len, .cap = 2 * (b->len + n) + FIRST_CAP };

	if (b->len + n >= b->cap) {
		grown.data = mem_alloc(grown.cap);
		if (b->len > 0)
			memcpy(grown.data, b->data, b->len);
		buf_wipe(b);
		*b = grown;
	}
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_cut(struct buf *b, size_t len)
{
	if (len > b->len)
		bug("buf_cut: %zu of %zu bytes", len, b->len);
	b->len = len;
	if (b->data != NULL)
		b->data[len] = '\0';
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n > b->len)
		bug("buf_drop: %zu of %zu bytes", n, b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t need, cap;

	if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		bug("buf_room: %zu bytes after %zu", n, b->len);
	need = b->len + n + 1;
	if (need > b->cap) {
		cap = b->cap > 0 ? b->cap * 2 : FIRST_CAP;
		if (cap < need)
			cap = need;
		b->data = mem_resize(b->data, cap, 1);
		b->cap = cap;
		b->data[b->len] = '\0';
	}
	return b->data + b->len;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (n > 0)
		memcpy(to, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_puts(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void
buf_putstr(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

void
buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char *to = buf_room(b, FIRST_CAP);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(to, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		bug("buf_printf: \"%s\"", fmt);
	if ((size_t)n >= b->cap - b->len) {
		to = buf_room(b, (size_t)n);
		va_start(ap, fmt);
		vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, sizeof v);
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_put(b, &v, sizeof v);
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_put(b, &v, sizeof v);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_put(b, &v, sizeof v);
}

void
buf_put_text(struct buf *b, struct str s)
{
	if (s.n > UINT32_MAX)
		bug("buf_put_text: %zu bytes", s.n);
	buf_put_u32(b, (uint32_t)s.n);
	buf_putstr(b, s);
}

struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->data != NULL ? b->data : "", b->len };
}

char *
buf_take(struct buf *b)
{
	char *text;

	*buf_room(b, 0) = '\0';
	text = b->data;
	*b = (struct buf){ 0 };
	return text;
}

struct cursor
cursor_init(const void *p, size_t n)
{
	return (struct cursor){ p, n, false };
}

/* Copies the next n bytes, or zeros. */
static void
read_bytes(struct cursor *c, void *out, size_t n)
{
	struct str s = cursor_bytes(c, n);

	if (c->bad)
		memset(out, 0, n);
	else
		memcpy(out, s.p, n);
}

uint8_t
cursor_u8(struct cursor *c)
{
	uint8_t v;

	read_bytes(c, &v, sizeof v);
	return v;
}

uint16_t
cursor_u16(struct cursor *c)
{
	uint16_t v;

	read_bytes(c, &v, sizeof v);
	return le16toh(v);
}

uint32_t
cursor_u32(struct cursor *c)
{
	uint32_t v;

	read_bytes(c, &v, sizeof v);
	return le32toh(v);
}

uint64_t
cursor_u64(struct cursor *c)
{
	uint64_t v;

	read_bytes(c, &v, sizeof v);
	return le64toh(v);
}

struct str
cursor_text(struct cursor *c)
{
	return cursor_bytes(c, cursor_u32(c));
}

struct str
cursor_bytes(struct cursor *c, size_t n)
{
	struct str s = { (const char *)c->p, n };

	if (c->bad || n > c->left) {
		c->bad = true;
		return STR("");
	}
	if (n == 0)
		return STR("");
	c->p += n;
	c->left -= n;
	return s;
}
