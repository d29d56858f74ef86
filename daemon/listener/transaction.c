/*
 * MAIL, RCPT and DATA: the envelope, from the first command to the content, and the rules
 * about who may send as whom and where local recipients go.
 */
#include "listener/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/pattern.h"

enum {
	REFUSED_RCPT_MAX = 20,		/* in a row */
	RCPT_ALWAYS = 100		/* RFC 5321 4.5.3.1.8; more only of a fair share */
};

static enum answer
answer(struct session *s, int code, const char *status, const char *text)
{
	session_reply(s, code, status, text);
	return ANSWERED;
}

void
transaction_reset(struct session *s)
{
	struct transaction *t = s->txn;

	if (s->state == SESSION_SENDER || s->state == SESSION_RCPT || s->state == SESSION_BODY)
		session_enter(s, SESSION_GREETED);
	if (t == NULL)
		return;
	s->txn = NULL;
	for (int what = 0; what < SHARES; what++)
		share_return(&t->share, (enum share_of)what);
	body_clear(&t->body);
	memo_submit_free(&t->submit);
	free(t);
}

/* --- MAIL ------------------------------------------------------------------------ */

static bool
is_here(struct str domain)	/* means this host without naming it */
{
	return domain.n == 0 || str_iis(domain, "localhost");
}

bool
transaction_may_send_as(const struct session *s, struct str address)
{
	const char *allowed = s->account != NULL ? s->account->allowed : "";
	struct str local = address_local(address);
	char *whole;
	bool ok;

	if (allowed[0] == '\0')
		return true;
	if (!is_here(address_domain(address)))
		return pattern_match_list(str_of(allowed), address);
	whole = mem_printf("%.*s@%s", (int)local.n, local.p, s->config->hostname);
	ok = pattern_match_list(str_of(allowed), str_of(whole));
	free(whole);
	return ok;
}

static void
begin(struct session *s, const struct verb_mail *m, char *sender)
{
	struct transaction *t = mem_zero(sizeof *t);
	struct envelope *e = envelope_new();

	free(e->sender);
	e->sender = sender;
	if (s->user != NULL) {
		free(e->user);
		e->user = mem_text(s->user);
	}
	e->envid = m->envid.n > 0 ? str_dup(m->envid) : NULL;
	e->ret = m->ret;
	e->is_8bit = m->is_8bit;
	e->is_utf8 = m->sender.is_utf8;
	share_init(&t->share, crowd_get_holder(s));
	t->submit = memo_submit_new();
	t->submit->envelope = e;
	t->size = m->size;
	t->utf8 = m->utf8;
	s->txn = t;
	session_enter(s, SESSION_SENDER);
}

enum answer
transaction_mail(struct session *s, struct command *c)
{
	const struct limits *now = &s->listener->limits;
	struct verb_mail *m = &c->u.mail;
	struct route_limit limit;
	char *sender;

	if (is_here(m->sender.domain))
		m->sender.domain = STR("");
	sender = address_qualify(&m->sender, s->config->hostname);
	limit = capacity_of_sender(s, sender);
	if (m->has_size && (m->size_overflow || m->size > capacity_octets(s, &limit))) {
		free(sender);
		return answer(s, 552, "5.3.4", "the message is too large");
	}
	if (m->sender.is_utf8 && !limit.utf8) {
		free(sender);
		return answer(s, 550, "5.6.7", "no upstream for this sender takes SMTPUTF8");
	}
	if (sender[0] != '\0' && !transaction_may_send_as(s, str_of(sender))) {
		free(sender);
		return answer(s, 550, "5.7.1", "this user may not send as that address");
	}
	if (!now->room || m->size > now->free_octets) {
		free(sender);
		return answer(s, 452, "4.3.1", "no space for the message now");
	}
	begin(s, m, sender);
	return answer(s, 250, "2.1.0", "ok");
}

/* --- RCPT ------------------------------------------------------------------------ */

static bool
is_local(const struct session *s, struct str domain)
{
	return is_here(domain) || str_ieq(domain, str_of(s->config->hostname));
}

static void
refuse(struct session *s, int code, const char *status, const char *text)
{
	s->txn->refused = true;
	if (++s->refused_rcpt >= REFUSED_RCPT_MAX)
		session_dismiss(s, "4.7.0", "too many refused recipients");
	else
		session_reply(s, code, status, text);
}

/* RFC 5321 4.5.3.1.8 has a client send the rest in another transaction; so a crowd of long lists costs time, not memory. */
static bool
has_room_for(struct session *s, unsigned n)
{
	const struct transaction *t = s->txn;
	uint64_t all = (uint64_t)t->submit->envelope->nrcpt + n;
	int64_t least = (int64_t)(n * sizeof *t->submit->envelope->rcpt);

	if (all <= s->config->limits.recipients &&
	    (all <= RCPT_ALWAYS || share_may_take(&t->share, SHARE_RECIPIENTS, least)))
		return true;
	session_reply(s, 452, "4.5.3", "too many recipients");
	return false;
}

