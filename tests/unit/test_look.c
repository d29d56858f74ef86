/* What leaves the queue's thread for the page: no address, unless it is wanted. */
#include "control/look.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char *
dump(json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT);

	json_decref(doc);
	return text;
}

static void
letter(struct queue_message *m)
{
	*m = (struct queue_message){ .id = 1, .size = 4096, .state = MESSAGE_DEFERRED, .attempts = 3, .recipients = 4,
	    .age_s = 60, .next_attempt_s = 30, .reason = "450 <bob@far.example> and ann: mailbox of bob busy" };
	m->envelope = envelope_new();
	free(m->envelope->sender);
	m->envelope->sender = mem_text("ann@near.example");
	envelope_add(m->envelope, "bob@far.example", NULL, 0);
	envelope_add(m->envelope, "c@far.example", NULL, 0);
	envelope_add(m->envelope, "d@far.example", NULL, 0);
	envelope_add(m->envelope, "e@far.example", NULL, 0);
	m->envelope->rcpt[1].state = RCPT_SENT;
}

START_TEST(without_addresses)
{
	struct queue_message m;
	char *text;

	letter(&m);
	text = dump(look_message(&m, false));
	ck_assert_str_eq(text, "{\"id\":\"0000000000001\",\"size\":4096,\"age_s\":60,\"state\":\"deferred\",\"attempts\":3,"
	    "\"recipients\":4,\"next_attempt_s\":30,\"reason\":\"450 <[address]> and [address]: mailbox of [address] busy\"}");
	free(text);
	envelope_free(&m.envelope);
	text = dump(look_message(&m, false));	/* the envelope could not be read */
	ck_assert_ptr_nonnull(strstr(text, "450 <[address]>"));
	free(text);
}
END_TEST

START_TEST(with_addresses)
{
	struct queue_message m;
	char *text;

	letter(&m);
	text = dump(look_message(&m, true));
	ck_assert_ptr_nonnull(strstr(text, "\"reason\":\"450 <bob@far.example> and ann"));
	ck_assert_ptr_nonnull(strstr(text, "\"from\":\"ann@near.example\",\"to\":[\"bob@far.example\",\"d@far.example\",\"e@far.example\"]"));
	free(text);
	envelope_free(&m.envelope);
}
END_TEST

START_TEST(status_is_masked)
{
	json_t *doc = json_loads("{\"upstreams\":[{\"name\":\"a\",\"reason\":\"535 me@far.example\","
	    "\"candidates\":[{\"reason\":\"banner: x@y\"},{\"reason\":\"\"}]}]}", 0, NULL);
	char *text;

	look_mask_status(doc);
	text = dump(doc);
	ck_assert_str_eq(text, "{\"upstreams\":[{\"name\":\"a\",\"reason\":\"535 [address]\","
	    "\"candidates\":[{\"reason\":\"banner: [address]\"},{\"reason\":\"\"}]}]}");
	free(text);
}
END_TEST

Suite *test_look(void);

Suite *
test_look(void)
{
	Suite *s = suite_create("test_look");
	TCase *t = tcase_create("look");

	tcase_add_test(t, without_addresses);
	tcase_add_test(t, with_addresses);
	tcase_add_test(t, status_is_masked);
	suite_add_tcase(s, t);
	return s;
}
