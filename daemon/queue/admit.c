/*
 * Admission: may this message come in?  The one place that all mail passes, apps' and our own notifications
 * alike, and the one that tells the listeners what to answer before a message is even sent.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/mem.h"

enum { SMALL = 4096 };		/* octets: where no such message fits there is no room */

struct user_bucket {
	char *user;
	struct bucket bucket;
};

static bool
is_within_rate(struct queue *q, const char *user)
{
	int64_t now = loop_now_ms(q->loop);
	struct user_bucket *b = NULL;

	if (q->config->limits.user_rate.count == 0 || user[0] == '\0')
		return true;
	for (size_t i = 0; i < q->nuser_bucket && b == NULL; i++)
		if (strcmp(q->user_bucket[i].user, user) == 0)
			b = &q->user_bucket[i];
	if (b == NULL) {	/* authenticated names only: as many as users exist */
		q->user_bucket = mem_resize(q->user_bucket, q->nuser_bucket + 1, sizeof *b);
		b = &q->user_bucket[q->nuser_bucket++];
		b->user = mem_text(user);
		bucket_init(&b->bucket, q->config->limits.user_rate, now);
	}
	return bucket_take(&b->bucket, now);
}

void
admit_clear(struct queue *q)	/* also after a reload: the rate may be another */
{
	for (size_t i = 0; i < q->nuser_bucket; i++)
		free(q->user_bucket[i].user);
	free(q->user_bucket);
	q->user_bucket = NULL;
	q->nuser_bucket = 0;
}

/* Octets until spool_size.  The spool counts them, as they lie there: content, envelope, notes and what is set aside for them.  A message
 * takes all of that until its last recipient is through. */
static uint64_t
spool_left(const struct queue *q)
{
	uint64_t most = q->config->limits.spool_size, live = spool_live_bytes(q->spool);

	if (most == 0)
		return UINT64_MAX;
	return most > live ? most - live : 0;
}

/* What contents may take that the listeners write before we know of them: all that is left here, and what they have taken already,
 * which the disk's number lacks. */
static void
publish_room(struct queue *q)
{
	uint64_t staged = (uint64_t)count_get(COUNT_STAGED_OCTETS), room = spool_measure(q->spool) + staged, left = spool_left(q);

	room = left < room ? left : room;
	count_set(COUNT_STAGING_ROOM, room < INT64_MAX ? (int64_t)room : INT64_MAX);
}

/* `there' of them are on the disk already. */
static bool
has_space(struct queue *q, uint64_t octets, uint64_t there)
{
	return octets <= spool_left(q) && spool_has_room(q->spool, octets - there);
}

static void
refuse(struct submit *m, enum verdict v)
{
	m->verdict = v;
	m->memo.kind = MEMO_VERDICT;
	memo_post(m->back, &m->memo);
}

static enum verdict
put(struct queue *q, struct entry *e, struct submit *m, struct str meta)
{
	const struct str text[] = { buf_str(&m->prefix), buf_str(&m->text) };
	unsigned nrcpt = m->envelope->nrcpt;
	uint64_t blob = m->blob != NULL ? spool_blob_octets(m->blob) : 0;
	struct why why;

	if (!has_space(q, spool_weigh(q->spool, nrcpt, meta, text, 2, m->blob), blob))
		return VERDICT_NO_SPACE;
	if (!is_within_rate(q, m->envelope->user))
		return VERDICT_TOO_FAST;
	if (spool_put(q->spool, &e->item, m->id, nrcpt, meta, text, 2, &m->blob, &why) < 0) {
		bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EROFS;

		log_event(LOG_WARNING, "not_accepted", log_text("reason", why.text));
		return full ? VERDICT_NO_SPACE : VERDICT_LOCAL_ERROR;
	}
	if (blob > 0)	/* soon the listener counts it as staged no more */
		count_add(COUNT_STAGING_ROOM, -(int64_t)blob);
	return VERDICT_KEPT;
}

