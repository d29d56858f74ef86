/*
 * THE option table: the reader, the list for people, the check of a reload and what is
 * freed at the end are all driven by it.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/config.h"

enum key_kind {
	KEY_TEXT,	/* no control characters; text kinds end with KEY_URL */
	KEY_LOGIN,	/* nor 8-bit ones */
	KEY_SECRET,
	KEY_PATH,	/* relative to the file that names it; max: octets */
	KEY_DOMAIN,	/* for EHLO */
	KEY_HOST,	/* to connect to: a name or an address */
	KEY_ADDRESS,	/* a literal IP address */
	KEY_ENDPOINT,	/* "127.0.0.1:9587" */
	KEY_MAILBOX,	/* user@domain */
	KEY_FIELD,	/* the name of a header field */
	KEY_URL,
	KEY_COUNT,	/* min and max: numbers */
	KEY_SIZE,
	KEY_SPAN,	/* min and max: durations */
	KEY_RATE,
	KEY_BOOL,
	KEY_CHOICE,	/* min: the words, in their enum's order; max: those for later */
	/* lists: min and max: how many */
	KEY_NAMES,
	KEY_SPANS,
	KEY_CHAIN,
	KEY_NETWORKS,
	KEY_REPLIES,
	KEY_KINDS
};

enum {
	KEY_RESTART = 1,	/* a reload cannot change it */
	KEY_PRESET = 2,		/* providers.conf may have it */
	KEY_LATER = 4,		/* nothing acts on it yet: only its default is taken */
	KEY_EMPTY = 8,		/* may be "" though its default is not */
	KEY_CREDENTIAL = 16,	/* a file that $CREDENTIALS_DIRECTORY may have */
	KEY_THERE = 32,		/* PEM: a file that must be there if the option names it */
	KEY_UNSAID = 64		/* may hold a secret: no complaint repeats its value */
};

struct key {
	struct config_option option;
	enum key_kind kind;
	unsigned at;		/* of the value in its section's struct; of a list: of its array */
	unsigned size;		/* of the value */
	unsigned count_at;	/* lists: of their unsigned length */
	const char *min, *max;
	unsigned flags;
};

/* A section, in the order in which they are read; its options' offsets count from
 * struct config unless it is titled. */
struct key_section {
	const char *name;	/* "" is the top level, "upstream.oauth2" is inside upstream */
	bool titled;
};

const struct key *keys_get(unsigned n);			/* NULL at the end */
const struct key_section *keys_section(unsigned n);	/* NULL at the end */
bool keys_is_titled(const char *name);			/* a section that has titles */

#endif
