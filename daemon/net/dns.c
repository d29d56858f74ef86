/*
 * Names to addresses.  getaddrinfo blocks, so one helper thread asks it, one name at
 * a time; it starts with the first name that is no literal.  Who asks for a name that
 * is asked for already waits for the same answer.
 *
 * Questions belong to the loop's thread; the helper sees errands alone, and the line
 * they stand in.
 */
#include "net/dns.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEEP_MS = 60 * 1000,
	QUESTIONS_MAX = 256,	/* with the helper at once; more are refused */
	KEPT_MAX = 64
};

/* Somebody who waits. */
struct asker {
	struct node node;
	void (*fn)(void *arg, const struct dns_answer *answer);
	void *arg;
};

/* A name: asked for, then answered, then perhaps kept for a while. */
struct question {
	struct node node;	/* in dns.questions, the oldest first */
	struct node askers;
	struct dns_answer *answer; /* NULL: none yet */
	int64_t until_ms;
	char host[];
};

/* A question on its way to the helper and back. */
struct errand {
	struct link link;
	struct question *question;	/* not for the helper */
	struct dns_answer answer;
	char host[];
};

/* Where errands wait.  Freed by the helper if it is in getaddrinfo when all ends. */
struct line {
	pthread_mutex_t lock;
	pthread_cond_t come;
	struct link *first, **tail;
	struct channel *back;
	bool stop, busy;
};

struct dns {
	struct loop *loop;
	struct line *line;	/* NULL: no helper yet */
	struct channel *back;
	pthread_t helper;
	struct node questions;
	unsigned asked, kept;	/* questions with the helper, with an answer */
	struct turn_job job;	/* tells what is known already */
	bool telling, stopped;
};

/* --- asking the system ------------------------------------------------------------ */

static bool
has_address(const struct dns_answer *a, const struct addrinfo *ai)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->address[i].len == ai->ai_addrlen &&
		    memcmp(&a->address[i].sa, ai->ai_addr, ai->ai_addrlen) == 0)
			return true;
	return false;
}

static void
add_address(struct dns_answer *a, const struct addrinfo *ai)
{
	struct dns_address *d = &a->address[a->n];

	if (a->n == DNS_ADDRESSES_MAX || ai->ai_addrlen > sizeof d->sa ||
	    has_address(a, ai) ||
	    getnameinfo(ai->ai_addr, ai->ai_addrlen, d->text, sizeof d->text,
	    NULL, 0, NI_NUMERICHOST) != 0)
		return;
	memcpy(&d->sa, ai->ai_addr, ai->ai_addrlen);
	d->len = ai->ai_addrlen;
	a->n++;
}

static const struct addrinfo *
next_of(const struct addrinfo *ai, int family, bool same)
{
	while (ai != NULL && (ai->ai_family == family) != same)
		ai = ai->ai_next;
	return ai;
}

/* The system's order within each family, the families in turn (RFC 8305 4). */
static void
interleave(struct dns_answer *a, const struct addrinfo *all)
{
	int first = all->ai_family;
	const struct addrinfo *one = all, *two = next_of(all, first, false);

	while (one != NULL || two != NULL) {
		if (one != NULL) {
			add_address(a, one);
			one = next_of(one->ai_next, first, true);
		}
		if (two != NULL) {
			add_address(a, two);
			two = next_of(two->ai_next, first, false);
		}
	}
}

static void
ask(struct dns_answer *a, const char *host, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *all = NULL;
	int error = getaddrinfo(host, NULL, &hints, &all);

	a->why = "";
	if (error == 0) {
		interleave(a, all);
		freeaddrinfo(all);
		if (a->n > 0) {
			a->result = DNS_OK;
			return;
		}
		error = EAI_NODATA;
	}
	a->why = error == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(error);
	switch (error) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		a->result = DNS_NO_SUCH_NAME;
		break;
	default:
		a->result = DNS_FAILED;
		break;
	}
}

/* --- the helper ------------------------------------------------------------------ */

