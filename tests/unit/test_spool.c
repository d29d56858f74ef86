/* The spool from outside: putting, committing, reading, ending, coming back. */
#include "unit/spool_rig.h"

#include <sys/file.h>

static const size_t sizes[] = { 0, 1, 100, 4096, 8100, 8192, 9000, 27000 };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

START_TEST(puts_and_reads)
{
	size_t n = sizes[_i];

	rig_open();
	ck_assert(!spool_is_dirty(rig.s));
	rig_put(7, n);
	ck_assert(spool_is_dirty(rig.s));
	rig_read(7, n);			/* from the batch */
	ck_assert_int_eq(rig_try_read(7, n, 1), 0);
	rig_commit();
	rig_read(7, n);			/* from the disk */
	ck_assert_int_eq(rig_try_read(7, n, 999), 0);
	ck_assert_uint_ge(spool_live_bytes(rig.s), n);
	rig_close();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	ck_assert_uint_eq(((struct kept *)rig_item(7))->octets, n);
	ck_assert_uint_eq(spool_last_id(rig.s), 7);
	rig_read(7, n);
	rig_kill();
	rig_open();			/* unclean: the segment is written anew */
	ck_assert_uint_eq(rig.kept.n, 1);
	rig_read(7, n);
	rig_done(7);
	rig_commit();
	ck_assert_uint_eq(spool_live_bytes(rig.s), 0);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 0);
	ck_assert_uint_eq(spool_last_id(rig.s), 7);
}
END_TEST

START_TEST(what_was_not_committed_never_was)	/* I2 */
{
	rig_open();
	rig_put(1, 10);
	rig_commit();
	rig_put(2, 10);
	rig_note(1, "lost");
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 1);
	rig_read(1, 10);
	ck_assert_str_eq(((struct kept *)rig_item(1))->note, "");
}
END_TEST

START_TEST(text_in_pieces)
{
	const struct str text[] = { STR("one"), STR(""), STR("two"), STR("three") };
	struct spool_item item;
	struct spool_reader *r;
	char got[20];

	rig_open();
	ck_assert_int_eq(spool_put(rig.s, &item, 3, 1, STR("meta"), text, 4, NULL, &rig.why), 0);
	ck_assert_int_eq(spool_read_open(rig.s, &item, &r, &rig.why), 0);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(spool_read(r, got, sizeof got, &rig.why), 11);
		ck_assert_int_eq(memcmp(got, "onetwothree", 11), 0);
		ck_assert_int_eq(spool_read(r, got, sizeof got, &rig.why), 0);
		spool_read_rewind(r);
	}
	ck_assert_int_eq(spool_read(r, got, 4, &rig.why), 4);
	spool_read_rewind(r);
	ck_assert_int_eq(spool_read(r, got, sizeof got, &rig.why), 11);
	spool_read_close(&r);
}
END_TEST

static void
check_note(uint64_t id, const char *want)
{
	struct buf note = { 0 };

	ck_assert_int_eq(spool_read_note(rig.s, rig_item(id), &note, &rig.why), 0);
	ck_assert(str_is(buf_str(&note), want));
	buf_clear(&note);
}

START_TEST(newest_note_counts)
{
	rig_open();
	rig_put(1, 10);
	rig_put(2, 10);
	check_note(1, "");
	rig_note(1, "first");
	check_note(1, "first");
	rig_commit();
	check_note(1, "first");
	rig_note(1, "second");
	rig_note(1, "third");
	rig_commit();
	rig_kill();
	rig_open();
	check_note(1, "third");
	check_note(2, "");
	ck_assert_str_eq(((struct kept *)rig_item(1))->note, "third");
}
END_TEST

