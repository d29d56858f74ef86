/*
 * `gatepost check': all that would keep a daemon from working, before it is started.  What is right and what is
 * doubtful is listed on standard output, what is wrong on standard error.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "command/table.h"
#include "errand/errand.h"
#include "net/tls.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { RENEW_DAYS = 30, GROUPS_MAX = 64, NAME_SHOWN = 64 };

struct checking {
	const struct config *config;
	bool colour;
	unsigned warnings, errors;
	uid_t uid;		/* as whom the daemon will run */
	gid_t group[GROUPS_MAX];
	int ngroup;
	char user[NAME_SHOWN], main_group[NAME_SHOWN];
};

static void
report(struct checking *c, enum tint tint, const char *word, const char *text)
{
	struct buf out = { 0 };

	table_say(&out, c->colour, tint, word);
	table_say(&out, false, TINT_NONE, text);
	buf_putc(&out, '\n');
	if (table_out(&out) < 0)
		c->errors++;
	buf_clear(&out);
}

static void fine(struct checking *c, const char *fmt, ...) like_printf(2, 3);
static void doubt(struct checking *c, const char *fmt, ...) like_printf(2, 3);
static void wrong(struct checking *c, const char *fmt, ...) like_printf(2, 3);

static void
fine(struct checking *c, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	report(c, TINT_GOOD, "ok       ", text);
}

static void
doubt(struct checking *c, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	report(c, TINT_WARN, "warning  ", text);
	c->warnings++;
}

static void
wrong(struct checking *c, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	command_fail(ARGS_CONFIG, "%s", text);
	c->errors++;
}

static void
on_warning(void *arg, const char *text)
{
	doubt(arg, "%s", text);
}

/* --- may the daemon's user do it? ------------------------------------------------ */

static void
name_daemon(struct checking *c, uid_t uid, gid_t gid)
{
	const struct passwd *p = getpwuid(uid);
	const struct group *g = getgrgid(gid);

	snprintf(c->user, sizeof c->user, "%s", p != NULL ? p->pw_name : "its user");
	snprintf(c->main_group, sizeof c->main_group, "%s", g != NULL ? g->gr_name : "its group");
}

static void
find_user(struct checking *c)
{
	const char *name = c->config->user;
	const struct passwd *p;

	c->uid = geteuid();
	c->ngroup = getgroups(GROUPS_MAX - 1, c->group);
	c->ngroup = c->ngroup < 0 ? 0 : c->ngroup;
	c->group[c->ngroup++] = getegid();
	name_daemon(c, geteuid(), getegid());
	if (geteuid() != 0 || name[0] == '\0')
		return;
	p = getpwnam(name);
	if (p == NULL) {
		wrong(c, "user: there is no user %s; make one (systemd-sysusers, or adduser --system --group %s), or set "
		    "user = \"\"", name, name);
		return;
	}
	c->uid = p->pw_uid;
	c->ngroup = GROUPS_MAX;
	if (getgrouplist(name, p->pw_gid, c->group, &c->ngroup) < 0)
		c->ngroup = GROUPS_MAX;
	name_daemon(c, c->uid, c->group[0]);
	fine(c, "the daemon runs as %s", name);
}

/* `bits': 4 read, 2 write, 1 search. */
static bool
may(const struct checking *c, const struct stat *st, unsigned bits)
{
	unsigned shift = 0;

	if (c->uid == 0)
		return true;
	if (st->st_uid == c->uid)
		shift = 6;
	for (int i = 0; i < c->ngroup && shift == 0; i++)
		if (c->group[i] == st->st_gid)
			shift = 3;
	return ((st->st_mode >> shift) & bits) == bits;
}

/* Where it is about ourselves the kernel knows more than modes say: /proc/self is root's, as of all who leave no core. */
static bool
may_enter(const struct checking *c, const char *dir)
{
	struct stat st;

	return stat(dir, &st) < 0 || may(c, &st, 1) || (c->uid == geteuid() && faccessat(AT_FDCWD, dir, X_OK, AT_EACCESS) == 0);
}

