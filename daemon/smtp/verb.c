/* Commands and their parameters.  Each parameter is a row of a table; what is wrong
 * with one becomes the reply that the catalogue (PROTOCOL.md A.4, A.5) gives it. */
#include "smtp/verb.h"

#include "mail/xtext.h"

#include <string.h>

enum { ENVID_MAX = 100, ORCPT_MAX = 500 };	/* RFC 3461 4.4, 4.2 */

enum verb_id
verb_parse(struct str line, struct str *args)
{
	static const struct {
		const char *name;
		enum verb_id id;
	} verbs[] = {
		{ "MAIL", VERB_MAIL }, { "RCPT", VERB_RCPT },
		{ "DATA", VERB_DATA }, { "EHLO", VERB_EHLO },
		{ "RSET", VERB_RSET }, { "QUIT", VERB_QUIT },
		{ "AUTH", VERB_AUTH }, { "STARTTLS", VERB_STARTTLS },
		{ "HELO", VERB_HELO }, { "NOOP", VERB_NOOP },
		{ "VRFY", VERB_VRFY }, { "EXPN", VERB_EXPN },
		{ "HELP", VERB_HELP }, { "BDAT", VERB_BDAT },
		{ "ETRN", VERB_OTHER_KNOWN }, { "ATRN", VERB_OTHER_KNOWN },
		{ "TURN", VERB_OTHER_KNOWN }, { "BURL", VERB_OTHER_KNOWN },
		{ "XCLIENT", VERB_OTHER_KNOWN }, { "XFORWARD", VERB_OTHER_KNOWN },
		{ "SEND", VERB_OTHER_KNOWN }, { "SOML", VERB_OTHER_KNOWN },
		{ "SAML", VERB_OTHER_KNOWN },
		{ "GET", VERB_FOREIGN }, { "POST", VERB_FOREIGN },
		{ "PUT", VERB_FOREIGN }, { "HEAD", VERB_FOREIGN },
		{ "DELETE", VERB_FOREIGN }, { "OPTIONS", VERB_FOREIGN },
		{ "PATCH", VERB_FOREIGN }, { "TRACE", VERB_FOREIGN },
		{ "CONNECT", VERB_FOREIGN }, { "PRI", VERB_FOREIGN },
	};
	struct str verb = { line.p, 0 };

	while (verb.n < line.n && line.p[verb.n] != ' ' && line.p[verb.n] != '\t')
		verb.n++;
	*args = str_trim(str_from(line, verb.n));
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (str_iis(verb, verbs[i].name))
			return verbs[i].id;
	return str_istarts(verb, "SSH-") ? VERB_FOREIGN : VERB_UNKNOWN;
}

static int
refuse(struct verb_error *e, int code, const char *status, const char *text)
{
	*e = (struct verb_error){ .code = code, .status = status, .text = text };
	return -1;
}

static int
refuse_path(struct verb_error *e, int code, const char *status, const char *text)
{
	(void)refuse(e, code, status, text);
	e->is_path = true;
	return -1;
}

/* What is being parsed: mail or rcpt is set. */
struct parse {
	struct verb_mail *mail;
	struct verb_rcpt *rcpt;
	struct verb_error *e;
	bool utf8;
};

struct rule {
	const char *name;
	bool bare;	/* has no value, and may stand twice (smtplib, A-098) */
	int (*take)(struct parse *, struct str value);
};

static int
take_size(struct parse *p, struct str value)
{
	struct verb_mail *m = p->mail;

	if (!str_number(value, INT64_MAX, &m->size))
		return refuse(p->e, 501, "5.5.4", "SIZE is not a number");
	m->has_size = true;
	m->size_overflow = m->size > INT64_MAX;
	return 0;
}

static int
take_body(struct parse *p, struct str value)
{
	p->mail->is_8bit = str_iis(value, "8BITMIME");
	if (p->mail->is_8bit || str_iis(value, "7BIT"))
		return 0;
	if (str_iis(value, "BINARYMIME"))
		return refuse(p->e, 555, "5.5.4", "BODY=BINARYMIME is not offered");
	return refuse(p->e, 501, "5.5.4", "BODY is neither 7BIT nor 8BITMIME");
}

static int
take_utf8(struct parse *p, struct str value)
{
	(void)value;
	if (!p->utf8)
		return refuse(p->e, 555, "5.5.4", "SMTPUTF8 is not offered");
	p->mail->utf8 = true;
	return 0;
}

static int
take_ret(struct parse *p, struct str value)
{
	if (str_iis(value, "FULL"))
		p->mail->ret = RET_FULL;
	else if (str_iis(value, "HDRS"))
		p->mail->ret = RET_HDRS;
	else
		return refuse(p->e, 501, "5.5.4", "RET is neither FULL nor HDRS");
	return 0;
}

static int
take_envid(struct parse *p, struct str value)
{
	if (value.n > ENVID_MAX || !xtext_is_printable(value))
		return refuse(p->e, 501, "5.5.4", "bad ENVID");
	p->mail->envid = value;
	return 0;
}

/* RFC 4954 5: checked, and of no further use here. */
static int
take_auth(struct parse *p, struct str value)
{
	if (!str_is(value, "<>") && !xtext_is(value))
		return refuse(p->e, 501, "5.5.4", "bad AUTH");
	return 0;
}

