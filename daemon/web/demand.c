/*
 * One request (RFC 9112): a line, fields, an empty line.  What is not plainly right is refused, and since each
 * connection has one request, nothing can be hidden behind it.
 */
#include "web/demand.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "config/config.h"

static void
refuse(struct demand *d, int status, const char *why)
{
	if (d->status == 200) {
		d->status = status;
		d->why = why;
	}
}

/* --- Host ------------------------------------------------------------------------- */

/* ":80", or ":" and nothing (RFC 3986 3.2.3). */
static bool
is_port(struct str s)
{
	uint64_t n;

	if (s.p[0] != ':')
		return false;
	return s.n == 1 || (str_number(str_from(s, 1), UINT16_MAX, &n) && n > 0 && n <= UINT16_MAX);
}

/* "name", "name:80", "[::1]:80" without the port and the brackets; empty if it is none of these. */
static struct str
without_port(struct str host)
{
	const char *end, *colon;
	struct str port;

	if (host.n > 0 && host.p[0] == '[') {
		end = memchr(host.p, ']', host.n);
		if (end == NULL)
			return (struct str){ 0 };
		port = str_from(host, (size_t)(end + 1 - host.p));
		host = (struct str){ host.p + 1, (size_t)(end - host.p) - 1 };
	} else {
		colon = host.n > 0 ? memchr(host.p, ':', host.n) : NULL;
		if (colon == NULL)
			return host;
		port = str_from(host, (size_t)(colon - host.p));
		host.n = (size_t)(colon - host.p);
	}
	if (port.n > 0 && !is_port(port))
		return (struct str){ 0 };
	return host;
}

static bool
is_any(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

bool
demand_is_ours(struct str host, const struct demand_hosts *hosts)
{
	struct str name = without_port(host), own = without_port(str_of(hosts->listen));
	unsigned char a[16], b[16];
	char text[64], listened[64];

	if (name.n == 0)
		return false;
	str_fit(listened, sizeof listened, own);
	if (str_iis(name, "localhost") || str_iis(name, "localhost."))
		return true;
	if (!cidr_is_loopback(listened) && hosts->hostname[0] != '\0' && str_iis(name, hosts->hostname))
		return true;
	if (name.n >= sizeof text || memchr(name.p, '\0', name.n) != NULL)
		return false;
	str_fit(text, sizeof text, name);
	if (!cidr_address(text, a))
		return false;
	return cidr_is_loopback(text) || is_any(listened) || (cidr_address(listened, b) && memcmp(a, b, sizeof a) == 0);
}

/* --- lines ------------------------------------------------------------------------- */

/* The next line without its end; false: it is not there yet. */
static bool
next_line(struct str *rest, struct str *line)
{
	const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;

	if (end == NULL)
		return false;
	*line = (struct str){ rest->p, (size_t)(end - rest->p) };
	*rest = str_from(*rest, line->n + 1);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

/* Token characters (RFC 9110 5.6.2). */
static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", s.p[i]) != NULL)
			return false;
	return s.n > 0;
}

static void
take_path(struct demand *d, struct str path)
{
	static const char *const names[] = {
		[DEMAND_PAGE] = "/", [DEMAND_METRICS] = "/metrics", [DEMAND_HEALTH] = "/healthz",
	};
	struct str query = path;

	str_split(&query, '?', &path);
	for (unsigned i = 0; i < DEMAND_PATHS; i++)
		if (str_is(path, names[i])) {
			d->path = i;
			return;
		}
	refuse(d, 404, "there are /, /metrics and /healthz");
}

/* Found out now, said after the fields were looked at: a wrong Host is told nothing of what there is. */
struct line_one {
	struct str method, target, host;
	bool old;		/* HTTP/1.0: needs no Host */
};

static void
take_request_line(struct demand *d, struct str line, struct line_one *one)
{
	struct str version = line, path;

	if (!str_split(&version, ' ', &one->method) || !str_split(&version, ' ', &one->target) || !is_token(one->method) ||
	    one->target.n == 0) {
		refuse(d, 400, "this is not an HTTP request");
		return;
	}
	one->old = str_is(version, "HTTP/1.0");
	if (!one->old && !str_is(version, "HTTP/1.1"))
		refuse(d, version.n > 5 && memcmp(version.p, "HTTP/", 5) == 0 ? 505 : 400, "only HTTP/1.0 and 1.1 are spoken here");
	if (!str_istarts(one->target, "http://"))
		return;
	/* The absolute form, whose authority counts instead of Host (RFC 9112 3.2.2). */
	path = str_from(one->target, strlen("http://"));
	one->host = path;
	while (path.n > 0 && path.p[0] != '/')
		path = str_from(path, 1);
	one->host.n -= path.n;
	one->target = path;
}

struct fields {
	struct str host;
	unsigned nhost;
	bool body;
};

static void
take_field(struct demand *d, struct str line, struct fields *f)
{
	struct str value = line, name;

	if (!str_split(&value, ':', &name) || name.n == line.n || !is_token(name)) {
		refuse(d, 400, "a header field is malformed");
		return;
	}
	value = str_trim(value);
	if (str_iis(name, "Host")) {
		f->host = value;
		f->nhost++;
	} else if (str_iis(name, "Transfer-Encoding") || (str_iis(name, "Content-Length") && !str_is(value, "0"))) {
		f->body = true;
	}
}

static void
judge(struct demand *d, const struct line_one *one, const struct fields *f, const struct demand_hosts *hosts)
{
	if (f->nhost > 1 || (f->nhost == 0 && !one->old))
		refuse(d, 400, "one Host field is needed");
	if ((f->nhost > 0 && !demand_is_ours(f->host, hosts)) || (one->host.n > 0 && !demand_is_ours(one->host, hosts)))
		refuse(d, 403, "this is not the name of this server; use its address or localhost");
	d->head = str_is(one->method, "HEAD");
	if (!d->head && !str_is(one->method, "GET"))
		refuse(d, 405, "only GET and HEAD are served here");
	if (f->body)
		refuse(d, 413, "a request has no body here");
	if (d->status == 200)
		take_path(d, one->target);
}

bool
demand_parse(struct demand *d, struct str input, const struct demand_hosts *hosts)
{
	struct str rest = { input.p, input.n < DEMAND_MAX ? input.n : DEMAND_MAX }, line;
	struct line_one one = { 0 };
	struct fields fields = { 0 };
	unsigned nline = 0;

	*d = (struct demand){ .status = 200, .why = "" };
	while (next_line(&rest, &line)) {
		if (nline == 0 && line.n == 0)
			continue;	/* RFC 9112 2.2 */
		if (line.n == 0) {
			judge(d, &one, &fields, hosts);
			return true;
		}
		if (memchr(line.p, '\0', line.n) != NULL || memchr(line.p, '\r', line.n) != NULL)
			refuse(d, 400, "a control character where none may be");
		if (nline++ == 0)
			take_request_line(d, line, &one);
		else
			take_field(d, line, &fields);
	}
	if (input.n < DEMAND_MAX)
		return false;
	d->status = 431;
	d->why = "the header is larger than 8 KB";
	return true;
}
