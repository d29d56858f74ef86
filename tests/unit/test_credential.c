/* The secret of an upstream, on its way from the settings or a source to who opens connections. */
#include "queue/private.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "errand/record.h"

struct rig {
	struct queue queue;
	struct upstream settings;
	struct gateway gateway;
	unsigned told;
	enum credential_answer answer;
	uint32_t issue;
	bool had_secret;
	char secret[64], words[128];
};

static void
on_told(struct gateway *g, const struct credential_said *s)
{
	struct rig *r = container_of(g, struct rig, gateway);

	r->told++;
	r->answer = s->answer;
	r->issue = s->issue;
	r->had_secret = s->secret != NULL;
	snprintf(r->secret, sizeof r->secret, "%s", s->secret != NULL ? s->secret : "");
	snprintf(r->words, sizeof r->words, "%s", s->words);
}

static void
rig_up(struct rig *r)
{
	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	r->queue.loop = loop_new("test");
	r->gateway.queue = &r->queue;
	r->gateway.name = (char *)(uintptr_t)"up";
	r->gateway.settings = &r->settings;
	r->settings.password_command = (char *)(uintptr_t)"";
}

static void
rig_down(struct rig *r)
{
	credential_clear(&r->gateway);
	loop_free(&r->queue.loop);
}

/* --- a command: the helper is the test ---------------------------------------- */

struct command_rig {
	struct rig rig;
	struct config config;
	int fd;
	unsigned runs;
	uint32_t number;	/* of the last that was run */
};

static void
command_up(struct command_rig *r)
{
	int pair[2];

	rig_up(&r->rig);
	r->config = (struct config){ .upstream = &r->rig.settings, .nupstream = 1 };
	r->config.alert.command = (char *)(uintptr_t)"";
	r->rig.settings.name = r->rig.gateway.name;
	r->rig.settings.password_command = (char *)(uintptr_t)"/bin/get password";
	r->rig.queue.config = &r->config;
	r->runs = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	r->fd = pair[1];
	r->rig.queue.errands = errand_start(r->rig.queue.loop, pair[0], &r->config);
}

static void
command_down(struct command_rig *r)
{
	credential_clear(&r->rig.gateway);
	errand_stop(&r->rig.queue.errands);
	close(r->fd);
	rig_down(&r->rig);
}