/* Each directory on the way to it, and itself: `bits' of it.  false after a complaint. */
static bool
check_way(struct checking *c, const char *option, const char *path, unsigned bits)
{
	char *at = mem_text(path), *p = at + 1;
	struct stat st;
	bool ok = true;

	for (; ok && (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		ok = may_enter(c, at);
		if (!ok)
			wrong(c, "%s: %s: the daemon's user %s may not enter %s; chgrp %s and chmod g+x that directory",
			    option, path, c->user, at, c->main_group);
	}
	if (ok && stat(at, &st) == 0 && !may(c, &st, bits)) {
		if (S_ISDIR(st.st_mode))
			wrong(c, "%s: the daemon's user %s may not write to %s; chown it to %s, or make a "
			    "directory of its own there and chown that", option, c->user, at, c->user);
		else
			wrong(c, "%s: the daemon's user %s may not read %s; chgrp %s and chmod g+r it", option, c->user, at,
			    c->main_group);
		ok = false;
	}
	free(at);
	return ok;
}

/* Root reads them all at a start; at a reload there is no root any more. */
static void
check_files(struct checking *c)
{
	const struct names *files = &c->config->files, *handed = &c->config->handed;
	bool ok = true;

	for (unsigned i = 0; i < handed->n; i++)
		fine(c, "systemd hands %s to the daemon", handed->v[i]);
	if (c->errors > 0)		/* there is no such user */
		return;
	for (unsigned i = 0; i < files->n; i++)
		ok &= check_way(c, "permissions", files->v[i], 4);
	if (ok)
		fine(c, "%u file%s that %s can read", files->n, files->n == 1 ? "" : "s", c->user);
}

/* --- the parts ---------------------------------------------------------------------- */

static void
check_spool(struct checking *c)
{
	const char *dir = c->config->spool_dir, *stray;
	struct statvfs fs;
	struct stat st;
	struct why why;
	char left[32];
	int fd;

	if (stat(dir, &st) < 0 && errno == ENOENT) {
		doubt(c, "spool_dir: %s does not exist yet; the daemon makes it at its first start if it may", dir);
		return;
	}
	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && !check_way(c, "spool_dir", dir, 7))
		return;
	if (spool_open_place(&fd, dir, c->uid, &st, &why) < 0) {
		wrong(c, "%s", why.text);
		return;
	}
	stray = fd >= 0 ? spool_find_stray(fd) : NULL;
	if (stray != NULL)	/* a daemon does not start then, or keeps no history */
		wrong(c, "spool_dir: %s/%s is no directory but a link or a file; put the daemon's own back, or remove it", dir, stray);
	if (fd >= 0)
		close(fd);
	if (statvfs(dir, &fs) < 0) {
		wrong(c, "spool_dir: %s: %s", dir, strerror(errno));
		return;
	}
	table_size(left, sizeof left, (uint64_t)fs.f_bavail * fs.f_frsize);
	if ((uint64_t)fs.f_bavail * fs.f_frsize < c->config->limits.min_free)
		doubt(c, "spool_dir: %s has %s free, less than min_free: no mail will be accepted", dir, left);
	else
		fine(c, "spool_dir %s, %s free", dir, left);
}

static void
check_users(struct checking *c)
{
	const char *file = c->config->users_file;
	struct users *users = NULL;
	struct why why;
	struct stat st;

	if (users_load(&users, file, &why) < 0) {
		if (errno == ENOENT)
			doubt(c, "users_file: %s does not exist: no app can log in; add a user with `gatepost passwd "
			    "USER'", file);
		else
			wrong(c, "users_file: %s", why.text);
		return;
	}
	if (!check_way(c, "users_file", file, 4)) {
		users_unref(&users);
		return;
	}
	if (stat(file, &st) == 0 && (st.st_mode & 004))
		doubt(c, "users_file: %s has password hashes that anybody can read, and guess at; chmod 640 %s", file, file);
	else if (users_count(users) == 0)
		doubt(c, "users_file: %s is empty: no app can log in; add a user with `gatepost passwd USER'", file);
	else
		fine(c, "%u user%s in %s", users_count(users), users_count(users) == 1 ? "" : "s", file);
	users_unref(&users);
}

