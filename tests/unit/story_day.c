/*
 * The story of a day on a false clock: what networks, a provider and an operator do to two upstreams in 24 hours, which door
 * each message takes, and what `gatepost status' says (the rows of CONTRACT.md 4).  The parts that decide are the real ones:
 * route, chain, breaker, gate, and the words; the network, the relay's races and the waiting mail are played here, as
 * queue/gateway.c and relay/dial.c would, a second at a time.  A message comes every ten minutes.
 */
#include "route/route.h"

#include "command/status.h"
#include "control/snapshot.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAIL_S = 600, RACE_MS = 300, START_MS = 1000, MAX_MAIL = 144 };
static const int64_t midnight_wall_s = 1800000000 - 1800000000 % 86400;

#define AT(h, m) ((h) * 3600 + (m) * 60)

/* --- what the world does ------------------------------------------------------------------- */

enum port { OPEN, DROPPED, REFUSED, STRIPPED, EXPIRED };
enum mood { WELL, WRONG_PASSWORD, BUSY, OVER_QUOTA };	/* of the provider, inside TLS */

static const struct {
	enum heard heard;
	int ms;			/* until there is a verdict */
	const char *reason;
} verdicts[] = {
	[OPEN] = { HEARD_UP, 40, "" },
	[DROPPED] = { HEARD_BLOCKED, 10000, "no answer to TCP in 10 s" },
	[REFUSED] = { HEARD_BLOCKED, 1, "connection refused" },
	[STRIPPED] = { HEARD_UNSAFE, 30, "STARTTLS is not offered" },
	[EXPIRED] = { HEARD_UNSAFE, 35, "the certificate has expired" },
};

static struct world {
	enum port port[3], six;	/* the chain's ports over IPv4, and IPv6 as a whole */
	enum mood mood;
	int64_t quota_until_ms;
} world;

/* --- the two upstreams ---------------------------------------------------------------------- */

static struct chain_entry chain[] = { { 587, TLS_STARTTLS }, { 465, TLS_IMPLICIT }, { 2525, TLS_STARTTLS } };
static char main_name[] = "main", backup_name[] = "backup", main_host[] = "main.example", backup_host[] = "backup.example";

struct up {
	struct upstream settings;
	struct route *route;
	struct gate gate;
	struct candidate active;
	bool is_main, has_active;
	unsigned races, logins, probes;
};

static struct up up[2];
static int64_t now_s;
static unsigned waiting, sent;
static char door[MAX_MAIL + 1][24];	/* by which each left */
static int64_t took_ms[MAX_MAIL + 1], left_s[MAX_MAIL + 1];

static int64_t
now_ms(void)
{
	return START_MS + now_s * 1000;
}

static int64_t
wall_s(void)
{
	return midnight_wall_s + now_s;
}

static void
look_up(struct up *u)
{
	static const char *const main_at[] = { "2001:db8::1", "192.0.2.1" }, *const backup_at[] = { "198.51.100.1" };

	(void)route_addresses(u->route, u->is_main ? main_at : backup_at, u->is_main ? 2 : 1, wall_s());
}

static void
make(struct up *u, char *name, char *host, bool is_main)
{
	*u = (struct up){ .is_main = is_main };
	u->settings = (struct upstream){
		.name = name, .host = host, .chain = chain, .nchain = 3, .tls_verify = true, .tls_name = host,
		.recheck_ms = 300 * 1000, .race_delay_ms = RACE_MS
	};
	u->route = route_new(&u->settings);
	gate_init(&u->gate);
	look_up(u);
}

static enum port
state_of(const struct up *u, const struct candidate *c)
{
	if (!u->is_main)
		return OPEN;
	return strchr(c->address, ':') != NULL && world.six != OPEN ? world.six : world.port[c->rank];
}

static void
tell(struct up *u, const struct candidate *c)
{
	enum port p = state_of(u, c);

	route_tell(u->route, c, verdicts[p].heard, verdicts[p].reason, now_ms(), wall_s());
}

