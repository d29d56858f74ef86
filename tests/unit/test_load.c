/* The whole configuration (CONTRACT.md 2): defaults, values, what is refused and how. */
#include "config/config.h"

#include "config/file.h"

#include "unit/scratch.h"

#include <sys/wait.h>

#define UP "upstream u { host = h.example }\n"
#define HOST "hostname = \"a.example\"\n"

static char warned[1024];

static void
on_warn(void *arg, const char *text)
{
	(void)arg;
	ck_assert_uint_lt(strlen(warned) + strlen(text) + 2, sizeof warned);
	strcat(warned, text);
	strcat(warned, "\n");
}

static void
files(void)
{
	scratch_make();
	warned[0] = '\0';
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("UNSET");
	setenv("GATEPOST_PROVIDERS", "conf/providers.conf", 1);
	scratch_write("key", "hunter-two\n");
	scratch_write_n("open", "hunter-two\n", 11, 0644);
	scratch_write("empty", "");
	scratch_write("cert.pem", "-----BEGIN CERTIFICATE-----\n");
	scratch_write("key.pem", "-----BEGIN EC PRIVATE KEY-----\n");
	scratch_write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
	scratch_write("users", "");
	scratch_write("more.conf", "limits {\n  errors = x\n}\n");
	scratch_write("aliases", "root: me@example.com\n");
	scratch_write("badaliases", "root: me@example.com\nx: |/bin/sh\n");
}

static struct config *
load_as(struct config_options o, const char *text, struct why *why)
{
	struct config *c = NULL;

	if (o.file == NULL && o.state == NULL)
		o.file = scratch_path("a.conf");
	if (text != NULL)
		scratch_write("a.conf", text);
	if (config_load(&c, &o, on_warn, NULL, why) < 0) {
		ck_assert_ptr_null(c);
		return NULL;
	}
	return c;
}

static struct config *
load(const char *text)
{
	struct why why = { "" };
	struct config *c = load_as((struct config_options){ .secrets = true }, text,
	    &why);

	ck_assert_msg(c != NULL, "%s", why.text);
	return c;
}

/* The four lines of CONTRACT.md 2. */
START_TEST(four_lines)
{
	struct config *c = load(HOST "upstream \"sendgrid\" {\n"
	    "    provider = \"sendgrid\"\n    password_file = \"key\"\n}\n");

	ck_assert_uint_eq(c->nupstream, 1);
	ck_assert_str_eq(c->upstream[0].name, "sendgrid");
	ck_assert_str_eq(c->upstream[0].host, "smtp.sendgrid.net");
	ck_assert_str_eq(c->upstream[0].username, "apikey");
	ck_assert_str_eq(c->upstream[0].password, "hunter-two");
	ck_assert_str_eq(c->upstream[0].password_file, scratch_path("key"));
	ck_assert_str_eq(c->file, scratch_path("a.conf"));
	ck_assert_str_eq(warned, "");
	config_unref(&c);
	ck_assert_ptr_null(c);
}
END_TEST

static void
check_top_defaults(const struct config *c)
{
	ck_assert_str_eq(c->spool_dir, "/var/lib/gatepost");
	ck_assert_str_eq(c->control_socket, "/run/gatepost/control.sock");
	ck_assert_str_eq(c->submit_socket, "/run/gatepost/submit.sock");
	ck_assert_str_eq(c->users_file, SYSCONFDIR "/gatepost/users");
	ck_assert_str_eq(c->aliases_file, "");
	ck_assert_str_eq(c->postmaster, "");
	ck_assert_str_eq(c->user, "gatepost");
	ck_assert(c->threads >= 1 && c->threads <= 4);
	ck_assert_int_eq(c->drain_ms, 30000);
	ck_assert_str_eq(c->alert.command, "");
	ck_assert_str_eq(c->alert.webhook, "");
	ck_assert_int_eq(c->alert.after_ms, 600000);
	ck_assert_int_eq(c->log.level, LOG_INFO);
	ck_assert_int_eq(c->log.format, LOG_LOGFMT);
	ck_assert_str_eq(c->metrics.listen, "");
	ck_assert(!c->metrics.addresses);
	ck_assert_str_eq(c->tls.certificate, "");
	ck_assert_str_eq(c->tls.key, "");
	ck_assert_int_eq(c->tls.min_version, 0);	/* TLS_1_2 */
	ck_assert_ptr_null(c->aliases);
	ck_assert(!c->is_state_dir);
}

