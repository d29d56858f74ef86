/* Outcomes: made presentable when they are set, so that nobody need think of it later. */
#include "mail/outcome.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 2048 };

/* Where nobody gave a better one. */
static const char *const default_status[] = {
	[OUTCOME_NONE] = "",
	[OUTCOME_SENT] = "2.0.0",
	[OUTCOME_DEFER] = "4.0.0",
	[OUTCOME_REFUSE] = "5.0.0",
	[OUTCOME_AGAIN] = "4.0.0",
};
static_assert(sizeof default_status / sizeof default_status[0] == OUTCOMES, "a kind has no status");

void
outcome_clear(struct outcome *o)
{
	free(o->text);
	*o = (struct outcome){ 0 };
}

/* The lines of a reply joined by blanks, escaped, and cut, but not inside an
 * escape; NULL for nothing. */
static char *
present(struct str text)
{
	struct buf b = { 0 };
	struct str line;

	if (text.n == 0)
		return NULL;
	while (b.len <= TEXT_MAX && str_split(&text, '\n', &line)) {
		if (b.len > 0)
			buf_putc(&b, ' ');
		line.n = line.n < TEXT_MAX ? line.n : TEXT_MAX;
		str_safe(&b, line, false);
	}
	if (b.len > TEXT_MAX) {
		const char *escape = memrchr(b.data + TEXT_MAX - 3, '\\', 3);

		buf_cut(&b, escape != NULL ? (size_t)(escape - b.data) : TEXT_MAX);
	}
	return buf_take(&b);
}

void
outcome_set(struct outcome *o, enum outcome_kind kind, int code,
    const char *status, struct str text)
{
	char *presented = present(text);	/* `text' may be o's own */
	char given[sizeof o->status];

	snprintf(given, sizeof given, "%s", status != NULL ? status : "");
	if (given[0] == '\0')
		snprintf(given, sizeof given, "%s", default_status[kind]);
	outcome_clear(o);
	o->kind = kind;
	o->code = (short)code;
	memcpy(o->status, given, sizeof given);
	o->text = presented;
}

void
outcome_copy(struct outcome *to, const struct outcome *from)
{
	char *text;

	if (to == from)
		return;
	text = mem_text(from->text);
	outcome_clear(to);
	*to = *from;
	to->text = text;
}

const char *
tls_mode_name(enum tls_mode m)
{
	static const char *const names[] = { "none", "starttls", "implicit" };

	return names[m];
}

void
outcome_encode(struct buf *b, const struct outcome *o)
{
	buf_put_u8(b, (uint8_t)o->kind);
	buf_put_u8(b, o->maybe);
	buf_put_u16(b, (uint16_t)o->code);
	buf_put_text(b, str_of(o->status));
	buf_put_text(b, str_of(o->text));
}

int
outcome_decode(struct cursor *c, struct outcome *o)
{
	uint8_t kind = cursor_u8(c), maybe = cursor_u8(c);
	uint16_t code = cursor_u16(c);
	struct str status = cursor_text(c), text = cursor_text(c);
	char given[sizeof o->status] = "";

	outcome_clear(o);
	if (c->bad || kind >= OUTCOMES || maybe > 1 || code > 999 ||
	    status.n >= sizeof given || str_has_control(status) ||
	    !str_is_ascii(status) || text.n > TEXT_MAX)
		return -1;
	memcpy(given, status.p, status.n);
	outcome_set(o, kind, code, given, text);
	o->maybe = maybe;
	return 0;
}