/* --- a race, as relay/dial.c runs it ------------------------------------------------------------ */

/* -1: nobody won.  Who had not begun when it was won has no verdict. */
static int
race(struct up *u, struct candidate *c, int64_t *ms)
{
	unsigned n = route_order(u->route, c, ROUTE_CANDIDATES_MAX);
	int64_t start = 0;
	int winner = -1;

	*ms = 0;
	u->races++;
	for (unsigned i = 0; i < n && winner < 0; i++) {
		enum port p = state_of(u, &c[i]);

		tell(u, &c[i]);
		if (p == OPEN) {
			winner = (int)i;
			*ms = start + verdicts[p].ms;
		}
		start += verdicts[p].ms < RACE_MS ? verdicts[p].ms : RACE_MS;
	}
	return winner;
}

/* A connection that takes mail; false: the gate knows why not. */
static bool
open_one(struct up *u, int64_t *ms)
{
	struct candidate c[ROUTE_CANDIDATES_MAX];
	int winner = race(u, c, ms);
	enum mood mood = u->is_main ? world.mood : WELL;

	u->has_active = false;
	if (winner < 0) {
		gate_tell(&u->gate, GATE_EV_ALL_FAILED, "no port of main.example can be used from here", 0, now_ms(), wall_s());
		return false;
	}
	if (mood == BUSY) {
		gate_tell(&u->gate, GATE_EV_BUSY, "421 4.3.2 out of order", 0, now_ms(), wall_s());
		return false;
	}
	u->logins++;
	if (mood == WRONG_PASSWORD) {
		gate_tell(&u->gate, GATE_EV_LOGIN_REFUSED, "535 5.7.8 no", 0, now_ms(), wall_s());
		return false;
	}
	gate_tell(&u->gate, GATE_EV_OPENED, "", 0, now_ms(), wall_s());
	if (mood == OVER_QUOTA) {
		gate_tell(&u->gate, GATE_EV_QUOTA, "454 4.7.0 too fast", world.quota_until_ms, now_ms(), wall_s());
		return false;
	}
	u->active = c[winner];
	u->has_active = true;
	return true;
}

/* --- the queue, as queue/dispatch.c and queue/gateway.c run it -------------------------------------- */

static void
send_all(struct up *u, int64_t ms)
{
	for (; waiting > 0; waiting--, sent++) {
		snprintf(door[sent], sizeof door[sent], "%s%u%s", u->is_main ? "" : "b", u->active.port,
		    strchr(u->active.address, ':') != NULL ? "/6" : "");
		took_ms[sent] = ms;
		left_s[sent] = now_s;
	}
}

static void
dispatch(void)
{
	int64_t ms;

	for (int i = 0; i < 2 && waiting > 0; i++) {
		struct up *u = &up[i];

		if (!gate_is_closed(&u->gate) || gate_may_try(&u->gate, now_ms()))
			if (open_one(u, &ms))
				send_all(u, ms);
	}
}

static void
recheck(struct up *u)
{
	const struct door *d = route_recheck_due(u->route, now_ms());

	if (d != NULL) {
		struct candidate c = d->at;

		u->probes++;
		tell(u, &c);
	}
}

static void
network_changed(void)
{
	for (int i = 0; i < 2; i++) {
		route_forget(up[i].route);
		gate_tell(&up[i].gate, GATE_EV_NETWORK, "", 0, now_ms(), wall_s());
	}
}

static void
restart(void)
{
	for (int i = 0; i < 2; i++) {
		struct buf saved = { 0 };

		route_save(up[i].route, &saved);
		route_free(&up[i].route);
		up[i].route = route_new(&up[i].settings);
		route_load(up[i].route, buf_str(&saved), now_ms());
		gate_init(&up[i].gate);
		buf_clear(&saved);
	}
}

/* --- what the operator sees --------------------------------------------------------------------------- */

