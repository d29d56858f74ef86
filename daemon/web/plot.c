/*
 * Small plots as inline SVG.  Colours come from classes: a style attribute would need a hole in the page's policy.
 * The drawing is stretched to its frame, so lettering stands beside it as text.
 */
#include "web/plot.h"

#include <inttypes.h>

enum { STEP = 10, WIDTH = STEP * (RING_MINUTES - 1), HEIGHT = 100 };

/* The next of 1, 2, 5, 10, 20 …: an axis that does not change with each sample. */
static int64_t
ceiling(int64_t most)
{
	for (int64_t ten = 1; ten <= INT64_MAX / 100; ten *= 10)
		for (int64_t k = 1; k <= 5; k = k == 1 ? 2 : k + 3)
			if (k * ten >= most)
				return k * ten;
	return most;
}

static int64_t
y_of(int64_t value, int64_t top)
{
	return HEIGHT - (int64_t)((double)value / (double)top * HEIGHT);
}

/* From a gap to the next gap: a line, and for the first series the area under it. */
static unsigned
put_run(struct buf *out, const struct plot_line *l, unsigned from, int64_t top, bool area)
{
	unsigned to = from;

	while (to < RING_MINUTES && l->value[to] >= 0)
		to++;
	if (area) {
		buf_printf(out, "<path class=\"area %s\" d=\"M%u %d", l->css, from * STEP, HEIGHT);
		for (unsigned i = from; i < to; i++)
			buf_printf(out, "L%u %" PRId64, i * STEP, y_of(l->value[i], top));
		buf_printf(out, "L%u %dZ\"/>", (to - 1) * STEP, HEIGHT);
	}
	buf_printf(out, "<path class=\"line %s\" d=\"M%u %" PRId64, l->css, from * STEP, y_of(l->value[from], top));
	for (unsigned i = from + 1; i < to; i++)
		buf_printf(out, "L%u %" PRId64, i * STEP, y_of(l->value[i], top));
	if (to == from + 1)
		buf_puts(out, from > 0 ? "h-4" : "h4");	/* or a single minute would not be seen */
	buf_puts(out, "\"/>");
	return to;
}

static void
put_line(struct buf *out, const struct plot_line *l, int64_t top, bool area)
{
	for (unsigned i = 0; i < RING_MINUTES;)
		i = l->value[i] < 0 ? i + 1 : put_run(out, l, i, top, area);
}

static int64_t
most_of(const struct plot_line *line, unsigned n)
{
	int64_t most = 0;

	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < RING_MINUTES; i++)
			most = line[k].value[i] > most ? line[k].value[i] : most;
	return most;
}

void
plot_put(struct buf *out, const char *title, const char *unit, const struct plot_line *line, unsigned n)
{
	int64_t most = most_of(line, n), top = ceiling(most);

	buf_printf(out, "<figure><figcaption><b>%s</b>", title);
	for (unsigned k = 0; n > 1 && k < n; k++)
		buf_printf(out, " <span class=\"key %s\">%s</span>", line[k].css, line[k].label);
	buf_printf(out, "</figcaption><div class=\"top\">%" PRId64 "%s</div>"
	    "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s over the last hour; "
	    "at most %" PRId64 "%s\"><path class=\"grid\" d=\"M0 0H%dM0 50H%dM0 100H%d\"/>", top, unit, WIDTH, HEIGHT, title,
	    most, unit, WIDTH, WIDTH, WIDTH);
	for (unsigned k = 0; k < n; k++)
		put_line(out, &line[k], top, k == 0);
	buf_puts(out, "</svg><div class=\"axis\"><span>1 h ago</span><span>30 min</span><span>now</span></div></figure>\n");
}
