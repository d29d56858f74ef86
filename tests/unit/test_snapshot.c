/* The documents that scripts depend on: names and shapes of CONTRACT.md 5 to the letter. */
#include "control/snapshot.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/ident.h"
#include "base/mem.h"

static char *
dump(json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT);

	ck_assert_ptr_nonnull(text);
	json_decref(doc);
	return text;
}

static struct chain_entry chain[] = { { 587, TLS_STARTTLS }, { 465, TLS_IMPLICIT } };
static char name[] = "up", host[] = "up.example";
static const struct upstream settings = {
	.name = name, .host = host, .chain = chain, .nchain = 2, .recheck_ms = 300000, .tls_verify = true,
};

START_TEST(upstream_by_its_chain)
{
	struct route *route = route_new(&settings);
	struct queue_upstream u = { .name = name, .host = host, .route = route, .quota_left = -1 };
	struct gate gate;
	char *text;

	gate_init(&gate);
	u.gate = &gate;
	text = dump(snapshot_upstream(&u, &settings, 1000, 2000));
	ck_assert_str_eq(text, "{\"name\":\"up\",\"host\":\"up.example\",\"state\":\"unknown\",\"reason\":\"\","
	    "\"connections\":0,\"active\":null,\"quota_left\":-1,\"candidates\":["
	    "{\"port\":587,\"tls\":\"starttls\",\"address\":\"\",\"state\":\"unknown\",\"reason\":\"\",\"since_s\":0,"
	    "\"retry_in_s\":0},"
	    "{\"port\":465,\"tls\":\"implicit\",\"address\":\"\",\"state\":\"unknown\",\"reason\":\"\",\"since_s\":0,"
	    "\"retry_in_s\":0}]}");
	free(text);
	route_free(&route);
}
END_TEST

START_TEST(upstream_by_its_doors)
{
	static const char *const addresses[] = { "192.0.2.1" };
	struct route *route = route_new(&settings);
	struct queue_upstream u = { .name = name, .host = host, .route = route, .connections = 2, .has_active = true,
	    .active = { .address = "192.0.2.1", .port = 465, .tls = TLS_IMPLICIT }, .quota_left = 12 };
	const struct candidate blocked = { .address = "192.0.2.1", .port = 587, .tls = TLS_STARTTLS },
	    open = { .address = "192.0.2.1", .port = 465, .tls = TLS_IMPLICIT, .rank = 1 };
	struct gate gate;
	json_t *doc, *door;

	gate_init(&gate);
	gate_tell(&gate, GATE_EV_OPENED, "", 0, 1000, 2000);
	u.gate = &gate;
	route_addresses(route, addresses, 1, 2000);
	route_tell(route, &blocked, HEARD_BLOCKED, "no answer to TCP in 10 s", 1000, 2000);
	route_tell(route, &open, HEARD_UP, "", 1000, 2000);
	doc = snapshot_upstream(&u, &settings, 1000 + 120000, 2000 + 120);
	ck_assert_str_eq(json_string_value(json_object_get(doc, "state")), "up");
	ck_assert_str_eq(json_string_value(json_object_get(doc, "active")), "465/implicit");
	ck_assert_int_eq(json_integer_value(json_object_get(doc, "quota_left")), 12);
	ck_assert_int_eq(json_array_size(json_object_get(doc, "candidates")), 2);
	door = json_array_get(json_object_get(doc, "candidates"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(door, "port")), 587);
	ck_assert_str_eq(json_string_value(json_object_get(door, "state")), "blocked");
	ck_assert_str_eq(json_string_value(json_object_get(door, "reason")), "no answer to TCP in 10 s");
	ck_assert_int_eq(json_integer_value(json_object_get(door, "since_s")), 120);
	door = json_array_get(json_object_get(doc, "candidates"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(door, "state")), "up");
	ck_assert_str_eq(json_string_value(json_object_get(door, "address")), "192.0.2.1");
	json_decref(doc);
	route_free(&route);
}
END_TEST

static struct envelope *
letter(void)
{
	struct envelope *e = envelope_new();

	free(e->sender);
	free(e->user);
	e->sender = mem_text("a@x");
	e->user = mem_text("ann");
	e->arrived_wall_s = 77;
	envelope_add(e, "b@y", NULL, 0);
	envelope_add(e, "c@y", NULL, 0);
	e->rcpt[0].state = RCPT_SENT;
	outcome_set(&e->rcpt[0].last, OUTCOME_SENT, 250, "2.0.0", STR("taken"));
	return e;
}

