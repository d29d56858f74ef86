/* AUTH: PLAIN, LOGIN, CRAM-MD5, XOAUTH2, OAUTHBEARER, as a client. */
#include "relay/login.h"

#include "base/base64.h"
#include "base/mem.h"
#include "smtp/sasl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	AUTH_MS = 60 * 1000,
	LINE_MAX_OCTETS = 512	/* RFC 4954 4: a longer initial response waits for 334 (B-114) */
};

enum state {
	SAID_AUTH,	/* without an initial response: 334 asks for the first */
	SAID_USER,	/* LOGIN: 334 asks for the password */
	SAID_ALL,	/* 235 must come */
	SAID_DONE,	/* a bearer token was refused in a 334: the refusal proper follows */
	SAID_CANCEL	/* "*" (RFC 4954 4) */
};

struct login {
	struct loop *loop;
	struct exchange *x;
	const struct upstream *settings;
	unsigned port;
	const char *password;
	unsigned mechs;		/* still to be tried */
	unsigned mech;
	unsigned tried;
	enum state state;
	login_fn fn;
	void *arg;
};

/* In the order of preference: all pass inside TLS only, and PLAIN is what every provider has tested. */
static const struct mech {
	unsigned bit;
	enum auth_method method;
	const char *name;
	bool initial;		/* the client speaks first */
} mechs[] = {
	{ MECH_PLAIN, AUTH_PLAIN, "PLAIN", true },
	{ MECH_LOGIN, AUTH_LOGIN, "LOGIN", false },
	{ MECH_CRAM_MD5, AUTH_CRAM_MD5, "CRAM-MD5", false },
	{ MECH_XOAUTH2, AUTH_XOAUTH2, "XOAUTH2", true },
	{ MECH_OAUTHBEARER, AUTH_OAUTHBEARER, "OAUTHBEARER", true },
};
enum { NMECHS = sizeof mechs / sizeof mechs[0] };

bool
login_is_needed(const struct upstream *u)
{
	return u->auth != AUTH_NONE && u->username != NULL && u->username[0] != '\0';
}

unsigned
login_common(const struct upstream *u, unsigned offered)
{
	for (size_t i = 0; i < NMECHS; i++)
		if (mechs[i].method == u->auth)
			return offered & mechs[i].bit;
	return offered & (config_has_oauth2(u) ? MECH_XOAUTH2 | MECH_OAUTHBEARER : MECH_PLAIN | MECH_LOGIN | MECH_CRAM_MD5);
}

static const struct mech *
find_mech(unsigned bits)
{
	for (size_t i = 0; i < NMECHS; i++)
		if (bits & mechs[i].bit)
			return &mechs[i];
	bug("login: no mechanism is left");
}

static void
finish(struct login *l, enum login_end end, int code, const char *status, struct str text)
{
	struct outcome said = { 0 };

	exchange_deadline(l->x, 0);
	l->x->verbatim = 0;
	outcome_set(&said, OUTCOME_DEFER, code, status, text);
	l->fn(l->arg, end, &said);
	outcome_clear(&said);
}

/* --- what is said --------------------------------------------------------------- */

static void
wipe(struct buf *b)
{
	if (b->data != NULL)
		mem_wipe(b->data, b->cap);
	*b = (struct buf){ 0 };
}

/* "AUTH PLAIN …", or the answer to a 334.  Takes and wipes the raw bytes. */
static void
say_coded(struct login *l, const char *before, struct buf *raw)
{
	struct buf line = { 0 };

	(void)buf_room(&line, strlen(before) + raw->len * 2 + 8);	/* no copy is left behind by growing */
	buf_puts(&line, before);
	base64_put(&line, raw->data, raw->len);
	exchange_say_secret(l->x, *before != '\0' ? "AUTH ***" : "***", buf_str(&line));
	wipe(&line);
	wipe(raw);
	exchange_deadline(l->x, AUTH_MS);
}

static void
first_response(const struct login *l, struct buf *raw)
{
	const struct upstream *u = l->settings;

	switch (l->mech) {
	case MECH_PLAIN:
		sasl_plain(raw, u->username, l->password);
		break;
	case MECH_LOGIN:
		buf_puts(raw, u->username);
		break;
	case MECH_XOAUTH2:
		sasl_xoauth2(raw, u->username, l->password);
		break;
	case MECH_OAUTHBEARER:
		sasl_oauthbearer(raw, u->username, u->host, l->port, l->password);
		break;
	}
}

static void
start_mech(struct login *l)
{
	const struct mech *m = find_mech(l->mechs);
	size_t n = strlen("AUTH ") + strlen(m->name) + 1;
	char command[32];
	struct buf raw = { 0 };

	l->mech = m->bit;
	l->mechs &= ~m->bit;
	l->tried++;
	if (m->initial)
		first_response(l, &raw);
	if (m->initial && n + (raw.len + 2) / 3 * 4 + 2 <= LINE_MAX_OCTETS) {
		l->state = SAID_ALL;
		snprintf(command, sizeof command, "AUTH %s ", m->name);
		say_coded(l, command, &raw);
		return;
	}
	wipe(&raw);
	l->state = SAID_AUTH;
	if (exchange_say(l->x, "AUTH %s", m->name) < 0)
		bug("login: %s", m->name);
	exchange_deadline(l->x, AUTH_MS);
}

