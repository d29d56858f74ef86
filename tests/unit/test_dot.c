/* smtp/dot: one end of data and no other, nothing lost, nothing invented. */
#include "unit/bytes.h"

#include <string.h>

#include "smtp/dot.h"

Suite *test_dot(void);

enum { CR = 1, LF = 2, NUL = 4 };

static unsigned
flags_of(const struct dot *d)
{
	return (d->bare_cr ? CR : 0) | (d->bare_lf ? LF : 0) | (d->nul ? NUL : 0);
}

/* Feeds all of b; the bytes behind the end of data into rest. */
static bool
feed(struct dot *d, struct bytes *b, struct buf *out, struct buf *rest)
{
	struct str piece;
	bool ended = false;

	while (bytes_next(b, &piece)) {
		if (!ended)
			ended = dot_feed(d, &piece, out);
		if (ended)
			buf_putstr(rest, piece);
		else
			ck_assert_uint_eq(piece.n, 0);
	}
	return ended;
}

static const struct {
	struct str in, out;
	unsigned flags;
} cases[] = {
	{ STR(".\r\n"), STR(""), 0 },				/* */
	{ STR("\r\n.\r\n"), STR("\r\n"), 0 },
	{ STR("a\r\n.\r\n"), STR("a\r\n"), 0 },			/* */
	{ STR("a\tb\x01\x7f\xff\r\n.\r\n"), STR("a\tb\x01\x7f\xff\r\n"), 0 }, /* */
	{ STR("..\r\n...\r\n..x\r\n.x\r\nx..\r\n.\r\n"),	/* */
	    STR(".\r\n..\r\n.x\r\nx\r\nx..\r\n"), 0 },
	{ STR("a\r\n\r\n  \r\n\r\n.\r\n"), STR("a\r\n\r\n  \r\n\r\n"), 0 }, /* */
	{ STR("\r\n .\r\n.\r\n"), STR("\r\n .\r\n"), 0 },
	{ STR("a\0b\r\n.\r\n"), STR("a\0b\r\n"), NUL },		/* */
};
enum { CASES = sizeof cases / sizeof cases[0] };

START_TEST(content)
{
	int i = _i / BYTES_STEPS / 2;
	struct bytes b = { cases[i].in, bytes_steps[_i / 2 % BYTES_STEPS], NULL };
	struct buf out = { 0 }, rest = { 0 };
	struct dot d;

	dot_init(&d, _i % 2);
	ck_assert(feed(&d, &b, &out, &rest));
	bytes_eq(buf_str(&out), cases[i].out);
	ck_assert_uint_eq(rest.len, 0);
	ck_assert_uint_eq(flags_of(&d), cases[i].flags);
	buf_clear(&out);
	buf_clear(&rest);
}
END_TEST

/* A-136, C-01: none of these ends the message.  `normal' is what normalizing makes. */
static const struct {
	struct str in;
	unsigned flags;
	const char *normal;	/* NULL: refused all the same */
} smuggling[] = {
	{ STR("\n.\n"), LF, "\r\n.\r\n" },
	{ STR("\n.\r"), CR | LF, "\r\n.\r\n" },
	{ STR("\r.\n"), CR | LF, "\r\n.\r\n" },
	{ STR("\r.\r"), CR, "\r\n.\r\n" },
	{ STR("\n.\r\n"), LF, "\r\n.\r\n" },
	{ STR("\r.\r\n"), CR, "\r\n.\r\n" },
	{ STR("\r\n.\n"), LF, "\r\n.\r\n" },
	{ STR("\r\n.\r"), CR, "\r\n.\r\n" },
	{ STR("\r\n\0.\r\n"), NUL, NULL },
	{ STR("\r\n.\r\r\n"), CR, "\r\n.\r\n\r\n" },
	{ STR("\r\r\n.\r\r\n"), CR, "\r\n\r\n.\r\n\r\n" },
	{ STR("\r\n.\0\r\n"), NUL, NULL },
	{ STR("\r\n .\r\n"), 0, "\r\n .\r\n" },
	{ STR("\n\n..\n"), LF, "\r\n\r\n.\r\n" },
	{ STR("\n.x\r"), CR | LF, "\r\nx\r\n" },
};
enum { SMUGGLING = sizeof smuggling / sizeof smuggling[0] };

