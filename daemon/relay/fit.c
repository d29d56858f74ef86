/* What of a message a server can take. */
#include "relay/fit.h"

#include <inttypes.h>
#include <stdio.h>

bool
fit_needs_utf8(const struct job *j, const unsigned *rcpt, unsigned nrcpt)
{
	if (j->envelope->is_utf8 || !str_is_ascii(str_of(j->sender)))
		return true;
	for (unsigned i = 0; i < nrcpt; i++)
		if (!str_is_ascii(str_of(j->envelope->rcpt[j->rcpt[rcpt[i]]].address)))
			return true;
	return false;
}

unsigned
fit_recipients(const struct upstream *u, const struct caps *caps, struct job *j, unsigned *rcpt)
{
	unsigned max = u->max_recipients, n = 0;

	if (max == 0 || (caps->rcpt_max > 0 && caps->rcpt_max < max))
		max = caps->rcpt_max;
	for (unsigned i = 0; i < j->nrcpt; i++) {
		struct outcome *o = &j->result[i];

		if (o->kind != OUTCOME_NONE)
			continue;
		if (str_has_control(str_of(j->envelope->rcpt[j->rcpt[i]].address)))
			outcome_set(o, OUTCOME_REFUSE, 0, "5.1.3", STR("the address has a control character"));
		else if (max > 0 && n == max)
			outcome_set(o, OUTCOME_AGAIN, 0, "4.5.3", STR("goes with the next transaction"));
		else
			rcpt[n++] = i;
	}
	return n;
}

static enum fit_result
fit_8bit(const struct fit_question *q, struct content *c, struct why *why)
{
	int eight;

	if (!q->job->envelope->is_8bit || q->caps->eightbit)
		return FIT_YES;
	eight = content_has_8bit(c, why);
	return eight < 0 ? FIT_UNREADABLE : eight > 0 ? FIT_NEVER : FIT_YES;
}

enum fit_result
fit_content(const struct fit_question *q, struct content *c, const char **status, char *text, size_t size, struct why *why)
{
	if (str_has_control(str_of(q->job->sender))) {
		*status = "5.1.7";
		snprintf(text, size, "the sender's address has a control character");
		return FIT_NEVER;
	}
	if (fit_needs_utf8(q->job, q->rcpt, q->nrcpt) && !q->caps->utf8) {
		*status = "5.6.7";
		snprintf(text, size, "the message needs SMTPUTF8, which the provider does not offer");
		return FIT_NEVER;
	}
	if (q->caps->size > 0 && c->octets > q->caps->size) {
		*status = "5.3.4";
		snprintf(text, size, "the message has %" PRIu64 " octets, and the provider takes %" PRIu64 " at most",
		    c->octets, q->caps->size);
		return FIT_NEVER;
	}
	*status = "5.6.3";
	snprintf(text, size, "the message has 8-bit content, which the provider does not take");
	return fit_8bit(q, c, why);
}