static bool
needs_tls(const struct config *config)
{
	for (unsigned i = 0; i < config->nlisten; i++)
		if (config->listen[i].tls != TLS_NONE)
			return true;
	return false;
}

static void
check_dates(struct checking *c, const char *file, const struct tls_certificate *cert, const char *remedy)
{
	int64_t days = (cert->not_after_wall_s - clock_wall_s()) / 86400;

	if (cert->not_after_wall_s <= clock_wall_s())
		wrong(c, "tls: %s has expired; %s", file, remedy);
	else if (days < RENEW_DAYS)
		doubt(c, "tls: %s ends in %lld days; %s", file, (long long)days, remedy);
	else if (!cert->has_name)
		doubt(c, "tls: %s does not have the name %s; %s", file, c->config->hostname, remedy);
	else
		fine(c, "certificate %s, good for %lld days", file, (long long)days);
}

static void
check_own_certificate(struct checking *c)
{
	const struct config *config = c->config;
	struct tls_certificate cert;
	struct tls *tls = NULL;
	struct why why;

	if (tls_server(&tls, config->tls.certificate, config->tls.key, (enum tls_version)config->tls.min_version,
	    "check", &why) < 0) {
		wrong(c, "%s: tls: %s; name a certificate in PEM and the key that belongs to it", config->file, why.text);
		return;
	}
	tls_unref(&tls);
	if (tls_read_certificate(config->tls.certificate, config->hostname, &cert, &why) < 0)
		wrong(c, "tls: %s", why.text);
	else
		check_dates(c, config->tls.certificate, &cert, "replace it, then `systemctl reload gatepost'");
}

static void
check_local_certificate(struct checking *c)
{
	char *dir = mem_printf("%s/tls", c->config->spool_dir), *file = mem_printf("%s/cert.pem", dir);
	struct tls_certificate cert;
	struct why why;

	if (tls_local_certificate(dir, c->config->hostname, &cert, &why) == 0)
		check_dates(c, file, &cert, "renew it with `gatepost ca --renew'");
	else if (errno == EACCES)
		doubt(c, "tls: %s cannot be looked at; become root to check it", file);
	else if (errno == ENOENT)
		fine(c, "the local CA and its certificate will be made at the first start; see `gatepost ca'");
	else
		wrong(c, "tls: %s", why.text);
	free(file);
	free(dir);
}

static void
check_tls(struct checking *c)
{
	if (!needs_tls(c->config))
		return;
	if (c->config->tls.certificate[0] != '\0')
		check_own_certificate(c);
	else
		check_local_certificate(c);
}

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return mem_text(slash == NULL ? "." : "/");
	return mem_textn(path, (size_t)(slash - path));
}

