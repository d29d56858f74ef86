/* Access tokens: asked for in time, kept, renewed; against the fake provider's endpoint, with a clock that we move. */
#include "queue/private.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "provider/provider.h"
#include "scratch.h"

#include <check.h>

static struct queue queue;
static struct upstream settings;
static struct gateway gateway;
static struct provider *provider;
static unsigned port;
static char url[64], refresh[256], client[256];
static unsigned told;
static struct { enum credential_answer answer; char secret[64], words[200]; uint32_t issue; int64_t until_ms; } got;

#define TEXT(s) ((char *)(uintptr_t)(s))
#define GIVES(token, more) "200 {\"access_token\":\"" token "\",\"expires_in\":3600" more "}"

static void
on_told(struct gateway *g, const struct credential_said *s)
{
	ck_assert_ptr_eq(g, &gateway);
	told++;
	got.answer = s->answer;
	got.issue = s->issue;
	got.until_ms = s->until_ms;
	snprintf(got.secret, sizeof got.secret, "%s", s->secret != NULL ? s->secret : "");
	snprintf(got.words, sizeof got.words, "%s", s->words);
}

static void
endpoint(const char *script)
{
	char all[600];

	snprintf(all, sizeof all, "token: 1; %s", script);
	port = provider_listen(provider, "127.0.0.1", port, PROVIDER_NONE, all);
	ck_assert_uint_ne(port, 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/token", port);
}

static void
setup(void)
{
	const struct provider_options o = { .user = "u", .password = "p" };

	scratch_make();
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	provider = provider_new(&o);
	memset(&queue, 0, sizeof queue);
	memset(&settings, 0, sizeof settings);
	memset(&gateway, 0, sizeof gateway);
	memset(&got, 0, sizeof got);
	told = port = 0;
	queue.loop = loop_new("test");
	queue.dns = dns_start(queue.loop);
	gateway.queue = &queue;
	gateway.name = TEXT("up");
	gateway.settings = &settings;
	scratch_write_n("refresh", "r1\n", 3, 0600);
	scratch_write_n("client", "s1\n", 3, 0600);
	snprintf(refresh, sizeof refresh, "%s", scratch_path("refresh"));
	snprintf(client, sizeof client, "%s", scratch_path("client"));
	settings.password_file = settings.password_command = settings.oauth2.scope = TEXT("");
	settings.oauth2.client_id = TEXT("id");
	settings.oauth2.token_url = url;
	settings.oauth2.refresh_token_file = refresh;
	settings.oauth2.client_secret_file = client;
}

static void
teardown(void)
{
	credential_clear(&gateway);
	loop_turn(queue.loop, false);
	dns_stop(&queue.dns);
	loop_free(&queue.loop);
	provider_free(&provider);
	chmod(scratch_dir, 0700);
	scratch_remove();
}

static void
ask(void)
{
	unsigned before = told;

	loop_turn(queue.loop, false);	/* the clock is read once a turn */
	credential_ask(&gateway, on_told);
	while (told == before)
		loop_turn(queue.loop, true);
}

static void
expect_token(const char *token)
{
	ask();
	ck_assert_msg(got.answer == CREDENTIAL_HERE, "%s", got.words);
	ck_assert_str_eq(got.secret, token);
}

static unsigned
asked(const char *with)
{
	char *all = provider_transcript(provider);
	unsigned n = 0;

	for (const char *p = all; (p = strstr(p, "C: grant_type")) != NULL; p++) {
		const char *end = strchr(p, '\n'), *at = strstr(p, with);

		n += at != NULL && at < end;
	}
	free(all);
	return n;
}

START_TEST(renewed_before_it_ends)
{
	endpoint("grant#1: " GIVES("t1", "") "; grant: " GIVES("t2", ""));
	expect_token("t1");
	clock_fake_add(3299 * 1000);
	expect_token("t1");
	ck_assert_uint_eq(asked(""), 1);
	clock_fake_add(2000);		/* five minutes are left */
	expect_token("t2");
	ck_assert_uint_eq(asked(""), 2);
}
END_TEST

/* Whoever says nothing of its end is asked again when it is refused. */
START_TEST(without_an_end)
{
	endpoint("grant#1: 200 {\"access_token\":\"t1\"}; grant: " GIVES("t2", ""));
	expect_token("t1");
	clock_fake_add(86400 * 1000);
	expect_token("t1");
	ck_assert(credential_refused(&gateway, got.issue, "535 no"));
	expect_token("t2");
	ck_assert(!credential_refused(&gateway, got.issue, "535 no"));	/* B-019: once */
}
END_TEST

START_TEST(the_same_one_again_is_no_other)
{
	endpoint("grant: " GIVES("t1", ""));
	expect_token("t1");
	ck_assert(credential_refused(&gateway, got.issue, "535 5.7.8 no"));
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_REFUSED);
	ck_assert_str_eq(got.words, "535 5.7.8 no");
}
END_TEST