START_TEST(no_end)
{
	int i = _i / BYTES_STEPS / 2;
	bool normalize = _i % 2;
	struct buf in = { 0 }, out = { 0 }, rest = { 0 }, want = { 0 };
	struct bytes b = { .step = bytes_steps[_i / 2 % BYTES_STEPS] };
	struct dot d;

	buf_puts(&in, "a");
	buf_putstr(&in, smuggling[i].in);
	buf_puts(&in, "MAIL FROM:<evil@x>\r\nDATA\r\n.\r\nNOOP\r\n");
	b.rest = buf_str(&in);
	dot_init(&d, normalize);
	ck_assert(feed(&d, &b, &out, &rest));
	bytes_eq(buf_str(&rest), STR("NOOP\r\n"));
	ck_assert_uint_eq(flags_of(&d), smuggling[i].flags);
	if (normalize && smuggling[i].normal != NULL) {
		buf_printf(&want, "a%sMAIL FROM:<evil@x>\r\nDATA\r\n",
		    smuggling[i].normal);
		bytes_eq(buf_str(&out), buf_str(&want));
	}
	buf_clear(&in);
	buf_clear(&out);
	buf_clear(&rest);
	buf_clear(&want);
}
END_TEST

/* what has no end has none yet. */
START_TEST(unfinished)
{
	static const struct str in[] = {
		STR("a"), STR("a\r\n"), STR("a\r\n."), STR("a\r\n.\r"), STR("."),
	};

	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
		struct buf out = { 0 };
		struct str s = in[i];
		struct dot d;

		dot_init(&d, false);
		ck_assert(!dot_feed(&d, &s, &out));
		ck_assert_uint_eq(s.n, 0);
		buf_clear(&out);
	}
}
END_TEST

/* the end of data around the sizes of buffers, and discarding. */
START_TEST(edges)
{
	for (size_t n = 4090; n < 4100; n++) {
		char *text = mem_alloc(n + 5);
		struct str in = { text, n + 5 };
		struct buf out = { 0 };
		struct dot d;

		memset(text, 'x', n);
		memcpy(text + n, "\r\n.\r\n", 5);
		for (size_t cut = n - 2; cut < n + 5; cut++) {
			struct str head = { text, cut };
			struct str tail = str_from(in, cut);

			dot_init(&d, false);
			buf_cut(&out, 0);
			ck_assert(!dot_feed(&d, &head, &out));
			ck_assert(dot_feed(&d, &tail, &out));
			ck_assert_uint_eq(out.len, n + 2);
			ck_assert_mem_eq(out.data, text, n + 2);
		}
		dot_init(&d, false);
		ck_assert(dot_feed(&d, &in, NULL));
		buf_clear(&out);
		free(text);
	}
}
END_TEST

static const char *
find(const char *in, size_t n, const char *what, size_t len)
{
	return memmem(in, n, what, len);
}

/* What RFC 5321 says, said slowly: find the end, normalize, then unstuff. */
static unsigned
slow(struct str in, bool normalize, struct buf *out)
{
	const char *end = in.n >= 3 && memcmp(in.p, ".\r\n", 3) == 0 ? in.p :
	    find(in.p, in.n, "\r\n.\r\n", 5) + 2;
	struct buf b = { 0 };
	unsigned flags = 0;
	bool start = true;

	for (const char *p = in.p; p < end; p++) {
		bool cr = *p == '\r' && p[1] != '\n';
		bool lf = *p == '\n' && (p == in.p || p[-1] != '\r');

		flags |= (cr ? CR : 0) | (lf ? LF : 0) | (*p == '\0' ? NUL : 0);
		if (normalize && (cr || lf))
			buf_puts(&b, "\r\n");
		else
			buf_putc(&b, *p);
	}
	for (size_t i = 0; i < b.len; i++) {
		if (!(start && b.data[i] == '.' && memcmp(b.data + i, ".\r\n", 3) != 0))
			buf_putc(out, b.data[i]);
		start = i > 0 && b.data[i - 1] == '\r' && b.data[i] == '\n';
	}
	buf_clear(&b);
	return flags;
}

/* A stream of what matters, with tokens that make trouble likely. */
static void
trouble(struct buf *b, uint32_t *seed, bool clean)
{
	static const char *const tokens[] = {
		"\r\n", "\r\n.", ".", "a", "\r\n", "long enough for a word", "\t",
		"\r", "\n", ".\r",
	};
	uint32_t n = bytes_random(seed, 24);

	buf_cut(b, 0);
	while (n-- > 0)
		buf_puts(b, tokens[bytes_random(seed, clean ? 7 : 10)]);
}

START_TEST(as_the_slow_one)
{
	uint32_t seed = 1;
	struct buf in = { 0 }, out = { 0 }, want = { 0 }, rest = { 0 };

	for (int i = 0; i < 20000; i++) {
		bool normalize = i & 1;
		struct bytes b = { .step = 1 + bytes_random(&seed, 40) };
		struct dot d;
		unsigned flags;

		trouble(&in, &seed, false);
		buf_puts(&in, "\r\n.\r\n");
		b.rest = buf_str(&in);
		buf_cut(&out, 0);
		buf_cut(&want, 0);
		dot_init(&d, normalize);
		ck_assert(feed(&d, &b, &out, &rest));
		flags = slow(buf_str(&in), normalize, &want);
		ck_assert_uint_eq(flags_of(&d), flags);
		if (normalize || flags == 0) {
			struct dot_out o;

			bytes_eq(buf_str(&out), buf_str(&want));
			buf_cut(&want, 0);	/* C-01: it can be sent as it is */
			dot_stuff_init(&o);
			ck_assert_int_eq(dot_stuff(&o, out.data, out.len, &want), 0);
		}
	}
	buf_clear(&in);
	buf_clear(&out);
	buf_clear(&want);
	buf_clear(&rest);
}
END_TEST

