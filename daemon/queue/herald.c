/* Carries alerts out. */
#include "queue/herald.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"

struct note {
	struct node node;
	char *json;
};

struct sink {
	struct herald *herald;
	const char *name;
	void (*send)(struct sink *s, const char *json);	/* ends in settle */
	bool on;
	struct node notes;
	unsigned n, tries;		/* tries: of the first */
	bool busy;			/* the first is under way */
	bool complained;		/* since it last went well */
	struct timer again;
};

struct herald {
	struct loop *loop;
	struct dns *dns;
	struct errands *errands;
	struct sink command, webhook;
	uint32_t errand;		/* under way; 0: none */
	struct http *http;		/* under way */
	char *url;
	struct tls *tls;
};

static const int64_t delays_ms[HERALD_TRIES - 1] = { 10 * 1000, 60 * 1000, 5 * 60 * 1000 };

static struct note *
first(const struct sink *s)
{
	return container_of(s->notes.next, struct note, node);
}

static void
drop(struct sink *s, struct note *n)
{
	list_remove(&n->node);
	free(n->json);
	free(n);
	s->n--;
}

static void
send_next(struct sink *s)
{
	if (s->busy || list_is_empty(&s->notes) || heap_has(&s->again.node))
		return;
	s->busy = true;
	s->tries++;
	s->send(s, first(s)->json);
}

static void
on_again(void *arg)
{
	send_next(arg);
}

/* words "": it went well. */
static void
settle(struct sink *s, const char *words)
{
	struct loop *l = s->herald->loop;
	bool failed = words[0] != '\0';

	s->busy = false;
	if (failed && !s->complained)
		log_event(LOG_ERROR, "alert_failed", log_text("by", s->name), log_text("reason", words),
		    log_text("advice", "it is tried some more times; while it fails, this is not said again"));
	else if (!failed && s->complained)
		log_event(LOG_INFO, "alert_works", log_text("by", s->name));
	s->complained = failed;
	if (failed && s->tries < HERALD_TRIES) {
		loop_timer(l, &s->again, loop_now_ms(l) + delays_ms[s->tries - 1]);
		return;
	}
	drop(s, first(s));
	s->tries = 0;
	/* What waits behind one that was lost does not follow at once: the hearer has trouble. */
	loop_timer(l, &s->again, loop_now_ms(l) + (failed ? delays_ms[0] : 0));
}

/* --- the two ----------------------------------------------------------------------- */

static void
on_errand(void *arg, const struct errand_answer *a)
{
	struct sink *s = arg;

	s->herald->errand = 0;
	settle(s, a->result == ERRAND_DONE ? "" : a->words);
}

static void
send_command(struct sink *s, const char *json)
{
	s->herald->errand = errand_run(s->herald->errands, ERRAND_ALERT, str_of(json), on_errand, s);
}

static void
on_http(void *arg, const struct http_answer *a)
{
	struct sink *s = arg;
	char words[200];

	words[0] = '\0';
	if (a->status == 0)
		snprintf(words, sizeof words, "%s", a->why[0] != '\0' ? a->why : "no answer");
	else if (a->status / 100 != 2)
		snprintf(words, sizeof words, "it was answered with status %d", a->status);
	http_free(&s->herald->http);
	settle(s, words);
}

static void
send_webhook(struct sink *s, const char *json)
{
	struct herald *h = s->herald;
	const struct http_request r = {
		.url = h->url, .content_type = "application/json", .body = str_of(json), .tls = h->tls,
	};

	h->http = http_start(h->loop, h->dns, &r, on_http, s);
}

/* --- from outside -------------------------------------------------------------------- */

static void
sink_init(struct sink *s, struct herald *h, const char *name, void (*send)(struct sink *s, const char *json))
{
	*s = (struct sink){ .herald = h, .name = name, .send = send };
	list_init(&s->notes);
	timer_init(&s->again, on_again, s);
}

static void
sink_clear(struct sink *s)
{
	while (!list_is_empty(&s->notes))
		drop(s, first(s));
	loop_cancel(s->herald->loop, &s->again);
	s->busy = s->complained = false;
	s->tries = 0;
}

static void
clear_command(struct herald *h)
{
	if (h->errand != 0)
		errand_forget(h->errands, h->errand);
	h->errand = 0;
	sink_clear(&h->command);
}

static void
clear_webhook(struct herald *h)
{
	http_free(&h->http);
	free(h->url);
	h->url = NULL;
	tls_unref(&h->tls);
	sink_clear(&h->webhook);
}

struct herald *
herald_start(struct loop *l, struct dns *d, struct errands *e)
{
	struct herald *h = mem_zero(sizeof *h);

	h->loop = l;
	h->dns = d;
	h->errands = e;
	sink_init(&h->command, h, "alert.command", send_command);
	sink_init(&h->webhook, h, "alert.webhook", send_webhook);
	return h;
}

void
herald_stop(struct herald **hp)
{
	struct herald *h = *hp;

	if (h == NULL)
		return;
	*hp = NULL;
	clear_command(h);
	clear_webhook(h);
	free(h);
}

static void
configure_webhook(struct herald *h, const char *url)
{
	struct why why;

	if (h->url != NULL && strcmp(h->url, url) == 0)
		return;
	clear_webhook(h);
	h->webhook.on = url[0] != '\0';
	if (!h->webhook.on)
		return;
	h->url = mem_text(url);
	if (str_istarts(str_of(url), "https:") && tls_client(&h->tls, "", true, TLS_1_2, &why) < 0)
		log_event(LOG_ERROR, "tls_failed", log_text("for", h->webhook.name), log_text("reason", why.text));
}

void
herald_configure(struct herald *h, const struct config *c)
{
	h->command.on = c->alert.command[0] != '\0';
	if (!h->command.on)
		clear_command(h);
	configure_webhook(h, c->alert.webhook);
}

bool
herald_has_hearers(const struct herald *h)
{
	return h->command.on || h->webhook.on;
}

static void
put(struct sink *s, const char *json)
{
	struct note *n;

	if (!s->on)
		return;
	if (s->n == HERALD_NOTES_MAX)	/* the first is perhaps under way: the oldest that is not goes */
		drop(s, container_of(s->notes.next->next, struct note, node));
	n = mem_zero(sizeof *n);
	n->json = mem_text(json);
	list_put(&s->notes, &n->node);
	s->n++;
	send_next(s);
}

void
herald_tell(struct herald *h, const char *json)
{
	put(&h->command, json);
	put(&h->webhook, json);
}
