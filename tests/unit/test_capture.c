/* A Maildir as an upstream: what is in the file, and when it counts. */
#include "unit/relay_rig.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "relay/capture.h"

static const char small[] = "Subject: x\r\n\r\n.dot\r\n\xc3\xa4\r\n";

struct box {
	char path[128];
	char name[8][256];	/* in new/ */
	unsigned n, ntmp;
};

static unsigned
list(const char *dir, char name[][256], unsigned max)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && n < max)
			snprintf(name[n++], 256, "%s", e->d_name);
	closedir(d);
	return n;
}

static void
look(struct rig *r, struct box *b)
{
	char path[256], tmp[8][256];

	snprintf(b->path, sizeof b->path, "%s/mail", r->dir);
	snprintf(path, sizeof path, "%s/new", b->path);
	b->n = list(path, b->name, 8);
	snprintf(path, sizeof path, "%s/tmp", b->path);
	b->ntmp = list(path, tmp, 8);
}

static char *
read_file(const struct box *b, unsigned i, size_t *octets)
{
	char path[512], *text = mem_zero(1 << 20);
	FILE *f;

	snprintf(path, sizeof path, "%s/new/%s", b->path, b->name[i]);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	*octets = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

static void
up(struct rig *r)
{
	rig_open(r, NULL, "capture = \"mail\"");
	rig_race(r, 1);
	ck_assert_int_eq(r->opened->result, OPENED_UP);
	ck_assert(r->opened->caps.utf8 && r->opened->caps.eightbit && r->opened->caps.size == 0);
}

START_TEST(a_message_is_a_file)
{
	struct stat st;
	struct box b;
	struct rig r;
	struct job *j;
	size_t octets;
	char *text;

	up(&r);
	j = rig_deliver(&r, rig_job(&r, 1, "me@x", "a@x,\xc3\xb6@y", str_of(small)));
	look(&r, &b);
	ck_assert_uint_eq(b.n, 1);
	ck_assert_uint_eq(b.ntmp, 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(j->result[i].kind, OUTCOME_SENT);
		ck_assert_str_eq(j->result[i].status, "2.0.0");
		ck_assert_ptr_nonnull(strstr(j->result[i].text, b.name[0]));
	}
	ck_assert(!j->lane_lost && j->upstream == UPSTREAM_FINE);
	ck_assert_str_eq(j->peer.upstream, "up");
	text = read_file(&b, 0, &octets);
	ck_assert_str_eq(text, "Return-Path: <me@x>\nX-Original-To: a@x\nDelivered-To: a@x\n"
	    "X-Original-To: \xc3\xb6@y\nDelivered-To: \xc3\xb6@y\nSubject: x\n\n.dot\n\xc3\xa4\n");
	free(text);
	ck_assert_int_eq(stat(b.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	rig_close(&r);
}
END_TEST

/* More than is written at once, from a blob, with line ends on the seams. */
START_TEST(a_long_message_is_whole)
{
	struct buf in = { 0 }, want = { 0 };
	struct box b;
	struct rig r;
	size_t octets;
	char *text;

	up(&r);
	buf_puts(&want, "Return-Path: <>\nX-Original-To: a@x\nDelivered-To: a@x\n");
	for (unsigned i = 0; i < 60000; i++) {
		buf_printf(&in, "%.*s%u\r\n", (int)(i % 7), "------", i);
		buf_printf(&want, "%.*s%u\n", (int)(i % 7), "------", i);
	}
	rig_deliver(&r, rig_job(&r, 1, "", "a@x", buf_str(&in)));
	look(&r, &b);
	ck_assert_uint_eq(b.n, 1);
	text = read_file(&b, 0, &octets);
	ck_assert_uint_eq(octets, want.len);
	ck_assert_mem_eq(text, want.data, octets);
	free(text);
	buf_clear(&in);
	buf_clear(&want);
	rig_close(&r);
}
END_TEST

START_TEST(names_are_unique)
{
	struct box b;
	struct rig r;

	up(&r);
	rig_race(&r, 2);
	for (unsigned i = 0; i < 6; i++)	/* all of one id: the rig's */
		rig_deliver(&r, rig_job(&r, 1 + i % 2, "me@x", "a@x", str_of(small)));
	look(&r, &b);
	ck_assert_uint_eq(b.n, 6);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_ptr_null(strpbrk(b.name[i], "/:"));
	rig_close(&r);
}
END_TEST

START_TEST(headers_are_edited_as_for_a_provider)
{
	struct box b;
	struct rig r;
	size_t octets;
	char *text;

	rig_open(&r, NULL, "capture = \"mail\" sender = \"out@x\" rewrite_from = true");
	rig_race(&r, 1);
	rig_deliver(&r, rig_job(&r, 1, "out@x", "a@x", STR("From: Ann <ann@inside>\r\n\r\nx\r\n")));
	look(&r, &b);
	text = read_file(&b, 0, &octets);
	ck_assert_str_eq(text, "Return-Path: <out@x>\nX-Original-To: a@x\nDelivered-To: a@x\nFrom: Ann <out@x>\n\nx\n");
	free(text);
	rig_close(&r);
}
END_TEST

static void
remove_box(struct rig *r)
{
	char path[128];

	snprintf(path, sizeof path, "%s/mail", r->dir);
	ck_assert_int_eq(nftw(path, rig_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* A test run that wipes it between two messages. */
START_TEST(what_was_removed_is_made_again)
{
	struct box b;
	struct rig r;

	up(&r);
	remove_box(&r);
	ck_assert_int_eq(rig_deliver(&r, rig_job(&r, 1, "me@x", "a@x", str_of(small)))->result[0].kind, OUTCOME_SENT);
	look(&r, &b);
	ck_assert_uint_eq(b.n, 1);
	rig_close(&r);
}
END_TEST

START_TEST(a_place_that_cannot_be_is_down)
{
	struct rig r;

	rig_open(&r, NULL, "capture = \"no/such/place\"");
	rig_race(&r, 1);
	ck_assert_int_eq(r.opened->result, OPENED_ALL_FAILED);
	ck_assert_ptr_nonnull(strstr(r.opened->outcome.text, "no/such/place cannot be used: No such file"));
	rig_close(&r);
}
END_TEST

/* A full disk defers, leaves nothing half done, and says so of the upstream. */
START_TEST(what_cannot_be_written_waits)	/* D-33 */
{
	struct rlimit whole, little;
	struct buf in = { 0 };
	struct job *j, *k;
	struct box b;
	struct rig r;

	up(&r);
	for (unsigned i = 0; i < 20000; i++)
		buf_puts(&in, "some line of it\r\n");
	j = rig_job(&r, 1, "me@x", "a@x,b@x", buf_str(&in));
	k = rig_job(&r, 1, "me@x", "a@x", str_of(small));
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &whole), 0);
	little = whole;
	little.rlim_cur = 100000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
	rig_deliver(&r, j);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &whole), 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(j->result[i].kind, OUTCOME_DEFER);
		ck_assert(!j->result[i].maybe);
		ck_assert_ptr_nonnull(strstr(j->result[i].text, "cannot be written: File too large"));
	}
	ck_assert_int_eq(j->upstream, UPSTREAM_BUSY);
	look(&r, &b);
	ck_assert_uint_eq(b.n + b.ntmp, 0);
	rig_deliver(&r, k);
	ck_assert_int_eq(k->result[0].kind, OUTCOME_SENT);
	buf_clear(&in);
	rig_close(&r);
}
END_TEST

START_TEST(a_lane_is_closed_when_asked)
{
	struct lane_memo *m;
	struct rig r;
	struct job *j;

	up(&r);
	m = (struct lane_memo *)memo_new(MEMO_CLOSE, sizeof *m);
	m->lane = 1;
	memo_post(relay_get_channel(r.relay), &m->memo);
	rig_wait(&r, &r.nclosed, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "me@x", "a@x", str_of(small)));
	ck_assert(j->lane_lost && j->result[0].kind == OUTCOME_AGAIN);
	rig_race(&r, 2);	/* left open: the end of the relay closes it */
	rig_close(&r);
}
END_TEST

Suite *test_capture(void);

Suite *
test_capture(void)
{
	Suite *s = suite_create("test_capture");
	TCase *t = tcase_create("capture");

	tcase_add_test(t, a_message_is_a_file);
	tcase_add_test(t, a_long_message_is_whole);
	tcase_add_test(t, names_are_unique);
	tcase_add_test(t, headers_are_edited_as_for_a_provider);
	tcase_add_test(t, what_was_removed_is_made_again);
	tcase_add_test(t, a_place_that_cannot_be_is_down);
	tcase_add_test(t, what_cannot_be_written_waits);
	tcase_add_test(t, a_lane_is_closed_when_asked);
	suite_add_tcase(s, t);
	return s;
}
