/*
 * The one place where the queue gets an upstream's secret before OPEN: the password of the file, later that of a
 * command, or a token.  Asked for each time, answered at the end of a turn; what a source had to fetch is kept until it
 * expires, is refused, or the configuration changes.  One question at a time for each upstream: its gateway asks.
 */
#ifndef QUEUE_CREDENTIAL_H
#define QUEUE_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "net/loop.h"

struct gateway;
struct veil;

enum credential_answer {
	CREDENTIAL_HERE,	/* secret; NULL: none is configured */
	CREDENTIAL_REFUSED,	/* for good, until the operator does something: as a refused login */
	CREDENTIAL_LATER	/* not now: the upstream cannot be used meanwhile */
};

struct credential_said {
	enum credential_answer answer;
	const char *secret;	/* HERE; borrowed until fn returns */
	uint32_t issue;		/* HERE: which one it is, for credential_refused */
	int64_t until_ms;	/* LATER: not before; 0: not known */
	const char *words;	/* else: why */
};

enum { CREDENTIAL_PAST = 4 };

struct credential {		/* a gateway has one; read and written by credential_… only */
	char *secret;		/* fetched, and still good; NULL: none.  Owned */
	char *fresh;		/* what password_file has since it changed; NULL: what the settings say.  Owned */
	char *refused;		/* the one that the provider did not take; owned */
	struct why said;	/* by the provider to that one */
	struct veil *veil;	/* the newest; a reference */
	char *past[CREDENTIAL_PAST];	/* what was used last, the newest first: the provider may repeat it; owned */
	int64_t until_ms;	/* the secret's end; 0: none is known */
	uint32_t issue;		/* counts what was fetched, and changes of the configuration */
	uint32_t question;	/* counts what sources were asked: a late answer finds nobody */
	uint32_t errand;	/* the command that runs; 0: none */
	bool fetching;		/* a source is at work */
	bool again;		/* it was asked once more after a refusal; until a login succeeds */
	void (*fn)(struct gateway *g, const struct credential_said *s);	/* who waits; NULL: nobody */
	enum credential_answer answer;	/* for him, at the end of the turn */
	bool fetched;			/* HERE: `secret' is it, else what the settings have */
	struct why why;
	struct turn_job job;
};

/* fn is called once, not from inside this; never after credential_clear. */
void credential_ask(struct gateway *g, void (*fn)(struct gateway *g, const struct credential_said *s));

/*
 * The provider refused the secret of that issue.  True: ask again, there may be a better one.  A secret that was fetched is
 * forgotten; the source is asked once more, and if it gives the same one the answer is REFUSED.  A second refusal in a row is
 * for good: then the gate's own pauses pass between questions.  `words': the provider's, which are the reason then.
 */
bool credential_refused(struct gateway *g, uint32_t issue, const char *words) must_check;
void credential_accepted(struct gateway *g);	/* a login succeeded */

/* The settings may have changed: what was fetched is forgotten, who waits is answered from the new ones. */
void credential_configure(struct gateway *g);
void credential_clear(struct gateway *g);

/* A file that the secret comes from may have another content: then a pause after a refused login ends. */
void credential_changed(struct gateway *g);

/* All that the provider may know of our secrets, with this one, which it is about to be told (NULL: none); the caller's reference. */
struct veil *credential_veil(struct gateway *g, const char *secret) must_check;
/* A secret that was used and is not any more: of these the last CREDENTIAL_PAST are in it.  NULL: nothing. */
void credential_remember(struct gateway *g, const char *secret);
struct veil *credential_newest_veil(const struct gateway *g) must_check;	/* the last of these, again; NULL: none was asked for */

/*
 * For sources: the answer to a question.  HERE takes *secret (else it may be NULL; wiped in the end), good until then on the loop's clock (0: until it
 * is refused); else words say why, and until_ms when to ask again (0: as usual).  Nothing happens if the question is not the last one.
 */
void credential_settle(struct gateway *g, uint32_t question, enum credential_answer a, char **secret, int64_t until_ms,
    const char *words);

#endif
