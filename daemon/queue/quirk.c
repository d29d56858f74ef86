/*
 * What a server announces and cannot do.  The relay finds it out; here it is remembered for the upstream as a whole, for
 * a week, restarts included, or until the host is another.  A reply is proof.  A link that failed in the middle of a flight is
 * not, since links fail for many reasons: it takes two such, with no success of the same kind between them.
 */
#include "queue/private.h"

#include "base/clock.h"
#include "base/log.h"

enum { QUIRK_DAYS = 7 };	/* servers are mended, and suspicions may be wrong */

static const struct {
	enum quirk quirk;
	const char *what;
} known[] = {
	{ QUIRK_NO_BDAT, "it announces CHUNKING and does not know BDAT: messages go by DATA" },
	{ QUIRK_NO_DSN, "it announces DSN and refuses its parameters: they are left out" },
	{ QUIRK_STEPS, "it announces PIPELINING and loses commands: they go one by one" },
	{ QUIRK_ALONE, "it loses what follows BDAT before its answer: one message goes at a time" },
};

static bool
is_success(const struct job *j)
{
	for (unsigned i = 0; i < j->nrcpt; i++)
		if (j->result[i].kind == OUTCOME_SENT)
			return true;
	return false;
}

void
quirk_hear(struct gateway *g, const struct job *j)
{
	unsigned learned = j->quirks | (g->struck & j->suspect);

	if (j->suspect != 0)
		g->struck |= j->suspect;
	else if (is_success(j))
		g->struck &= ~j->leaned;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (learned & ~g->quirks & (unsigned)known[i].quirk)
			log_event(LOG_WARNING, "quirk", log_text("upstream", g->name), log_text("reason", known[i].what));
	if (learned & ~g->quirks) {
		g->quirks_wall_s = clock_wall_s();
		g->queue->memory_changed = true;
	}
	g->quirks |= learned;
}

void
quirk_recall(struct gateway *g, unsigned quirks, int64_t wall_s)
{
	int64_t age_s = clock_wall_s() - wall_s;

	if (age_s < 0 || age_s > QUIRK_DAYS * INT64_C(86400))
		return;
	g->quirks = quirks;
	g->quirks_wall_s = wall_s;
}