static void
check_limits_and_queue_defaults(const struct config *c)
{
	static const int retry_s[] = { 30, 60, 120, 300, 600, 1200, 2400, 3600 };

	ck_assert_uint_eq(c->limits.message_size, 50 << 20);
	ck_assert_uint_eq(c->limits.recipients, 1000);
	ck_assert_uint_eq(c->limits.connections, 1000);
	ck_assert_uint_eq(c->limits.auth_failures, 3);
	ck_assert_uint_eq(c->limits.errors, 20);
	ck_assert_int_eq(c->limits.idle_timeout_ms, 300000);
	ck_assert_int_eq(c->limits.data_timeout_ms, 600000);
	ck_assert_uint_eq(c->limits.hops, 50);
	ck_assert_uint_eq(c->limits.min_free, 100 << 20);
	ck_assert_uint_eq(c->limits.user_rate.count, 0);
	ck_assert_uint_eq(c->limits.spool_size, 0);
	ck_assert(!c->limits.normalize);
	ck_assert_uint_eq(c->queue.nretry, 8);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(c->queue.retry_ms[i], retry_s[i] * 1000);
	ck_assert_int_eq(c->queue.expire_ms, 5 * 86400000);
	ck_assert_int_eq(c->queue.delay_warning_ms, 4 * 3600000);
	ck_assert_str_eq(c->queue.bounce_to, "");
	ck_assert_uint_eq(c->queue.bounce_limit.count, 60);
	ck_assert_int_eq(c->queue.bounce_limit.per_ms, 3600000);
	ck_assert_int_eq(c->queue.keep_history_ms, 86400000);
	ck_assert_uint_eq(c->queue.history_size, 256 << 20);
}

static void
check_upstream_defaults(const struct upstream *u)
{
	ck_assert_str_eq(u->provider, "");
	ck_assert_uint_eq(u->nchain, 3);
	ck_assert_uint_eq(u->chain[0].port, 587);
	ck_assert_int_eq(u->chain[0].tls, TLS_STARTTLS);
	ck_assert_uint_eq(u->chain[1].port, 465);
	ck_assert_int_eq(u->chain[1].tls, TLS_IMPLICIT);
	ck_assert_uint_eq(u->chain[2].port, 2525);
	ck_assert_str_eq(u->username, "");
	ck_assert_ptr_null(u->password);
	ck_assert_str_eq(u->password_file, "");
	ck_assert_str_eq(u->password_command, "");
	ck_assert_int_eq(u->auth, AUTH_AUTO);
	ck_assert_str_eq(u->oauth2.token_url, "");
	ck_assert(!u->oauth2.client_credentials);
	ck_assert(u->tls_verify);
	ck_assert_str_eq(u->tls_ca, "");
	ck_assert_str_eq(u->tls_name, u->host);
	ck_assert_int_eq(u->tls_min, 0);
	ck_assert_str_eq(u->source, "");
	ck_assert_uint_eq(u->connections, 8);
	ck_assert_uint_eq(u->max_recipients, 100);
	ck_assert_uint_eq(u->message_size, 0);
	ck_assert_int_eq(u->idle_ms, 30000);
	ck_assert_uint_eq(u->ntoo_fast, 0);
	ck_assert_uint_eq(u->messages_per_connection, 500);
	ck_assert_uint_eq(u->rate.count, 0);
	ck_assert_uint_eq(u->daily_quota, 0);
	ck_assert(!u->quota_recipients);
	ck_assert_int_eq(u->connect_timeout_ms, 10000);
	ck_assert_int_eq(u->reply_timeout_ms, 300000);
	ck_assert_int_eq(u->race_delay_ms, 300);
	ck_assert_int_eq(u->recheck_ms, 300000);
	ck_assert_str_eq(u->capture, "");
	ck_assert_str_eq(u->idempotency_header, "");
	ck_assert_str_eq(u->sender, "");
	ck_assert(!u->rewrite_from);
}

START_TEST(defaults)
{
	struct config *c = load(UP);

	check_top_defaults(c);
	check_limits_and_queue_defaults(c);
	check_upstream_defaults(&c->upstream[0]);
	ck_assert_uint_eq(c->nroute, 0);
	ck_assert_ptr_nonnull(strchr(c->hostname, '.'));
	config_unref(&c);
}
END_TEST

/* The sample is a file that loads, as it is and with its options no longer commented out,
 * and says nothing but the defaults.  (What two of them name depends on the machine.) */
START_TEST(sample)
{
	FILE *f = fopen("conf/gatepost.conf", "r");
	char line[256], text[16384] = HOST;
	struct config_options o = { .secrets = false };
	struct why why;
	struct config *c;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL) {
		char *at = line + strspn(line, "\t");

		if (at[0] == '#' && at[1] != ' ' && at[1] != '\t' && at[1] != '\n' &&
		    strstr(at, "hostname") == NULL &&
		    strstr(at, "providers_file") == NULL)
			memmove(at, at + 1, strlen(at));
		if (strcmp(at, "host = \"\"\n") == 0)
			strcpy(at, "host = \"h.example\"\n");
		if (strcmp(at, "upstreams = {}\n") == 0)
			strcpy(at, "upstreams = {NAME}\n");
		ck_assert_uint_lt(strlen(text) + strlen(line), sizeof text);
		strcat(text, line);
	}
	fclose(f);
	c = load_as(o, text, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	check_top_defaults(c);
	check_limits_and_queue_defaults(c);
	check_upstream_defaults(&c->upstream[0]);
	ck_assert_uint_eq(c->nroute, 1);
	ck_assert_uint_eq(c->nlisten, 1);
	ck_assert_int_eq(c->listen[0].tls, TLS_STARTTLS);
	config_unref(&c);
	o.no_upstream = true;
	o.file = "conf/gatepost.conf";
	c = load_as(o, NULL, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->nupstream, 0);
	config_unref(&c);
}
END_TEST

