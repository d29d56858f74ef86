/* The status page: what it says, that it is one piece, and that no text becomes markup. */
#include "web/page.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVIL "</style></script><script>alert(1)</script><img src=x onerror='y'>\\\"&\xe2\x80\xae"

static struct buf out;
static struct ring ring;

static void
setup(void)
{
	memset(&ring, 0, sizeof ring);
}

static void
teardown(void)
{
	buf_clear(&out);
}

static void
render(const char *upstreams, const char *oldest)
{
	char text[8192];
	json_t *status, *list;

	snprintf(text, sizeof text, "{\"version\":\"1\",\"uptime_s\":7200,\"hostname\":\"relay.example\","
	    "\"queue\":{\"messages\":2,\"recipients\":2,\"active\":0,\"deferred\":2,\"held\":1,\"bytes\":9,\"oldest_s\":90},"
	    "\"counters\":{},\"upstreams\":[%s]}", upstreams);
	status = json_loads(text, 0, NULL);
	list = json_loads(oldest, 0, NULL);
	ck_assert(status != NULL && list != NULL);
	buf_cut(&out, 0);
	page_put(&out, status, list, &ring);
	json_decref(status);
	json_decref(list);
}

static const struct {
	const char *upstreams, *says;
} verdicts[] = {
	{ "{\"state\":\"up\"}", "verdict good\">Mail is going out. <" },
	{ "{\"state\":\"up\"},{\"state\":\"unknown\"}", "verdict good\">Mail is going out." },
	{ "{\"state\":\"down\"},{\"state\":\"up\"}", "verdict warn\">Mail is going out, but not over every provider." },
	{ "{\"state\":\"down\"},{\"state\":\"auth_failed\"}", "verdict bad\">No mail gets out at present." },
	{ "{\"state\":\"paused\"}", "verdict bad\">No mail gets out at present." },
	{ "{\"state\":\"unknown\"}", "verdict none\">No provider has been tried yet" },
};

START_TEST(verdict)
{
	render(verdicts[_i].upstreams, "[]");
	ck_assert_msg(strstr(out.data, verdicts[_i].says) != NULL, "%s", verdicts[_i].says);
	ck_assert_ptr_nonnull(strstr(out.data, "Held for your decision: 1."));
	ck_assert_ptr_nonnull(strstr(out.data, "The queue is empty."));
}
END_TEST

START_TEST(says_it_in_words)
{
	render("{\"name\":\"main\",\"host\":\"smtp.example\",\"state\":\"up\",\"active\":\"465/implicit\",\"connections\":2,"
	    "\"quota_left\":12,\"candidates\":[{\"port\":587,\"tls\":\"starttls\",\"address\":\"192.0.2.1\",\"state\":\"blocked\","
	    "\"reason\":\"no answer to TCP in 10 s\",\"since_s\":120,\"retry_in_s\":30},"
	    "{\"port\":465,\"tls\":\"implicit\",\"address\":\"192.0.2.1\",\"state\":\"up\"}]}",
	    "[{\"id\":\"0000000000001\",\"state\":\"deferred\",\"age_s\":90,\"size\":2048,\"recipients\":4,\"attempts\":3,"
	    "\"next_attempt_s\":30,\"reason\":\"450 busy\"}]");
	ck_assert_ptr_nonnull(strstr(out.data, "587/starttls</div><div><span class=\"pill bad\">blocked</span>"));
	ck_assert_ptr_nonnull(strstr(out.data, "<bdi>no answer to TCP in 10 s</bdi>"));
	ck_assert_ptr_nonnull(strstr(out.data, "looked at again in 30 s"));
	ck_assert_ptr_nonnull(strstr(out.data, "works</span> <span class=\"pill none\">in use</span>"));
	ck_assert_ptr_nonnull(strstr(out.data, "left of the quota: 12"));
	ck_assert_ptr_nonnull(strstr(out.data, "recipients: 4, attempts: 3, next in 30 s"));
	ck_assert_ptr_nonnull(strstr(out.data, "<bdi>450 busy</bdi>"));
	ck_assert_ptr_null(strstr(out.data, " to <bdi>"));	/* no addresses were handed in */
}
END_TEST

