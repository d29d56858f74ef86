/*
 * AUTH PLAIN and LOGIN (RFC 4954, 4616): the dialogue on the loop, the password in the helper's
 * thread unless it was right a moment ago.  Every failure looks the same, and waits.
 */
#include "listener/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "listener/helper.h"
#include "listener/remember.h"
#include "smtp/sasl.h"

enum { NAME_MAX_OCTETS = 255 };

static enum answer
answer(struct session *s, int code, const char *status, const char *text)
{
	session_reply(s, code, status, text);
	return ANSWERED;
}

void
auth_leave(struct session *s)
{
	if (s->state == SESSION_AUTH)
		session_enter(s, SESSION_GREETED);
	s->auth_step = AUTH_STEP_NONE;
	s->line.max = COMMAND_LINE_MAX;
	buf_wipe(&s->auth_name);
}

void
auth_clear(struct session *s)
{
	auth_leave(s);
	if (s->checking) {
		helper_cancel(s->listener->checked, s->self);
		count_add(COUNT_AUTH_FAILURES, 1);	/* as one that is nobody's was */
	}
	s->checking = false;
}

void
auth_too_long(struct session *s)
{
	auth_leave(s);
	session_reply(s, 500, "5.5.6", "that is too long for a login");
}

static enum answer
ask(struct session *s, enum auth_step step)
{
	static const char *const prompt[] = {
		[AUTH_STEP_PLAIN] = "",
		[AUTH_STEP_USER] = "VXNlcm5hbWU6",	/* "Username:" */
		[AUTH_STEP_PASSWORD] = "UGFzc3dvcmQ6"	/* "Password:" */
	};

	s->auth_step = step;
	s->line.max = AUTH_LINE_MAX;
	session_enter(s, SESSION_AUTH);
	return answer(s, 334, NULL, prompt[step]);
}

/* --- right or wrong ------------------------------------------------------------------- */

static void
log_in(struct session *s, struct users *users, const struct user *user)
{
	s->user = mem_text(user->name);
	s->users = users_ref(users);
	s->account = user;
	crowd_welcome(s);
	session_reply(s, 235, "2.7.0", "welcome");
}

static struct check *
check_new(const struct session *s, struct users *users, const struct user *known, struct str name, struct str password)
{
	struct check *c = mem_zero(sizeof *c);

	c->back = s->listener->checked;
	c->session = s->self;
	c->users = users != NULL ? users_ref(users) : NULL;
	c->known = known;
	c->name = str_dup(name);
	c->password = mem_textn(password.p, password.n);
	c->password_len = password.n;
	memcpy(c->address, s->address, sizeof c->address);
	c->at_ms = loop_now_ms(s->listener->loop);
	return c;
}

static bool
is_name(struct str name)
{
	return name.n > 0 && name.n <= NAME_MAX_OCTETS && str_is_utf8(name) && !str_has_control(name);
}

static bool
is_password(struct str password)
{
	return password.n > 0 && password.n <= USERS_PASSWORD_MAX && memchr(password.p, '\0', password.n) == NULL;
}

static const struct user *
find(const struct users *users, struct str name)
{
	const struct user *user;
	char *text;

	if (users == NULL || name.n == 0)
		return NULL;
	text = str_dup(name);
	user = users_find(users, text);
	mem_free_secret(&text);
	return user;
}

/* A name that is not a user's may be the password of one, typed in the wrong place, or with a NUL forgotten. */
static void
log_failure(const struct session *s, const struct check *c)
{
	if (session_may_log(s))
		log_event(LOG_WARNING, "auth_failed", log_text("user", c->known != NULL ? c->known->name : NULL),
		    log_text("reason", c->known != NULL ? NULL : c->name[0] != '\0' ? "unknown user" : "malformed"),
		    log_text("address", s->address), log_text("listener", s->port->name), log_num("failures", s->auth_failures));
}

static void
refuse(struct session *s, const struct check *c)
{
	int64_t now_ms = loop_now_ms(s->listener->loop);

	s->auth_failures++;
	count_add(COUNT_AUTH_FAILURES, 1);
	log_failure(s, c);
	session_reply_late(s, c->tell_at_ms > now_ms ? c->tell_at_ms - now_ms : 0, 535, "5.7.8", "authentication failed");
}