START_TEST(listens)
{
	static const struct { const char *address; enum tls_mode tls; } built_in[] = {
		{ "127.0.0.1:587", TLS_STARTTLS }, { "[::1]:587", TLS_STARTTLS },
		{ "127.0.0.1:465", TLS_IMPLICIT }, { "[::1]:465", TLS_IMPLICIT },
		{ "127.0.0.1:2525", TLS_STARTTLS }, { "[::1]:2525", TLS_STARTTLS },
	};
	struct config *c = load(HOST UP);

	ck_assert_uint_eq(c->nlisten, 6);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_str_eq(c->listen[i].address, built_in[i].address);
		ck_assert_int_eq(c->listen[i].tls, built_in[i].tls);
		ck_assert(c->listen[i].built_in && !c->listen[i].trusted_only &&
		    !c->listen[i].plaintext_auth);
	}
	config_unref(&c);
	c = load(HOST UP "listen \"192.0.2.1:465\" { }\nlisten \"[::]:10465\" { }\n"
	    "listen \"127.0.0.1:25\" { tls = none auth = trusted\n"
	    " trusted = {\"10.0.0.0/8\", \"::1\"} }\n"
	    "listen \"127.0.0.1:26\" { tls = none plaintext_auth = loopback }\n");
	ck_assert_uint_eq(c->nlisten, 4);
	ck_assert_int_eq(c->listen[0].tls, TLS_IMPLICIT);
	ck_assert_int_eq(c->listen[1].tls, TLS_STARTTLS);
	ck_assert(!c->listen[1].built_in);
	ck_assert_int_eq(c->listen[2].tls, TLS_NONE);
	ck_assert(c->listen[2].trusted_only);
	ck_assert_uint_eq(c->listen[2].ntrusted, 2);
	ck_assert_uint_eq(c->listen[2].trusted[0].bits, 104);
	ck_assert(c->listen[3].plaintext_auth);
	config_unref(&c);
}
END_TEST

START_TEST(values)
{
	struct config *c = load("\xef\xbb\xbf" "hostname = mx.example\r\n"
	    "threads = 2 drain = \"0\"\r\n"
	    "log { level = debug format = \"json\" }\n"
	    "limits { message_size = 1M user_rate = \"100/h\" spool_size = 2G\n"
	    "  bare_newline = normalize }\n"
	    "queue { retry = {1s, \"2m\"} delay_warning = 0 bounce_limit = \"\" }\n"
	    "upstream a { host = 127.0.0.1 chain = \"25/none\" username = u\n"
	    "  password = 'p\"\\'w' tls_name = other.example tls_min_version = 1.3\n"
	    "  too_fast = {\"421\", \"454 4.7.0\"} rate = \"\" rewrite_from = false }\n"
	    "upstream b { host = b.example auth = none username = me }\n"
	    "route r { from = \"*@example.com\" to = {} upstreams = {b, a} }\n"
	    "tls { min_version = 1.3 }\n");

	ck_assert_str_eq(c->hostname, "mx.example");
	ck_assert_uint_eq(c->threads, 2);
	ck_assert_int_eq(c->drain_ms, 0);
	ck_assert_int_eq(c->log.level, LOG_DEBUG);
	ck_assert_int_eq(c->log.format, LOG_JSON);
	ck_assert_uint_eq(c->limits.spool_size, UINT64_C(2) << 30);
	ck_assert_uint_eq(c->limits.user_rate.count, 100);
	ck_assert(c->limits.normalize);
	ck_assert_uint_eq(c->queue.nretry, 2);
	ck_assert_int_eq(c->queue.retry_ms[1], 120000);
	ck_assert_int_eq(c->queue.delay_warning_ms, 0);
	ck_assert_uint_eq(c->queue.bounce_limit.count, 0);
	ck_assert_int_eq(c->tls.min_version, 1);
	ck_assert_uint_eq(c->nupstream, 2);
	ck_assert_str_eq(c->upstream[0].password, "p\"'w");
	ck_assert_str_eq(c->upstream[0].tls_name, "other.example");
	ck_assert_int_eq(c->upstream[0].tls_min, 1);
	ck_assert_uint_eq(c->upstream[0].ntoo_fast, 2);
	ck_assert_int_eq(c->upstream[1].auth, AUTH_NONE);
	ck_assert_ptr_null(c->upstream[1].password);
	ck_assert_uint_eq(c->nroute, 1);
	ck_assert_str_eq(c->route[0].from.v[0], "*@example.com");
	ck_assert_uint_eq(c->route[0].to.n, 0);
	ck_assert_uint_eq(c->route[0].upstream[0], 1);
	ck_assert_uint_eq(c->route[0].upstream[1], 0);
	config_unref(&c);
}
END_TEST

#define TOKENS(upstream, oauth2) "upstream u { host = h username = u " upstream "\n oauth2 { token_url = \"https://t/\" client_id = x " oauth2 " } }\n"

