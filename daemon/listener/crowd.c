/*
 * Who gives way when it gets crowded (C-21): so that clients which never log in, and users who open sessions and leave them, cannot
 * take every session from everybody else.
 *
 * There is stress when nine tenths of limits.connections are in use.  Then a stranger (who must log in and has not) has ten seconds
 * in all, and a user who holds a quarter of all sessions gets no more of them.  When hardly any session is left the stranger that
 * came first gives way to whoever comes, and where there are none, the session that has been idle longest.  Everybody has a moment
 * before that; meanwhile newcomers wait in the kernel's queue.  A session that is given an answer just now, or has a transaction, is
 * left alone.
 */
#include "listener/session.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/crc32c.h"
#include "base/log.h"

enum {
	STRANGER_MS = 10 * 1000,	/* under stress, from the first octet to the login */
	GRACE_MS = 100,			/* a login takes less; nobody gives way sooner */
	IDLE_MS = 10 * 1000,		/* a session that was used since is not idle */
	CALM_SWEEP_MS = 1000,
	SWEEP_MS = 100,
	MANY = 16,			/* sessions whose memory is worth giving back */
	SHRUNK_MS = 6 * 1000,
	SHARE_MIN = 16,			/* that many are nobody's abuse */
	LOGGED_MS = 10 * 1000,		/* one line stands for all in so long */
	SHARES = 1024
};

/* Sessions of each user, over all threads.  Two who share a place share their share. */
static _Atomic unsigned held[SHARES];

static unsigned
most(const struct listener *l)
{
	uint64_t configured = l->config->limits.connections;

	return configured < l->descriptors ? (unsigned)configured : l->descriptors;
}

static unsigned
sessions(void)
{
	int64_t n = count_get(COUNT_SESSIONS);

	return n > 0 ? (unsigned)n : 0;
}

static bool
is_stressed(const struct listener *l)
{
	return sessions() >= most(l) - most(l) / 10;
}

/* --- shares ------------------------------------------------------------------------------ */

static _Atomic unsigned *
share_of(const char *user)
{
	return &held[crc32c(0, user, strlen(user)) % SHARES];
}

static void
drop_share(struct session *s)
{
	if (s->has_share)
		atomic_fetch_sub(share_of(s->user), 1);
	s->has_share = false;
}

static bool
take_share(struct session *s)
{
	struct listener *l = s->listener;
	unsigned before;

	if (s->user == NULL)
		return true;
	before = atomic_fetch_add(share_of(s->user), 1);
	s->has_share = true;
	return before < SHARE_MIN || before < most(l) / 4 || !is_stressed(l);
}

/* --- who is where -------------------------------------------------------------------------- */

/* To the list that it belongs to now, as the newest there. */
static void
stand(struct session *s)
{
	struct listener *l = s->listener;

	list_remove(&s->crowd);
	list_put(session_needs_auth(s) ? &l->strangers : &l->known, &s->crowd);
	s->there_since_ms = loop_now_ms(l->loop);
}

static void
set_sweep(struct listener *l)
{
	bool stressed = is_stressed(l);

	loop_timer(l->loop, &l->sweep, loop_now_ms(l->loop) + (stressed ? SWEEP_MS : CALM_SWEEP_MS));
}

bool
crowd_join(struct session *s)
{
	struct listener *l = s->listener;

	if (l->nsession == 1)
		set_sweep(l);
	if (l->nsession > l->peak)
		l->peak = l->nsession;
	stand(s);
	return take_share(s);
}

bool
crowd_welcome(struct session *s)
{
	stand(s);
	return take_share(s);
}

void
crowd_forget(struct session *s)
{
	drop_share(s);
	free(s->user);
	s->user = NULL;
	stand(s);
}

void
crowd_touch(struct session *s)
{
	if (!session_needs_auth(s))
		stand(s);
}

void
crowd_leave(struct session *s)
{
	drop_share(s);
	list_remove(&s->crowd);
}

/* --- giving way ------------------------------------------------------------------------------ */

static void
note(struct listener *l, const struct session *s)
{
	int64_t now_ms = loop_now_ms(l->loop);

	l->gave_way++;
	if (l->crowded_logged_at_ms != 0 && now_ms - l->crowded_logged_at_ms < LOGGED_MS)
		return;
	log_event(LOG_WARNING, "crowded", log_num("connections", most(l)), log_num("ended", l->gave_way), SESSION_WHO(s),
	    log_text("reason", "nearly as many sessions are open as there may be: those that do not log in, or are idle, give way"));
	l->crowded_logged_at_ms = now_ms;
	l->gave_way = 0;
}

/* The first of the list that has been there so long, and can be spared. */
static struct session *
find_sparable(const struct listener *l, const struct node *head, int64_t age_ms)
{
	int64_t until_ms = loop_now_ms(l->loop) - age_ms;

	for (struct node *n = head->next; n != head; n = n->next) {
		struct session *s = container_of(n, struct session, crowd);

		if (s->there_since_ms > until_ms)
			break;
		if (s->owed == 0 && s->txn == NULL)
			return s;
	}
	return NULL;
}

static bool
send_one_away(struct listener *l)
{
	struct session *s = find_sparable(l, &l->strangers, GRACE_MS);

	if (s == NULL)
		s = find_sparable(l, &l->known, IDLE_MS);
	if (s == NULL)
		return false;
	note(l, s);
	session_give_way(s, "too many connections");
	return true;
}

bool
crowd_admit(struct listener *l)
{
	return sessions() < most(l) || send_one_away(l);
}

int64_t
crowd_wait_ms(const struct listener *l)
{
	return sessions() >= most(l) && !list_is_empty(&l->strangers) && find_sparable(l, &l->strangers, GRACE_MS) == NULL ?
	    GRACE_MS : 0;
}

static void
end_old_strangers(struct listener *l)
{
	struct session *s;

	while ((s = find_sparable(l, &l->strangers, STRANGER_MS)) != NULL) {
		note(l, s);
		session_give_way(s, "timeout");
	}
}

/* Memory of many sessions goes back to the system, not to the next crowd; when the last farewells are over. */
static void
give_back(struct listener *l)
{
	int64_t now_ms = loop_now_ms(l->loop);

	if (l->peak < MANY || l->nsession > l->peak / 2) {
		l->shrunk_at_ms = 0;
	} else if (l->shrunk_at_ms == 0) {
		l->shrunk_at_ms = now_ms;
	} else if (now_ms - l->shrunk_at_ms >= SHRUNK_MS) {
		l->peak = l->nsession;
		malloc_trim(0);
	}
}

/* Also for the other threads, whose newcomers find only their own to send away: some room is kept. */
void
crowd_on_sweep(void *arg)
{
	struct listener *l = arg;
	int64_t starved = count_get(COUNT_ACCEPT_ERRORS);
	unsigned spare = most(l) / 20, now = sessions(), over = now + spare > most(l) ? now + spare - most(l) : 0;

	if (l->starved != starved && over < spare)
		over = spare + 1;
	l->starved = starved;
	if (is_stressed(l))
		end_old_strangers(l);
	while (over-- > 0 && send_one_away(l))
		continue;
	give_back(l);
	if (l->nsession > 0 || l->peak >= MANY)
		set_sweep(l);
}
