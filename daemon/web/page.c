/*
 * The status page: what an administrator wants to know first stands first.  Made anew for each request from documents whose
 * texts are partly a stranger's: each goes through html_put.
 */
#include "web/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/digest.h"
#include "web/html.h"
#include "web/plot.h"
#include "web/skin.h"

static const struct word {
	const char *state, *css, *text;
} upstream_words[] = {
	{ "up", "good", "up" },
	{ "down", "bad", "down" },
	{ "auth_failed", "bad", "login refused" },
	{ "paused", "warn", "paused" },
	{ "unknown", "none", "not tried yet" },
}, candidate_words[] = {
	{ "up", "good", "works" },
	{ "blocked", "bad", "blocked" },
	{ "unsafe", "bad", "not safe" },
	{ "unknown", "none", "not tried yet" },
}, message_words[] = {
	{ "active", "good", "being sent" },
	{ "deferred", "warn", "waits" },
	{ "held", "bad", "held" },
};

#define WORD_OF(table, state) find_word(table, sizeof table / sizeof table[0], state)

static const struct word *
find_word(const struct word *table, size_t n, const char *state)
{
	static const struct word unknown = { "", "none", "unknown" };

	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].state, state) == 0)
			return &table[i];
	return &unknown;
}

static int64_t
number(const json_t *doc, const char *name)
{
	return json_integer_value(json_object_get(doc, name));
}

static const char *
text(const json_t *doc, const char *name)
{
	const char *t = json_string_value(json_object_get(doc, name));

	return t != NULL ? t : "";
}

static void
put_pill(struct buf *out, const struct word *w)
{
	buf_printf(out, "<span class=\"pill %s\">%s</span>", w->css, w->text);
}

static void
put_span(struct buf *out, int64_t s)
{
	char span[48];

	clock_print_span(span, sizeof span, s * 1000);
	buf_puts(out, span);
}

static void
put_size(struct buf *out, int64_t octets)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	double size = (double)octets;
	unsigned u = 0;

	for (; size >= 1000 && u < 4; u++)
		size /= 1024;
	buf_printf(out, u == 0 || size >= 10 ? "%.0f %s" : "%.1f %s", size, units[u]);
}

/* --- how it is, in a sentence --------------------------------------------------------- */

static unsigned
count_upstreams(const json_t *upstreams, const char *css)
{
	const json_t *u;
	unsigned n = 0;
	size_t i;

	json_array_foreach((json_t *)upstreams, i, u)
		n += strcmp(WORD_OF(upstream_words, text(u, "state"))->css, css) == 0;
	return n;
}

static void
put_verdict(struct buf *out, const json_t *status)
{
	const json_t *upstreams = json_object_get(status, "upstreams"), *queue = json_object_get(status, "queue");
	unsigned all = (unsigned)json_array_size(upstreams), up = count_upstreams(upstreams, "good"),
	    untried = count_upstreams(upstreams, "none");
	const char *css = "good", *says = "Mail is going out.";

	if (up == 0 && untried > 0) {
		css = "none";
		says = "No provider has been tried yet; that happens with the first message.";
	} else if (up == 0) {
		css = "bad";
		says = "No mail gets out at present. It is kept, and goes when a provider can be used again.";
	} else if (up + untried < all) {
		css = "warn";
		says = "Mail is going out, but not over every provider.";
	}
	buf_printf(out, "<p class=\"card verdict %s\">%s", css, says);
	if (number(queue, "held") > 0)
		buf_printf(out, " <span class=\"soft\">Held for your decision: %" PRId64 ".</span>", number(queue, "held"));
	if (number(queue, "damaged") > 0)
		buf_printf(out, " <span class=\"soft\">Damaged records set aside: %" PRId64 ".</span>", number(queue, "damaged"));
	buf_puts(out, "</p>\n");
	if (text(status, "certificate")[0] != '\0') {
		buf_puts(out, "<p class=\"card verdict warn\">");
		html_put_foreign(out, text(status, "certificate"));
		buf_puts(out, "</p>\n");
	}
}

static void
put_tile(struct buf *out, const char *name, int64_t n)
{
	buf_printf(out, "<div class=\"card\"><dt>%s</dt><dd>%" PRId64 "</dd></div>", name, n);
}

