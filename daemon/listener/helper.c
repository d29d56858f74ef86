/*
 * The password thread: a bounded queue in, each listener's own channel out.  One thread for all,
 * so that guessers cannot take more than one processor and its memory of failures needs no lock.
 */
#include "listener/helper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/ident.h"
#include "base/mem.h"

enum {
	WAITING_MAX = 128,
	FAILURES = 1024,		/* places; a collision forgets the elder */
	FIRST_DELAY_MS = 500,
	LAST_DELAY_MS = 30 * 1000,
	FORGET_MS = 10 * 60 * 1000,
	/* Apps of one host share its address: one of them that is set up wrongly must not make
	 * every other's slip cost half a minute. */
	PER_ADDRESS = 8
};

struct failures {
	uint64_t who;
	unsigned n;
	int64_t last_at_ms;
};

/*
 * Whose last login from an address was right does not wait behind those who guess.  Not whose name exists: then a flood would show by the time
 * an answer takes which names do.
 */
enum queue { PROVEN, OTHERS, QUEUES };

struct waiting {
	struct link *first, **tail;
	unsigned n;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, rest;
	pthread_t thread;
	bool running, stop;
	struct waiting queue[QUEUES];
	uint64_t proven[FAILURES];	/* addresses and names; 0: none */
	unsigned char key[32];
	const struct channel *busy_for;	/* whose check is being made; NULL: none */
} helper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.rest = PTHREAD_COND_INITIALIZER,
};

/* --- who failed: the thread's own ------------------------------------------- */

struct blame {
	struct failures by_name[FAILURES], by_address[FAILURES];
};

static uint64_t
who_is(const char *text)
{
	return digest_number(helper.key, str_of(text));
}

static struct failures *
failures_of(struct failures *table, const char *text, int64_t now_ms)
{
	uint64_t who = who_is(text);
	struct failures *f = &table[who % FAILURES];

	if (f->who != who || now_ms - f->last_at_ms > FORGET_MS)
		*f = (struct failures){ .who = who, .last_at_ms = now_ms };
	return f;
}

static int64_t
doubled(unsigned times)
{
	int64_t ms = FIRST_DELAY_MS;

	while (times-- > 0 && ms < LAST_DELAY_MS)
		ms *= 2;
	return ms < LAST_DELAY_MS ? ms : LAST_DELAY_MS;
}

static void
weigh(struct blame *b, struct check *c)
{
	struct failures *name = failures_of(b->by_name, c->name, c->at_ms);
	struct failures *address = failures_of(b->by_address, c->address, c->at_ms);
	int64_t by_address;

	if (c->ok) {
		name->n = 0;
		return;
	}
	c->delay_ms = doubled(name->n++);
	by_address = doubled(address->n++ / PER_ADDRESS);
	if (by_address > c->delay_ms)
		c->delay_ms = by_address;
	name->last_at_ms = address->last_at_ms = c->at_ms;
}

/* --- the thread --------------------------------------------------------------- */

static struct check *
next_check(void)	/* under the lock; NULL: stop */
{
	struct waiting *w;
	struct check *c;

	while (helper.queue[PROVEN].n + helper.queue[OTHERS].n == 0 && !helper.stop)
		pthread_cond_wait(&helper.work, &helper.lock);
	if (helper.stop)
		return NULL;
	w = &helper.queue[helper.queue[PROVEN].n > 0 ? PROVEN : OTHERS];
	c = container_of(w->first, struct check, link);
	w->first = c->link.next;
	if (w->first == NULL)
		w->tail = &w->first;
	w->n--;
	helper.busy_for = c->back;
	return c;
}

/* With the address, so that a guess from elsewhere takes nothing from whose name it is. */
static uint64_t
whence(const struct check *c)
{
	struct buf b = { 0 };
	uint64_t who;

	buf_room(&b, strlen(c->address) + strlen(c->name) + 64);	/* growing would leave copies behind */
	buf_printf(&b, "%s\n%s", c->address, c->name);
	who = digest_number(helper.key, buf_str(&b));
	buf_wipe(&b);
	return who;
}

