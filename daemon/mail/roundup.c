/* The text of a roundup.  All that others wrote is made safe; of headers, short of ASCII nothing goes through. */
#include "mail/roundup.h"

#include "base/clock.h"
#include "base/ident.h"

#include <string.h>

enum { DATE_SIZE = 64, FIELD_MAX = 200 };

/* The body of the first field of that name, unfolded and cut; empty: there is none. */
static void
find_field(struct buf *out, struct str header, const char *name)
{
	struct str line, rest = header, part;
	bool here = false;

	while (str_split(&rest, '\n', &line)) {
		bool folded;

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		folded = line.p[0] == ' ' || line.p[0] == '\t';
		if (here && !folded)
			break;
		if (!folded) {
			here = str_split(&line, ':', &part) && str_iis(str_trim(part), name);
			line = here ? line : STR("");
		}
		line = str_trim(line);
		if (!here || line.n == 0)
			continue;
		if (out->len > 0)
			buf_putc(out, ' ');
		buf_putstr(out, line);
	}
	if (out->len > FIELD_MAX)
		buf_cut(out, FIELD_MAX);
}

static void
put_field(struct buf *out, struct str header, const char *name)
{
	struct buf body = { 0 };

	find_field(&body, header, name);
	if (body.len > 0) {
		buf_printf(out, "    %s: ", name);
		str_safe(out, buf_str(&body), false);
		buf_puts(out, "\r\n");
	}
	buf_clear(&body);
}

void
roundup_add(struct roundup *r, enum dsn_action action, uint64_t id, const struct envelope *e,
    const struct dsn_recipient *rcpt, unsigned nrcpt, struct str header)
{
	struct buf *out = action == DSN_DELAYED ? &r->delayed : &r->failed;
	char number[IDENT_TEXT], date[DATE_SIZE];

	ident_print(number, id);
	clock_print_date(date, sizeof date, e->arrived_wall_s);
	buf_printf(out, "\r\nMessage %s of %s\r\n    from <", number, date);
	str_safe(out, str_of(e->sender), true);
	buf_puts(out, ">\r\n");
	put_field(out, header, "Subject");
	put_field(out, header, "Message-ID");
	for (unsigned i = 0; i < nrcpt; i++)
		dsn_put_recipient(out, action, &rcpt[i]);
	*(action == DSN_DELAYED ? &r->ndelayed : &r->nfailed) += 1;
}

static void
put_count(struct buf *out, unsigned n, const char *rest)
{
	buf_printf(out, "%u message%s %s", n, n == 1 ? "" : "s", rest);
}

static void
put_body(struct buf *out, const struct roundup *r, const char *hostname)
{
	buf_printf(out, "This is gatepost, the mail relay of %s.  There were more notices for you than\r\n"
	    "bounce_limit allows, so this one stands for all of them.  \"gatepost trace NUMBER\" shows\r\n"
	    "each attempt.\r\n", hostname);
	if (r->nfailed > 0) {
		buf_puts(out, "\r\n");
		put_count(out, r->nfailed, "could not be delivered to those named, and will not be tried again:\r\n");
		buf_putstr(out, buf_str(&r->failed));
	}
	if (r->ndelayed > 0) {
		buf_puts(out, "\r\n");
		put_count(out, r->ndelayed, "not delivered yet; you need not send anything again:\r\n");
		buf_putstr(out, buf_str(&r->delayed));
	}
}

void
roundup_build(struct buf *out, const struct roundup *r, const char *hostname, const char *to, uint64_t own_id, int64_t now_wall_s)
{
	struct buf body = { 0 };
	char id[IDENT_TEXT], date[DATE_SIZE];

	put_body(&body, r, hostname);
	ident_print(id, own_id);
	clock_print_date(date, sizeof date, now_wall_s);
	buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <%s>\r\nSubject: ", hostname, to);
	if (r->nfailed > 0)
		put_count(out, r->nfailed, "could not be delivered");
	else
		put_count(out, r->ndelayed, "delayed");
	buf_printf(out, "\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n%s\r\n", date, id, hostname,
	    str_is_ascii(buf_str(&body)) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	buf_putstr(out, buf_str(&body));
	buf_clear(&body);
}

void
roundup_clear(struct roundup *r)
{
	buf_clear(&r->failed);
	buf_clear(&r->delayed);
	*r = (struct roundup){ 0 };
}