static void
put_tiles(struct buf *out, const json_t *status, const struct ring *ring)
{
	const json_t *queue = json_object_get(status, "queue"), *counters = json_object_get(status, "counters");
	bool hour = number(status, "uptime_s") >= 3600;

	buf_puts(out, "<dl class=\"tiles\">");
	put_tile(out, "messages in the queue", number(queue, "messages"));
	buf_puts(out, "<div class=\"card\"><dt>oldest</dt><dd>");
	if (number(queue, "messages") > 0)
		put_span(out, number(queue, "oldest_s"));
	else
		buf_puts(out, "none");
	buf_puts(out, "</dd></div>");
	put_tile(out, hour ? "accepted in the last hour" : "accepted since the start",
	    ring_growth(ring, RING_ACCEPTED, number(counters, "accepted")));
	put_tile(out, hour ? "relayed in the last hour" : "relayed since the start",
	    ring_growth(ring, RING_RELAYED, number(counters, "relayed")));
	buf_puts(out, "</dl>\n");
}

static void
put_plots(struct buf *out, const struct ring *ring)
{
	struct plot_line line[2] = { { .css = "c1" }, { .css = "c2" } };

	buf_puts(out, "<h2>The last hour</h2>\n<div class=\"plots\">");
	ring_series(ring, RING_WAITING, line[0].value);
	plot_put(out, "Messages in the queue", "", line, 1);
	line[0].label = "accepted";
	line[1].label = "relayed";
	ring_series(ring, RING_ACCEPTED, line[0].value);
	ring_series(ring, RING_RELAYED, line[1].value);
	plot_put(out, "Mail", " / min", line, 2);
	line[0].label = "deferred";
	line[1].label = "bounced";
	ring_series(ring, RING_DEFERRED, line[0].value);
	ring_series(ring, RING_BOUNCED, line[1].value);
	plot_put(out, "Trouble", " / min", line, 2);
	buf_puts(out, "</div>\n");
}

/* --- providers and their ports ------------------------------------------------------------ */

static bool
is_in_use(const json_t *upstream, const json_t *c)
{
	char own[32];

	snprintf(own, sizeof own, "%u/%.16s", (unsigned)number(c, "port") % 65536, text(c, "tls"));
	return strcmp(own, text(upstream, "active")) == 0 && strcmp(text(c, "state"), "up") == 0;
}

static void
put_candidate(struct buf *out, const json_t *upstream, const json_t *c)
{
	buf_printf(out, "<li class=\"door\"><div>%u/", (unsigned)number(c, "port") % 65536);
	html_put(out, text(c, "tls"));
	buf_puts(out, "</div><div>");
	put_pill(out, WORD_OF(candidate_words, text(c, "state")));
	if (is_in_use(upstream, c))
		buf_puts(out, " <span class=\"pill none\">in use</span>");
	buf_puts(out, " <span class=\"soft\">");
	html_put(out, text(c, "address"));
	if (number(c, "since_s") > 0) {
		buf_puts(out, " for ");
		put_span(out, number(c, "since_s"));
	}
	if (number(c, "retry_in_s") > 0) {
		buf_puts(out, ", looked at again in ");
		put_span(out, number(c, "retry_in_s"));
	}
	buf_puts(out, "</span>");
	if (text(c, "reason")[0] != '\0') {
		buf_puts(out, "<p>");
		html_put_foreign(out, text(c, "reason"));
		buf_puts(out, "</p>");
	}
	buf_puts(out, "</div></li>\n");
}

static void
put_upstream(struct buf *out, const json_t *u)
{
	const struct word *w = WORD_OF(upstream_words, text(u, "state"));
	const char *capture = text(u, "capture");
	const json_t *c;
	size_t i;

	buf_printf(out, "<section class=\"card up %s\"><div class=\"top-line\"><h3>", w->css);
	html_put(out, text(u, "name"));
	buf_puts(out, "</h3>");
	put_pill(out, w);
	buf_puts(out, "<span class=\"soft\">");
	html_put(out, capture[0] != '\0' ? capture : text(u, "host"));
	buf_printf(out, "</span><span class=\"soft\">connections: %" PRId64 "</span>", number(u, "connections"));
	if (number(u, "quota_left") >= 0)
		buf_printf(out, "<span class=\"soft\">left of the quota: %" PRId64 "</span>", number(u, "quota_left"));
	buf_puts(out, "</div>");
	if (text(u, "reason")[0] != '\0') {
		buf_puts(out, "<p class=\"why\">");
		html_put_foreign(out, text(u, "reason"));
		buf_puts(out, "</p>");
	}
	buf_puts(out, "<ol>\n");
	json_array_foreach(json_object_get(u, "candidates"), i, c)
		put_candidate(out, u, c);
	buf_puts(out, "</ol></section>\n");
}

/* --- messages --------------------------------------------------------------------------- */