/* A batch is on its way while the next is staged; both can be read. */
START_TEST(stages_during_the_sync)
{
	struct spool_sync *y;

	rig_open();
	rig_put(1, 20000);
	y = spool_write(rig.s, &rig.why);
	ck_assert_ptr_nonnull(y);
	ck_assert_ptr_null(spool_write(rig.s, &rig.why));	/* one at a time */
	for (uint64_t id = 2; id < 9; id++)
		rig_put(id, 20000);		/* over several segments */
	rig_note(1, "meanwhile");
	rig_read(1, 20000);
	rig_read(8, 20000);
	ck_assert_int_eq(spool_sync_run(y, &rig.why), 0);
	spool_sync_end(rig.s, &y);
	ck_assert(spool_is_dirty(rig.s));
	rig_commit();
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 8);
	for (uint64_t id = 1; id < 9; id++)
		rig_read(id, 20000);
	check_note(1, "meanwhile");
}
END_TEST

/* A reader's file stays as it is although its segment has gone and the next messages are many. */
START_TEST(readers_outlive_segments)
{
	struct spool_reader *r;
	char got[27000], *want = rig_content(1, sizeof got);
	int64_t n;

	rig_open();
	rig_put(1, sizeof got);
	rig_commit();
	ck_assert_int_eq(spool_read_open(rig.s, rig_item(1), &r, &rig.why), 0);
	n = spool_read(r, got, 9000, &rig.why);
	ck_assert_int_gt(n, 0);
	rig_done(1);
	for (uint64_t id = 2; id < 40; id++) {
		rig_put(id, 20000);
		rig_commit();
		rig_done(id);
	}
	rig_commit();
	while (n < (int64_t)sizeof got) {
		int64_t part = spool_read(r, got + n, sizeof got - (size_t)n, &rig.why);

		ck_assert_msg(part > 0, "%s", rig.why.text);
		n += part;
	}
	ck_assert_int_eq(memcmp(got, want, sizeof got), 0);
	ck_assert_int_eq(spool_read(r, got, 1, &rig.why), 0);
	spool_read_close(&r);
	free(want);
}
END_TEST

START_TEST(blobs)
{
	enum { N = 3 << 20, LARGE = N - 500 };
	char name[40], id[IDENT_TEXT];

	rig_open();
	ident_print(id, 5);
	snprintf(name, sizeof name, "blob/%s", id);
	ck_assert_int_eq(rig_try_put(5, N, LARGE), 0);
	ck_assert(!rig_has(name));
	rig_commit();
	ck_assert(rig_has(name));
	ck_assert_uint_ge(spool_live_bytes(rig.s), N);
	ck_assert_int_eq(rig_try_read(5, N, 70000), 0);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(((struct kept *)rig_item(5))->octets, N);
	ck_assert_int_eq(rig_try_read(5, N, 7), 0);
	rig_flip(name, 1 << 20);
	ck_assert_int_eq(rig_try_read(5, N, 70000), -1);
	rig_flip(name, 1 << 20);
	ck_assert_int_eq(truncate(rig_path(name), LARGE - 1), 0);
	ck_assert_int_eq(rig_try_read(5, N, 70000), -1);
	ck_assert_int_eq(truncate(rig_path(name), LARGE), 0);
	rig_done(5);
	rig_commit();
	ck_assert(!rig_has(name));
	ck_assert_uint_eq(spool_live_bytes(rig.s), 0);
}
END_TEST

/* What it says that it will grow by it takes, and that is not much more than what is in it. */
START_TEST(blobs_grow_as_they_say)
{
	static const char part[100000];
	struct spool_blob *b = NULL;
	uint64_t said = spool_blob_growth(NULL, sizeof part), most = 0;

	rig_open();
	ck_assert_uint_ge(said, sizeof part);
	ck_assert_int_eq(spool_blob_new(spool_get_blobs(rig.s), &b, &rig.why), 0);
	ck_assert_uint_eq(spool_blob_growth(b, sizeof part), said);
	for (said = 0; spool_blob_octets(b) < 20 << 20; most = said) {
		said += spool_blob_growth(b, sizeof part);
		ck_assert_int_eq(spool_blob_write(b, part, sizeof part, &rig.why), 0);
		ck_assert_uint_eq(b->allocated, said);
		ck_assert_uint_ge(said, spool_blob_octets(b));
		ck_assert_uint_le(said, spool_blob_octets(b) + spool_blob_octets(b) / 8 + (256 << 10));
	}
	ck_assert_uint_gt(most, 20 << 20);
	spool_blob_free(&b);
}
END_TEST

