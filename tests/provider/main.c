/*
 * fake-provider: the fake mail provider as a program, for `make demo' and for trying things by hand.
 *
 *   fake-provider [-a ADDRESS] [-u USER:PASSWORD] [-d DIR] [-c CA-FILE] [-q] PORT:MODE[:SCRIPT]...
 *
 * MODE is starttls, implicit, none, refuse or drop (SYNs get no answer); provider.h describes scripts.  Says
 * "ready" and the ports when all are open.  A line "PORT MODE [SCRIPT]" on standard input opens a port anew;
 * "transcript" prints what was said.  Ends on SIGTERM or SIGINT.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "provider/provider.h"

static struct provider *provider;
static const char *address = "127.0.0.1";
static int quiet;

static void
on_message(unsigned n)
{
	const struct provider_message *m = provider_message(provider, n);

	if (quiet)
		return;
	printf("message %u from %s to", n + 1, m->sender);
	for (unsigned i = 0; i < m->nrcpt; i++)
		printf(" %s", m->rcpt[i]);
	printf(", %zu octets, port %u, %s%s%s\n", m->octets, m->port, m->secure ? "TLS" : "plain",
	    *m->user != '\0' ? ", user " : "", m->user);
	fflush(stdout);
}

/* "587:starttls:script", or the same with blanks. */
static int
open_port(char *text)
{
	char *number = strsep(&text, ": "), *mode = text != NULL ? strsep(&text, ": ") : NULL;
	int m = mode != NULL ? provider_parse_mode(mode) : -1;
	unsigned port;

	if (m < 0) {
		fprintf(stderr, "fake-provider: write PORT:MODE[:SCRIPT]\n");
		return -1;
	}
	port = provider_listen(provider, address, (unsigned)atoi(number), (enum provider_mode)m, text);
	if (port == 0)
		return -1;
	printf("port %u %s\n", port, mode);
	fflush(stdout);
	return 0;
}

static void
obey(char *line)
{
	char *all;

	line[strcspn(line, "\r\n")] = '\0';
	if (strcmp(line, "transcript") == 0) {
		all = provider_transcript(provider);
		fputs(all, stdout);
		fflush(stdout);
		free(all);
	} else if (*line != '\0')
		(void)open_port(line);
}

static void
serve(int signals)
{
	struct pollfd fd[2] = { { signals, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	char line[1024];

	for (;;) {
		if (poll(fd, 2, -1) < 0)
			continue;
		if (fd[0].revents != 0)
			return;
		if (fd[1].revents != 0) {
			if (fgets(line, sizeof line, stdin) == NULL)
				fd[1].fd = -1;
			else
				obey(line);
		}
	}
}

static int
usage(void)
{
	fprintf(stderr, "usage: fake-provider [-a ADDRESS] [-u USER:PASSWORD] [-d DIR] [-c CA-FILE] [-q] "
	    "PORT:MODE[:SCRIPT]...\n");
	return 64;
}

int
main(int argc, char **argv)
{
	struct provider_options o = { .on_message = on_message };
	char *user = NULL;
	sigset_t set;
	int opt;

	while ((opt = getopt(argc, argv, "a:u:d:c:q")) != -1) {
		switch (opt) {
		case 'a': address = optarg; break;
		case 'u': user = optarg; break;
		case 'd': o.dir = optarg; break;
		case 'c': o.ca_file = optarg; break;
		case 'q': quiet = 1; break;
		default: return usage();
		}
	}
	if (optind == argc)
		return usage();
	o.user = user != NULL ? strsep(&user, ":") : NULL;
	o.password = user;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setvbuf(stdin, NULL, _IONBF, 0);	/* poll must see every line */
	provider = provider_new(&o);
	if (provider == NULL || (o.user != NULL && o.password == NULL))
		return usage();
	for (int i = optind; i < argc; i++)
		if (open_port(argv[i]) < 0)
			return 1;
	printf("ready\n");
	fflush(stdout);
	serve(signalfd(-1, &set, SFD_CLOEXEC));
	provider_free(&provider);
	return 0;
}
