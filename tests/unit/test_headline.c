/* The line that systemd shows. */
#include "control/headline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

static const struct {
	struct queue_totals totals;
	const char *words;
} totals[] = {
	{ { 0 }, "Nothing waits" },
	{ { .messages = 1, .active = 1 }, "1 message queued" },
	{ { .messages = 3, .deferred = 2 }, "3 messages queued, 2 deferred" },
	{ { .messages = 2, .held = 2, .damaged = 1 }, "2 messages queued, 2 held, 1 damaged" },
};

START_TEST(totals_in_words)
{
	struct buf out = { 0 };

	headline_put_totals(&out, &totals[_i].totals);
	buf_putc(&out, '\0');
	ck_assert_str_eq(out.data, totals[_i].words);
	buf_clear(&out);
}
END_TEST

static const struct {
	enum gate_state state;
	bool has_active;
	const char *reason, *words;
} upstreams[] = {
	{ GATE_UNKNOWN, false, "", "ses not tried yet" },
	{ GATE_UP, true, "", "ses up (465/implicit)" },
	{ GATE_UP, false, "as it was", "ses up" },
	{ GATE_DOWN, true, "every port is blocked", "ses down: every port is blocked" },
	{ GATE_AUTH_FAILED, false, "535 no", "ses refuses our login: 535 no" },
	{ GATE_PAUSED, false, "over quota", "ses paused: over quota" },
	{ GATE_DOWN, false, "a\nREADY=1", "ses down: a\\x0AREADY=1" },	/* a stranger's words stay on the line */
};

START_TEST(upstreams_in_words)
{
	struct gate gate = { .state = upstreams[_i].state };
	struct queue_upstream u = { .name = "ses", .gate = &gate, .has_active = upstreams[_i].has_active,
	    .active = { .port = 465, .tls = TLS_IMPLICIT } };
	struct buf out = { 0 };

	snprintf(u.reason, sizeof u.reason, "%s", upstreams[_i].reason);
	headline_put_upstream(&out, &u);
	buf_putc(&out, '\0');
	ck_assert_str_eq(out.data, upstreams[_i].words);
	buf_clear(&out);
}
END_TEST

Suite *test_headline(void);
Suite *
test_headline(void)
{
	Suite *s = suite_create("test_headline");
	TCase *tc = tcase_create("headline");

	tcase_add_loop_test(tc, totals_in_words, 0, sizeof totals / sizeof totals[0]);
	tcase_add_loop_test(tc, upstreams_in_words, 0, sizeof upstreams / sizeof upstreams[0]);
	suite_add_tcase(s, tc);
	return s;
}