/* No message without its blob, no blob without its message. */
START_TEST(blobs_lost_and_left_over)
{
	char lost[40], id[IDENT_TEXT];

	rig_open();
	ident_print(id, 1);
	snprintf(lost, sizeof lost, "blob/%s", id);
	ck_assert_int_eq(rig_try_put(1, 5000, 4000), 0);
	ck_assert_int_eq(rig_try_put(2, 5000, 4000), 0);
	rig_commit();
	rig_kill();
	ck_assert_int_eq(unlink(rig_path(lost)), 0);
	rig_save("blob/0000000000009", "left over", 9);
	rig_save("blob/tmp-XXXXXXXXXXXXX", "unfinished", 10);
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.damaged_id, 1);
	ck_assert(rig_has(rig.damaged_file));
	ck_assert_uint_eq(rig.kept.n, 1);
	rig_read(2, 5000);
	ck_assert(!rig_has("blob/0000000000009"));
	ck_assert(!rig_has("blob/tmp-XXXXXXXXXXXXX"));
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);	/* once is enough */
	ck_assert_uint_eq(rig.kept.n, 1);
}
END_TEST

/* What is counted of a message is taken off again, whatever has become of its files. */
START_TEST(live_octets_do_not_drift)
{
	uint64_t live;
	char name[IDENT_TEXT], path[128];

	rig_open();
	for (uint64_t id = 1; id <= 4; id++)
		ck_assert_int_eq(rig_try_put(id, 20000, id % 2 == 0 ? 19000 : 0), 0);
	rig_commit();
	rig_note(1, "a note");
	rig_note(2, "a note");
	rig_note(2, "a longer note in its place");
	rig_commit();
	live = spool_live_bytes(rig.s);
	ck_assert_uint_gt(live, 80000);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(spool_live_bytes(rig.s), live);
	ident_print(name, 2);
	snprintf(path, sizeof path, "%s/blob/%s", rig.dir, name);
	ck_assert_int_eq(truncate(path, 100000), 0);
	spool_set_aside(rig.s, rig_item(4), "looks odd");	/* its blob is renamed, not removed */
	for (uint64_t id = 1; id <= 3; id++)
		rig_done(id);
	ck_assert_uint_eq(spool_live_bytes(rig.s), 0);
	rig_commit();
	ck_assert_uint_eq(spool_live_bytes(rig.s), 0);
}
END_TEST

START_TEST(set_aside)
{
	struct buf raw = { 0 };

	rig_open();
	rig_put(1, 3000);
	ck_assert_int_eq(rig_try_put(2, 5000, 4000), 0);
	rig_commit();
	for (uint64_t id = 1; id <= 2; id++) {
		spool_set_aside(rig.s, rig_item(id), "looks odd");
		ck_assert_uint_eq(rig.damaged_id, id);
		ck_assert_str_eq(rig.damaged_what, "looks odd");
		free(map_take(&rig.kept, id));
	}
	rig_commit();
	ck_assert(rig_has(rig.damaged_file));
	ck_assert(rig_has("damaged/0000000000002.blob"));
	rig_load(rig.damaged_file, &raw);
	ck_assert_uint_gt(raw.len, 1000);
	buf_clear(&raw);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 0);
	ck_assert_uint_eq(rig.damaged, 0);
}
END_TEST

START_TEST(one_at_a_time)	/* D-19 */
{
	struct spool *second = NULL;
	struct spool_owner nobody = { 0 };
	char mine[40];

	rig_open();
	ck_assert_int_lt(spool_open(&second, &(struct spool_options){ rig.dir, 0, 0 }, &nobody, &rig.why), 0);
	snprintf(mine, sizeof mine, "is in use by process %ld", (long)getpid());
	ck_assert_ptr_nonnull(strstr(rig.why.text, mine));
	rig_kill();
	rig_open();	/* a lock does not outlive its holder */
}
END_TEST

