/* Damage of every kind to the log, and what a start makes of it (D-05, D-06, D-24, D.3's rule of the tail). */
#include "unit/spool_rig.h"

enum { MESSAGES = 4, OCTETS = 60 };

static struct buf whole;		/* the segment as it was written */
static uint32_t starts[MESSAGES + 2];	/* where each record begins; the end */

/* Four small messages, each a batch of its own. */
static void
write_log(bool in_order)
{
	rig_open();
	for (uint64_t id = 1; id <= MESSAGES; id++) {
		rig_put(id, OCTETS);
		rig_commit();
		starts[id] = rig_item(id)->offset;
	}
	starts[MESSAGES + 1] = rig_item(MESSAGES)->offset + rig_item(MESSAGES)->length;
	if (in_order)
		rig_close();
	else
		rig_kill();
	buf_clear(&whole);
	rig_load("log/00000001.seg", &whole);
}

static int
remove_files(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)where;
	return kind == FTW_F ? remove(path) : 0;
}

/* A spool with this one segment and nothing else. */
static void
lay(const void *p, size_t n)
{
	nftw(rig.dir, remove_files, 8, FTW_DEPTH | FTW_PHYS);
	rig_save("log/00000001.seg", p, n);
	rig_open();
}

/* Messages 1 to n are there and whole, the others not, but perhaps one that may be either. */
static void
check_messages(uint64_t n, uint64_t either)
{
	for (uint64_t id = 1; id <= MESSAGES; id++) {
		if (id == either && map_find(&rig.kept, id) == NULL)
			continue;
		if (id <= n || id == either)
			rig_read(id, OCTETS);
		else
			ck_assert_ptr_null(map_find(&rig.kept, id));
	}
}

static uint64_t
record_at(uint32_t at)
{
	uint64_t id = 1;

	while (id < MESSAGES && at >= starts[id + 1])
		id++;
	return id;
}

enum tail { CUT, ZEROS, ONES, TAILS };

/* D-05: the log ends at every octet of the last three records, or goes on with what was never written. */
START_TEST(torn_tail)
{
	struct buf b = { 0 };

	write_log(false);
	for (uint32_t at = starts[2]; at < starts[MESSAGES + 1]; at++) {
		buf_cut(&b, 0);
		buf_put(&b, whole.data, at);
		if (_i != CUT) {
			memset(buf_room(&b, whole.len - at), _i == ZEROS ? 0 : 0xff, whole.len - at);
			b.len = whole.len;
		}
		lay(b.data, b.len);
		ck_assert_msg(rig.damaged == 0, "at %u: %s", at, rig.damaged_what);
		/* An end within the padding, or where the content ends in what follows, may be whole. */
		check_messages(record_at(at) - 1, record_at(at));
		rig_put(50, 10);
		rig_commit();
		rig_kill();
		rig_open();
		ck_assert_uint_eq(rig.damaged, 0);
		rig_read(50, 10);
		rig_kill();
	}
	buf_clear(&b);
}
END_TEST

static uint32_t
payload_end(uint64_t id)
{
	return starts[id] + FRAME_HEAD + (uint32_t)rig_meta(id).n + OCTETS;
}

/* D-05: one flipped bit in every octet of the last three records, after a clean or an unclean end. */
START_TEST(flipped_bit)
{
	bool in_order = _i == 1;
	unsigned again;

	write_log(in_order);
	for (uint32_t at = starts[2]; at < starts[MESSAGES + 1]; at++) {
		uint64_t id = record_at(at);
		bool padding = at >= payload_end(id), torn = !in_order && id == MESSAGES;

		whole.data[at] ^= (char)(1 << at % 8);
		lay(whole.data, whole.len);
		whole.data[at] ^= (char)(1 << at % 8);
		for (uint64_t other = 1; other <= MESSAGES; other++)
			if (other != id || padding)
				rig_read(other, OCTETS);
		ck_assert_uint_eq(rig.damaged, padding || torn ? 0 : 1);
		ck_assert_uint_eq(rig.kept.n, padding ? MESSAGES : MESSAGES - 1);
		if (rig.damaged > 0)
			ck_assert_msg(rig_has(rig.damaged_file), "%s", rig.damaged_file);
		if (rig.damaged > 0 && at >= starts[id] + FRAME_HEAD)
			ck_assert_uint_eq(rig.damaged_id, id);
		again = (unsigned)rig.kept.n;
		rig_kill();
		rig_open();		/* told once */
		ck_assert_uint_eq(rig.damaged, 0);
		ck_assert_uint_eq(rig.kept.n, again);
		rig_kill();
	}
}
END_TEST

/* Three segments of which the first is damaged in every way. */
static void
write_segments(void)
{
	rig_open();
	for (uint64_t id = 1; id <= 7; id++) {
		rig_put(id, 20000);
		rig_commit();
	}
	rig_note(2, "noted");
	rig_commit();
	rig_kill();
}

START_TEST(damaged_body_in_a_sealed_segment)
{
	write_segments();
	rig_flip("log/00000001.seg", SEGMENT_HEAD + 3000);	/* recovery does not look there */
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	ck_assert_uint_eq(rig.kept.n, 7);
	ck_assert_int_eq(rig_try_read(1, 20000, 4096), -1);
	for (uint64_t id = 2; id <= 7; id++)
		rig_read(id, 20000);
}
END_TEST

START_TEST(damaged_envelope_in_a_sealed_segment)
{
	write_segments();
	rig_flip("log/00000001.seg", SEGMENT_HEAD + FRAME_HEAD + 2);
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.damaged_id, 1);
	ck_assert_uint_eq(rig.kept.n, 6);
	for (uint64_t id = 2; id <= 7; id++)
		rig_read(id, 20000);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	ck_assert_uint_eq(rig.kept.n, 6);
}
END_TEST

