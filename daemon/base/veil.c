/* Secrets in what strangers say: looked for as they are and in base 64. */
#include "base/veil.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

enum { ALIGNMENTS = 3 };

static void
add(struct veil *v, const char *p, size_t n)
{
	if (n < VEIL_LEAST)
		return;
	(void)buf_room(&v->word[v->n], n);
	buf_put(&v->word[v->n++], p, n);
}

/* The characters that depend on the secret alone, when `before' octets modulo 3 stand in front of it. */
static void
add_coded(struct veil *v, const char *secret, size_t n, size_t before)
{
	struct buf raw = { 0 }, coded = { 0 };
	size_t from = (before * 8 + 5) / 6, to = (before + n) * 8 / 6;

	(void)buf_room(&raw, before + n);
	(void)buf_room(&coded, (before + n) * 2 + 8);	/* no copy is left behind by growing */
	buf_put(&raw, "\0\0", before);
	buf_put(&raw, secret, n);
	base64_put(&coded, raw.data, raw.len);
	if (to > from)
		add(v, coded.data + from, to - from);
	mem_wipe(raw.data, raw.cap);
	mem_wipe(coded.data, coded.cap);
}

void
veil_init(struct veil *v, const char *secret)
{
	size_t n = strlen(secret);

	*v = (struct veil){ 0 };
	add(v, secret, n);
	for (size_t before = 0; n >= VEIL_LEAST && before < ALIGNMENTS; before++)
		add_coded(v, secret, n, before);
}

void
veil_clear(struct veil *v)
{
	for (unsigned i = 0; i < v->n; i++)
		mem_wipe(v->word[i].data, v->word[i].cap);
	*v = (struct veil){ 0 };
}

void
veil_hide(const struct veil *v, struct buf *text)
{
	for (unsigned i = 0; i < v->n; i++) {
		const struct buf *w = &v->word[i];
		char *at = text->data, *found;

		while (at != NULL && (found = memmem(at, text->len - (size_t)(at - text->data), w->data, w->len)) != NULL) {
			char *rest = found + w->len;

			memset(found, '*', 3);
			memmove(found + 3, rest, text->len - (size_t)(rest - text->data) + 1);	/* with the NUL */
			text->len -= w->len - 3;
			at = found + 3;
		}
	}
}
