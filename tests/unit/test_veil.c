/* Secrets taken out of what a server says. */
#include "base/veil.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"

#define LONG "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.c2ln"

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
	/* letter case */
	{ "s3cret-Word", "for S3CRET-WORD and s3cret-word", "for *** and ***" },
	/* hexadecimal */
	{ "s3cret-Word", "x7333637265742d576f7264x", "x***x" },
	{ "s3cret-Word", "7333637265742D576F7264", "***" },
	/* percent-encoded, wholly or in part, and broken */
	{ "1//se+cr=t", "token=1%2F%2fse%2Bcr%3dt&x", "token=***&x" },
	{ "1//se+cr=t", "1//se%2bcr=t", "***" },
	{ "1//se+cr=t", "1%2F/se+cr=t", "***" },
	{ "a word", "a+word a%20word a word", "*** *** ***" },
	{ "s3cret", "%73%33%63%72%65%74%", "***%" },
	{ "100%25", "100%25, 100%2525", "***, ***" },
	{ "s3cret", "s3cre%7", "s3cre%7" },
	{ "s3cret", "s3cre%", "s3cre%" },
	{ "s3cret", "s3cre%zz", "s3cre%zz" },
	/* as a quoted string has it, as programs print strings, and as mail's text */
	{ "a\"b\\c'd", "for \"a\\\"b\\\\c'd\"", "for \"***\"" },
	{ "a\"b\\c'd", "for 'a\"b\\\\c\\'d'", "for '***'" },
	{ "a\"b\\c'd", "for a\"b\\c'd", "for ***" },
	{ "s3cret", "\\s\\3cret \\x733cre\\x74\\x", "*** ***\\x" },
	{ "s3cret", "=733cre=74= s3cre=7", "***= s3cre=7" },
	{ "s=3dx", "s=3dx s=3D3dx s\\=3dx", "*** *** ***" },
	{ "s3cret", "s3cre\\", "s3cre\\" },
	/* the secret holds what is another kind's escape */
	{ "%25100%25", "100%25100%2\\5 %25100%25", "100*** ***" },
	{ "a=3Db", "a%3D3Db a\\=3Db", "*** ***" },
	/* of several kinds at once */
	{ "pa\"ss w+ord", "\"pa\\\"ss+w%2Bord\"", "\"***\"" },
	{ "1//0abc=def", "1\\/\\/0abc%3Ddef", "***" },
	{ "correct horse battery", "correct+horse\\x20battery", "***" },
	/* in the alphabet for addresses, and its own case only: "s3c?>~t?\?>" */
	{ "s3c?>~t?\?>", "czNjPz5-dD8_Pg", "***g" },
	{ "s3c?>~t?\?>", "czNjPz5%2bdD8/Pg", "***g" },
	{ "s3cret-word", "CZNJCMV0LXDVCMQ", "CZNJCMV0LXDVCMQ" },
	/* over lines, with or without an enhanced status */
	{ "s3cret-word", "5.7.8 s3cret-\nword\nand", "5.7.8 ***\nand" },
	{ "s3cret-word", "5.7.8 s3cret-\n5.7.8 word", "5.7.8 ***" },
	{ "s3cret-word", "s3\ncret\n5.7.10 -w \n ord", "***" },
	{ "s3cret-word", "s3cret-\r\n5.7.8 word", "***" },
	{ "correct horse battery", "5.7.8 correct\r\n5.7.8 horse \n battery.", "5.7.8 ***." },
	{ "correct horse battery", "correct horsebattery", "correct horsebattery" },
	{ "s3cret-word", "s3cret=\r\n-wor=64 s3cret=x", "*** s3cret=x" },
	{ "s3cret-word", "s3cret-\n", "s3cret-\n" },
	{ "s3cret-word", "s3cret-\nsword", "s3cret-\nsword" },
	/* more than 32 octets: so much of it is enough, less is not */
	{ LONG, "Bearer " LONG ".", "Bearer ***." },
	{ LONG, "Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczov..", "Bearer ***.." },
	{ LONG, "Bearer eyJhbGciOiJSUzI1NiJ9.ey", "Bearer eyJhbGciOiJSUzI1NiJ9.ey" },
};

static struct veil *
veil_of(const char *secret)
{
	struct veil *v = veil_new();

	veil_add(v, secret);
	return v;
}

START_TEST(hides)
{
	struct buf text = { 0 };
	struct veil *v = veil_of(texts[_i].secret);

	buf_puts(&text, texts[_i].said);
	ck_assert_int_eq(veil_finds(v, buf_str(&text)), strcmp(texts[_i].said, texts[_i].shown) != 0);
	veil_hide(v, &text, false);
	ck_assert_str_eq(text.data != NULL ? text.data : "", texts[_i].shown);
	ck_assert_uint_eq(text.len, strlen(texts[_i].shown));
	buf_clear(&text);
	veil_unref(&v);
	ck_assert_ptr_null(v);
}
END_TEST