START_TEST(an_old_one_does_while_the_endpoint_is_down)
{
	endpoint("grant#1: " GIVES("t1", "") "; grant#2: 503 busy; grant#3: 503 busy; grant: 503 busy");
	expect_token("t1");
	clock_fake_add(3400 * 1000);
	expect_token("t1");
	ck_assert_uint_eq(asked(""), 2);
	clock_fake_add(61 * 1000);	/* it is not asked each time */
	expect_token("t1");
	ck_assert_uint_eq(asked(""), 3);
	clock_fake_add(200 * 1000);	/* over */
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_LATER);
	ck_assert_str_eq(got.words, "the token endpoint answers 503: try later");
}
END_TEST

/* Who gives the tokens may be who takes the mail (C-16). */
START_TEST(all_its_secrets_are_hidden)
{
	struct veil *v = veil_new();

	endpoint("grant: " GIVES("access-1", ",\"refresh_token\":\"refresh-2\""));
	scratch_write_n("refresh", "refresh-1\n", 10, 0600);
	scratch_write_n("client", "client-1\n", 9, 0600);
	token_veil(&gateway, v);
	ck_assert(!veil_finds(v, STR("access-1 refresh-1 refresh-2 client-1")));
	expect_token("access-1");
	token_veil(&gateway, v);
	ck_assert(veil_finds(v, STR("access-1")) && veil_finds(v, STR("refresh-2")) && veil_finds(v, STR("client-1")));
	veil_unref(&v);
}
END_TEST

/* Of itself, of before, and of another upstream: nothing comes back in words (C-16). */
START_TEST(nothing_that_it_repeats_is_told)
{
	static const char *const hidden[] = { "access-1", "refresh-1", "refresh-2", "client-1", "secret-2", "password-2", "fresh-2", "used-2" };
	struct upstream settings_2 = { .password = TEXT("password-2") };
	struct gateway second = { .queue = &queue, .settings = &settings_2, .credential = {
	    .secret = TEXT("secret-2"), .fresh = TEXT("fresh-2"), .past = { TEXT("used-2") } } };
	struct gateway *both[] = { &gateway, &second };
	char script[300];

	snprintf(script, sizeof script, "grant#1: " GIVES("access-1", ",\"refresh_token\":\"refresh-2\"") "; grant: 400 {\"error\":\"slow_down\","
	    "\"error_description\":\"not %s\"}", _i < 8 ? hidden[_i] : "a word");
	queue.gateway = both;
	queue.ngateway = 2;
	scratch_write_n("refresh", "refresh-1\n", 10, 0600);
	scratch_write_n("client", "client-1\n", 9, 0600);
	endpoint(script);
	expect_token("access-1");
	clock_fake_add(7200 * 1000);
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_LATER);
	ck_assert_str_eq(got.words, _i < 8 ? "the token endpoint says slow_down" : "the token endpoint says slow_down: not a word");
}
END_TEST

START_TEST(a_refused_one_does_not)
{
	endpoint("grant#1: " GIVES("t1", "") "; grant: 503 busy");
	expect_token("t1");
	ck_assert(credential_refused(&gateway, got.issue, "535 no"));
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_LATER);
}
END_TEST

START_TEST(later_means_when)
{
	endpoint("grant: !raw HTTP/1.1 429 Slow|Retry-After: 120|Content-Length: 0||");
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_LATER);
	ck_assert_int_eq(got.until_ms, 1000000 + 120 * 1000);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_a_refusal)	/* C-30 */
{
	endpoint("");
	ck_assert_int_eq(chmod(_i == 0 ? refresh : client, 0644), 0);
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_REFUSED);
	ck_assert_ptr_nonnull(strstr(got.words, _i == 0 ? "refresh_token_file /" : "client_secret_file /"));
	ck_assert_ptr_nonnull(strstr(got.words, "others can read it"));
	ck_assert_uint_eq(asked(""), 0);
	ck_assert(!token_is_changed(&gateway));
	ck_assert_int_eq(chmod(_i == 0 ? refresh : client, 0600), 0);
	ck_assert(token_is_changed(&gateway));
	expect_token("p");
	ck_assert(!token_is_changed(&gateway));
}
END_TEST

