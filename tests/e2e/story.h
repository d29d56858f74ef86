/* What the stories of table.c and told.c share: a world whose provider follows a script, a message, and what became of it. */
#ifndef E2E_STORY_H
#define E2E_STORY_H

#include "e2e/world.h"

#define STORY_TEXT "Subject: hello\r\nFrom: app@client.example\r\nMessage-ID: <m1@client.example>\r\n\r\nbody\r\n"
#define STORY_QUEUE "queue { delay_warning = \"0\" }\n"

enum { STORY_OUT = 65536 };
extern char story_out[STORY_OUT];	/* what the last command has printed */

/* A world whose provider follows the script on its first port, and has no other. */
void story_up(struct world *w, const char *script, const char *upstream, const char *rest);
void story_down(struct world *w);
struct client *story_log_in(struct world *w);
/* MAIL and RCPT as given (what follows the verb; NULL ends the list), and the text; the message's number. */
const char *story_submit_as(struct world *w, const char *mail, const char *const *rcpt);
const char *story_submit(struct world *w);
/* `gatepost status --json', or `queue --json', has the text, soon. */
bool story_status_has(struct world *w, const char *text);
bool story_queue_has(struct world *w, const char *text);
bool story_is_bounce(const struct provider_message *m);
unsigned story_bounces(struct world *w);

#endif
