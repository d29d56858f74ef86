/* The text that libconfuse gets, without escapes, variables and comments of the user's making. */
#include "config/plain.h"

#include "base/mem.h"

enum { TEXT_BYTES_MAX = 16 << 20 };

/* Room in the text for what stands in this line of the file. */
static int
begin(struct include *in, struct origin here)
{
	const struct origin *last = in->norigin > 0 ?
	    &in->origin[in->norigin - 1] : NULL;

	if (in->text.len > TEXT_BYTES_MAX)
		return -1;
	if (last != NULL && last->file == here.file && last->line == here.line)
		return 0;
	if (last != NULL)
		buf_putc(&in->text, '\n');
	if (in->origin == NULL || (in->norigin & (in->norigin - 1)) == 0)	/* grows by doubling */
		in->origin = mem_resize(in->origin,
		    in->norigin > 0 ? in->norigin * 2 : 1, sizeof *in->origin);
	in->origin[in->norigin++] = here;
	return 0;
}

int
plain_put(struct include *in, unsigned file, const struct scan *s, enum scan_token t)
{
	static const char marks[] = {
		[SCAN_EQUAL] = '=', [SCAN_OPEN] = '{', [SCAN_CLOSE] = '}',
		[SCAN_COMMA] = ',', [SCAN_PAREN] = '(', [SCAN_UNPAREN] = ')'
	};
	struct buf *text = &in->text;

	if (begin(in, (struct origin){ file, s->token_line }) < 0)
		return -1;
	if (t != SCAN_TEXT) {
		buf_putc(text, marks[t]);
		return 0;
	}
	buf_putc(text, '"');
	for (size_t i = 0; i < s->value.len; i++) {
		unsigned char c = (unsigned char)s->value.data[i];

		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '$')
			buf_printf(text, "\\x%02x", c);
		else
			buf_putc(text, (char)c);
	}
	buf_puts(text, "\" ");
	return 0;
}
