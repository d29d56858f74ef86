/*
 * Which line is said next to a session and to its model: one that leads on, or any, or one of a run.  A rule with a limit is
 * hardly ever met by lines that are drawn one by one: a run says the same kind of line about as often as the limit has it.
 */
#ifndef TESTS_MODEL_STEPS_H
#define TESTS_MODEL_STEPS_H

#include "model.h"

struct run {
	enum mode mode;
	enum cmd instead_of;		/* where a line of this kind would lead on; OTHER: of any kind */
	bool (*is)(const struct word *w);
	unsigned limit;			/* of such lines */
	unsigned one_in;		/* of the places where it may begin */
};

struct steps {
	uint64_t random;
	const struct run *run;
	unsigned left;			/* of the run; 0: there is none */
};

/* splitmix64 */
static inline unsigned
steps_any(struct steps *s, unsigned below)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (unsigned)((z ^ z >> 31) % below);
}

static inline const struct word *
steps_any_word(struct steps *s, bool (*is)(const struct word *w))
{
	const struct word *w;

	do
		w = &words[steps_any(s, WORDS)];
	while (!is(w));
	return w;
}

static inline const struct word *
steps_find(const char *text)
{
	for (const struct word *w = words;; w++)
		if (word_is(w, text))
			return w;
}

/* --- what leads on from where the session is ---------------------------------------------- */

static inline const struct word *
steps_right(struct steps *s, enum cmd cmd)
{
	const struct word *w;

	do
		w = &words[steps_any(s, WORDS)];
	while (w->cmd != cmd || w->syntax != NULL || w->params != NULL || (w->flags & (WRONG_LOGIN | NOT_ASCII)));
	return w;
}

static inline const struct word *
steps_next(struct steps *s, const struct model *m)
{
	switch (m->mode) {
	case PLAIN:
		return steps_find(PLAIN_U);
	case NAME:
		return steps_find(BASE64_U);
	case PASSWORD:
		return steps_find(BASE64_P);
	case BODY:
		return steps_find(".");
	case COMMAND:
		break;
	}
	if (!m->greeted)
		return steps_right(s, EHLO);
	if (!m->secure && (m->p->needs_tls || (!m->p->submit && steps_any(s, 20) == 0)))
		return steps_right(s, STARTTLS);
	if (m->user == NULL && m->esmtp && (!m->p->trusted || (m->secure && steps_any(s, 4) == 0)))
		return steps_right(s, AUTH);
	if (m->mail == NULL)
		return steps_right(s, MAIL);
	return steps_right(s, m->nrcpt == 0 || steps_any(s, 2) == 0 ? RCPT : DATA);
}

/* --- runs ----------------------------------------------------------------------------------- */

/* Of a user that there is: for another one gatepost spends as long as a costly hash takes, to look the same. */
static inline bool
steps_is_wrong_password(const struct word *w)
{
	return word_is(w, "AUTH PLAIN AHUAeA==");
}

static inline bool
steps_is_local(const struct word *w)
{
	return w->cmd == RCPT && (w->flags & LOCAL);
}

static inline bool
steps_is_remote(const struct word *w)
{
	return w->cmd == RCPT && w->address != NULL && !(w->flags & (LOCAL | UTF8));
}

static inline bool
steps_is_mistake(const struct word *w)
{
	return w->syntax != NULL || (w->reply != NULL && w->reply[0] == '5' && !word_is_broken(w));
}

static inline bool
steps_is_received(const struct word *w)
{
	return strncmp(w->text, "Received:", 9) == 0 && !word_is(w, OWN_RECEIVED);
}

static inline bool
steps_is_own_received(const struct word *w)
{
	return word_is(w, OWN_RECEIVED);
}

static inline bool
steps_is_kilobyte(const struct word *w)
{
	return w->text == long_1022;
}

/* A size, too, is met, and passed by as little as can be. */
static inline bool
steps_is_tiny(const struct word *w)
{
	return word_is(w, "") || word_is(w, "*");
}

static const struct run runs[] = {
	{ COMMAND, AUTH, steps_is_wrong_password, MAX_FAILURES, 12 },
	{ COMMAND, RCPT, steps_is_local, MAX_REFUSED, 100 },
	{ COMMAND, RCPT, steps_is_remote, MAX_RCPT, 60 },
	{ COMMAND, OTHER, steps_is_mistake, MAX_ERRORS, 500 },
	{ BODY, OTHER, steps_is_received, MAX_HOPS, 12 },
	{ BODY, OTHER, steps_is_own_received, MAX_OWN, 20 },
	{ BODY, OTHER, steps_is_kilobyte, MAX_SIZE / 1024, 16 },
};

static inline void
steps_begin_run(struct steps *s, const struct model *m, enum cmd next)
{
	if (m->mode == BODY && m->text.len > 0)		/* what is counted there is counted from the beginning */
		return;
	for (const struct run *r = runs; r < runs + sizeof runs / sizeof runs[0]; r++) {
		if (r->mode != m->mode || (r->instead_of != OTHER && r->instead_of != next) || steps_any(s, r->one_in) > 0)
			continue;
		s->run = r;
		s->left = r->limit - 1 + steps_any(s, 3);
		return;
	}
}

static inline const struct word *
steps_pick(struct steps *s, const struct model *m)
{
	const struct word *w, *next = steps_next(s, m);

	if (s->left == 0)
		steps_begin_run(s, m, next->cmd);
	if (s->left > 0 && s->run->mode == m->mode) {
		s->left--;
		return steps_any_word(s, s->run->is);
	}
	s->left = 0;
	if (s->run != NULL && steps_any(s, 2) == 0)
		return steps_any_word(s, steps_is_tiny);
	if (s->run != NULL || steps_any(s, 100) < (m->mode == BODY ? 20 : 60)) {
		s->run = NULL;		/* what it has led to is seen before another line changes that */
		return next;
	}
	do
		w = &words[steps_any(s, WORDS)];
	while (word_is_end(w) && steps_any(s, 8) > 0);
	return w;
}

#endif
