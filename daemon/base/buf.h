/*
 * A growing buffer of bytes.  Owns its memory; embed it and buf_clear it.  A
 * zeroed struct is an empty buffer.  data[len] is NUL whenever data is not NULL.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

struct buf {
	char *data;
	size_t len, cap;
};

void buf_clear(struct buf *b);			/* frees; empty again */
void buf_wipe(struct buf *b);			/* the same, for what nobody shall find */
void buf_cut(struct buf *b, size_t len);	/* shorten to len; keeps memory */
void buf_drop(struct buf *b, size_t n);		/* remove n bytes from the front */
char *buf_room(struct buf *b, size_t n);	/* room for n more; pointer to it */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_secret(struct buf *b, const void *p, size_t n);	/* what it outgrows is wiped */
void buf_puts(struct buf *b, const char *text);
void buf_putstr(struct buf *b, struct str s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) like_printf(2, 3);
void buf_put_u8(struct buf *b, uint8_t v);	/* integers: little-endian */
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_text(struct buf *b, struct str s);	/* u32 length, then the bytes */
struct str buf_str(const struct buf *b);	/* borrowed */
char *buf_take(struct buf *b);			/* NUL-terminated, caller frees; b is empty */

/* Reading back what buf_put_* wrote, from memory that nobody vouches for: */
struct cursor {
	const unsigned char *p;
	size_t left;
	bool bad;	/* something did not fit; all later reads give zeros */
};

struct cursor cursor_init(const void *p, size_t n);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
struct str cursor_text(struct cursor *c);	/* borrowed */
struct str cursor_bytes(struct cursor *c, size_t n);

#endif
