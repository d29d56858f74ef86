/* One word of each kind: what is taken, and what is refused. */
#include "config/value.h"
#include "config/word.h"
#include "find_key.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LONG100 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *section, *option, *word;
	bool ok;
} cases[] = {
	{ "", "hostname", "mail.example.com", true },
	{ "", "hostname", "[192.0.2.1]", true },
	{ "", "hostname", "mail example", false },
	{ "", "hostname", "m\xc3\xa4il.example", false },
	{ "", "hostname", "mail\r\nX: y", false },
	{ "", "control_socket", "/" LONG100 "12345", true },
	{ "", "control_socket", "/" LONG100 "1234567", false },
	{ "", "control_socket", "", false },
	{ "", "spool_dir", "/a\nb", false },
	{ "", "postmaster", "root@example.com", true },
	{ "", "postmaster", "", true },
	{ "", "postmaster", "root", false },
	{ "", "postmaster", "<root@example.com>", false },
	{ "", "user", "", true },
	{ "", "threads", "64", true },
	{ "", "threads", "65", false },
	{ "", "threads", "-1", false },
	{ "", "threads", "1.5", false },
	{ "", "threads", "0x1", false },
	{ "", "threads", "99999999999999999999999", false },
	{ "", "drain", "0", true },
	{ "", "drain", "500ms", true },
	{ "", "drain", "30", false },
	{ "", "drain", "30 s", false },
	{ "", "drain", "2h", false },
	{ "", "drain", "", false },
	{ "log", "level", "debug", true },
	{ "log", "level", "Debug", false },
	{ "log", "level", "error|warning", false },
	{ "log", "level", "", false },
	{ "metrics", "listen", "127.0.0.1:9587", true },
	{ "metrics", "listen", "[::1]:9587", true },
	{ "metrics", "listen", "::1:9587", false },
	{ "metrics", "listen", "[127.0.0.1]:9587", false },
	{ "metrics", "listen", "localhost:9587", false },
	{ "metrics", "listen", "127.0.0.1", false },
	{ "metrics", "listen", "127.0.0.1:", false },
	{ "metrics", "listen", "127.0.0.1:0", false },
	{ "metrics", "listen", "127.0.0.1:65536", false },
	{ "metrics", "listen", "127.0.0.1:0587", false },
	{ "metrics", "addresses", "true", true },
	{ "metrics", "addresses", "yes", false },
	{ "metrics", "addresses", "", false },
	{ "listen", "tls", "", false },
	{ "limits", "message_size", "50M", true },
	{ "limits", "message_size", "1048576", true },
	{ "limits", "message_size", "50m", false },
	{ "limits", "message_size", "50MB", false },
	{ "limits", "message_size", "M", false },
	{ "limits", "message_size", "3G", false },
	{ "limits", "message_size", "1.5G", false },
	{ "limits", "min_free", "99999999999T", false },
	{ "limits", "spool_size", "", true },
	{ "limits", "user_rate", "100/h", true },
	{ "limits", "user_rate", "", true },
	{ "limits", "user_rate", "100", false },
	{ "limits", "user_rate", "0/h", false },
	{ "limits", "user_rate", "100/w", false },
	{ "queue", "bounce_limit", "", true },
	{ "upstream", "host", "smtp.example.com", true },
	{ "upstream", "host", "mail_pit", true },
	{ "upstream", "host", "192.0.2.1", true },
	{ "upstream", "host", "2001:db8::1", true },
	{ "upstream", "host", "smtp..example", false },
	{ "upstream", "host", "smtp.example.", false },
	{ "upstream", "host", "-smtp.example", false },
	{ "upstream", "host", "smtp.example:587", false },
	{ "upstream", "host", "sm\xc3\xa4tp.example", false },
	{ "upstream", "host", LONG100 ".example", false },
	{ "upstream", "username", "a@b c", true },
	{ "upstream", "username", "a\tb", false },
	{ "upstream", "username", "\xc3\xa4", false },
	{ "upstream", "username", LONG100 LONG100 LONG100, false },
	{ "upstream", "password", "p\xc3\xa4ss w\xff", true },
	{ "upstream", "tls_verify", "false", true },
	{ "upstream", "tls_verify", "no", false },
	{ "upstream", "tls_verify", "0", false },
	{ "upstream", "source", "192.0.2.1", true },
	{ "upstream", "source", "localhost", false },
	{ "upstream", "idempotency_header", "X-Key", true },
	{ "upstream", "idempotency_header", "X-Key:", false },
	{ "upstream", "idempotency_header", "X Key", false },
	{ "upstream", "idempotency_header", "X-K\xc3\xa9y", false },
	{ "upstream", "idempotency_header", LONG100, false },
	{ "upstream", "chain", "587/starttls", true },
	{ "upstream", "chain", "25/none", true },
	{ "upstream", "chain", "587", false },
	{ "upstream", "chain", "587/", false },
	{ "upstream", "chain", "/starttls", false },
	{ "upstream", "chain", "587/tls", false },
	{ "upstream", "chain", "0/none", false },
	{ "upstream", "chain", "65536/none", false },
	{ "upstream", "chain", "587/starttls ", false },
	{ "upstream", "too_fast", "421", true },
	{ "upstream", "too_fast", "454 4.7.0", true },
	{ "upstream", "too_fast", "550 5.4.5", true },
	{ "upstream", "too_fast", "550 5.123.456", true },
	{ "upstream", "too_fast", "250", false },
	{ "upstream", "too_fast", "42", false },
	{ "upstream", "too_fast", "600", false },
	{ "upstream", "too_fast", "421 ", false },
	{ "upstream", "too_fast", "421  4.7.0", false },
	{ "upstream", "too_fast", "421 4.7", false },
	{ "upstream", "too_fast", "421 2.7.0", false },
	{ "upstream", "too_fast", "421 4.7.0.0", false },
	{ "upstream", "too_fast", "421 4.1234.0", false },
	{ "upstream.oauth2", "token_url", "https://login.example.com/token?a=b", true },
	{ "upstream.oauth2", "token_url", "ftp://login.example.com", false },
	{ "upstream.oauth2", "token_url", "https://", false },
	{ "upstream.oauth2", "token_url", "https://a b", false },
	{ "queue", "retry", "30s", true },
	{ "queue", "retry", "0", false },
	{ "listen", "trusted", "10.0.0.0/8", true },
	{ "listen", "trusted", "10.0.0.1/8", false },
	{ "route", "from", "*@example.com", true },
	{ "route", "from", "a\nb", false },
};

