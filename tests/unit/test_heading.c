/* The header as sendmail acts on it. */
#include "command/heading.h"

#include "unit/bytes.h"

static const struct {
	const char *header, *rcpts;	/* NULL: refused */
	const char *full;		/* with "h" for missing domains; NULL: unchanged */
} cases[] = {
	{ "", "", NULL },
	{ "To: a@b\r\nCc: c@d\r\nbcc: e@f\r\nX-To: g@h\r\n", "a@b c@d e@f ", NULL },
	{ "To: root\r\n", "root ", "To: root@h\r\n" },
	{ "From: root (Cron Daemon)\r\nTo : a@b,\r\n\tjoe\r\n", "a@b joe ", "From: root@h (Cron Daemon)\r\nTo : a@b,\r\n\tjoe@h\r\n" },
	{ "To: a@b\r\nTo: c@d\r\n", "a@b c@d ", NULL },
	{ "To: a@b\r\nResent-To: r@s\r\nResent-Bcc: t\r\nCc: c@d\r\n", "r@s t ", "To: a@b\r\nResent-To: r@s\r\nResent-Bcc: t@h\r\nCc: c@d\r\n" },
	{ "To: a@b\r\nResent-To:\r\n", "a@b ", NULL },
	{ "To: undisclosed-recipients:;\r\nSubject: x, y\r\n", "", NULL },
	{ "To: John Smith\r\nReply-To: w\r\n", NULL, "To: John Smith\r\nReply-To: w@h\r\n" },
	{ "From: John Smith\r\n", "", NULL },
	{ "To: A B <a@b> c@d\r\n", "a@b c@d ", NULL },
	{ "To: A B <a@b> c\r\nCc: d\r\n", NULL, "To: A B <a@b> c\r\nCc: d@h\r\n" },
	{ "To: a@b (x\r\nCc: g: c@d e@f;, root (y\r\n", "a@b c@d e@f root ", "To: a@b (x\r\nCc: g: c@d e@f;, root@h (y\r\n" },
	{ "To: a@b (x, c@d\r\n", NULL, NULL },
};

START_TEST(fields)
{
	struct rcpts r = { 0 };
	struct buf out = { 0 }, full = { 0 };
	struct why why;
	int result = heading_recipients(&r, str_of(cases[_i].header), &why);

	ck_assert_int_eq(result, cases[_i].rcpts != NULL ? 0 : -1);
	for (size_t i = 0; i < r.n; i++)
		buf_printf(&out, "%s ", r.v[i]);
	if (result == 0)
		bytes_eq(buf_str(&out), str_of(cases[_i].rcpts));
	heading_put(&full, str_of(cases[_i].header), "h");
	bytes_eq(buf_str(&full), str_of(cases[_i].full != NULL ? cases[_i].full : cases[_i].header));
	rcpts_clear(&r);
	buf_clear(&out);
	buf_clear(&full);
}
END_TEST

static const struct {
	const char *name, *line;
} names[] = {
	{ "", "From: <a@b>\r\n" },
	{ " Cron Daemon ", "From: Cron Daemon <a@b>\r\n" },
	{ "J. \"Q\" Smith", "From: \"J. \\\"Q\\\" Smith\" <a@b>\r\n" },
	{ "J\xc3\xa9r\xc3\xb4me", "From: =?utf-8?B?SsOpcsO0bWU=?= <a@b>\r\n" },
	{ "x\r\nBcc: c@d", "From: \"x??Bcc: c@d\" <a@b>\r\n" },	/* C-29 */
	{ "J\xfcrg\n\x7f", "From: =?unknown-8bit?B?SvxyZz8/?= <a@b>\r\n" },	/* RFC 1428 3 */
	{ "\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc"
	  "\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc" "A",
	  "From: =?unknown-8bit?B?/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8/Pz8?=\r\n =?unknown-8bit?B?QQ==?= <a@b>\r\n" },
	{ "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
	  "From: =?utf-8?B?w6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOp?=\r\n =?utf-8?B?w6k=?= <a@b>\r\n" },
};

START_TEST(from)
{
	struct buf out = { 0 };

	heading_put_from(&out, names[_i].name, "a@b");
	bytes_eq(buf_str(&out), str_of(names[_i].line));
	buf_clear(&out);
}
END_TEST

/* What is refused is told, and no more than that. */
START_TEST(tells)
{
	struct rcpts r = { 0 };
	struct why why;

	ck_assert_int_eq(heading_list(&r, STR("a@b,\r\n\tJohn Smith , c@d\r\n"), &why), -1);
	ck_assert_str_eq(why.text, "not an address, or not a list of them: John Smith");
	rcpts_clear(&r);
}
END_TEST

START_TEST(has)
{
	ck_assert(heading_has(STR("To: x\r\nFROM : y\r\n"), "From"));
	ck_assert(!heading_has(STR("To: x\r\n From: y\r\n"), "From"));
}
END_TEST

Suite *test_heading(void);

Suite *
test_heading(void)
{
	Suite *s = suite_create("test_heading");
	TCase *t = tcase_create("heading");

	tcase_add_loop_test(t, fields, 0, sizeof cases / sizeof cases[0]);
	tcase_add_loop_test(t, from, 0, sizeof names / sizeof names[0]);
	tcase_add_test(t, tells);
	tcase_add_test(t, has);
	suite_add_tcase(s, t);
	return s;
}