START_TEST(newer_format)	/* D-23 */
{
	struct buf before = { 0 }, after = { 0 };
	char version[2] = { SEGMENT_VERSION + 1 };

	rig_open();
	rig_put(1, 10);
	rig_commit();
	rig_close();
	rig_load("log/00000001.seg", &before);
	before.data[8] = before.data[4096 + 8] = version[0];
	rig_save("log/00000001.seg", before.data, before.len);
	ck_assert_int_lt(rig_try_open(), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "newer"));
	rig_load("log/00000001.seg", &after);
	ck_assert(str_eq(buf_str(&before), buf_str(&after)));
	buf_clear(&before);
	buf_clear(&after);
}
END_TEST

START_TEST(hostile_directories)	/* D-30 */
{
	rig_open();
	rig_put(1, 10);
	rig_commit();
	rig_close();

	rig_save("elsewhere", "x", 1);
	ck_assert_int_eq(symlink(rig_path("elsewhere"), rig_path("log/00000002.seg")), 0);
	ck_assert_int_lt(rig_try_open(), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "00000002.seg"));
	ck_assert_int_eq(unlink(rig_path("log/00000002.seg")), 0);

	ck_assert_int_eq(mkfifo(rig_path("log/00000002.seg"), 0600), 0);
	ck_assert_int_lt(rig_try_open(), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "not a regular file"));
	ck_assert_int_eq(unlink(rig_path("log/00000002.seg")), 0);

	if (geteuid() == 0) {		/* a second name for what is root's, in a spool of the daemon's user */
		ck_assert_int_eq(link(rig_path("elsewhere"), rig_path("log/00000002.seg")), 0);
		ck_assert_int_eq(chown(rig_path("log"), 1, 1), 0);
		ck_assert_int_lt(rig_try_open(), 0);
		ck_assert_msg(strstr(rig.why.text, "Operation not permitted") != NULL, "%s", rig.why.text);
		ck_assert_int_eq(chown(rig_path("log"), 0, 0), 0);
		ck_assert_int_eq(unlink(rig_path("log/00000002.seg")), 0);
	}

	rig_save("log/README", "not ours", 8);
	rig_save("log/00000002.seg~", "not ours", 8);
	ck_assert_int_eq(mkfifo(rig_path("log/000000ff.new"), 0600), 0);
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 1);
	ck_assert(rig_has("log/README"));
	rig_close();

	ck_assert_int_eq(chmod(rig.dir, 0777), 0);
	ck_assert_int_lt(rig_try_open(), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "chmod"));
	ck_assert_int_eq(chmod(rig.dir, 0700), 0);
	ck_assert_int_eq(rename(rig_path("blob"), rig_path("other")), 0);
	ck_assert_int_eq(symlink("other", rig_path("blob")), 0);
	ck_assert_int_lt(rig_try_open(), 0);
}
END_TEST

START_TEST(small_files)
{
	struct buf b = { 0 };

	rig_open();
	ck_assert_int_lt(spool_file_load(rig.s, "ports", &b), 0);
	spool_file_put(rig.s, "ports", STR("one"));
	rig_commit();
	spool_file_put(rig.s, "ports", STR("two"));
	spool_file_put(rig.s, "ports", STR("and two"));
	ck_assert(spool_is_dirty(rig.s));
	rig_commit();
	ck_assert_int_eq(spool_file_load(rig.s, "ports", &b), 0);
	ck_assert(str_is(buf_str(&b), "and two"));
	spool_file_put(rig.s, "ports", STR(""));
	rig_commit();
	buf_cut(&b, 0);
	ck_assert_int_eq(spool_file_load(rig.s, "ports", &b), 0);
	ck_assert_uint_eq(b.len, 0);
	buf_clear(&b);
}
END_TEST

START_TEST(too_large)
{
	rig_open();
	errno = 0;
	ck_assert_int_lt(rig_try_put(1, RIG_SEGMENT, 0), 0);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert(!spool_is_dirty(rig.s));
	rig_put(2, 10);
	rig_commit();
}
END_TEST

static void
count_line(void *arg, const char *line)
{
	ck_assert_ptr_nonnull(line);
	++*(unsigned *)arg;
}