static void
line_free(struct line *line)
{
	pthread_mutex_destroy(&line->lock);
	pthread_cond_destroy(&line->come);
	free(line);
}

static struct errand *
take_errand(struct line *line)
{
	struct link *l = line->first;

	if (l == NULL)
		return NULL;
	line->first = l->next;
	if (line->first == NULL)
		line->tail = &line->first;
	return container_of(l, struct errand, link);
}

static void *
help(void *arg)
{
	struct line *line = arg;
	struct errand *e;
	bool orphan = false;

	pthread_mutex_lock(&line->lock);
	for (;;) {
		while (!line->stop && line->first == NULL)
			pthread_cond_wait(&line->come, &line->lock);
		if (line->stop)
			break;
		e = take_errand(line);
		line->busy = true;
		pthread_mutex_unlock(&line->lock);
		ask(&e->answer, e->host, AI_ADDRCONFIG);
		pthread_mutex_lock(&line->lock);
		line->busy = false;
		if (line->stop) {
			free(e);
			orphan = true;
			break;
		}
		channel_post(line->back, &e->link);
	}
	pthread_mutex_unlock(&line->lock);
	if (orphan)
		line_free(line);
	return NULL;
}

/* With all signals blocked: they are the main thread's. */
static int
start_helper(struct dns *d)
{
	struct line *line = mem_zero(sizeof *line);
	sigset_t all, before;
	int error;

	pthread_mutex_init(&line->lock, NULL);
	pthread_cond_init(&line->come, NULL);
	line->tail = &line->first;
	line->back = d->back;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&d->helper, NULL, help, line);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		line_free(line);
		return -1;
	}
	pthread_setname_np(d->helper, "dns");
	d->line = line;
	return 0;
}

static void
stop_helper(struct dns *d)
{
	struct line *line = d->line;
	struct errand *e;
	bool busy;

	if (line == NULL)
		return;
	pthread_mutex_lock(&line->lock);
	line->stop = true;
	busy = line->busy;
	while ((e = take_errand(line)) != NULL)
		free(e);
	pthread_cond_signal(&line->come);
	pthread_mutex_unlock(&line->lock);
	d->line = NULL;
	if (busy) {	/* a name server may keep it for half a minute */
		pthread_detach(d->helper);
		return;
	}
	pthread_join(d->helper, NULL);
	line_free(line);
}

/* --- questions -------------------------------------------------------------------- */

static void
question_free(struct question *q)
{
	struct node *n;

	while ((n = list_take(&q->askers)) != NULL)
		free(container_of(n, struct asker, node));
	list_remove(&q->node);
	free(q->answer);
	free(q);
}

/* Tells all who wait.  Any of them may ask again, forget, or stop everything. */
static void
tell(struct dns *d, struct question *q)
{
	struct node *n;

	while (!d->stopped && (n = list_take(&q->askers)) != NULL) {
		struct asker a = *container_of(n, struct asker, node);

		free(container_of(n, struct asker, node));
		a.fn(a.arg, q->answer);
	}
}

/* Lets go of what is too old, or too much. */
static void
clean(struct dns *d)
{
	int64_t now_ms = loop_now_ms(d->loop);

	list_each(n, &d->questions) {
		struct question *q = container_of(n, struct question, node);

		if (q->answer == NULL || !list_is_empty(&q->askers) ||
		    (q->until_ms > now_ms && d->kept <= KEPT_MAX))
			continue;
		question_free(q);
		d->kept--;
	}
}

static void
on_turn_end(void *arg)
{
	struct dns *d = arg;

	d->telling = true;	/* the list may grow, but nothing may leave it */
	list_each(n, &d->questions) {
		struct question *q = container_of(n, struct question, node);

		if (q->answer != NULL)
			tell(d, q);
		if (d->stopped)
			return;
	}
	d->telling = false;
	clean(d);
}

