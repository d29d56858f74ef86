/*
 * Who gives way when it gets crowded (C-21): so that neither clients which never log in, nor users who open sessions and keep them,
 * can take every session from everybody else.
 *
 * Strangers (who must log in and have not) are never shut out: those who are known have nine tenths of limits.connections and no
 * more.  Among the known each session has a holder: the user, or the address that a listener trusts.  A holder may have all that
 * is free.  When there are too many, whoever has most loses the session that was used least lately: at first one that was not used for
 * a second, and the longer it lasts the less it helps to be at work.  So nobody can keep a place by holding it or by being busy.
 * Where nobody has many, trusted addresses lose theirs before users if most are theirs, and a user who is at work none.
 *
 * Among strangers there is stress when nine tenths of all are in use: then each has ten seconds, and when hardly any session is left
 * the one that came first gives way to whoever comes.  Everybody has a moment before that, one whose password is being looked at
 * a longer one, and one who says nothing a shorter; meanwhile newcomers wait in the kernel's queue.  When that goes on, to pause is to
 * give way: an app on its way to a login seldom lets us wait.  Who waits for the answer to a password and has ended its side
 * goes first, and after a second in any case: guessers leave without it.
 *
 * Who gives way is sent away by the sweep or before a newcomer is accepted, never while another session is being served: replies
 * to be written stand in the listener then.
 */
#include "listener/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/count.h"
#include "base/digest.h"
#include "base/ident.h"
#include "base/log.h"

enum {
	STRANGER_MS = 10 * 1000,	/* under stress, from the first octet to the login */
	GRACE_MS = 100,			/* a login takes less */
	SILENT_MS = 20,			/* the same, while nothing is said, and for those who pause once it is full for long: */
	FULL_MS = 200,			/* for so long */
	FULL_AGAIN_MS = 500,		/* what lies less apart is one time */
	BEARABLE_MIN = 4,		/* it may be others who use up what there is */
	STARVED_MS = 60 * 1000,		/* after that more are tried again */
	CHECKED_MS = 500,		/* the same, while its password is being looked at */
	GONE_MS = 1000,			/* to hear of it, once its side has ended */
	BUSY_MS = 20,			/* used since: at work */
	YOUNG_MS = 1000,		/* used since: others go first */
	IDLE_MS = 10 * 1000,		/* a session that was used since is not idle */
	CALM_SWEEP_MS = 1000,
	SWEEP_MS = 100,
	MANY = 16,			/* sessions whose memory is worth giving back */
	LOGGED_MS = 10 * 1000,		/* one line stands for all in so long */
	FEW_MAX = 16			/* that many are nobody's abuse, and many holders of one may be one's */
};

/* Sessions of each holder and of all of them, over all threads.  Two who share a place count as one. */
static _Atomic unsigned held[SHARE_HOLDERS], held_in_all, held_by_trust;

static unsigned
most(const struct listener *l)
{
	uint64_t configured = l->config->limits.connections;

	return configured < l->bearable ? (unsigned)configured : l->bearable;
}

static unsigned
sessions(void)
{
	int64_t n = count_get(COUNT_SESSIONS);

	return n > 0 ? (unsigned)n : 0;
}

/* Nine tenths; at least one is left. */
static unsigned
room_for_known(const struct listener *l)
{
	unsigned all = most(l);

	return all < 20 ? all - (all > 1) : all - all / 10;
}

/* Where descriptors ran out all the same, there are a few less than are open now, so that it is us who choose who gives way, and others
 * of the process find some. */
static bool
note_starved(struct listener *l)
{
	int64_t errors = count_get(COUNT_ACCEPT_ERRORS), now_ms = loop_now_ms(l->loop);
	unsigned n = sessions();

	if (l->accept_errors != errors) {
		l->accept_errors = errors;
		l->starved_at_ms = now_ms;
		l->bearable = n > BEARABLE_MIN ? n - n / 16 - 1 : BEARABLE_MIN;
		return true;
	}
	if (now_ms - l->starved_at_ms >= STARVED_MS)
		l->bearable = l->descriptors;
	return false;
}

static bool
is_stressed(const struct listener *l)
{
	return sessions() >= room_for_known(l);
}

/* --- holders ----------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char key[32];

static void
make_key(void)
{
	ident_random(key, sizeof key);
}

/* Nobody can choose a name so that it has another's place. */
static _Atomic unsigned *
find_holder(const struct session *s)
{
	struct buf name = { 0 };
	uint64_t place;

	pthread_once(&once, make_key);
	buf_printf(&name, "%s\n%s", s->user != NULL ? "" : s->port->name, s->user != NULL ? s->user : s->address);
	place = digest_number(key, buf_str(&name));
	buf_clear(&name);
	return &held[place % SHARE_HOLDERS];
}