static void
put_addresses(struct buf *out, const json_t *m)
{
	const json_t *to = json_object_get(m, "to"), *a;
	size_t i;

	if (to == NULL)
		return;		/* metrics.addresses is not set */
	buf_puts(out, "<p>");
	html_put_foreign(out, text(m, "from")[0] != '\0' ? text(m, "from") : "(a notice)");
	buf_puts(out, " to ");
	json_array_foreach((json_t *)to, i, a) {
		buf_puts(out, i > 0 ? ", " : "");
		html_put_foreign(out, json_string_value(a) != NULL ? json_string_value(a) : "");
	}
	if (number(m, "recipients") > (int64_t)json_array_size(to))
		buf_puts(out, " and others");
	buf_puts(out, "</p>");
}

static void
put_message(struct buf *out, const json_t *m)
{
	buf_puts(out, "<li class=\"mail\"><div><code>");
	html_put(out, text(m, "id"));
	buf_puts(out, "</code></div><div>");
	put_pill(out, WORD_OF(message_words, text(m, "state")));
	buf_puts(out, " <span class=\"soft\">");
	put_span(out, number(m, "age_s"));
	buf_puts(out, " old, ");
	put_size(out, number(m, "size"));
	buf_printf(out, ", recipients: %" PRId64 ", attempts: %" PRId64, number(m, "recipients"), number(m, "attempts"));
	if (number(m, "next_attempt_s") > 0) {
		buf_puts(out, ", next in ");
		put_span(out, number(m, "next_attempt_s"));
	}
	buf_puts(out, "</span>");
	put_addresses(out, m);
	if (text(m, "reason")[0] != '\0') {
		buf_puts(out, "<p>");
		html_put_foreign(out, text(m, "reason"));
		buf_puts(out, "</p>");
	}
	buf_puts(out, "</div></li>\n");
}

static void
put_messages(struct buf *out, const json_t *oldest)
{
	const json_t *m;
	size_t i;

	buf_puts(out, "<h2>The oldest messages, and why they wait</h2>\n");
	if (json_array_size(oldest) == 0) {
		buf_puts(out, "<p class=\"card soft\">The queue is empty.</p>\n");
		return;
	}
	buf_puts(out, "<section class=\"card\"><ul class=\"first\">\n");
	json_array_foreach((json_t *)oldest, i, m)
		put_message(out, m);
	buf_puts(out, "</ul></section>\n");
}

/* --- the whole ------------------------------------------------------------------------------ */

static void
put_digest(struct buf *out, const char *what)
{
	unsigned char digest[32];

	digest_sha256(digest, str_of(what));
	buf_puts(out, " 'sha256-");
	base64_put(out, digest, sizeof digest);
	buf_puts(out, "'");
}

void
page_put_policy(struct buf *out)
{
	buf_puts(out, "default-src 'none'; style-src");
	put_digest(out, skin_style);
	buf_puts(out, "; script-src");
	put_digest(out, skin_script);
	buf_puts(out, "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

void
page_put(struct buf *out, const json_t *status, const json_t *oldest, const struct ring *ring)
{
	const json_t *upstreams = json_object_get(status, "upstreams"), *u;
	char date[64];
	size_t i;

	clock_print_date(date, sizeof date, clock_wall_s());
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>gatepost on ");
	html_put(out, text(status, "hostname"));
	buf_puts(out, "</title><link rel=\"icon\" href=\"data:,\">"
	    "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript><style>");
	buf_puts(out, skin_style);
	buf_puts(out, "</style></head><body><main><div id=\"lost\" role=\"status\"></div><div id=\"now\">\n<header><h1>gatepost</h1><span>");
	html_put(out, text(status, "hostname"));
	buf_puts(out, "</span><span class=\"soft\">running for ");
	put_span(out, number(status, "uptime_s"));
	buf_puts(out, "</span></header>\n");
	put_verdict(out, status);
	put_tiles(out, status, ring);
	buf_puts(out, "<h2>Providers and their ports</h2>\n");
	json_array_foreach((json_t *)upstreams, i, u)
		put_upstream(out, u);
	put_plots(out, ring);
	put_messages(out, oldest);
	buf_puts(out, "<footer class=\"soft\">Version ");
	html_put(out, text(status, "version"));
	buf_printf(out, ", as of %s. Renews itself. For more: <code>gatepost status</code>, "
	    "<code>gatepost queue</code>, <code>gatepost trace ID</code>.</footer>\n</div></main><script>%s</script></body></html>\n",
	    date, skin_script);
}
