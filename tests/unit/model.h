/*
 * What a session is to answer, and what it may queue: the contract and PROTOCOL.md (its evaluation order, A.1 to A.8, C-13) as a
 * small machine.  It knows nothing of the code.  One line goes in, whatever it is for: a command, a response of an AUTH
 * dialogue, or content; one reply comes out ("250/2.1.0"; NULL: none is due), and with the end of content perhaps a message.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "model_lines.h"

/* The size is that of 32 lines of a kilobyte and an empty one. */
enum { MAX_RCPT = 4, MAX_SIZE = 32 * 1024 + 2, MAX_HOPS = 5, MAX_OWN = 3, MAX_FAILURES = 3, MAX_REFUSED = 20, MAX_ERRORS = 30 };

struct profile {
	bool needs_tls, trusted, plain_auth, implicit, submit;
};

struct model {
	const struct profile *p;
	const char *postmaster, *user;	/* NULL: none; nobody */
	unsigned max_errors;
	bool secure, greeted, esmtp, begun, closed, tls_due, injected;
	enum mode { COMMAND, PLAIN, NAME, PASSWORD, BODY } mode;
	unsigned errors, failures, refused_row;
	const struct word *name, *mail, *rcpt[MAX_RCPT];
	unsigned nrcpt;
	bool refused;
	/* the content */
	enum where { TOP, FIELDS, LOOSE, TEXT } where;
	bool bad, has_from, in_from, false_from, is_8bit, is_8bit_field;
	unsigned received, own;
	enum verdict verdict;
	struct buf text;
	/* what was accepted with the last line */
	struct buf envelope, content;
	bool queued;
	enum verdict queued_as;
};

static inline void
model_end_transaction(struct model *m)
{
	m->mail = NULL;
	m->nrcpt = 0;
	m->refused = m->bad = m->has_from = m->in_from = m->false_from = m->is_8bit = m->is_8bit_field = false;
	m->where = TOP;
	m->received = m->own = 0;
	m->verdict = VERDICT_KEPT;
	m->mode = COMMAND;
	buf_cut(&m->text, 0);
}

static inline const char *
model_answer(struct model *m, const char *reply)	/* "!…": and the session ends */
{
	m->closed = reply[0] == '!';
	if (m->closed)
		return reply + 1;
	if (reply[0] == '5' && strncmp(reply, "535", 3) != 0 && ++m->errors >= m->max_errors)
		return model_answer(m, "!421/4.7.0");	/* */
	return reply;
}

/* --- AUTH ------------------------------------------------------------------------------- */

static inline const char *
model_log_in(struct model *m, const char *user)
{
	m->mode = COMMAND;
	m->user = user;
	m->failures += user == NULL;
	return user != NULL ? "235/2.7.0" : "535/5.7.8";
}

static inline const char *
model_response(struct model *m, const struct word *w)
{
	enum mode mode = m->mode;

	m->mode = COMMAND;
	if (word_is_broken(w))
		return "!501/5.5.2";
	if (w->n + 2 > 12288)
		return "500/5.5.6";	/* */
	if (word_is(w, "*"))
		return "501/5.7.0";	/* */
	if (!word_is_base64(w))
		return "501/5.5.2";	/* */
	if (mode == PLAIN)
		return model_log_in(m, word_is(w, PLAIN_U) ? "u" : word_is(w, PLAIN_BOUND) ? "bound" : NULL);
	if (mode == PASSWORD)
		return model_log_in(m, !word_is(w, BASE64_P) ? NULL : word_is(m->name, BASE64_U) ? "u" :
		    word_is(m->name, BASE64_BOUND) ? "bound" : NULL);
	m->name = w;
	m->mode = PASSWORD;
	return "334";
}

