/* What a terminal is told besides text.  Sequences are those that every terminal of today knows. */
#include "command/screen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NARROWEST = 20, HANG = 4 };

static bool is_open;

static const char enter[] = "\033[?1049h\033[?25l", leave[] = "\033[?25h\033[?1049l";

static bool
find_size(struct winsize *ws)
{
	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, ws) == 0;
}

unsigned
screen_width(void)
{
	struct winsize ws;

	return find_size(&ws) && ws.ws_col >= NARROWEST ? ws.ws_col : 0;
}

/* --- lines ------------------------------------------------------------------------ */

/* In places, without our own colours. */
static unsigned
width_of(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\033')
			while (i + 1 < s.n && s.p[i] != 'm')
				i++;
		else
			n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	}
	return n;
}

static size_t
count_blanks(struct str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && s.p[at + n] == ' ')
		n++;
	return n;
}

static void
fold_line(struct buf *out, struct str line, unsigned width)
{
	size_t indent = count_blanks(line, 0), i = 0;
	unsigned column = 0;

	indent = indent + HANG < width / 2 ? indent + HANG : HANG;
	while (i < line.n) {
		size_t blanks = count_blanks(line, i), from = i + blanks, to = from;
		unsigned n;

		while (to < line.n && line.p[to] != ' ')
			to++;
		n = width_of((struct str){ line.p + from, to - from });
		if (column > 0 && column + blanks + n > width) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = (unsigned)indent;
		} else {
			buf_printf(out, "%*s", (int)blanks, "");
			column += (unsigned)blanks;
		}
		buf_put(out, line.p + from, to - from);
		column += n;
		i = to;
	}
}

void
screen_fold(struct buf *out, struct str text, unsigned width)
{
	while (text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);
		struct str line = { text.p, end != NULL ? (size_t)(end - text.p) : text.n };

		if (width == 0 || width_of(line) <= width)
			buf_put(out, line.p, line.n);
		else
			fold_line(out, line, width);
		if (end == NULL)
			return;
		buf_putc(out, '\n');
		text.p = end + 1;
		text.n -= line.n + 1;
	}
}

/* --- a stranger's text -------------------------------------------------------------- */

/* Octets at the end that begin a character of UTF-8 and do not end it, or a CR whose LF is to come. */
static size_t
count_unended(struct str s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		unsigned char c = (unsigned char)s.p[s.n - n];

		if (n == 1 && c == '\r')
			return 1;
		if (c < 0x80)
			return 0;
		if (c >= 0xc0)
			return n < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? n : 0;
	}
	return 0;
}

static void
tame_whole(struct buf *out, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i <= s.n; i++) {
		bool crlf = i + 1 < s.n && s.p[i] == '\r' && s.p[i + 1] == '\n';

		if (i < s.n && s.p[i] != '\n' && s.p[i] != '\t' && !crlf)
			continue;
		str_safe(out, (struct str){ s.p + from, i - from }, true);
		if (crlf)
			i++;
		if (i < s.n)
			buf_putc(out, s.p[i]);
		from = i + 1;
	}
}

void
screen_tame(struct buf *out, struct buf *kept, struct str text, bool last)
{
	size_t unended;

	buf_put(kept, text.p, text.n);
	unended = last || kept->len == 0 ? 0 : count_unended(buf_str(kept));
	if (kept->len > unended)
		tame_whole(out, (struct str){ kept->data, kept->len - unended });
	buf_drop(kept, kept->len - unended);
}

/* --- a picture ------------------------------------------------------------------------ */

static void
say(const char *p, size_t n)
{
	if (write(STDOUT_FILENO, p, n) < 0)
		return;			/* the terminal has gone, and we go too */
}

static void
on_signal(int number)
{
	say(leave, sizeof leave - 1);
	if (number == SIGINT)
		_exit(0);
	signal(number, SIG_DFL);
	raise(number);
}

bool
screen_can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
}

void
screen_open(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NODEFER };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &sa, NULL);
	is_open = true;
	say(enter, sizeof enter - 1);
}

/* Over the old one, line by line, so that nothing flickers. */
void
screen_draw(struct str text)
{
	struct buf folded = { 0 }, out = { 0 };
	struct winsize ws = { 0 };
	unsigned row = 0;
	struct str rest;

	(void)find_size(&ws);
	screen_fold(&folded, text, ws.ws_col);
	buf_puts(&out, "\033[H");
	for (rest = buf_str(&folded); rest.n > 0 && (ws.ws_row == 0 || row < ws.ws_row); row++) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end != NULL ? (size_t)(end - rest.p) : rest.n;

		if (row > 0)
			buf_putc(&out, '\n');
		buf_puts(&out, "\033[K");	/* before the text: behind a full line it would take the last letter */
		buf_put(&out, rest.p, n);
		buf_puts(&out, "\033[0m");
		n += end != NULL;
		rest.p += n;
		rest.n -= n;
	}
	if (ws.ws_row == 0 || row < ws.ws_row)
		buf_puts(&out, "\n\033[J");
	say(out.data, out.len);
	buf_clear(&folded);
	buf_clear(&out);
}

void
screen_close(void)
{
	if (!is_open)
		return;
	is_open = false;
	say(leave, sizeof leave - 1);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
}
