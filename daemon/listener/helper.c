/*
 * The password thread.  One for all, so that guessers cannot take more than one processor.
 *
 * Who was right the last time is checked first, then whose name failed least from that address, and of these whose name
 * failed least at all.  Whose name is guessed at from its own address cannot be told from who guesses: of those every other time
 * the newest is checked, since a guesser's next one comes when the last was told.  A name that is nobody's is not waited for at all.
 *
 * Nothing of that shows (A-055, C-26): a failure is told when its time has come, whatever its name: twice that in which all
 * would have been checked in turn, and not before its delay is over.  Until then it was checked: those who were overtaken
 * come before other guesses when their time is near.  What one takes is measured for its own sake: by no check of a guess,
 * for then a guess at a name that exists could be seen in what others wait.
 *
 * What waits is bounded by the sessions: each has one, and takes it along when it ends.
 */
#include "listener/helper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/ident.h"
#include "base/mem.h"
#include "listener/remember.h"

enum {
	PLACES = 1024,			/* a collision forgets the elder */
	FIRST_DELAY_MS = 500,
	LAST_DELAY_MS = 30 * 1000,
	LAST_DUE_MS = 30 * 1000,	/* a session whose client has gone waits as long, too */
	FORGET_MS = 10 * 60 * 1000,
	CHECK_MS = 30,			/* what one takes, until it is known */
	MEASURE_MS = 2000,		/* the machine may be busy now; only while somebody guesses, and with so many checks between: */
	MEASURE_CHECKS = 20,
	KINDS = 64,			/* of hashes, and the dummy's */
	DUMMIES_MAX = 1000,
	FAILURES_MAX = 1 << 20,
	/* Apps of one host share its address: one of them that is set up wrongly must not make
	 * every other's slip cost half a minute. */
	PER_ADDRESS = 8
};

struct record {		/* of a name, an address, or a name at an address */
	uint64_t who;
	unsigned failures;		/* of late */
	bool is_proven;			/* was right the last time */
	int64_t last_at_ms;
};

static struct {
	pthread_mutex_t lock;		/* of all that follows */
	pthread_cond_t work, rest;
	pthread_t thread;
	bool running, stop;
	struct node waiting;		/* in the order they came */
	const struct channel *busy_for;	/* whose check is being made; NULL: none */
	unsigned dummies;		/* names that are nobody's, and have not cost their hash yet */
	bool by_age;			/* the next is the newest */
	struct users *users;		/* whose hashes are measured; NULL: nobody's */
	int64_t measured_at_ms;
	const struct user *dearest;	/* of those whose check takes longest; NULL: the dummy */
	bool is_stale;			/* it must be measured again, */
	bool is_new;			/* with all kinds of hashes */
	int64_t check_ms;		/* what one takes, of the dearest kind, the slower ones rather than the mean */
	int64_t all_done_at_ms;		/* if all that came were checked in turn */
	struct record name[PLACES], address[PLACES], pair[PLACES];
	unsigned char key[32];
} helper = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.rest = PTHREAD_COND_INITIALIZER,
	.waiting = { &helper.waiting, &helper.waiting },
};

/* --- who failed: all under the lock ------------------------------------------- */

static struct record *
find_record(struct record *table, const char *text, int64_t now_ms)
{
	uint64_t who = digest_number(helper.key, str_of(text));
	struct record *r = &table[who % PLACES];

	if (r->who != who || (!r->is_proven && now_ms - r->last_at_ms > FORGET_MS))
		*r = (struct record){ .who = who };
	r->last_at_ms = now_ms;
	return r;
}

static void
count_failure(struct record *r)
{
	if (r->failures < FAILURES_MAX)
		r->failures++;
}

/* With the address, so that a guess from elsewhere takes nothing from whose name it is. */
static struct record *
find_pair(const struct check *c)
{
	struct record *r;
	struct buf b = { 0 };

	buf_room(&b, strlen(c->address) + strlen(c->name) + 64);	/* growing would leave copies behind */
	buf_printf(&b, "%s\n%s", c->address, c->name);
	r = find_record(helper.pair, b.data, c->at_ms);
	buf_wipe(&b);
	return r;
}

static int64_t
doubled(unsigned times)
{
	int64_t ms = FIRST_DELAY_MS;

	while (times-- > 0 && ms < LAST_DELAY_MS)
		ms *= 2;
	return ms < LAST_DELAY_MS ? ms : LAST_DELAY_MS;
}

static int64_t
within(int64_t n, int64_t least, int64_t most)
{
	return n < least ? least : n > most ? most : n;
}

