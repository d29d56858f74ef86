/*
 * Notifications.  Each is written for two readers: a person, who gets plain words
 * first, and a program, which gets RFC 3464's fields.  All that others wrote is
 * wrapped, and nothing of it can end a part (C-33).
 */
#include "mail/dsn.h"

#include "base/clock.h"
#include "base/ident.h"
#include "mail/xtext.h"

#include <assert.h>
#include <string.h>

enum { DATE_SIZE = 64, WIDTH = 76, WORD_MAX = 900, TEXT_LINE_MAX = 998 };
enum { BOUNDARY_BYTES = 16, BOUNDARY_SIZE = 2 * BOUNDARY_BYTES + 1 };

static const struct {
	const char *action;
	const char *subject;
	const char *begin, *end;	/* of the words, around the recipients */
	char class;			/* of the status that is due */
} kinds[] = {
	[DSN_FAILED] = {
		"failed", "Your message could not be delivered",
		"Your message could not be delivered to everyone.  It will not be tried\r\n"
		"again for:\r\n",
		"If the address is right, the answer above says what to change before you\r\n"
		"send the message again.\r\n", '5'
	},
	[DSN_DELAYED] = {
		"delayed", "Your message is delayed",
		"Your message has not been delivered yet to:\r\n",
		"You need not send it again.\r\n", '4'
	},
	[DSN_RELAYED] = {
		"relayed", "Your message was handed on",
		"You asked to be told about your message.  It was handed on to the mail\r\n"
		"provider, which does not report what becomes of it there, for:\r\n",
		"", '2'
	},
};
static_assert(sizeof kinds / sizeof kinds[0] == DSN_RELAYED + 1,
    "a kind has no words");

/* Appends words in lines of WIDTH where blanks allow it; a word without end is
 * broken.  Lines but the first begin with `indent'. */
static void
put_words(struct buf *out, struct str text, const char *indent)
{
	const char *newline = memrchr(buf_str(out).p, '\n', out->len);
	size_t start = newline != NULL ? (size_t)(newline + 1 - out->data) : 0;
	struct str word;
	bool first = true;

	while (str_split(&text, ' ', &word)) {
		do {
			struct str piece = word;

			if (piece.n > WORD_MAX)
				piece.n = WORD_MAX;
			if (!first && out->len - start + 1 + piece.n > WIDTH) {
				buf_puts(out, "\r\n");
				start = out->len;
				buf_puts(out, indent);
			} else if (!first)
				buf_putc(out, ' ');
			buf_putstr(out, piece);
			first = false;
			word = str_from(word, piece.n);
		} while (word.n > 0);
	}
}

static void
put_date(struct buf *out, const char *before, int64_t wall_s, const char *after)
{
	char date[DATE_SIZE];

	clock_print_date(date, sizeof date, wall_s);
	buf_printf(out, "%s%s%s", before, date, after);
}

/* The server's answer, code first, or our own words. */
static void
put_answer(struct buf *out, const struct outcome *o, const char *indent)
{
	struct buf b = { 0 };

	if (o->code > 0)
		buf_printf(&b, "%d ", o->code);
	buf_puts(&b, o->text != NULL ? o->text : o->code > 0 ? "(no text)" :
	    "the reason is not known");
	put_words(out, buf_str(&b), indent);
	buf_clear(&b);
}

/* The attempts ended because time was up, not because someone said no. */
static bool
is_expired(enum dsn_action action, const struct outcome *o)
{
	return action == DSN_FAILED && o->kind == OUTCOME_DEFER;
}

void
dsn_put_recipient(struct buf *out, enum dsn_action action,
    const struct dsn_recipient *r)
{
	const struct outcome *o = &r->rcpt->last;

	buf_puts(out, "\r\n    <");
	str_safe(out, str_of(r->rcpt->address), true);
	buf_puts(out, ">\r\n        ");
	if (is_expired(action, o))
		buf_puts(out, "It was tried until its time was up.  At last:\r\n        ");
	if (o->code > 0)
		buf_printf(out, "%s answered:\r\n        ",
		    r->peer.host[0] != '\0' ? r->peer.host : "The server");
	put_answer(out, o, "        ");
	buf_puts(out, "\r\n");
	if (o->maybe)
		buf_puts(out, "        (The connection was lost after the text had been "
		    "sent: it may\r\n        have arrived all the same.)\r\n");
}

