/*
 * The configuration (CONTRACT.md 2): one constant struct, replaced whole at a reload,
 * reference counted, shared by all threads.  The room's one door.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bucket.h"
#include "base/log.h"
#include "base/str.h"
#include "base/why.h"
#include "mail/aliases.h"
#include "mail/outcome.h"

struct cidr {
	unsigned char address[16];	/* IPv4 as ::ffff:0:0/96 */
	unsigned bits;			/* of 128 */
};

struct names {			/* a list of strings */
	char **v;
	unsigned n;
};

struct listen {
	char *address;		/* "127.0.0.1:587" */
	enum tls_mode tls;
	bool trusted_only;	/* auth = "trusted" */
	struct cidr *trusted;
	unsigned ntrusted;
	bool plaintext_auth;	/* "loopback" */
	bool built_in;		/* not named in the file: [::1] may be left out */
};

struct chain_entry {
	uint16_t port;
	enum tls_mode tls;
};

enum auth_method { AUTH_AUTO, AUTH_NONE, AUTH_PLAIN, AUTH_LOGIN, AUTH_CRAM_MD5, AUTH_XOAUTH2, AUTH_OAUTHBEARER };

struct too_fast {		/* "421", "454 4.7.0" */
	int code;
	char status[12];	/* "" = any */
};

struct upstream {
	char *name;
	char *provider, *note;	/* note: what providers.conf says of its logins, or "" */
	char *host;
	struct chain_entry *chain;
	unsigned nchain;
	char *username;
	char *password;		/* the secret, from wherever it came; NULL: none */
	char *password_file;	/* as resolved, "" if not from a file */
	char *password_command;
	enum auth_method auth;
	struct {
		char *token_url, *client_id, *scope;
		char *client_secret_file, *refresh_token_file;	/* as resolved */
		bool client_credentials;	/* the grant; else refresh_token */
	} oauth2;
	bool tls_verify;
	char *tls_ca, *tls_name;	/* tls_name: never "", default host */
	int tls_min;		/* enum tls_version */
	char *source;
	unsigned connections;
	unsigned max_recipients;
	uint64_t message_size;	/* 0: not known */
	int64_t idle_ms;
	struct too_fast *too_fast;
	unsigned ntoo_fast;
	unsigned messages_per_connection;
	struct rate rate;
	unsigned daily_quota;
	bool quota_recipients;
	int64_t connect_timeout_ms, reply_timeout_ms, race_delay_ms, recheck_ms;
	char *capture;
	char *idempotency_header;
	char *sender;
	bool rewrite_from;
};

struct route_rule {
	char *name;
	struct names from, user, to, upstreams;
	unsigned *upstream;	/* indexes into config.upstream, as many as upstreams.n */
};

struct config {
	char *file;		/* it was read from, absolute */
	char *hostname;
	char *spool_dir, *control_socket, *submit_socket;
	char *users_file, *aliases_file, *postmaster, *providers_file, *user;
	unsigned threads;	/* as used: never 0 */
	int64_t drain_ms;

	struct { char *command, *webhook; int64_t after_ms; } alert;
	struct { enum log_level level; enum log_format format; } log;
	struct { char *listen; bool addresses; } metrics;
	struct { char *certificate, *key; int min_version; } tls;

	struct listen *listen;
	unsigned nlisten;

	struct {
		uint64_t message_size, min_free, spool_size;
		unsigned recipients, connections, auth_failures, errors, hops;
		int64_t idle_timeout_ms, data_timeout_ms;
		struct rate user_rate;
		bool normalize;		/* bare_newline */
	} limits;

	struct {
		int64_t *retry_ms;
		unsigned nretry;
		int64_t expire_ms, delay_warning_ms, keep_history_ms;
		char *bounce_to;
		struct rate bounce_limit;
		uint64_t history_size;
	} queue;

	struct upstream *upstream;
	unsigned nupstream;
	struct route_rule *route;
	unsigned nroute;

	struct aliases *aliases;	/* NULL without aliases_file */
	bool is_state_dir;		/* run --state */
	struct names files;		/* all that were read: a reload needs them again */
	unsigned nconf;			/* of them, the first: the configuration itself and what it includes */
	uid_t owner;			/* of the first of the configuration's files that is not root's, as it was read; 0: all are root's */
	struct names handed;		/* secrets that the systemd unit is handed: root reads them for it */
};

/* Where things live when nothing says otherwise; set by the build. */
extern const char config_default_file[];	/* /etc/gatepost/gatepost.conf */

