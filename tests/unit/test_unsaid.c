/*
 * What no complaint about a configuration may repeat (PROTOCOL.md C-16, C-29, C.2): whatever is wrong in or behind an
 * option that holds a secret, the reason has the file, the line and the option, and not a piece of the text.
 */
#include "config/config.h"
#include "config/unsaid.h"

#include "unit/scratch.h"

#define HOST "hostname = \"a.example\"\n"
#define UP HOST "upstream u {\nhost = h.example\nusername = me\n"	/* its next line is the fifth */

static char warned[1024];

static void
on_warn(void *arg, const char *text)
{
	(void)arg;
	ck_assert_uint_lt(strlen(warned) + strlen(text) + 2, sizeof warned);
	strcat(warned, text);
}

static void
files(void)
{
	scratch_make();
	warned[0] = '\0';
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("UNSET");
	setenv("HIDDEN", "smtp://me:Canary@h.example", 1);
	setenv("GATEPOST_PROVIDERS", "conf/providers.conf", 1);
	scratch_write("secret.conf", "\npassword = \"a\" \"x Canary\"\n");
	scratch_write("plain.conf", "host = h.example\n");
}

static const struct {
	const char *file, *why;	/* how the reason begins, behind the directory's name */
} refused[] = {
	/* variables that are none */
	{ UP "password = \"Tr0ub4dor${Canary-99\"\n}", "a.conf:5: password: ${ without its }; " },
	{ UP "password = \"Tr0ub4dor${Canary-99}x\"\n}", "a.conf:5: password: a ${} that does not name a variable; " },
	{ UP "password = \"a${Canary}\"\n}", "a.conf:5: password: a variable that is not set; " },
	{ UP "password = ${Canary}\n}", "a.conf:5: password: a variable that is not set; " },
	{ UP "password = ${Canary:x}\n}", "a.conf:5: password: a ${} that does not name a variable; " },
	{ "alert { webhook = \"https://h/${Canary}\" }", "a.conf:1: webhook: a variable that is not set; " },
	{ "alert {\nwebhook = \"https://h/x\" command = \"${Canary}\" }", "a.conf:2: command: a variable that is not set; " },
	{ "alert {\nwebhook = \"https://h/x\" after = \"${Canary}\" }", "a.conf:2: after: a variable that is not set; " },
	/* more words than one */
	{ UP "password = correct horse Canary\n}", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = correct Canary\n}", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = correct Canary = 3\n}", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = correct\ncanary = 3\n}", "a.conf:6: password: what follows its value is not an option; " },
	{ UP "password = \"a\" \"x Canary\"\n}", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = \"a\"\n\"x Canary\"\n}", "a.conf:6: what stands here is not the name of an option; " },
	{ UP "password = \"a\"\n\"canary\" = 3\n}", "a.conf:6: what stands here is not the name of an option; " },
	{ UP "password = a, Canary\n}", "a.conf:5: ,: is out of place" },
	{ UP "password = {Canary}\n}", "a.conf:5: {: is out of place" },
	{ UP "password = a{Canary}\n}", "a.conf:5: {: is out of place" },
	{ UP "password = a} Canary\n", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = a\n} Canary\n", "a.conf:6: password: what follows its value is not an option; " },
	{ UP "password Canary\n}", "a.conf:5: password: no = after it" },
	{ UP "password \"Canary x\" Canary\n}", "a.conf:5: password: no = after it" },
	{ UP "password = a*Canary\n}", "a.conf:5: password: " },
	{ UP "password = it's Canary\n}", "a.conf:5: password: no closing ' on this line; " },
	{ UP "password = \"x\"Canary\"\n}", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = \"Canary\n}", "a.conf:5: password: no closing \" on this line; " },
	{ UP "password = \"Canary\\9\"\n}", "a.conf:5: password: bad escape; " },
	{ UP "password = \"a\"\npassword = \"Canary\"\n}", "a.conf:6: password: given twice" },
	{ UP "password = \"a\\\nb\"Canary = 1\n}", "a.conf:6: password: what follows its value is not an option; " },
	/* options on the same line that may be its rest */
	{ UP "password = correct tls_verify = Canary\n}", "a.conf:5: tls_verify: is not taken; " },
	{ UP "password = correct include(Canary)\n}", "a.conf:5: include: is not taken; " },
	{ UP "password = a } upstream \"my Canary\" {\n}", "a.conf:5: upstream: is not taken; " },
	{ UP "password = a } upstream Canary { } upstream Canary {\n}", "a.conf:5: upstream: given twice" },
	{ UP "password = correct user Canary\n}", "a.conf:5: password: what follows its value is not an option; " },
	{ UP "password = \"a\" host }", "a.conf:5: password: what follows its value is not an option; " },
	/* something is missing before it */
	{ UP "chain = { 587/starttls, 465/implicit\npassword = \"Canary\"\n}", "a.conf:6: password: is out of place" },
	{ UP "chain = { 587/starttls, 465/implicit,\npassword = \"x${Canary}\"\n}", "a.conf:6: chain: a variable that is not set; " },
	{ UP "chain = { 587/starttls Canary }\n}", "a.conf:5: a word: is out of place" },
	{ UP "tls_name = \"a\\\npassword = \"Canary\"\n}", "a.conf:6: tls_name: what follows its value is not an option; " },
	{ UP "tls_name = \"a password = \"Canary\"\n}", "a.conf:5: tls_name: what follows its value is not an option; " },
	{ UP "tls_name = \"a password = \"Tr0${Canary}\"\n}", "a.conf:5: tls_name: a variable that is not set; " },
	{ UP "tls_name = \"a\npassword = \"Canary\"\n}", "a.conf:5: tls_name: no closing \"" },
	{ UP "/* x\npassword = \"Canary\"\n}", "a.conf:5: comment not closed" },
	/* misspelt */
	{ UP "pasword = \"Canary\"\n}", "a.conf:5: pasword: no such option here; did you mean password?" },
	{ UP "pasword = \"${Canary}\"\n}", "a.conf:5: pasword: a variable that is not set; " },
	{ UP "pasword = a Canary\n}", "a.conf:5: pasword: what follows its value is not an option; " },
	{ HOST "password = \"Canary\"\n", "a.conf:2: password: no such option here; it belongs in the section upstream" },
	{ UP "oauth2 { client_secret = \"Canary\" }\n}", "a.conf:5: client_secret: no such option here; " },
	{ UP "oauth2 { refresh_token = \"${Canary}\" }\n}", "a.conf:5: refresh_token: a variable that is not set; " },
	/* URLs are secrets */
	{ "alert {\n webhook = \"hooks.example/Canary\"\n}\n", "a.conf:2: webhook: `...' is not a URL; write it as https://" },
	{ "alert {\n webhook = \"https://h/a Canary\"\n}\n", "a.conf:2: webhook: has blanks" },
	{ "alert {\n webhook = https://h/a, Canary\n}\n", "a.conf:2: ,: is out of place" },
	{ "alert {\n webhook = \"http://h.example/Canary\"\n}\n", "a.conf:2: webhook: plain http to another machine" },
	/* other files, and what the environment holds */
	{ UP "include(\"secret.conf\")\n}", "secret.conf:2: password: what follows its value is not an option; " },
	{ UP "password = a include(\"plain.conf\")\n}", "plain.conf:1: host: given twice, first at " },
	{ HOST "upstream u { host = ${HIDDEN} }", "a.conf:2: host: `...' is not a host name" },
	{ HOST "upstream u { provider = ${HIDDEN} }", "a.conf:2: provider: what its variable holds is not in " },
	{ HOST "upstream ${HIDDEN} { host = h }", "a.conf:2: upstream: `...' is not a name" },
	{ HOST "upstream ${HIDDEN} { }\nupstream ${HIDDEN} { }", "a.conf:3: upstream: given twice" },
	{ HOST "listen ${HIDDEN} { }", "a.conf:2: listen: `...' is not an address and a port" },
	{ HOST "limits { errors = ${HIDDEN} }", "a.conf:2: errors: `...' is not a number between" },
	{ HOST "drain = ${HIDDEN}", "a.conf:2: drain: `...' is not a duration" },
	{ HOST "log { level = ${HIDDEN} }", "a.conf:2: level: `...' is none of" },
	{ HOST "queue { retry = { 1s, ${HIDDEN} } }", "a.conf:2: retry: `...' is not a duration" },
	{ UP "password = x\n}\nroute r { upstreams = { ${HIDDEN} } }", "a.conf:7: upstreams: `...' is not the name of an upstream" },
	{ "canary0123456789", "a.conf:1: the file ends before its value; complete it" },	/* a secret's file */
	{ HOST "${HIDDEN} = 3", "a.conf:2: what stands here is not the name of an option" },
};

