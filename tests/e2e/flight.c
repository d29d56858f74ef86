/* One round trip a message: what goes in one flight, and what happens where a server announces more than it can. */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 24 };

#define ALL "caps: PIPELINING,CHUNKING,SIZE 1000000,8BITMIME,DSN;"
#define CAPS ALL "latency: 20;"
#define SLOW_CAPS ALL "latency: 100;"

static void
up(struct world *w, const char *script, const char *upstream)
{
	world_new(w, PROVIDER_STARTTLS, script, PROVIDER_IMPLICIT, script, PROVIDER_STARTTLS, script);
	world_configure(w, upstream, "");
	world_start(w);
}

/* Submits n messages by one session, which are numbered from `already'. */
static void
submit(struct world *w, unsigned n, unsigned already)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);
	char text[64];

	ck_assert(client_login(c));
	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof text, "Subject: number %u\r\n\r\ntext\r\n", already + i);
		ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", text), 250);
	}
	client_free(&c);
}

/* `already' have arrived before. */
static void
send_some(struct world *w, unsigned n, unsigned already)
{
	submit(w, n, already);
	ck_assert(provider_wait(w->provider, already + n, 30000));
}

/* How many flights had this twice, and what share of all messages had it in a flight with MAIL. */
static unsigned
count_flights(const struct world *w, const char *command, bool twice)
{
	char *said = provider_transcript(w->provider), *rest = said, *line;
	unsigned port, conn, flight, n = 0, mail_conn = 0, mail_flight = 0;
	int at;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (sscanf(line, "%u c%u f%u C: %n", &port, &conn, &flight, &at) < 3 || strstr(line, " C: ") == NULL)
			continue;
		line = strstr(line, " C: ") + 4;
		if (!twice && strncmp(line, command, strlen(command)) == 0)
			n += conn == mail_conn && flight == mail_flight;
		if (strncmp(line, "MAIL FROM", 9) == 0) {
			n += twice && conn == mail_conn && flight == mail_flight;
			mail_conn = conn;
			mail_flight = flight;
		}
	}
	free(said);
	return n;
}

static void
check_status(const struct world *w, const char *text)
{
	char out[16384];

	ck_assert_int_eq(world_run(w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, text) != NULL, "%s", out);
}

static void
down(struct world *w)
{
	char *said = provider_transcript(w->provider);

	ck_assert_msg(provider_complaints(w->provider) == 0, "%s", said);
	free(said);
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
	world_free(w);
}

/* B-112: with BDAT all in one flight, and the next message behind it. */
START_TEST(chunking)
{
	struct world w;
	char out[4096];

	world_new(&w, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "connections = 1", "");
	world_start(&w);
	submit(&w, MESSAGES, 0);	/* all are there before the first goes, however slow the machine */
	ck_assert(world_wait_log(&w, "upstream=provider state=down", 30000));
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, CAPS);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, MESSAGES, 60000));
	ck_assert_uint_eq(count_flights(&w, "BDAT", false), MESSAGES);
	ck_assert_uint_gt(provider_said(w.provider, "RSET"), MESSAGES / 3);	/* it stands only before what goes behind another */
	ck_assert_uint_eq(provider_connections(w.provider, 0), 1);
	down(&w);
}
END_TEST

/* B-112: without it the envelope is one flight and the content another; nothing goes behind the end of data (the provider
 * would complain). */
START_TEST(pipelining)
{
	struct world w;

	up(&w, "latency: 20", "connections = 1");
	send_some(&w, MESSAGES / 2, 0);
	ck_assert_uint_eq(count_flights(&w, "DATA", false), MESSAGES / 2);
	ck_assert_uint_eq(count_flights(&w, "MAIL", true), 0);
	ck_assert_uint_eq(provider_said(w.provider, "RSET"), 0);
	down(&w);
}
END_TEST

/* Announced in vain: found out by one message, whoever carries it, and known to all connections from then on. */
START_TEST(chunking_in_vain)
{
	struct world w;

	up(&w, SLOW_CAPS "bdat: 502 5.5.1 what", "connections = 6");	/* slow enough for others to be asked for help */
	send_some(&w, 1, 0);
	ck_assert(world_wait_log(&w, "event=quirk", 30000));
	send_some(&w, MESSAGES, 1);
	ck_assert_uint_eq(provider_said(w.provider, "BDAT"), 1);
	ck_assert_uint_gt(provider_connections(w.provider, 0), 2);
	check_status(&w, "\"duplicates_possible\":0");
	down(&w);
}
END_TEST

START_TEST(pipelining_in_vain)
{
	struct world w;

	up(&w, "rcpt#1: 503 5.5.1 one at a time;latency: 20", "connections = 2");
	send_some(&w, 1, 0);
	ck_assert(world_wait_log(&w, "event=quirk", 30000));
	ck_assert_uint_eq(count_flights(&w, "RCPT", false), 1);
	send_some(&w, 4, 1);
	ck_assert_uint_eq(count_flights(&w, "RCPT", false), 1);
	check_status(&w, "\"duplicates_possible\":0");
	down(&w);
}
END_TEST

/* A server that ends each connection after some messages: nobody waits for the schedule, nobody may have it twice. */
START_TEST(good_bye_in_a_stream)
{
	struct world w;

	up(&w, CAPS "mail#6: !last 421 too many messages;mail#14: !last 421 4.3.2 bye;rset#12: !last 421 bye", "connections = 1");
	send_some(&w, MESSAGES, 0);
	ck_assert_uint_eq(provider_count(w.provider), MESSAGES);
	check_status(&w, "\"duplicates_possible\":0");
	down(&w);
}
END_TEST

Suite *flight_suite(void);

Suite *
flight_suite(void)
{
	Suite *s = suite_create("flight");
	TCase *t = tcase_create("flight");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, chunking);
	tcase_add_test(t, pipelining);
	tcase_add_test(t, chunking_in_vain);
	tcase_add_test(t, pipelining_in_vain);
	tcase_add_test(t, good_bye_in_a_stream);
	suite_add_tcase(s, t);
	return s;
}
