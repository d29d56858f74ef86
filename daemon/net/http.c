/*
 * An HTTP client over a stream.  Addresses are tried in turn until one of them is connected and, for https, verified;
 * only then the request leaves, and only once.
 */
#include "net/http.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/stream.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	URL_MAX = 2048,
	HOST_MAX = 253,
	TRIES_MAX = 4	/* addresses of a name */
};

enum state { RESOLVING, CONNECTING, SHAKING, WAITING, ENDED };

struct url {
	bool secure;
	char host[HOST_MAX + 1];	/* without brackets */
	char authority[HOST_MAX + 10];	/* as in Host: */
	uint16_t port;
	const char *path;		/* in the text that was parsed */
	size_t path_len;
};

struct http {
	struct loop *loop;
	struct dns *dns;
	struct tls *tls;
	struct url url;
	char *text;			/* of the URL */
	struct buf request;
	enum state state;
	struct dns_address address[TRIES_MAX];
	unsigned naddress, next;
	struct stream *stream;
	struct http_reply reply;
	struct timer limit;
	struct turn_job ready;		/* an answer that is known before a turn has passed */
	int64_t until_ms, timeout_ms;
	char why[400];
	http_fn fn;
	void *arg;
};

/* --- URLs ------------------------------------------------------------------------- */

static bool
is_host(struct str s, bool literal)
{
	if (s.n == 0 || s.n > HOST_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    strchr(literal ? ":." : "-._", c) == NULL)
			return false;
	}
	return true;
}

/* "host", "host:port", "[address]:port"; a user name is nothing that we would send. */
static int
parse_authority(struct url *u, struct str s, struct why *why)
{
	struct str host = { "", 0 }, rest = s, number = { "", 0 };
	uint64_t port = u->secure ? 443 : 80;
	bool literal = s.n > 0 && s.p[0] == '[';

	if (literal) {
		rest = str_from(s, 1);
		if (!str_split(&rest, ']', &host) || host.n + 1 == s.n || (rest.n > 0 && rest.p[0] != ':'))
			return fail(why, "the URL's address has no `]'");
		number = rest.n > 0 ? str_from(rest, 1) : rest;
	} else {
		(void)str_split(&rest, ':', &host);
		number = host.n < s.n ? rest : number;
	}
	if (!is_host(host, literal))
		return fail(why, "the URL has no valid host name");
	if (number.n > 0 && (!str_number(number, 65535, &port) || port == 0 || port > 65535))
		return fail(why, "the URL has no valid port");
	u->port = (uint16_t)port;
	snprintf(u->host, sizeof u->host, "%.*s", (int)host.n, host.p);
	snprintf(u->authority, sizeof u->authority, literal ? "[%s]" : "%s", u->host);
	if (port != (u->secure ? 443 : 80)) {
		size_t n = strlen(u->authority);

		snprintf(u->authority + n, sizeof u->authority - n, ":%u", u->port);
	}
	return 0;
}

static int
parse_url(struct url *u, const char *text, struct why *why)
{
	struct str s = str_of(text), authority;

	memset(u, 0, sizeof *u);
	if (s.n > URL_MAX)
		return fail(why, "the URL is longer than %d octets", URL_MAX);
	if (str_has_control(s) || !str_is_ascii(s) || memchr(text, ' ', s.n) != NULL)
		return fail(why, "the URL has blanks, control or 8-bit characters");
	u->secure = str_istarts(s, "https://");
	if (!u->secure && !str_istarts(s, "http://"))
		return fail(why, "the URL begins neither with https:// nor with http://");
	s = str_from(s, u->secure ? 8 : 7);
	authority = (struct str){ s.p, strcspn(s.p, "/?#") };
	if (parse_authority(u, authority, why) < 0)
		return -1;
	u->path = s.p + authority.n;
	u->path_len = strcspn(u->path, "#");
	return 0;
}

/* --- the end ------------------------------------------------------------------------ */

static void
finish(struct http *h, const char *why)
{
	struct http_answer a = { .why = why };

	h->state = ENDED;
	loop_cancel(h->loop, &h->limit);
	dns_forget(h->dns, h);
	if (h->stream != NULL)
		stream_close(&h->stream);
	if (*why == '\0') {
		a.status = h->reply.status;
		a.body = buf_str(&h->reply.body);
		a.retry_after_s = h->reply.retry_after_s;
	}
	h->fn(h->arg, &a);
}

static void
on_ready(void *arg)
{
	struct http *h = arg;

	finish(h, h->why);
}

static void
on_limit(void *arg)
{
	struct http *h = arg;
	char span[32];

	clock_print_span(span, sizeof span, h->timeout_ms);
	snprintf(h->why, sizeof h->why, "%s: no answer in %s", h->url.host, span);
	finish(h, h->why);
}

/* --- one address after the other --------------------------------------------------------- */

static void on_stream(void *arg, struct stream *s, enum stream_event ev);

/* RFC 6890: what a plain request may reach. */
static bool
is_loopback(const struct dns_address *a)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&a->sa;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&a->sa;

	if (a->sa.ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static void
set_port(struct dns_address *a, uint16_t port)
{
	if (a->sa.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&a->sa)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)(void *)&a->sa)->sin_port = htons(port);
}

/* Each of those that are left gets its part of the time that is left. */
static void
try_next(struct http *h)
{
	int64_t now = loop_now_ms(h->loop);
	struct dns_address *a;

	if (h->next == h->naddress) {
		finish(h, h->why);
		return;
	}
	a = &h->address[h->next++];
	h->state = CONNECTING;
	h->stream = stream_connect(h->loop, (const struct sockaddr *)&a->sa, a->len, "", on_stream, h);
	if (h->next < h->naddress)
		stream_deadline(h->stream, now + (h->until_ms - now) / (h->naddress - h->next + 1));
}

