/* What most stories begin with, and what they ask again and again. */
#include "e2e/story.h"
#include "patience.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char story_out[STORY_OUT];

void
story_up(struct world *w, const char *script, const char *upstream, const char *rest)
{
	world_new(w, PROVIDER_STARTTLS, script, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(w, upstream, rest);
	world_start(w);
}

void
story_down(struct world *w)
{
	ck_assert_msg(provider_complaints(w->provider) == 0, "%s", provider_transcript(w->provider));
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
	world_free(w);
}

struct client *
story_log_in(struct world *w)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert_ptr_nonnull(c);
	ck_assert(client_login(c));
	return c;
}

const char *
story_submit_as(struct world *w, const char *mail, const char *const *rcpt)
{
	static char id[32];
	struct client *c = story_log_in(w);
	char line[600];

	snprintf(line, sizeof line, "MAIL FROM:%s\r\n", mail);
	ck_assert_msg(client_ask(c, line) == 250, "%s", client_text(c));
	for (; *rcpt != NULL; rcpt++) {
		snprintf(line, sizeof line, "RCPT TO:%s\r\n", *rcpt);
		ck_assert_msg(client_ask(c, line) == 250, "%s", client_text(c));
	}
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	ck_assert_int_eq(client_ask(c, STORY_TEXT ".\r\n"), 250);
	snprintf(id, sizeof id, "%s", client_id(c));
	client_free(&c);
	return id;
}

const char *
story_submit(struct world *w)
{
	static const char *const to[] = { "<you@far.example>", NULL };

	return story_submit_as(w, "<app@client.example>", to);
}

static bool
says_at_last(struct world *w, const char *command, const char *text)
{
	time_t until = time(NULL) + patience(30000) / 1000;

	do {
		ck_assert_int_eq(world_run(w, story_out, sizeof story_out, NULL, command), 0);
		if (strstr(story_out, text) != NULL)
			return true;
		usleep(20000);
	} while (time(NULL) < until);
	return false;
}

bool
story_status_has(struct world *w, const char *text)
{
	return says_at_last(w, "status --json", text);
}

bool
story_queue_has(struct world *w, const char *text)
{
	return says_at_last(w, "queue --json", text);
}

bool
story_is_bounce(const struct provider_message *m)
{
	return strncmp(m->sender, "<>", 2) == 0;
}

unsigned
story_bounces(struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < provider_count(w->provider); i++)
		n += story_is_bounce(provider_message(w->provider, i));
	return n;
}
