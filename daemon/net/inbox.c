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
keep(struct inbox *b, char *p, size_t n)
{
	if (n == 0)
		return;
	buf_put_secret(&b->kept, p, n);
	explicit_bzero(p, n);
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
	keep(b, p, n);
}

void
inbox_keep(struct inbox *b)
{
	keep(b, (char *)b->lent.p, b->lent.n);
	b->lent = (struct str){ 0 };
}

void
inbox_clear(struct inbox *b)
{
	buf_wipe(&b->kept);
	b->consumed = 0;
	b->lent = (struct str){ 0 };
}