static void
print_status(struct buf *out)
{
	json_t *list = json_array(), *doc;

	for (int i = 0; i < 2; i++) {
		struct queue_upstream u = {
			.name = up[i].settings.name, .host = up[i].settings.host, .gate = &up[i].gate, .route = up[i].route,
			.has_active = up[i].has_active, .active = up[i].active, .quota_left = -1
		};

		snprintf(u.reason, sizeof u.reason, "%s", up[i].gate.reason);
		json_array_append_new(list, snapshot_upstream(&u, &up[i].settings, now_ms(), wall_s()));
	}
	doc = json_pack("{s:o}", "upstreams", list);
	status_format(out, doc, NULL, 0, false);
	json_decref(doc);
}

/* The words must be there, in this order; "|" stands between them. */
static void
check_status(const char *words)
{
	struct buf out = { 0 };
	struct str rest = str_of(words), part;
	const char *at;

	print_status(&out);
	at = out.data;
	while (str_split(&rest, '|', &part)) {
		char *one = str_dup(part);

		at = strstr(at, one);
		ck_assert_msg(at != NULL, "%lld:%02lld: \"%s\" is not in its place:\n%s", (long long)now_s / 3600,
		    (long long)now_s / 60 % 60, one, out.data);
		free(one);
	}
	buf_clear(&out);
}

/* --- the day ------------------------------------------------------------------------------------------- */

static void
reset_counts(void)
{
	up[0].races = up[0].logins = up[0].probes = 0;
}

/* What happens when.  Mail of the same second is sent after it.  Long because it is the list of a day's events. */
static void
happen(void)
{
	static const struct world at_home = { { OPEN, OPEN, OPEN }, DROPPED, WELL, 0 };

	switch (now_s) {
	case AT(0, 0):		/* IPv6 goes nowhere, all day long */
		world = at_home;
		break;
	case AT(2, 5):		/* a firewall wakes up */
		world.port[0] = DROPPED;
		break;
	case AT(4, 5):
		restart();
		break;
	case AT(5, 2):		/* and is mended: nobody tells us */
		world.port[0] = OPEN;
		break;
	case AT(8, 0):		/* a café, which reads along where it can */
		world.port[0] = STRIPPED;
		world.port[1] = REFUSED;
		network_changed();
		break;
	case AT(10, 5):		/* a train: no network at all */
		world.port[0] = world.port[1] = world.port[2] = DROPPED;
		reset_counts();
		network_changed();
		break;
	case AT(11, 37):	/* the office */
		world = at_home;
		network_changed();
		break;
	case AT(13, 0):		/* somebody changes the password, not here */
		world.mood = WRONG_PASSWORD;
		reset_counts();
		break;
	case AT(13, 40):	/* meanwhile the network goes and comes */
	case AT(13, 41):
		network_changed();
		break;
	case AT(15, 33):	/* the operator corrects it, and reloads */
		world.mood = WELL;
		gate_tell(&up[0].gate, GATE_EV_RETRY, "", 0, now_ms(), wall_s());
		break;
	case AT(17, 5):		/* the provider is out of order */
		world.mood = BUSY;
		reset_counts();
		break;
	case AT(18, 12):
		world.mood = WELL;
		break;
	case AT(19, 5):
		world.mood = OVER_QUOTA;
		world.quota_until_ms = now_ms() + 2 * 3600 * 1000;
		break;
	case AT(21, 0):
		world.mood = WELL;
		break;
	case AT(22, 5):		/* its certificate expires, on every port */
		world.port[0] = world.port[1] = world.port[2] = EXPIRED;
		break;
	case AT(23, 15):
		world.port[0] = world.port[1] = world.port[2] = OPEN;
		break;
	}
}