START_TEST(a_new_refresh_token_is_written_back)
{
	char text[16] = "";
	FILE *f;

	endpoint("grant/refresh_token=r1: " GIVES("t1", ",\"refresh_token\":\"r2\"") "; grant/refresh_token=r2: " GIVES("t2", ""));
	expect_token("t1");
	f = fopen(refresh, "r");
	ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
	fclose(f);
	ck_assert_str_eq(text, "r2\n");
	ck_assert(!token_is_changed(&gateway));		/* it was us */
	clock_fake_add(3600 * 1000);
	expect_token("t2");
}
END_TEST

/* A directory that we may not write, or for root a credential that is not root's. */
static void
lock_file(void)
{
	ck_assert_int_eq(chmod(scratch_dir, 0500), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(refresh, 1, 1), 0);
		setenv("CREDENTIALS_DIRECTORY", scratch_dir, 1);
	}
}

START_TEST(else_it_is_kept_in_mind_until_the_file_changes)
{
	endpoint("grant/refresh_token=r1: " GIVES("t1", ",\"refresh_token\":\"r2\"") "; grant/refresh_token=r2: " GIVES("t2", "")
	    "; grant/refresh_token=r3: " GIVES("t3", ""));
	lock_file();
	expect_token("t1");
	ck_assert(!token_is_changed(&gateway));
	clock_fake_add(3600 * 1000);
	expect_token("t2");
	credential_configure(&gateway);		/* a reload forgets no refresh token */
	expect_token("t2");
	chmod(scratch_dir, 0700);
	scratch_write_n("refresh", "r3\n", 3, 0600);
	ck_assert(token_is_changed(&gateway));
	clock_fake_add(3600 * 1000);
	expect_token("t3");
	ck_assert_uint_eq(asked("refresh_token=r1"), 1);
}
END_TEST

START_TEST(after_a_refusal_the_files_own_is_tried)
{
	endpoint("grant#1/refresh_token=r1: " GIVES("t1", ",\"refresh_token\":\"r2\"") "; grant/refresh_token=r2: 400 {\"error\":\"invalid_grant\"}"
	    "; grant/refresh_token=r1: " GIVES("t3", ""));
	lock_file();
	expect_token("t1");
	clock_fake_add(3600 * 1000);
	ask();
	ck_assert_int_eq(got.answer, CREDENTIAL_REFUSED);
	ck_assert_str_eq(got.words, "the token endpoint says invalid_grant");
	expect_token("t3");
}
END_TEST

START_TEST(client_credentials_have_no_refresh_token)
{
	endpoint("grant: " GIVES("t1", ",\"refresh_token\":\"r2\""));
	settings.oauth2.client_credentials = true;
	settings.oauth2.refresh_token_file = TEXT("");
	expect_token("t1");
	ck_assert_uint_eq(asked("grant_type=client_credentials&client_id=id&client_secret=s1"), 1);
}
END_TEST

/* While it is asked for: a reload, and an end. */
START_TEST(cut_short)
{
	endpoint("grant#1: !silent; grant: " GIVES("t2", ""));
	credential_ask(&gateway, on_told);
	while (asked("") == 0)
		loop_turn(queue.loop, false);
	if (_i == 0) {
		credential_configure(&gateway);
		while (told == 0)
			loop_turn(queue.loop, true);
		ck_assert_str_eq(got.secret, "t2");
	}
	credential_clear(&gateway);
	ck_assert_uint_eq(told, _i == 0 ? 1 : 0);
}
END_TEST

Suite *test_token(void);

Suite *
test_token(void)
{
	Suite *s = suite_create("test_token");
	TCase *t = tcase_create("token");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, renewed_before_it_ends);
	tcase_add_test(t, without_an_end);
	tcase_add_test(t, the_same_one_again_is_no_other);
	tcase_add_test(t, an_old_one_does_while_the_endpoint_is_down);
	tcase_add_test(t, a_refused_one_does_not);
	tcase_add_test(t, all_its_secrets_are_hidden);
	tcase_add_loop_test(t, nothing_that_it_repeats_is_told, 0, 9);
	tcase_add_test(t, later_means_when);
	tcase_add_loop_test(t, files_that_cannot_be_read_are_a_refusal, 0, 2);
	tcase_add_test(t, a_new_refresh_token_is_written_back);
	tcase_add_test(t, else_it_is_kept_in_mind_until_the_file_changes);
	tcase_add_test(t, after_a_refusal_the_files_own_is_tried);
	tcase_add_test(t, client_credentials_have_no_refresh_token);
	tcase_add_loop_test(t, cut_short, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