unsigned
crowd_get_holder(const struct session *s)
{
	return s->holder != NULL ? (unsigned)(s->holder - held) : 0;
}

static unsigned
heaviest(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SHARE_HOLDERS; i++)
		if (held[i] > n)
			n = held[i];
	return n;
}

static void
let_go(struct session *s)
{
	if (s->holder == NULL)
		return;
	atomic_fetch_sub(s->holder, 1);
	atomic_fetch_sub(&held_in_all, 1);
	if (s->by_trust)
		atomic_fetch_sub(&held_by_trust, 1);
	s->holder = NULL;
	s->by_trust = false;
}

/* What a holder may have, where there is room for so many, without being the one who has too many. */
static unsigned
few(const struct listener *l)
{
	unsigned n = room_for_known(l) / 8;

	return n < 1 ? 1 : n > FEW_MAX ? FEW_MAX : n;
}

/*
 * The session of the known that was used least lately, and not within that time: of who has most; where nobody has many, of the trusted
 * addresses if most are theirs, else of anybody who is not at work.  A reply that is owed is waited for, but not for ever: who has too
 * many would always be owed one.
 */
static struct session *
find_heavy(const struct listener *l, int64_t idle_ms)
{
	int64_t until_ms = loop_now_ms(l->loop) - idle_ms;
	unsigned most_held = heaviest(), least = most_held > few(l) ? most_held : 0;
	bool by_trust = least == 0 && held_by_trust > held_in_all / 2;

	if (least == 0 && !by_trust && idle_ms < BUSY_MS)
		return NULL;
	for (struct node *n = l->known.next; n != &l->known; n = n->next) {
		struct session *s = container_of(n, struct session, crowd);

		if (s->there_since_ms > until_ms)
			break;
		if (*s->holder >= least && (s->by_trust || !by_trust) && (s->owed == 0 || idle_ms == 0))
			return s;
	}
	return NULL;
}

/* How long a session must have lain there: the longer there are too many, the less.  Each thread knows only its own, so that it is the
 * least used of all that goes. */
static int64_t
rest_needed_ms(const struct listener *l)
{
	static const int64_t ages_ms[] = { YOUNG_MS, GRACE_MS, BUSY_MS, 0 };
	int64_t sweeps = l->over_since_ms == 0 ? 0 : (loop_now_ms(l->loop) - l->over_since_ms) / SWEEP_MS;

	return ages_ms[sweeps < 3 ? sweeps : 3];
}

/* Counts the session as its holder's.  If that is too many the sweep comes at once. */
static void
hold(struct session *s)
{
	struct listener *l = s->listener;

	let_go(s);
	if (session_needs_auth(s))
		return;
	s->holder = find_holder(s);
	atomic_fetch_add(s->holder, 1);
	s->by_trust = s->user == NULL;
	if (s->by_trust)
		atomic_fetch_add(&held_by_trust, 1);
	if (atomic_fetch_add(&held_in_all, 1) >= room_for_known(l))
		loop_timer(l->loop, &l->sweep, loop_now_ms(l->loop));
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
	loop_timer(l->loop, &l->sweep, loop_now_ms(l->loop) + (is_stressed(l) ? SWEEP_MS : CALM_SWEEP_MS));
}

void
crowd_join(struct session *s)
{
	struct listener *l = s->listener;

	if (!heap_has(&l->sweep.node))
		set_sweep(l);
	peak_note(&l->peak, l->nsession);
	crowd_welcome(s);
}

void
crowd_welcome(struct session *s)
{
	stand(s);
	hold(s);
}

void
crowd_forget(struct session *s)
{
	free(s->user);
	s->user = NULL;
	crowd_welcome(s);	/* where peers are trusted it is known as before */
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
	let_go(s);
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
	    log_num("held", s->holder != NULL ? *s->holder : 0),
	    log_text("reason", s->holder == NULL ? "nearly as many sessions are open as there may be: those that do not log in give way" :
	    "as many sessions are open as users may have in all: who has most gives way, what was not used lately first"));
	l->crowded_logged_at_ms = now_ms;
	l->gave_way = 0;
}

static bool
send_away(struct session *s, const char *what)
{
	if (s == NULL)
		return false;
	note(s->listener, s);
	session_give_way(s, what);
	return true;
}

/* For us: a password is being looked at, or found to be wrong, which must look the same. */
static bool
is_waiting(const struct session *s)
{
	return s->owed > 0 || s->late.len > 0;
}

/* One that has said nothing, or nothing for so long. */
static struct session *
find_silent(const struct listener *l, bool who_spoke)
{
	int64_t until_ms = loop_now_ms(l->loop) - SILENT_MS;

	for (struct node *n = l->strangers.next; n != &l->strangers; n = n->next) {
		struct session *s = container_of(n, struct session, crowd);

		if (s->there_since_ms > until_ms)
			break;
		if (!is_waiting(s) && stream_is_silent(s->stream, who_spoke ? until_ms : 0))
			return s;
	}
	return NULL;
}