static void
prove(const struct check *c)	/* under the lock */
{
	uint64_t who = whence(c), *place = &helper.proven[who % FAILURES];

	if (c->ok)
		*place = who;
	else if (*place == who)
		*place = 0;
}

static void *
run(void *arg)
{
	struct blame *b = arg;
	struct check *c;

	pthread_setname_np(pthread_self(), "passwords");
	pthread_mutex_lock(&helper.lock);
	while ((c = next_check()) != NULL) {
		pthread_mutex_unlock(&helper.lock);
		c->ok = users_check(c->user, c->password) && c->user != NULL;
		weigh(b, c);
		pthread_mutex_lock(&helper.lock);
		prove(c);
		channel_post(c->back, &c->link);
		helper.busy_for = NULL;
		pthread_cond_broadcast(&helper.rest);
	}
	pthread_mutex_unlock(&helper.lock);
	free(b);
	return NULL;
}

void
helper_start(void)
{
	struct blame *b = mem_zero(sizeof *b);
	int error;

	ident_random(helper.key, sizeof helper.key);
	for (int i = 0; i < QUEUES; i++)
		helper.queue[i] = (struct waiting){ .tail = &helper.queue[i].first };
	memset(helper.proven, 0, sizeof helper.proven);
	helper.stop = false;
	error = pthread_create(&helper.thread, NULL, run, b);
	if (error != 0)
		bug("no thread for passwords: %s", strerror(error));
	helper.running = true;
}

static void
drop_from(struct waiting *w, const struct channel *back)
{
	struct link **at = &w->first;

	while (*at != NULL) {
		struct check *c = container_of(*at, struct check, link);

		if (back == NULL || c->back == back) {
			*at = c->link.next;
			w->n--;
			helper_free_check(&c);
		} else {
			at = &c->link.next;
		}
	}
	w->tail = at;
}

/* Takes out, and frees, what waits for `back', or for anyone with NULL. */
static void
drop(const struct channel *back)	/* under the lock */
{
	for (int i = 0; i < QUEUES; i++)
		drop_from(&helper.queue[i], back);
}

void
helper_stop(void)
{
	pthread_mutex_lock(&helper.lock);
	if (!helper.running) {
		pthread_mutex_unlock(&helper.lock);
		return;
	}
	helper.running = false;
	helper.stop = true;
	drop(NULL);
	pthread_cond_signal(&helper.work);
	pthread_mutex_unlock(&helper.lock);
	pthread_join(helper.thread, NULL);
}

bool
helper_put(struct check **c)
{
	uint64_t who = whence(*c);
	struct waiting *w;
	bool ok;

	pthread_mutex_lock(&helper.lock);
	w = &helper.queue[helper.proven[who % FAILURES] == who ? PROVEN : OTHERS];
	ok = helper.running && w->n < WAITING_MAX;
	if (ok) {
		(*c)->link.next = NULL;
		*w->tail = &(*c)->link;
		w->tail = &(*c)->link.next;
		w->n++;
		*c = NULL;
		pthread_cond_signal(&helper.work);
	}
	pthread_mutex_unlock(&helper.lock);
	return ok;
}

void
helper_forget(struct channel *back)
{
	pthread_mutex_lock(&helper.lock);
	if (helper.running)
		drop(back);
	while (helper.busy_for == back)
		pthread_cond_wait(&helper.rest, &helper.lock);
	pthread_mutex_unlock(&helper.lock);
}

void
helper_free_check(struct check **c)
{
	struct check *k = *c;

	if (k == NULL)
		return;
	*c = NULL;
	users_unref(&k->users);
	mem_free_secret(&k->name);
	mem_wipe(k->password, k->password_len);
	free(k);
}
