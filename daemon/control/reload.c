/*
 * A reload that somebody waits for.  Main is asked for one at a time; who asks while one is under way waits for the
 * next, since that one may have read the file before it was changed.
 */
#include "control/reload.h"

#include "base/log.h"
#include "control/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

static void
send_next(struct caller_host *h)
{
	struct reload *m;
	struct node *n;

	if (h->reloading || list_is_empty(&h->reload_next))
		return;
	while ((n = list_take(&h->reload_next)) != NULL)
		list_put(&h->reload_out, n);
	h->reloading = true;
	m = (struct reload *)memo_new(MEMO_RELOAD, sizeof *m);
	m->back = h->back;
	memo_post(h->main, &m->memo);
}

void
reload_take(struct caller_host *h, struct reload *m)
{
	struct node *n;

	while ((n = list_take(&h->reload_out)) != NULL) {
		struct caller *c = container_of(n, struct caller, reload);

		c->reload_status = m->status;
		snprintf(c->text, sizeof c->text, "%s", m->text);
		caller_wake(c);
	}
	free(m);
	h->reloading = false;
	send_next(h);
}

enum answer
reload_run(struct caller *c)
{
	struct caller_host *h = c->host;

	if (c->slice == 0) {
		log_event(LOG_INFO, "asked", log_text("command", c->request.command), log_num("uid", c->asker.uid));
		list_put(&h->reload_next, &c->reload);
		send_next(h);
	}
	if (list_is_linked(&c->reload))
		return ANSWER_LATER;
	if (c->reload_status != 0) {
		caller_fail(c, c->reload_status, "%s", c->text);
		return ANSWER_FAILED;
	}
	caller_say(c, json_pack("{s:o}", "file", snapshot_text(c->text)));
	return ANSWER_DONE;
}
