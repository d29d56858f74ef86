/* Command lines: options anywhere, and 64 for what is none. */
#include "command/args.h"

#include "command/command.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 12 };

static const struct {
	const char *words[WORDS_MAX];
	int status;
	const char *file, *limit, *names;	/* names joined by blanks */
	bool json;
} cases[] = {
	{ { "queue" }, ARGS_GO_ON, NULL, NULL, "", false },
	{ { "queue", "-c", "f", "--json" }, ARGS_GO_ON, "f", NULL, "", true },
	{ { "queue", "a", "--json", "b", "-c", "f", "c" }, ARGS_GO_ON, "f", NULL, "a b c", true },
	{ { "queue", "-cf" }, ARGS_GO_ON, "f", NULL, "", false },
	{ { "queue", "--limit", "3" }, ARGS_GO_ON, NULL, "3", "", false },
	{ { "queue", "--limit=3" }, ARGS_GO_ON, NULL, "3", "", false },
	{ { "queue", "--limit=" }, ARGS_GO_ON, NULL, "", "", false },
	{ { "queue", "--limit", "--json" }, ARGS_GO_ON, NULL, "--json", "", false },
	{ { "queue", "--", "--json", "-c" }, ARGS_GO_ON, NULL, NULL, "--json -c", false },
	{ { "queue", "-" }, ARGS_GO_ON, NULL, NULL, "-", false },
	{ { "queue", "--limit" }, ARGS_USAGE, NULL, NULL, NULL, false },
	{ { "queue", "-c" }, ARGS_USAGE, NULL, NULL, NULL, false },
	{ { "queue", "--jsonx" }, ARGS_USAGE, NULL, NULL, NULL, false },
	{ { "queue", "--json=1" }, ARGS_USAGE, NULL, NULL, NULL, false },
	{ { "queue", "--limi", "3" }, ARGS_USAGE, NULL, NULL, NULL, false },
	{ { "queue", "-x" }, ARGS_USAGE, NULL, NULL, NULL, false },
};

START_TEST(parses)
{
	bool json = false;
	const char *limit = NULL;
	const struct args_option own[] = {
		{ "--json", &json, NULL }, { "--limit", NULL, &limit }, { NULL, NULL, NULL },
	};
	char words[WORDS_MAX][16], *argv[WORDS_MAX + 1], names[64] = "";
	struct args a;
	int argc = 0;

	for (; cases[_i].words[argc] != NULL; argc++) {
		snprintf(words[argc], sizeof words[argc], "%s", cases[_i].words[argc]);
		argv[argc] = words[argc];
	}
	argv[argc] = NULL;
	ck_assert_int_eq(args_parse(&a, argc, argv, own), cases[_i].status);
	if (cases[_i].status != ARGS_GO_ON)
		return;
	for (int i = 0; i < a.n; i++)
		snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i > 0 ? " " : "", a.name[i]);
	ck_assert_str_eq(names, cases[_i].names);
	ck_assert_pstr_eq(a.file, cases[_i].file);
	ck_assert_pstr_eq(limit, cases[_i].limit);
	ck_assert(json == cases[_i].json);
}
END_TEST

START_TEST(counts)
{
	char command[] = "show", one[] = "1", two[] = "2";
	struct args a = { .command = command, .name = (char *[]){ one, two }, .n = 2 };

	ck_assert_int_eq(args_need(&a, 1, 2), ARGS_GO_ON);
	ck_assert_int_eq(args_need(&a, 0, 1), ARGS_USAGE);
	ck_assert_int_eq(args_need(&a, 3, 3), ARGS_USAGE);
}
END_TEST

START_TEST(socket_by_name)
{
	struct args a = { .command = "status", .socket = "/tmp/x" };
	char *path = NULL;

	ck_assert_int_eq(args_control_socket(&a, &path), ARGS_OK);
	ck_assert_str_eq(path, "/tmp/x");
	free(path);
}
END_TEST

START_TEST(bad_file)
{
	struct args a = { .command = "status", .file = "/nonexistent/gatepost.conf" };
	char *path = NULL;

	ck_assert_int_eq(args_control_socket(&a, &path), ARGS_CONFIG);
	ck_assert_ptr_null(path);
}
END_TEST

/* `gatepost run' answers as the others do. */
static const struct {
	const char *words[4];
	int status;
} options[] = {
	{ { "run" }, ARGS_GO_ON },
	{ { "run", "-c", "/etc/x", "--state=/s" }, ARGS_GO_ON },
	{ { "run", "-h" }, ARGS_OK },
	{ { "run", "-c" }, ARGS_USAGE },
	{ { "run", "--state" }, ARGS_USAGE },
	{ { "run", "--nonsense" }, ARGS_USAGE },
	{ { "run", "more" }, ARGS_USAGE },
};

START_TEST(of_run)
{
	const char *file = NULL, *state = NULL;
	char *argv[5] = { NULL };
	int argc = 0;

	while (argc < 4 && options[_i].words[argc] != NULL) {
		argv[argc] = strdup(options[_i].words[argc]);
		argc++;
	}
	ck_assert_int_eq(command_options(argc, argv, &file, &state), options[_i].status);
	if (_i == 1) {
		ck_assert_str_eq(file, "/etc/x");
		ck_assert_str_eq(state, "/s");
	}
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}
END_TEST

Suite *test_args(void);

Suite *
test_args(void)
{
	Suite *s = suite_create("test_args");
	TCase *t = tcase_create("args");

	tcase_add_loop_test(t, parses, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, counts);
	tcase_add_test(t, socket_by_name);
	tcase_add_test(t, bad_file);
	tcase_add_loop_test(t, of_run, 0, sizeof options / sizeof options[0]);
	suite_add_tcase(s, t);
	return s;
}