/* That its mail goes nowhere else was said when the file was read. */
static void
check_capture(struct checking *c, const struct upstream *u)
{
	char option[NAME_SHOWN + 24], *parent = folder_of(u->capture);
	struct stat st;

	snprintf(option, sizeof option, "upstream %s: capture", u->name);
	if (stat(u->capture, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			wrong(c, "%s: %s is no directory", option, u->capture);
		else if (check_way(c, option, u->capture, 7))
			fine(c, "%s: the Maildir %s", option, u->capture);
	} else if (errno == ENOENT && stat(parent, &st) < 0) {
		wrong(c, "%s: %s: %s; make it, or correct the path", option, parent, strerror(errno));
	} else if (check_way(c, option, parent, 3)) {
		fine(c, "%s: the Maildir %s will be made", option, u->capture);
	}
	free(parent);
}

static void
check_upstream(struct checking *c, const struct upstream *u)
{
	struct tls *tls = NULL;
	struct why why;
	bool encrypted = false;

	if (u->capture[0] != '\0') {
		check_capture(c, u);
		return;
	}
	for (unsigned i = 0; i < u->nchain; i++)
		encrypted |= u->chain[i].tls != TLS_NONE;
	if (encrypted && tls_client(&tls, u->tls_ca, u->tls_verify, (enum tls_version)u->tls_min, &why) < 0) {
		wrong(c, "%s: upstream %s: tls_ca: %s%s", c->config->file, u->name, why.text,
		    u->tls_ca[0] != '\0' ? "; name a file of certificates in PEM" : "");
		return;
	}
	tls_unref(&tls);
	fine(c, "upstream %s: %s, %u port%s, %s", u->name, u->host, u->nchain, u->nchain == 1 ? "" : "s",
	    u->password != NULL ? "with a password" :
	    config_has_oauth2(u) ? "with tokens from oauth2" :
	    u->password_command != NULL && u->password_command[0] != '\0' ? "password from a command" :
	    "without login");
}

static bool
may_run(void *arg, const struct stat *st)
{
	return (st->st_mode & 0111) != 0 && may(arg, st, 1);
}

static void
check_command(struct checking *c, const char *option, const char *command)
{
	char *program;
	struct why why;

	if (command == NULL || command[0] == '\0')
		return;
	if (program_find(command, may_run, c, &program, &why) < 0)
		wrong(c, "%s: %s", option, why.text);
	else if (check_way(c, option, program, 0))
		fine(c, "%s runs %s", option, program);
	free(program);
}

static void
check_commands(struct checking *c)
{
	const struct config *config = c->config;
	char option[NAME_SHOWN + 40];

	check_command(c, "alert: command", config->alert.command);
	for (unsigned i = 0; i < config->nupstream; i++) {
		snprintf(option, sizeof option, "upstream %.*s: password_command", NAME_SHOWN, config->upstream[i].name);
		check_command(c, option, config->upstream[i].password_command);
	}
}

static void
check_sockets(struct checking *c)
{
	char *control = folder_of(c->config->control_socket), *submit = folder_of(c->config->submit_socket);
	const char *const dirs[] = { control, strcmp(control, submit) == 0 ? NULL : submit };
	struct stat st;

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		if (dirs[i] != NULL && stat(dirs[i], &st) < 0)
			doubt(c, "%s: %s; a daemon that is started as root, or by systemd, makes it; else make it", dirs[i],
			    strerror(errno));
	free(control);
	free(submit);
}

int
checkup_run(int argc, char **argv)
{
	struct checking c = { .colour = table_wants_colour() };
	struct config_options o = { .secrets = true, .for_unit = true, .unseen = true };
	struct config *config = NULL;
	struct args a;
	struct why why;
	int status;

	if ((status = args_parse(&a, argc, argv, NULL)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 0)) != ARGS_GO_ON)
		return status;
	o.file = a.file;
	o.state = a.state;
	if (config_load(&config, &o, on_warning, &c, &why) < 0)
		return command_fail(ARGS_CONFIG, "%s", why.text);
	c.config = config;
	fine(&c, "%s: %u listener%s, %u upstream%s, %u route%s", config->file, config->nlisten,
	    config->nlisten == 1 ? "" : "s", config->nupstream, config->nupstream == 1 ? "" : "s",
	    config->nroute, config->nroute == 1 ? "" : "s");
	find_user(&c);
	check_files(&c);
	check_spool(&c);
	check_sockets(&c);
	check_tls(&c);
	check_users(&c);
	if (config->aliases != NULL)
		fine(&c, "aliases in %s", config->aliases_file);
	for (unsigned i = 0; i < config->nupstream; i++)
		check_upstream(&c, &config->upstream[i]);
	check_commands(&c);
	if (config_check_loop(config, &why) < 0)
		wrong(&c, "%s", why.text);
	config_unref(&config);
	return c.errors > 0 ? ARGS_CONFIG : ARGS_OK;
}
