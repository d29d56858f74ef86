/* `gatepost run': arguments, then the order in which a daemon comes to life. */
#include "main/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"
#include "net/inherit.h"

/* Signals are read from a descriptor by main's loop; no thread may take them. */
static void
block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a write beyond RLIMIT_FSIZE is an error, not an end */
}

/* The soft limit is for programs that use select(2). */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* What only root may read is lost with root; better told now than by a reload that is refused. */
static void
check_files(const struct config *c)
{
	struct why why;

	for (unsigned i = 0; i < c->files.n; i++)
		if (config_may_read(c->files.v[i], &why) < 0)
			log_event(LOG_WARNING, "reload_impossible", log_text("reason", why.text),
			    log_text("advice", "until then every reload will be refused; `gatepost check' lists all"));
}

static int
bring_up(struct daemon *d)
{
	struct why why;

	inherit_close_others();
	umask(077);
	block_signals();
	raise_descriptors();
	if (daemon_load(d, &why) < 0)
		return command_fail(78, "%s", why.text);
	log_open(d->config->log.level, d->config->log.format);
	d->loop = loop_new("main");
	if (sandbox_check(d->config, &why) < 0)
		return command_fail(78, "%s", why.text);
	if (sandbox_prepare(d->config, &why) < 0 || daemon_bind(d, &why) < 0 ||
	    sandbox_give(d->config, &why) < 0 || sandbox_enter(d->config, &why) < 0)
		return command_fail(1, "%s", why.text);
	confine_plan(d);
	if (servant_fork(&d->errand_fd, &d->options, &d->writable, d->config, &why) < 0 || confine_enter(d, &why) < 0)
		return command_fail(1, "%s", why.text);
	if (daemon_check_upstreams(d->config, &why) < 0 || daemon_load_users(d->config, &d->users, &why) < 0 ||
	    daemon_load_tls(d->config, &d->tls, &why) < 0)
		return command_fail(78, "%s", why.text);
	check_files(d->config);
	return supervise_run(d);
}

int
run_main(int argc, char **argv)
{
	struct daemon *d = calloc(1, sizeof *d);
	int status;

	if (d == NULL)
		return command_fail(75, "run: out of memory");
	d->control_fd = d->errand_fd = d->metrics_fd = -1;
	log_open(LOG_INFO, LOG_LOGFMT);		/* until the configuration says otherwise */
	d->options.secrets = d->options.make_state = true;
	status = command_options(argc, argv, &d->options.file, &d->options.state);
	if (status < 0)
		status = bring_up(d);
	daemon_free(d);
	free(d);
	return status;
}
