/* MAIL and RCPT with their parameters. */
#include "relay/phrase.h"

#include <inttypes.h>
#include <stdio.h>

int
phrase_mail(struct exchange *x, const struct job *j, const struct phrase_mail *m, bool *optional)
{
	static const char *const rets[] = { [RET_NONE] = "", [RET_FULL] = " RET=FULL", [RET_HDRS] = " RET=HDRS" };
	const struct envelope *e = j->envelope;
	bool size = m->caps->size_given && !m->bare, envid = m->dsn && e->envid != NULL;
	char octets[40] = "";

	if (size)
		snprintf(octets, sizeof octets, " SIZE=%" PRIu64, m->octets);
	*optional = size || envid || (m->dsn && e->ret != RET_NONE);
	return exchange_say(x, "MAIL FROM:<%s>%s%s%s%s%s%s", j->sender, octets,
	    e->is_8bit && m->caps->eightbit ? " BODY=8BITMIME" : "", m->utf8 ? " SMTPUTF8" : "",
	    m->dsn ? rets[e->ret] : "", envid ? " ENVID=" : "", envid ? e->envid : "");
}

static const char *
print_notify(uint8_t notify, char *out, size_t size)
{
	static const struct { uint8_t bit; const char *name; } names[] = {
		{ NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" }
	};
	size_t n = 0;

	*out = '\0';
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (notify & names[i].bit)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n == 0 ? " NOTIFY=" : ",", names[i].name);
	return out;
}

int
phrase_rcpt(struct exchange *x, const struct recipient *r, bool dsn)
{
	bool orcpt = dsn && r->orcpt != NULL;
	char notify[64];

	return exchange_say(x, "RCPT TO:<%s>%s%s%s", r->address, dsn ? print_notify(r->notify, notify, sizeof notify) : "",
	    orcpt ? " ORCPT=" : "", orcpt ? r->orcpt : "");
}
