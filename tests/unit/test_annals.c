/* The annals: blocks come back by their ids, ends may be torn, and the files stay within their bounds. */
#include "unit/spool_rig.h"

#include <dirent.h>

#include "spool/spool.h"

static struct spool_annals *annals;
static struct spool_annals_bounds bounds;
static uint64_t newest = 1000;

static void
setup(void)
{
	rig_make();
	rig_open();
	bounds = (struct spool_annals_bounds){ .octets = 1 << 20, .now_wall_s = 1000, .from_wall_s = 0, .span_s = 1000 };
	ck_assert_int_eq(spool_annals_open(rig.s, newest, &annals, &rig.why), 0);
}

static void
teardown(void)
{
	spool_annals_close(&annals);
	rig_remove();
}

static void
reopen(void)
{
	spool_annals_close(&annals);
	ck_assert_int_eq(spool_annals_open(rig.s, newest, &annals, &rig.why), 0);
}

/* A block of n octets about these ids; its payload is the letter. */
static int
try_append(char letter, size_t n, uint64_t least, uint64_t most)
{
	struct buf b = { 0 };
	int r;

	memset(buf_room(&b, SPOOL_ANNALS_HEAD + n), letter, SPOOL_ANNALS_HEAD + n);
	b.len = SPOOL_ANNALS_HEAD + n;
	r = spool_annals_append(annals, &bounds, &b, least, most, &rig.why);
	buf_clear(&b);
	return r;
}

static void
append(char letter, size_t n, uint64_t least, uint64_t most)
{
	ck_assert_msg(try_append(letter, n, least, most) == 0, "%s", rig.why.text);
}

/* The letters of the blocks that may be about the id. */
static const char *
found(uint64_t id)
{
	static char letters[1024];
	struct spool_annals_place p = { 0 };
	struct buf out = { 0 };
	size_t n = 0;

	while (spool_annals_read(annals, id, &p, &out)) {
		if (out.len > 0)
			letters[n++] = out.data[0];
		for (size_t i = 0; i < out.len; i++)
			ck_assert_int_eq(out.data[i], out.data[0]);
		buf_cut(&out, 0);
		ck_assert_uint_lt(n, sizeof letters);
	}
	letters[n] = '\0';
	buf_clear(&out);
	return letters;
}

/* Their number, and what they take. */
static unsigned
files(uint64_t *octets)
{
	DIR *d = opendir(rig_path("history"));
	struct dirent *e;
	unsigned n = 0;

	*octets = 0;
	while ((e = readdir(d)) != NULL) {
		struct stat st;
		char path[400];

		snprintf(path, sizeof path, "%s/history/%s", rig.dir, e->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			*octets += (uint64_t)st.st_size;
			n++;
		}
	}
	closedir(d);
	return n;
}

START_TEST(blocks_come_back_by_their_ids)
{
	append('a', 10, 100, 200);
	append('b', 3000, 150, 300);
	append('c', 60000, 50, 400);
	append('d', 1, 350, 350);
	ck_assert_str_eq(found(150), "abc");
	ck_assert_str_eq(found(100), "ac");
	ck_assert_str_eq(found(350), "cd");
	ck_assert_str_eq(found(49), "");
	ck_assert_str_eq(found(401), "");
	reopen();
	append('e', 10, 100, 500);
	ck_assert_str_eq(found(150), "abce");
	ck_assert_str_eq(found(450), "e");
	ck_assert_str_eq(found(50), "c");
}
END_TEST

START_TEST(torn_ends_are_passed_over)
{
	struct buf whole = { 0 };

	append('a', 20, 1, 9);
	append('b', 20, 1, 9);
	rig_load("history/00000001", &whole);
	ck_assert_uint_eq(whole.len, 40 + 2 * (SPOOL_ANNALS_HEAD + 20));
	for (size_t n = 0; n <= whole.len; n++) {
		rig_save("history/00000001", whole.data, n);
		reopen();
		ck_assert_str_eq(found(5), n == whole.len ? "ab" : n >= 40 + SPOOL_ANNALS_HEAD + 20 ? "a" : "");
		ck_assert_str_eq(found(10), "");
	}
	buf_clear(&whole);
}
END_TEST