static const struct {
	const char *text, *why;	/* behind the directory's name */
} refused[] = {
	{ "", "a.conf:1: upstream: there is none; add" },
	{ "spool_dirr = /x\n" UP, "a.conf:1: spool_dirr: no such option here; did you mean spool_dir?" },
	{ "\n\n# x\n/*\n*/errors = 3\n" UP, "a.conf:5: errors: no such option here; it belongs in the section limits" },
	{ "xyzzy = 3\n", "a.conf:1: xyzzy: no such option here; see gatepost.conf(5)" },
	{ "limits {\n hostname = x\n}\n", "a.conf:2: hostname: no such option here; it belongs outside of the sections" },
	{ "limits = 3\n", "a.conf:1: limits: is a section, but no { follows" },
	{ "limits errors = 3\n", "a.conf:1: limits: is a section, but no { follows" },
	{ "upstream { host = h }\n", "a.conf:1: upstream: is without a title" },
	{ "limits {\n errors 3\n}\n", "a.conf:2: errors: no = after it" },
	{ "limits { errors = , }\n", "a.conf:1: ,: is out of place" },
	{ "limits { errors = {1} }\n", "a.conf:1: {: is out of place" },
	{ "limits { errors = 3\n errors = 3 }\n", "a.conf:2: errors: given twice, first at " },
	{ "limits { }\nlimits { }\n", "a.conf:2: limits: given twice" },
	{ UP UP, "a.conf:2: upstream: `u' given twice" },
	{ "include(\"more.conf\")\n" UP, "more.conf:2: errors: `x' is not a number between 1 and 1000" },
	{ "include(\"none.conf\")\n", "a.conf:1: include: " },
	{ "hostname = ${UNSET}\n", "a.conf:1: hostname: ${UNSET} is not set; set it" },
	{ "hostname = \"\xc3\xa4.example\"\n" UP, "a.conf:1: hostname: `\xc3\xa4.example' is not a host name" },
	{ "drain = 30\n" UP, "a.conf:1: drain: `30' is not a duration; write it as 500ms, 30s" },
	{ "log {\n level = loud\n}\n", "a.conf:2: level: `loud' is none of error|warning|info|debug" },
	{ "spool_dir = \"\"\n", "a.conf:1: spool_dir: is empty; give it a value as /var/lib/gatepost" },
	{ "control_socket = /x\nsubmit_socket = /x\n" UP, "a.conf:2: submit_socket: is control_socket too" },
	{ "users_file = nobody\n" UP, "a.conf:1: users_file: " },
	{ "tls { certificate = cert.pem }\n" UP, "a.conf:1: certificate: certificate and key belong together" },
	{ "tls { key = key.pem }\n" UP, "a.conf:1: key: certificate and key belong together" },
	{ "tls { certificate = key.pem\n key = key.pem }\n" UP, "a.conf:1: certificate: " },
	{ "tls { certificate = cert.pem\n key = cert.pem }\n" UP, "a.conf:2: key: " },
	{ "tls { certificate = cert.pem\n key = locked.pem }\n" UP, "a.conf:2: key: " },
	{ "tls { key = none certificate = none }\n" UP, "a.conf:1: certificate: " },
	{ "aliases_file = none\n" UP, "a.conf:1: aliases_file: " },
	{ "aliases_file = badaliases\n" UP, "badaliases:2: " },
	/* listeners; C-25 */
	{ UP "listen \"localhost:587\" { }\n", "a.conf:2: listen: `localhost:587' is not an address and a port" },
	{ UP "listen \"127.0.0.1\" { }\n", "a.conf:2: listen: `127.0.0.1' is not" },
	{ UP "listen \"127.0.0.1:25\" {\n tls = none\n}\n", "a.conf:3: tls: none, with auth required and plaintext_auth no" },
	{ UP "listen \"127.0.0.1:25\" {\n tls = none auth = trusted\n}\n", "a.conf:3: tls: none, with auth required" },
	{ UP "listen \"127.0.0.1:25\" { tls = \"\" }\n", "a.conf:2: tls: is empty; give it one of none|starttls|implicit" },
	{ UP "listen \"127.0.0.1:25\" { auth = trusted trusted = {\"0.0.0.0/0\"} }\n", "a.conf:2: trusted: covers everyone" },
	{ UP "listen \"127.0.0.1:25\" { auth = trusted trusted = {\"::/0\"} }\n", "a.conf:2: trusted: covers everyone" },
	{ UP "listen \"127.0.0.1:25\" { trusted = {\"10.0.0.1/8\"} }\n", "a.conf:2: trusted: `10.0.0.1/8' is not a network" },
	/* upstreams */
	{ "upstream u { }\n", "a.conf:1: host: missing; add host = \"smtp.example.com\" or a provider" },
	{ "upstream \"a b\" { host = h }\n", "a.conf:1: upstream: `a b' is not a name" },
	{ "upstream u { host = h\n chain = {} }\n", "a.conf:2: chain: has 0 entries; give it 1 to 16" },
	{ "upstream u { host = h chain = {\"587/starttls\", \"465/implicit\", \"587/starttls\"} }\n", "a.conf:1: chain: 587/starttls is there twice" },
	{ "upstream u { host = h chain = {\"587/plain\"} }\n", "a.conf:1: chain: `587/plain' is not a port and a mode" },
	{ "upstream u { host = h\n username = x }\n", "a.conf:2: username: a user name without a password" },
	{ "upstream u { host = h\n oauth2 { grant = client_credentials } }\n", "a.conf:2: client_id: missing" },
	{ "upstream u { host = h username = x\n oauth2 { scope = s } }\n", "a.conf:2: client_id: missing" },
	{ "upstream u { host = h username = x\n oauth2 { token_url = \"https://t/\" } }\n", "a.conf:2: client_id: missing" },
	{ "upstream u { host = h\n password_file = key }\n", "a.conf:1: username: missing, though there is a password" },
	{ "upstream u { host = h username = u password = p\n password_file = key }\n", "a.conf:2: password_file: there is password already" },
	{ "upstream u { host = h username = u\n password_file = none }\n", "a.conf:2: password_file: " },
	{ "upstream u { host = h username = u\n password_file = open }\n", "a.conf:2: password_file: " },
	{ "upstream u { host = h username = u\n password_file = empty }\n", "a.conf:2: password_file: " },
	{ "upstream u { host = h username = u password = p\n chain = {\"465/implicit\", \"25/none\"} }\n", "a.conf:2: chain: 25/none would send the password in the clear to h" },
	{ "upstream u { host = h username = \"a\\tb\" password = p }\n", "a.conf:1: username: has control or 8-bit characters" },
	{ "upstream u { host = h\n tls_name = \"a b\" }\n", "a.conf:2: tls_name: `a b' is not a host name" },
	{ "upstream u { host = h\n tls_verify = no }\n", "a.conf:2: tls_verify: `no' is neither true nor false" },
	{ "upstream u { host = h\n tls_ca = none }\n", "a.conf:2: tls_ca: " },
	{ "upstream u { host = h\n tls_ca = empty }\n", "a.conf:2: tls_ca: " },
	{ "upstream u { host = h\n tls_ca = key.pem }\n", "a.conf:2: tls_ca: " },
	/* tokens */
	{ "upstream u { host = h username = u\n oauth2 { client_id = x } }\n", "a.conf:2: token_url: missing; where are tokens asked for?" },
	{ "upstream u { host = h username = u password = p\n oauth2 { token_url = \"https://t/\" } }\n", "a.conf:2: client_id: missing; tokens" },
	{ "upstream u { host = h username = u password = p\n oauth2 { refresh_token_file = key } }\n", "a.conf:2: client_id: missing; tokens" },
	{ TOKENS("", ""), "a.conf:2: refresh_token_file: missing; add it, or grant" },
	{ TOKENS("", "grant = client_credentials"), "a.conf:2: client_secret_file: missing; client_credentials needs it" },
	{ TOKENS("auth = plain", "refresh_token_file = key"), "a.conf:1: auth: sends a password, but oauth2 gives tokens" },
	{ TOKENS("password = p", "refresh_token_file = key"), "a.conf:1: oauth2: there is password already" },
	{ TOKENS("password_file = key", "refresh_token_file = key"), "a.conf:1: oauth2: there is password_file already" },
	{ TOKENS("", "refresh_token_file = none"), "a.conf:2: refresh_token_file: " },
	{ TOKENS("", "refresh_token_file = open"), "a.conf:2: refresh_token_file: " },
	{ TOKENS("", "refresh_token_file = key client_secret_file = empty"), "a.conf:2: client_secret_file: " },
	{ "upstream u { host = h\n oauth2 { token_url = \"https://t/\" client_id = x refresh_token_file = key } }\n", "a.conf:1: username: missing, though there is a password" },
	/* what nothing acts on yet */
	{ "upstream u {\n capture = \"m\" chain = {} }\n", "a.conf:2: chain: " },
	{ "upstream u { host = h\n rewrite_from = true }\n", "a.conf:2: rewrite_from: there is no address to write; add sender" },
	{ "alert {\n webhook = \"http://hooks.example/x\"\n}\n", "a.conf:2: webhook: plain http to another machine; use https" },
	{ "alert {\n webhook = \"http://127.0.0.1@hooks.example/x\"\n}\n", "a.conf:2: webhook: plain http to another machine" },
	{ "alert {\n webhook = x\n}\n", "a.conf:2: webhook: `...' is not a URL; write it as https://example.com/path" },
	{ "metrics {\n listen = x\n}\n", "a.conf:2: listen: `x' " },
	/* routes */
	{ UP "route r { }\n", "a.conf:2: upstreams: missing; name one upstream at least" },
	{ UP "route r {\n upstreams = {u, v}\n}\n", "a.conf:3: upstreams: `v' is not the name of an upstream" },
	{ UP "route r {\n upstreams = {u, u}\n}\n", "a.conf:3: upstreams: `u' is there twice" },
	{ UP "route r { upstreams = u }\nroute r { upstreams = u }\n", "a.conf:3: route: `r' given twice" },
};

