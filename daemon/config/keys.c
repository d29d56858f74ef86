/*
 * THE option table.  One row an option: section, name, kind, member, default, least and
 * most (kinds with a range or a choice of words), flags, and a line of help.  What is
 * added here appears in the file's grammar, in `make options' and in the reload's check.
 */
#include "config/keys.h"

#include <stddef.h>
#include <string.h>

#define K(section, name, kind, member, dflt, range, flags, help)               \
	{ { section, name, #kind, dflt, help, ((flags) & KEY_RESTART) != 0 },  \
	    KEY_##kind, member, range, flags }

#define IN(type, m) offsetof(type, m), sizeof(((type *)0)->m), 0
#define CONF(m) IN(struct config, m)
#define LISTEN(m) IN(struct listen, m)
#define UP(m) IN(struct upstream, m)
#define LIST(type, v, n) offsetof(type, v), 0, offsetof(type, n)
#define ROUTE(m) LIST(struct route_rule, m.v, m.n)

#define NONE NULL, NULL
#define RANGE(min, max) min, max
#define WORDS(all) all, NULL

/* sun_path less its NUL. */
#define SOCKET_MAX "107"

static const struct key keys[] = {
K("", "hostname", DOMAIN, CONF(hostname), "", NONE, 0,
    "EHLO name and Received:; default the machine's FQDN"),
K("", "spool_dir", PATH, CONF(spool_dir), "/var/lib/gatepost", NONE, KEY_RESTART,
    "queued messages and what is remembered across restarts"),
K("", "control_socket", PATH, CONF(control_socket), "/run/gatepost/control.sock",
    RANGE(NULL, SOCKET_MAX), KEY_RESTART, "where the commands ask the daemon"),
K("", "submit_socket", PATH, CONF(submit_socket), "/run/gatepost/submit.sock",
    RANGE(NULL, SOCKET_MAX), KEY_RESTART,
    "for the sendmail command; peer known by its uid"),
K("", "users_file", PATH, CONF(users_file), SYSCONFDIR "/gatepost/users", NONE,
    0, "user:crypt(3)-hash[:allowed senders]"),
K("", "aliases_file", PATH, CONF(aliases_file), "", NONE, 0,
    "aliases(5) for recipients without a domain or @hostname"),
K("", "postmaster", MAILBOX, CONF(postmaster), "", NONE, 0,
    "where local recipients go that no alias names; empty: refused"),
K("", "providers_file", PATH, CONF(providers_file), PREFIX "/share/gatepost/providers.conf",
    NONE, 0, "the presets that `provider' names"),
K("", "user", TEXT, CONF(user), "gatepost", NONE, KEY_RESTART | KEY_EMPTY,
    "dropped to when started as root; empty: stay"),
K("", "threads", COUNT, CONF(threads), "0", RANGE("0", "64"), KEY_RESTART,
    "listener threads; 0: one per core, at most 4"),
K("", "drain", SPAN, CONF(drain_ms), "30s", RANGE("0", "1h"), 0,
    "how long a stop waits for what is in flight"),

K("alert", "command", TEXT, CONF(alert.command), "", NONE, KEY_UNSAID,
    "run with the event as JSON on standard input"),
K("alert", "webhook", URL, CONF(alert.webhook), "", NONE, KEY_UNSAID,
    "POSTed the same JSON"),
K("alert", "after", SPAN, CONF(alert.after_ms), "10m", RANGE("1s", "30d"), 0,
    "an upstream down, or a message waiting, this long"),

K("log", "level", CHOICE, CONF(log.level), "info", WORDS("error|warning|info|debug"), 0,
    "least important lines that are written"),
K("log", "format", CHOICE, CONF(log.format), "logfmt", WORDS("logfmt|json"), 0,
    "how lines are written"),

K("metrics", "listen", ENDPOINT, CONF(metrics.listen), "", NONE,
    KEY_RESTART, "where /metrics, / and /healthz are served"),
K("metrics", "addresses", BOOL, CONF(metrics.addresses), "false", NONE, 0,
    "show senders and recipients there"),

K("tls", "certificate", PATH, CONF(tls.certificate), "", NONE,
    KEY_CREDENTIAL | KEY_THERE, "PEM chain shown to clients; empty: one from a local CA"),
K("tls", "key", PATH, CONF(tls.key), "", NONE, KEY_CREDENTIAL | KEY_THERE,
    "its key"),
K("tls", "min_version", CHOICE, CONF(tls.min_version), "1.2", WORDS("1.2|1.3"), 0,
    "oldest TLS that clients may use"),

K("listen", "tls", CHOICE, LISTEN(tls), "", WORDS("none|starttls|implicit"), 0,
    "default: implicit on 465, else starttls"),
K("listen", "auth", CHOICE, LISTEN(trusted_only), "required", WORDS("required|trusted"),
    0, "trusted: peers in `trusted' need none"),
K("listen", "trusted", NETWORKS, LIST(struct listen, trusted, ntrusted), "",
    RANGE("0", "256"), 0, "networks whose peers need neither TLS nor AUTH"),
K("listen", "plaintext_auth", CHOICE, LISTEN(plaintext_auth), "no",
    WORDS("no|loopback"), 0, "AUTH without TLS, from a loopback peer only"),

K("limits", "message_size", SIZE, CONF(limits.message_size), "50M", RANGE("1K", "2G"),
    0, "largest message"),
K("limits", "recipients", COUNT, CONF(limits.recipients), "1000", RANGE("1", "100000"),
    0, "of one message"),
K("limits", "connections", COUNT, CONF(limits.connections), "1000",
    RANGE("1", "100000"), 0, "sessions at once"),
K("limits", "auth_failures", COUNT, CONF(limits.auth_failures), "3", RANGE("1", "100"),
    0, "wrong logins until a session ends"),
K("limits", "errors", COUNT, CONF(limits.errors), "20", RANGE("1", "1000"), 0,
    "refused commands until a session ends"),
K("limits", "idle_timeout", SPAN, CONF(limits.idle_timeout_ms), "5m",
    RANGE("100ms", "1d"), 0, "silence until a session ends"),
K("limits", "data_timeout", SPAN, CONF(limits.data_timeout_ms), "10m",
    RANGE("100ms", "1d"), 0, "the same within a message"),
K("limits", "hops", COUNT, CONF(limits.hops), "50", RANGE("1", "1000"), 0,
    "Received: fields that mean a loop"),
K("limits", "min_free", SIZE, CONF(limits.min_free), "100M", RANGE("0", "1000T"), 0,
    "disk space that is left alone"),
K("limits", "user_rate", RATE, CONF(limits.user_rate), "", NONE, 0,
    "messages a user may submit; empty: any number"),
K("limits", "spool_size", SIZE, CONF(limits.spool_size), "", RANGE("1M", "1000T"), 0,
    "all that is queued; empty: until min_free"),
K("limits", "bare_newline", CHOICE, CONF(limits.normalize), "reject",
    WORDS("reject|normalize"), 0, "what a line end other than CRLF leads to"),

K("queue", "retry", SPANS, LIST(struct config, queue.retry_ms, queue.nretry), "30s, 1m, 2m, 5m, 10m, 20m, 40m, 1h",
    RANGE("1", "64"), 0, "waits between attempts; the last repeats"),
K("queue", "expire", SPAN, CONF(queue.expire_ms), "5d", RANGE("1s", "365d"), 0,
    "age at which a message is given up and bounces"),
K("queue", "delay_warning", SPAN, CONF(queue.delay_warning_ms), "4h",
    RANGE("0", "365d"), 0, "age at which its sender is told; 0: never"),
K("queue", "bounce_to", MAILBOX, CONF(queue.bounce_to), "", NONE, 0,
    "who gets bounces; default the envelope sender"),
K("queue", "bounce_limit", RATE, CONF(queue.bounce_limit), "60/h", NONE, KEY_EMPTY,
    "over it one digest instead of a storm"),
K("queue", "keep_history", SPAN, CONF(queue.keep_history_ms), "1d", RANGE("0", "365d"),
    0, "how long `trace' answers for finished messages"),
K("queue", "history_size", SIZE, CONF(queue.history_size), "256M", RANGE("0", "1T"), 0,
    "how much disk that may take"),

K("upstream", "provider", TEXT, UP(provider), "", NONE, 0,
    "fills in what providers.conf knows"),
K("upstream", "host", HOST, UP(host), "", NONE, KEY_PRESET, "its name or address"),
K("upstream", "chain", CHAIN, LIST(struct upstream, chain, nchain), "587/starttls, 465/implicit, 2525/starttls",
    RANGE("1", "16"), KEY_PRESET, "ports to try, in this order"),
K("upstream", "username", LOGIN, UP(username), "", NONE, KEY_PRESET, "to log in with"),
K("upstream", "password", SECRET, UP(password), "", NONE, KEY_UNSAID,
    "refused if others than owner and group can read the file"),
K("upstream", "password_file", PATH, UP(password_file), "", NONE, KEY_CREDENTIAL,
    "a file with the password alone"),
K("upstream", "password_command", TEXT, UP(password_command), "", NONE, KEY_UNSAID,
    "its first line of output is the secret"),
K("upstream", "auth", CHOICE, UP(auth), "auto",
    WORDS("auto|none|plain|login|cram-md5|xoauth2|oauthbearer"), KEY_PRESET, "how to log in"),
K("upstream.oauth2", "token_url", URL, UP(oauth2.token_url), "", NONE, KEY_PRESET,
    "where tokens are asked for"),
K("upstream.oauth2", "client_id", LOGIN, UP(oauth2.client_id), "", NONE, 0,
    "who asks"),
K("upstream.oauth2", "client_secret_file", PATH, UP(oauth2.client_secret_file), "",
    NONE, KEY_CREDENTIAL, "a file with the client's secret alone"),
K("upstream.oauth2", "refresh_token_file", PATH, UP(oauth2.refresh_token_file), "",
    NONE, KEY_CREDENTIAL, "a file with the refresh token alone"),
K("upstream.oauth2", "grant", CHOICE, UP(oauth2.client_credentials), "refresh_token",
    WORDS("refresh_token|client_credentials"), KEY_PRESET,
    "how a token is asked for"),
K("upstream.oauth2", "scope", TEXT, UP(oauth2.scope), "", NONE, KEY_PRESET,
    "what it is asked for"),
K("upstream", "tls_verify", BOOL, UP(tls_verify), "true", NONE, 0,
    "only false turns it off, with a warning at every start"),
K("upstream", "tls_ca", PATH, UP(tls_ca), "", NONE, KEY_THERE,
    "PEM file of authorities; default the system's"),
K("upstream", "tls_name", HOST, UP(tls_name), "", NONE, KEY_PRESET,
    "name to verify; default host"),
K("upstream", "tls_min_version", CHOICE, UP(tls_min), "1.2", WORDS("1.2|1.3"),
    KEY_PRESET, "oldest TLS that it may use"),
K("upstream", "source", ADDRESS, UP(source), "", NONE, 0, "local address to bind"),
K("upstream", "connections", COUNT, UP(connections), "8", RANGE("1", "1000"),
    KEY_PRESET, "at most, at once"),
K("upstream", "max_recipients", COUNT, UP(max_recipients), "100", RANGE("1", "100000"),
    KEY_PRESET, "of one transaction; more are sent in the next"),
K("upstream", "message_size", SIZE, UP(message_size), "", RANGE("1K", "2G"), KEY_PRESET,
    "the provider's, if known"),
K("upstream", "idle", SPAN, UP(idle_ms), "30s", RANGE("0", "1h"), KEY_PRESET,
    "how long an unused connection is kept"),
K("upstream", "too_fast", REPLIES, LIST(struct upstream, too_fast, ntoo_fast), "",
    RANGE("0", "64"), KEY_PRESET, "replies that mean too fast or over quota"),
K("upstream", "messages_per_connection", COUNT, UP(messages_per_connection), "500",
    RANGE("1", "1000000"), KEY_PRESET, "then it is replaced"),
K("upstream", "rate", RATE, UP(rate), "", NONE, KEY_PRESET,
    "messages sent in a time; empty: any number"),
K("upstream", "daily_quota", COUNT, UP(daily_quota), "0", RANGE("0", "1000000000"),
    KEY_PRESET, "in 24 h; 0: none; over it messages wait"),
K("upstream", "quota_counts", CHOICE, UP(quota_recipients), "messages",
    WORDS("messages|recipients"), KEY_PRESET, "what daily_quota counts"),
K("upstream", "connect_timeout", SPAN, UP(connect_timeout_ms), "10s",
    RANGE("100ms", "5m"), 0, "TCP"),
K("upstream", "reply_timeout", SPAN, UP(reply_timeout_ms), "5m", RANGE("100ms", "1h"),
    0, "a command's reply; end of data: twice that"),
K("upstream", "race_delay", SPAN, UP(race_delay_ms), "300ms", RANGE("10ms", "1m"), 0,
    "head start of one candidate over the next"),
K("upstream", "recheck", SPAN, UP(recheck_ms), "5m", RANGE("100ms", "1d"), 0,
    "how often earlier ports are tried again while on a later one"),
K("upstream", "capture", PATH, UP(capture), "", NONE, 0,
    "a Maildir that gets the messages instead"),
K("upstream", "idempotency_header", FIELD, UP(idempotency_header), "", NONE,
    KEY_PRESET, "for providers that drop repeats by it"),
K("upstream", "sender", MAILBOX, UP(sender), "", NONE, 0,
    "replaces the envelope sender"),
K("upstream", "rewrite_from", BOOL, UP(rewrite_from), "false", NONE, 0,
    "and From: too"),

K("route", "from", NAMES, ROUTE(from), "", RANGE("0", "1000"), 0,
    "patterns of envelope senders"),
K("route", "user", NAMES, ROUTE(user), "", RANGE("0", "1000"), 0,
    "patterns of local users"),
K("route", "to", NAMES, ROUTE(to), "", RANGE("0", "1000"), 0, "patterns of recipients"),
K("route", "upstreams", NAMES, ROUTE(upstreams), "", RANGE("1", "64"), 0,
    "the first is used, the next take over while it is down"),
};
#define KEYS (sizeof keys / sizeof keys[0])

static const struct key_section sections[] = {
	{ "", false }, { "alert", false }, { "log", false },
	{ "metrics", false }, { "tls", false }, { "limits", false },
	{ "queue", false }, { "listen", true }, { "upstream", true },
	{ "upstream.oauth2", false }, { "route", true }
};
#define SECTIONS (sizeof sections / sizeof sections[0])

const struct key *
keys_get(unsigned n)
{
	return n < KEYS ? &keys[n] : NULL;
}

const struct key_section *
keys_section(unsigned n)
{
	return n < SECTIONS ? &sections[n] : NULL;
}

bool
keys_is_titled(const char *name)
{
	for (size_t i = 0; i < SECTIONS; i++)
		if (strcmp(sections[i].name, name) == 0)
			return sections[i].titled;
	return strcmp(name, "provider") == 0;	/* of providers.conf */
}
