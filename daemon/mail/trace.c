/* The fields that gatepost adds. */
#include "mail/trace.h"

#include "base/clock.h"
#include "mail/address.h"

#include <string.h>

enum { DATE_SIZE = 64 };

const char *
trace_protocol(const struct trace *t)
{
	static const char *const names[2][2][2] = {	/* utf8, tls, auth */
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};

	return t->esmtp ? names[t->utf8][t->tls][t->auth] : "SMTP";
}

static void
put_received(struct buf *b, const struct trace *t, const char *date)
{
	struct str helo = str_of(t->helo);

	if (!address_is_domain(helo) || (!t->utf8 && !str_is_ascii(helo)))
		helo = STR("unknown");
	buf_puts(b, "Received: from ");
	buf_putstr(b, helo);
	if (t->address[0] == '\0')
		buf_puts(b, " (local)");
	else
		buf_printf(b, " ([%s%s])",
		    strchr(t->address, ':') != NULL ? "IPv6:" : "", t->address);
	buf_printf(b, "\r\n\tby %s with %s id %s", t->hostname,
	    trace_protocol(t), t->id);
	if (t->cipher != NULL)
		buf_printf(b, "\r\n\t(%s)", t->cipher);
	if (t->for_rcpt.n > 0) {
		buf_puts(b, "\r\n\tfor <");
		buf_putstr(b, t->for_rcpt);
		buf_putc(b, '>');
	}
	buf_printf(b, ";\r\n\t%s\r\n", date);
}

void
trace_put(struct buf *b, const struct trace *t)
{
	char date[DATE_SIZE];

	clock_print_date(date, sizeof date, t->wall_s);
	put_received(b, t, date);
	if (t->add_date)
		buf_printf(b, "Date: %s\r\n", date);
	if (t->add_message_id)
		buf_printf(b, "Message-ID: <%s@%s>\r\n", t->id, t->hostname);
	if (t->add_from != NULL)
		buf_printf(b, "From: <%s>\r\n", t->add_from);
}