static inline const char *
model_auth(struct model *m, const struct word *w)
{
	if (m->user != NULL || !m->esmtp)
		return "503/5.5.1";
	if (m->failures >= MAX_FAILURES)
		return "!421/4.7.0";	/* */
	if (w->params != NULL)
		return w->params;
	if (w->address != NULL)		/* an initial response that is right */
		return model_log_in(m, w->address);
	if (w->flags & WRONG_LOGIN)
		return model_log_in(m, NULL);
	m->mode = w->flags & ASKS_NAME ? NAME : w->flags & ASKS_PASSWORD ? PASSWORD : PLAIN;
	m->name = word_user();
	return "334";
}

/* --- MAIL, RCPT, the end of data ---------------------------------------------------------- */

static inline const char *
model_mail(struct model *m, const struct word *w)
{
	if (m->user != NULL && strcmp(m->user, "bound") == 0 && !(w->flags & BOUND_MAY))
		return "550/5.7.1";	/* */
	m->mail = w;
	return "250/2.1.0";
}

static inline const char *
model_rcpt(struct model *m, const struct word *w)
{
	bool nowhere = (w->flags & LOCAL) && m->postmaster == NULL;	/* */
	bool known = false;

	for (unsigned i = 0; i < m->nrcpt; i++)
		known = known || (strcmp(m->rcpt[i]->address, w->address) == 0 &&
		    strcmp(m->rcpt[i]->extra, w->extra) == 0);
	if (!nowhere && m->nrcpt == MAX_RCPT)
		return "452/4.5.3";	/* */
	if (nowhere) {
		m->refused = true;
		return ++m->refused_row >= MAX_REFUSED ? "!421/4.7.0" : "550/5.1.1";	/* */
	}
	m->refused_row = 0;
	if (!known)			/* */
		m->rcpt[m->nrcpt++] = w;
	return "250/2.1.5";
}

static inline void
model_queue(struct model *m)
{
	bool utf8 = (m->mail->flags & UTF8) || (m->is_8bit_field && (m->mail->flags & WANTS_UTF8));
	struct buf *e = &m->envelope;

	for (unsigned i = 0; i < m->nrcpt; i++)
		utf8 = utf8 || (m->rcpt[i]->flags & UTF8);
	buf_cut(e, 0);
	buf_printf(e, "%s%s%s<%s>%s", m->user != NULL ? m->user : "", m->is_8bit || (m->mail->flags & EIGHT_BIT) ? " 8bit" : "",
	    utf8 ? " utf8" : "", m->mail->address, m->mail->extra);
	for (unsigned i = 0; i < m->nrcpt; i++)
		buf_printf(e, " <%s>%s", m->rcpt[i]->flags & LOCAL ? m->postmaster : m->rcpt[i]->address, m->rcpt[i]->extra);
	buf_printf(e, " with %s%s%s%s", m->mail->flags & WANTS_UTF8 ? "UTF8SMTP" : m->esmtp ? "ESMTP" : "SMTP", m->esmtp && m->secure ? "S" : "",
	    m->esmtp && m->user != NULL ? "A" : "", m->has_from || m->mail->address[0] == '\0' ? "" : " From");
	buf_cut(&m->content, 0);
	buf_putstr(&m->content, buf_str(&m->text));
	m->queued = true;
}

static inline const char *
model_end_of_data(struct model *m)
{
	static const char *const verdicts[] = { [VERDICT_KEPT] = "250/2.0.0", [VERDICT_NO_SPACE] = "452/4.3.1",
	    [VERDICT_TOO_FAST] = "450/4.7.1", [VERDICT_LOCAL_ERROR] = "451/4.3.0" };
	const char *reply = m->bad ? "554/5.6.0" : m->text.len > MAX_SIZE ? "552/5.3.4" :
	    m->received > MAX_HOPS || m->own >= MAX_OWN ? "554/5.4.6" :		/* */
	    !m->has_from && m->mail->address[0] == '\0' ? "554/5.6.0" :
	    m->false_from && m->user != NULL && strcmp(m->user, "bound") == 0 ? "550/5.7.1" : NULL;

	if (reply == NULL) {
		reply = verdicts[m->verdict];
		m->queued_as = m->verdict;
		model_queue(m);
		m->errors = m->verdict == VERDICT_KEPT ? 0 : m->errors;
	}
	model_end_transaction(m);	/* */
	return reply;
}

