/* What a server's reply to a step of a transaction means. */
#include "relay/judge.h"

#include <string.h>

static bool
is(const struct judge_case *c, const char *status)
{
	return strcmp(c->status, status) == 0;
}

static bool
is_listed(const struct judge_case *c)
{
	for (unsigned i = 0; i < c->ntoo_fast; i++)
		if (c->too_fast[i].code == c->code && (c->too_fast[i].status[0] == '\0' || is(c, c->too_fast[i].status)))
			return true;
	return false;
}

/* A 4xx: is it about our pace, the server, or only this message? (B-030, B-141)  One recipient's refusal says nothing of
 * the others (B-041), and "4.7.x" says it of the sender only at MAIL: after that it may be what this message is. */
static enum outcome_upstream
pace(const struct judge_case *c)
{
	bool policy = strncmp(c->status, "4.7.", 4) == 0;

	if (c->code == 421)
		return UPSTREAM_TOO_FAST;
	if (c->step == JUDGE_RCPT)
		return UPSTREAM_FINE;
	if (c->step == JUDGE_MAIL && (c->code == 452 || policy))
		return UPSTREAM_TOO_FAST;
	if (c->code == 432 || (c->code == 454 && !policy) || is(c, "4.4.5"))
		return UPSTREAM_TOO_FAST;
	return is(c, "4.3.2") ? UPSTREAM_BUSY : UPSTREAM_FINE;
}

static bool
is_too_many_recipients(const struct judge_case *c)	/* B-042, RFC 5321 4.5.3.1.10 */
{
	if (c->step != JUDGE_RCPT || c->accepted == 0)
		return false;
	return (c->code == 452 && (*c->status == '\0' || is(c, "4.5.3"))) ||
	    (c->code == 552 && !is(c, "5.3.4") && !is(c, "5.2.2"));
}

static struct judgement
later(const struct judge_case *c)
{
	struct judgement j = { OUTCOME_DEFER, false, pace(c), JUDGE_GO_ON };

	if (c->code != 421)
		return j;
	j.act = JUDGE_CLOSE;
	/* A server that ends a connection between two messages says nothing of the second (B-058). */
	if (c->step == JUDGE_MAIL && c->reused && strncmp(c->status, "4.7.", 4) != 0) {
		j.kind = OUTCOME_AGAIN;
		j.upstream = UPSTREAM_LOST;
	}
	return j;
}

/* "Bad sequence of commands" where the sequence was right: the server, or what stands before it, has lost some of a flight.
 * Step by step the same reply means what it says. */
static struct judgement
out_of_order(const struct judge_case *c)
{
	if (c->step == JUDGE_MAIL)
		return c->piped ? (struct judgement){ OUTCOME_AGAIN, false, UPSTREAM_FINE, JUDGE_ALONE } :
		    (struct judgement){ OUTCOME_DEFER, false, UPSTREAM_FINE, JUDGE_CLOSE };
	return (struct judgement){ OUTCOME_AGAIN, false, UPSTREAM_FINE, JUDGE_STEPS };
}

static struct judgement
never(const struct judge_case *c)
{
	switch (c->code) {
	case 530:
	case 534:
	case 535:
	case 538:
		if (c->step == JUDGE_MAIL)
			return (struct judgement){ OUTCOME_DEFER, false, UPSTREAM_LOGIN, JUDGE_CLOSE };
		break;
	case 500:
	case 502:
	case 503:
		if (c->step == JUDGE_CONTENT && c->chunked && c->accepted > 0)
			return (struct judgement){ OUTCOME_AGAIN, false, UPSTREAM_LOST, JUDGE_NO_BDAT };
		if (c->code == 503 && (c->step == JUDGE_MAIL || (c->piped && c->step != JUDGE_CONTENT)))
			return out_of_order(c);
		break;
	case 501:
	case 504:
	case 555:
		if (c->step == JUDGE_MAIL && c->optional)
			return (struct judgement){ OUTCOME_AGAIN, false, UPSTREAM_FINE, JUDGE_BARE };
		if (c->step == JUDGE_RCPT && c->optional && c->code == 555)
			return (struct judgement){ OUTCOME_AGAIN, false, UPSTREAM_FINE, JUDGE_NO_DSN };
		break;
	}
	return (struct judgement){ OUTCOME_REFUSE, false, UPSTREAM_FINE, JUDGE_GO_ON };
}

struct judgement
judge(const struct judge_case *c)
{
	static const struct judgement yes = { OUTCOME_SENT, false, UPSTREAM_FINE, JUDGE_GO_ON };
	struct judgement out_of_step = { OUTCOME_DEFER, c->step == JUDGE_CONTENT, UPSTREAM_FINE, JUDGE_CLOSE };

	if (c->code / 100 == (c->step == JUDGE_DATA ? 3 : 2))
		return yes;
	if (c->code < 400)
		return out_of_step;	/* B-051, B-055 */
	if (is_listed(c))
		return (struct judgement){ OUTCOME_DEFER, false, UPSTREAM_TOO_FAST, c->code == 421 ? JUDGE_CLOSE : JUDGE_GO_ON };
	if (is_too_many_recipients(c))
		return (struct judgement){ OUTCOME_AGAIN, false, UPSTREAM_FINE, JUDGE_GO_ON };
	return c->code < 500 ? later(c) : never(c);
}

const char *
judge_status(int code, const char *status)
{
	if (*status != '\0')
		return status;
	return code / 100 == 2 ? "2.0.0" : code / 100 == 5 ? "5.0.0" : "4.0.0";
}

enum outcome_upstream
judge_worse(enum outcome_upstream a, enum outcome_upstream b)
{
	static const unsigned char weight[UPSTREAM_VERDICTS] = {
		[UPSTREAM_FINE] = 0, [UPSTREAM_LOST] = 1, [UPSTREAM_BUSY] = 2, [UPSTREAM_TOO_FAST] = 3, [UPSTREAM_LOGIN] = 4
	};

	return weight[a] >= weight[b] ? a : b;
}
