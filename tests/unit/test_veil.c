/* Secrets taken out of what a server says. */
#include "base/veil.h"

#include <check.h>
#include <string.h>

#include "base/base64.h"

static const struct {
	const char *secret, *said, *shown;
} texts[] = {
	{ "s3cret-word", "no login for s3cret-word", "no login for ***" },
	{ "s3cret-word", "s3cret-words3cret-word s3cret-wor", "****** s3cret-wor" },
	{ "s3cret-word", "", "" },
	{ "s3cret-word", "5.7.8 no", "5.7.8 no" },
	{ "abc", "abc is too short to be looked for", "abc is too short to be looked for" },
	{ "", "no secret", "no secret" },
	{ "aaaa", "aaaaaaaaa", "******a" },
};

START_TEST(hides)
{
	struct buf text = { 0 };
	struct veil v;

	veil_init(&v, texts[_i].secret);
	buf_puts(&text, texts[_i].said);
	veil_hide(&v, &text);
	ck_assert_uint_eq(text.len, strlen(texts[_i].shown));
	ck_assert_str_eq(text.data != NULL ? text.data : "", texts[_i].shown);
	buf_clear(&text);
	veil_clear(&v);
}
END_TEST

START_TEST(hides_what_is_coded)	/* _i octets stand before it, so that it begins anywhere in a triple */
{
	static const char secret[] = "s3cret-word";
	struct buf plain = { 0 }, said = { 0 }, back = { 0 };
	struct veil v;

	for (int i = 0; i < _i; i++)
		buf_putc(&plain, (char)('a' + i));
	buf_puts(&plain, secret);
	buf_puts(&plain, " and more");
	base64_put(&said, plain.data, plain.len);
	veil_init(&v, secret);
	veil_hide(&v, &said);
	ck_assert_ptr_nonnull(strstr(said.data, "***"));
	while (memchr(said.data, '*', said.len) != NULL)	/* what is left tells nothing of it */
		*(char *)memchr(said.data, '*', said.len) = 'A';
	while (said.len % 4 != 0)
		buf_putc(&said, 'A');
	if (base64_take(&back, buf_str(&said)))
		ck_assert_ptr_null(memmem(back.data, back.len, "cret-wor", 8));
	buf_clear(&plain);
	buf_clear(&said);
	buf_clear(&back);
	veil_clear(&v);
}
END_TEST

Suite *test_veil(void);

Suite *
test_veil(void)
{
	Suite *s = suite_create("test_veil");
	TCase *t = tcase_create("veil");

	tcase_add_loop_test(t, hides, 0, sizeof texts / sizeof texts[0]);
	tcase_add_loop_test(t, hides_what_is_coded, 0, 7);
	suite_add_tcase(s, t);
	return s;
}