START_TEST(words)
{
	union { struct config c; struct listen l; struct upstream u; struct route_rule r; } base;
	const struct key *k = find_key(cases[_i].section, cases[_i].option);
	const char *word = cases[_i].word;
	struct why why = { "" };
	int result;

	memset(&base, 0, sizeof base);
	ck_assert_ptr_nonnull(k);
	result = value_set(k, &base, &word, 1, &why);
	ck_assert_msg((result == 0) == cases[_i].ok, "%s = \"%s\": %s",
	    cases[_i].option, word, why.text);
	if (result < 0)		/* what is wrong; what to do */
		ck_assert_msg(strlen(why.text) > 10, "%s", why.text);
	value_clear(cases[_i].section, &base);
}
END_TEST

START_TEST(values)
{
	struct config c = { 0 };
	struct upstream u = { 0 };
	struct why why;
	uint64_t size;
	static const char *const reply[] = { "454 4.7.0", "421" };

	ck_assert(config_parse_size(STR("512K"), &size) && size == 524288);
	ck_assert(config_parse_size(STR("0"), &size) && size == 0);
	ck_assert(config_parse_size(STR("8388607T"), &size));
	ck_assert(!config_parse_size(STR("8388608T"), &size));
	ck_assert(!config_parse_size(STR(""), &size));
	ck_assert_int_eq(value_set(find_key("queue", "expire"), &c,
	    (const char *[]){ "2d" }, 1, &why), 0);
	ck_assert_int_eq(c.queue.expire_ms, 2 * 86400 * 1000);
	ck_assert_int_eq(value_set(find_key("upstream", "auth"), &u,
	    (const char *[]){ "login" }, 1, &why), 0);
	ck_assert_int_eq(u.auth, AUTH_LOGIN);
	ck_assert_int_eq(value_set(find_key("upstream", "too_fast"), &u, reply,
	    2, &why), 0);
	ck_assert_int_eq(u.too_fast[0].code, 454);
	ck_assert_str_eq(u.too_fast[0].status, "4.7.0");
	ck_assert_str_eq(u.too_fast[1].status, "");
	value_clear("upstream", &u);
	ck_assert_uint_eq(word_port(STR("[2001:db8::1]:25")), 25);
	ck_assert_uint_eq(word_port(STR("[::1]")), 0);
	ck_assert_uint_eq(word_port(STR("")), 0);
	ck_assert(word_is_name(STR("a-b_c.9")));
	ck_assert(!word_is_name(STR("a b")) && !word_is_name(STR("")));
	ck_assert(!word_is_name(STR("123456789012345678901234567890123456789012345678")));
}
END_TEST

/* C.2: a secret has no way into an error's text. */
START_TEST(secrets_stay_out_of_reasons)
{
	char word[2000];
	const char *one = word;
	struct upstream u = { 0 };
	struct why why = { "" };

	memset(word, 'S', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	ck_assert_int_eq(value_set(find_key("upstream", "password"), &u, &one,
	    1, &why), -1);
	ck_assert_ptr_null(strstr(why.text, "SS"));
}
END_TEST

Suite *test_word(void);

Suite *
test_word(void)
{
	Suite *s = suite_create("test_word");
	TCase *t = tcase_create("word");

	tcase_add_loop_test(t, words, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, values);
	tcase_add_test(t, secrets_stay_out_of_reasons);
	suite_add_tcase(s, t);
	return s;
}