START_TEST(tokens)
{
	struct config *c = load(TOKENS("", "refresh_token_file = key client_secret_file = key scope = \"a b\""));
	const struct upstream *u = &c->upstream[0];

	ck_assert(config_has_oauth2(u));
	ck_assert_str_eq(u->oauth2.token_url, "https://t/");
	ck_assert_str_eq(u->oauth2.refresh_token_file, scratch_path("key"));
	ck_assert_str_eq(u->oauth2.scope, "a b");
	ck_assert(!u->oauth2.client_credentials);
	ck_assert_ptr_null(u->password);
	config_unref(&c);
}
END_TEST

START_TEST(a_preset_with_tokens_leaves_passwords_alone)
{
	struct config *c;

	scratch_write("providers.conf", "provider \"p\" { host = h oauth2 { token_url = \"https://t/\" } }\n");
	c = load("providers_file = providers.conf\nupstream u { provider = p username = u password = p }\n");
	ck_assert(!config_has_oauth2(&c->upstream[0]));
	ck_assert_str_eq(c->upstream[0].password, "p");
	config_unref(&c);
}
END_TEST

START_TEST(refuses)
{
	struct config_options o = { .secrets = true };
	struct why why = { "" };
	char want[400];

	snprintf(want, sizeof want, "%s/%s", scratch_dir, refused[_i].why);
	ck_assert_ptr_null(load_as(o, refused[_i].text, &why));
	ck_assert_msg(strncmp(why.text, want, strlen(want)) == 0, "%s", why.text);
	ck_assert_ptr_null(strstr(why.text, "hunter-two"));
}
END_TEST

