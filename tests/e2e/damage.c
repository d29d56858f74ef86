/* A spool that somebody or something has damaged: what is hurt is reported and set aside, all else is delivered. */
#include "e2e/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES = 6, HEAD = 48, RECORDS = 64, LARGE = 200 * 1024 };

/* The fourth has its content in a file of its own. */
static const size_t octets[MESSAGES] = { 300, 500, 40000, LARGE, 300, 700 };

struct record {
	char segment[32], kind[8], id[16];
	unsigned at, size, meta, text;
};

struct specimen {
	struct world w;
	struct fault_control *f;
	struct ledger *l;
	char id[MESSAGES][16];
	struct record record[RECORDS];
	unsigned nrecord;
};

/* Where the records are, from `spool dump'. */
static void
read_dump(struct specimen *s)
{
	static char out[65536];
	char *rest = out, *line;

	ck_assert_msg(world_run(&s->w, out, sizeof out, NULL, "spool dump") == 0, "%s", out);
	s->nrecord = 0;
	while ((line = strsep(&rest, "\n")) != NULL && s->nrecord < RECORDS) {
		struct record *r = &s->record[s->nrecord];

		if (sscanf(line, "%31s %u %u seq %*u %7s %15s meta %u text %u", r->segment, &r->at, &r->size, r->kind, r->id, &r->meta, &r->text) == 7)
			s->nrecord++;
	}
}

static const struct record *
find_record(const struct specimen *s, const char *kind, unsigned message)
{
	for (unsigned i = s->nrecord; i-- > 0;)
		if (strcmp(s->record[i].kind, kind) == 0 && (message >= MESSAGES || strcmp(s->record[i].id, s->id[message]) == 0))
			return &s->record[i];
	ck_abort_msg("no %s of message %u", kind, message);
	return NULL;
}

static unsigned
count_deferred(const struct specimen *s, const char *id)
{
	char *log = world_read_log(&s->w), *rest = log, *line;
	unsigned n = 0;

	while ((line = strsep(&rest, "\n")) != NULL)
		n += strncmp(line, "event=deferred ", 15) == 0 && strstr(line, id) != NULL;
	free(log);
	return n;
}

/* Until this process has tried each so often, and knows that it was in vain; of all but the last time a note has been written. */
static void
wait_deferred(const struct specimen *s, unsigned times)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		for (int ms = 0; count_deferred(s, s->id[i]) < times; ms += 10) {
			ck_assert_msg(ms < 30000, "%s", s->id[i]);
			faults_pause_ms(10);
		}
}

/* A spool with six messages that wait, each tried at least once; kept in spool.whole. */
static void
specimen_new(struct specimen *s, struct ledger *l, int how)
{
	struct client *c;

	memset(s, 0, sizeof *s);
	s->l = l;
	s->f = faults_new(&s->w, PROVIDER_STARTTLS, "mail: 451 4.3.0 later", "queue { retry = {\"100ms\"} }");
	world_start(&s->w);
	c = ledger_client(&s->w);
	for (unsigned i = 0; i < MESSAGES; i++) {
		ck_assert_int_eq(ledger_mail(l, c, "you@far.example", octets[i]), 250);
		snprintf(s->id[i], sizeof s->id[i], "%.15s", client_id(c));
	}
	client_free(&c);
	wait_deferred(s, 2);
	ck_assert_int_eq(world_stop(&s->w, how), how == SIGTERM ? 0 : -how);
	provider_listen(s->w.provider, "127.0.0.1", s->w.p587, PROVIDER_STARTTLS, NULL);
	ck_assert(faults_run(&s->w, "mv spool spool.whole"));
}

static void
specimen_restore(struct specimen *s)
{
	ck_assert(faults_run(&s->w, "rm -rf spool && cp -a spool.whole spool"));
	memset(s->l->came, 0, sizeof s->l->came);
	s->l->looked = provider_count(s->w.provider);
	s->l->repeated = 0;
}

