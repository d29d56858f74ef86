/*
 * A mail provider to test against, and for `make demo': real sockets, real TLS with certificates of its own
 * CA, a thread for each connection, and faults by script.  It shares no code with the daemon.
 *
 * A script is a list of rules, "STAGE: ACTION", separated by ";".  Stages, in the order of a session:
 *
 *   connect banner ehlo starttls tls ehlo2 (EHLO inside TLS) auth auth2 (a further step)
 *   mail rcpt data bdat body (content has begun to come) eod (its end; also of BDAT) rset noop quit
 *   idle (just after the reply to eod)
 *
 * STAGE#N is only the N-th of that stage on this port, STAGE/TEXT only where the argument contains TEXT.
 * The first rule that fits counts.  Actions:
 *
 *   550 5.1.1 text     this reply instead ("|" separates lines)
 *   !close !reset      end the connection here        !silent       say nothing more, read on
 *   !delay MS          wait, then as usual            !raw BYTES    these bytes instead ("|" is CRLF)
 *   !inject BYTES      as usual, and these bytes in the same flight
 *   !last 421 text     this reply, then close
 *
 * A message is stored when its end has come, unless the rule for eod gives a reply that is not 2xx.
 * Settings look like rules: caps: A,B (inside TLS, or on a plain port)   plain-caps: A,B   mechs: PLAIN LOGIN
 * cert: KIND (cert.h)   max: 1.2 (TLS)   latency: MS (before each flight of replies)   strip: 1 (no STARTTLS)
 * dribble: 1 (an octet at a time)   window: OCTETS (what the network holds of what it has not read, and of what it said, about).
 *
 * With the setting "token: 1" the port is an OAuth2 token endpoint instead (mode implicit: https, none: http).  It gives the password
 * as access token; a rule for the stage grant answers otherwise, as "grant#1: 400 {…}" or "grant/refresh_token=old: !silent".  What it
 * was asked stands in the transcript.
 */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

enum provider_mode {
	PROVIDER_NONE, PROVIDER_STARTTLS, PROVIDER_IMPLICIT,
	PROVIDER_REFUSE,	/* nobody listens; the port is kept */
	PROVIDER_DROP		/* SYNs get no answer */
};

struct provider_options {
	const char *user, *password;	/* NULL: AUTH is not offered, nor asked for */
	const char *dir;		/* messages are written there too, one file each; NULL: no */
	const char *ca_file;		/* NULL: a temporary one */
	void (*on_message)(unsigned n);	/* for main.c; any thread; NULL: none */
};

struct provider;

struct provider_message {
	char *sender;		/* all that followed MAIL FROM: */
	char **rcpt;		/* and RCPT TO: */
	unsigned nrcpt;
	char *text;		/* unstuffed; NUL at the end */
	size_t octets;
	bool secure, chunked;
	char user[64];		/* logged in as; "" */
	unsigned port, connection;
};

struct provider *provider_new(const struct provider_options *o);	/* NULL: cannot */
void provider_free(struct provider **p);	/* ends all connections, removes the temporary CA file */

const char *provider_ca(const struct provider *p);	/* the CA's file */

/* Opens a port (0: any) at an address literal; one that is open already is closed first.  Returns its number, 0 if
 * that cannot be or the script makes no sense (said on standard error). */
unsigned provider_listen(struct provider *p, const char *address, unsigned port, enum provider_mode mode, const char *script);
void provider_close(struct provider *p, unsigned port);

/* Messages are never forgotten, and do not move. */
unsigned provider_count(struct provider *p);
const struct provider_message *provider_message(struct provider *p, unsigned n);
bool provider_wait(struct provider *p, unsigned count, int ms);	/* until so many have come */

/*
 * What was said, a line each: "PORT cN fM C: command" or "S: reply" with N the connection and M the flight (the number
 * of reads so far), "!: …" for what a client must not do.  Caller frees.
 */
char *provider_transcript(struct provider *p);
unsigned provider_said(struct provider *p, const char *prefix);	/* commands that begin so */
unsigned provider_complaints(struct provider *p);
unsigned provider_connections(struct provider *p, unsigned port);	/* accepted so far; port 0: all */

/* "starttls" and so on; -1: no such mode. */
int provider_parse_mode(const char *name);

#endif