void
admit(struct queue *q, struct submit *m)
{
	struct buf meta = { 0 };
	struct entry *e = store_begin(q, m->envelope, &meta);
	enum verdict v = put(q, e, m, buf_str(&meta));

	buf_clear(&meta);
	if (v != VERDICT_KEPT) {
		entry_free(q, e);
		refuse(m, v);
		if (v == VERDICT_NO_SPACE)
			admit_limits(q, false);
		return;
	}
	entry_open(q, e, &m->envelope);
	entry_list(q, e);
	commit_add(q, m);
}

int
admit_own(struct queue *q, struct envelope **env, uint64_t id, struct str text, struct why *why)
{
	struct buf meta = { 0 };
	struct entry *e;
	int rc;

	(*env)->size = text.n;
	e = store_begin(q, *env, &meta);
	rc = spool_put(q->spool, &e->item, id, (*env)->nrcpt, buf_str(&meta), &text, 1, NULL, why);
	buf_clear(&meta);
	if (rc < 0) {
		entry_free(q, e);
		return -1;
	}
	entry_open(q, e, env);
	entry_list(q, e);
	commit_add_own(q, id);
	return 0;
}

/* What each route can take, and the best of all. */
static void
measure_routes(const struct queue *q, struct limits *now)
{
	bool any = false;

	now->route = mem_array(q->nbase, sizeof *now->route);
	for (unsigned i = 0; i < q->nbase; i++) {
		fit_limit(q, i, &now->route[i]);
		any = any || now->route[i].message_max == 0;
		now->utf8 = now->utf8 || now->route[i].utf8;
		if (now->route[i].message_max > now->message_max)
			now->message_max = now->route[i].message_max;
	}
	if (any)
		now->message_max = 0;
}

/* Told last: the routes are those of the same configuration, or all is told anew. */
static bool
has_changed(const struct queue *q, const struct limits *now)
{
	const struct limits *told = &q->limits;

	if (told->config != q->config || now->room != told->room || now->free_octets != told->free_octets)
		return true;
	for (unsigned i = 0; i < q->nbase; i++)
		if (now->route[i].message_max != told->route[i].message_max || now->route[i].utf8 != told->route[i].utf8 ||
		    now->route[i].eightbit != told->route[i].eightbit)
			return true;
	return false;
}

static void
tell_limits(struct queue *q, const struct limits *now)
{
	for (unsigned i = 0; i < q->nlistener; i++) {
		struct limits *m = (struct limits *)memo_new(MEMO_LIMITS, sizeof *m);
		struct memo memo = m->memo;

		*m = *now;
		m->memo = memo;
		m->config = config_ref(q->config);
		m->route = mem_copy(now->route, q->nbase * sizeof *now->route);
		memo_post(q->listener[i], &m->memo);
	}
}

/* The largest message that may come, and UINT64_MAX where that is any: others need not hear of every change. */
static uint64_t
find_free(struct queue *q)
{
	uint64_t any = q->config->limits.message_size, n = any, left = spool_left(q);

	while (n > 0 && !spool_has_room(q->spool, n))
		n /= 2;
	if (left < n)
		n = left;
	return n < any ? n : UINT64_MAX;
}

void
admit_limits(struct queue *q, bool force)
{
	struct limits now = { 0 };

	publish_room(q);
	now.room = has_space(q, SMALL, 0);
	now.free_octets = find_free(q);
	now.config = config_ref(q->config);
	measure_routes(q, &now);
	if (!force && !has_changed(q, &now)) {
		memo_limits_clear(&now);
		return;
	}
	if (!force && now.room != q->limits.room)
		log_event(now.room ? LOG_INFO : LOG_WARNING, now.room ? "room" : "no_room",
		    log_text("advice", now.room ? NULL :
		    "the spool's disk is below min_free or spool_size is reached; new mail is answered 452 until there is room"));
	memo_limits_clear(&q->limits);
	q->limits = now;
	tell_limits(q, &now);
}
