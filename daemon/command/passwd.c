/* `gatepost passwd': local users; a password is typed twice without echo, or is the first line of standard input. */
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "command/owner.h"
#include "command/runs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_MAX = 512 };

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

/* One line, octet by octet so that nothing after it is taken; false: none, too long, a NUL, or a signal. */
static bool
read_line(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t got;
	char c;

	while ((got = read(fd, &c, 1)) == 1 && c != '\n') {
		if (n + 1 >= size || c == '\0')
			return false;
		out[n++] = c;
	}
	if (got < 0 || (got == 0 && n == 0))
		return false;
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return true;
}

/* Asks on the terminal; the echo comes back whatever happens. */
static bool
ask(const char *prompt, char *out, size_t size)
{
	struct sigaction act = { .sa_handler = on_signal }, old[SIGNALS];
	struct termios was, quiet;
	bool ok;

	if (tcgetattr(STDIN_FILENO, &was) < 0)
		return false;
	for (unsigned i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &act, &old[i]);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fprintf(stderr, "%s", prompt);
	ok = read_line(STDIN_FILENO, out, size);
	fputc('\n', stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	for (unsigned i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &old[i], NULL);
	if (caught != 0)
		raise(caught);
	return ok && caught == 0;
}

static int
get_password(char *out, size_t size)
{
	char again[PASSWORD_MAX];
	bool same;

	if (!isatty(STDIN_FILENO)) {
		if (!read_line(STDIN_FILENO, out, size))
			return command_fail(ARGS_FAILED, "passwd: no password on standard input (one line, at most %d "
			    "octets)", PASSWORD_MAX - 1);
	} else {
		if (!ask("Password: ", out, size) || !ask("The same again: ", again, sizeof again))
			return command_fail(ARGS_FAILED, "passwd: no password was read; nothing was changed");
		same = strcmp(out, again) == 0;
		explicit_bzero(again, sizeof again);
		if (!same)
			return command_fail(ARGS_FAILED, "passwd: the two are not the same; nothing was changed");
	}
	if (out[0] == '\0')
		return command_fail(ARGS_FAILED, "passwd: the password is empty; nothing was changed");
	return ARGS_OK;
}

/* A file that root made must be readable for the daemon. */
static void
give_to_daemon(const char *file, const char *user)
{
	const struct passwd *p = user[0] == '\0' || geteuid() != 0 ? NULL : getpwnam(user);

	if (p != NULL && lchown(file, (uid_t)-1, p->pw_gid) < 0)
		command_fail(ARGS_FAILED, "passwd: %s: cannot give it to the group of %s: %s", file, user,
		    strerror(errno));
}

static int
change(const struct config *config, const char *user, const char *password)
{
	struct stat st;
	struct why why;
	char *name, *dir;
	bool made;

	if (owner_enter(config, config->users_file, &name, &why) < 0)
		return command_fail(ARGS_FAILED, "passwd: %s", why.text);
	made = lstat(name, &st) < 0 && errno == ENOENT;
	if (users_set(name, user, password, &why) < 0) {
		dir = getcwd(NULL, 0);
		command_fail(ARGS_FAILED, "passwd: in %s: %s", dir != NULL ? dir : config->users_file, why.text);
		free(dir);
		free(name);
		return ARGS_FAILED;
	}
	if (made) {
		give_to_daemon(name, config->user);
		printf("made %s\n", config->users_file);
	}
	free(name);
	printf("%s %s in %s\n", password == NULL ? "deleted" : "set the password of", user, config->users_file);
	return fflush(stdout) == 0 ? ARGS_OK : ARGS_FAILED;
}

int
passwd_run(int argc, char **argv)
{
	bool delete = false;
	const struct args_option own[] = { { "-d", &delete, NULL }, { NULL, NULL, NULL } };
	char password[PASSWORD_MAX];
	struct config *config;
	struct args a;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 1, 1)) != ARGS_GO_ON)
		return status;
	if (a.name[0][0] == '\0' || strchr(a.name[0], ':') != NULL || str_has_control(str_of(a.name[0])))
		return command_fail(ARGS_USAGE, "passwd: a user's name may not be empty or have colons or control "
		    "characters");
	if ((status = args_config(&a, false, &config)) != ARGS_OK)
		return status;
	if (delete) {
		status = change(config, a.name[0], NULL);
	} else if ((status = get_password(password, sizeof password)) == ARGS_OK) {
		status = change(config, a.name[0], password);
	}
	explicit_bzero(password, sizeof password);
	config_unref(&config);
	return status;
}
