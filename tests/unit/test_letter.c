/* Reading a message: where its header ends, what ends it, and where the rest is kept. */
#include "command/letter.h"

#include <sysexits.h>
#include <unistd.h>

#include "unit/bytes.h"

static const struct {
	bool dot_ends;
	struct str in;
	const char *header, *body;
	int status;
} cases[] = {
	{ true, STR("A: b\n\nbody\n"), "A: b\r\n", "body\r\n", EX_OK },
	{ true, STR("A: b\r\n\r\nbody"), "A: b\r\n", "body\r\n", EX_OK },
	{ true, STR("A: b\n c\n\td\nB : x\n\n\nbody\n"), "A: b\r\n c\r\n\td\r\nB : x\r\n", "\r\nbody\r\n", EX_OK },
	{ true, STR("A: b\n"), "A: b\r\n", "", EX_OK },
	{ true, STR("A: b"), "A: b\r\n", "", EX_OK },
	{ true, STR(""), "", "", EX_OK },
	{ true, STR("\nA: b\n"), "", "A: b\r\n", EX_OK },
	{ true, STR("hello\n"), "", "hello\r\n", EX_OK },
	{ true, STR("hello"), "", "hello\r\n", EX_OK },
	{ true, STR(" folded\nA: b\n"), "", " folded\r\nA: b\r\n", EX_OK },
	{ true, STR("A: b\nno field\nB: c\n\nx\n"), "A: b\r\n", "no field\r\nB: c\r\n\r\nx\r\n", EX_OK },
	{ true, STR(": b\n"), "", ": b\r\n", EX_OK },
	{ true, STR("From me Mon\n>From you\nA: b\n\nFrom x\n"), "A: b\r\n", "From x\r\n", EX_OK },
	{ true, STR("> quoted\n"), "", "> quoted\r\n", EX_OK },
	{ true, STR("A: b\nFrom x\n"), "A: b\r\n", "From x\r\n", EX_OK },
	{ true, STR("A: b\n\nx\n.\ny\n"), "A: b\r\n", "x\r\n", EX_OK },
	{ true, STR("A: b\n.\ny\n"), "A: b\r\n", "", EX_OK },
	{ false, STR("A: b\n\nx\n.\ny\n"), "A: b\r\n", "x\r\n.\r\ny\r\n", EX_OK },
	{ true, STR("A: b\n\nx\0y\n"), NULL, NULL, EX_DATAERR },
};

static int
gather(void *arg, struct str piece, struct why *why)
{
	(void)why;
	buf_putstr(arg, piece);
	return 0;
}

/* A pipe into which a child writes; `step' octets at a time. */
static int
writer(struct str in, size_t step)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	if (fork() == 0) {
		close(fds[0]);
		for (size_t n; in.n > 0; in = str_from(in, n)) {
			n = in.n < step ? in.n : step;
			if (write(fds[1], in.p, n) != (ssize_t)n)
				_exit(1);
		}
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

static int
read_it(struct letter *l, struct str in, size_t step, bool dot_ends, uint64_t max, struct buf *body)
{
	struct why why;
	int fd = writer(in, step), status = letter_read(l, fd, dot_ends, max, &why);

	close(fd);
	if (status == EX_OK)
		ck_assert_int_eq(letter_each(l, gather, body, &why), 0);
	return status;
}

START_TEST(reads)
{
	for (unsigned step = 0; step < BYTES_STEPS; step++) {
		struct letter l;
		struct buf body = { 0 };
		int status = read_it(&l, cases[_i].in, bytes_steps[step], cases[_i].dot_ends, 0, &body);

		ck_assert_int_eq(status, cases[_i].status);
		if (status == EX_OK) {
			bytes_eq(buf_str(&l.header), str_of(cases[_i].header));
			bytes_eq(buf_str(&body), str_of(cases[_i].body));
			ck_assert_uint_eq(l.octets, body.len);
		}
		buf_clear(&body);
		letter_clear(&l);
	}
}
END_TEST

/* More than stays in memory comes back whole, and as often as it is asked for. */
START_TEST(large)
{
	struct letter l;
	struct buf in = { 0 }, want = { 0 }, body = { 0 };
	struct why why;

	buf_puts(&in, "A: b\n\n");
	for (unsigned i = 0; i < 200000; i++) {
		buf_printf(&in, "line %u\n", i);
		buf_printf(&want, "line %u\r\n", i);
	}
	ck_assert_int_eq(read_it(&l, buf_str(&in), 65536, true, 0, &body), EX_OK);
	ck_assert_int_ge(l.fd, 0);
	bytes_eq(buf_str(&body), buf_str(&want));
	buf_cut(&body, 0);
	ck_assert_int_eq(letter_each(&l, gather, &body, &why), 0);
	bytes_eq(buf_str(&body), buf_str(&want));
	letter_clear(&l);
	ck_assert_int_eq(read_it(&l, buf_str(&in), 65536, true, 100000, &body), EX_DATAERR);
	letter_clear(&l);
	buf_cut(&in, 0);	/* a header that does not end, and a body without lines */
	buf_puts(&in, "A: ");
	while (in.len < LETTER_HEADER_MAX + 100000)
		buf_puts(&in, "xxxxxxxxxx");
	ck_assert_int_eq(read_it(&l, buf_str(&in), 65536, true, 0, &body), EX_DATAERR);
	letter_clear(&l);
	buf_cut(&body, 0);
	ck_assert_int_eq(read_it(&l, str_from(buf_str(&in), 3), 65536, true, 0, &body), EX_OK);
	ck_assert_uint_eq(body.len, in.len - 3 + 2);
	ck_assert_uint_eq(l.header.len, 0);
	letter_clear(&l);
	buf_clear(&in);
	buf_clear(&want);
	buf_clear(&body);
}
END_TEST

/* What is longer than a field's name can be is none, also when its colon comes with the same read
 * (tests/fuzz/corpus/letter/long-name). */
START_TEST(long_names)
{
	for (size_t n = 990; n < 1002; n++) {
		for (unsigned way = 0; way < 4; way++) {
			struct letter l;
			struct buf in = { 0 }, body = { 0 };
			struct str end = way % 2 == 0 ? STR(": x\n\n") : STR("From me\nA: b\n\n");

			while (in.len < n)
				buf_putc(&in, way % 2 == 0 ? 'n' : '>');
			buf_putstr(&in, end);
			ck_assert_int_eq(read_it(&l, buf_str(&in), way < 2 ? 1 : 4096, true, 0, &body), EX_OK);
			ck_assert_msg((l.header.len > 0) == (way % 2 == 0 ? n <= 998 : n <= 993), "%zu in way %u", n, way);
			letter_clear(&l);
			buf_clear(&in);
			buf_clear(&body);
		}
	}
}
END_TEST

Suite *test_letter(void);

Suite *
test_letter(void)
{
	Suite *s = suite_create("test_letter");
	TCase *t = tcase_create("letter");

	tcase_add_loop_test(t, reads, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, large);
	tcase_add_test(t, long_names);
	suite_add_tcase(s, t);
	return s;
}
