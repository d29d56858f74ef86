/* Several upstreams: who takes over when, which mail goes where, and mail that goes nowhere at all. */
#include "e2e/world.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT "From: App <app@client.example>\r\nSubject: x\r\n\r\ny\r\n"

/* --- what is captured ------------------------------------------------------------ */

/* How many messages are in the Maildir; the last one's text goes to out. */
static unsigned
captured(const struct world *w, char *out, size_t size)
{
	char dir[128], path[512];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;
	FILE *f;

	snprintf(dir, sizeof dir, "%s/mail/new", w->dir);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		out[fread(out, 1, size - 1, f)] = '\0';
		fclose(f);
		n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static bool
wait_captured(const struct world *w, unsigned n, char *out, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		if (captured(w, out, size) >= n)
			return true;
		usleep(10000);
	}
	return false;
}

static void
submit(struct world *w, const char *from, const char *to, char *id, size_t size)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert(client_login(c));
	ck_assert_msg(client_mail(c, from, to, TEXT) == 250, "%s", client_text(c));
	if (id != NULL)
		snprintf(id, size, "%s", client_id(c));
	client_free(&c);
}

/* Staging: the whole of production's configuration, one line more, and nothing leaves the machine. */
START_TEST(captured_mail_goes_nowhere)
{
	static const char head[] = "Return-Path: <app@client.example>\nX-Original-To: you@far.example\n"
	    "Delivered-To: you@far.example\nReceived: ";
	char out[16384], id[32], trace[64];
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "capture = \"mail\"", "");
	world_start(&w);
	ck_assert(world_wait_log(&w, "its mail goes to /tmp/gatepost-e2e-", 1000));
	submit(&w, "app@client.example", "you@far.example", id, sizeof id);
	ck_assert(wait_captured(&w, 1, out, sizeof out));
	ck_assert_msg(strncmp(out, head, strlen(head)) == 0, "%s", out);
	ck_assert_msg(strstr(out, "\nSubject: x\n\ny\n") != NULL, "%s", out);
	ck_assert(world_wait_log(&w, "event=relayed", 10000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 0);
	ck_assert_msg(strstr(out, "its mail goes nowhere: it is captured in /tmp/") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "/mail\"") != NULL && strstr(out, "\"state\":\"up\"") != NULL, "%s", out);
	snprintf(trace, sizeof trace, "trace %s", id);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, trace), 0);
	ck_assert_msg(strstr(out, "relayed   you@far.example via provider in ") != NULL &&
	    strstr(out, ": captured as /tmp/") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	ck_assert_msg(strstr(out, "and nowhere else") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "capture: the Maildir /tmp/") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "probe"), 0);
	ck_assert_msg(strstr(out, "provider: its mail is captured in /tmp/") != NULL, "%s", out);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "test you@far.example") == 0, "%s", out);
	ck_assert_uint_eq(provider_connections(w.provider, 0), 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

Suite *route_suite(void);

Suite *
route_suite(void)
{
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, captured_mail_goes_nowhere);
	suite_add_tcase(s, t);
	return s;
}