static void
put_human(struct buf *out, const struct dsn *d)
{
	char id[IDENT_TEXT];

	ident_print(id, d->id);
	buf_printf(out, "This is gatepost, the mail relay of %s.\r\n\r\n%s",
	    d->hostname, kinds[d->action].begin);
	for (unsigned i = 0; i < d->nrcpt; i++)
		dsn_put_recipient(out, d->action, &d->rcpt[i]);
	buf_puts(out, "\r\n");
	if (d->action == DSN_DELAYED)
		put_date(out, "It will be tried until\r\n", d->expires_wall_s, ".  ");
	buf_puts(out, kinds[d->action].end);
	buf_printf(out, "\r\n%s of your message follows.  Its number here is %s;\r\n"
	    "\"gatepost trace %s\" on %s shows each attempt.\r\n",
	    d->headers_only ? "The header" : "The text", id, id, d->hostname);
}

/* RFC 6533 3: what is not plain ASCII as \x{HEX}. */
static void
put_unicode(struct buf *out, struct str s)
{
	while (s.n > 0) {
		size_t n = str_character(s);
		uint32_t c = (unsigned char)s.p[0];

		if (n > 1)
			c &= 0xffU >> (n + 1);
		for (size_t i = 1; i < n; i++)
			c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
		if (c > ' ' && c < 0x7f && strchr("\\+=", (int)c) == NULL)
			buf_putc(out, (char)c);
		else
			buf_printf(out, "\\x{%02X}", (unsigned)c);
		s = str_from(s, n > 0 ? n : 1);
	}
}

/* Decoded, since the fields of RFC 3464 are text. */
static void
put_xtext(struct buf *out, struct str value)
{
	struct buf b = { 0 };

	if (xtext_decode(&b, value))
		str_safe(out, buf_str(&b), false);
	else
		str_safe(out, value, false);
	buf_clear(&b);
}

/* The upstream's enhanced code if its class agrees, else X.0.0; 4.4.7 when
 * time was up. */
static void
put_status(struct buf *out, const struct dsn *d, const struct outcome *o)
{
	char class = kinds[d->action].class;

	if (d->action == DSN_FAILED && o->code >= 400 && o->code < 600)
		class = (char)('0' + o->code / 100);
	if (is_expired(d->action, o))
		buf_puts(out, "Status: 4.4.7\r\n");
	else if (o->status[0] == class)
		buf_printf(out, "Status: %s\r\n", o->status);
	else
		buf_printf(out, "Status: %c.0.0\r\n", class);
}

static void
put_recipient_fields(struct buf *out, const struct dsn *d,
    const struct dsn_recipient *r)
{
	const struct outcome *o = &r->rcpt->last;
	struct str address = str_of(r->rcpt->address);
	struct str orcpt = str_of(r->rcpt->orcpt), type;

	buf_puts(out, "\r\n");
	if (str_split(&orcpt, ';', &type) && r->rcpt->orcpt != NULL) {
		buf_puts(out, "Original-Recipient: ");
		str_safe(out, type, false);
		buf_puts(out, "; ");
		put_xtext(out, orcpt);
		buf_puts(out, "\r\n");
	}
	if (str_is_ascii(address)) {
		buf_puts(out, "Final-Recipient: rfc822; ");
		str_safe(out, address, false);
	} else {
		buf_puts(out, "Final-Recipient: utf-8; ");
		put_unicode(out, address);
	}
	buf_printf(out, "\r\nAction: %s\r\n", kinds[d->action].action);
	put_status(out, d, o);
	if (r->peer.host[0] != '\0')
		buf_printf(out, "Remote-MTA: dns; %s\r\n", r->peer.host);
	if (o->code > 0 || o->text != NULL) {
		buf_printf(out, "Diagnostic-Code: %s; ",
		    o->code > 0 ? "smtp" : "x-gatepost");
		put_answer(out, o, "    ");
		buf_puts(out, "\r\n");
	}
	if (d->action == DSN_DELAYED)
		put_date(out, "Will-Retry-Until: ", d->expires_wall_s, "\r\n");
}

