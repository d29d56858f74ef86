/* The log, read back through a pipe that plays standard error. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TS "ts=2001-09-09T01:46:40.250Z"

static int real_stderr, from_log;
static struct buf got;

/* Standard error is a pipe, large enough that nobody has to read meanwhile. */
static void
capture(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	real_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	from_log = ends[0];
	unsetenv("JOURNAL_STREAM");
	clock_fake(0, 1000000000);
	clock_fake_add(250);
	log_open(LOG_INFO, LOG_LOGFMT);
}

static void
release(void)
{
	log_batch(false);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(from_log);
	buf_clear(&got);
}

/* What was written since the last call. */
static const char *
written(void)
{
	ssize_t n;

	buf_cut(&got, 0);
	do {
		n = read(from_log, buf_room(&got, 65536), 65536);
		if (n > 0)
			got.len += n;
	} while (n > 0);
	*buf_room(&got, 0) = '\0';
	return got.data;
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

START_TEST(logfmt)
{
	log_event(LOG_INFO, "started");
	ck_assert_str_eq(written(), "event=started level=info " TS "\n");
	log_event(LOG_WARNING, "accepted", log_id("msg", 31), log_num("size", -5),
	    log_text("none", NULL), log_str("from", STR("a@b.c")));
	ck_assert_str_eq(written(), "event=accepted level=warning " TS
	    " msg=000000000000Z size=-5 from=a@b.c\n");
}
END_TEST

static const struct {
	struct str in;
	const char *logfmt, *json;	/* json: the value that a reader gets */
} values[] = {
	{ { "word", 4 }, "word", "word" },
	{ { "", 0 }, "\"\"", "" },
	{ { "two words", 9 }, "\"two words\"", "two words" },
	{ { "a=b", 3 }, "\"a=b\"", "a=b" },
	{ { "say \"hi\"", 8 }, "\"say \\\"hi\\\"\"", "say \"hi\"" },
	{ { "a\\b", 3 }, "\"a\\\\b\"", "a\\b" },
	{ { "a\nevent=x\r", 10 }, "\"a\\\\x0Aevent=x\\\\x0D\"",
	    "a\\x0Aevent=x\\x0D" },
	{ { "nul\0", 4 }, "\"nul\\\\x00\"", "nul\\x00" },
	{ { "\x1b[31m\x7f", 6 }, "\"\\\\x1B[31m\\\\x7F\"", "\\x1B[31m\\x7F" },
	{ { "gr\xc3\xbc\xc3\x9f", 6 }, "\"gr\xc3\xbc\xc3\x9f\"",
	    "gr\xc3\xbc\xc3\x9f" },
	{ { "\xff\xc3", 2 }, "\"\\\\xFF\\\\xC3\"", "\\xFF\\xC3" },
};

START_TEST(values_logfmt)
{
	char want[200];

	log_event(LOG_INFO, "e", log_str("v", values[_i].in));
	snprintf(want, sizeof want, "event=e level=info " TS " v=%s\n",
	    values[_i].logfmt);
	ck_assert_str_eq(written(), want);
}
END_TEST

static json_t *
one_json_line(void)
{
	const char *line = written();
	json_t *o = json_loads(line, 0, NULL);

	ck_assert_msg(o != NULL, "not JSON: %s", line);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	return o;
}

START_TEST(values_json)
{
	json_t *o;

	log_open(LOG_INFO, LOG_JSON);
	log_event(LOG_INFO, "e", log_str("v", values[_i].in), log_num("n", -7),
	    log_id("id", 1));
	o = one_json_line();
	ck_assert_str_eq(json_string_value(json_object_get(o, "event")), "e");
	ck_assert_str_eq(json_string_value(json_object_get(o, "level")), "info");
	ck_assert_str_eq(json_string_value(json_object_get(o, "ts")), TS + 3);
	ck_assert_str_eq(json_string_value(json_object_get(o, "v")),
	    values[_i].json);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "n")), -7);
	ck_assert_str_eq(json_string_value(json_object_get(o, "id")),
	    "0000000000001");
	json_decref(o);
}
END_TEST