START_TEST(refuses_a_password_for_all_to_read)
{
	static const char text[] = HOST "\ninclude(\"pw.conf\")\n";
	static const char inside[] = "upstream u { host = h username = u\n password = p }\n";
	struct config_options o = { .secrets = true };
	struct why why;
	struct config *c;

	scratch_write_n("pw.conf", inside, sizeof inside - 1, 0644);
	ck_assert_ptr_null(load_as(o, text, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "pw.conf:2: password: others can read "
	    "this file (mode 644); chmod 640"));
	ck_assert_int_eq(chmod(scratch_path("pw.conf"), 0640), 0);
	c = load(text);
	ck_assert_str_eq(c->upstream[0].password, "p");
	config_unref(&c);
}
END_TEST

/* One line makes it harmless, whatever else stands there. */
START_TEST(capture)
{
	struct config *c = load(HOST "upstream u { host = h.example username = me password_file = \"no-such-file\"\n"
	    "  capture = mail }\n"
	    "upstream v { host = i.example auth = none }\n"
	    "route r { upstreams = {v, u} }\nroute s { upstreams = {u, v} }\n");
	const struct upstream *u = &c->upstream[0];

	ck_assert_str_eq(u->host, "");
	ck_assert_uint_eq(u->nchain, 0);
	ck_assert_ptr_null(u->password);
	ck_assert_str_eq(u->password_file, "");
	ck_assert(u->capture[0] == '/' && strcmp(strrchr(u->capture, '/'), "/mail") == 0);
	ck_assert_ptr_nonnull(strstr(warned, "upstream u: capture: its mail goes to /"));
	ck_assert_ptr_nonnull(strstr(warned, "without a route: upstream v stands behind u, which captures, and gets nothing"));
	ck_assert_ptr_nonnull(strstr(warned, "s: upstream v stands behind u"));
	ck_assert_ptr_null(strstr(warned, "r: upstream"));
	config_unref(&c);
}
END_TEST

START_TEST(warnings)
{
	struct config *c = load(HOST "upstream u { host = h tls_verify = false }\n"
	    "upstream v { provider = gmail }\n"
	    "upstream w { host = h.example auth = plain }\n"
	    "listen \"127.0.0.1:25\" { trusted = {\"10.0.0.0/8\"} }\n");

	ck_assert(!c->upstream[0].tls_verify);
	ck_assert_ptr_nonnull(strstr(warned, "upstream u: tls_verify = false"));
	ck_assert_ptr_nonnull(strstr(warned, "upstream v: no username and no password: gmail will"));
	ck_assert_ptr_nonnull(strstr(warned, "upstream w: no username and no password: h.example will"));
	ck_assert_ptr_nonnull(strstr(warned, "listen 127.0.0.1:25: trusted has no effect"));
	config_unref(&c);
}
END_TEST

/* Where nobody can log in, nobody needs users. */
START_TEST(users_file_of_trusted_listeners_only)
{
	struct config_options o = { .secrets = true };
	struct why why = { "" };
	struct config *c = load_as(o, HOST "users_file = none\n" UP
	    "listen \"127.0.0.1:2525\" { tls = none auth = trusted trusted = {\"127.0.0.0/8\"} }\n", &why);

	ck_assert_msg(c != NULL, "%s", why.text);
	config_unref(&c);
}
END_TEST

/* A command that only asks the daemon reads no other file, and needs no upstream. */
START_TEST(without_secrets)
{
	struct config_options o = { .no_upstream = true };
	struct why why = { "" };
	struct config *c = load_as(o, HOST "users_file = none\naliases_file = none\n"
	    "upstream u { host = h username = u password_file = none }\n"
	    "upstream v { host = h username = u password = p }\n", &why);

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_ptr_null(c->upstream[0].password);
	ck_assert_ptr_null(c->upstream[1].password);
	ck_assert_str_eq(c->upstream[0].password_file, scratch_path("none"));
	ck_assert_ptr_null(c->aliases);
	config_unref(&c);
}
END_TEST