/* One line of content: only what matters for the reply is looked at. */
static inline const char *
model_content(struct model *m, const struct word *w)
{
	const char *line = w->text + (w->n > 0 && w->text[0] == '.');
	bool blank = *line == ' ' || *line == '\t', field;

	if (word_is(w, "."))
		return model_end_of_data(m);
	m->bad = m->bad || word_is_broken(w);
	field = word_is_field(line);
	if (w->n == 0 || (m->where == TOP && !field))
		m->where = TEXT;
	else if (m->where != TEXT && !field && !blank)
		m->where = LOOSE;	/* some readers go on looking for fields here */
	else if (m->where == TOP)
		m->where = FIELDS;
	m->received += m->where == FIELDS && strncmp(line, "Received:", 9) == 0;
	m->own += m->where == FIELDS && word_is(w, OWN_RECEIVED);
	m->has_from = m->has_from || (m->where == FIELDS && strncmp(line, "From:", 5) == 0);
	/* what follows the address cannot be read, and is no claim that may be made */
	m->false_from = m->false_from || (m->where != TEXT && (strncmp(line, "From: <other", 12) == 0 || (m->in_from && blank)));
	m->in_from = m->where != TEXT && (strncmp(line, "From:", 5) == 0 || (m->in_from && blank));
	m->is_8bit = m->is_8bit || word_is_8bit(w);
	m->is_8bit_field = m->is_8bit_field || (m->where == FIELDS && word_is_8bit(w));
	for (int v = VERDICT_NO_SPACE; v <= VERDICT_LOCAL_ERROR; v++)
		if (word_is(w, wishes[v]))
			m->verdict = (enum verdict)v;
	buf_put(&m->text, line, w->n - (size_t)(line - w->text));
	buf_puts(&m->text, "\r\n");
	return NULL;
}

/* --- a command ------------------------------------------------------------------------------ */

static inline const char *
model_run(struct model *m, const struct word *w)
{
	switch (w->cmd) {
	case EHLO:
	case HELO:
		model_end_transaction(m);
		m->greeted = true;
		m->esmtp = w->cmd == EHLO;
		return w->cmd == HELO ? "250" : m->p->submit ? "250" : m->secure ? "250+AUTH" :
		    m->p->plain_auth ? "250+STARTTLS+AUTH" : "250+STARTTLS";	/* */
	case STARTTLS:
		if (m->secure || m->p->submit)
			return m->secure ? "503/5.5.1" : "502/5.5.1";	/* */
		if (m->injected)
			return "!554/5.5.1";	/* */
		m->greeted = m->esmtp = false;	/* */
		m->user = NULL;
		m->tls_due = true;
		return "220/2.0.0";
	case AUTH:
		return model_auth(m, w);
	case MAIL:
		return model_mail(m, w);
	case RCPT:
		return model_rcpt(m, w);
	case DATA:
		if (m->nrcpt == 0)
			return m->refused ? "554/5.5.1" : "503/5.5.1";	/* */
		m->mode = BODY;
		return "354";
	case RSET:
		model_end_transaction(m);
		/* fallthrough */
	default:
		return w->reply;
	}
}

static inline const char *
model_parameters(const struct model *m, const struct word *w)
{
	bool utf8 = m->mail != NULL && (m->mail->flags & WANTS_UTF8);

	if (w->cmd != MAIL && w->cmd != RCPT)
		return NULL;
	if (!m->esmtp && (w->flags & PARAMETERS))
		return "555/5.5.4";	/* */
	if (w->params != NULL)
		return w->params;
	if ((w->flags & UTF8) && (w->cmd == MAIL ? !(w->flags & WANTS_UTF8) : !utf8))
		return w->cmd == MAIL ? "550/5.6.7" : "553/5.6.7";	/* */
	return NULL;
}