/* Any byte before and after any of a few gives a line that is JSON. */
START_TEST(json_any_bytes)
{
	static const char others[] = "a\"\\\n\xc3\xa9\xe2\xf0";

	log_open(LOG_INFO, LOG_JSON);
	for (int i = 0; i < 256 * (int)sizeof others; i++) {
		char bytes[2] = { (char)(i % 256), others[i / 256] };

		log_event(LOG_INFO, "e", log_str("v", ((struct str){ bytes, 2 })));
		json_decref(one_json_line());
	}
}
END_TEST

START_TEST(long_values)
{
	char *much = malloc(1 << 20);

	memset(much, 0xff, 1 << 20);
	log_event(LOG_INFO, "e", log_str("v", ((struct str){ much, 1 << 20 })));
	ck_assert_uint_lt(strlen(written()), 48 * 1024);
	ck_assert_int_eq(got.data[got.len - 1], '\n');
	free(much);
}
END_TEST

START_TEST(only_wanted)
{
	static const enum log_level all[] = {
		LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG
	};

	for (int most = 0; most < 4; most++) {
		log_open(all[most], LOG_LOGFMT);
		for (int level = 0; level < 4; level++) {
			log_event(all[level], "e");
			ck_assert_int_eq(*written() != '\0', level <= most);
		}
	}
}
END_TEST

/* To the journal: a priority, and no time, which the journal knows. */
START_TEST(journal)
{
	char name[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	log_open(LOG_DEBUG, LOG_LOGFMT);
	log_event(LOG_ERROR, "e");
	log_event(LOG_WARNING, "w");
	log_event(LOG_INFO, "i");
	log_event(LOG_DEBUG, "d");
	ck_assert_str_eq(written(), "<3>event=e level=error\n"
	    "<4>event=w level=warning\n<6>event=i level=info\n"
	    "<7>event=d level=debug\n");
	log_open(LOG_DEBUG, LOG_JSON);
	log_event(LOG_INFO, "i");
	ck_assert_str_eq(written(), "<6>{\"event\":\"i\",\"level\":\"info\"}\n");
	setenv("JOURNAL_STREAM", "1:1", 1);	/* someone else's */
	log_open(LOG_INFO, LOG_LOGFMT);
	log_event(LOG_INFO, "i");
	ck_assert_str_eq(written(), "event=i level=info " TS "\n");
}
END_TEST

START_TEST(gathers)
{
	log_batch(true);
	log_event(LOG_INFO, "a");
	log_event(LOG_INFO, "b");
	ck_assert_str_eq(written(), "");
	log_flush();
	ck_assert_str_eq(written(), "event=a level=info " TS "\n"
	    "event=b level=info " TS "\n");
	log_event(LOG_INFO, "c");
	log_event(LOG_WARNING, "d");	/* at once, after what came before */
	ck_assert_str_eq(written(), "event=c level=info " TS "\n"
	    "event=d level=warning " TS "\n");
	log_event(LOG_INFO, "e");
	log_batch(false);
	ck_assert_str_eq(written(), "event=e level=info " TS "\n");
}
END_TEST

START_TEST(gathers_not_forever)
{
	size_t n = 0;

	log_batch(true);
	while (*written() == '\0') {
		log_event(LOG_INFO, "filler", log_num("n", n++));
		ck_assert_uint_lt(n, 65536 / 40);
	}
	ck_assert_uint_ge(got.len, 65536);
	ck_assert_uint_lt(got.len, 65536 + 200);
}
END_TEST

enum { WRITERS = 4, LINES = 500 };

static void *
write_lines(void *arg)
{
	char text[301];

	log_batch(true);
	memset(text, *(const char *)arg, 300);
	text[300] = '\0';
	for (int i = 0; i < LINES; i++) {
		log_event(LOG_INFO, "e", log_text("v", text));
		if (i % 50 == 0)
			log_flush();
	}
	log_batch(false);
	return NULL;
}

static void *
read_lines(void *arg)
{
	FILE *in = arg;
	char line[400], body[301], c;
	intptr_t n = 0;

	for (; n < WRITERS * LINES && fgets(line, sizeof line, in) != NULL; n++) {
		char *v = strstr(line, " v=");

		if (v == NULL || sscanf(v, " v=%300s%c", body, &c) != 2 ||
		    c != '\n' || strspn(body, (char[]){ body[0], '\0' }) != 300)
			return NULL;
	}
	return (void *)n;
}

/* Lines of several threads do not mix, however slowly they are read, and whether
 * the pipe makes the writer wait or not. */
START_TEST(whole_lines)
{
	pthread_t threads[WRITERS], reader;
	void *lines;
	FILE *in;

	fcntl(STDERR_FILENO, F_SETFL, _i == 0 ? 0 : O_NONBLOCK);
	fcntl(from_log, F_SETFL, 0);
	fcntl(STDERR_FILENO, F_SETPIPE_SZ, 4096);
	in = fdopen(dup(from_log), "r");
	pthread_create(&reader, NULL, read_lines, in);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_lines,
		    (void *)&"abcd"[i]);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(reader, &lines);
	ck_assert_int_eq((intptr_t)lines, WRITERS * LINES);
	fclose(in);
}
END_TEST