START_TEST(files_and_credentials)
{
	struct config *c;

	ck_assert_int_eq(mkdir(scratch_path("cred"), 0700), 0);
	ck_assert_int_eq(mkdir(scratch_path("sub"), 0700), 0);
	scratch_write_n("cred/key", "from systemd", 12, 0444);
	scratch_write("sub/up.conf", "upstream u { host = h username = u\n"
	    "password_file = key tls_ca = ca }");
	scratch_write("sub/ca", "-----BEGIN CERTIFICATE-----\n");
	scratch_write("sub/key", "beside");
	c = load(HOST "include(\"sub/up.conf\")\naliases_file = aliases\n"
	    "users_file = \"./users\"\ncontrol_socket = c.sock");
	ck_assert_str_eq(c->upstream[0].password, "beside");
	ck_assert_str_eq(c->upstream[0].tls_ca, scratch_path("sub/ca"));
	ck_assert_str_eq(c->users_file, scratch_path("./users"));
	ck_assert_str_eq(c->control_socket, scratch_path("c.sock"));
	ck_assert_ptr_nonnull(aliases_find(c->aliases, STR("root")));
	config_unref(&c);
	setenv("CREDENTIALS_DIRECTORY", scratch_path("cred"), 1);
	c = load(NULL);
	ck_assert_str_eq(c->upstream[0].password, "from systemd");
	config_unref(&c);
}
END_TEST

/* Every file that a reload will read again is known. */
START_TEST(files_are_remembered)
{
	static const char *const want[] = { "a.conf", "up.conf", "cert.pem", "key.pem", "aliases", "key" };
	struct config *c;

	scratch_write("up.conf", "upstream u { host = h username = u password_file = key tls_ca = cert.pem }");
	c = load(HOST "include(\"up.conf\")\naliases_file = aliases\ntls { certificate = cert.pem key = key.pem }\n");
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		bool found = false;

		for (unsigned j = 0; j < c->files.n; j++)
			found |= strcmp(c->files.v[j], scratch_path(want[i])) == 0;
		ck_assert_msg(found, "%s", want[i]);
	}
	config_unref(&c);
}
END_TEST