START_TEST(hides_what_is_coded)	/* _i octets stand before it, so that it begins anywhere in a triple */
{
	static const char secret[] = "s3cret-word";
	struct buf plain = { 0 }, said = { 0 }, back = { 0 };
	struct veil *v = veil_of(secret);

	for (int i = 0; i < _i; i++)
		buf_putc(&plain, (char)('a' + i));
	buf_puts(&plain, secret);
	buf_puts(&plain, " and more");
	base64_put(&said, plain.data, plain.len);
	veil_hide(v, &said, false);
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
	veil_unref(&v);
}
END_TEST

START_TEST(hides_what_is_cut)
{
	static const struct { const char *said, *shown; } cut[] = {
		{ "HELLO s3cr", "HELLO ***" }, { "HELLO s3c", "HELLO s3c" }, { "HELLO s3cr.", "HELLO s3cr." },
		{ "HELLO %73%33%63%72", "HELLO ***" }, { "HELLO 73336372", "HELLO ***" },
		{ "HELLO s3cr%", "HELLO ***" }, { "HELLO s3cr%6", "HELLO ***" }, { "HELLO s3cr%66", "HELLO s3cr%66" },
		{ "HELLO s3cr=6", "HELLO ***" }, { "HELLO s3cr=", "HELLO ***" }, { "HELLO s3cr%x", "HELLO s3cr%x" },
		{ "HELLO s3cr\\", "HELLO ***" }, { "HELLO s3cr\\x6", "HELLO ***" }, { "HELLO s3cr\\x66", "HELLO s3cr\\x66" },
		{ "HELLO s3cr\n", "HELLO ***" }, { "HELLO s3cr \r\n5.7.8 ", "HELLO ***" }, { "HELLO s3cr\r", "HELLO ***" },
		{ "HELLO s3cr=\n", "HELLO ***" }, { "HELLO s3cr\n5.7", "HELLO ***" }, { "HELLO s3cr\n5.7.8 x", "HELLO s3cr\n5.7.8 x" },
		{ "HELLO s3c\n", "HELLO s3c\n" },
	};
	struct veil *v = veil_of("s3cret-word");

	for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
		struct buf text = { 0 };

		buf_puts(&text, cut[i].said);
		veil_hide(v, &text, true);
		ck_assert_str_eq(text.data, cut[i].shown);
		buf_clear(&text);
	}
	veil_unref(&v);
}
END_TEST

/* What more than one has; nobody; one more reference. */
START_TEST(hides_several)
{
	struct buf text = { 0 };
	struct veil *v = veil_of("first-one"), *also = veil_ref(v);

	veil_add(v, NULL);
	veil_add(v, "first-one");
	for (int i = 0; i < VEIL_SECRETS + 1; i++)	/* more than there is room for */
		veil_add(v, (char[]){ 's', 'e', 'c', 'o', 'n', 'd', '-', (char)('a' + i), '\0' });
	veil_unref(&v);
	buf_puts(&text, "first-one second-a second-w second-x");
	veil_hide(also, &text, false);
	ck_assert_str_eq(text.data, "*** *** *** second-x");
	veil_unref(&also);
	ck_assert_ptr_null(veil_ref(NULL));
	veil_unref(&also);
	veil_hide(NULL, &text, false);
	ck_assert_str_eq(text.data, "*** *** *** second-x");
	buf_clear(&text);
}
END_TEST

#define X16 "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16

/* Names of certificates, as RFC 2253 writes them. */
static const struct {
	const char *said;
	bool hidden;
} names[] = {
	{ "CN=mail.example,O=Example\\, Inc.", false },
	{ "", false },
	{ "CN=s3cret\\,word\\+\\C3\\A4", true },		/* s3cret,word+\xc3\xa4 */
	{ "CN=x\\; S3CRET\\,WORD\\+\\c3\\a4; CN=y", true },
	{ "CN=s3cret,word+\xc3\xa4", true },
	{ "CN=czNjcmV0LHdvcmQrw6Q=", true },
	{ "CN=czNjcmV0LHdvcmQrw6Q\\=", true },
	{ "CN=s3cret\\,word", false },
	{ "CN=s3cret\\,word\\+\\C3\\A", false },
	{ "CN=s3cret\\,word\\+\\C3\\A4\\", true },
	{ "CN=" X256 "s3cret\\,word\\+\\C3\\A4", true },
	{ "CN=mail\\", false },
	{ "CN=mail\\C", false },
};

START_TEST(hides_names)
{
	struct veil *v = veil_of("s3cret,word+\xc3\xa4");
	struct buf name = { 0 };

	buf_puts(&name, names[_i].said);
	veil_hide_name(NULL, &name);
	ck_assert(str_is(buf_str(&name), names[_i].said));
	veil_hide_name(v, &name);
	ck_assert(str_is(buf_str(&name), names[_i].hidden ? "***" : names[_i].said));
	buf_clear(&name);
	veil_unref(&v);
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
	tcase_add_test(t, hides_what_is_cut);
	tcase_add_test(t, hides_several);
	tcase_add_loop_test(t, hides_names, 0, sizeof names / sizeof names[0]);
	suite_add_tcase(s, t);
	return s;
}