static void
put_fields(struct buf *out, const struct dsn *d)
{
	if (d->envelope->envid != NULL) {
		buf_puts(out, "Original-Envelope-Id: ");
		put_xtext(out, str_of(d->envelope->envid));
		buf_puts(out, "\r\n");
	}
	buf_printf(out, "Reporting-MTA: dns; %s\r\n", d->hostname);
	put_date(out, "Arrival-Date: ", d->envelope->arrived_wall_s, "\r\n");
	for (unsigned i = 0; i < d->nrcpt; i++)
		put_recipient_fields(out, d, &d->rcpt[i]);
}

static bool
contains(struct str s, const char *boundary)
{
	return s.n > 0 && memmem(s.p, s.n, boundary, strlen(boundary)) != NULL;
}

static void
pick_boundary(char out[BOUNDARY_SIZE], struct str a, struct str b)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[BOUNDARY_BYTES];

	do {
		ident_random(bytes, sizeof bytes);
		for (size_t i = 0; i < BOUNDARY_BYTES; i++) {
			out[2 * i] = digits[bytes[i] >> 4];
			out[2 * i + 1] = digits[bytes[i] & 15];
		}
		out[BOUNDARY_SIZE - 1] = '\0';
	} while (contains(a, out) || contains(b, out));
}

static void
put_header(struct buf *out, const struct dsn *d, const char *boundary, bool is_8bit)
{
	char id[IDENT_TEXT];

	ident_print(id, d->own_id);
	buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n"
	    "To: <%s>\r\n"
	    "Subject: %s\r\n", d->hostname, d->to != NULL ? d->to : d->envelope->sender,
	    kinds[d->action].subject);
	put_date(out, "Date: ", d->now_wall_s, "\r\n");
	buf_printf(out, "Message-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n%s", id, d->hostname, boundary,
	    is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static void
put_part(struct buf *out, const char *boundary, const char *type, struct str body)
{
	buf_printf(out, "\r\n--%s\r\nContent-Type: %s\r\n%s\r\n", boundary, type,
	    str_is_ascii(body) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	buf_putstr(out, body);
	if (body.n > 0 && body.p[body.n - 1] != '\n')
		buf_puts(out, "\r\n");
}

/* What may be said of a message with raw UTF-8 in its header is RFC 6533's. */
static const char *
original_type(const struct dsn *d)
{
	if (d->envelope->is_utf8)
		return d->headers_only ? "message/global-headers" : "message/global";
	return d->headers_only ? "text/rfc822-headers" : "message/rfc822";
}

/* The next line of a text, without its end, which is at most CRLF. */
static struct str
take_line(struct str *rest)
{
	struct str line = { NULL, 0 };

	str_split(rest, '\n', &line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool
has_long_line(struct str text)
{
	while (text.n > 0)
		if (take_line(&text).n > TEXT_LINE_MAX)
			return true;
	return false;
}

/* The header, and of a line no more than may be sent, in whole characters. */
static void
put_short_header(struct buf *out, struct str text)
{
	struct str line;

	while (text.n > 0 && (line = take_line(&text)).n > 0) {
		if (line.n > TEXT_LINE_MAX)
			for (line.n = TEXT_LINE_MAX; (line.p[line.n] & 0xc0) == 0x80; )
				line.n--;
		buf_putstr(out, line);
		buf_puts(out, "\r\n");
	}
}

/*
 * A server that refuses a message for a line longer than RFC 5321 4.5.3.1.6 promises would refuse the notice too that has
 * it, and nobody would be told: that notice has the header only.
 */
void
dsn_build(struct buf *out, const struct dsn *about)
{
	struct buf human = { 0 }, fields = { 0 }, header = { 0 };
	char boundary[BOUNDARY_SIZE];
	struct dsn copy = *about, *d = &copy;

	if (has_long_line(d->original)) {
		put_short_header(&header, d->original);
		d->original = buf_str(&header);
		d->headers_only = true;
	}
	put_human(&human, d);
	put_fields(&fields, d);
	pick_boundary(boundary, buf_str(&human), d->original);
	put_header(out, d, boundary, !str_is_ascii(buf_str(&human)) ||
	    !str_is_ascii(d->original));
	put_part(out, boundary, "text/plain; charset=utf-8", buf_str(&human));
	put_part(out, boundary, "message/delivery-status", buf_str(&fields));
	put_part(out, boundary, original_type(d), d->original);
	buf_printf(out, "\r\n--%s--\r\n", boundary);
	buf_clear(&header);
	buf_clear(&human);
	buf_clear(&fields);
}
