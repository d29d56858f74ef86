/* conf/providers.conf, and presets in general. */
#include "config/config.h"
#include "config/providers.h"

#include "unit/scratch.h"

#define SHIPPED "conf/providers.conf"	/* tests run at the root of the tree */

/* What PROVIDERS.md says of some, in the shape of a chain. */
static const struct {
	const char *name, *host, *chain, *username;
} facts[] = {
	{ "gmail", "smtp.gmail.com", "587s 465i", "" },
	{ "google-workspace", "smtp-relay.gmail.com", "587s 465i", "" },
	{ "office365", "smtp.office365.com", "587s", "" },
	{ "outlook", "smtp-mail.outlook.com", "587s", "" },
	{ "yahoo", "smtp.mail.yahoo.com", "465i 587s", "" },
	{ "icloud", "smtp.mail.me.com", "587s", "" },
	{ "zoho", "smtp.zoho.com", "587s 465i", "" },
	{ "fastmail", "smtp.fastmail.com", "587s 465i", "" },
	{ "mailgun", "smtp.mailgun.org", "587s 465i 2525s", "" },
	{ "mailgun-eu", "smtp.eu.mailgun.org", "587s 465i 2525s", "" },
	{ "ses", "", "587s 465i 2587s 2465i", "" },
	{ "mandrill", "smtp.mandrillapp.com", "587s 465i 2525s", "" },
	{ "sparkpost", "smtp.sparkpostmail.com", "587s 2525s", "SMTP_Injection" },
	{ "sparkpost-eu", "smtp.eu.sparkpostmail.com", "587s 2525s", "SMTP_Injection" },
	{ "sendgrid", "smtp.sendgrid.net", "587s 465i 2525s", "apikey" },
	{ "mailjet", "in-v3.mailjet.com", "587s 465i 2525s", "" },
	{ "postmark", "smtp.postmarkapp.com", "587s 2525s", "" },
	{ "brevo", "smtp-relay.brevo.com", "587s 465i 2525s", "" },
	{ "smtp2go", "mail.smtp2go.com", "587s 465i 2525s 8025s 8465i 443i 80s", "" },
	{ "socketlabs", "smtp.socketlabs.com", "587s 465i 2525s", "" },
	{ "mailtrap", "live.smtp.mailtrap.io", "587s 2525s", "api" },
	{ "mailtrap-bulk", "bulk.smtp.mailtrap.io", "587s 2525s", "api" },
	{ "resend", "smtp.resend.com", "587s 465i 2587s 2465i", "resend" },
	{ "scaleway", "smtp.tem.scw.cloud", "587s 465i 2587s 2465i", "" },
	{ "ovh", "ssl0.ovh.net", "587s 465i", "" },
	{ "mailchannels", "smtp.mailchannels.net", "587s 465i 2525s", "" },
	{ "smtpeter", "mail.smtpeter.com", "587s 465i 2525s", "" },
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
	if (facts[_i].username[0] == '\0' || facts[_i].host[0] == '\0')
		return;
	snprintf(text, sizeof text, "provider = %s\npassword = p\n", facts[_i].name);
	c = load(text, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_str_eq(c->upstream[0].username, facts[_i].username);
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
	tcase_add_test(t, shipped_is_whole);
	tcase_add_test(t, limits_and_quirks);
	tcase_add_loop_test(t, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(t, file_is_read_when_needed);
	suite_add_tcase(s, t);
	return s;
}
