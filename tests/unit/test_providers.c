/* conf/providers.conf, and presets in general. */
#include "config/config.h"
#include "config/providers.h"

#include "unit/scratch.h"

#define SHIPPED "conf/providers.conf"	/* tests run at the root of the tree */

/* What is known of each: name, host, chain, user name; then the limits, 0 or NULL where nothing is said. */
static const struct {
	const char *name, *host, *chain, *username;
	unsigned connections, recipients, messages, mib, quota;
	const char *rate, *too_fast;
	enum auth_method auth;
} facts[] = {
	{ .name = "gmail", .host = "smtp.gmail.com", .chain = "587s 465i", .mib = 25, .quota = 500,
	  .too_fast = "454/4.7.0 421/4.7.0 450/4.2.1 550/5.4.5" },
	{ .name = "google-workspace", .host = "smtp-relay.gmail.com", .chain = "587s 465i", .quota = 10000,
	  .too_fast = "450/4.2.1 421/4.7.0 550/5.4.5" },
	{ .name = "office365", .host = "smtp.office365.com", .chain = "587s", .connections = 3, .quota = 10000, .rate = "30/60",
	  .too_fast = "432/4.3.2" },
	{ .name = "outlook", .host = "smtp-mail.outlook.com", .chain = "587s" },
	{ .name = "yahoo", .host = "smtp.mail.yahoo.com", .chain = "465i 587s" },
	{ .name = "icloud", .host = "smtp.mail.me.com", .chain = "587s" },
	{ .name = "zoho", .host = "smtp.zoho.com", .chain = "587s 465i" },
	{ .name = "fastmail", .host = "smtp.fastmail.com", .chain = "587s 465i" },
	{ .name = "mailgun", .host = "smtp.mailgun.org", .chain = "587s 465i 2525s" },
	{ .name = "mailgun-eu", .host = "smtp.eu.mailgun.org", .chain = "587s 465i 2525s" },
	{ .name = "ses", .host = "", .chain = "587s 465i 2587s 2465i", .messages = 100, .too_fast = "454/" },
	{ .name = "mandrill", .host = "smtp.mandrillapp.com", .chain = "587s 465i 2525s", .username = "gatepost" },
	{ .name = "sparkpost", .host = "smtp.sparkpostmail.com", .chain = "587s 2525s", .username = "SMTP_Injection",
	  .messages = 100, .auth = AUTH_LOGIN },
	{ .name = "sparkpost-eu", .host = "smtp.eu.sparkpostmail.com", .chain = "587s 2525s", .username = "SMTP_Injection",
	  .messages = 100, .auth = AUTH_LOGIN },
	{ .name = "sendgrid", .host = "smtp.sendgrid.net", .chain = "587s 465i 2525s", .username = "apikey", .messages = 5000 },
	{ .name = "mailjet", .host = "in-v3.mailjet.com", .chain = "587s 465i 2525s" },
	{ .name = "postmark", .host = "smtp.postmarkapp.com", .chain = "587s 2525s" },
	{ .name = "brevo", .host = "smtp-relay.brevo.com", .chain = "587s 465i 2525s" },
	{ .name = "smtp2go", .host = "mail.smtp2go.com", .chain = "587s 465i 2525s 8025s 8465i 443i 80s" },
	{ .name = "socketlabs", .host = "smtp.socketlabs.com", .chain = "587s 465i 2525s", .connections = 20,
	  .recipients = 500, .messages = 50, .mib = 40, .too_fast = "421/4.4.5" },
	{ .name = "mailtrap", .host = "live.smtp.mailtrap.io", .chain = "587s 2525s", .username = "api" },
	{ .name = "mailtrap-bulk", .host = "bulk.smtp.mailtrap.io", .chain = "587s 2525s", .username = "api" },
	{ .name = "resend", .host = "smtp.resend.com", .chain = "587s 465i 2587s 2465i", .username = "resend" },
	{ .name = "scaleway", .host = "smtp.tem.scw.cloud", .chain = "587s 465i 2587s 2465i", .recipients = 10, .mib = 50 },
	{ .name = "ovh", .host = "ssl0.ovh.net", .chain = "587s 465i" },
	{ .name = "mailchannels", .host = "smtp.mailchannels.net", .chain = "587s 465i 2525s" },
	{ .name = "smtpeter", .host = "mail.smtpeter.com", .chain = "587s 465i 2525s" },
};
#define FACTS (int)(sizeof facts / sizeof facts[0])

