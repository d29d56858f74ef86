/*
 * Columns are as wide as what stands in them; the last one ends where it ends.  On a terminal that is too narrow the
 * columns that do not fit go to a second line, alike in all rows, and the last one is broken at blanks.  Nothing is cut
 * off: people copy from tables.
 */
#include "command/table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "command/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const tints[] = {
	[TINT_NONE] = "", [TINT_BOLD] = "\033[1m", [TINT_FAINT] = "\033[2m",
	[TINT_GOOD] = "\033[32m", [TINT_WARN] = "\033[33m", [TINT_BAD] = "\033[31m",
};
_Static_assert(sizeof tints / sizeof tints[0] == TINTS, "a sequence for each tint");

enum { GAP = 2, ACROSS_INDENT = 4, LAST_LEAST = 40 };

void
table_init(struct table *t, unsigned columns, unsigned indent, bool colour)
{
	if (columns == 0 || columns > TABLE_COLUMNS_MAX)
		bug("table of %u columns", columns);
	*t = (struct table){ .columns = columns, .indent = indent, .colour = colour, .screen = screen_width() };
}

void
table_clear(struct table *t)
{
	buf_clear(&t->text);
	free(t->cell);
	*t = (struct table){ 0 };
}

/* In characters, each taken to be one place wide. */
static unsigned
width_of(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void
table_put(struct table *t, enum tint tint, const char *text)
{
	unsigned column = (unsigned)(t->ncell % t->columns);
	struct table_cell *c;

	if (t->ncell == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->cell = mem_resize(t->cell, t->cap, sizeof *t->cell);
	}
	c = &t->cell[t->ncell++];
	*c = (struct table_cell){ .at = t->text.len, .tint = tint };
	str_safe(&t->text, str_of(text), true);
	c->n = t->text.len - c->at;
	c->width = c->n == 0 ? 0 : width_of((struct str){ t->text.data + c->at, c->n });
	if (column + 1 < t->columns && c->width > t->width[column])
		t->width[column] = c->width;
}

void
table_row(struct table *t, enum tint tint, const char *text)
{
	size_t first = t->ncell;
	unsigned width = t->width[0];

	table_put(t, tint, text);
	t->cell[first].across = true;
	t->width[0] = width;
	while (t->ncell % t->columns != 0)
		table_put(t, TINT_NONE, "");
}

void
table_putf(struct table *t, enum tint tint, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	table_put(t, tint, text);
}

void
table_say(struct buf *out, bool colour, enum tint tint, const char *text)
{
	colour = colour && tint != TINT_NONE;
	if (colour)
		buf_puts(out, tints[tint]);
	str_safe(out, str_of(text), true);
	if (colour)
		buf_puts(out, "\033[0m");
}

static void
blanks(struct buf *out, unsigned n)
{
	buf_printf(out, "%*s", (int)n, "");
}

/* How much of the text fits, up to a blank; a word that is too long stays whole. */
static size_t
fitting(struct str s, unsigned places)
{
	size_t best = 0;

	for (size_t i = 0; i <= s.n; i++)
		if (i == s.n || s.p[i] == ' ') {
			if (best > 0 && width_of((struct str){ s.p, i }) > places)
				return best;
			best = i;
		}
	return best;
}

/* From column `at' on, there again in the next lines. */
static void
say_broken(const struct table *t, const struct table_cell *c, unsigned at, struct buf *out)
{
	struct str rest = { t->text.data + c->at, c->n };
	unsigned places = t->screen > at ? t->screen - at : 1;

	while (rest.n > 0) {
		size_t n = t->screen == 0 ? rest.n : fitting(rest, places);
		char *line;

		if (n == 0)	/* it begins with a blank */
			n = 1;
		line = mem_textn(rest.p, n);
		table_say(out, t->colour, c->tint, line);
		free(line);
		rest.p += n;
		rest.n -= n;
		while (rest.n > 0 && rest.p[0] == ' ') {
			rest.p++;
			rest.n--;
		}
		if (rest.n > 0) {
			buf_putc(out, '\n');
			blanks(out, at);
		}
	}
}

static unsigned
longest_word(const struct table *t, const struct table_cell *c)
{
	struct str s = { t->text.data + c->at, c->n };
	unsigned longest = 0;
	size_t from = 0;

	for (size_t i = 0; i <= s.n; i++)
		if (i == s.n || s.p[i] == ' ') {
			unsigned n = width_of((struct str){ s.p + from, i - from });

			longest = n > longest ? n : longest;
			from = i + 1;
		}
	return longest;
}

/* Does the cell after `column' have to go to the next line? */
static bool
is_too_far(const struct table *t, const struct table_cell *row, unsigned i, unsigned column)
{
	unsigned last = t->columns - 1, need = i < last ? t->width[i] : row[i].width;

	if (t->screen == 0 || i == 0 || column + GAP + need <= t->screen)
		return false;
	return i < last || column + GAP + LAST_LEAST > t->screen || column + GAP + longest_word(t, &row[i]) > t->screen;
}

/* What lies between a row's last text and its end is left out. */
static void
print_row(const struct table *t, const struct table_cell *row, unsigned n, struct buf *out)
{
	unsigned column = row[0].across ? t->indent + ACROSS_INDENT : t->indent, pad = 0;

	while (n > 0 && row[n - 1].n == 0)
		n--;
	blanks(out, column);
	for (unsigned i = 0; i < n; i++) {
		if (is_too_far(t, row, i, column + pad)) {
			column = t->indent + ACROSS_INDENT;
			buf_putc(out, '\n');
			blanks(out, column);
		} else if (i > 0) {
			blanks(out, pad + GAP);
			column += pad + GAP;
		}
		say_broken(t, &row[i], column, out);
		column += row[i].width;
		pad = t->width[i] > row[i].width ? t->width[i] - row[i].width : 0;
	}
	buf_putc(out, '\n');
}

void
table_print(struct table *t, struct buf *out)
{
	for (size_t i = 0; i < t->ncell; i += t->columns) {
		size_t left = t->ncell - i;

		print_row(t, &t->cell[i], left < t->columns ? (unsigned)left : t->columns, out);
	}
	t->ncell = 0;
	buf_cut(&t->text, 0);
}

bool
table_wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || no[0] == '\0') && isatty(STDOUT_FILENO) &&
	    (term == NULL || strcmp(term, "dumb") != 0);
}

void
table_size(char *out, size_t size, uint64_t octets)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	double n = (double)octets;
	unsigned u = 0;

	while (n >= 1023.95 && u + 1 < sizeof units / sizeof units[0]) {
		n /= 1024;
		u++;
	}
	snprintf(out, size, u == 0 || n >= 99.95 ? "%.0f %s" : "%.1f %s", n, units[u]);
}

void
table_span(char *out, size_t size, int64_t s)
{
	clock_print_span(out, size, s > INT64_MAX / 1000 ? INT64_MAX : s * 1000);
}

int
table_out(struct buf *b)
{
	struct buf folded = { 0 };
	bool ok;

	screen_fold(&folded, buf_str(b), screen_width());
	ok = folded.len == 0 || fwrite(folded.data, 1, folded.len, stdout) == folded.len;
	buf_clear(&folded);
	buf_cut(b, 0);
	return ok && fflush(stdout) == 0 ? 0 : -1;
}
