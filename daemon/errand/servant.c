/* The helper process: forked, stripped of what it does not need, and run until the daemon has gone. */
#include "errand/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "errand/ledger.h"
#include "errand/runner.h"

enum { SOCKET_AT = 3 };

struct servant {
	const struct config_options *options;
	const struct names *writable;
};

/* Without secrets: it needs the command lines alone. */
static int
on_reload(void *arg, const struct ledger *now, struct ledger *out, struct why *why)
{
	const struct servant *s = arg;
	struct config_options o = *s->options;
	struct config *c;
	int result;

	o.secrets = o.make_state = false;
	if (config_load(&c, &o, NULL, NULL, why) < 0)
		return -1;
	result = exposed_check(now, c, s->writable, why);
	if (result == 0) {
		log_open(c->log.level, c->log.format);
		ledger_init(out, c);
	}
	config_unref(&c);
	return result;
}

/* Sockets and files of the daemon are not for those whom it may start. */
static void
keep_only(int fd)
{
	if (fd != SOCKET_AT)
		dup2(fd, SOCKET_AT);
	close_range(SOCKET_AT + 1, ~0U, 0);
	fcntl(SOCKET_AT, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void
serve(int fd, pid_t parent, struct servant *s, struct config *c)
{
	struct runner_options ro = { .fd = SOCKET_AT, .reload = on_reload, .arg = s };
	struct runner *r;
	struct loop *l;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "gatepost-errand");
	if (getppid() != parent)
		_exit(0);
	keep_only(fd);
	if (send(SOCKET_AT, "", 1, MSG_NOSIGNAL) != 1)
		_exit(1);
	ledger_init(&ro.ledger, c);
	config_unref(&c);
	l = loop_new("errand");
	r = runner_start(l, &ro);
	loop_run(l);
	runner_stop(&r);
	log_flush();
	_exit(0);
}

/* Until it holds nothing of ours any more: who is killed after this leaves no port in use. */
static bool
is_stripped(int fd)
{
	char c;
	ssize_t n;

	do
		n = recv(fd, &c, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

int
servant_fork(int *fd, const struct config_options *o, const struct names *writable, struct config *c, struct why *why)
{
	struct servant servant = { o, writable };
	pid_t own = getpid(), pid;
	int pair[2];

	*fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(why, "cannot make a socket for the helper that runs commands: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		serve(pair[1], own, &servant, c);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return fail(why, "cannot start the helper that runs commands: %s", strerror(errno));
	}
	if (!is_stripped(pair[0])) {
		close(pair[0]);
		return fail(why, "the helper that runs commands ended at once");
	}
	*fd = pair[0];
	return 0;
}