START_TEST(damage_costs_what_it_hits)
{
	struct buf whole = { 0 };

	append('a', 20, 1, 9);
	append('b', 20, 1, 9);
	bounds.now_wall_s += bounds.span_s;
	append('c', 20, 1, 9);
	rig_load("history/00000001", &whole);
	for (size_t at = 0; at < whole.len; at++) {
		const char *got;

		rig_save("history/00000001", whole.data, whole.len);
		rig_flip("history/00000001", (off_t)at);
		reopen();
		got = found(5);
		ck_assert_msg(strcmp(got, "c") == 0 || strcmp(got, "ac") == 0 || strcmp(got, "bc") == 0, "octet %zu: %s", at, got);
		if (at >= 40 + SPOOL_ANNALS_HEAD && at < 40 + SPOOL_ANNALS_HEAD + 20)
			ck_assert_str_eq(got, "bc");
	}
	buf_clear(&whole);
}
END_TEST

START_TEST(the_oldest_go_first)
{
	uint64_t octets;

	bounds.octets = 300 * 1024;
	for (unsigned i = 0; i < 26; i++) {
		append((char)('a' + i), 30000, 1, 9);
		files(&octets);
		ck_assert_uint_le(octets, bounds.octets);
	}
	ck_assert_uint_ge(octets, bounds.octets / 2);
	ck_assert_ptr_nonnull(strstr("abcdefghijklmnopqrstuvwxyz", found(5)));
	ck_assert_int_eq(found(5)[strlen(found(5)) - 1], 'z');
	reopen();
	bounds.octets = 100 * 1024;	/* from now on less, also of what is there already */
	ck_assert_int_eq(spool_annals_prune(annals, &bounds, &rig.why), 0);
	files(&octets);
	ck_assert_uint_le(octets, bounds.octets);
	append('A', 10, 1, 9);
	ck_assert_str_eq(found(5) + strlen(found(5)) - 2, "zA");
	bounds.octets = 0;		/* none is wanted */
	ck_assert_int_eq(try_append('B', 10, 1, 9), 0);
	ck_assert_uint_eq(files(&octets), 0);
	ck_assert_str_eq(found(5), "");
	bounds.octets = 1 << 20;
	append('C', 10, 1, 9);
	ck_assert_str_eq(found(5), "C");
}
END_TEST

START_TEST(what_is_too_old_goes)
{
	uint64_t octets;

	for (unsigned i = 0; i < 5; i++) {	/* files of the times 1000, 2000 … 5000 */
		append((char)('a' + i), 10, 1, 9);
		bounds.now_wall_s += bounds.span_s;
	}
	ck_assert_uint_eq(files(&octets), 5);
	bounds.from_wall_s = 2500;
	ck_assert_int_eq(spool_annals_prune(annals, &bounds, &rig.why), 0);
	ck_assert_str_eq(found(5), "bcde");
	bounds.from_wall_s = 5001;	/* the last has had nothing new since */
	ck_assert_int_eq(spool_annals_prune(annals, &bounds, &rig.why), 0);
	ck_assert_uint_eq(files(&octets), 0);
	append('f', 10, 1, 9);
	reopen();			/* how old its end is, is not known then */
	bounds.from_wall_s = bounds.now_wall_s;
	ck_assert_int_eq(spool_annals_prune(annals, &bounds, &rig.why), 0);
	ck_assert_str_eq(found(5), "f");
	bounds.from_wall_s = ++bounds.now_wall_s;
	ck_assert_int_eq(spool_annals_prune(annals, &bounds, &rig.why), 0);
	ck_assert_str_eq(found(5), "");
}
END_TEST

