/* Names and heads of segments. */
#include "spool/segment.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(names)
{
	static const struct {
		const char *name;
		uint32_t number;	/* 0: it is none */
		bool spare;
	} rows[] = {
		{ "00000001.seg", 1, false }, { "0000000a.new", 10, true }, { "ffffffff.seg", 0xffffffff, false },
		{ "00000000.seg", 0, false }, { "1.seg", 0, false }, { "00000001.sega", 0, false },
		{ "00000001.se", 0, false }, { "0000000A.seg", 0, false }, { "0000000g.seg", 0, false },
		{ "00000001.nex", 0, false }, { "00000001-seg", 0, false }, { "", 0, false }, { "lock", 0, false },
	};
	char name[SEGMENT_NAME];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t number = 0;
		bool spare = false, is = segment_parse_name(rows[i].name, &number, &spare);

		ck_assert_msg(is == (rows[i].number != 0), "%s", rows[i].name);
		if (!is)
			continue;
		ck_assert_uint_eq(number, rows[i].number);
		ck_assert(spare == rows[i].spare);
		segment_name(name, number, spare);
		ck_assert_str_eq(name, rows[i].name);
	}
}
END_TEST

static struct segment *
make(struct buf *head)
{
	int fd = memfd_create("segment", 0);
	struct segment *g = segment_recycle(segment_file_new(fd), 3, SEGMENT_MIN);

	ck_assert_int_ge(fd, 0);
	segment_begin(g, &(struct segment_head){ .number = 77, .replaces = 76, .first_seq = 999, .last_id = 12345 }, head);
	ck_assert_uint_eq(head->len, SEGMENT_HEAD);
	ck_assert_int_eq(pwrite(fd, head->data, head->len, 0), SEGMENT_HEAD);
	return g;
}

/* Each copy of the head is enough alone; without both it is spoilt. */
START_TEST(heads)
{
	struct segment_head out;
	struct buf head = { 0 };
	struct segment *g = make(&head);
	int fd = g->file->fd;

	for (int spoilt = 0; spoilt < 4; spoilt++) {
		for (int copy = 0; copy < 2; copy++) {
			char c = head.data[copy * 4096 + 20];

			c ^= spoilt >> copy & 1 ? 4 : 0;
			ck_assert_int_eq(pwrite(fd, &c, 1, copy * 4096 + 20), 1);
		}
		if (spoilt == 3) {
			ck_assert_int_eq(segment_read_head(fd, &out), SEGMENT_SPOILT);
			continue;
		}
		ck_assert_int_eq(segment_read_head(fd, &out), SEGMENT_GOOD);
		ck_assert_uint_eq(out.number, 77);
		ck_assert_uint_eq(out.replaces, 76);
		ck_assert_uint_eq(out.first_seq, 999);
		ck_assert_uint_eq(out.last_id, 12345);
		ck_assert_uint_eq(out.seed, g->seed);
	}
	buf_clear(&head);
	segment_free(&g);
}
END_TEST

START_TEST(newer_head)	/* D-23: whatever else a later version changes, magic and version stay */
{
	struct segment_head out;
	struct buf head = { 0 };
	struct segment *g = make(&head);

	head.data[8] = head.data[4096 + 8] = SEGMENT_VERSION + 1;
	ck_assert_int_eq(pwrite(g->file->fd, head.data, head.len, 0), SEGMENT_HEAD);
	ck_assert_int_eq(segment_read_head(g->file->fd, &out), SEGMENT_NEWER);
	ck_assert_uint_eq(out.version, SEGMENT_VERSION + 1);
	head.data[4096 + 8] = SEGMENT_VERSION;	/* one flipped bit is not a newer version */
	ck_assert_int_eq(pwrite(g->file->fd, head.data, head.len, 0), SEGMENT_HEAD);
	ck_assert_int_eq(segment_read_head(g->file->fd, &out), SEGMENT_GOOD);
	ck_assert_int_eq(ftruncate(g->file->fd, 10), 0);
	ck_assert_int_eq(segment_read_head(g->file->fd, &out), SEGMENT_SPOILT);
	buf_clear(&head);
	segment_free(&g);
}
END_TEST

START_TEST(a_new_life_has_a_new_seed)
{
	struct buf head = { 0 };
	struct segment *g = make(&head);
	uint32_t seed = g->seed;

	buf_cut(&head, 0);
	segment_begin(g, &(struct segment_head){ .number = 77 }, &head);
	ck_assert_uint_ne(g->seed, seed);
	buf_clear(&head);
	segment_free(&g);
}
END_TEST

START_TEST(files_are_shared)
{
	struct buf head = { 0 };
	struct segment *g = make(&head);
	struct segment_file *reader = segment_file_share(g->file);
	int fd = reader->fd;

	segment_free(&g);
	ck_assert_int_ge(lseek(fd, 0, SEEK_CUR), 0);
	segment_file_drop(&reader);
	ck_assert_ptr_null(reader);
	ck_assert_int_lt(lseek(fd, 0, SEEK_CUR), 0);
	buf_clear(&head);
}
END_TEST

Suite *test_segment(void);
Suite *
test_segment(void)
{
	Suite *s = suite_create("test_segment");
	TCase *tc = tcase_create("segment");

	tcase_add_test(tc, names);
	tcase_add_test(tc, heads);
	tcase_add_test(tc, newer_head);
	tcase_add_test(tc, a_new_life_has_a_new_seed);
	tcase_add_test(tc, files_are_shared);
	suite_add_tcase(s, tc);
	return s;
}