/* One that waits for an answer to its password, and ended its side so long ago: most often nobody is there any more. */
static struct session *
find_gone(const struct listener *l, int64_t age_ms)
{
	int64_t until_ms = loop_now_ms(l->loop) - age_ms;

	for (struct node *n = l->strangers.next; n != &l->strangers; n = n->next) {
		struct session *s = container_of(n, struct session, crowd);

		if (s->eof && s->eof_at_ms <= until_ms)
			return s;
	}
	return NULL;
}

/* The stranger that came first, when that is so long ago; better one whose password is not being looked at. */
static struct session *
find_stranger(const struct listener *l, int64_t age_ms)
{
	int64_t now_ms = loop_now_ms(l->loop), checked_ms = age_ms > CHECKED_MS ? age_ms : CHECKED_MS;
	struct session *checked = NULL;

	for (struct node *n = l->strangers.next; n != &l->strangers; n = n->next) {
		struct session *s = container_of(n, struct session, crowd);

		if (s->there_since_ms > now_ms - age_ms)
			break;
		if (!is_waiting(s))
			return s;
		if (checked == NULL && s->there_since_ms <= now_ms - checked_ms)
			checked = s;
	}
	return checked;
}

static bool
is_full_for_long(const struct listener *l)
{
	int64_t now_ms = loop_now_ms(l->loop);

	return l->full_at_ms != 0 && now_ms - l->full_at_ms <= FULL_AGAIN_MS && now_ms - l->full_since_ms >= FULL_MS;
}

static void
note_full(struct listener *l)
{
	int64_t now_ms = loop_now_ms(l->loop);

	if (l->full_at_ms == 0 || now_ms - l->full_at_ms > FULL_AGAIN_MS)
		l->full_since_ms = now_ms;
	l->full_at_ms = now_ms;
}

/* Of the known only where they have more than they may, or have all and lie there for long; then of the strangers. */
static struct session *
find_any(const struct listener *l)
{
	unsigned room = room_for_known(l);
	struct session *s = NULL;

	if (held_in_all > room)
		s = find_heavy(l, rest_needed_ms(l));
	if (s == NULL)
		s = find_gone(l, 0);
	if (s == NULL)
		s = find_stranger(l, GRACE_MS);
	if (s == NULL)
		s = find_silent(l, false);
	if (s == NULL && is_full_for_long(l))
		s = find_silent(l, true);
	if (s == NULL && held_in_all >= room)
		s = find_heavy(l, IDLE_MS);
	return s;
}

/* Where others will have to go, on this thread or another, it is better to wait than to be refused. */
static bool
will_be_room(const struct listener *l)
{
	return sessions() > held_in_all || held_in_all > room_for_known(l);
}

bool
crowd_may_come(struct listener *l)
{
	if (note_starved(l)) {
		loop_timer(l->loop, &l->sweep, loop_now_ms(l->loop));
		return false;
	}
	if (sessions() < most(l))
		return true;
	note_full(l);
	return find_any(l) != NULL || !will_be_room(l);
}

bool
crowd_admit(struct listener *l)
{
	/* Another thread may have been faster since it was asked whether one may come: one more, then. */
	return sessions() < most(l) || send_away(find_any(l), "too many connections") || will_be_room(l);
}

static void
trim(struct listener *l)
{
	if (held_in_all <= room_for_known(l)) {
		l->over_since_ms = 0;
		return;
	}
	if (l->over_since_ms == 0)
		l->over_since_ms = loop_now_ms(l->loop);
	while (held_in_all > room_for_known(l) && send_away(find_heavy(l, rest_needed_ms(l)), "too many connections"))
		continue;
}

/* Also for the other threads, whose newcomers find only their own to send away: some room is kept. */
void
crowd_on_sweep(void *arg)
{
	struct listener *l = arg;
	unsigned spare, now = sessions(), over;
	struct session *gone;

	(void)note_starved(l);
	spare = most(l) / 20;
	over = now + spare > most(l) ? now + spare - most(l) : 0;
	while (is_stressed(l) && send_away(find_stranger(l, STRANGER_MS), "timeout"))
		continue;
	while ((gone = find_gone(l, GONE_MS)) != NULL)
		session_give_way(gone, "timeout");
	trim(l);
	while (over-- > 0 && send_away(find_any(l), "too many connections"))
		continue;
	peak_look(&l->peak, l->nsession, MANY, loop_now_ms(l->loop));
	if (l->nsession > 0 || l->peak.most >= MANY)
		set_sweep(l);
}