static int
take_notify(struct parse *p, struct str value)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} names[] = {
		{ "NEVER", NOTIFY_NEVER }, { "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE }, { "DELAY", NOTIFY_DELAY },
	};
	struct str word;
	uint8_t notify = 0, bit;

	while (str_split(&value, ',', &word)) {
		bit = 0;
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (str_iis(word, names[i].name))
				bit = names[i].bit;
		if (bit == 0)
			return refuse(p->e, 501, "5.5.4", "bad NOTIFY");
		notify |= bit;
	}
	if ((notify & NOTIFY_NEVER) && notify != NOTIFY_NEVER)
		return refuse(p->e, 501, "5.5.4", "NOTIFY=NEVER stands alone");
	p->rcpt->notify = notify;
	return 0;
}

static bool
is_keyword(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= 'a' && c <= 'z') && (c != '-' || i == 0))
			return false;
	}
	return s.n > 0;
}

static int
take_orcpt(struct parse *p, struct str value)
{
	struct str address = value, type;

	if (value.n > ORCPT_MAX || !str_split(&address, ';', &type) ||
	    !is_keyword(type) || address.n == 0 || !xtext_is_printable(address))
		return refuse(p->e, 501, "5.5.4", "bad ORCPT");
	p->rcpt->orcpt = value;
	return 0;
}

static const struct rule mail_rules[] = {
	{ "SIZE", false, take_size },
	{ "BODY", false, take_body },
	{ "SMTPUTF8", true, take_utf8 },
	{ "RET", false, take_ret },
	{ "ENVID", false, take_envid },
	{ "AUTH", false, take_auth },
	{ NULL, false, NULL }
};

static const struct rule rcpt_rules[] = {
	{ "NOTIFY", false, take_notify },
	{ "ORCPT", false, take_orcpt },
	{ NULL, false, NULL }
};

/* One parameter, "KEYWORD" or "KEYWORD=VALUE". */
static int
take_param(struct parse *p, const struct rule *rules, struct str param,
    unsigned *seen)
{
	struct str value = param, keyword;
	const struct rule *r;
	bool has_value, again;

	if (!str_is_ascii(param))
		return refuse(p->e, 500, "5.5.2", "8-bit octets in a parameter");
	has_value = memchr(param.p, '=', param.n) != NULL;
	if (!str_split(&value, '=', &keyword) || !is_keyword(keyword))
		return refuse(p->e, 501, "5.5.4", "bad parameter");
	for (r = rules; r->name != NULL && !str_iis(keyword, r->name); r++)
		continue;
	if (r->name == NULL)
		return refuse(p->e, 555, "5.5.4", "unknown parameter");
	if (has_value == r->bare || (has_value && value.n == 0))
		return refuse(p->e, 501, "5.5.4",
		    r->bare ? "SMTPUTF8 has no value" : "a value is missing");
	again = *seen & 1U << (r - rules);
	*seen |= 1U << (r - rules);
	if (again && !r->bare)
		return refuse(p->e, 501, "5.5.4", "the same parameter twice");
	return r->take(p, value);
}

static int
take_params(struct parse *p, const struct rule *rules, struct str rest, bool esmtp)
{
	struct str param;
	unsigned seen = 0;

	while (str_split(&rest, ' ', &param)) {
		if (param.n == 0)
			continue;
		if (!esmtp)
			return refuse(p->e, 555, "5.5.4",
			    "parameters need EHLO, not HELO");
		if (take_param(p, rules, param, &seen) < 0)
			return -1;
	}
	return 0;
}

/* "FROM:<path>", and one blank before it at most; *args is what follows. */
static int
take_path(struct str *args, bool sender, struct address *a, struct verb_error *e)
{
	const char *keyword = sender ? "FROM:" : "TO:";
	struct str path = str_from(*args, strlen(keyword));

	if (!str_is_utf8(*args))
		return refuse_path(e, 500, "5.5.2", "invalid UTF-8");
	if (!str_istarts(*args, keyword) || str_trim(path).n == 0)
		return refuse_path(e, 501, "5.5.4", sender ?
		    "syntax: MAIL FROM:<address>" : "syntax: RCPT TO:<address>");
	if (path.p[0] == ' ')
		path = str_from(path, 1);
	if (address_parse_path(path, a, args) < 0 ||
	    (args->n > 0 && args->p[0] != ' '))
		return sender ? refuse_path(e, 501, "5.1.7", "bad sender address") :
		    refuse_path(e, 501, "5.1.3", "bad recipient address");
	return 0;
}

int
verb_parse_mail(struct str args, bool esmtp, bool utf8, struct verb_mail *out,
    struct verb_error *e)
{
	struct parse p = { .mail = out, .e = e, .utf8 = utf8 };

	*out = (struct verb_mail){ .envid = STR("") };
	if (take_path(&args, true, &out->sender, e) < 0 ||
	    take_params(&p, mail_rules, args, esmtp) < 0)
		return -1;
	if (out->sender.is_utf8 && !out->utf8)
		return refuse(e, 550, "5.6.7", "this address needs SMTPUTF8");
	return 0;
}

int
verb_parse_rcpt(struct str args, bool esmtp, bool utf8, struct verb_rcpt *out,
    struct verb_error *e)
{
	struct parse p = { .rcpt = out, .e = e, .utf8 = utf8 };

	*out = (struct verb_rcpt){ .orcpt = STR("") };
	if (take_path(&args, false, &out->rcpt, e) < 0)
		return -1;
	if (out->rcpt.is_null)
		return refuse_path(e, 501, "5.1.3", "<> is no recipient");
	if (take_params(&p, rcpt_rules, args, esmtp) < 0)
		return -1;
	if (out->rcpt.is_utf8 && !utf8)
		return refuse(e, 553, "5.6.7", "this address needs SMTPUTF8");
	return 0;
}
