/* `gatepost run': arguments, then the order in which a daemon comes to life. */
#include "main/daemon.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"

static int
parse(int argc, char **argv, struct config_options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "state", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "c:", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->file = optarg;
			break;
		case 's':
			o->state = optarg;
			break;
		case 'h':
			return -1;
		default:
			return command_fail(64, "run: unknown option %s; usage: gatepost run [--state DIR] [-c FILE]", argv[optind - 1]);
		}
	if (optind < argc)
		return command_fail(64, "run: %s: unexpected; usage: gatepost run [--state DIR] [-c FILE]", argv[optind]);
	o->secrets = true;
	return 0;
}

/* Descriptors 0 to 2 must be something: else a socket could become standard error. */
static void
keep_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

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

static int
bring_up(struct daemon *d)
{
	struct why why;

	umask(077);
	block_signals();
	if (daemon_load(d, &why) < 0)
		return command_fail(78, "%s", why.text);
	log_open(d->config->log.level, d->config->log.format);
	d->loop = loop_new("main");
	if (daemon_bind(d, &why) < 0 || sandbox_prepare(d->config, &why) < 0 ||
	    sandbox_enter(d->config, &why) < 0)
		return command_fail(1, "%s", why.text);
	if (daemon_load_users(d->config, &d->users, &why) < 0 ||
	    daemon_load_tls(d->config, &d->tls, &why) < 0)
		return command_fail(78, "%s", why.text);
	return supervise_run(d);
}

int
run_main(int argc, char **argv)
{
	char help[] = "help", run[] = "run";
	struct daemon *d = calloc(1, sizeof *d);
	int status;

	if (d == NULL)
		return command_fail(75, "run: out of memory");
	d->control_fd = -1;
	keep_standard_descriptors();
	status = parse(argc, argv, &d->options);
	if (status < 0)
		status = command_help(2, (char *[]){ help, run, NULL });
	else if (status == 0)
		status = bring_up(d);
	daemon_free(d);
	free(d);
	return status;
}