/* --- what is heard ---------------------------------------------------------------- */

static void
cancel(struct login *l)
{
	l->state = SAID_CANCEL;
	exchange_say_secret(l->x, "*", STR("*"));
	exchange_deadline(l->x, AUTH_MS);
}

/* 334 with nothing that we could be asked for any more, or that is not base 64 (B-023). */
static void
on_challenge(struct login *l, const struct reply *r)
{
	struct buf raw = { 0 }, challenge = { 0 };

	if (!base64_take(&challenge, buf_str(&r->text)) && (l->mech == MECH_CRAM_MD5 || l->mech == MECH_LOGIN)) {
		cancel(l);
	} else if (l->state == SAID_AUTH && l->mech == MECH_CRAM_MD5) {
		sasl_cram_md5(&raw, l->settings->username, l->password, buf_str(&challenge));
		l->state = SAID_ALL;
		say_coded(l, "", &raw);
	} else if (l->state == SAID_AUTH) {
		first_response(l, &raw);
		l->state = l->mech == MECH_LOGIN ? SAID_USER : SAID_ALL;
		say_coded(l, "", &raw);
	} else if (l->state == SAID_USER) {
		(void)buf_room(&raw, strlen(l->password) + 1);
		buf_puts(&raw, l->password);
		l->state = SAID_ALL;
		say_coded(l, "", &raw);
	} else if (l->state == SAID_ALL && (l->mech == MECH_XOAUTH2 || l->mech == MECH_OAUTHBEARER)) {
		if (l->mech == MECH_OAUTHBEARER)	/* RFC 7628 3.2.3 */
			buf_putc(&raw, '\1');
		l->state = SAID_DONE;
		say_coded(l, "", &raw);
	} else {
		cancel(l);
	}
	buf_clear(&challenge);
}

static bool
is_unknown_mech(int code)
{
	return code >= 500 && code <= 504;
}

static void
on_reply(struct login *l, const struct reply *r)
{
	struct str text = buf_str(&r->text);
	const char *status = r->status;
	bool for_good = r->code / 100 == 5 || r->code == 432;	/* 432: a password must be changed first (B-020) */

	if (*status == '\0')
		status = r->code / 100 == 2 ? "2.7.0" : for_good ? "5.7.8" : "4.7.0";
	if (l->state == SAID_CANCEL)
		finish(l, LOGIN_BUSY, 0, "4.7.0", STR("the server did not follow the login's protocol"));
	else if (r->code == 334)
		on_challenge(l, r);
	else if (r->code / 100 == 2 && l->state == SAID_ALL)
		finish(l, LOGIN_OK, r->code, status, text);
	else if (is_unknown_mech(r->code) && l->mechs != 0 && l->tried < 2)	/* B-022 */
		start_mech(l);
	else if (for_good)
		finish(l, LOGIN_REFUSED, r->code, status, text);
	else if (r->code / 100 == 4)
		finish(l, LOGIN_BUSY, r->code, status, text);
	else
		finish(l, LOGIN_BUSY, 0, "4.7.0", STR("the server did not follow the login's protocol"));
}

static void
on_exchange(void *arg, struct exchange *x, enum exchange_event ev)
{
	struct login *l = arg;

	switch (ev) {
	case EXCHANGE_REPLY:
		on_reply(l, &x->reply);
		break;
	case EXCHANGE_BAD:
	case EXCHANGE_UNASKED:
		finish(l, LOGIN_BUSY, 0, "4.7.0", STR("the server did not follow the protocol at login"));
		break;
	case EXCHANGE_LOST:
		finish(l, LOGIN_BUSY, 0, "4.4.2", STR("lost the connection at login"));
		break;
	case EXCHANGE_TIMEOUT:
		finish(l, LOGIN_BUSY, 0, "4.4.2", STR("no answer to the login in 1 min"));
		break;
	case EXCHANGE_UP:
	case EXCHANGE_SECURE:
	case EXCHANGE_DRAINED:
		break;
	}
}

struct login *
login_start(struct exchange *x, const struct upstream *u, unsigned port, const char *password,
    unsigned offered, login_fn fn, void *arg)
{
	struct login *l = mem_zero(sizeof *l);

	l->loop = x->loop;
	l->x = x;
	l->settings = u;
	l->port = port;
	l->password = password;
	x->verbatim = 334;		/* nobody is shown those; in all others x hides the password */
	l->mechs = offered;
	l->fn = fn;
	l->arg = arg;
	exchange_give(x, on_exchange, l);
	start_mech(l);
	return l;
}

void
login_free(struct login **lp)
{
	struct login *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	loop_bury(l->loop, l, free);
}