START_TEST(C16_C29_nothing_of_a_secret_is_repeated)
{
	const struct config_options o = { .file = scratch_path("a.conf"), .secrets = true };
	struct config *c = NULL;
	struct why why = { "" };
	char want[256];

	scratch_write("a.conf", refused[_i].file);
	ck_assert_int_eq(config_load(&c, &o, on_warn, NULL, &why), -1);
	snprintf(want, sizeof want, "%s/%s", scratch_dir, refused[_i].why);
	ck_assert_msg(strncmp(why.text, want, strlen(want)) == 0, "%s", why.text);
	ck_assert_msg(strcasestr(why.text, "canary") == NULL, "%s", why.text);
	ck_assert_msg(strcasestr(warned, "canary") == NULL, "%s", warned);
}
END_TEST

/* What is no secret is still said, also beside one. */
static const struct {
	const char *file, *why;
} said[] = {
	{ "hostname = ${UNSET}", "a.conf:1: hostname: ${UNSET} is not set; set it" },
	{ "hostname = ${1x}", "a.conf:1: hostname: ${1x} does not name a variable" },
	{ "hostname = a\nfrobs = 1", "a.conf:2: frobs: no such option here" },
	{ UP "frobs = 1 }", "a.conf:5: frobs: no such option here" },
	{ HOST "upstream u { frobs = 1 }", "a.conf:2: frobs: no such option here" },
	{ UP "password = \"a\"\nfrobs = 1 }", "a.conf:6: frobs: no such option here" },
	{ UP "password = a\n}\nfrobs = 1", "a.conf:7: frobs: no such option here" },
	{ UP "password = a\ntls_verify = maybe }", "a.conf:6: tls_verify: `maybe' is neither true nor false" },
	{ UP "tls_verify = maybe password = a }", "a.conf:5: tls_verify: `maybe' is neither true nor false" },
	{ UP "password = a\n}\nupstream \"my x\" { }", "a.conf:7: upstream: `my x' is not a name" },
	{ UP "password = \"${A ${B\"\n}", "a.conf:5: password: ${ without its }; for the two characters themselves write \\${; between "
	    "double quotes write \\\" \\\\ \\${ for \" \\ ${, or use password_file" },
	{ UP "password = a b }", "a.conf:5: password: what follows its value is not an option; correct it, or if it belongs to the value write "
	    "the whole in double quotes, or use password_file" },
	{ HOST "Host = a", "a.conf:2: `Host' is not the name of an option" },
	{ UP "tls-verify = false }", "a.conf:5: `tls-verify' is not the name of an option" },
	{ UP "oauth2 { token_url = \"https://t/\" client_id = \"x\" refresh_token_file = \"\" grant = \"y\" }\n}", "a.conf:5: grant: `y' is none of" },
	{ UP "tls_verify = { a b }", "a.conf:5: {: is out of place" },
	{ UP "tls_name = a b }", "a.conf:5: tls_name: what follows its value is not an option; correct it, or if it belongs to the value write "
	    "the whole in double quotes" },
};

START_TEST(what_is_no_secret_is_said)
{
	const struct config_options o = { .file = scratch_path("a.conf"), .secrets = true };
	struct config *c = NULL;
	struct why why = { "" };
	char want[384];

	scratch_write("a.conf", said[_i].file);
	ck_assert_int_eq(config_load(&c, &o, on_warn, NULL, &why), -1);
	snprintf(want, sizeof want, "%s/%s", scratch_dir, said[_i].why);
	ck_assert_msg(strncmp(why.text, want, strlen(want)) == 0, "%s", why.text);
}
END_TEST

Suite *test_unsaid(void);

Suite *
test_unsaid(void)
{
	Suite *s = suite_create("test_unsaid");
	TCase *t = tcase_create("unsaid");

	tcase_add_checked_fixture(t, files, scratch_remove);
	tcase_add_loop_test(t, C16_C29_nothing_of_a_secret_is_repeated, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(t, what_is_no_secret_is_said, 0, sizeof said / sizeof said[0]);
	suite_add_tcase(s, t);
	return s;
}
