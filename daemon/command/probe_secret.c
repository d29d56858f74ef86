/* A probe's secret: the configured one, the first line of password_command, or a token that is asked for. */
#include "command/probe_secret.h"

#include "base/log.h"
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "errand/errand.h"
#include "net/dns.h"
#include "net/oauth.h"
#include "net/tls.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

struct fetching {
	struct loop *loop;
	struct probe_secret_kept *kept;
	const struct upstream *settings;
	const char *refresh;		/* the token that was asked with; NULL: none */
};

bool
probe_secret_is_fetched(const struct upstream *u)
{
	return u->capture[0] == '\0' && u->auth != AUTH_NONE && u->username[0] != '\0' &&
	    (config_has_oauth2(u) || u->password_command[0] != '\0');
}

int
probe_secret_become_user(const struct config *c)
{
	const struct passwd *p;

	if (geteuid() != 0 || c->user[0] == '\0')
		return ARGS_OK;
	p = getpwnam(c->user);
	if (p == NULL)
		return command_fail(ARGS_CONFIG, "probe: user: there is no user %s, as whom password_command is run and tokens are "
		    "kept; make one, or set user = \"\"", c->user);
	if (initgroups(p->pw_name, p->pw_gid) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0)
		return command_fail(ARGS_FAILED, "probe: cannot become user %s: %s", c->user, strerror(errno));
	return ARGS_OK;
}

static void
no_secret(struct probe_secret_kept *k, bool refused)
{
	k->told = (struct probe_secret){ .trouble = k->why.text, .refused = refused, .veil = k->told.veil };
}

static void
has_secret(struct probe_secret_kept *k, char *secret)
{
	k->secret = secret;
	k->told = (struct probe_secret){ .secret = secret, .veil = k->told.veil };
	veil_add(k->told.veil, secret);
}

/* --- password_command ------------------------------------------------------------ */

static void
on_command(void *arg, const struct errand_answer *a)
{
	struct fetching *f = arg;

	loop_stop(f->loop);
	if (a->result != ERRAND_DONE)
		fail(&f->kept->why, "password_command: %s", a->words);
	else if (a->output.n == 0 || memchr(a->output.p, '\0', a->output.n) != NULL)
		fail(&f->kept->why, "password_command: its first line of output is %s", a->output.n == 0 ? "empty" : "not text");
	else
		has_secret(f->kept, str_dup(a->output));
}

/* By a helper process of our own, as the daemon does it; it ends when its socket is closed. */
static void
run_command(struct fetching *f, const struct config *c)
{
	static const struct names nothing;	/* it is never told to read the file again */
	struct config_options o = { .file = c->file };
	unsigned n = (unsigned)(f->settings - c->upstream);
	struct config *lent = config_ref(c);
	struct errands *e;
	int fd, result;

	result = servant_fork(&fd, &o, &nothing, lent, &f->kept->why);
	config_unref(&lent);
	if (result < 0)
		return;
	e = errand_start(f->loop, fd, c);
	(void)errand_run(e, ERRAND_UPSTREAM + n, STR(""), on_command, f);
	loop_run(f->loop);
	errand_stop(&e);
}

/* --- oauth2 ------------------------------------------------------------------------ */

/* The provider may take the old one no more: it must not get lost. */
static void
keep_refresh(const struct fetching *f, const char *refresh)
{
	const char *file = f->settings->oauth2.refresh_token_file;
	struct why why;

	if (refresh == NULL || f->refresh == NULL || strcmp(refresh, f->refresh) == 0)
		return;
	if (config_write_secret(file, refresh, &why) < 0)
		(void)command_fail(ARGS_FAILED, "probe: the provider replaced the refresh token, and the new one cannot be kept in %s: "
		    "%s; if the old one is refused from now on, get another", file, why.text);
}

static void
on_token(void *arg, const struct oauth_answer *a)
{
	struct fetching *f = arg;

	loop_stop(f->loop);
	if (a->result == OAUTH_TOKEN) {
		has_secret(f->kept, mem_text(a->access));
		keep_refresh(f, a->refresh);
		return;
	}
	fail(&f->kept->why, "no token: %s", a->words);
	no_secret(f->kept, a->result == OAUTH_REFUSED);
}

static void
ask(struct fetching *f, const char *client_secret, struct tls *tls)
{
	const struct upstream *u = f->settings;
	struct oauth_request r = {
		.url = u->oauth2.token_url, .client_id = u->oauth2.client_id, .scope = u->oauth2.scope,
		.client_secret = client_secret, .refresh_token = f->refresh, .tls = tls, .veil = f->kept->told.veil,
	};
	struct dns *dns = dns_start(f->loop);
	struct oauth *o = oauth_start(f->loop, dns, &r, on_token, f);

	loop_run(f->loop);
	oauth_free(&o);
	dns_stop(&dns);
}

static void
ask_token(struct fetching *f)
{
	const struct upstream *u = f->settings;
	char *client_secret = NULL, *refresh = NULL;
	struct tls *tls = NULL;
	struct why *why = &f->kept->why;

	if ((u->oauth2.client_secret_file[0] == '\0' ||
	    config_read_secret(&client_secret, u->oauth2.client_secret_file, why) == 0) &&
	    (u->oauth2.client_credentials || config_read_secret(&refresh, u->oauth2.refresh_token_file, why) == 0) &&
	    tls_client(&tls, "", true, TLS_1_2, why) == 0) {
		f->refresh = refresh;
		veil_add(f->kept->told.veil, client_secret);
		veil_add(f->kept->told.veil, refresh);
		ask(f, client_secret, tls);
	}
	tls_unref(&tls);
	mem_free_secret(&client_secret);
	mem_free_secret(&refresh);
}

void
probe_secret_get(struct probe_secret_kept *k, const struct config *c, const struct upstream *u)
{
	struct fetching f = { .kept = k, .settings = u };

	*k = (struct probe_secret_kept){ .told = { .secret = u->password, .veil = veil_new() } };
	veil_add(k->told.veil, u->password);
	if (!probe_secret_is_fetched(u))
		return;
	log_open(LOG_ERROR, LOG_LOGFMT);		/* what is found out is told once, in the table */
	no_secret(k, false);
	f.loop = loop_new("secret");
	if (config_has_oauth2(u))
		ask_token(&f);
	else
		run_command(&f, c);
	loop_free(&f.loop);
}

void
probe_secret_clear(struct probe_secret_kept *k)
{
	mem_free_secret(&k->secret);
	veil_unref(&k->told.veil);
	*k = (struct probe_secret_kept){ 0 };
}
