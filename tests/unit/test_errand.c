/* Both sides of errands on one loop, with real commands. */
#include "errand/errand.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "errand/record.h"
#include "errand/runner.h"

struct rig {
	struct loop *loop;
	struct config ours, theirs;	/* the daemon's, and the helper's file */
	struct upstream up[3];
	struct errands *errands;
	struct runner *runner;
	bool reload_fails;
	unsigned answers, reloads;
	enum errand_result result;
	char output[70000], words[256];
	size_t noutput;
};

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static int
on_reload(void *arg, const struct ledger *now, struct ledger *out, struct why *why)
{
	struct rig *r = arg;

	(void)now;
	r->reloads++;
	if (r->reload_fails)
		return snprintf(why->text, sizeof why->text, "a bad file"), -1;
	ledger_init(out, &r->theirs);
	return 0;
}

static void
on_answer(void *arg, const struct errand_answer *a)
{
	struct rig *r = arg;

	r->answers++;
	r->result = a->result;
	r->noutput = a->output.n;
	ck_assert_uint_lt(a->output.n, sizeof r->output);
	memcpy(r->output, a->output.p, a->output.n);
	r->output[a->output.n] = '\0';
	snprintf(r->words, sizeof r->words, "%s", a->words);
}

static void
rig_up(struct rig *r, const char *first, const char *second, int64_t limit_ms)
{
	struct runner_options o = { .reload = on_reload, .arg = r, .limit_ms = limit_ms };
	int pair[2];

	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	r->loop = loop_new("test");
	r->ours.alert.command = text("/bin/cat");
	r->ours.upstream = r->up;
	r->ours.nupstream = 2;
	for (unsigned i = 0; i < 2; i++)
		r->up[i].name = text(i == 0 ? "one" : "two");
	r->up[0].password_command = text(first);
	r->up[1].password_command = text(second);
	r->theirs = r->ours;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	o.fd = pair[1];
	ledger_init(&o.ledger, &r->theirs);
	r->runner = runner_start(r->loop, &o);
	r->errands = errand_start(r->loop, pair[0], &r->ours);
}

static void
rig_down(struct rig *r)
{
	errand_stop(&r->errands);
	runner_stop(&r->runner);
	loop_free(&r->loop);
}

static void
wait_for(struct rig *r, unsigned answers)
{
	int64_t end_ms = clock_now_ms() + 20000;

	while (r->answers < answers && clock_now_ms() < end_ms)
		loop_turn(r->loop, true);
	ck_assert_uint_eq(r->answers, answers);
}

static const struct {
	const char *command;
	enum errand_result result;
	const char *output, *words;
} endings[] = {
	{ "/bin/echo  a\tb", ERRAND_DONE, "a b", "" },		/* split at blanks */
	{ "echo $HOME;id", ERRAND_DONE, "$HOME;id", "" },	/* no shell; found in PATH */
	{ "/usr/bin/printf one\\r\\ntwo\\n", ERRAND_DONE, "one", "" },
	{ "/bin/true", ERRAND_DONE, "", "" },
	{ "/bin/false", ERRAND_FAILED, "", "status 1" },
	{ "/no/such/program", ERRAND_FAILED, "", "status 127" },
	{ "/bin/sleep 60", ERRAND_LATE, "", "longer than 10 s" },
	{ " ", ERRAND_FAILED, "", "status 127" },
	{ "", ERRAND_STALE, "", "another configuration" },
};

START_TEST(a_command_ends)
{
	struct rig r;

	log_open(LOG_ERROR, LOG_LOGFMT);
	rig_up(&r, endings[_i].command, "", endings[_i].result == ERRAND_LATE ? 200 : 0);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	ck_assert_uint_eq(r.answers, 0);
	wait_for(&r, 1);
	ck_assert_int_eq(r.result, endings[_i].result);
	ck_assert_str_eq(r.output, endings[_i].output);
	ck_assert_ptr_nonnull(strstr(r.words, endings[_i].words));
	rig_down(&r);
}
END_TEST

START_TEST(input_comes_whole_and_output_is_bounded)
{
	static char input[ERRAND_INPUT_MAX];
	struct rig r;

	rig_up(&r, "/usr/bin/head -c 300000 /dev/zero", "", 0);
	memset(input, 'x', sizeof input);
	errand_run(r.errands, ERRAND_ALERT, (struct str){ input, sizeof input }, on_answer, &r);
	wait_for(&r, 1);
	ck_assert_uint_eq(r.noutput, sizeof input);
	ck_assert_int_eq(memcmp(r.output, input, sizeof input), 0);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 2);
	ck_assert_int_eq(r.result, ERRAND_DONE);
	ck_assert_uint_eq(r.noutput, ERRAND_OUTPUT_MAX);
	rig_down(&r);
}
END_TEST

START_TEST(only_a_small_environment_and_no_descriptor_is_passed_on)
{
	struct rig r;
	int fd = dup(1);	/* not close-on-exec */

	setenv("GATEPOST_TEST_SECRET", "x", 1);
	rig_up(&r, "/bin/ls -m /proc/self/fd", "/usr/bin/env -0", 0);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 1);
	ck_assert_str_eq(r.output, "0, 1, 2, 3");	/* 3: the directory itself */
	errand_run(r.errands, ERRAND_UPSTREAM + 1, STR(""), on_answer, &r);
	wait_for(&r, 2);
	ck_assert_ptr_nonnull(memmem(r.output, r.noutput, "PATH=/", 6));
	ck_assert_ptr_null(memmem(r.output, r.noutput, "GATEPOST_TEST", 13));
	close(fd);
	rig_down(&r);
}
END_TEST

