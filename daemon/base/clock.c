/* The clocks, real or false, and how time is written. */
#include "base/clock.h"

#include "base/why.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEN_YEARS_MS (INT64_C(3653) * 86400 * 1000)

/* Smallest first. */
static const struct unit {
	const char *parsed, *printed;
	int64_t ms;
} units[] = {
	{ "ms", "ms", 1 },
	{ "s", "s", 1000 },
	{ "m", "min", 60 * 1000 },
	{ "h", "h", 3600 * 1000 },
	{ "d", "d", 86400 * 1000 },
};
#define UNITS (sizeof units / sizeof units[0])

/* The false clock; set before there are threads. */
static bool fake;
static int64_t fake_ms, fake_wall_us;

static struct timespec
read_clock(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		bug("no clock %d", (int)id);
	return t;
}

int64_t
clock_now_ms(void)
{
	struct timespec t;

	if (fake)
		return fake_ms;
	t = read_clock(CLOCK_BOOTTIME);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec t;

	if (fake)
		return fake_wall_us;
	t = read_clock(CLOCK_REALTIME);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_wall_s(void)
{
	return clock_wall_us() / 1000000;
}

bool
clock_parse_span(struct str s, int64_t *ms)
{
	struct str unit;
	uint64_t n;
	size_t digits = 0;

	if (str_is(s, "0")) {
		*ms = 0;
		return true;
	}
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	unit = str_from(s, digits);
	s.n = digits;
	if (!str_number(s, TEN_YEARS_MS, &n))
		return false;
	for (size_t i = 0; i < UNITS; i++) {
		if (!str_is(unit, units[i].parsed))
			continue;
		if (n > (uint64_t)(TEN_YEARS_MS / units[i].ms))
			return false;
		*ms = (int64_t)n * units[i].ms;
		return true;
	}
	return false;
}

void
clock_print_span(char *out, size_t size, int64_t ms)
{
	size_t i = UNITS - 1;
	int64_t n;

	if (ms <= 0) {
		snprintf(out, size, "0 s");
		return;
	}
	/* "90 s" says more than "2 min", but "1 min" more than "60 s". */
	while (i > 0 && ms / 2 < units[i].ms && ms != units[i].ms)
		i--;
	n = ms / units[i].ms;
	if (ms % units[i].ms * 2 >= units[i].ms)
		n++;
	snprintf(out, size, "%lld %s", (long long)n, units[i].printed);
}

void
clock_print_date(char *out, size_t size, int64_t wall_s)
{
	static const char days[][4] = {
		"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
	};
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	time_t t = wall_s;
	struct tm tm;
	long minutes;

	if (localtime_r(&t, &tm) == NULL)
		bug("no date at %lld", (long long)wall_s);
	minutes = tm.tm_gmtoff / 60;
	snprintf(out, size, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, minutes < 0 ? '-' : '+',
	    labs(minutes) / 60, labs(minutes) % 60);
}

void
clock_fake(int64_t now_ms, int64_t wall_s)
{
	fake = true;
	fake_ms = now_ms;
	fake_wall_us = wall_s * 1000000;
}

void
clock_fake_add(int64_t ms)
{
	fake_ms += ms;
	fake_wall_us += ms * 1000;
}
