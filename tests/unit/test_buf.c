/* The buffer, and the cursor over memory that nobody vouches for. */
#include "base/buf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(grows)
{
	struct buf b = { 0 };

	ck_assert(str_is(buf_str(&b), ""));
	ck_assert_ptr_nonnull(buf_str(&b).p);
	for (int i = 0; i < 1000; i++) {
		buf_putc(&b, 'a' + i % 26);
		ck_assert_uint_eq(b.len, (size_t)i + 1);
		ck_assert_int_eq(b.data[b.len], '\0');
	}
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(b.data[i], 'a' + i % 26);
	buf_clear(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.cap, 0);
}
END_TEST

START_TEST(cuts_and_drops)
{
	struct buf b = { 0 };

	buf_drop(&b, 0);
	buf_cut(&b, 0);
	buf_puts(&b, "one two three");
	buf_drop(&b, 4);
	ck_assert_str_eq(b.data, "two three");
	buf_cut(&b, 3);
	ck_assert_str_eq(b.data, "two");
	buf_drop(&b, 3);
	ck_assert_str_eq(b.data, "");
	buf_clear(&b);
}
END_TEST

START_TEST(has_room)
{
	struct buf b = { 0 };
	char *room = buf_room(&b, 5000);

	memset(room, 'x', 5000);
	b.len += 5000;
	ck_assert_uint_gt(b.cap, b.len);
	ck_assert_ptr_eq(buf_room(&b, 0), b.data + b.len);
	buf_clear(&b);
}
END_TEST

START_TEST(prints)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s", "");
	ck_assert_str_eq(b.data, "");
	for (int width = 1; width < 300; width++) {
		buf_cut(&b, 0);
		buf_puts(&b, "<");
		buf_printf(&b, "%*d", width, 7);
		ck_assert_uint_eq(b.len, (size_t)width + 1);
		ck_assert_int_eq(b.data[width], '7');
		ck_assert_int_eq(b.data[b.len], '\0');
	}
	buf_clear(&b);
}
END_TEST

START_TEST(is_taken)
{
	struct buf b = { 0 };
	char *text = buf_take(&b);

	ck_assert_str_eq(text, "");
	free(text);
	buf_puts(&b, "text");
	text = buf_take(&b);
	ck_assert_str_eq(text, "text");
	ck_assert_ptr_null(b.data);
	free(text);
}
END_TEST

static void
write_all(struct buf *b)
{
	buf_put_u8(b, 0xfe);
	buf_put_u16(b, 0x1234);
	buf_put_u32(b, 0xdeadbeef);
	buf_put_u64(b, UINT64_C(0x0123456789abcdef));
	buf_put_text(b, STR("text"));
	buf_put_text(b, STR(""));
	buf_put(b, "raw", 3);
}

START_TEST(is_read_back)
{
	struct buf b = { 0 };
	struct cursor c;

	write_all(&b);
	ck_assert_mem_eq(b.data, "\xfe\x34\x12\xef\xbe\xad\xde\xef\xcd\xab", 10);
	c = cursor_init(b.data, b.len);
	ck_assert_uint_eq(cursor_u8(&c), 0xfe);
	ck_assert_uint_eq(cursor_u16(&c), 0x1234);
	ck_assert_uint_eq(cursor_u32(&c), 0xdeadbeef);
	ck_assert_uint_eq(cursor_u64(&c), UINT64_C(0x0123456789abcdef));
	ck_assert(str_is(cursor_text(&c), "text"));
	ck_assert(str_is(cursor_text(&c), ""));
	ck_assert(str_is(cursor_bytes(&c, 3), "raw"));
	ck_assert(!c.bad);
	ck_assert_uint_eq(c.left, 0);
	ck_assert_uint_eq(cursor_u8(&c), 0);
	ck_assert(c.bad);
	buf_clear(&b);
}
END_TEST

/* Cut anywhere, the cursor turns bad and stays bad, and reads nothing beyond. */
START_TEST(is_cut_short)
{
	struct buf b = { 0 };

	write_all(&b);
	for (size_t n = 0; n < b.len; n++) {
		char *copy = malloc(n + 1);
		struct cursor c;

		memcpy(copy, b.data, n);
		c = cursor_init(copy, n);
		cursor_u8(&c);
		cursor_u16(&c);
		cursor_u32(&c);
		cursor_u64(&c);
		cursor_text(&c);
		cursor_text(&c);
		ck_assert(str_is(cursor_bytes(&c, 3), ""));
		ck_assert(c.bad);
		ck_assert_uint_eq(cursor_u64(&c), 0);
		free(copy);
	}
	buf_clear(&b);
}
END_TEST

START_TEST(lying_length)
{
	struct cursor c = cursor_init("\xff\xff\xff\xff text", 9);

	ck_assert_uint_eq(cursor_text(&c).n, 0);
	ck_assert(c.bad);
	c = cursor_init(NULL, 0);
	ck_assert(str_is(cursor_bytes(&c, 0), ""));
	ck_assert(!c.bad);
	ck_assert_uint_eq(cursor_bytes(&c, SIZE_MAX).n, 0);
	ck_assert(c.bad);
}
END_TEST

Suite *test_buf(void);
Suite *
test_buf(void)
{
	Suite *s = suite_create("test_buf");
	TCase *tc = tcase_create("buf");

	tcase_add_test(tc, grows);
	tcase_add_test(tc, cuts_and_drops);
	tcase_add_test(tc, has_room);
	tcase_add_test(tc, prints);
	tcase_add_test(tc, is_taken);
	tcase_add_test(tc, is_read_back);
	tcase_add_test(tc, is_cut_short);
	tcase_add_test(tc, lying_length);
	suite_add_tcase(s, tc);
	return s;
}