static void
turns(struct command_rig *r)
{
	char bytes[RECORD_MAX];
	struct record rec;
	ssize_t n;

	for (unsigned i = 0; i < 5; i++)
		loop_turn(r->rig.queue.loop, false);
	while ((n = recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
		ck_assert(record_get((struct str){ bytes, (size_t)n }, &rec));
		if (rec.kind != RECORD_RUN)
			continue;
		ck_assert_uint_eq(rec.command, ERRAND_UPSTREAM);
		r->runs++;
		r->number = rec.number;
	}
}

static void
answer(struct command_rig *r, enum errand_result result, const char *output)
{
	const struct record rec = { .kind = RECORD_ENDED, .number = r->number, .result = result, .status = 256,
	    .text = str_of(output) };
	struct buf b = { 0 };

	record_put(&b, &rec);
	ck_assert_int_eq(send(r->fd, b.data, b.len, 0), (ssize_t)b.len);
	buf_clear(&b);
	turns(r);
}

static void
ask(struct command_rig *r)
{
	credential_ask(&r->rig.gateway, on_told);
	turns(r);
}

START_TEST(a_command_is_asked_once_and_its_answer_kept)
{
	struct command_rig r;

	command_up(&r);
	ask(&r);
	ck_assert_uint_eq(r.runs, 1);
	ck_assert_uint_eq(r.rig.told, 0);
	answer(&r, ERRAND_DONE, "swordfish");
	ck_assert_uint_eq(r.rig.told, 1);
	ck_assert_str_eq(r.rig.secret, "swordfish");
	credential_accepted(&r.rig.gateway);
	ask(&r);
	ck_assert_uint_eq(r.rig.told, 2);
	ck_assert_str_eq(r.rig.secret, "swordfish");
	credential_configure(&r.rig.gateway);	/* a reload: anew */
	ask(&r);
	ck_assert_uint_eq(r.runs, 2);
	command_down(&r);
}
END_TEST

START_TEST(a_refused_secret_is_asked_for_once_more)
{
	struct command_rig r;
	uint32_t old;

	command_up(&r);
	ask(&r);
	answer(&r, ERRAND_DONE, "old");
	credential_accepted(&r.rig.gateway);
	old = r.rig.issue;
	ck_assert(credential_refused(&r.rig.gateway, old, "535 no"));
	ck_assert(credential_refused(&r.rig.gateway, old, "535 no"));	/* another connection says the same */
	ask(&r);
	ck_assert_uint_eq(r.runs, 2);
	answer(&r, ERRAND_DONE, "new");
	ck_assert_str_eq(r.rig.secret, "new");
	ck_assert(credential_refused(&r.rig.gateway, old, "535 no"));	/* one more, late */
	ck_assert(!credential_refused(&r.rig.gateway, r.rig.issue, "535 no"));
	ask(&r);				/* after the gate's pause: the source is asked again */
	ck_assert_uint_eq(r.runs, 3);
	answer(&r, ERRAND_DONE, "newer");
	credential_accepted(&r.rig.gateway);
	ck_assert(credential_refused(&r.rig.gateway, r.rig.issue, "535 no"));
	command_down(&r);
}
END_TEST

START_TEST(the_same_secret_again_is_not_tried)
{
	struct command_rig r;

	command_up(&r);
	ask(&r);
	answer(&r, ERRAND_DONE, "old");
	ck_assert(credential_refused(&r.rig.gateway, r.rig.issue, "535 no"));
	ask(&r);
	answer(&r, ERRAND_DONE, "old");
	ck_assert_int_eq(r.rig.answer, CREDENTIAL_REFUSED);
	ask(&r);				/* the provider may have changed its mind */
	answer(&r, ERRAND_DONE, "old");
	ck_assert_int_eq(r.rig.answer, CREDENTIAL_HERE);
	command_down(&r);
}
END_TEST

START_TEST(a_secret_refused_before_it_was_handed_out_is_not)
{
	struct command_rig r;

	command_up(&r);
	ask(&r);
	answer(&r, ERRAND_DONE, "old");
	credential_accepted(&r.rig.gateway);
	credential_ask(&r.rig.gateway, on_told);	/* from what is kept */
	ck_assert(credential_refused(&r.rig.gateway, r.rig.issue, "535 no"));
	turns(&r);
	ck_assert_uint_eq(r.rig.told, 1);
	answer(&r, ERRAND_DONE, "new");
	ck_assert_uint_eq(r.rig.told, 2);
	ck_assert_str_eq(r.rig.secret, "new");
	command_down(&r);
}
END_TEST

static char long_line[1100];
static const struct {
	enum errand_result result;
	const char *output, *words;
} failures[] = {
	{ ERRAND_FAILED, "", "status 1" },
	{ ERRAND_LATE, "", "10 s" },
	{ ERRAND_GONE, "", "restart" },
	{ ERRAND_STALE, "", "reload again" },
	{ ERRAND_DONE, "", "empty" },
	{ ERRAND_DONE, long_line, "1024" },
};

START_TEST(what_is_no_password_means_later)
{
	struct command_rig r;

	memset(long_line, 'x', sizeof long_line - 1);
	command_up(&r);
	ask(&r);
	answer(&r, failures[_i].result, failures[_i].output);
	ck_assert_uint_eq(r.rig.told, 1);
	ck_assert_int_eq(r.rig.answer, CREDENTIAL_LATER);
	ck_assert_ptr_nonnull(strstr(r.rig.words, failures[_i].words));
	ck_assert(!r.rig.had_secret);
	command_down(&r);
}
END_TEST

START_TEST(a_reload_while_the_command_runs_starts_over)
{
	struct command_rig r;
	uint32_t before;

	command_up(&r);
	ask(&r);
	before = r.number;
	credential_configure(&r.rig.gateway);
	turns(&r);
	ck_assert_uint_eq(r.runs, 2);
	ck_assert_uint_ne(r.number, before);
	answer(&r, ERRAND_DONE, "new");
	ck_assert_uint_eq(r.rig.told, 1);
	ck_assert_str_eq(r.rig.secret, "new");
	command_down(&r);
}
END_TEST

START_TEST(the_settings_password_is_given_at_the_end_of_the_turn)
{
	struct rig r;

	rig_up(&r);
	r.settings.password = (char *)(uintptr_t)"one";
	credential_ask(&r.gateway, on_told);
	ck_assert_uint_eq(r.told, 0);
	loop_turn(r.queue.loop, false);
	ck_assert_uint_eq(r.told, 1);
	ck_assert_int_eq(r.answer, CREDENTIAL_HERE);
	ck_assert_str_eq(r.secret, "one");
	ck_assert(!credential_refused(&r.gateway, r.issue, "535 no"));	/* the file has no other: B-019 */
	rig_down(&r);
}
END_TEST

START_TEST(no_password_is_an_answer_too)
{
	struct rig r;

	rig_up(&r);
	credential_ask(&r.gateway, on_told);
	loop_turn(r.queue.loop, false);
	ck_assert_uint_eq(r.told, 1);
	ck_assert(!r.had_secret);
	rig_down(&r);
}
END_TEST

START_TEST(a_reload_between_gives_the_new_one)
{
	struct rig r;
	struct upstream other = { .password_command = (char *)(uintptr_t)"", .password = (char *)(uintptr_t)"two" };

	rig_up(&r);
	r.settings.password = (char *)(uintptr_t)"one";
	credential_ask(&r.gateway, on_told);
	r.gateway.settings = &other;
	credential_configure(&r.gateway);
	loop_turn(r.queue.loop, false);
	ck_assert_str_eq(r.secret, "two");
	credential_ask(&r.gateway, on_told);
	r.gateway.settings = NULL;
	credential_configure(&r.gateway);
	loop_turn(r.queue.loop, false);
	ck_assert_uint_eq(r.told, 2);
	ck_assert_int_eq(r.answer, CREDENTIAL_LATER);
	rig_down(&r);
}
END_TEST

static bool hides(struct rig *r, const char *next, const char *what);

/* Two accounts at one provider: the one's connections do not show the other's password. */
START_TEST(what_is_anothers_is_hidden_too)	/* C-16 */
{
	struct upstream settings = { .password = (char *)(uintptr_t)"of-another" };
	struct gateway another = { .settings = &settings }, *all[2];
	struct rig r;

	rig_up(&r);
	another.queue = &r.queue;
	all[0] = &r.gateway;
	all[1] = &another;
	r.queue.gateway = all;
	r.queue.ngateway = 2;
	ck_assert(hides(&r, NULL, "of-another"));
	another.credential.secret = (char *)(uintptr_t)"told-to-another";
	ck_assert(hides(&r, NULL, "told-to-another"));
	r.queue.gateway = NULL;
	r.queue.ngateway = 0;
	rig_down(&r);
}
END_TEST

/* Does it hide that, with this one to be used next? */
static bool
hides(struct rig *r, const char *next, const char *what)
{
	struct veil *v = credential_veil(&r->gateway, next);
	bool found = veil_finds(v, str_of(what));
	struct veil *newest = credential_newest_veil(&r->gateway);

	ck_assert_ptr_eq(newest, v);
	veil_unref(&newest);
	veil_unref(&v);
	return found;
}

START_TEST(what_the_provider_may_know_is_hidden)	/* C-16 */
{
	static const char *const used[] = { "used-1", "used-2", "used-3", "used-4", "used-3" };
	struct upstream other = { .password_command = (char *)(uintptr_t)"", .password = (char *)(uintptr_t)"another" };
	struct rig r;

	rig_up(&r);
	ck_assert(!hides(&r, NULL, "configured"));
	r.settings.password = (char *)(uintptr_t)"configured";	/* he may know it from an earlier life */
	ck_assert(hides(&r, NULL, "configured"));
	for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
		ck_assert(hides(&r, used[i], used[i]));
	r.gateway.settings = &other;
	credential_configure(&r.gateway);			/* what was used stays known */
	ck_assert(hides(&r, NULL, "used-1") && hides(&r, NULL, "used-4") && hides(&r, NULL, "another"));
	ck_assert(hides(&r, "used-5", "used-5") && !hides(&r, NULL, "used-1") && hides(&r, NULL, "used-2"));
	rig_down(&r);
}
END_TEST

START_TEST(a_fetched_secret_is_hidden_before_and_after_its_use)	/* C-16 */
{
	struct command_rig r;

	command_up(&r);
	ask(&r);
	answer(&r, ERRAND_DONE, "swordfish");
	ck_assert(hides(&r.rig, NULL, "swordfish"));
	ck_assert(hides(&r.rig, "swordfish", "swordfish"));
	credential_configure(&r.rig.gateway);
	ck_assert(hides(&r.rig, NULL, "swordfish"));
	command_down(&r);
}
END_TEST

Suite *test_credential(void);
Suite *
test_credential(void)
{
	Suite *s = suite_create("test_credential");
	TCase *tc = tcase_create("credential");

	tcase_add_test(tc, the_settings_password_is_given_at_the_end_of_the_turn);
	tcase_add_test(tc, no_password_is_an_answer_too);
	tcase_add_test(tc, a_reload_between_gives_the_new_one);
	tcase_add_test(tc, a_command_is_asked_once_and_its_answer_kept);
	tcase_add_test(tc, a_refused_secret_is_asked_for_once_more);
	tcase_add_test(tc, the_same_secret_again_is_not_tried);
	tcase_add_test(tc, a_secret_refused_before_it_was_handed_out_is_not);
	tcase_add_loop_test(tc, what_is_no_password_means_later, 0, (int)(sizeof failures / sizeof failures[0]));
	tcase_add_test(tc, a_reload_while_the_command_runs_starts_over);
	tcase_add_test(tc, what_the_provider_may_know_is_hidden);
	tcase_add_test(tc, what_is_anothers_is_hidden_too);
	tcase_add_test(tc, a_fetched_secret_is_hidden_before_and_after_its_use);
	suite_add_tcase(s, tc);
	return s;
}