START_TEST(inspection)
{
	unsigned lines = 0;

	rig_open();
	rig_put(1, 3000);
	ck_assert_int_eq(rig_try_put(2, 5000, 4000), 0);
	rig_commit();
	rig_note(1, "note");
	rig_done(2);
	rig_commit();
	ck_assert_int_lt(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 0);	/* in use */
	rig_close();
	ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 0);
	ck_assert_uint_eq(lines, 0);
	ck_assert_int_eq(spool_inspect(rig.dir, true, count_line, &lines, &rig.why), 0);
	ck_assert_uint_eq(lines, 6);	/* five records and the sum */
	rig_flip("log/00000001.seg", SEGMENT_HEAD + 1500);
	lines = 0;
	ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 1);
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_lt(spool_inspect("/nonexistent", false, count_line, &lines, &rig.why), 0);
}
END_TEST

START_TEST(inspection_of_blobs)
{
	unsigned lines = 0;

	rig_open();
	ck_assert_int_eq(rig_try_put(2, 5000, 4000), 0);
	rig_commit();
	rig_close();
	ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 0);
	rig_flip("blob/0000000000002", 100);
	ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 1);
	rig_flip("log/00000001.seg", 30);
	rig_flip("log/00000001.seg", 4096 + 30);
	ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 1);
	ck_assert_uint_eq(lines, 2);
	rig_open();	/* the same things are found by a start, and only it changes anything */
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_str_eq(rig.damaged_file, "damaged/00000001.seg");
}
END_TEST

START_TEST(large_envelope)
{
	char meta[20000];
	struct spool_item item;
	struct spool_reader *r;
	struct str got;

	memcpy(meta, "meta", 4);
	for (unsigned i = 4; i < sizeof meta; i++)
		meta[i] = (char)(i * 7);
	rig_open();
	ck_assert_int_eq(spool_put(rig.s, &item, 3, 700, (struct str){ meta, sizeof meta }, &STR("text"), 1, NULL,
	    &rig.why), 0);
	rig_commit();
	ck_assert_int_eq(spool_read_open(rig.s, &item, &r, &rig.why), 0);
	got = spool_read_meta(r);
	ck_assert(str_eq(got, (struct str){ meta, sizeof meta }));
	ck_assert_int_eq(spool_read(r, meta, sizeof meta, &rig.why), 4);
	ck_assert_int_eq(memcmp(meta, "text", 4), 0);
	spool_read_close(&r);
}
END_TEST

START_TEST(room)
{
	rig_open();
	ck_assert(spool_has_room(rig.s, 1));
	ck_assert(!spool_has_room(rig.s, UINT64_C(1) << 60));
	rig_close();
	rig.min_free = UINT64_C(1) << 60;
	rig_open();	/* what is there must still be delivered */
	ck_assert(!spool_has_room(rig.s, 0));
}
END_TEST

Suite *test_spool(void);
Suite *
test_spool(void)
{
	Suite *s = suite_create("test_spool");
	TCase *tc = tcase_create("spool");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_add_loop_test(tc, puts_and_reads, 0, SIZES);
	tcase_add_test(tc, what_was_not_committed_never_was);
	tcase_add_test(tc, text_in_pieces);
	tcase_add_test(tc, newest_note_counts);
	tcase_add_test(tc, stages_during_the_sync);
	tcase_add_test(tc, readers_outlive_segments);
	tcase_add_test(tc, blobs);
	tcase_add_test(tc, blobs_grow_as_they_say);
	tcase_add_test(tc, blobs_lost_and_left_over);
	tcase_add_test(tc, live_octets_do_not_drift);
	tcase_add_test(tc, set_aside);
	tcase_add_test(tc, one_at_a_time);
	tcase_add_test(tc, newer_format);
	tcase_add_test(tc, hostile_directories);
	tcase_add_test(tc, small_files);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, inspection);
	tcase_add_test(tc, inspection_of_blobs);
	tcase_add_test(tc, large_envelope);
	tcase_add_test(tc, room);
	suite_add_tcase(s, tc);
	return s;
}
