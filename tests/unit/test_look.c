/* What leaves the queue's thread for the page: no address, unless it is wanted. */
#include "control/look.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct look_known none;

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
	text = dump(look_message(&m, false, &none));
	ck_assert_str_eq(text, "{\"id\":\"0000000000001\",\"size\":4096,\"age_s\":60,\"state\":\"deferred\",\"attempts\":3,"
	    "\"recipients\":4,\"next_attempt_s\":30,\"reason\":\"450 <[address]> and [address]: mailbox of [address] busy\"}");
	free(text);
	envelope_free(&m.envelope);
	text = dump(look_message(&m, false, &none));	/* the envelope could not be read */
	ck_assert_ptr_nonnull(strstr(text, "450 <[address]>"));
	free(text);
}
END_TEST

START_TEST(with_addresses)
{
	struct queue_message m;
	char *text;

	letter(&m);
	text = dump(look_message(&m, true, &none));
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

	look_mask_status(doc, &none);
	text = dump(doc);
	ck_assert_str_eq(text, "{\"upstreams\":[{\"name\":\"a\",\"reason\":\"535 [address]\","
	    "\"candidates\":[{\"reason\":\"banner: [address]\"},{\"reason\":\"\"}]}]}");
	free(text);
}
END_TEST

/* What is said of an upstream, or of another message, by a name that one of the messages shown has. */
START_TEST(names_of_other_messages)
{
	struct look_known *known = mem_zero(sizeof *known);
	struct queue_message m, other;
	json_t *doc = json_loads("{\"upstreams\":[{\"name\":\"a\",\"reason\":\"451 \\\"quoted guy\\\"@x and jane.doe (x), quoted guy\"}]}", 0, NULL);
	char *text;

	letter(&m);
	letter(&other);
	free(other.envelope->sender);
	other.envelope->sender = mem_text("\"quoted guy\"@x");
	envelope_add(other.envelope, "jane.doe@x", NULL, 0);
	snprintf(m.reason, sizeof m.reason, "451 quoted guy and jane.doe");
	look_know(known, &m);
	look_know(known, &other);
	text = dump(look_message(&m, false, known));
	ck_assert_msg(strstr(text, "\"reason\":\"451 [address] and [address]\"") != NULL, "%s", text);
	free(text);
	look_mask_status(doc, known);
	text = dump(doc);
	ck_assert_msg(strstr(text, "\"reason\":\"451 [address] and [address] (x), [address]\"") != NULL, "%s", text);
	free(text);
	envelope_free(&m.envelope);
	envelope_free(&other.envelope);
	free(known);
}
END_TEST

/* Any number of recipients, and of messages: the room is what there is. */
START_TEST(not_more_than_there_is_room_for)
{
	struct look_known *known = mem_zero(sizeof *known);
	struct queue_message m;

	letter(&m);
	for (unsigned i = 0; i < 100; i++)
		envelope_add(m.envelope, "\"x y\"@far.example", NULL, 0);
	for (unsigned i = 0; i < 1000; i++) {
		look_know(known, &m);
		ck_assert_uint_le(known->n, LOOK_KNOWN_MAX);
	}
	ck_assert_uint_gt(known->n, LOOK_KNOWN_MAX - 3);
	envelope_free(&m.envelope);
	free(known);
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
	tcase_add_test(t, names_of_other_messages);
	tcase_add_test(t, not_more_than_there_is_room_for);
	suite_add_tcase(s, t);
	return s;
}