static void
change_byte(const struct specimen *s, const char *file, unsigned at, unsigned char with)
{
	char path[160];
	unsigned char byte;
	int fd;

	snprintf(path, sizeof path, "%s/spool/%s", s->w.dir, file);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= with;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static unsigned
mask(const struct ledger *l)
{
	unsigned m = 0;

	for (unsigned i = 0; i < MESSAGES; i++)
		m |= l->came[i] ? 1u << i : 0;
	return m;
}

/* Delivers these messages, each once, and none else. */
static void
expect(struct specimen *s, const char *what, unsigned want)
{
	for (int ms = 0; ledger_missing(s->l, s->w.provider), mask(s->l) != want; ms += 10) {
		ck_assert_msg(ms < 30000, "%s: came %02x, not %02x", what, mask(s->l), want);
		faults_pause_ms(10);
	}
	faults_wait_empty(&s->w);	/* what came last may still be waiting for its answer */
	ledger_missing(s->l, s->w.provider);
	ck_assert_uint_eq(mask(s->l), want);
	ck_assert_uint_eq(s->l->repeated, 0);
}

/* --- flipped bytes ---------------------------------------------------------------- */

enum where { IN_HEAD, IN_META, IN_TEXT, IN_BLOB, IN_NOTE, IN_SEAL, IN_FIRST, IN_SECOND };

static const struct {
	const char *what;
	struct { enum where where; unsigned message, at; } flip[6];
	unsigned flips;
	bool check;		/* `spool check' finds it */
	unsigned lost;		/* these messages */
} flips[] = {
	{ "heads: magic, kind, length", { { IN_HEAD, 0, 0 }, { IN_HEAD, 2, 4 }, { IN_HEAD, 4, 8 } }, 3, true, 0x15 },
	{ "heads: flags, id, seq", { { IN_HEAD, 1, 5 }, { IN_HEAD, 3, 16 }, { IN_HEAD, 5, 24 } }, 3, true, 0x2a },
	{ "heads: meta, checksums", { { IN_HEAD, 0, 12 }, { IN_HEAD, 1, 36 }, { IN_HEAD, 2, 40 }, { IN_HEAD, 3, 44 } }, 4, true, 0x0f },
	{ "envelopes", { { IN_META, 0, 0 }, { IN_META, 2, 20 }, { IN_META, 3, 3 }, { IN_META, 5, 40 } }, 4, true, 0x2d },
	{ "contents", { { IN_TEXT, 1, 0 }, { IN_TEXT, 2, 30000 }, { IN_TEXT, 4, 100 } }, 3, true, 0x16 },
	{ "a large content", { { IN_BLOB, 3, 100000 } }, 1, true, 0x08 },
	{ "notes", { { IN_NOTE, 0, 0 }, { IN_NOTE, 1, 50 }, { IN_NOTE, 3, 24 } }, 3, true, 0 },
	{ "the end", { { IN_SEAL, 9, 0 } }, 1, false, 0 },
	{ "one head of the segment", { { IN_FIRST, 9, 0 } }, 1, false, 0 },
	{ "both heads of the segment", { { IN_FIRST, 9, 3 }, { IN_SECOND, 9, 20 } }, 2, true, 0x3f },
};

static void
flip(const struct specimen *s, enum where where, unsigned message, unsigned at)
{
	const struct record *r = where <= IN_TEXT ? find_record(s, "message", message) : where == IN_NOTE ?
	    find_record(s, "note", message) : where == IN_SEAL ? find_record(s, "seal", MESSAGES) : &s->record[0];
	char blob[32];

	switch (where) {
	case IN_META:
		at += r->at + HEAD;
		break;
	case IN_TEXT:
		at += r->at + HEAD + r->meta;
		break;
	case IN_BLOB:
		snprintf(blob, sizeof blob, "blob/%s", s->id[message]);
		change_byte(s, blob, at, 0x20);
		return;
	case IN_FIRST:
		break;
	case IN_SECOND:
		at += 4096;
		break;
	default:
		at += r->at;
	}
	change_byte(s, r->segment, at, (unsigned char)(1u << at % 8));
}

START_TEST(a_flipped_bit_costs_one_message)	/* D-05 */
{
	static struct ledger l;
	static char out[16384];
	struct specimen s;

	specimen_new(&s, &l, _i == 0 ? SIGTERM : SIGKILL);
	ck_assert(faults_run(&s.w, "cp -a spool.whole spool"));
	read_dump(&s);
	for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
		bool hurt = flips[i].lost != 0;
		int status;

		if (_i > 0 && flips[i].flip[0].where == IN_SEAL)
			continue;	/* a kill leaves none */
		specimen_restore(&s);
		for (unsigned k = 0; k < flips[i].flips; k++)
			flip(&s, flips[i].flip[k].where, flips[i].flip[k].message, flips[i].flip[k].at);
		status = world_run(&s.w, out, sizeof out, NULL, "spool check");
		ck_assert_msg(status == flips[i].check, "%s: check says %d %s", flips[i].what, status, out);
		world_start(&s.w);
		expect(&s, flips[i].what, 0x3f & ~flips[i].lost);
		ck_assert_msg(!hurt || world_wait_log(&s.w, "event=damaged", 30000), "%s: not reported", flips[i].what);
		ck_assert_msg(!hurt || faults_files(&s.w, "damaged") > 0, "%s: not kept", flips[i].what);
		ck_assert_int_eq(world_run(&s.w, out, sizeof out, NULL, "status"), 0);
		ck_assert_msg(!hurt || strstr(out, "damaged") != NULL, "%s: status is silent: %s", flips[i].what, out);
		ck_assert_int_eq(world_stop(&s.w, SIGTERM), 0);
	}
	faults_free(&s.w, &s.f);
}
END_TEST

