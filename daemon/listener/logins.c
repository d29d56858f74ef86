/*
 * The users table of a thread and its memory of good credentials.  That memory holds keyed
 * hashes only, under a key that dies with the process.
 */
#include "listener/logins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	REMEMBERED = 512,		/* a power of two; a collision costs one more check */
	REMEMBERED_MS = 5 * 60 * 1000
};

struct remembered {
	unsigned char mac[32];
	int64_t until_at_ms;		/* 0: empty */
};

void
logins_init(struct logins *a, struct users *users)
{
	*a = (struct logins){ 0 };
	a->users = users != NULL ? users_ref(users) : NULL;
	ident_random(a->key, sizeof a->key);
	a->remembered = mem_array(REMEMBERED, sizeof *a->remembered);
}

void
logins_clear(struct logins *a)
{
	users_unref(&a->users);
	mem_wipe(a->remembered, REMEMBERED * sizeof *a->remembered);
	a->remembered = NULL;
}

void
logins_replace(struct logins *a, struct users *users)
{
	users_unref(&a->users);
	a->users = users;
	a->is_known = false;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int
lost(struct logins *a, const char *file, const char *reason)
{
	if (!a->failing)
		log_event(LOG_ERROR, "users_unreadable", log_text("file", file),
		    log_text("reason", reason),
		    log_text("advice", "logins are answered 454 until it can be read"));
	a->failing = true;
	a->is_known = false;
	return -1;
}

int
logins_refresh(struct logins *a, const char *file)
{
	struct users *users = NULL;
	struct stat now;
	struct why why;

	if (stat(file, &now) < 0) {
		/* Never there: no users.  Gone: we cannot know who may log in. */
		if (errno == ENOENT && a->users == NULL)
			return 0;
		return lost(a, file, strerror(errno));
	}
	if (a->is_known && is_same_file(&now, &a->seen))
		return 0;
	if (users_load(&users, file, &why) < 0)
		return lost(a, file, why.text);
	logins_replace(a, users);
	a->seen = now;
	a->is_known = true;
	a->failing = false;
	return 0;
}

static void
put_mac(const struct logins *a, const struct user *u, struct str password, unsigned char mac[32])
{
	size_t name = strlen(u->name) + 1, hash = strlen(u->hash) + 1;
	struct buf b = { 0 };

	buf_room(&b, name + hash + password.n);	/* growing would leave copies behind */
	buf_put(&b, u->name, name);
	buf_put(&b, u->hash, hash);
	buf_putstr(&b, password);
	digest_hmac_sha256(mac, (struct str){ (const char *)a->key, sizeof a->key }, buf_str(&b));
	buf_wipe(&b);
}

static struct remembered *
place_of(const struct logins *a, const unsigned char mac[32])
{
	unsigned at;

	memcpy(&at, mac, sizeof at);
	return &a->remembered[at % REMEMBERED];
}

bool
logins_is_remembered(const struct logins *a, const struct user *u, struct str password,
    int64_t now_ms)
{
	unsigned char mac[32];
	const struct remembered *r;

	put_mac(a, u, password, mac);
	r = place_of(a, mac);
	return r->until_at_ms > now_ms && digest_equal(r->mac, mac, sizeof mac);
}

void
logins_remember(struct logins *a, const struct user *u, struct str password, int64_t now_ms)
{
	unsigned char mac[32];
	struct remembered *r;

	put_mac(a, u, password, mac);
	r = place_of(a, mac);
	memcpy(r->mac, mac, sizeof mac);
	r->until_at_ms = now_ms + REMEMBERED_MS;
}
