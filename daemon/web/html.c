/* Text into HTML.  All that is not written in this room goes through here. */
#include "web/html.h"

#define REPLACEMENT "\xef\xbf\xbd"

void
html_put(struct buf *out, const char *text)
{
	for (struct str s = str_of(text); s.n > 0;) {
		size_t n = str_character(s);

		if (n == 0 || (unsigned char)s.p[0] < ' ' || s.p[0] == 0x7f)
			buf_puts(out, s.p[0] == '\t' ? " " : REPLACEMENT);
		else if (s.p[0] == '&')
			buf_puts(out, "&amp;");
		else if (s.p[0] == '<')
			buf_puts(out, "&lt;");
		else if (s.p[0] == '>')
			buf_puts(out, "&gt;");
		else if (s.p[0] == '"')
			buf_puts(out, "&quot;");
		else if (s.p[0] == '\'')
			buf_puts(out, "&#39;");
		else
			buf_put(out, s.p, n);
		s = str_from(s, n > 0 ? n : 1);
	}
}

void
html_put_foreign(struct buf *out, const char *text)
{
	buf_puts(out, "<bdi>");
	html_put(out, text);
	buf_puts(out, "</bdi>");
}
