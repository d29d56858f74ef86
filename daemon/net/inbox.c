/* Input on its way to its consumer, who wipes what it has no more use for; here no copy stays behind. */
#include "net/inbox.h"

#include <string.h>

size_t
inbox_left(const struct inbox *b)
{
	return b->lent.n + b->kept.len - b->consumed;
}

struct str
inbox_get(const struct inbox *b)
{
	return b->lent.n > 0 ? b->lent : str_from(buf_str(&b->kept), b->consumed);
}

void
inbox_consume(struct inbox *b, size_t n)
{
	if (n > inbox_left(b))
		bug("inbox_consume: %zu of %zu octets", n, inbox_left(b));
	if (b->lent.n > 0)
		b->lent = str_from(b->lent, n);
	else if ((b->consumed += n) == b->kept.len)
		inbox_clear(b);
}

/* Out of the reader's memory. */
static void
keep(struct inbox *b, struct str s)
{
	if (s.n == 0)
		return;
	buf_put_secret(&b->kept, s.p, s.n);
	explicit_bzero((char *)s.p, s.n);
}

void
inbox_lend(struct inbox *b, char *p, size_t n)
{
	if (b->kept.len == 0) {
		b->lent = (struct str){ p, n };
		return;
	}
	buf_drop(&b->kept, b->consumed);
	explicit_bzero(b->kept.data + b->kept.len, b->consumed);
	b->consumed = 0;
	keep(b, (struct str){ p, n });
}

void
inbox_keep(struct inbox *b)
{
	keep(b, b->lent);
	b->lent = (struct str){ 0 };
}

void
inbox_clear(struct inbox *b)
{
	buf_wipe(&b->kept);
	b->consumed = 0;
	b->lent = (struct str){ 0 };
}