/* Which door the message of a time took, and when it left; and what `status' says after it. */
static const struct {
	int at_s;
	const char *door;
	int left_s;		/* 0: at once */
	int64_t least_ms, most_ms;	/* of the race */
	const char *status;	/* after that second; NULL: not looked at */
} day[] = {
	/* IPv6 that goes nowhere costs race_delay, once */
	{ AT(0, 0), "587", 0, 300, 350, "main (main.example): up by 587/starttls|587 starttls  2001:db8::1|blocked|no answer to TCP in "
	  "10 s, 0 s ago; next try in 5 min|587 starttls  192.0.2.1 |up|465 implicit|unknown|no verdict yet" },
	{ AT(0, 10), "587", 0, 0, 50, NULL },
	{ AT(2, 0), "587", 0, 0, 50, NULL },
	/* connect timed out: next candidate at once; marked blocked, with a reason */
	{ AT(2, 10), "465", 0, 300, 700, "up by 465/implicit|587 starttls  192.0.2.1 |blocked|no answer to TCP in 10 s, 0 s ago" },
	{ AT(2, 20), "465", 0, 0, 50, NULL },
	{ AT(4, 0), "465", 0, 0, 50, "587 starttls  192.0.2.1 |blocked|no answer to TCP in 10 s, 110 min ago; next try in |465 implicit  "
	  "192.0.2.1 |up" },
	{ AT(4, 10), "465", 0, 0, 50, "587 starttls  192.0.2.1 |blocked|no answer to TCP in 10 s, 2 h ago" },	/* restarted */
	{ AT(5, 0), "465", 0, 0, 50, NULL },
	/* the earlier one is taken again */
	{ AT(5, 10), "587", 0, 0, 50, "up by 587/starttls|587 starttls  192.0.2.1 |up" },
	/* STARTTLS stripped: never plain; and refused */
	{ AT(8, 0), "2525", 0, 300, 1100, "up by 2525/starttls|587 starttls  192.0.2.1 |unsafe|STARTTLS is not offered, 0 s ago; next "
	  "try in 5 min|465 implicit  192.0.2.1 |blocked|connection refused, 0 s ago" },
	{ AT(8, 10), "2525", 0, 0, 50, NULL },
	/* every candidate failed: mail waits, and goes the moment the network changes */
	{ AT(10, 0), "2525", 0, 0, 50, NULL },
	{ AT(10, 10), "587", AT(11, 37), 0, 350, "backup (backup.example): up by 587/starttls" },
	{ AT(11, 30), "587", AT(11, 37), 0, 350, NULL },
	{ AT(12, 50), "587", 0, 0, 50, "main (main.example): up" },
	/* AUTH refused for good: no port hopping, the next upstream */
	{ AT(13, 0), "b587", 0, 0, 50, "main (main.example): login refused: 535 5.7.8 no|correct its credentials|587 starttls  192.0.2.1 |up" },
	{ AT(15, 30), "b587", 0, 0, 50, "main (main.example): login refused" },
	{ AT(15, 40), "587", 0, 0, 350, "main (main.example): up" },
	/* busy inside TLS: every port is, no ladder */
	{ AT(17, 10), "b587", 0, 0, 50, "main (main.example): down: 421 4.3.2 out of order|587 starttls  192.0.2.1 |up" },
	{ AT(18, 10), "b587", 0, 0, 50, NULL },
	{ AT(18, 20), "587", 0, 0, 350, "main (main.example): up" },
	/* over its quota */
	{ AT(19, 10), "b587", 0, 0, 50, "main (main.example): paused" },
	{ AT(21, 0), "b587", 0, 0, 50, "main (main.example): paused" },
	{ AT(21, 10), "587", 0, 0, 350, "main (main.example): up" },
	/* certificates that do not verify: never plain, the reason kept */
	{ AT(22, 10), "b587", 0, 0, 50, "main (main.example): down|587 starttls  192.0.2.1 |unsafe|the certificate has expired, 0 s ago; next "
	  "try in 30 s|2525 starttls  192.0.2.1 |unsafe|the certificate has expired" },
	{ AT(23, 10), "b587", 0, 0, 50, "587 starttls  192.0.2.1 |unsafe|the certificate has expired, 1 h ago" },
	{ AT(23, 20), "587", 0, 0, 1300, "main (main.example): up by 587/starttls" },
	{ AT(23, 50), "587", 0, 0, 50, "main (main.example): up by 587/starttls" },
};

