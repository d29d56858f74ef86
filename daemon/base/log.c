/* The log: lines are built in the thread's own buffer and leave it whole. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/ident.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	GATHER_MAX = 64 * 1024,
	VALUE_MAX = 8 * 1024,	/* journald cuts lines of 48 KB */
	PATIENCE_MS = 1000	/* with a reader that does not read */
};

/* What standard error is: how to write to it without waiting for its reader. */
enum { OUTLET_FILE, OUTLET_PIPE, OUTLET_SOCKET };

static const struct {
	const char *name, *priority;
} levels[] = {
	[LOG_ERROR] = { "error", "<3>" },
	[LOG_WARNING] = { "warning", "<4>" },
	[LOG_INFO] = { "info", "<6>" },
	[LOG_DEBUG] = { "debug", "<7>" },
};

/* Set by log_open, read by all threads. */
static _Atomic int most = LOG_INFO;
static _Atomic int format = LOG_LOGFMT;
static atomic_bool journal;
static _Atomic int outlet;

static _Thread_local struct buf gathered;
static _Thread_local bool batching;

/* $JOURNAL_STREAM is inherited by children whose standard error went elsewhere,
 * so it counts only if it names the file that descriptor 2 is. */
static bool
stderr_is_journal(void)
{
	const char *want = getenv("JOURNAL_STREAM");	/* NOLINT(concurrency-mt-unsafe): before there are threads */
	char have[64];
	struct stat st;

	if (want == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(have, sizeof have, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	return strcmp(want, have) == 0;
}

static int
kind_of_stderr(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return OUTLET_FILE;
	return S_ISSOCK(st.st_mode) ? OUTLET_SOCKET : S_ISFIFO(st.st_mode) ? OUTLET_PIPE : OUTLET_FILE;
}

void
log_open(enum log_level level, enum log_format f)
{
	atomic_store_explicit(&outlet, kind_of_stderr(), memory_order_relaxed);
	atomic_store_explicit(&most, level, memory_order_relaxed);
	atomic_store_explicit(&format, f, memory_order_relaxed);
	atomic_store_explicit(&journal, stderr_is_journal(), memory_order_relaxed);
}

const char *
log_priority(enum log_level level)
{
	return atomic_load_explicit(&journal, memory_order_relaxed) ? levels[level].priority : "";
}

bool
log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&most, memory_order_relaxed);
}

/* Most values are words that need neither care nor quotes. */
static bool
is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

/* In double quotes, which logfmt and JSON escape alike.  What is left of control
 * characters and broken UTF-8 is a readable \xNN, its backslash escaped too. */
