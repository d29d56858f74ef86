/*
 * One connection: reads a head of 8 KB at most, has it answered, and ends.  One deadline covers all of it, so that neither
 * a slow question nor a slow reader holds a place for longer.
 */
#include "web/visitor.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGER_MS = 1000 };	/* for the peer to have read it all */

#define FULL "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 29\r\n" \
	"Retry-After: 10\r\nConnection: close\r\n\r\ntoo many connections at once\n"

static const char *
phrase_of(int status)
{
	static const struct { int status; const char *phrase; } phrases[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 408, "Request Timeout" }, { 413, "Content Too Large" },
		{ 431, "Request Header Fields Too Large" }, { 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	bug("no phrase for HTTP status %d", status);
}

static void
release(void *obj)
{
	free(obj);
}

static void
end(struct visitor *v, int64_t linger_ms)
{
	if (linger_ms > 0)
		stream_finish(&v->stream, linger_ms);
	else
		stream_close(&v->stream);
	list_remove(&v->node);
	v->host->n--;
	loop_bury(v->host->loop, v, release);
}

void
visitor_answer(struct visitor *v, int status, const char *type, const char *policy, struct str body)
{
	struct buf *out = stream_output(v->stream);

	v->state = VISITOR_WRITING;
	buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", status, phrase_of(status), type,
	    body.n);
	if (status == 405)
		buf_puts(out, "Allow: GET, HEAD\r\n");
	buf_printf(out, "Content-Security-Policy: %s\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
	    "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-store\r\n"
	    "Connection: close\r\n\r\n", policy != NULL ? policy : "default-src 'none'");
	if (!v->demand.head)
		buf_putstr(out, body);
	stream_flush(v->stream);
}

static void
refuse(struct visitor *v, int status, const char *why)
{
	struct buf body = { 0 };

	buf_printf(&body, "%s\n", why);
	visitor_answer(v, status, "text/plain; charset=utf-8", NULL, buf_str(&body));
	buf_clear(&body);
}

static void
read_more(struct visitor *v)
{
	struct str input = stream_input(v->stream);

	if (!demand_parse(&v->demand, input, &v->host->hosts))
		return;
	stream_consume(v->stream, input.n);
	stream_pause(v->stream);
	if (v->demand.status != 200) {
		refuse(v, v->demand.status, v->demand.why);
		return;
	}
	v->state = VISITOR_WAITING;
	v->host->on_demand(v->host->arg, v);
}

static void
on_stream(void *arg, struct stream *s, enum stream_event ev)
{
	struct visitor *v = arg;

	(void)s;
	switch (ev) {
	case STREAM_DATA:
		if (v->state == VISITOR_READING)
			read_more(v);
		break;
	case STREAM_DRAINED:
		if (v->state == VISITOR_WRITING)
			end(v, LINGER_MS);
		break;
	case STREAM_CLOSED:
		if (v->state == VISITOR_READING)
			end(v, 0);	/* else it may have ended its side and still be reading */
		break;
	case STREAM_TIMEOUT:
		if (v->state == VISITOR_READING) {
			refuse(v, 408, "the request took too long");
			end(v, LINGER_MS);
		} else {
			end(v, 0);
		}
		break;
	case STREAM_FAILED:
		end(v, 0);
		break;
	default:
		break;
	}
}

void
visitor_new(struct visitor_host *h, int fd)
{
	struct visitor *v;

	if (h->n >= VISITORS_MAX) {
		(void)!send(fd, FULL, sizeof FULL - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	v = mem_zero(sizeof *v);
	v->host = h;
	list_put(&h->visitors, &v->node);
	h->n++;
	v->stream = stream_accept(h->loop, fd, on_stream, v);
	stream_deadline(v->stream, loop_now_ms(h->loop) + VISITOR_MS);
}

void
visitor_host_init(struct visitor_host *h, struct loop *l)
{
	*h = (struct visitor_host){ .loop = l };
	list_init(&h->visitors);
}

void
visitor_host_clear(struct visitor_host *h)
{
	while (!list_is_empty(&h->visitors))
		end(container_of(h->visitors.next, struct visitor, node), 0);
}
