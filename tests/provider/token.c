/* A token endpoint: one request a connection, answered by the script or with the password as token. */
#include "provider/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FORM_MAX = 20000 };

/* Head and form; false: the connection ended before. */
static bool
read_request(struct conn *c, char *form, size_t size)
{
	char line[4096];
	size_t left = 0, n = 0;

	do {
		if (!talk_line(c, line, sizeof line))
			return false;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			left = strtoul(line + 15, NULL, 10);
	} while (line[0] != '\0');
	while (left-- > 0 && n + 1 < size) {
		int b = bytes_next(c);

		if (b < 0)
			return false;
		form[n++] = (char)b;
	}
	form[n] = '\0';
	return true;
}

static void
answer(struct conn *c, int status, const char *json)
{
	char head[256];

	snprintf(head, sizeof head, "HTTP/1.1 %d Words\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n", status, strlen(json));
	text_puts(&c->out, head);
	text_puts(&c->out, json);
	provider_note(c, 'S', json);
	bytes_flush(c);
	if (!c->dead)
		bytes_end(c);
}

bool
token_run(struct conn *c)
{
	char form[FORM_MAX], rule[512], json[1024];

	if (!provider_setting(c->port, "token", rule, sizeof rule))
		return false;
	if (!read_request(c, form, sizeof form))
		return true;
	provider_note(c, 'C', form);
	if (provider_rule(c, "grant", form, rule, sizeof rule)) {
		if (rule[0] == '!')
			talk_perform(c, rule, NULL);
		else
			answer(c, atoi(rule), strchr(rule, ' ') != NULL ? strchr(rule, ' ') + 1 : "");
		return true;
	}
	snprintf(json, sizeof json, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
	    c->provider->options.password);
	answer(c, 200, json);
	return true;
}
