/* Token requests: the form, and every kind of answer.  B-018…B-020 rest on what is a refusal and what is not. */
#include "net/oauth.h"

#include "base/mem.h"
#include "base/veil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

static const struct oauth_request refresh = {
	.client_id = "id@x", .client_secret = "s&=%+ \xc3\xa4", .refresh_token = "1//0g-_~.*", .scope = "https://mail/ a" };

START_TEST(forms)
{
	static const struct oauth_request client = { .client_id = "id", .client_secret = "s", .scope = "" };
	static const struct oauth_request open = { .client_id = "id", .client_secret = "", .refresh_token = "r", .scope = "" };
	static const struct { const struct oauth_request *r; const char *form; } forms_[] = {
		{ &refresh, "grant_type=refresh_token&client_id=id%40x&client_secret=s%26%3D%25%2B+%C3%A4"
		    "&refresh_token=1%2F%2F0g-_%7E.*&scope=https%3A%2F%2Fmail%2F+a" },
		{ &client, "grant_type=client_credentials&client_id=id&client_secret=s" },
		{ &open, "grant_type=refresh_token&client_id=id&refresh_token=r" },
	};
	struct buf b = { 0 };

	oauth_form(&b, forms_[_i].r);
	ck_assert_str_eq(b.data, forms_[_i].form);
	buf_clear(&b);
}
END_TEST

static const struct {
	const char *body;
	const char *access, *refresh;
	int64_t expires_s;
} good[] = {
	{ "{\"access_token\":\"ya29.A-b_c~+/=\",\"token_type\":\"Bearer\",\"expires_in\":3599}", "ya29.A-b_c~+/=", NULL, 3599 },
	{ " {\"token_type\":\"bearer\",\"access_token\":\"t\",\"refresh_token\":\"r2\",\"expires_in\":\"60\"} ", "t", "r2", 60 },
	{ "{\"access_token\":\"t\"}", "t", NULL, 0 },
	{ "{\"access_token\":\"t\",\"expires_in\":null,\"refresh_token\":null}", "t", NULL, 0 },
	{ "{\"access_token\":\"t\",\"expires_in\":1e30}", "t", NULL, 86400 },
	{ "{\"access_token\":\"t\",\"expires_in\":99999999}", "t", NULL, 86400 },
	{ "{\"access_token\":\"t\",\"expires_in\":\"99999999\"}", "t", NULL, 86400 },
	{ "{\"access_token\":\"t\",\"expires_in\":1.5}", "t", NULL, 1 },
	{ "{\"access_token\":\"t\",\"refresh_token\":\"a b\"}", "t", NULL, 0 },	/* nothing that we could use */
	{ "{\"access_token\":\"t\",\"refresh_token\":7}", "t", NULL, 0 },
};

START_TEST(tokens)
{
	struct oauth_reading r;

	oauth_read(&r, &(struct http_answer){ .status = 200, .body = str_of(good[_i].body), .why = "" }, &refresh);
	ck_assert_msg(r.answer.result == OAUTH_TOKEN, "%s: %s", good[_i].body, r.answer.words);
	ck_assert_str_eq(r.answer.access, good[_i].access);
	ck_assert_pstr_eq(r.answer.refresh, good[_i].refresh);
	ck_assert_int_eq(r.answer.expires_s, good[_i].expires_s);
	oauth_reading_clear(&r);
}
END_TEST

