/* The commands of a configuration, numbered. */
#include "errand/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "errand/errand.h"

static void
put(struct ledger *l, struct buf *all, const char *name, const char *command)
{
	struct ledger_line *line = &l->line[l->n++];

	line->name = mem_text(name);
	line->command = mem_text(command != NULL ? command : "");
	buf_put_text(all, str_of(line->name));
	buf_put_text(all, str_of(line->command));
}

void
ledger_init(struct ledger *l, const struct config *c)
{
	struct buf all = { 0 };

	*l = (struct ledger){ .line = mem_array(ERRAND_UPSTREAM + (size_t)c->nupstream, sizeof *l->line) };
	put(l, &all, "alert", c->alert.command);
	for (unsigned i = 0; i < c->nupstream; i++)
		put(l, &all, c->upstream[i].name, c->upstream[i].password_command);
	digest_hmac_sha256(l->digest, STR("errands"), buf_str(&all));
	buf_clear(&all);
}

static bool
has(const struct ledger *l, const char *command)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->line[i].command, command) == 0)
			return true;
	return false;
}

const char *
ledger_find_new(const struct ledger *now, const struct ledger *next)
{
	for (unsigned i = 0; i < next->n; i++)
		if (next->line[i].command[0] != '\0' && !has(now, next->line[i].command))
			return next->line[i].name;
	return NULL;
}

void
ledger_clear(struct ledger *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		free(l->line[i].name);
		free(l->line[i].command);
	}
	free(l->line);
	*l = (struct ledger){ 0 };
}