/* Behind all that came before, be they nobody's: twice the time, so that others may overtake. */
static int64_t
find_due_ms(int64_t at_ms)
{
	int64_t turn_ms = within(helper.all_done_at_ms - at_ms, 0, LAST_DUE_MS) + helper.check_ms;

	helper.all_done_at_ms = at_ms + turn_ms;
	return at_ms + within(2 * turn_ms, FIRST_DELAY_MS, LAST_DUE_MS);
}

/* Each is taken for a failure until it is found right, which some never are because their session ends: what follows must not show. */
static void
blame(struct check *c)
{
	struct record *name = find_record(helper.name, c->name, c->at_ms);
	struct record *address = find_record(helper.address, c->address, c->at_ms);
	int64_t delay_ms = doubled(name->failures), by_address_ms = doubled(address->failures / PER_ADDRESS);

	count_failure(name);
	count_failure(address);
	c->due_at_ms = find_due_ms(c->at_ms);
	c->tell_at_ms = c->at_ms + (delay_ms > by_address_ms ? delay_ms : by_address_ms);
	if (c->tell_at_ms < c->due_at_ms)
		c->tell_at_ms = c->due_at_ms;
}

/* The lower, the earlier; 0 is before all.  Whose name is guessed at from elsewhere, too, comes after others; but first who did not guess. */
static uint64_t
make_rank(unsigned failures_of_pair, unsigned failures_of_name)
{
	return (uint64_t)(1 + failures_of_pair) << 32 | failures_of_name;
}

static uint64_t
find_rank(const struct check *c)	/* after blame: the name has failed once at least */
{
	struct record *pair = find_pair(c), *name = find_record(helper.name, c->name, c->at_ms);
	uint64_t rank = pair->is_proven ? 0 : make_rank(pair->failures, name->failures);

	pair->is_proven = false;	/* until it is again */
	count_failure(pair);
	return rank;
}

/* What came from there, not what others did: else they would hear that the name's owner has come. */
static void
forgive(const struct check *c)
{
	struct record *pair = find_pair(c), *address = find_record(helper.address, c->address, c->at_ms);
	struct record *name = find_record(helper.name, c->name, c->at_ms);

	name->failures -= pair->failures < name->failures ? pair->failures : name->failures;
	if (address->failures > 0)
		address->failures--;
	pair->failures = 0;
	pair->is_proven = true;
}

/* --- the thread --------------------------------------------------------------- */

/* Was right the last time, or is the first of that name. */
static bool
is_clean(const struct check *c)
{
	return c->rank <= make_rank(0, 1);
}

static struct check *
choose(void)	/* under the lock; NULL: nothing waits, or it is time to measure */
{
	struct check *best = NULL, *first = NULL;

	for (struct node *n = helper.waiting.next; n != &helper.waiting; n = n->next) {
		struct check *c = container_of(n, struct check, waiting);

		if (best == NULL || c->rank < best->rank)
			best = c;
		if (first == NULL || c->due_at_ms < first->due_at_ms)
			first = c;
	}
	if (best == NULL || is_clean(best))
		return best;
	if (helper.is_stale)
		return NULL;
	helper.by_age = !helper.by_age;
	if (helper.by_age)
		return container_of(helper.waiting.prev, struct check, waiting);
	return first->due_at_ms - clock_now_ms() > 2 * helper.check_ms ? best : first;
}

static int64_t
work_ms(void)	/* a clock for what work takes: in tests, too */
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* An app that opens many sessions at once has its password checked for the first of them. */
static bool
is_right(const struct check *c)
{
	struct str password = { c->password, c->password_len };

	if (remember_knows(c->user, password, c->at_ms))
		return true;
	if (!users_check(c->user, c->password))
		return false;
	remember_put(c->user, password, c->at_ms);
	return true;
}

static void
look_at(struct check *c)	/* under the lock, which it gives up meanwhile */
{
	list_remove(&c->waiting);
	helper.busy_for = c->back;
	pthread_mutex_unlock(&helper.lock);
	c->ok = is_right(c);
	pthread_mutex_lock(&helper.lock);
	if (c->ok)
		forgive(c);
	channel_post(c->back, &c->link);
	helper.busy_for = NULL;
	pthread_cond_broadcast(&helper.rest);
}

/* A name that is nobody's takes a processor the same time as others do, when nothing else waits: that shows, too. */
static void
look_at_dummy(void)	/* the same */
{
	helper.dummies--;
	pthread_mutex_unlock(&helper.lock);
	(void)users_check(NULL, "");
	pthread_mutex_lock(&helper.lock);
}

