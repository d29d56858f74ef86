/*
 * Errands: the commands that the configuration names (password_command, alert.command), run by a helper process that was
 * forked before the daemon shut itself in.  The helper has the command lines from the configuration itself, never from the
 * daemon, which can only say "run number N"; a daemon that was taken over cannot make it run anything else.  Here is the
 * daemon's side, on a loop.  The room's one door.
 */
#ifndef ERRAND_ERRAND_H
#define ERRAND_ERRAND_H

#include <sys/stat.h>

#include "base/str.h"
#include "config/config.h"
#include "net/loop.h"

enum {
	ERRAND_INPUT_MAX = 16 * 1024,
	ERRAND_OUTPUT_MAX = 64 * 1024,
	ERRAND_MS = 10 * 1000		/* then the command is killed, with its process group */
};

/* Which command: alert.command, or ERRAND_UPSTREAM + n for the n-th upstream's password_command. */
enum { ERRAND_ALERT, ERRAND_UPSTREAM };

enum errand_result {
	ERRAND_DONE,	/* it ended with status 0 */
	ERRAND_FAILED,	/* it could not be started, or ended otherwise */
	ERRAND_LATE,	/* it took too long and was killed */
	ERRAND_STALE,	/* the helper has read another configuration than we */
	ERRAND_GONE,	/* there is no helper any more, or it is too busy */
	ERRAND_RESULTS
};

struct errand_answer {
	enum errand_result result;
	struct str output;	/* the first line of its output, without the end of line; wiped when fn returns */
	const char *words;	/* not DONE: why */
};

/*
 * servant.c: forks the helper; *fd is for errand_start.  Before any thread, and after privileges that commands shall not have are
 * gone.  The helper has the commands of c, which it frees (as all of the daemon it has no use for), and reads o->file again
 * when it is told to; but no new command from where the daemon may write (`writable', directories).  It ends with the daemon.
 * When this returns it holds none of the daemon's descriptors any more.
 */
int servant_fork(int *fd, const struct config_options *o, const struct names *writable, struct config *c,
    struct why *why) must_check;

/* Would the helper, which has `now', take the commands of `fresh'?  -1: no, and why. */
int errand_check(const struct config *now, const struct config *fresh, const struct names *writable, struct why *why) must_check;

/*
 * program.c: the program that a command would start, to be freed; or -1 and why none.  may_run() judges each regular file
 * that it may be.
 */
int program_find(const char *command, bool (*may_run)(void *arg, const struct stat *st), void *arg, char **out,
    struct why *why) must_check;

struct errands;
struct errands *errand_start(struct loop *l, int fd, const struct config *c);	/* takes fd; -1: there is no helper */
void errand_stop(struct errands **e);		/* nobody is called any more */
void errand_configure(struct errands *e, const struct config *c);	/* c is used from now on: the helper reads the file too */

/* Runs a command; fn is called once, not from inside this, in a little more than ERRAND_MS at the latest.  The number
 * returned is for errand_forget: then fn is not called, though the command runs on.  Input is copied. */
uint32_t errand_run(struct errands *e, unsigned command, struct str input,
    void (*fn)(void *arg, const struct errand_answer *a), void *arg);
void errand_forget(struct errands *e, uint32_t number);

#endif
