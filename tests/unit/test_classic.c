/* sendmail's options, as programs of Debian give them. */
#include "command/classic.h"

#include <string.h>

#include "command/args.h"
#include "unit/bytes.h"

enum { WORDS_MAX = 14 };

static const struct {
	const char *words[WORDS_MAX];
	int status;
	const char *rcpts;	/* joined by blanks */
	struct classic want;
	const char *envid;
} cases[] = {
	{ { "sendmail", "a@b", "c" }, ARGS_GO_ON, "a@b c ", { .dot_ends = true }, "" },
	/* PHP's default, cron, mutt, git send-email, logwatch, PHPMailer */
	{ { "sendmail", "-t", "-i" }, ARGS_GO_ON, "", { .extract = true }, "" },
	{ { "sendmail", "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root" }, ARGS_GO_ON, "root ", { .name = "CronDaemon" }, "" },
	{ { "sendmail", "-oem", "-oi", "-f", "a@b", "-N", "failure,delay", "-R", "hdrs", "--", "-x@y" }, ARGS_GO_ON, "-x@y ",
	  { .sender = "a@b", .notify = "failure,delay", .ret = "HDRS" }, "" },
	{ { "sendmail", "-f", "a@b", "-i", "c@d", "e@f" }, ARGS_GO_ON, "c@d e@f ", { .sender = "a@b" }, "" },
	{ { "sendmail", "-t" }, ARGS_GO_ON, "", { .dot_ends = true, .extract = true }, "" },
	{ { "sendmail", "-oi", "-fa@b", "-t" }, ARGS_GO_ON, "", { .sender = "a@b", .extract = true }, "" },
	{ { "sendmail", "-f", "", "-bm", "a" }, ARGS_GO_ON, "a ", { .dot_ends = true, .sender = "" }, "" },
	{ { "sendmail", "-ra@b", "-ti" }, ARGS_GO_ON, "", { .sender = "a@b", .extract = true }, "" },
	{ { "sendmail", "a@b", "-t" }, ARGS_GO_ON, "a@b -t ", { .dot_ends = true }, "" },
	{ { "sendmail", "-bs", "-C", "f" }, ARGS_GO_ON, "", { .mode = CLASSIC_SMTP, .dot_ends = true, .config = "f" }, "" },
	{ { "sendmail", "-bp" }, ARGS_GO_ON, "", { .mode = CLASSIC_QUEUE, .dot_ends = true }, "" },
	{ { "sendmail", "-q" }, ARGS_GO_ON, "", { .mode = CLASSIC_FLUSH, .dot_ends = true }, "" },
	{ { "sendmail", "-bi" }, ARGS_GO_ON, "", { .mode = CLASSIC_NOTHING, .dot_ends = true }, "" },
	{ { "sendmail", "-I" }, ARGS_GO_ON, "", { .mode = CLASSIC_NOTHING, .dot_ends = true }, "" },
	{ { "sendmail", "-V", "a+b", "-Nnever", "x" }, ARGS_GO_ON, "x ", { .dot_ends = true, .notify = "never" }, "a+2Bb" },
	/* passed over */
	{ { "sendmail", "-N", "bogus", "-R", "x", "-V", "a\nb", "x" }, ARGS_GO_ON, "x ", { .dot_ends = true }, "" },
	{ { "sendmail", "-N", "never,delay", "x" }, ARGS_GO_ON, "x ", { .dot_ends = true }, "" },
	{ { "sendmail", "-N", "delay\r\nRCPT", "x" }, ARGS_GO_ON, "x ", { .dot_ends = true }, "" },
	{ { "sendmail", "-odb", "-om", "-O", "X=y", "-h3", "-Ltag", "-psmtp", "-X", "/l", "-ee", "-Ubmnvx" }, 64, NULL, { 0 }, NULL },
	{ { "sendmail", "-odb", "-om", "-O", "X=y", "-h3", "-Ltag", "-psmtp", "-X", "/l", "-ee", "-Umnvx", "-d0.1", "x" }, ARGS_GO_ON, "x ",
	  { .dot_ends = true }, "" },
	{ { "sendmail", "-bd" }, ARGS_USAGE, NULL, { 0 }, NULL },
	{ { "sendmail", "-bv", "x" }, ARGS_USAGE, NULL, { 0 }, NULL },
	{ { "sendmail", "-q30m" }, ARGS_USAGE, NULL, { 0 }, NULL },
	{ { "sendmail", "-Z", "x" }, ARGS_USAGE, NULL, { 0 }, NULL },
	{ { "sendmail", "-f" }, ARGS_USAGE, NULL, { 0 }, NULL },
};

static void
same(const char *a, const char *b)
{
	ck_assert_msg((a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0), "%s, not %s", a, b);
}

START_TEST(parses)
{
	const struct classic *want = &cases[_i].want;
	char *argv[WORDS_MAX + 1] = { NULL };
	struct buf rcpts = { 0 };
	struct classic c;
	int argc = 0;

	for (; argc < WORDS_MAX && cases[_i].words[argc] != NULL; argc++)
		argv[argc] = mem_text(cases[_i].words[argc]);
	ck_assert_int_eq(classic_parse(&c, argc, argv), cases[_i].status);
	if (cases[_i].status == ARGS_GO_ON) {
		for (int i = 0; i < c.nrcpt; i++)
			buf_printf(&rcpts, "%s ", c.rcpt[i]);
		bytes_eq(buf_str(&rcpts), str_of(cases[_i].rcpts));
		bytes_eq(buf_str(&c.envid), str_of(cases[_i].envid));
		ck_assert_int_eq(c.mode, want->mode);
		ck_assert_int_eq(c.extract, want->extract);
		ck_assert_int_eq(c.dot_ends, want->dot_ends);
		same(c.config, want->config);
		same(c.sender, want->sender);
		same(c.name, want->name);
		same(c.notify, want->notify);
		same(c.ret, want->ret);
	}
	classic_clear(&c);
	buf_clear(&rcpts);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}
END_TEST

Suite *test_classic(void);

Suite *
test_classic(void)
{
	Suite *s = suite_create("test_classic");
	TCase *t = tcase_create("classic");

	tcase_add_loop_test(t, parses, 0, sizeof cases / sizeof cases[0]);
	suite_add_tcase(s, t);
	return s;
}