START_TEST(many_wait_their_turn)
{
	struct rig r;

	rig_up(&r, "/bin/echo hello", "", 0);
	for (unsigned i = 0; i < 20; i++)
		errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 20);
	ck_assert_int_eq(r.result, ERRAND_DONE);
	rig_down(&r);
}
END_TEST

START_TEST(who_forgot_is_not_called)
{
	struct rig r;
	uint32_t n[6];

	rig_up(&r, "/bin/echo hello", "", 0);
	for (unsigned i = 0; i < 6; i++)	/* some with the helper, some not yet */
		n[i] = errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	loop_turn(r.loop, false);
	for (unsigned i = 0; i < 6; i++)
		errand_forget(r.errands, n[i]);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 1);
	rig_down(&r);
}
END_TEST

START_TEST(both_sides_must_count_alike)
{
	struct rig r;

	rig_up(&r, "/bin/echo one", "/bin/echo two", 0);
	/* The file changed after the daemon read it: the numbers are the same, what they mean is not. */
	r.up[2] = r.up[1];
	r.theirs.upstream = &r.up[1];
	errand_configure(r.errands, &r.ours);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 1);
	ck_assert_uint_eq(r.reloads, 1);
	ck_assert_int_eq(r.result, ERRAND_STALE);
	r.theirs.upstream = r.up;
	errand_configure(r.errands, &r.ours);
	errand_run(r.errands, ERRAND_UPSTREAM + 1, STR(""), on_answer, &r);
	wait_for(&r, 2);
	ck_assert_int_eq(r.result, ERRAND_DONE);
	ck_assert_str_eq(r.output, "two");
	rig_down(&r);
}
END_TEST

START_TEST(a_bad_file_leaves_the_old)
{
	struct rig r;

	rig_up(&r, "/bin/echo one", "", 0);
	r.reload_fails = true;
	log_open(LOG_ERROR, LOG_LOGFMT);
	errand_configure(r.errands, &r.ours);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 1);
	ck_assert_uint_eq(r.reloads, 1);
	ck_assert_int_eq(r.result, ERRAND_DONE);
	rig_down(&r);
}
END_TEST

START_TEST(the_helpers_death_is_survived)
{
	struct rig r;

	rig_up(&r, "/bin/sleep 60", "", 0);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(r.loop, false);
	runner_stop(&r.runner);		/* kills what runs */
	wait_for(&r, 1);
	ck_assert_int_eq(r.result, ERRAND_GONE);
	ck_assert_ptr_nonnull(strstr(r.words, "restart gatepost"));
	errand_configure(r.errands, &r.ours);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 2);
	ck_assert_int_eq(r.result, ERRAND_GONE);
	rig_down(&r);
}
END_TEST

START_TEST(without_a_helper_everything_is_refused)
{
	struct rig r;
	struct errands *e;

	rig_up(&r, "/bin/true", "", 0);
	e = errand_start(r.loop, -1, &r.ours);
	errand_run(e, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 1);
	ck_assert_int_eq(r.result, ERRAND_GONE);
	errand_stop(&e);
	rig_down(&r);
}
END_TEST

/* What comes late is killed with all its process group. */
START_TEST(the_whole_group_is_killed)
{
	struct rig r;
	char path[] = "/tmp/gatepost-errand-XXXXXX", command[64];
	int fd = mkstemp(path), pid = 0;
	FILE *f = fdopen(fd, "w+");

	fprintf(f, "sleep 60 & echo $! >%s; wait\n", path);
	fflush(f);
	snprintf(command, sizeof command, "/bin/sh %s", path);
	rig_up(&r, command, "", 500);
	errand_run(r.errands, ERRAND_UPSTREAM, STR(""), on_answer, &r);
	wait_for(&r, 1);
	ck_assert_int_eq(r.result, ERRAND_LATE);
	rewind(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	for (unsigned i = 0; i < 1500 && kill(pid, 0) == 0; i++) {	/* gone, or a zombie until init waits for it */
		char state[64], text_[256] = "";
		FILE *s;

		snprintf(state, sizeof state, "/proc/%d/stat", pid);
		s = fopen(state, "r");
		if (s == NULL)
			break;
		(void)!fread(text_, 1, sizeof text_ - 1, s);
		fclose(s);
		if (strstr(text_, ") Z") != NULL)
			break;
		ck_assert_uint_lt(i, 1499);
		usleep(10000);
	}
	fclose(f);
	unlink(path);
	rig_down(&r);
}
END_TEST

Suite *test_errand(void);
Suite *
test_errand(void)
{
	Suite *s = suite_create("test_errand");
	TCase *tc = tcase_create("errand");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, a_command_ends, 0, (int)(sizeof endings / sizeof endings[0]));
	tcase_add_test(tc, input_comes_whole_and_output_is_bounded);
	tcase_add_test(tc, only_a_small_environment_and_no_descriptor_is_passed_on);
	tcase_add_test(tc, many_wait_their_turn);
	tcase_add_test(tc, who_forgot_is_not_called);
	tcase_add_test(tc, both_sides_must_count_alike);
	tcase_add_test(tc, a_bad_file_leaves_the_old);
	tcase_add_test(tc, the_helpers_death_is_survived);
	tcase_add_test(tc, without_a_helper_everything_is_refused);
	tcase_add_test(tc, the_whole_group_is_killed);
	suite_add_tcase(s, tc);
	return s;
}