/* Markup in every text that comes from outside: none of it is left as markup. */
START_TEST(hostile)
{
	static const char *const never[] = { "<img", "alert(1)</script", "onerror='" };
	const char *p = NULL;
	unsigned scripts = 0, styles = 0;

	render("{\"name\":\"" EVIL "\",\"host\":\"" EVIL "\",\"state\":\"" EVIL "\",\"reason\":\"" EVIL "\",\"capture\":\"" EVIL
	    "\",\"candidates\":[{\"tls\":\"" EVIL "\",\"address\":\"" EVIL "\",\"state\":\"" EVIL "\",\"reason\":\"" EVIL "\"}]}",
	    "[{\"id\":\"" EVIL "\",\"state\":\"" EVIL "\",\"reason\":\"" EVIL "\",\"from\":\"" EVIL "\",\"to\":[\"" EVIL "\"]}]");
	for (unsigned i = 0; i < sizeof never / sizeof never[0]; i++)
		ck_assert_msg(strstr(out.data, never[i]) == NULL, "%s", never[i]);
	for (p = out.data; (p = strstr(p, "<script")) != NULL; p++)
		scripts++;
	for (p = out.data; (p = strstr(p, "</style")) != NULL; p++)
		styles++;
	ck_assert_uint_eq(scripts, 1);
	ck_assert_uint_eq(styles, 1);
	ck_assert_ptr_nonnull(strstr(out.data, "&lt;img src=x onerror=&#39;y&#39;&gt;&quot;&amp;"));
}
END_TEST

/* Nothing is fetched from elsewhere; no attribute that its own policy would refuse. */
START_TEST(one_piece)
{
	static const char *const never[] = { "http://", "https://", " src=", "@import", "url(", " style=\"", " onclick" };
	struct buf policy = { 0 };

	render("{\"state\":\"up\"}", "[]");
	for (unsigned i = 0; i < sizeof never / sizeof never[0]; i++)
		ck_assert_msg(strstr(out.data, never[i]) == NULL, "%s", never[i]);
	ck_assert_ptr_nonnull(strstr(out.data, "<noscript><meta http-equiv=\"refresh\""));
	page_put_policy(&policy);
	ck_assert_ptr_nonnull(strstr(policy.data, "default-src 'none'; style-src 'sha256-"));
	ck_assert_ptr_null(strstr(policy.data, "unsafe"));
	buf_clear(&policy);
}
END_TEST

START_TEST(plots)
{
	int64_t value[RING_KINDS] = { 0 };

	render("{\"state\":\"up\"}", "[]");
	ck_assert_ptr_null(strstr(out.data, "class=\"line"));	/* nothing known, nothing drawn */
	for (int i = 0; i < 30; i++) {
		value[RING_WAITING] = i == 12 ? 17 : 3;
		value[RING_ACCEPTED] += 2;
		ring_put(&ring, (i < 15 ? i : i + 60) * 10000, value);	/* ten minutes are missing */
	}
	render("{\"state\":\"up\"}", "[]");
	ck_assert_ptr_nonnull(strstr(out.data, "aria-label=\"Messages in the queue over the last hour; at most 17\""));
	ck_assert_ptr_nonnull(strstr(out.data, "<div class=\"top\">20</div>"));
	ck_assert_ptr_nonnull(strstr(out.data, "class=\"line c2\""));
	ck_assert_ptr_null(strstr(out.data, " -"));	/* no point above the frame */
}
END_TEST

Suite *test_page(void);

Suite *
test_page(void)
{
	Suite *s = suite_create("test_page");
	TCase *t = tcase_create("page");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, verdict, 0, sizeof verdicts / sizeof verdicts[0]);
	tcase_add_test(t, says_it_in_words);
	tcase_add_test(t, hostile);
	tcase_add_test(t, one_piece);
	tcase_add_test(t, plots);
	suite_add_tcase(s, t);
	return s;
}
