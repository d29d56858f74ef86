/*
 * The log: one event, one line, on standard error, with journald's <n>
 * priority in front when standard error is the journal ($JOURNAL_STREAM), and
 * with a time (ts=) when it is not.
 *
 *   log_event(LOG_INFO, "accepted", log_id("msg", id), log_num("size", n));
 *
 * logfmt: event=accepted level=info msg=… size=4096
 * json:   {"event":"accepted","level":"info",…}
 * Events are past participles or nouns that never change.  Values that strangers
 * wrote are made harmless here; secrets must not come here.  Any thread.
 * A reader that stands still costs lines, never mail: how many is told when it reads again (event=log_lost).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
	const char *key;	/* NULL ends the list */
	enum { LOG_F_TEXT, LOG_F_STR, LOG_F_NUM, LOG_F_ID } type;
	union {
		const char *text;	/* NULL: the field is left out */
		struct str str;
		int64_t num;
		uint64_t id;
	} u;
};

#define log_text(k, v) ((struct log_field){ (k), LOG_F_TEXT, { .text = (v) } })
#define log_str(k, v) ((struct log_field){ (k), LOG_F_STR, { .str = (v) } })
#define log_num(k, v) ((struct log_field){ (k), LOG_F_NUM, { .num = (v) } })
#define log_id(k, v) ((struct log_field){ (k), LOG_F_ID, { .id = (v) } })

#define log_event(level, event, ...)                                           \
	do {                                                                   \
		if (log_wants(level))                                          \
			log_fields(level, event,                               \
			    (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) { 0 } }); \
	} while (0)

void log_open(enum log_level level, enum log_format format); /* again at a reload */
const char *log_priority(enum log_level level);	/* "<3>" in front of a line for the journal, else "" */
bool log_wants(enum log_level level);
void log_fields(enum log_level level, const char *event, const struct log_field *f);

/*
 * Lines of a thread that called log_batch(true) are gathered and written by its
 * log_flush() (at the end of its loop's turn) with one system call; errors and
 * warnings are written at once, after what was gathered before them.
 */
void log_batch(bool on);
void log_flush(void);

#endif
