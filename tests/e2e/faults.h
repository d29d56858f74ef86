/* What the fault tests share: a daemon with faultlib.so before libc, and a ledger of what was sent and what came. */
#ifndef E2E_FAULTS_H
#define E2E_FAULTS_H

#include <check.h>

#include "e2e/faultlib.h"
#include "e2e/world.h"

/* A world with these provider modes (the port on 587 has the script) whose spool faultlib.so watches. */
struct fault_control *faults_new(struct world *w, enum provider_mode m587, const char *script587, const char *rest);
void faults_free(struct world *w, struct fault_control **f);
/* Starts the daemon with the library.  false: it ended before it had started; world_stop has its status. */
bool faults_start(struct world *w, const struct fault_control *f);
void faults_clear(struct fault_control *f);	/* no faults any more; counts from 0 */
/* The n-th such call from now on fails, and those after it, `times' in all.  error 0: it is cut short. */
void faults_plan(struct fault_control *f, enum fault_call call, uint64_t n, uint64_t times, int error);

/* Is it Linux's root that runs the test, and may it mount?  Else says what is skipped, and why. */
bool faults_may_mount(const char *test);
bool faults_run(const struct world *w, const char *what);	/* a shell's command in the world's directory */
void faults_pause_ms(int ms);
unsigned faults_files(const struct world *w, const char *dir);	/* in spool/DIR */
bool faults_wait_files(const struct world *w, const char *dir, unsigned n, int ms);	/* until there are at most n */
void faults_wait_empty(struct world *w);	/* until nothing is queued */
/* A number from the line of /proc/PID/status that begins so; -1: none. */
long faults_status(const struct world *w, const char *key);

/* --- the ledger ---------------------------------------------------------------- */

enum { LEDGER_MAX = 20000 };

struct ledger {
	_Atomic unsigned n;
	unsigned looked;		/* so many of the provider's messages */
	unsigned repeated;		/* came more than once */
	bool acknowledged[LEDGER_MAX];	/* answered 250 */
	bool over[LEDGER_MAX];		/* must not come any more */
	unsigned char came[LEDGER_MAX];	/* delivered, or bounced */
};

/* A logged-in client; NULL: the daemon is not there. */
struct client *ledger_client(struct world *w);
/* Sends the next message, of about so many octets; the reply's code, 0 when the link ended. */
int ledger_mail(struct ledger *l, struct client *c, const char *to, size_t octets);
/* Looks at what has come: each message as it was sent, and none that was over.  The number of those missing. */
unsigned ledger_missing(struct ledger *l, struct provider *p);
bool ledger_wait(struct ledger *l, struct provider *p, int ms);	/* until nothing is missing */
/*
 * The provider is back: until all has come.  Asks for it again and again, for an attempt that began before may fail after it was
 * asked the first time.
 */
void ledger_fetch(struct ledger *l, struct world *w);
void ledger_close(struct ledger *l, struct provider *p);	/* what has come until now must not come again */

TCase *faults_sync_case(void);
TCase *faults_space_case(void);
TCase *faults_process_case(void);
TCase *faults_signals_case(void);

#endif
