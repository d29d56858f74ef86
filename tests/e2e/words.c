/* What commands say when there is nothing to say, when it cannot be written, and when they were asked for what is not there. */
#include "e2e/story.h"

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

Suite *words_suite(void);

static void
run(struct world *w, const char *args, const char *want)
{
	ck_assert_msg(world_run(w, story_out, sizeof story_out, NULL, args) == 0, "%s: %s", args, story_out);
	ck_assert_msg(strcmp(story_out, want) == 0, "%s: %s", args, story_out);
}

/* "Nothing is queued" is said only when that is so. */
START_TEST(a_queue_where_nothing_matches)
{
	static const char *const asked[] = { "queue --limit 0", "queue --older 1h", "queue --from nomatch@*", "queue --to nomatch@*",
	    "queue --held" };
	struct world w;

	story_up(&w, "mail: 451 4.3.0 later", "", STORY_QUEUE);
	run(&w, "queue", "nothing is queued\n");
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
		run(&w, asked[i], "nothing is queued\n");
	story_submit(&w);
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
		run(&w, asked[i], "no message matches (1 is queued)\n");
	story_submit(&w);
	run(&w, asked[1], "no message matches (2 are queued)\n");
	run(&w, "queue --json --older 1h", "");
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "queue"), 0);
	ck_assert_msg(strstr(story_out, "2 messages, ") != NULL, "%s", story_out);
	story_down(&w);
}
END_TEST

/* Runs a line of shell; both channels; the status. */
static int __attribute__((format(printf, 1, 2)))
shell(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	size_t n;
	FILE *f;
	int status;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	f = popen(line, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(story_out, 1, sizeof story_out - 1, f);
	story_out[n] = '\0';
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Whatever a command has to say: it fails and tells why, once. */
START_TEST(output_that_is_lost)
{
	static const char *const asked[] = { "status", "status --json", "queue", "queue --json", "queue --limit 0", "probe", "probe --json",
	    "show ID", "show ID --raw", "trace ID", "trace ID --json", "hold --all", "release --all", "version", "help", "help run", "ca" };
	char want[128], args[64];
	struct world w;
	const char *id, *at;

	story_up(&w, "mail: 451 4.3.0 later", "", STORY_QUEUE);
	id = story_submit(&w);
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		at = strstr(asked[i], "ID");
		snprintf(args, sizeof args, "%.*s%s%s", at == NULL ? 60 : (int)(at - asked[i]), asked[i], at == NULL ? "" : id,
		    at == NULL ? "" : at + 2);
		snprintf(want, sizeof want, "gatepost: %.*s: standard output: No space left on device\n", (int)strcspn(args, " "), args);
		ck_assert_msg(shell("'%s' %s --state '%s' 2>&1 >/dev/full", getenv("GATEPOST"), args, w.dir) == 1, "%s: %s", args, story_out);
		ck_assert_msg(strcmp(story_out, want) == 0, "%s: %s", args, story_out);
	}
	ck_assert_int_eq(shell("'%s' --help 2>&1 >/dev/full", getenv("GATEPOST")), 1);
	ck_assert_str_eq(story_out, "gatepost: help: standard output: No space left on device\n");
	ck_assert_int_eq(shell("'%s' status --state '%s' 2>&1 1</dev/null", getenv("GATEPOST"), w.dir), 1);
	ck_assert_str_eq(story_out, "gatepost: status: standard output: Bad file descriptor\n");
	story_down(&w);
}
END_TEST

/* The daemon goes on with what it has read, and operators can ask it. */
START_TEST(a_file_that_is_broken_since)
{
	struct world w;
	char path[96];
	FILE *f;

	story_up(&w, "mail: 451 4.3.0 later", "", STORY_QUEUE);
	snprintf(path, sizeof path, "%s/gatepost.conf", w.dir);
	f = fopen(path, "a");
	ck_assert_ptr_nonnull(f);
	fputs("nonsense = 1\n", f);
	fclose(f);
	ck_assert_int_eq(shell("'%s' status --state '%s' 2>&1", getenv("GATEPOST"), w.dir), 0);
	ck_assert_msg(strstr(story_out, "nonsense: no such option") != NULL && strstr(story_out, "; trying ") != NULL, "%s", story_out);
	ck_assert_msg(strstr(story_out, "587") != NULL || strstr(story_out, "provider") != NULL, "%s", story_out);
	story_down(&w);
}
END_TEST

Suite *
words_suite(void)
{
	Suite *s = suite_create("words");
	TCase *t = tcase_create("words");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_queue_where_nothing_matches);
	tcase_add_test(t, output_that_is_lost);
	tcase_add_test(t, a_file_that_is_broken_since);
	suite_add_tcase(s, t);
	return s;
}