START_TEST(strange_files_harm_nothing)
{
	append('a', 10, 1, 9);
	spool_annals_close(&annals);
	rig_save("history/readme", "x", 1);
	rig_save("history/ffffffff", "x", 1);
	rig_save("history/00000000", "", 0);
	rig_save("history/00000004", "gatehist\2\0\0\0\4\0\0\0", 16);	/* a newer version */
	ck_assert_int_eq(mkdir(rig_path("history/00000003"), 0700), 0);
	ck_assert_int_eq(symlink("/etc/passwd", rig_path("history/00000002")), 0);
	ck_assert_int_eq(spool_annals_open(rig.s, newest, &annals, &rig.why), 0);
	ck_assert_str_eq(found(5), "a");
	append('b', 10, 1, 9);
	ck_assert(rig_has("history/00000005"));
	ck_assert_str_eq(found(5), "ab");
}
END_TEST

/* --- a disk that refuses -------------------------------------------------------- */

static struct disk sick;
static const struct disk *healthy;
static uint64_t room;
static char opened[64];		/* the last digits of the files' names */

static int
note_open(int dir, const char *name, int flags)
{
	strncat(opened, name + strlen(name) - 1, sizeof opened - strlen(opened) - 1);
	return healthy->open(dir, name, flags);
}

START_TEST(no_file_before_its_time_is_read)
{
	newest = 0;
	reopen();
	append('a', 10, 100, 200);
	bounds.now_wall_s += bounds.span_s;	/* in another file, which knows what came before */
	append('b', 10, 150, 300);
	bounds.now_wall_s += bounds.span_s;
	append('c', 10, 50, 250);
	healthy = disk_replace(NULL);
	sick = *healthy;
	sick.open = note_open;
	disk_replace(&sick);
	ck_assert_str_eq(found(250), "bc");
	ck_assert_str_eq(opened, "23");
	disk_replace(healthy);
}
END_TEST

static int64_t
write_half(int fd, const void *p, size_t n, uint64_t at)
{
	if (n <= 100) {
		errno = ENOSPC;
		return -1;
	}
	return healthy->write(fd, p, n - 100 < 100 ? n - 100 : 100, at);
}

static int
tell_room(int fd, uint64_t *octets)
{
	(void)fd;
	*octets = room;
	return 0;
}

START_TEST(a_failed_write_is_not_built_upon)	/* D-08 */
{
	append('a', 10, 1, 9);
	healthy = disk_replace(NULL);
	sick = *healthy;
	sick.write = write_half;
	disk_replace(&sick);
	ck_assert_int_eq(try_append('b', 1000, 1, 9), -1);
	disk_replace(healthy);
	append('c', 10, 1, 9);
	ck_assert_str_eq(found(5), "ac");
	reopen();
	ck_assert_str_eq(found(5), "ac");
}
END_TEST

START_TEST(it_leaves_min_free_to_others)
{
	teardown();
	rig_make();
	rig.min_free = 1 << 20;
	rig_open();
	ck_assert_int_eq(spool_annals_open(rig.s, newest, &annals, &rig.why), 0);
	healthy = disk_replace(NULL);
	sick = *healthy;
	sick.room = tell_room;
	disk_replace(&sick);
	room = rig.min_free + 100;
	ck_assert_int_eq(try_append('a', 1000, 1, 9), -1);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "min_free"));
	room = 2 * rig.min_free;
	append('b', 1000, 1, 9);
	ck_assert_str_eq(found(5), "b");
	disk_replace(healthy);
}
END_TEST

Suite *test_annals(void);

Suite *
test_annals(void)
{
	Suite *s = suite_create("test_annals");
	TCase *t = tcase_create("annals");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, blocks_come_back_by_their_ids);
	tcase_add_test(t, no_file_before_its_time_is_read);
	tcase_add_test(t, torn_ends_are_passed_over);
	tcase_add_test(t, damage_costs_what_it_hits);
	tcase_add_test(t, the_oldest_go_first);
	tcase_add_test(t, what_is_too_old_goes);
	tcase_add_test(t, strange_files_harm_nothing);
	tcase_add_test(t, a_failed_write_is_not_built_upon);
	tcase_add_test(t, it_leaves_min_free_to_others);
	suite_add_tcase(s, t);
	return s;
}