static void
settle(struct dns *d, struct question *q, const struct dns_answer *answer)
{
	q->answer = mem_copy(answer, sizeof *answer);
	q->until_ms = answer->result == DNS_OK ? loop_now_ms(d->loop) + KEEP_MS : 0;
	d->kept++;
	loop_at_turn_end(d->loop, &d->job, on_turn_end, d);
}

static void
on_answer(void *arg, struct link *l)
{
	struct dns *d = arg;
	struct errand *e = container_of(l, struct errand, link);

	if (!d->stopped) {
		d->asked--;
		settle(d, e->question, &e->answer);
	}
	free(e);
}

static void
send_errand(struct dns *d, struct question *q)
{
	size_t size = strlen(q->host) + 1;
	struct errand *e = mem_zero(sizeof *e + size);
	struct line *line = d->line;

	e->question = q;
	memcpy(e->host, q->host, size);
	d->asked++;
	pthread_mutex_lock(&line->lock);
	*line->tail = &e->link;
	line->tail = &e->link.next;
	pthread_cond_signal(&line->come);
	pthread_mutex_unlock(&line->lock);
}

static struct question *
find(struct dns *d, const char *host)
{
	int64_t now_ms = loop_now_ms(d->loop);

	list_each(n, &d->questions) {
		struct question *q = container_of(n, struct question, node);

		if (str_iis(str_of(host), q->host) &&
		    (q->answer == NULL || q->until_ms > now_ms))
			return q;
	}
	return NULL;
}

static struct question *
put_question(struct dns *d, const char *host)
{
	size_t size = strlen(host) + 1;
	struct question *q = mem_zero(sizeof *q + size);
	struct dns_answer answer = { 0 };

	memcpy(q->host, host, size);
	list_init(&q->askers);
	list_put(&d->questions, &q->node);
	ask(&answer, host, AI_NUMERICHOST);
	if (answer.result == DNS_OK) {
		settle(d, q, &answer);
	} else if (d->asked >= QUESTIONS_MAX) {
		answer = (struct dns_answer){ DNS_FAILED, .why = "too many names to resolve" };
		settle(d, q, &answer);
	} else if (d->line == NULL && start_helper(d) < 0) {
		answer = (struct dns_answer){ DNS_FAILED, .why = "no thread to resolve names" };
		settle(d, q, &answer);
	} else {
		send_errand(d, q);
	}
	return q;
}

void
dns_resolve(struct dns *d, const char *host,
    void (*fn)(void *arg, const struct dns_answer *answer), void *arg)
{
	struct asker *a = mem_zero(sizeof *a);
	struct question *q;

	if (!d->telling)
		clean(d);
	q = find(d, host);
	if (q == NULL)
		q = put_question(d, host);
	else if (q->answer != NULL)
		loop_at_turn_end(d->loop, &d->job, on_turn_end, d);
	a->fn = fn;
	a->arg = arg;
	list_put(&q->askers, &a->node);
}

void
dns_refresh(struct dns *d)
{
	list_each(n, &d->questions)
		container_of(n, struct question, node)->until_ms = 0;
}

void
dns_forget(struct dns *d, const void *arg)
{
	list_each(n, &d->questions) {
		struct question *q = container_of(n, struct question, node);

		list_each(m, &q->askers) {
			struct asker *a = container_of(m, struct asker, node);

			if (a->arg == arg) {
				list_remove(m);
				free(a);
			}
		}
	}
}

struct dns *
dns_start(struct loop *l)
{
	struct dns *d = mem_zero(sizeof *d);

	d->loop = l;
	d->back = channel_new(l, on_answer, d);
	list_init(&d->questions);
	return d;
}

static void
release(void *obj)
{
	struct dns *d = obj;
	struct node *n;

	while ((n = list_take(&d->questions)) != NULL)
		question_free(container_of(n, struct question, node));
	channel_free(&d->back);
	free(d);
}

void
dns_stop(struct dns **dp)
{
	struct dns *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	d->stopped = true;
	loop_forget_job(&d->job);
	stop_helper(d);
	channel_drain(d->back);
	loop_bury(d->loop, d, release);
}