static void
put_quoted(struct buf *out, struct str s)
{
	struct buf safe = { 0 };

	str_safe(&safe, s, true);
	buf_putc(out, '"');
	for (size_t i = 0; i < safe.len; i++) {
		if (safe.data[i] == '"' || safe.data[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, safe.data[i]);
	}
	buf_putc(out, '"');
	buf_clear(&safe);
}

static void
put_key(struct buf *out, const char *key, bool json)
{
	buf_puts(out, json ? ",\"" : " ");
	buf_puts(out, key);
	buf_puts(out, json ? "\":" : "=");
}

static void
put_value(struct buf *out, struct str s, bool json)
{
	if (s.n > VALUE_MAX)
		s.n = VALUE_MAX;
	if (json || !is_word(s))
		put_quoted(out, s);
	else
		buf_putstr(out, s);
}

static void
put_field(struct buf *out, const struct log_field *f, bool json)
{
	char id[IDENT_TEXT];

	if (f->type == LOG_F_TEXT && f->u.text == NULL)
		return;
	put_key(out, f->key, json);
	switch (f->type) {
	case LOG_F_TEXT:
		put_value(out, str_of(f->u.text), json);
		break;
	case LOG_F_STR:
		put_value(out, f->u.str, json);
		break;
	case LOG_F_NUM:
		buf_printf(out, "%lld", (long long)f->u.num);
		break;
	case LOG_F_ID:
		ident_print(id, f->u.id);
		put_value(out, str_of(id), json);
		break;
	}
}

/* RFC 3339 with milliseconds; the seconds are printed once for all their lines. */
static void
put_time(struct buf *out, bool json)
{
	static _Thread_local char text[32];
	static _Thread_local time_t printed_s;
	int64_t now_us = clock_wall_us();
	time_t now_s = now_us / 1000000;
	struct tm tm;

	if (now_s != printed_s || text[0] == '\0') {
		if (gmtime_r(&now_s, &tm) == NULL)
			return;
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
		printed_s = now_s;
	}
	put_key(out, "ts", json);
	buf_printf(out, json ? "\"%s.%03dZ\"" : "%s.%03dZ", text,
	    (int)(now_us / 1000 % 1000));
}

static void
put_line(struct buf *out, enum log_level level, const char *event,
    const struct log_field *f)
{
	bool json = atomic_load_explicit(&format, memory_order_relaxed) == LOG_JSON;
	const char *priority = log_priority(level);

	buf_puts(out, priority);
	if (json)
		buf_printf(out, "{\"event\":\"%s\",\"level\":\"%s\"", event,
		    levels[level].name);
	else
		buf_printf(out, "event=%s level=%s", event, levels[level].name);
	if (*priority == '\0')
		put_time(out, json);
	for (; f->key != NULL; f++)
		put_field(out, f, json);
	buf_puts(out, json ? "}\n" : "\n");
}

/* Standard error may be shared with others, so it stays blocking; a pipe that is ready takes PIPE_BUF octets without. */
static ssize_t
write_some(const char *p, size_t n)
{
	struct pollfd fd = { STDERR_FILENO, POLLOUT, 0 };

	switch (atomic_load_explicit(&outlet, memory_order_relaxed)) {
	case OUTLET_SOCKET:
		return send(STDERR_FILENO, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTLET_PIPE:
		if (poll(&fd, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		return write(STDERR_FILENO, p, n < PIPE_BUF ? n : PIPE_BUF);
	default:
		return write(STDERR_FILENO, p, n);
	}
}

/* How much was written: all, unless the reader does not read for `patience_ms'. */
static size_t
write_whole(const char *p, size_t n, int patience_ms)
{
	size_t at = 0;

	while (at < n) {
		ssize_t done = write_some(p + at, n - at);

		if (done >= 0) {
			at += (size_t)done;
		} else if (errno == EAGAIN) {
			struct pollfd fd = { STDERR_FILENO, POLLOUT, 0 };

			if (poll(&fd, 1, patience_ms) == 0)
				break;
		} else if (errno != EINTR) {
			break;
		}
	}
	return at;
}

static uint64_t
count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* What says how many lines are missing; the first newline ends a line that was cut off. */
static bool
tell_lost(uint64_t lost)
{
	struct buf line = { 0 };
	bool told;

	buf_putc(&line, '\n');
	put_line(&line, LOG_WARNING, "log_lost", (const struct log_field[]){ log_num("lines", (int64_t)lost), { 0 } });
	told = write_whole(line.data, line.len, 0) == line.len;
	buf_clear(&line);
	return told;
}

/* A reader that stands still is waited for once; after that mail goes on without a log until it reads again (D-35). */
static void
write_gathered(void)
{
	static uint64_t lost;
	size_t done;

	if (lost > 0 && !tell_lost(lost)) {
		lost += count_lines(gathered.data, gathered.len);
		return;
	}
	lost = 0;
	done = write_whole(gathered.data, gathered.len, PATIENCE_MS);
	lost = count_lines(gathered.data + done, gathered.len - done);
}

void
log_flush(void)
{
	/* A pipe does not keep a large write of one thread in one piece. */
	static pthread_mutex_t one_writer = PTHREAD_MUTEX_INITIALIZER;
	int saved = errno;

	if (gathered.len == 0)
		return;
	pthread_mutex_lock(&one_writer);
	write_gathered();
	pthread_mutex_unlock(&one_writer);
	if (batching)
		buf_cut(&gathered, 0);
	else
		buf_clear(&gathered);
	errno = saved;
}

void
log_fields(enum log_level level, const char *event, const struct log_field *f)
{
	int saved = errno;

	if (!log_wants(level))
		return;
	put_line(&gathered, level, event, f);
	if (!batching || level <= LOG_WARNING || gathered.len >= GATHER_MAX)
		log_flush();
	errno = saved;
}

void
log_batch(bool on)
{
	batching = on;
	if (!on) {
		log_flush();
		buf_clear(&gathered);
	}
}
