/* mail/trace: the fields that stand on top. */
#include "unit/bytes.h"

#include <string.h>
#include <time.h>

#include "mail/fixup.h"
#include "mail/trace.h"

Suite *test_trace(void);

#define WALL_S 1792100000

static struct trace
sample(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	return (struct trace){
		.helo = "client.example", .address = "127.0.0.1",
		.hostname = "mail.example", .esmtp = true, .tls = true, .auth = true,
		.cipher = "TLSv1.3 TLS_AES_256_GCM_SHA384", .id = "0123456789ABC",
		.wall_s = WALL_S, .for_rcpt = STR("")
	};
}

/* */
START_TEST(whole)
{
	struct trace t = sample();
	struct buf b = { 0 };

	trace_put(&b, &t);
	bytes_eq(buf_str(&b), STR("Received: from client.example ([127.0.0.1])\r\n"
	    "\tby mail.example with ESMTPSA id 0123456789ABC\r\n"
	    "\t(TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n"
	    "\tThu, 15 Oct 2026 21:33:20 +0000\r\n"));
	buf_cut(&b, 0);
	t.for_rcpt = STR("a@b");
	t.add_date = t.add_message_id = true;
	t.add_from = "me@x.example";
	t.cipher = NULL;
	t.tls = false;
	t.address = "::1";
	trace_put(&b, &t);
	bytes_eq(buf_str(&b), STR("Received: from client.example ([IPv6:::1])\r\n"
	    "\tby mail.example with ESMTPA id 0123456789ABC\r\n"
	    "\tfor <a@b>;\r\n"
	    "\tThu, 15 Oct 2026 21:33:20 +0000\r\n"
	    "Date: Thu, 15 Oct 2026 21:33:20 +0000\r\n"
	    "Message-ID: <0123456789ABC@mail.example>\r\n"
	    "From: <me@x.example>\r\n"));
	buf_cut(&b, 0);
	t = sample();
	t.address = "";
	trace_put(&b, &t);
	ck_assert_ptr_nonnull(strstr(b.data, "from client.example (local)\r\n"));
	buf_clear(&b);
}
END_TEST

/* What is no name, or not ASCII in an ASCII message, does not get in (C-17, A-022). */
START_TEST(greeting)
{
	static const struct {
		const char *helo;
		bool utf8;
		const char *want;
	} cases[] = {
		{ "[127.0.0.1]", false, "[127.0.0.1]" },
		{ "", false, "unknown" },
		{ "x\r\nBcc: y", false, "unknown" },
		{ "b\xc3\xbc" "cher.example", false, "unknown" },
		{ "b\xc3\xbc" "cher.example", true, "b\xc3\xbc" "cher.example" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct trace t = sample();
		struct buf b = { 0 }, want = { 0 };

		t.helo = cases[i].helo;
		t.utf8 = cases[i].utf8;
		trace_put(&b, &t);
		buf_printf(&want, "Received: from %s ([127.0.0.1])\r\n", cases[i].want);
		ck_assert_ptr_nonnull(strstr(b.data, want.data));
		buf_clear(&b);
		buf_clear(&want);
	}
}
END_TEST

START_TEST(protocol)	/* */
{
	static const char *const want[] = {
		"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA",
		"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA",
	};

	for (unsigned i = 0; i < 8; i++) {
		struct trace t = { .esmtp = true, .auth = i & 1, .tls = i & 2, .utf8 = i & 4 };

		ck_assert_str_eq(trace_protocol(&t), want[i]);
	}
	ck_assert_str_eq(trace_protocol(&(struct trace){ .tls = true }), "SMTP");
}
END_TEST

/* No line over 998, and fixup knows each of these as our own. */
START_TEST(own)
{
	char name[256];

	memset(name, 'x', sizeof name - 1);
	for (size_t i = 60; i < sizeof name; i += 60)
		name[i] = '.';
	name[sizeof name - 1] = '\0';
	for (int variant = 0; variant < 4; variant++) {
		struct trace t = sample();
		struct buf b = { 0 }, out = { 0 };
		struct fixup f;
		struct str rest, line;

		t.helo = t.hostname = name;
		if (variant & 1)
			t.cipher = NULL;
		if (variant & 2)
			t.for_rcpt = STR("a@b");
		trace_put(&b, &t);
		rest = buf_str(&b);
		while (str_split(&rest, '\n', &line)) {
			ck_assert_uint_lt(line.n, 998);
			ck_assert(line.n == 0 || line.p[line.n - 1] == '\r');
		}
		fixup_init(&f, name);
		fixup_feed(&f, b.data, b.len, &out);
		fixup_end(&f, &out);
		ck_assert_uint_eq(f.received, 1);
		ck_assert_uint_eq(f.own, 1);
		fixup_clear(&f);
		buf_clear(&b);
		buf_clear(&out);
	}
}
END_TEST

Suite *
test_trace(void)
{
	Suite *s = suite_create("test_trace");
	TCase *t = tcase_create("trace");

	tcase_add_test(t, whole);
	tcase_add_test(t, greeting);
	tcase_add_test(t, protocol);
	tcase_add_test(t, own);
	suite_add_tcase(s, t);
	return s;
}