static void
make(void)
{
	scratch_make();
	setenv("GATEPOST_PROVIDERS", SHIPPED, 1);
}

static struct config *
load(const char *upstream, struct why *why)
{
	struct config_options o = { .file = scratch_path("a.conf") };
	struct config *c = NULL;
	char text[1024];

	snprintf(text, sizeof text, "hostname = \"a.example\"\nupstream u {\n%s\n}\n",
	    upstream);
	scratch_write("a.conf", text);
	if (config_load(&c, &o, NULL, NULL, why) < 0)
		ck_assert_ptr_null(c);
	return c;
}

START_TEST(shipped)
{
	char text[256], chain[128] = "";
	struct config *c;
	struct upstream *u;
	struct why why;

	snprintf(text, sizeof text, "provider = %s\nusername = me\n"
	    "password = p\n%s", facts[_i].name,
	    facts[_i].host[0] == '\0' ? "host = h.example" : "");
	c = load(text, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	u = &c->upstream[0];
	ck_assert_str_eq(u->provider, facts[_i].name);
	if (facts[_i].host[0] != '\0')
		ck_assert_str_eq(u->host, facts[_i].host);
	ck_assert_str_eq(u->tls_name, u->host);
	ck_assert_str_eq(u->username, "me");
	for (unsigned i = 0; i < u->nchain; i++) {
		size_t n = strlen(chain);

		snprintf(chain + n, sizeof chain - n, "%s%u%c", i > 0 ? " " : "",
		    u->chain[i].port, u->chain[i].tls == TLS_IMPLICIT ? 'i' : 's');
		ck_assert_uint_ne(u->chain[i].port, 25);
		ck_assert_int_ne(u->chain[i].tls, TLS_NONE);
	}
	ck_assert_str_eq(chain, facts[_i].chain);
	config_unref(&c);
	if (facts[_i].username == NULL)
		return;
	snprintf(text, sizeof text, "provider = %s\npassword = p\n", facts[_i].name);
	c = load(text, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_str_eq(c->upstream[0].username, facts[_i].username);
	config_unref(&c);
}
END_TEST

static void
print_too_fast(const struct upstream *u, char *out, size_t size)
{
	out[0] = '\0';
	for (unsigned i = 0; i < u->ntoo_fast; i++) {
		size_t n = strlen(out);

		snprintf(out + n, size - n, "%s%d/%s", i > 0 ? " " : "", u->too_fast[i].code, u->too_fast[i].status);
	}
}

/* Where nothing is said of a limit, ours is the default. */
START_TEST(limits)
{
	char text[256], too_fast[128], rate[64] = "";
	struct config *c;
	struct upstream *u;
	struct why why;

	snprintf(text, sizeof text, "provider = %s\nusername = me password = p\n%s", facts[_i].name,
	    facts[_i].host[0] == '\0' ? "host = h.example" : "");
	c = load(text, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	u = &c->upstream[0];
	ck_assert_uint_eq(u->connections, facts[_i].connections != 0 ? facts[_i].connections : 8);
	ck_assert_uint_eq(u->max_recipients, facts[_i].recipients != 0 ? facts[_i].recipients : 100);
	ck_assert_uint_eq(u->messages_per_connection, facts[_i].messages != 0 ? facts[_i].messages : 500);
	ck_assert_uint_eq(u->message_size, (uint64_t)facts[_i].mib << 20);
	ck_assert_uint_eq(u->daily_quota, facts[_i].quota);
	ck_assert_int_eq(u->quota_recipients, facts[_i].quota == 10000);
	ck_assert_int_eq(u->auth, facts[_i].auth);
	ck_assert_int_le(u->idle_ms, 30 * 1000);
	if (u->rate.count > 0)
		snprintf(rate, sizeof rate, "%lld/%lld", (long long)u->rate.count, (long long)u->rate.per_ms / 1000);
	ck_assert_str_eq(rate, facts[_i].rate != NULL ? facts[_i].rate : "");
	print_too_fast(u, too_fast, sizeof too_fast);
	ck_assert_str_eq(too_fast, facts[_i].too_fast != NULL ? facts[_i].too_fast : "");
	config_unref(&c);
}
END_TEST

/* A provider with several regions: the preset, and a host of ours. */
static const struct { const char *name, *host; unsigned nchain; } regions[] = {
	{ "ses", "email-smtp.eu-central-1.amazonaws.com", 4 },
	{ "zoho", "smtppro.zoho.eu", 2 },
	{ "mailgun", "smtp.eu.mailgun.org", 3 },
	{ "postmark", "smtp-broadcasts.postmarkapp.com", 2 },
};

START_TEST(a_region)
{
	char text[256];
	struct config *c;
	struct why why;

	snprintf(text, sizeof text, "provider = %s host = %s username = u password = p", regions[_i].name, regions[_i].host);
	c = load(text, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_str_eq(c->upstream[0].host, regions[_i].host);
	ck_assert_str_eq(c->upstream[0].tls_name, regions[_i].host);
	ck_assert_uint_eq(c->upstream[0].nchain, regions[_i].nchain);
	config_unref(&c);
}
END_TEST

/* The file has those that are tested above, no others, and a note on each. */
START_TEST(shipped_is_whole)
{
	struct providers p;
	struct tree_section top, s;
	struct why why;
	unsigned n = 0;

	providers_init(&p, SHIPPED);
	ck_assert_msg(providers_read(&p, &why) == 0, "%s", why.text);
	top = tree_top(&p.tree);
	for (; s = tree_section(&top, "provider", n), s.cfg != NULL; n++)
		ck_assert_str_ne(providers_note(&s), "");
	ck_assert_int_eq((int)n, FACTS);
	for (int i = 0; i < FACTS; i++)
		ck_assert_int_eq(providers_get(&p, facts[i].name, &s, &why), 0);
	providers_clear(&p);
}
END_TEST

START_TEST(limits_and_quirks)
{
	struct why why;
	struct config *c = load("provider = socketlabs username = u password = p "
	    "connections = 3", &why);

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->upstream[0].connections, 3);	/* ours wins */
	ck_assert_uint_eq(c->upstream[0].max_recipients, 500);
	ck_assert_uint_eq(c->upstream[0].messages_per_connection, 50);
	ck_assert_uint_eq(c->upstream[0].message_size, 40 << 20);
	ck_assert_uint_eq(c->upstream[0].ntoo_fast, 1);
	ck_assert_str_eq(c->upstream[0].too_fast[0].status, "4.4.5");
	config_unref(&c);
	/* What only presets may say yet is stored. */
	c = load("provider = office365 username = u password = p", &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->upstream[0].rate.count, 30);
	ck_assert_uint_eq(c->upstream[0].daily_quota, 10000);
	ck_assert(c->upstream[0].quota_recipients);
	config_unref(&c);
	c = load("provider = resend password = p", &why);
	ck_assert_str_eq(c->upstream[0].idempotency_header, "Resend-Idempotency-Key");
	config_unref(&c);
	c = load("provider = sparkpost password = p chain = {\"2525/starttls\"}", &why);
	ck_assert_int_eq(c->upstream[0].auth, AUTH_LOGIN);
	ck_assert_uint_eq(c->upstream[0].nchain, 1);
	config_unref(&c);
}
END_TEST

static const struct {
	const char *providers;	/* NULL: the shipped ones */
	const char *upstream, *why;
} refused[] = {
	{ NULL, "provider = sendgird", "a.conf:3: provider: `sendgird' is not in /" },
	{ NULL, "provider = sendgird", "/" SHIPPED "; did you mean sendgrid?" },
	{ NULL, "provider = xyz", "provider: `xyz' is not in " },
	{ NULL, "provider = sendgrid", "a.conf:2: username: a user name without a "
	    "password; add password_file: the password is an API key" },
	{ NULL, "provider = gmail password = p", "a.conf:2: username: missing, "
	    "though there is a password; add it: username is the full address" },
	{ NULL, "provider = ses username = u password = p", "a.conf:2: host: missing; "
	    "add host = \"smtp.example.com\": host is email-smtp.REGION" },
	{ "provider a { host = h chain = {\"25/starttls\"} }", "provider = a",
	    "p.conf:1: chain: 25/starttls must not come from a preset" },
	{ "provider a { host = h chain = {\"587/none\"} }", "provider = a",
	    "p.conf:1: chain: 587/none must not come from a preset" },
	{ "provider a { host = h }\nprovider a { host = i }", "provider = a",
	    "p.conf:2: provider: `a' given twice, first at " },
	{ "provider a { host = h\nconnections = 0 }", "provider = a",
	    "p.conf:2: connections: `0' is not a number between 1 and 1000" },
	{ "provider a {\n password = x }", "provider = a",
	    "p.conf:2: password: no such option here" },
	{ "hostname = x", "provider = a", "p.conf:1: hostname: no such option here" },
	{ "provider a {", "provider = a", "p.conf:1: provider: the section is not "
	    "closed" },
};

START_TEST(refuses)
{
	struct why why = { "" };

	if (refused[_i].providers != NULL)
		setenv("GATEPOST_PROVIDERS", scratch_write("p.conf",
		    refused[_i].providers), 1);
	ck_assert_ptr_null(load(refused[_i].upstream, &why));
	ck_assert_msg(strstr(why.text, refused[_i].why) != NULL, "%s", why.text);
}
END_TEST

/* No upstream names a preset: then the file need not be there, unless it was named. */
START_TEST(file_is_read_when_needed)
{
	struct why why;
	struct config_options o = { .file = scratch_path("a.conf") };
	struct config *c;

	setenv("GATEPOST_PROVIDERS", scratch_path("none"), 1);
	c = load("host = h", &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	config_unref(&c);
	ck_assert_ptr_null(load("provider = gmail", &why));
	ck_assert_ptr_nonnull(strstr(why.text, "none: cannot be opened"));
	scratch_write("a.conf", "hostname = a.b\nproviders_file = mine.conf\n"
	    "upstream u { host = h }");
	ck_assert_int_eq(config_load(&c, &o, NULL, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "mine.conf: cannot be opened"));
	scratch_write("mine.conf", "provider mine { host = mine.example }");
	scratch_write("a.conf", "hostname = a.b\nproviders_file = mine.conf\n"
	    "upstream u { provider = mine }");
	ck_assert_msg(config_load(&c, &o, NULL, NULL, &why) == 0, "%s", why.text);
	ck_assert_str_eq(c->upstream[0].host, "mine.example");
	config_unref(&c);
}
END_TEST

Suite *test_providers(void);

Suite *
test_providers(void)
{
	Suite *s = suite_create("test_providers");
	TCase *t = tcase_create("providers");

	tcase_add_checked_fixture(t, make, scratch_remove);
	tcase_add_loop_test(t, shipped, 0, FACTS);
	tcase_add_loop_test(t, limits, 0, FACTS);
	tcase_add_loop_test(t, a_region, 0, sizeof regions / sizeof regions[0]);
	tcase_add_test(t, shipped_is_whole);
	tcase_add_test(t, limits_and_quirks);
	tcase_add_loop_test(t, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(t, file_is_read_when_needed);
	suite_add_tcase(s, t);
	return s;
}