static void
add(struct session *s, const char *address, const char *orcpt, uint8_t notify)
{
	struct envelope *e = s->txn->submit->envelope;
	int64_t octets = (int64_t)(sizeof *e->rcpt + strlen(address) + (orcpt != NULL ? strlen(orcpt) : 0));

	(void)envelope_add(e, address, orcpt, notify);	/* twice the same is once */
	if (e->nrcpt > RCPT_ALWAYS)
		share_take(&s->txn->share, SHARE_RECIPIENTS, octets);
	e->is_utf8 = e->is_utf8 || !str_is_ascii(str_of(address));
}

/* Where an alias, or its absence, leads: NULL if nowhere. */
static const char *
destination(const struct session *s, const char *address)
{
	const char *postmaster = s->config->postmaster;

	if (address != NULL && !is_local(s, address_domain(str_of(address))))
		return address;
	return postmaster[0] != '\0' ? postmaster : NULL;
}

static const char *const *
aliases_of(const struct session *s, struct str local)
{
	static const char *const none[] = { NULL };
	const char *const *found = NULL;

	if (s->config->aliases != NULL)
		found = aliases_find(s->config->aliases, local);
	return found != NULL ? found : none;
}

/* Some upstream of this recipient's route may take it; else it has been refused. */
static bool
has_capacity_for(struct session *s, const char *address)
{
	const struct envelope *e = s->txn->submit->envelope;
	struct route_limit limit = capacity_of_rcpt(s, e->sender, address);
	bool utf8 = !str_is_ascii(str_of(e->sender)) || !str_is_ascii(str_of(address));

	if (s->txn->size > capacity_octets(s, &limit)) {
		refuse(s, 552, "5.3.4", "the message is too large for the upstreams of this recipient");
		return false;
	}
	if (utf8 && !limit.utf8) {
		refuse(s, 553, "5.6.7", "no upstream for this recipient takes SMTPUTF8");
		return false;
	}
	return true;
}

/* All of them go somewhere; how many there are. */
static bool
can_deliver(const struct session *s, const char *const *alias, unsigned *n)
{
	*n = 1;
	if (alias[0] == NULL)
		return destination(s, NULL) != NULL;
	for (*n = 0; alias[*n] != NULL; ++*n)
		if (destination(s, alias[*n]) == NULL)
			return false;
	return true;
}

/* Like remote_rcpt: false, and it was answered, if it was not added. */
static bool
local_rcpt(struct session *s, const struct verb_rcpt *r, const char *orcpt)
{
	const char *const *alias = aliases_of(s, r->rcpt.local);
	unsigned n;

	if (!can_deliver(s, alias, &n)) {
		refuse(s, 550, "5.1.1", s->config->aliases != NULL ?
		    "no such local user: aliases_file does not name it, and postmaster is not set" :
		    "no such local user: neither aliases_file nor postmaster is set");
		return false;
	}
	if (!has_room_for(s, n))
		return false;
	if (alias[0] == NULL && !has_capacity_for(s, destination(s, NULL)))
		return false;
	for (unsigned i = 0; alias[i] != NULL; i++)
		if (!has_capacity_for(s, destination(s, alias[i])))
			return false;
	if (alias[0] == NULL)
		add(s, destination(s, NULL), orcpt, r->notify);
	for (unsigned i = 0; alias[i] != NULL; i++)
		add(s, destination(s, alias[i]), orcpt, r->notify);
	return true;
}

static bool
remote_rcpt(struct session *s, const struct verb_rcpt *r, const char *orcpt)
{
	char *address;
	bool ok;

	if (!has_room_for(s, 1))
		return false;
	address = address_print(&r->rcpt);
	ok = has_capacity_for(s, address);
	if (ok)
		add(s, address, orcpt, r->notify);
	free(address);
	return ok;
}

enum answer
transaction_rcpt(struct session *s, struct command *c)
{
	const struct verb_rcpt *r = &c->u.rcpt;
	char *orcpt = r->orcpt.n > 0 ? str_dup(r->orcpt) : NULL;
	bool added;

	added = is_local(s, r->rcpt.domain) ? local_rcpt(s, r, orcpt) : remote_rcpt(s, r, orcpt);
	free(orcpt);
	if (added) {
		s->refused_rcpt = 0;
		session_enter(s, SESSION_RCPT);
		session_reply(s, 250, "2.1.5", "ok");
	}
	return ANSWERED;
}

/* --- DATA ------------------------------------------------------------------------ */

enum answer
transaction_data(struct session *s, struct command *c)
{
	(void)c;
	if (s->state == SESSION_SENDER && s->txn->refused)
		return answer(s, 554, "5.5.1", "no valid recipients");
	if (s->state == SESSION_SENDER)
		return answer(s, 503, "5.5.1", "send RCPT first");
	body_start(s);
	return answer(s, 354, NULL, "end with <CRLF>.<CRLF>");
}
