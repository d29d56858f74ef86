/*
 * The answer to one HTTP request, octet by octet where lines are concerned and in pieces in the body.
 */
#include "net/http_reply.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum { RETRY_AFTER_MAX_S = 24 * 60 * 60 };

void
http_reply_init(struct http_reply *r)
{
	*r = (struct http_reply){ .state = HTTP_STATUS_LINE };
}

void
http_reply_clear(struct http_reply *r)
{
	buf_wipe(&r->body);
	buf_wipe(&r->line);
	*r = (struct http_reply){ .state = HTTP_BAD, .why = "cleared" };
}

static void
bad(struct http_reply *r, const char *why)
{
	r->state = HTTP_BAD;
	r->why = why;
}

/* --- the head ------------------------------------------------------------------- */

static void
on_status_line(struct http_reply *r, struct str line)
{
	const char *p = line.p;
	uint64_t status;

	/* "HTTP/1.1 200 OK"; the reason may be missing, with or without its blank. */
	if (line.n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' ||
	    !str_number((struct str){ p + 9, 3 }, 999, &status) || status < 100 || (line.n > 12 && p[12] != ' ')) {
		bad(r, "the answer is not HTTP/1.1");
		return;
	}
	r->status = (int)status;
	r->has_length = r->chunked = false;
	r->retry_after_s = 0;
	r->state = HTTP_FIELDS;
}

static void
on_field(struct http_reply *r, struct str line)
{
	struct str value = line, name;
	uint64_t n;

	if (!str_split(&value, ':', &name) || name.n == 0 || name.n == line.n || line.p[0] == ' ' || line.p[0] == '\t' ||
	    name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t') {
		bad(r, "the answer has a line that is no header field");
		return;
	}
	value = str_trim(value);
	if (str_iis(name, "Content-Length")) {
		if (r->has_length || !str_number(value, HTTP_BODY_MAX, &r->length))
			bad(r, "the answer's Content-Length cannot be read");
		r->has_length = true;
	} else if (str_iis(name, "Transfer-Encoding")) {
		if (r->chunked || !str_iis(value, "chunked"))
			bad(r, "the answer has a transfer encoding that we do not know");
		r->chunked = true;
	} else if (str_iis(name, "Content-Encoding") && !str_iis(value, "identity")) {
		bad(r, "the answer is compressed, which was not asked for");
	} else if (str_iis(name, "Retry-After") && str_number(value, RETRY_AFTER_MAX_S, &n)) {
		r->retry_after_s = n > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (int64_t)n;
	}
}

static void
on_head_end(struct http_reply *r)
{
	if (r->status == 101)
		bad(r, "the answer changes the protocol, which was not asked for");
	else if (r->status < 200)
		r->state = HTTP_STATUS_LINE;	/* interim: the real one follows (RFC 9110 15.2) */
	else if (r->chunked && r->has_length)
		bad(r, "the answer has both a length and chunks");	/* RFC 9112 6.3 */
	else if (r->status == 204 || r->status == 304)
		r->state = HTTP_DONE;
	else if (r->chunked)
		r->state = HTTP_CHUNK_LINE;
	else if (!r->has_length)
		r->state = HTTP_BODY_TO_END;
	else if (r->length > HTTP_BODY_MAX)
		bad(r, "the answer is longer than 64 KB");
	else {
		r->left = r->length;
		r->state = r->left > 0 ? HTTP_BODY : HTTP_DONE;
	}
}

/* --- chunks ---------------------------------------------------------------------- */

static void
on_chunk_line(struct http_reply *r, struct str line)
{
	uint64_t size = 0;
	size_t i = 0;

	while (i < line.n && i < 8 && str_hex(line.p[i]) >= 0)
		size = size * 16 + (uint64_t)str_hex(line.p[i++]);
	if (i == 0 || (i < line.n && line.p[i] != ';' && line.p[i] != ' ' && line.p[i] != '\t')) {
		bad(r, "the answer's chunks cannot be read");
		return;
	}
	if (size > HTTP_BODY_MAX - r->body.len) {
		bad(r, "the answer is longer than 64 KB");
		return;
	}
	r->left = size;
	r->state = size > 0 ? HTTP_CHUNK : HTTP_TRAILERS;
}

static void
on_line(struct http_reply *r, struct str line)
{
	switch (r->state) {
	case HTTP_STATUS_LINE:
		on_status_line(r, line);
		break;
	case HTTP_FIELDS:
		if (line.n == 0)
			on_head_end(r);
		else
			on_field(r, line);
		break;
	case HTTP_CHUNK_LINE:
		on_chunk_line(r, line);
		break;
	case HTTP_CHUNK_END:
		if (line.n > 0)
			bad(r, "the answer's chunks cannot be read");
		else
			r->state = HTTP_CHUNK_LINE;
		break;
	case HTTP_TRAILERS:
		if (line.n == 0)
			r->state = HTTP_DONE;
		break;
	default:
		bug("http_reply: a line in state %d", (int)r->state);
	}
}

/* One octet of a line; the line is complete with its LF (RFC 9112 2.2 lets the CR be missing). */
static void
line_octet(struct http_reply *r, char c)
{
	if (++r->head_octets > HTTP_HEAD_MAX) {
		bad(r, "the answer's header is longer than 8 KB");
		return;
	}
	if (c != '\n') {
		buf_putc(&r->line, c);
		return;
	}
	if (r->line.len > 0 && r->line.data[r->line.len - 1] == '\r')
		buf_cut(&r->line, r->line.len - 1);
	if (memchr(r->line.data != NULL ? r->line.data : "", '\0', r->line.len) != NULL ||
	    memchr(r->line.data != NULL ? r->line.data : "", '\r', r->line.len) != NULL)
		bad(r, "the answer's header has a NUL or a bare CR");
	else
		on_line(r, buf_str(&r->line));
	buf_cut(&r->line, 0);
}

/* --- the body --------------------------------------------------------------------- */

static size_t
body_octets(struct http_reply *r, const char *p, size_t n)
{
	if (r->state == HTTP_BODY_TO_END) {
		if (n > HTTP_BODY_MAX - r->body.len)
			bad(r, "the answer is longer than 64 KB");
		else
			buf_put(&r->body, p, n);
		return n;
	}
	if (n > r->left)
		n = (size_t)r->left;
	buf_put(&r->body, p, n);
	r->left -= n;
	if (r->left == 0)
		r->state = r->state == HTTP_CHUNK ? HTTP_CHUNK_END : HTTP_DONE;
	return n;
}

void
http_reply_feed(struct http_reply *r, const char *p, size_t n)
{
	while (n > 0 && r->state != HTTP_DONE && r->state != HTTP_BAD) {
		size_t used = 1;

		if (r->state == HTTP_BODY || r->state == HTTP_BODY_TO_END || r->state == HTTP_CHUNK)
			used = body_octets(r, p, n);
		else
			line_octet(r, *p);
		p += used;
		n -= used;
	}
}

void
http_reply_end(struct http_reply *r)
{
	if (r->state == HTTP_BODY_TO_END)
		r->state = HTTP_DONE;
	else if (r->state != HTTP_DONE && r->state != HTTP_BAD)
		bad(r, r->status == 0 && r->head_octets == 0 ? "the server closed the connection without an answer" :
		    "the connection ended in the middle of the answer");
}

void
http_reply_fail(struct http_reply *r, const char *why)
{
	if (r->state != HTTP_DONE && r->state != HTTP_BAD)
		bad(r, why);
}
