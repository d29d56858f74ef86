/* Input on its way to its consumer. */
#include "net/inbox.h"

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

void
inbox_lend(struct inbox *b, const char *p, size_t n)
{
	if (b->kept.len == 0) {
		b->lent = (struct str){ p, n };
		return;
	}
	buf_drop(&b->kept, b->consumed);
	b->consumed = 0;
	buf_put(&b->kept, p, n);
}

void
inbox_keep(struct inbox *b)
{
	if (b->lent.n > 0)
		buf_putstr(&b->kept, b->lent);
	b->lent = (struct str){ 0 };
}

void
inbox_clear(struct inbox *b)
{
	buf_clear(&b->kept);
	b->consumed = 0;
	b->lent = (struct str){ 0 };
}