/* How much was tried, in the hours in which that matters. */
static void
check_counts(void)
{
	switch (now_s) {
	case AT(11, 36) + 59:	/* 30 s doubling to 5 min, from 10:10 on */
		ck_assert_uint_ge(up[0].races, 17);
		ck_assert_uint_le(up[0].races, 21);
		ck_assert_uint_eq(up[0].logins, 0);
		break;
	case AT(15, 32) + 59:	/* 13:00, and when there is mail after 1, 2, 4… min, no more for a network that flaps */
		ck_assert_uint_ge(up[0].logins, 5);
		ck_assert_uint_le(up[0].logins, 8);
		break;
	case AT(18, 11) + 59:	/* one race for each message at most, as its time allows: a busy provider is let alone */
		ck_assert_uint_le(up[0].races, 8);
		ck_assert_uint_eq(up[0].logins, 0);
		break;
	}
}

static void
look(void)
{
	for (size_t i = 0; i < sizeof day / sizeof day[0]; i++)
		if (day[i].at_s == now_s && day[i].status != NULL && day[i].left_s == 0)
			check_status(day[i].status);
}

/* On the train there is no backup either: it lies behind the same network. */
static void
turn(void)
{
	bool train = now_s >= AT(10, 5) && now_s < AT(11, 37);

	happen();
	if (now_s % MAIL_S == 0)
		waiting++;
	recheck(&up[0]);
	if (train && waiting > 0) {
		int64_t ms;

		if (gate_may_try(&up[0].gate, now_ms()))
			ck_assert(!open_one(&up[0], &ms));
		if (now_s == AT(10, 10))
			check_status("main (main.example): down|587 starttls  192.0.2.1 |blocked|no answer to TCP in 10 s, 0 s ago; "
			    "next try in 30 s|2525 starttls  192.0.2.1 |blocked|no answer to TCP in 10 s, 0 s ago; next try in 30 s");
	} else {
		dispatch();
	}
	check_counts();
	look();
}

START_TEST(the_story_of_a_day)
{
	make(&up[0], main_name, main_host, true);
	make(&up[1], backup_name, backup_host, false);
	for (now_s = 0; now_s < 24 * 3600; now_s++) {
		turn();
		if (now_s % MAIL_S == 0)	/* while the name does not resolve the last addresses serve: nothing to see */
			ck_assert(route_has_addresses(up[0].route, wall_s()));
	}
	ck_assert_uint_eq(waiting, 0);
	ck_assert_uint_eq(sent, 24 * 3600 / MAIL_S);
	for (size_t i = 0; i < sizeof day / sizeof day[0]; i++) {
		unsigned n = (unsigned)day[i].at_s / MAIL_S;

		ck_assert_msg(strcmp(door[n], day[i].door) == 0, "%02d:%02d by %s", day[i].at_s / 3600, day[i].at_s / 60 % 60, door[n]);
		ck_assert_msg(left_s[n] == (day[i].left_s > 0 ? day[i].left_s : day[i].at_s), "%02d:%02d left at %lld:%02lld:%02lld",
		    day[i].at_s / 3600, day[i].at_s / 60 % 60, (long long)left_s[n] / 3600, (long long)left_s[n] / 60 % 60,
		    (long long)left_s[n] % 60);
		ck_assert_msg(took_ms[n] >= day[i].least_ms && took_ms[n] <= day[i].most_ms, "%02d:%02d took %lld ms",
		    day[i].at_s / 3600, day[i].at_s / 60 % 60, (long long)took_ms[n]);
	}
	for (unsigned n = 0; n < sent; n++)	/* IPv6 never carries anything, and never costs more than once for a port */
		ck_assert_ptr_null(strstr(door[n], "/6"));
	route_free(&up[0].route);
	route_free(&up[1].route);
}
END_TEST

Suite *story_day(void);

Suite *
story_day(void)
{
	Suite *s = suite_create("story_day");
	TCase *t = tcase_create("day");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, the_story_of_a_day);
	suite_add_tcase(s, t);
	return s;
}
