/* A record is found wherever what is no record ends: right behind it, around the ends of what is read at once (D-05, D-06). */
#include "spool/walk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEED = 0x5eed, SIZE = 3 * 256 * 1024, AT_ONCE = 256 * 1024, GLANCE = 4096, LARGE = AT_ONCE + 1000 };

static int file;

static void
make(void)
{
	ck_assert_int_ge(file = memfd_create("segment", MFD_CLOEXEC), 0);
	ck_assert_int_eq(ftruncate(file, SIZE), 0);
}

static void
remove_it(void)
{
	close(file);
}

/* A record whose payload is what stands there.  Where it ends. */
static uint32_t
put(uint32_t at, uint32_t length)
{
	struct frame f = { .kind = FRAME_MESSAGE, .id = 7, .seq = 1, .length = length };
	unsigned char head[FRAME_HEAD];

	frame_pack(head, &f, SEED, at);
	ck_assert_int_eq(pwrite(file, head, sizeof head, at), sizeof head);
	return at + (uint32_t)frame_size(length);
}

static void
expect(struct walk *w, enum walk_step want, uint32_t from, uint32_t to)
{
	uint32_t at = 0, size = 0;
	struct frame f;

	ck_assert_int_eq(walk_next(w, &f, &at, &size), want);
	ck_assert_uint_eq(at, from);
	if (want != WALK_END)
		ck_assert_uint_eq(at + size, to);
}

/* From `begin', nothing until `at', a record there and one behind a gap of 8, and nothing more. */
static void
find(uint32_t begin, bool after_record, uint32_t at)
{
	uint32_t start = after_record ? put(begin, LARGE) : begin, end = put(at, 100), last = put(end + FRAME_ALIGN, 0);
	unsigned char nothing[FRAME_HEAD] = { 0 };
	struct walk w;

	walk_init(&w, file, SEED, SIZE, begin);
	if (after_record)
		expect(&w, WALK_RECORD, begin, start);
	if (at > start)
		expect(&w, WALK_GAP, start, at);
	expect(&w, WALK_RECORD, at, end);
	expect(&w, WALK_GAP, end, end + FRAME_ALIGN);
	expect(&w, WALK_RECORD, end + FRAME_ALIGN, last);
	expect(&w, WALK_END, last, 0);
	walk_clear(&w);
	ck_assert_int_eq(pwrite(file, nothing, sizeof nothing, at), sizeof nothing);
	ck_assert_int_eq(pwrite(file, nothing, sizeof nothing, end + FRAME_ALIGN), sizeof nothing);
}

/* The last of fillings looks like the beginning of a head at each place. */
static void
fill(int with)
{
	unsigned char *p = malloc(SIZE);

	memset(p, with, SIZE);
	ck_assert_int_eq(pwrite(file, p, SIZE, 0), SIZE);
	free(p);
}

static const int fillings[] = { 0, 'P', 'G' };

START_TEST(right_behind)
{
	fill(fillings[_i]);
	for (uint32_t at = 0; at < 256; at += FRAME_ALIGN)
		find(64, false, 64 + at);
}
END_TEST

START_TEST(around_the_window)
{
	fill(fillings[_i]);
	for (uint32_t begin = 0; begin <= 40; begin += FRAME_ALIGN)
		for (uint32_t at = AT_ONCE - 256; at < AT_ONCE + 64; at += FRAME_ALIGN)
			find(begin, false, at);
}
END_TEST

START_TEST(around_the_glance)
{
	uint32_t start = 8 + (uint32_t)frame_size(LARGE);

	fill(fillings[_i]);
	for (uint32_t at = start; at < start + 128; at += FRAME_ALIGN)
		find(8, true, at);
	for (uint32_t at = start + GLANCE - 256; at < start + GLANCE + 64; at += FRAME_ALIGN)
		find(8, true, at);
}
END_TEST

/* The last place is the one where a head just fits; whatever the size is. */
START_TEST(at_the_end)
{
	fill(fillings[_i]);
	for (uint32_t odd = 0; odd < FRAME_ALIGN; odd++) {
		uint32_t size = 2 * AT_ONCE + odd, at = (size - FRAME_HEAD) / FRAME_ALIGN * FRAME_ALIGN;
		struct walk w;

		put(at, 0);
		walk_init(&w, file, SEED, size, 0);
		expect(&w, WALK_GAP, 0, at);
		expect(&w, WALK_RECORD, at, at + FRAME_HEAD);
		expect(&w, WALK_END, at + FRAME_HEAD, 0);
		walk_clear(&w);
		walk_init(&w, file, SEED, at + FRAME_HEAD - 1, 0);
		expect(&w, WALK_END, 0, 0);
		walk_clear(&w);
	}
}
END_TEST

Suite *test_walk(void);
Suite *
test_walk(void)
{
	Suite *s = suite_create("test_walk");
	TCase *tc = tcase_create("walk");

	tcase_add_checked_fixture(tc, make, remove_it);
	tcase_add_loop_test(tc, right_behind, 0, 3);
	tcase_add_loop_test(tc, around_the_window, 0, 3);
	tcase_add_loop_test(tc, around_the_glance, 0, 3);
	tcase_add_loop_test(tc, at_the_end, 0, 3);
	suite_add_tcase(s, tc);
	return s;
}