/* --- a disk that fails while we run ----------------------------------------------- */

static void
fail_reads(struct specimen *s, uint64_t n)
{
	struct fault_rule *r = &s->f->rule[FAULT_READ];

	atomic_store(&r->error, EIO);
	atomic_store(&r->upto, n == 0 ? 0 : n == UINT64_MAX ? n : atomic_load(&s->f->calls[FAULT_READ]) + n);
	atomic_store(&r->from, n == 0 ? 0 : atomic_load(&s->f->calls[FAULT_READ]) + 1);
}

/* One error is not noticed; some put the message off; only octets that are wrong set it aside. */
START_TEST(a_disk_that_fails_now_and_then)	/* D-05 */
{
	static struct ledger l;
	static char out[16384];
	struct specimen s;

	specimen_new(&s, &l, SIGTERM);
	specimen_restore(&s);
	ck_assert(faults_run(&s.w, "sed -i 's/100ms/1h/' gatepost.conf"));
	provider_listen(s.w.provider, "127.0.0.1", s.w.p587, PROVIDER_STARTTLS, "mail: 451 4.3.0 later");
	ck_assert(faults_start(&s.w, s.f));
	wait_deferred(&s, 1);
	provider_listen(s.w.provider, "127.0.0.1", s.w.p587, PROVIDER_STARTTLS, NULL);
	fail_reads(&s, UINT64_MAX);
	ck_assert_int_eq(world_run(&s.w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(world_wait_log(&s.w, "event=unreadable", 30000));
	fail_reads(&s, 0);
	ck_assert(!world_wait_log(&s.w, "event=damaged", 100));
	fail_reads(&s, 1);
	ck_assert_int_eq(world_run(&s.w, out, sizeof out, NULL, "retry --all"), 0);
	expect(&s, "now it reads", 0x3f);
	ck_assert_int_eq(world_stop(&s.w, SIGTERM), 0);
	faults_free(&s.w, &s.f);
}
END_TEST

/* --- torn tails ----------------------------------------------------------------------- */

enum cut { CUT_OFF, CUT_ZEROS, CUT_ONES };

static void
cut(const struct specimen *s, unsigned at, unsigned n, enum cut how)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/spool/%s", s->w.dir, s->record[0].segment);
	if (how == CUT_OFF) {
		ck_assert_int_eq(truncate(path, at), 0);
		return;
	}
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	fseek(file, at, SEEK_SET);
	while (n-- > 0)
		fputc(how == CUT_ONES ? 0xff : 0, file);
	fclose(file);
}

/* A kill, and the last record that was acknowledged has gone bad: it is lost, but not without a word. */
START_TEST(the_last_record_is_missed)	/* D-05 */
{
	static struct ledger l;
	static char out[16384];
	struct specimen s;
	unsigned end;

	specimen_new(&s, &l, SIGKILL);
	ck_assert(faults_run(&s.w, "cp -a spool.whole spool"));
	read_dump(&s);
	end = s.record[s.nrecord - 1].at + s.record[s.nrecord - 1].size;
	for (unsigned i = 0; i < 6; i++) {
		const struct record *r = find_record(&s, "message", 1 + i % 3);
		unsigned want = 0;
		int status;

		specimen_restore(&s);
		cut(&s, r->at + r->size, end - r->at - r->size, CUT_ZEROS);
		flip(&s, (enum where)(i / 2), 1 + i % 3, 16);
		for (unsigned k = 0; k < MESSAGES; k++)
			want |= find_record(&s, "message", k)->at < r->at ? 1u << k : 0;
		for (unsigned k = 0; k < MESSAGES; k++)
			l.acknowledged[k] = want & 1u << k;
		status = world_run(&s.w, out, sizeof out, NULL, "spool check");
		ck_assert_msg(status == 1 && strstr(out, "probably never acknowledged") != NULL, "%u: %d %s", i, status, out);
		world_start(&s.w);
		ck_assert(world_wait_log(&s.w, "event=unfinished level=warning", 30000));
		ck_assert(world_wait_log(&s.w, s.id[1 + i % 3], 30000));
		ck_assert_uint_gt(faults_files(&s.w, "damaged"), 0);
		expect(&s, "the last record", want);
		ck_assert_int_eq(world_stop(&s.w, SIGTERM), 0);
	}
	faults_free(&s.w, &s.f);
}
END_TEST

/* The log ends at this octet.  What was whole before comes; nothing comes that is not as it was sent. */
START_TEST(a_torn_tail_costs_what_was_torn)	/* D-05 */
{
	static struct ledger l;
	struct specimen s;
	const struct record *last;
	unsigned end;

	specimen_new(&s, &l, SIGKILL);
	ck_assert(faults_run(&s.w, "cp -a spool.whole spool"));
	read_dump(&s);
	last = &s.record[s.nrecord - 1];
	end = last->at + last->size;
	for (unsigned i = 0; i < 12; i++) {
		const struct record *r = find_record(&s, i < 9 ? "message" : "note", 5 - i % 3);
		unsigned at = r->at + (i % 4 == 0 ? 1 : i % 4 == 1 ? HEAD : i % 4 == 2 ? r->size / 2 : r->size - 9), want = 0;
		char what[64];

		for (unsigned k = 0; k < MESSAGES; k++)
			want |= find_record(&s, "message", k)->at < r->at ? 1u << k : 0;
		snprintf(what, sizeof what, "cut %u at %u", i, at);
		specimen_restore(&s);
		cut(&s, at, end - at, (enum cut)(i % 3));
		for (unsigned k = 0; k < MESSAGES; k++)
			l.acknowledged[k] = want & 1u << k;
		world_start(&s.w);
		expect(&s, what, want);
		ck_assert_int_eq(world_stop(&s.w, SIGTERM), 0);
	}
	faults_free(&s.w, &s.f);
}
END_TEST

/* --- a hostile directory ----------------------------------------------------------------- */

static const struct {
	const char *how;	/* in spool/ */
	const char *refusal;	/* NULL: it starts, and delivers what is not lost */
	unsigned lost;
} hostile[] = {
	{ "mv log/00000001.seg ../real && ln -s ../../real log/00000001.seg", "log/00000001.seg", 0 },
	{ "rm log/00000001.seg && mkfifo -m 600 log/00000001.seg", "not a regular file", 0 },
	{ "rm log/00000001.seg && mkdir log/00000001.seg", "log/00000001.seg", 0 },
	{ "mv log ../real && ln -s ../real log", "log", 0 },
	{ "mv blob ../real && ln -s ../real blob", "blob", 0 },
	{ "chmod 777 .", "chmod", 0 },
	{ "chmod 770 log", "chmod", 0 },
	{ "chmod 702 blob", "chmod", 0 },
	{ "rm lock && echo keep >../kept && ln -s ../kept lock", "lock", 0 },
	{ "rm lock && mkfifo -m 600 lock", NULL, 0 },
	{ "touch log/extra log/00000009.new log/zzzzzzzz.seg log/0000000g.new extra blob/extra && mkdir log/00000008.new "
	    "log/0000000a.dir blob/dir && mkfifo log/00000007.new blob/fifo fifo && ln -s ../../none log/00000006.new && ln -s none link",
	    NULL, 0 },
	{ "touch log/ffffffff.new log/ffffffff.seg", NULL, 0 },
	{ "rm -f clock ports && mkfifo -m 600 clock ports && ln -s ../kept clock.new", NULL, 0 },
	{ "touch log/00000000.seg log/00000004.seg && mkdir -m 700 damaged && mkfifo damaged/unfinished", NULL, 0 },
	{ "rm blob/* && mkfifo blob/$BLOB", NULL, 0x08 },
	{ "rm blob/* && ln -s /etc/hostname blob/$BLOB", NULL, 0x08 },
	{ "rm blob/* && mkdir blob/$BLOB", NULL, 0x08 },
	{ "truncate -s 1000 blob/*", NULL, 0x08 },
	{ "rm blob/* && touch damaged", NULL, 0x08 },
};

START_TEST(a_hostile_directory_is_refused_or_ignored)	/* D-30 */
{
	static struct ledger l;
	char command[600], *log;
	struct specimen s;

	specimen_new(&s, &l, SIGTERM);
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		specimen_restore(&s);
		snprintf(command, sizeof command, "rm -rf real && echo keep >kept && cd spool && BLOB=%s && %s", s.id[3], hostile[i].how);
		ck_assert_msg(faults_run(&s.w, command), "%s", hostile[i].how);
		if (hostile[i].refusal != NULL) {
			ck_assert_msg(!world_try_start(&s.w), "%s: it started", hostile[i].how);
			ck_assert_int_eq(world_stop(&s.w, 0), 1);
			log = world_read_log(&s.w);
			ck_assert_msg(strstr(log, "gatepost: ") != NULL && strstr(log, hostile[i].refusal) != NULL, "%s: %.4000s", hostile[i].how, log);
			free(log);
		} else {
			world_start(&s.w);
			expect(&s, hostile[i].how, 0x3f & ~hostile[i].lost);
			ck_assert_msg(hostile[i].lost == 0 || world_wait_log(&s.w, "event=damaged", 30000), "%s: not reported", hostile[i].how);
			ck_assert_msg(world_stop(&s.w, SIGTERM) == 0, "%s", hostile[i].how);
		}
		ck_assert_msg(faults_run(&s.w, "grep -qx keep kept"), "%s", hostile[i].how);
	}
	faults_free(&s.w, &s.f);
}
END_TEST

Suite *damage_suite(void);

Suite *
damage_suite(void)
{
	Suite *s = suite_create("damage");
	TCase *t = tcase_create("damage");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, a_flipped_bit_costs_one_message, 0, 2);
	tcase_add_test(t, the_last_record_is_missed);
	tcase_add_test(t, a_disk_that_fails_now_and_then);
	tcase_add_test(t, a_torn_tail_costs_what_was_torn);
	tcase_add_test(t, a_hostile_directory_is_refused_or_ignored);
	suite_add_tcase(s, t);
	return s;
}