static inline const char *
model_command(struct model *m, const struct word *w)
{
	bool mailing = w->cmd == MAIL || w->cmd == RCPT || w->cmd == DATA;
	bool is_first = !m->begun;
	const char *reply;

	m->begun = true;
	if (word_is_broken(w) || (is_first && !m->secure && w->text[0] == 0x16))
		return "!500/5.5.2";	/* */
	if (w->n + 2 > 2048 || (w->flags & NOT_ASCII))
		return "500/5.5.2";
	if (m->p->needs_tls && !m->secure && (mailing || w->cmd == AUTH || w->cmd == VRFY))
		return "530/5.7.0";
	if (w->cmd == AUTH && !m->secure && !m->p->plain_auth && !m->p->submit)
		return "538/5.7.11";
	if (w->syntax != NULL)
		return w->syntax;
	if (!m->greeted && (mailing || w->cmd == AUTH || w->cmd == STARTTLS))
		return "503/5.5.1";
	if (mailing && m->user == NULL && !m->p->trusted)
		return "530/5.7.0";	/* A-064, C-25 */
	if (m->mail != NULL ? w->cmd == MAIL || w->cmd == AUTH || w->cmd == STARTTLS : w->cmd == RCPT || w->cmd == DATA)
		return "503/5.5.1";
	reply = model_parameters(m, w);
	m->refused = m->refused || (w->cmd == RCPT && reply != NULL);
	if (reply != NULL)
		return reply;
	return model_run(m, w);
}

static inline const char *
model_hear(struct model *m, const struct word *w)
{
	const char *reply;

	m->queued = false;
	if (m->closed)
		return NULL;
	reply = m->mode == BODY ? model_content(m, w) : m->mode == COMMAND ? model_command(m, w) : model_response(m, w);
	return reply != NULL ? model_answer(m, reply) : NULL;
}

static inline void
model_begin(struct model *m, const struct profile *p, const char *postmaster, unsigned max_errors, const char *login)
{
	m->p = p;
	m->postmaster = postmaster;
	m->max_errors = max_errors;
	m->user = p->submit ? login : NULL;
	m->secure = p->implicit;
	m->greeted = m->esmtp = m->begun = m->closed = m->tls_due = m->injected = m->queued = false;
	m->errors = m->failures = m->refused_row = 0;
	model_end_transaction(m);
}

static inline void
model_clear(struct model *m)
{
	buf_clear(&m->text);
	buf_clear(&m->envelope);
	buf_clear(&m->content);
}

/* A message as it came to the queue, in the words of model_queue. */
static inline void
model_print(struct buf *b, const struct submit *m)
{
	const struct envelope *e = m->envelope;
	struct str with = str_of(strstr(m->prefix.data, " with "));

	buf_printf(b, "%s%s%s<%s>", e->user, e->is_8bit ? " 8bit" : "", e->is_utf8 ? " utf8" : "", e->sender);
	if (e->envid != NULL || e->ret != RET_NONE)
		buf_printf(b, " %s %d", e->envid != NULL ? e->envid : "", e->ret);
	for (unsigned i = 0; i < e->nrcpt; i++) {
		buf_printf(b, " <%s>", e->rcpt[i].address);
		if (e->rcpt[i].notify != 0 || e->rcpt[i].orcpt != NULL)
			buf_printf(b, " %d %s", e->rcpt[i].notify, e->rcpt[i].orcpt != NULL ? e->rcpt[i].orcpt : "");
	}
	with.n = (size_t)(strstr(with.p, " id ") - with.p);
	buf_putstr(b, with);
	if (strstr(m->prefix.data, "\r\nFrom: <") != NULL)
		buf_puts(b, " From");
}

#endif
