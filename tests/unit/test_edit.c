/* What an upstream wants different in the header: From: rewritten, and nothing else touched. */
#include "unit/relay_rig.h"

#include "relay/edit.h"

#define REST "To: b\r\nfrom-nobody: x\r\n\r\nFrom: in the <body@x>\r\n"

static const struct {
	const char *from, *want;	/* the field, whole; "" : none */
} froms[] = {
	{ "From: ann@inside\r\n", "From: out@x\r\n" },
	{ "From: <ann@inside>\r\n", "From: <out@x>\r\n" },
	{ "from:Ann <ann@inside>\r\n", "from:Ann <out@x>\r\n" },
	{ "From: Ann\r\n Other <ann@inside>\r\n", "From: Ann\r\n Other <out@x>\r\n" },
	{ "From: \"Doe, Ann <x>\" <ann@inside>\r\n", "From: \"Doe, Ann <x>\" <out@x>\r\n" },
	{ "From: \"a\\\"<\" <ann@inside>\r\n", "From: \"a\\\"<\" <out@x>\r\n" },
	{ "From: (a, \\) <b>) Ann <ann@inside>\r\n", "From: (a, \\) <b>) Ann <out@x>\r\n" },
	{ "From: Ann <ann@inside> (at home)\r\n", "From: Ann <out@x>\r\n" },
	{ "From: a@inside, Ann <ann@inside>\r\n", "From: out@x\r\n" },
	{ "From: Ann <ann@inside>, b@inside\r\n", "From: Ann <out@x>\r\n" },
	{ "From: \"never closed <ann@inside>\r\n", "From: out@x\r\n" },
	{ "From:\r\n", "From: out@x\r\n" },
	{ "From: a@inside\r\nSubject: s\r\nFROM : b@inside\r\n", "From: out@x\r\nSubject: s\r\nFrom: out@x\r\n" },
	{ "", "" },
};

/* The content as it would go out. */
static char *
pour(struct content *c)
{
	struct buf out = { 0 };
	struct why why;

	ck_assert_int_eq(content_start(c, true, &why), 0);
	ck_assert_int_eq(content_pour(c, &out, 1 << 20, &why), CONTENT_END);
	ck_assert_uint_eq(out.len, c->octets);
	return buf_take(&out);
}

static void
check(struct rig *r, const char *sender, const char *from, const char *want)
{
	struct buf text = { 0 }, wanted = { 0 };
	struct content c;
	struct why why;
	unsigned rcpt = 0;
	struct job *j;
	char *got;

	buf_printf(&text, "Received: x\r\n%s" REST, from);
	buf_printf(&wanted, "Received: x\r\n%s" REST, want);
	j = rig_job(r, 1, sender, "a@x", buf_str(&text));
	content_init(&c, j->body);
	ck_assert_int_eq(edit_content(&c, j, &rcpt, 1, r->config, &r->config->upstream[0], &why), 0);
	got = pour(&c);
	ck_assert_str_eq(got, wanted.data);
	free(got);
	content_clear(&c);
	envelope_free(&j->envelope);
	memo_job_free(&j);
	buf_clear(&text);
	buf_clear(&wanted);
}

START_TEST(from_is_rewritten)
{
	struct rig r;

	rig_open(&r, "me", "sender = \"out@x\" rewrite_from = true");
	check(&r, "out@x", froms[_i].from, froms[_i].want);
	check(&r, "", froms[_i].from, froms[_i].from);	/* a notification stays what it is */
	rig_close(&r);
}
END_TEST

START_TEST(only_where_it_is_asked_for)
{
	struct rig r;

	rig_open(&r, "me", "sender = \"out@x\"");
	check(&r, "out@x", froms[_i].from, froms[_i].from);
	rig_close(&r);
}
END_TEST

Suite *test_edit(void);

Suite *
test_edit(void)
{
	Suite *s = suite_create("test_edit");
	TCase *t = tcase_create("edit");

	tcase_add_loop_test(t, from_is_rewritten, 0, (int)(sizeof froms / sizeof froms[0]));
	tcase_add_loop_test(t, only_where_it_is_asked_for, 0, (int)(sizeof froms / sizeof froms[0]));
	suite_add_tcase(s, t);
	return s;
}
