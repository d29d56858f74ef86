/* Good credentials, remembered as keyed hashes.  A lock: it is held for as long as it takes to look at one place. */
#include "listener/remember.h"

#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/ident.h"
#include "config/config.h"

enum {
	PLACES = 1024,			/* a collision costs one more check */
	REMEMBERED_MS = 60 * 60 * 1000
};

static struct {
	pthread_mutex_t lock;
	bool has_key;
	unsigned char key[32];
	struct {
		unsigned char mac[32];
		int64_t until_at_ms;	/* 0: empty */
	} place[PLACES];
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
put_mac(const struct user *u, struct str password, unsigned char mac[32])	/* under the lock */
{
	size_t name = strlen(u->name) + 1, hash = strlen(u->hash) + 1;
	struct buf b = { 0 };

	if (!memory.has_key)
		ident_random(memory.key, sizeof memory.key);
	memory.has_key = true;
	buf_room(&b, name + hash + password.n);	/* growing would leave copies behind */
	buf_put(&b, u->name, name);
	buf_put(&b, u->hash, hash);
	buf_putstr(&b, password);
	digest_hmac_sha256(mac, (struct str){ (const char *)memory.key, sizeof memory.key }, buf_str(&b));
	buf_wipe(&b);
}

static unsigned
place_of(const unsigned char mac[32])
{
	unsigned at;

	memcpy(&at, mac, sizeof at);
	return at % PLACES;
}

bool
remember_knows(const struct user *u, struct str password, int64_t now_ms)
{
	unsigned char mac[32];
	bool knows;
	unsigned at;

	pthread_mutex_lock(&memory.lock);
	put_mac(u, password, mac);
	at = place_of(mac);
	knows = memory.place[at].until_at_ms > now_ms && digest_equal(memory.place[at].mac, mac, sizeof mac);
	if (knows)
		memory.place[at].until_at_ms = now_ms + REMEMBERED_MS;
	pthread_mutex_unlock(&memory.lock);
	return knows;
}

void
remember_put(const struct user *u, struct str password, int64_t now_ms)
{
	unsigned char mac[32];
	unsigned at;

	pthread_mutex_lock(&memory.lock);
	put_mac(u, password, mac);
	at = place_of(mac);
	memcpy(memory.place[at].mac, mac, sizeof mac);
	memory.place[at].until_at_ms = now_ms + REMEMBERED_MS;
	pthread_mutex_unlock(&memory.lock);
}