/* What is missing is said as it is: to create a file that is there helps nobody. */
START_TEST(remedies)
{
	struct why why;
	pid_t pid;
	int status;

	ck_assert_int_lt(config_may_read(scratch_path("none"), &why), 0);
	ck_assert_msg(strstr(why.text, "none: cannot be opened: No such file or directory; create it") != NULL, "%s", why.text);
	ck_assert_int_eq(config_may_read(scratch_path("key"), &why), 0);
	if (geteuid() != 0)
		return;
	chmod(scratch_dir, 0711);
	ck_assert_int_eq(mkdir(scratch_path("shut"), 0700), 0);
	pid = fork();
	if (pid == 0) {
		struct users *u;
		int wrong = setgid(65534) | setuid(65534);

		/* A stranger is not told to take it for himself. */
		wrong |= config_may_read(scratch_path("key"), &why) == 0 || strstr(why.text, "mode 600); ask who may") == NULL;
		file_for_daemon();
		wrong |= config_may_read(scratch_path("key"), &why) == 0 || strstr(why.text, "may not read it (root:root, mode 600)") == NULL;
		wrong |= strstr(why.text, "chgrp nogroup and chmod g+r it") == NULL || strstr(why.text, "create") != NULL;
		wrong |= config_may_read(scratch_path("shut/x"), &why) == 0 || strstr(why.text, "may not enter /tmp/") == NULL;
		wrong |= strstr(why.text, "chmod g+x it") == NULL;
		wrong |= users_load(&u, scratch_path("users"), &why) == 0 || strstr(why.text, "chmod g+r it") == NULL ||
		    strstr(why.text, "gatepost passwd") != NULL;
		_exit(wrong);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* run --state DIR */
START_TEST(state)
{
	char dir[256];
	struct config_options o = { .state = dir, .secrets = true };
	struct why why;
	struct config *c;
	struct stat st;

	snprintf(dir, sizeof dir, "%s/state", scratch_dir);
	ck_assert_ptr_null(load_as(o, NULL, &why));	/* only the daemon makes it */
	ck_assert_msg(strstr(why.text, "state: does not exist; `gatepost run --state'") != NULL, "%s", why.text);
	ck_assert_int_lt(stat(scratch_path("state"), &st), 0);
	o.make_state = true;
	ck_assert_ptr_null(load_as(o, NULL, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "state/gatepost.conf: cannot be opened"));
	ck_assert_int_eq(stat(scratch_path("state"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	scratch_write("state/gatepost.conf", HOST UP);
	c = load_as(o, NULL, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert(c->is_state_dir);
	ck_assert_str_eq(c->spool_dir, scratch_path("state/spool"));
	ck_assert_str_eq(c->control_socket, scratch_path("state/control.sock"));
	ck_assert_str_eq(c->submit_socket, scratch_path("state/submit.sock"));
	ck_assert_str_eq(c->users_file, scratch_path("state/users"));
	ck_assert_str_eq(c->user, "");
	ck_assert_uint_eq(c->nlisten, 6);
	ck_assert_str_eq(c->listen[0].address, "127.0.0.1:10587");
	ck_assert_str_eq(c->listen[3].address, "[::1]:10465");
	ck_assert_int_eq(c->listen[3].tls, TLS_IMPLICIT);
	ck_assert_str_eq(c->listen[4].address, "127.0.0.1:12525");
	config_unref(&c);
	o.file = scratch_path("a.conf");
	c = load_as(o, HOST UP "spool_dir = own\nlisten \"127.0.0.1:587\" { }\n", &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_str_eq(c->spool_dir, scratch_path("own"));
	ck_assert_uint_eq(c->nlisten, 1);
	config_unref(&c);
	o.state = scratch_path("key");
	ck_assert_ptr_null(load_as(o, NULL, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "key: is not a directory"));
}
END_TEST

/* What a running daemon cannot change, and what it can. */
static const struct {
	const char *text, *option;
} changes[] = {
	{ "", NULL },
	{ "hostname = b.example", NULL },
	{ "users_file = x limits { errors = 3 } queue { retry = {1s} }", NULL },
	{ "upstream more { host = h }", NULL },
	{ "spool_dir = /x", "spool_dir" },
	{ "control_socket = /x", "control_socket" },
	{ "submit_socket = /x", "submit_socket" },
	{ "user = x", "user" },
	{ "threads = 9", "threads" },
	{ "listen \"127.0.0.1:587\" { }", "listen" },
};

START_TEST(needs_restart)
{
	struct config_options o = { 0 };
	struct config *old = load(HOST UP), *new;
	struct why why = { "" };
	char text[512];

	snprintf(text, sizeof text, "%s%s\n" UP, strncmp(changes[_i].text,
	    "hostname", 8) == 0 ? "" : HOST, changes[_i].text);
	new = load_as(o, text, &why);
	ck_assert_msg(new != NULL, "%s", why.text);
	ck_assert_pstr_eq(config_needs_restart(old, new), changes[_i].option);
	ck_assert_pstr_eq(config_needs_restart(new, new), NULL);
	config_unref(&old);
	config_unref(&new);
}
END_TEST

START_TEST(needs_restart_for_what_is_spoken)
{
	struct config *old = load(HOST UP "listen \"127.0.0.1:25\" { auth = trusted trusted = {\"10.0.0.0/8\"} }");
	struct config *new = load(HOST UP "listen \"127.0.0.1:25\" { auth = trusted trusted = {\"11.0.0.0/8\"} }");

	ck_assert_str_eq(config_needs_restart(old, new), "listen");
	config_unref(&new);
	new = load(HOST UP "listen \"127.0.0.1:25\" { trusted = {\"10.0.0.0/8\"} auth = trusted }");
	ck_assert_ptr_null(config_needs_restart(old, new));
	config_unref(&old);
	config_unref(&new);
}
END_TEST

START_TEST(references)
{
	struct config *a = load(HOST UP), *b = config_ref(a);

	ck_assert_ptr_eq(a, b);
	config_unref(&a);
	ck_assert_ptr_null(a);
	ck_assert_str_eq(b->hostname, "a.example");
	config_unref(&b);
	config_unref(&b);
}
END_TEST

/* C-32: any text ends in a config or in a reason; so does a good one, cut or spoiled. */
START_TEST(spoiled)
{
	static const char good[] = HOST "limits { errors = 3 }\nlisten \"127.0.0.1:25\" "
	    "{ trusted = {\"10.0.0.0/8\", '::1'} }\nupstream \"u\" { host = h.example "
	    "/* c */ chain = {\"25/none\"} # d\n oauth2 { grant = \"refresh_token\" } }\n";
	static const char spoil[] = "\"{}=,(#*\\\nx";
	struct config_options o = { 0 };
	char text[sizeof good];
	struct why why;
	struct config *c;

	for (size_t at = sizeof HOST - 1 + (size_t)_i; at < sizeof good - 1; at += 8)
		for (size_t s = 0; s < sizeof spoil; s++) {
			memcpy(text, good, sizeof good);
			text[at] = spoil[s];	/* the last cuts it */
			why.text[0] = warned[0] = '\0';
			c = load_as(o, text, &why);
			ck_assert(c != NULL || why.text[0] != '\0');
			config_unref(&c);
		}
}
END_TEST

Suite *test_load(void);

Suite *
test_load(void)
{
	Suite *s = suite_create("test_load");
	TCase *t = tcase_create("load");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, files, scratch_remove);
	tcase_add_test(t, four_lines);
	tcase_add_test(t, defaults);
	tcase_add_test(t, sample);
	tcase_add_test(t, listens);
	tcase_add_test(t, values);
	tcase_add_test(t, tokens);
	tcase_add_test(t, a_preset_with_tokens_leaves_passwords_alone);
	tcase_add_loop_test(t, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(t, refuses_a_password_for_all_to_read);
	tcase_add_test(t, capture);
	tcase_add_test(t, warnings);
	tcase_add_test(t, users_file_of_trusted_listeners_only);
	tcase_add_test(t, without_secrets);
	tcase_add_test(t, files_and_credentials);
	tcase_add_test(t, files_are_remembered);
	tcase_add_test(t, remedies);
	tcase_add_test(t, state);
	tcase_add_loop_test(t, needs_restart, 0, sizeof changes / sizeof changes[0]);
	tcase_add_test(t, needs_restart_for_what_is_spoken);
	tcase_add_test(t, references);
	tcase_add_loop_test(t, spoiled, 0, 8);
	suite_add_tcase(s, t);
	return s;
}
