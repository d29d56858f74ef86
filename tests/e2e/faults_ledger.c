/* The ledger: numbered messages whose text follows from their number, so that each can be recognized and compared. */
#include "e2e/faults.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client *
ledger_client(struct world *w)
{
	struct client *c = client_new(w, w->l465, CLIENT_IMPLICIT);

	if (c != NULL && !client_login(c))
		client_free(&c);
	return c;
}

static char *
make_text(unsigned number, size_t octets)
{
	char *text = malloc(octets + 256), *at = text;

	at += sprintf(at, "Subject: fault\r\n\r\nnumber=%u octets=%zu.\r\n", number, octets);
	for (unsigned n = 0; at < text + octets; n++)
		at += sprintf(at, "%u-%u %*s\r\n", number, n, (int)((number + n) * 7919 % 80), "x");
	return text;
}

int
ledger_mail(struct ledger *l, struct client *c, const char *to, size_t octets)
{
	unsigned number = atomic_fetch_add(&l->n, 1);
	char *text;
	int code;

	ck_assert_uint_lt(number, LEDGER_MAX);
	text = make_text(number, octets);
	code = client_mail(c, "app@client.example", to, text);
	free(text);
	if (code == 250)
		l->acknowledged[number] = true;
	return code;
}

/* A message of ours, or a bounce with one in it. */
static void
look(struct ledger *l, const struct provider_message *m)
{
	const char *at = strstr(m->text, "number=");
	unsigned number;
	size_t octets, n;
	char *want;

	/* The content of a refused message could not be read: its sender is told without it. */
	if (at == NULL && strstr(m->sender, "<>") != NULL && strstr(m->text, "Final-Recipient: rfc822; nobody@far.example") != NULL)
		return;
	ck_assert_msg(at != NULL && sscanf(at, "number=%u octets=%zu.", &number, &octets) == 2 && number < l->n,
	    "not sent by us: %.2000s", m->text);
	want = make_text(number, octets);
	n = strlen(want);
	if (strstr(m->sender, "<>") != NULL)
		ck_assert_msg(strstr(m->text, want) != NULL, "a bounce without message %u: %.2000s", number, m->text);
	else
		ck_assert_msg(m->octets >= n && memcmp(m->text + m->octets - n, want, n) == 0, "message %u is not as it was sent: %.2000s",
		    number, m->text);
	free(want);
	ck_assert_msg(!l->over[number], "message %u came again", number);
	if (l->came[number] > 0)
		l->repeated++;
	l->came[number] = 1;
}

unsigned
ledger_missing(struct ledger *l, struct provider *p)
{
	unsigned missing = 0;

	for (unsigned count = provider_count(p); l->looked < count; l->looked++)
		look(l, provider_message(p, l->looked));
	for (unsigned i = 0; i < l->n; i++)
		missing += l->acknowledged[i] && l->came[i] == 0;
	return missing;
}

bool
ledger_wait(struct ledger *l, struct provider *p, int ms)
{
	for (; ledger_missing(l, p) > 0; ms -= 10) {
		if (ms <= 0)
			return false;
		faults_pause_ms(10);
	}
	return true;
}

void
ledger_fetch(struct ledger *l, struct world *w)
{
	for (unsigned i = 0; i < 15; i++) {
		kill(w->pid, SIGHUP);
		if (ledger_wait(l, w->provider, 2000))
			return;
	}
	ck_abort_msg("%u are missing", ledger_missing(l, w->provider));
}

void
ledger_close(struct ledger *l, struct provider *p)
{
	ledger_missing(l, p);
	for (unsigned i = 0; i < l->n; i++)
		l->over[i] = l->came[i] > 0;
}