/* Blocking as standard error is; nobody reads for a while. */
START_TEST(a_reader_that_stands_still_costs_lines_alone)	/* D-35 */
{
	static char big[4096];
	int left, all, from, ends[2];

	ck_assert_int_eq(_i == 0 ? pipe2(ends, 0) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	from = ends[_i == 0 ? 0 : 1];
	dup2(ends[_i == 0 ? 1 : 0], STDERR_FILENO);
	log_open(LOG_INFO, LOG_LOGFMT);
	memset(big, 'x', sizeof big - 1);
	for (int i = 0; i < 500; i++)	/* more than either holds; the first that does not fit waits a second */
		log_event(LOG_INFO, "filler", log_text("text", big));
	fcntl(from, F_SETFL, O_NONBLOCK);
	close(from_log);
	from_log = from;
	all = count(written(), "event=filler");
	ck_assert_int_gt(all, 5);
	ck_assert_int_lt(all, 500);
	log_event(LOG_INFO, "after");
	ck_assert_int_eq(sscanf(written(), "\nevent=log_lost level=warning " TS " lines=%d", &left), 1);
	ck_assert_ptr_nonnull(strstr(got.data, "\nevent=after level=info " TS "\n"));
	ck_assert_int_ge(all + left, 500);	/* one was cut off, and counts as both */
	ck_assert_int_le(all + left, 501);
	log_event(LOG_INFO, "more");
	ck_assert_str_eq(written(), "event=more level=info " TS "\n");
}
END_TEST

Suite *test_log(void);
Suite *
test_log(void)
{
	Suite *s = suite_create("test_log");
	TCase *tc = tcase_create("log");
	int n = sizeof values / sizeof values[0];

	tcase_add_checked_fixture(tc, capture, release);
	tcase_add_test(tc, logfmt);
	tcase_add_loop_test(tc, values_logfmt, 0, n);
	tcase_add_loop_test(tc, values_json, 0, n);
	tcase_add_test(tc, json_any_bytes);
	tcase_add_test(tc, long_values);
	tcase_add_test(tc, only_wanted);
	tcase_add_test(tc, journal);
	tcase_add_test(tc, gathers);
	tcase_add_test(tc, gathers_not_forever);
	tcase_add_loop_test(tc, whole_lines, 0, 2);
	tcase_add_loop_test(tc, a_reader_that_stands_still_costs_lines_alone, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