/* The dearest kind; of a new table all are tried.  With the longest password, for some take longer by its length. */
static void
measure(void)	/* the same */
{
	const struct user *kind[KINDS] = { helper.dearest }, *dearest = NULL;
	struct users *users = helper.users != NULL ? users_ref(helper.users) : NULL;
	bool is_new = helper.is_new && users != NULL;
	char password[USERS_PASSWORD_MAX + 1];
	int64_t worst_ms = -1;
	unsigned n = 1;

	memset(password, '-', sizeof password - 1);
	password[sizeof password - 1] = '\0';
	helper.is_stale = helper.is_new = false;
	pthread_mutex_unlock(&helper.lock);
	if (is_new)
		n += users_kinds(users, kind + 1, KINDS - 1);
	for (unsigned i = 0; i < n; i++) {
		int64_t began_ms = work_ms(), took_ms;

		(void)users_check(kind[i], password);
		took_ms = work_ms() - began_ms;
		if (took_ms > worst_ms) {
			worst_ms = took_ms;
			dearest = kind[i];
		}
	}
	pthread_mutex_lock(&helper.lock);
	if (helper.users == users)
		helper.dearest = dearest;
	users_unref(&users);
	helper.check_ms = within(worst_ms, helper.check_ms - helper.check_ms / 16, LAST_DELAY_MS);
}

static void *
run(void *arg)
{
	struct check *c;

	(void)arg;
	pthread_setname_np(pthread_self(), "passwords");
	pthread_mutex_lock(&helper.lock);
	while (!helper.stop) {
		if ((c = choose()) != NULL)
			look_at(c);
		else if (helper.is_stale)
			measure();
		else if (helper.dummies > 0)
			look_at_dummy();
		else
			pthread_cond_wait(&helper.work, &helper.lock);
	}
	pthread_mutex_unlock(&helper.lock);
	return NULL;
}

void
helper_start(void)
{
	int error;

	pthread_mutex_lock(&helper.lock);
	ident_random(helper.key, sizeof helper.key);
	memset(helper.name, 0, sizeof helper.name);
	memset(helper.address, 0, sizeof helper.address);
	memset(helper.pair, 0, sizeof helper.pair);
	helper.check_ms = CHECK_MS;
	helper.all_done_at_ms = helper.measured_at_ms = 0;
	helper.dummies = 0;
	helper.by_age = true;		/* the next is not */
	helper.stop = false;
	pthread_mutex_unlock(&helper.lock);
	error = pthread_create(&helper.thread, NULL, run, NULL);
	if (error != 0)
		bug("no thread for passwords: %s", strerror(error));
	helper.running = true;
}

void
helper_stop(void)
{
	if (!helper.running)
		return;
	helper.running = false;
	pthread_mutex_lock(&helper.lock);
	helper.stop = true;
	pthread_cond_signal(&helper.work);
	pthread_mutex_unlock(&helper.lock);
	pthread_join(helper.thread, NULL);
	users_unref(&helper.users);
	helper.dearest = NULL;
	helper.is_stale = helper.is_new = false;
}

void
helper_learn(struct users *users)
{
	pthread_mutex_lock(&helper.lock);
	if (users != NULL && (helper.users == NULL || !users_has_kinds_of(helper.users, users))) {
		users_unref(&helper.users);
		helper.users = users_ref(users);
		helper.dearest = NULL;
		helper.is_stale = helper.is_new = true;
		pthread_cond_signal(&helper.work);
	}
	pthread_mutex_unlock(&helper.lock);
}

/* --- to and from the listeners -------------------------------------------------- */

bool
helper_put(struct check **cp)
{
	struct check *c = *cp;
	bool waits = c->user != NULL;

	pthread_mutex_lock(&helper.lock);
	blame(c);
	if (c->at_ms - helper.measured_at_ms >= MEASURE_MS + MEASURE_CHECKS * helper.check_ms) {
		helper.measured_at_ms = c->at_ms;
		helper.is_stale = true;
	}
	if (waits) {
		c->rank = find_rank(c);
		list_put(&helper.waiting, &c->waiting);
		*cp = NULL;
	} else if (helper.dummies < DUMMIES_MAX) {
		helper.dummies++;
	}
	pthread_cond_signal(&helper.work);
	pthread_mutex_unlock(&helper.lock);
	return waits;
}

/* Those of one session, or all with NULL. */
static void
drop(const struct channel *back, const struct handle *session)	/* under the lock */
{
	struct node *next;

	for (struct node *n = helper.waiting.next; n != &helper.waiting; n = next) {
		struct check *c = container_of(n, struct check, waiting);

		next = n->next;
		if (c->back == back && (session == NULL ||
		    (c->session.slot == session->slot && c->session.generation == session->generation))) {
			list_remove(n);
			helper_free_check(&c);
		}
	}
}

void
helper_cancel(const struct channel *back, struct handle session)
{
	pthread_mutex_lock(&helper.lock);
	drop(back, &session);
	pthread_mutex_unlock(&helper.lock);
}

void
helper_forget(const struct channel *back)
{
	pthread_mutex_lock(&helper.lock);
	drop(back, NULL);
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