START_TEST(message)
{
	struct queue_message m = { .id = 1, .size = 4096, .state = MESSAGE_DEFERRED, .attempts = 3, .recipients = 1,
	    .age_s = 60, .next_attempt_s = 30, .reason = "421 later" };
	char *text;

	m.envelope = letter();
	text = dump(snapshot_message(&m));
	/* Of its recipients those that still wait. */
	ck_assert_str_eq(text, "{\"id\":\"0000000000001\",\"from\":\"a@x\",\"to\":[\"c@y\"],\"size\":4096,\"age_s\":60,"
	    "\"state\":\"deferred\",\"attempts\":3,\"next_attempt_s\":30,\"reason\":\"421 later\"}");
	free(text);
	envelope_free(&m.envelope);
	text = dump(snapshot_message(&m));
	ck_assert_ptr_nonnull(strstr(text, "\"from\":\"\",\"to\":[],"));
	free(text);
}
END_TEST

START_TEST(details)
{
	struct queue_message m = { .id = 1, .state = MESSAGE_ACTIVE, .next_attempt_s = -1 };
	char *text;

	m.envelope = letter();
	text = dump(snapshot_details(&m));
	ck_assert_ptr_nonnull(strstr(text, "\"user\":\"ann\",\"arrived_s\":77,\"bounce\":false,\"envid\":\"\","
	    "\"readable\":true,\"recipients\":[{\"address\":\"b@y\",\"state\":\"relayed\",\"code\":250,"
	    "\"status\":\"2.0.0\",\"text\":\"taken\"},{\"address\":\"c@y\",\"state\":\"waiting\",\"code\":0,"
	    "\"status\":\"\",\"text\":\"\"}]"));
	free(text);
	envelope_free(&m.envelope);
	text = dump(snapshot_details(&m));
	ck_assert_ptr_nonnull(strstr(text, "\"readable\":false,\"recipients\":[]"));
	free(text);
}
END_TEST

static const struct {
	struct queue_event event;
	const char *doc;
} events[] = {
	{ { .kind = EVENT_ACCEPTED, .event = "accepted", .who = "a@x", .user = "ann", .size = 4096, .recipients = 2 },
	  "\"event\":\"accepted\",\"from\":\"a@x\",\"user\":\"ann\",\"bounce\":false,\"size\":4096,\"recipients\":2}" },
	{ { .kind = EVENT_ATTEMPT, .event = "deferred", .who = "b@y", .upstream = "up", .port = 465, .tls = TLS_IMPLICIT,
	    .address = "192.0.2.1", .code = 451, .status = "4.2.0", .text = "4.2.0 later", .maybe = true, .took_ms = 12 },
	  "\"event\":\"deferred\",\"to\":\"b@y\",\"upstream\":\"up\",\"port\":465,\"tls\":\"implicit\","
	  "\"address\":\"192.0.2.1\",\"code\":451,\"status\":\"4.2.0\",\"text\":\"4.2.0 later\","
	  "\"maybe_delivered\":true,\"took_ms\":12}" },
	{ { .kind = EVENT_NOTICE, .event = "bounced", .who = "a@x", .notice = 1 },
	  "\"event\":\"bounced\",\"to\":\"a@x\",\"notice\":\"0000000000001\"}" },
	{ { .kind = EVENT_PLAIN, .event = "held", .text = "why" }, "\"event\":\"held\",\"text\":\"why\"}" },
	{ { .kind = EVENT_PLAIN, .event = "expired", .who = "b@y", .text = "why" },
	  "\"event\":\"expired\",\"to\":\"b@y\",\"text\":\"why\"}" },
};

START_TEST(event)
{
	struct queue_event e = events[_i].event;
	char *text;

	e.wall_ms = 1800000000123;
	text = dump(snapshot_event(&e));
	ck_assert_int_eq(strncmp(text, "{\"time_ms\":1800000000123,", 25), 0);
	ck_assert_str_eq(text + 25, events[_i].doc);
	free(text);
}
END_TEST

static const struct {
	const char *in, *out;
} texts[] = {
	{ NULL, "" }, { "", "" }, { "plain", "plain" }, { "\xc3\xa9", "\xc3\xa9" },
	{ "a\xff" "b", "a\\xFFb" }, { "\xc3", "\\xC3" },
};

START_TEST(text)
{
	json_t *v = snapshot_text(texts[_i].in);

	ck_assert_str_eq(json_string_value(v), texts[_i].out);
	json_decref(v);
}
END_TEST

Suite *test_snapshot(void);

Suite *
test_snapshot(void)
{
	Suite *s = suite_create("test_snapshot");
	TCase *t = tcase_create("snapshot");

	tcase_add_test(t, upstream_by_its_chain);
	tcase_add_test(t, upstream_by_its_doors);
	tcase_add_test(t, message);
	tcase_add_test(t, details);
	tcase_add_loop_test(t, event, 0, sizeof events / sizeof events[0]);
	tcase_add_loop_test(t, text, 0, sizeof texts / sizeof texts[0]);
	suite_add_tcase(s, t);
	return s;
}