static const struct {
	struct str in, out;
} stuffed[] = {
	{ STR(""), STR(".\r\n") },
	{ STR("a\r\n"), STR("a\r\n.\r\n") },
	{ STR("a"), STR("a\r\n.\r\n") },			/* B-130 */
	{ STR("a\r\n\r\n"), STR("a\r\n\r\n.\r\n") },
	{ STR(".\r\n..\r\n.x\r\nx."), STR("..\r\n...\r\n..x\r\nx.\r\n.\r\n") },
	{ STR("."), STR("..\r\n.\r\n") },
	{ STR("a\r\n.\r\nMAIL"), STR("a\r\n..\r\nMAIL\r\n.\r\n") },
	{ STR("a\r"), STR("a\r\n.\r\n") },			/* never \r\n.\r\n inside */
};
enum { STUFFED = sizeof stuffed / sizeof stuffed[0] };

START_TEST(stuffing)
{
	int i = _i / BYTES_STEPS;
	struct bytes b = { stuffed[i].in, bytes_steps[_i % BYTES_STEPS], NULL };
	struct buf out = { 0 };
	struct dot_out d;
	struct str piece;

	dot_stuff_init(&d);
	while (bytes_next(&b, &piece))
		ck_assert_int_eq(dot_stuff(&d, piece.p, piece.n, &out), 0);
	dot_stuff_end(&d, &out);
	bytes_eq(buf_str(&out), stuffed[i].out);
	buf_clear(&out);
}
END_TEST

/* C-01: what is not clean is not sent. */
START_TEST(unclean)
{
	static const struct str in[] = {
		STR("\n"), STR("a\n.\n"), STR("a\r.\r\n"), STR("\0"), STR("a\r\r\n"),
		STR("a\r\n\n"), STR(".\n"), STR("\r\0"),
	};

	for (size_t i = 0; i < sizeof in / sizeof in[0] * BYTES_STEPS; i++) {
		struct bytes b = { in[i / BYTES_STEPS],
		    bytes_steps[i % BYTES_STEPS], NULL };
		struct buf out = { 0 };
		struct dot_out d;
		struct str piece;
		int result = 0;

		dot_stuff_init(&d);
		while (result == 0 && bytes_next(&b, &piece))
			result = dot_stuff(&d, piece.p, piece.n, &out);
		ck_assert_int_eq(result, -1);
		buf_clear(&out);
		free(b.piece);
	}
}
END_TEST

/* B-130: what went out comes in again, with one CRLF added where none was last; and
 * there is one end of data in it, at the end. */
START_TEST(identity)
{
	uint32_t seed = 7;
	struct buf in = { 0 }, wire = { 0 }, back = { 0 }, rest = { 0 };

	for (int i = 0; i < 20000; i++) {
		struct bytes b = { .step = 1 + bytes_random(&seed, 40) };
		struct str piece;
		struct dot_out o;
		struct dot d;

		trouble(&in, &seed, true);
		buf_cut(&wire, 0);
		buf_cut(&back, 0);
		b.rest = buf_str(&in);
		dot_stuff_init(&o);
		while (bytes_next(&b, &piece))
			ck_assert_int_eq(dot_stuff(&o, piece.p, piece.n, &wire), 0);
		dot_stuff_end(&o, &wire);
		b.rest = buf_str(&wire);
		dot_init(&d, false);
		ck_assert(feed(&d, &b, &back, &rest));
		ck_assert_uint_eq(rest.len, 0);
		ck_assert_uint_eq(flags_of(&d), 0);
		if (in.len > 0 && in.data[in.len - 1] != '\n')
			buf_puts(&in, "\r\n");
		bytes_eq(buf_str(&back), buf_str(&in));
	}
	buf_clear(&in);
	buf_clear(&wire);
	buf_clear(&back);
	buf_clear(&rest);
}
END_TEST

Suite *
test_dot(void)
{
	Suite *s = suite_create("test_dot");
	TCase *t = tcase_create("dot");

	tcase_add_loop_test(t, content, 0, CASES * BYTES_STEPS * 2);
	tcase_add_loop_test(t, no_end, 0, SMUGGLING * BYTES_STEPS * 2);
	tcase_add_test(t, unfinished);
	tcase_add_test(t, edges);
	tcase_add_test(t, as_the_slow_one);
	tcase_add_loop_test(t, stuffing, 0, STUFFED * BYTES_STEPS);
	tcase_add_test(t, unclean);
	tcase_add_test(t, identity);
	suite_add_tcase(s, t);
	return s;
}