static void
on_addresses(void *arg, const struct dns_answer *answer)
{
	struct http *h = arg;

	if (answer->result != DNS_OK)
		snprintf(h->why, sizeof h->why, "the name %s does not resolve: %s", h->url.host, answer->why);
	else
		snprintf(h->why, sizeof h->why, "%s: plain http to another machine; use https", h->url.host);
	for (unsigned i = 0; answer->result == DNS_OK && i < answer->n && h->naddress < TRIES_MAX; i++) {
		if (!h->url.secure && !is_loopback(&answer->address[i]))
			continue;
		h->address[h->naddress] = answer->address[i];
		set_port(&h->address[h->naddress++], h->url.port);
	}
	try_next(h);
}

static void
say_request(struct http *h)
{
	h->state = WAITING;
	stream_deadline(h->stream, 0);		/* the limit of the whole counts from here on */
	stream_write(h->stream, h->request.data, h->request.len);
}

static void
on_data(struct http *h)
{
	struct str in = stream_input(h->stream);

	http_reply_feed(&h->reply, in.p, in.n);
	stream_consume(h->stream, in.n);
}

/* Not with this address. */
static void
give_up(struct http *h, const char *why)
{
	snprintf(h->why, sizeof h->why, "%s: %s", h->url.host, why);
	stream_close(&h->stream);
	try_next(h);
}

static void
on_secure_or_up(struct http *h, enum stream_event ev)
{
	if (ev == STREAM_SECURE || !h->url.secure) {
		say_request(h);
		return;
	}
	h->state = SHAKING;
	if (stream_start_tls(h->stream, h->tls, h->url.host) < 0)
		give_up(h, "said something before TLS");
}

static void
on_stream(void *arg, struct stream *s, enum stream_event ev)
{
	struct http *h = arg;

	if (ev == STREAM_UP || ev == STREAM_SECURE) {
		on_secure_or_up(h, ev);
		return;
	}
	if (ev == STREAM_DRAINED)
		return;
	if (h->state != WAITING) {
		give_up(h, ev == STREAM_TIMEOUT ? "no connection in time" :
		    ev == STREAM_FAILED ? stream_why(s) : "closed the connection before it was asked");
		return;
	}
	if (ev == STREAM_DATA)
		on_data(h);
	else if (ev == STREAM_FAILED)	/* an end that TLS does not vouch for is no end */
		http_reply_fail(&h->reply, stream_why(s));
	else
		http_reply_end(&h->reply);
	if (h->reply.state == HTTP_DONE) {
		finish(h, "");
	} else if (h->reply.state == HTTP_BAD) {
		snprintf(h->why, sizeof h->why, "%s: %s", h->url.host, h->reply.why);
		finish(h, h->why);
	}
}

/* --- its life -------------------------------------------------------------------------------- */

static void
make_request(struct http *h, const struct http_request *r)
{
	struct buf *b = &h->request;

	(void)buf_room(b, URL_MAX + 1024 + r->body.n);	/* no copy of the body is left behind by growing */
	buf_printf(b, "%s %s%.*s HTTP/1.1\r\nHost: %s\r\n", r->content_type != NULL ? "POST" : "GET",
	    h->url.path[0] != '/' ? "/" : "", (int)h->url.path_len, h->url.path, h->url.authority);
	buf_puts(b, "User-Agent: gatepost\r\nAccept: application/json, */*;q=0.1\r\nConnection: close\r\n");
	if (r->content_type != NULL)
		buf_printf(b, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->content_type, r->body.n);
	buf_puts(b, "\r\n");
	buf_putstr(b, r->body);
}

struct http *
http_start(struct loop *l, struct dns *d, const struct http_request *r, http_fn fn, void *arg)
{
	struct http *h = mem_zero(sizeof *h);
	struct why why;

	h->loop = l;
	h->dns = d;
	h->tls = r->tls != NULL ? tls_ref(r->tls) : NULL;
	h->text = mem_text(r->url);
	h->timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : HTTP_DEFAULT_MS;
	h->until_ms = loop_now_ms(l) + h->timeout_ms;
	h->fn = fn;
	h->arg = arg;
	http_reply_init(&h->reply);
	timer_init(&h->limit, on_limit, h);
	if (parse_url(&h->url, h->text, &why) < 0 || (h->url.secure && h->tls == NULL)) {
		snprintf(h->why, sizeof h->why, "%s", h->url.secure && h->tls == NULL ? "there is no TLS to ask by" : why.text);
		loop_at_turn_end(l, &h->ready, on_ready, h);
		return h;
	}
	make_request(h, r);
	loop_timer(l, &h->limit, h->until_ms);
	dns_resolve(d, h->url.host, on_addresses, h);
	return h;
}

void
http_free(struct http **hp)
{
	struct http *h = *hp;

	if (h == NULL)
		return;
	*hp = NULL;
	loop_cancel(h->loop, &h->limit);
	loop_forget_job(&h->ready);
	dns_forget(h->dns, h);
	if (h->stream != NULL)
		stream_close(&h->stream);
	tls_unref(&h->tls);
	buf_wipe(&h->request);
	http_reply_clear(&h->reply);
	mem_free_secret(&h->text);
	loop_bury(h->loop, h, free);
}