static const struct {
	int status;
	const char *body;
	enum oauth_result result;
	const char *words;
} bad[] = {
	{ 400, "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or revoked.\"}", OAUTH_REFUSED,
	    "the token endpoint says invalid_grant: Token has been expired or revoked." },
	{ 401, "{\"error\":\"invalid_client\"}", OAUTH_REFUSED, "the token endpoint says invalid_client" },
	{ 400, "{\"error\":\"invalid_scope\",\"error_description\":7}", OAUTH_REFUSED, "says invalid_scope" },
	{ 400, "{\"error\":\"temporarily_unavailable\"}", OAUTH_LATER, "says temporarily_unavailable" },
	{ 400, "{\"error\":\"slow_down\"}", OAUTH_LATER, "says slow_down" },
	{ 401, "<html>", OAUTH_REFUSED, "401: client_id or its secret is wrong" },
	{ 404, "not found", OAUTH_LATER, "answers 404: check token_url" },
	{ 302, "", OAUTH_LATER, "answers 302: check token_url" },
	{ 429, "{\"error\":\"invalid_grant\"}", OAUTH_LATER, "answers 429: try later" },
	{ 503, "{\"error\":\"invalid_grant\"}", OAUTH_LATER, "answers 503: try later" },
	{ 200, "{\"error\":\"invalid_grant\",\"access_token\":\"t\"}", OAUTH_LATER, "200 without a token" },
	{ 200, "", OAUTH_LATER, "200 without a token" },
	{ 200, "{", OAUTH_LATER, "200 without a token" },
	{ 200, "[]", OAUTH_LATER, "200 without a token" },
	{ 200, "\"access_token\"", OAUTH_LATER, "200 without a token" },
	{ 200, "{\"access_token\":\"a\",\"access_token\":\"b\"}", OAUTH_LATER, "200 without a token" },
	{ 200, "{\"access_token\":\"a\"}x", OAUTH_LATER, "200 without a token" },
	{ 200, "{}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":\"\"}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":7}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":\"a\\u0001auth=Bearer b\"}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":\"a\\r\\nb\"}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":\"a b\"}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":\"\xc3\xa4\"}", OAUTH_LATER, "no usable access_token" },
	{ 200, "{\"access_token\":\"t\",\"token_type\":\"mac\"}", OAUTH_LATER, "another type than Bearer" },
	{ 200, "{\"access_token\":\"t\",\"expires_in\":0}", OAUTH_LATER, "has expired already" },
	{ 200, "{\"access_token\":\"t\",\"expires_in\":-5}", OAUTH_LATER, "has expired already" },
	{ 200, "{\"access_token\":\"t\",\"expires_in\":\"soon\"}", OAUTH_LATER, "has expired already" },
	{ 200, "{\"access_token\":\"t\",\"expires_in\":{}}", OAUTH_LATER, "has expired already" },
	{ 0, "", OAUTH_LATER, "no answer from the token endpoint: tls" },
};

START_TEST(no_tokens)
{
	struct oauth_reading r;

	oauth_read(&r, &(struct http_answer){ .status = bad[_i].status, .body = str_of(bad[_i].body), .why = "tls",
	    .retry_after_s = 9 }, &refresh);
	ck_assert_msg(r.answer.result == bad[_i].result, "%s", bad[_i].body);
	ck_assert_msg(strstr(r.answer.words, bad[_i].words) != NULL, "%s: %s", bad[_i].body, r.answer.words);
	ck_assert_ptr_null(r.answer.access);
	ck_assert_int_eq(r.answer.retry_after_s, bad[_i].result == OAUTH_LATER ? 9 : 0);
	oauth_reading_clear(&r);
}
END_TEST