START_TEST(damaged_head_of_a_record)
{
	write_segments();
	rig_flip("log/00000001.seg", SEGMENT_HEAD + 9);
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.damaged_id, 0);
	ck_assert_uint_eq(rig.kept.n, 6);
	for (uint64_t id = 2; id <= 7; id++)
		rig_read(id, 20000);
}
END_TEST

START_TEST(damaged_note)
{
	write_segments();
	rig_open();
	rig_note(2, "newer");
	rig_put(8, 20000);
	rig_put(9, 20000);
	rig_put(10, 20000);	/* the note is in a sealed segment now */
	rig_commit();
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	{
		char name[40];
		uint32_t at = rig_item(2)->note_offset + FRAME_HEAD + 1;

		snprintf(name, sizeof name, "log/%08x.seg", rig_item(2)->note_segment);
		rig_kill();
		rig_flip(name, at);
	}
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.damaged_id, 2);
	ck_assert_str_eq(((struct kept *)rig_item(2))->note, "noted");	/* the one before */
	rig_read(2, 20000);
}
END_TEST

START_TEST(spoilt_segment)	/* both copies of its head: it is kept as it is */
{
	write_segments();
	rig_flip("log/00000002.seg", 20);
	rig_flip("log/00000002.seg", 4096 + 20);
	rig_open();
	ck_assert_uint_ge(rig.damaged, 1);
	ck_assert(rig_has("damaged/00000002.seg"));
	ck_assert(!rig_has("log/00000002.seg"));
	rig_read(1, 20000);
	rig_read(7, 20000);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	rig_read(1, 20000);
}
END_TEST

START_TEST(missing_segment)
{
	write_segments();
	ck_assert_int_eq(unlink(rig_path("log/00000002.seg")), 0);
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_str_eq(rig.damaged_what, "records before this segment are missing");
	rig_read(1, 20000);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
}
END_TEST

START_TEST(shortened_segment)
{
	write_segments();
	ck_assert_int_eq(truncate(rig_path("log/00000001.seg"), SEGMENT_HEAD + 30000), 0);
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	rig_read(1, 20000);
	ck_assert_ptr_null(map_find(&rig.kept, 2));
	rig_read(3, 20000);
}
END_TEST

START_TEST(stale_octets)	/* D-06: records of the file's last life, right where the next would be */
{
	struct buf old = { 0 }, now = { 0 };

	write_log(false);
	buf_putstr(&old, buf_str(&whole));
	rig_remove();
	rig_make();
	write_log(false);		/* the same, but for the segment's random part */
	buf_putstr(&now, buf_str(&whole));
	memcpy(now.data + starts[3], old.data + starts[3], old.len - starts[3]);
	lay(now.data, now.len);
	ck_assert_uint_eq(rig.kept.n, 2);
	ck_assert_uint_eq(rig.damaged, 0);
	rig_read(2, OCTETS);
	buf_clear(&old);
	buf_clear(&now);
}
END_TEST

START_TEST(a_record_of_a_newer_version)	/* D-23: refused, and nothing is touched */
{
	struct buf before = { 0 }, after = { 0 };
	struct segment_head head;
	struct frame f;
	int fd;

	write_log(false);
	fd = open(rig_path("log/00000001.seg"), O_RDONLY);
	ck_assert_int_eq(segment_read_head(fd, &head), SEGMENT_GOOD);
	close(fd);
	ck_assert(frame_parse(&f, (unsigned char *)whole.data + starts[2], head.seed, starts[2]));
	f.flags |= _i == 0 ? 0x80 : 0;
	f.kind = _i == 0 ? f.kind : 99;
	frame_pack((unsigned char *)whole.data + starts[2], &f, head.seed, starts[2]);
	rig_save("log/00000001.seg", whole.data, whole.len);
	rig_load("log/00000001.seg", &before);
	ck_assert_int_lt(rig_try_open(), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "newer"));
	rig_load("log/00000001.seg", &after);
	ck_assert(str_eq(buf_str(&before), buf_str(&after)));
	buf_clear(&before);
	buf_clear(&after);
	rig_forget();
}
END_TEST

START_TEST(nothing_but_rubbish)
{
	char rubbish[3000];

	write_log(false);
	memset(rubbish, 'r', sizeof rubbish);
	lay(rubbish, sizeof rubbish);
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.kept.n, 0);
	rig_put(1, 10);
	rig_commit();
	rig_kill();
	lay("", 0);
	rig_put(1, 10);
	rig_commit();
}
END_TEST

static void
clear(void)
{
	buf_clear(&whole);
	rig_remove();
}

Suite *test_recover(void);
Suite *
test_recover(void)
{
	Suite *s = suite_create("test_recover");
	TCase *tc = tcase_create("recover");

	tcase_add_checked_fixture(tc, rig_make, clear);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, torn_tail, CUT, TAILS);
	tcase_add_loop_test(tc, flipped_bit, 0, 2);
	tcase_add_test(tc, damaged_body_in_a_sealed_segment);
	tcase_add_test(tc, damaged_envelope_in_a_sealed_segment);
	tcase_add_test(tc, damaged_head_of_a_record);
	tcase_add_test(tc, damaged_note);
	tcase_add_test(tc, spoilt_segment);
	tcase_add_test(tc, missing_segment);
	tcase_add_test(tc, shortened_segment);
	tcase_add_test(tc, stale_octets);
	tcase_add_loop_test(tc, a_record_of_a_newer_version, 0, 2);
	tcase_add_test(tc, nothing_but_rubbish);
	suite_add_tcase(s, tc);
	return s;
}