/* What cannot be right is refused like the rest, so that it does not show. */
static enum answer
check(struct session *s, struct str name, struct str password)
{
	struct logins *logins = &s->listener->logins;
	const struct user *known, *user;
	struct check *c;

	if (logins_refresh(logins, s->config->users_file) < 0)
		return answer(s, 454, "4.7.0", "logins cannot be checked now, try later");
	if (!is_name(name))
		name = STR("");
	known = find(logins->users, name);
	user = is_password(password) ? known : NULL;
	if (user != NULL && remember_knows(user, password, loop_now_ms(s->listener->loop))) {
		log_in(s, logins->users, user);
		return ANSWERED;
	}
	c = check_new(s, logins->users, known, name, password);
	c->user = user;
	if (helper_put(&c)) {
		s->checking = true;
		return WILL_ANSWER;
	}
	refuse(s, c);
	helper_free_check(&c);
	return ANSWERED;
}

void
auth_checked(struct session *s, const struct check *c)
{
	s->checking = false;
	if (c->ok)
		log_in(s, c->users, c->user);
	else
		refuse(s, c);
	session_go_on(s);
}

/* --- the dialogue ----------------------------------------------------------------------- */

static enum answer
take_plain(struct session *s, struct str message)
{
	struct str authzid, name, password;

	(void)!sasl_plain_parse(message, &authzid, &name, &password);	/* a malformed one is nobody's, and checked all the same */
	return check(s, name, password);
}

/* One response, decoded. */
static enum answer
take(struct session *s, enum auth_step step, struct str response)
{
	struct buf name = { 0 };
	enum answer a;

	switch (step) {
	case AUTH_STEP_USER:
		buf_wipe(&s->auth_name);
		buf_put_secret(&s->auth_name, response.p, response.n);
		return ask(s, AUTH_STEP_PASSWORD);
	case AUTH_STEP_PASSWORD:
		name = s->auth_name;
		s->auth_name = (struct buf){ 0 };
		auth_leave(s);
		a = check(s, buf_str(&name), response);
		buf_wipe(&name);
		return a;
	case AUTH_STEP_PLAIN:
		auth_leave(s);
		return take_plain(s, response);
	case AUTH_STEP_NONE:
		break;
	}
	bug("an AUTH response in step %d", step);
}

static enum answer
decode(struct session *s, enum auth_step step, struct str line)
{
	struct buf response = { 0 };
	enum answer a;

	buf_room(&response, line.n);	/* growing would leave copies behind */
	if (base64_take(&response, line)) {
		a = take(s, step, buf_str(&response));
	} else {
		auth_leave(s);
		a = answer(s, 501, "5.5.2", "that is not base 64");
	}
	buf_wipe(&response);
	return a;
}

enum answer
auth_line(struct session *s, struct str line)
{
	if (str_is(line, "*")) {
		auth_leave(s);
		return answer(s, 501, "5.7.0", "cancelled");
	}
	return decode(s, s->auth_step, line);
}

enum answer
auth_begin(struct session *s, struct command *c)
{
	struct str response = c->args, mechanism;
	enum auth_step first;

	if (s->user != NULL)
		return answer(s, 503, "5.5.1", "already authenticated");
	if (!s->esmtp)
		return answer(s, 503, "5.5.1", "send EHLO first");
	if (s->auth_failures >= s->config->limits.auth_failures) {
		session_dismiss(s, "4.7.0", "too many failed logins");
		return ANSWERED;
	}
	(void)str_split(&response, ' ', &mechanism);
	if (str_iis(mechanism, "PLAIN"))
		first = AUTH_STEP_PLAIN;
	else if (str_iis(mechanism, "LOGIN"))
		first = AUTH_STEP_USER;
	else
		return answer(s, 504, "5.5.4", "this mechanism is not offered");
	response = str_trim(response);
	if (response.n == 0)
		return ask(s, first);
	if (str_is(response, "="))	/* RFC 4954 4: an empty initial response */
		response = STR("");
	return decode(s, first, response);
}