START_TEST(a_secret_is_never_repeated)	/* C-16 */
{
	static const char *const echoes[] = {
		"{\"error\":\"invalid_grant\",\"error_description\":\"1//0g-_~.* is unknown\"}",
		"{\"error\":\"invalid_client\",\"error_description\":\"not s&=%+ \\u00e4\"}",
		"{\"error\":\"1//0g-_~.*\"}",
		"{\"access_token\":\"a\",\"token_type\":\"of 1//0g-_~.*\"}",
		/* as they were posted, and as others write it */
		"{\"error\":\"invalid_grant\",\"error_description\":\"x&client_secret=s%26%3D%25%2B+%C3%A4&x\"}",
		"{\"error\":\"invalid_grant\",\"error_description\":\"x&refresh_token=1%2F%2F0g-_%7E.*&x\"}",
		"{\"error\":\"invalid_grant\",\"error_description\":\"1%2f%2f0g-_~.%2a\"}",
		"{\"error\":\"invalid_grant\",\"error_description\":\"s%26%3d%25%2b%20%c3%a4\"}",
		"{\"error\":\"1%2F/0g-_%7e.*\"}",
		"{\"access_token\":\"a\",\"token_type\":\"1%2f%2F0g-_~.*\"}",
		"{\"error\":\"invalid_grant\",\"error_description\":\"Basic aWRAeDpzJj0lKyDDpA==\"}",
		"{\"error\":\"invalid_grant\",\"error_description\":\"312f2f30672d5f7e2e2a\"}",
		/* of this answer, of another upstream, and of before */
		"{\"access_token\":\"acc3ss\",\"token_type\":\"acc3ss\"}",
		"{\"error\":\"acc3ss\",\"access_token\":\"acc3ss\"}",
		"{\"error\":\"x\",\"error_description\":\"instead of n3xt\",\"refresh_token\":\"n3xt\"}",
		"{\"error\":\"temporarily_unavailable\",\"error_description\":\"p4ssword is being refreshed\"}",
		"{\"error\":\"p4ssword\"}",
	};
	static const char *const parts[] = { "1//0g", "s&=", "s%26", "0g-_", "aWRAeDpz", "312f2f", "acc3ss", "n3xt", "p4ssword" };
	struct oauth_request asked = refresh;
	struct oauth_reading r;

	asked.veil = veil_new();
	veil_add(asked.veil, "p4ssword");
	oauth_read(&r, &(struct http_answer){ .status = strstr(echoes[_i], "\"error\"") != NULL ? 400 : 200, .body = str_of(echoes[_i]),
	    .why = "" }, &asked);
	ck_assert_ptr_nonnull(strstr(r.answer.words, strstr(echoes[_i], "_type") != NULL ? "another type" : "says"));
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		ck_assert_msg(strcasestr(r.answer.words, parts[i]) == NULL, "%s", r.answer.words);
	oauth_reading_clear(&r);
	oauth_read(&r, &(struct http_answer){ .why = "the certificate is for p4ssword" }, &asked);
	ck_assert_ptr_null(strstr(r.answer.words, "p4ss"));
	oauth_reading_clear(&r);
	veil_unref(&asked.veil);
}
END_TEST

START_TEST(words_are_harmless_and_short)
{
	struct oauth_reading r;
	struct buf b = { 0 };

	buf_puts(&b, "{\"error\":\"invalid_grant\",\"error_description\":\"\\u001b[2J\\r\\nFrom: x ");
	for (int i = 0; i < 3000; i++)
		buf_puts(&b, "long ");
	buf_puts(&b, "\"}");
	oauth_read(&r, &(struct http_answer){ .status = 400, .body = buf_str(&b), .why = "" }, &refresh);
	ck_assert_int_eq(r.answer.result, OAUTH_REFUSED);
	ck_assert_uint_lt(strlen(r.answer.words), 320);
	ck_assert(!str_has_control(str_of(r.answer.words)));
	oauth_reading_clear(&r);
	buf_clear(&b);
}
END_TEST

/* A token of 8 KB is taken, a longer one is not; brackets without end neither. */
START_TEST(bounds)
{
	struct oauth_reading r;
	struct buf b = { 0 };

	if (_i < 2) {
		buf_puts(&b, "{\"access_token\":\"");
		for (int i = 0; i < OAUTH_TOKEN_MAX + _i; i++)
			buf_putc(&b, 'x');
		buf_puts(&b, "\"}");
	} else
		for (int i = 0; i < 60000; i++)
			buf_putc(&b, '[');
	oauth_read(&r, &(struct http_answer){ .status = 200, .body = buf_str(&b), .why = "" }, &refresh);
	ck_assert_int_eq(r.answer.result, _i == 0 ? OAUTH_TOKEN : OAUTH_LATER);
	oauth_reading_clear(&r);
	buf_clear(&b);
}
END_TEST

#define N(a) (sizeof a / sizeof a[0])

Suite *test_oauth(void);

Suite *
test_oauth(void)
{
	Suite *s = suite_create("test_oauth");
	TCase *t = tcase_create("oauth");

	tcase_add_loop_test(t, forms, 0, 3);
	tcase_add_loop_test(t, tokens, 0, N(good));
	tcase_add_loop_test(t, no_tokens, 0, N(bad));
	tcase_add_loop_test(t, a_secret_is_never_repeated, 0, 17);
	tcase_add_test(t, words_are_harmless_and_short);
	tcase_add_loop_test(t, bounds, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
