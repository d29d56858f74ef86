/*
 * Makes and frees the memos, and hands out message ids.  What a memo carries is freed
 * with it, but for what its comment in memo.h says is lent.
 */
#include "memo/memo.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/ident.h"
#include "base/mem.h"

static _Atomic uint64_t last_id;

struct memo *
memo_new(enum memo_kind kind, size_t size)
{
	struct memo *m = mem_zero(size);

	m->kind = kind;
	return m;
}

struct submit *
memo_submit_new(void)
{
	struct submit *m = mem_zero(sizeof *m);

	m->memo.kind = MEMO_SUBMIT;
	return m;
}

void
memo_submit_free(struct submit **m)
{
	struct submit *s = *m;

	if (s == NULL)
		return;
	*m = NULL;
	envelope_free(&s->envelope);
	buf_clear(&s->prefix);
	buf_clear(&s->text);
	spool_blob_free(&s->blob);
	free(s);
}

struct open *
memo_open_new(void)
{
	struct open *m = mem_zero(sizeof *m);

	m->memo.kind = MEMO_OPEN;
	return m;
}

void
memo_open_free(struct open **m)
{
	struct open *o = *m;

	if (o == NULL)
		return;
	*m = NULL;
	mem_free_secret(&o->password);
	outcome_clear(&o->outcome);
	tls_unref(&o->tls);
	veil_unref(&o->veil);
	config_unref(&o->config);
	free(o);
}

struct heard_memo *
memo_heard_new(enum memo_kind kind)
{
	struct heard_memo *m = mem_zero(sizeof *m);

	m->memo.kind = kind;
	return m;
}

void
memo_heard_free(struct heard_memo **m)
{
	struct heard_memo *h = *m;

	if (h == NULL)
		return;
	*m = NULL;
	tls_unref(&h->tls);
	veil_unref(&h->veil);
	config_unref(&h->config);
	free(h);
}

struct job *
memo_job_new(unsigned nrcpt)
{
	struct job *m = mem_zero(sizeof *m);

	m->memo.kind = MEMO_JOB;
	m->nrcpt = nrcpt;
	m->rcpt = mem_array(nrcpt, sizeof *m->rcpt);
	m->result = mem_array(nrcpt, sizeof *m->result);
	return m;
}

void
memo_job_free(struct job **m)
{
	struct job *j = *m;

	if (j == NULL)
		return;
	*m = NULL;
	for (unsigned i = 0; i < j->nrcpt; i++)
		outcome_clear(&j->result[i]);
	spool_read_close(&j->body);
	veil_unref(&j->veil);
	free((char *)j->sender);
	free(j->result);
	free(j->rcpt);
	free(j);
}

struct look *
memo_look_new(void)
{
	struct look *m = mem_zero(sizeof *m);

	m->memo.kind = MEMO_LOOK;
	return m;
}

void
memo_look_free(struct look **m)
{
	struct look *l = *m;

	if (l == NULL)
		return;
	*m = NULL;
	json_decref(l->status);
	json_decref(l->oldest);
	free(l);
}

void
memo_config_used(struct config_memo *m)
{
	if (m->back == NULL) {
		free(m);
		return;
	}
	m->memo.kind = MEMO_CONFIGURED;
	m->config = NULL;
	m->users = NULL;
	m->tls = NULL;
	memo_post(m->back, &m->memo);
}

void
memo_limits_clear(struct limits *l)
{
	config_unref(&l->config);
	free(l->route);
	l->route = NULL;
}

uint64_t
memo_next_id(void)
{
	uint64_t seen = atomic_load_explicit(&last_id, memory_order_relaxed);
	uint64_t id;

	do {
		id = seen;
		(void)ident_next(&id);
	} while (!atomic_compare_exchange_weak_explicit(&last_id, &seen, id,
	    memory_order_relaxed, memory_order_relaxed));
	return id;
}

void
memo_start_ids(uint64_t last)
{
	atomic_store_explicit(&last_id, last, memory_order_relaxed);
}