struct config_options {
	const char *file;	/* NULL: the default, or the state directory's */
	const char *state;	/* --state DIR, or NULL */
	bool secrets;		/* read passwords too, and all other files that options
				 * name (the daemon, check, probe); without it password
				 * and aliases stay NULL */
	bool make_state;	/* the state directory may be made (the daemon) */
	bool no_upstream;	/* sendmail, queue…: upstreams may be missing */
	bool for_unit;		/* we are not the file's systemd unit: find what it is handed (check, probe) */
	bool unseen;		/* …and what only that unit can read may stay unread, with a warning (check) */
};

/*
 * Reads the file.  -1: *why names file, line, option and remedy.  Warnings that do not
 * prevent a start are handed to warn() (may be NULL), one sentence each.  One thread at
 * a time: libconfuse's scanner is global.
 */
int config_load(struct config **out, const struct config_options *o,
    void (*warn)(void *arg, const char *text), void *arg, struct why *why) must_check;
struct config *config_ref(const struct config *c);
void config_unref(struct config **c);

/* May this process read the file?  -1: *why says who may not do what, and the remedy. */
int config_may_read(const char *file, struct why *why) must_check;

/*
 * What is in a file that password_file or oauth2's options name, now and not when the configuration was read.  Bounded, and
 * refused if others can read it; *out is wiped by who asks.
 */
int config_read_secret(char **out, const char *path, struct why *why) must_check;

/* Replaces one by what a provider gave us instead: only a file of our own user, in a directory that we may write. */
int config_write_secret(const char *path, const char *secret, struct why *why) must_check;

/* Does it log in with a token of oauth2's endpoint?  Then with nothing else. */
bool config_has_oauth2(const struct upstream *u);

/* One of our own listeners?  Mail sent there would come back for ever (B-139). */
bool config_is_own(const struct config *c, const char *address, uint16_t port);
/* -1: an upstream is one, by its address or as localhost (why); other names are known when they are looked up. */
int config_check_loop(const struct config *c, struct why *why) must_check;

/* The first option that differs and cannot change while running, or NULL. */
const char *config_needs_restart(const struct config *old, const struct config *new_);

/* Every option as the table knows it, for `make options', the sample and the manual. */
struct config_option {
	const char *section;	/* "", "limits", "upstream"… */
	const char *name, *kind, *dflt, *help;
	bool restart;
};

/*
 * The first route from the `from'-th on that matches: its index; nroute: none does, and all upstreams serve in their
 * order.  rcpt NULL: whether it matches for some recipient.
 */
unsigned rule_find(const struct config *c, unsigned from, const char *sender,
    const char *user, const char *rcpt);

/*
 * users_file: "user:crypt(3)-hash[:patterns]".  A table is constant, reference counted, and
 * read again when the file changed.
 */
enum { USERS_PASSWORD_MAX = 511 };	/* octets; crypt(3) refuses more at once */
struct users;
struct user {
	const char *name, *hash, *allowed;	/* allowed "": any sender */
};
int users_load(struct users **out, const char *file, struct why *why) must_check;	/* missing file: -1, errno ENOENT */
struct users *users_ref(struct users *u);
void users_unref(struct users **u);
const struct user *users_find(const struct users *u, const char *name);
unsigned users_count(const struct users *u);

/* Checks a password (crypt_r, yescrypt by default: slow by design, call it off the
 * loop).  user NULL: does the same work against a dummy hash and answers false. */
bool users_check(const struct user *user, const char *password);

/* For each kind of hash that the table has (method and cost) one user with such a one, `most' of them at the most.  Their number. */
unsigned users_kinds(const struct users *u, const struct user **kind, unsigned most);
bool users_has_kinds_of(const struct users *u, const struct users *other);	/* none is new in the other */

/* passwd: sets, or deletes (password NULL), one user's line; the file is replaced whole
 * (temporary file, fsync, rename), owner and mode kept, 0640 when new.  A link is refused. */
int users_set(const char *file, const char *user, const char *password, struct why *why) must_check;

bool cidr_parse(struct str s, struct cidr *out);
bool cidr_has(const struct cidr *c, const unsigned char address[16]);
/* "127.0.0.1" or "::1" to 16 octets, IPv4 mapped; false: not an address. */
bool cidr_address(const char *text, unsigned char out[16]);
bool cidr_is_loopback(const char *text);	/* an address of 127/8 or ::1, or "localhost" */

/* "50M"; false if not a size. */
bool config_parse_size(struct str s, uint64_t *out);

#endif
