/*
 * A relay under test: real sockets on loopback to a fake provider (tests/provider), real TLS, a real spool for the
 * content; the test plays the queue, and keeps what the relay says.
 */
#ifndef TESTS_RELAY_RIG_H
#define TESTS_RELAY_RIG_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "memory_dir.h"
#include "provider/provider.h"
#include "relay/relay.h"

#include <check.h>	/* last: it has a macro `fail' */

enum { RIG_HEARD_MAX = 16, RIG_PORTS_MAX = 6, RIG_REPORTS_MAX = 8 };

struct rig {
	struct provider *provider;
	struct loop *loop;
	struct channel *queue, *main;
	struct relay *relay;
	struct config *config;
	struct tls *tls;
	struct spool *spool;
	struct spool_item item[16];
	unsigned nitem;
	char dir[64];
	struct candidate candidate[RIG_PORTS_MAX];
	unsigned ncandidate;
	/* what the relay said */
	struct open *opened;
	struct heard_memo *heard[RIG_HEARD_MAX];
	unsigned nheard;
	struct job *report[RIG_REPORTS_MAX];
	unsigned nreport, nclosed, ndrained;
	bool refused;		/* of the last CLOSED */
};

static void
rig_on_memo(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	switch (m->kind) {
	case MEMO_OPENED:
		memo_open_free(&r->opened);
		r->opened = (struct open *)m;
		break;
	case MEMO_HEARD:
	case MEMO_PROBE:
		ck_assert_uint_lt(r->nheard, RIG_HEARD_MAX);
		r->heard[r->nheard++] = (struct heard_memo *)m;
		break;
	case MEMO_REPORT:
		ck_assert_uint_lt(r->nreport, RIG_REPORTS_MAX);
		r->report[r->nreport++] = (struct job *)m;
		break;
	case MEMO_CLOSED:
		r->nclosed++;
		r->refused = ((struct lane_memo *)m)->refused;
		free(m);
		break;
	case MEMO_DRAINED:
		r->ndrained++;
		free(m);
		break;
	default:
		ck_abort_msg("memo %d", m->kind);
	}
}

/* Turns the loop until *n reaches `want'. */
static void
rig_wait(struct rig *r, const unsigned *n, unsigned want)
{
	int64_t until = clock_now_ms() + 8000;

	while (*n < want) {
		ck_assert_msg(clock_now_ms() < until, "the relay said nothing in time");
		loop_turn(r->loop, true);
	}
}

static void __attribute__((unused))
rig_wait_opened(struct rig *r)
{
	int64_t until = clock_now_ms() + 8000;

	while (r->opened == NULL) {
		ck_assert_msg(clock_now_ms() < until, "no OPENED in time");
		loop_turn(r->loop, true);
	}
}

static void *
on_nothing_found(void)
{
	ck_abort_msg("a fresh spool has something in it");
	return NULL;
}

static struct spool_item *
rig_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	(void)arg, (void)id, (void)head, (void)octets;
	return on_nothing_found();
}

static struct spool_item *
rig_find(void *arg, uint64_t id)
{
	(void)arg, (void)id;
	return NULL;
}

static void
rig_noted(void *arg, struct spool_item *item, struct str note)
{
	(void)arg, (void)item, (void)note;
}

static void
rig_ended(void *arg, struct spool_item *item)
{
	(void)arg, (void)item;
}

static void
rig_damaged(void *arg, uint64_t id, const char *file, const char *what)
{
	(void)arg, (void)id, (void)file, (void)what;
}

/* `lines': further options of the upstream. */
static void
rig_configure(struct rig *r, const char *lines)
{
	struct config_options o = { .secrets = true };
	char file[128];
	struct why why;
	FILE *f;

	snprintf(file, sizeof file, "%s/gatepost.conf", r->dir);
	f = fopen(file, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "hostname = \"relay.example.org\"\nspool_dir = \"%s/spool\"\n"
	    "upstream \"up\" {\n host = \"localhost\" username = \"me\" password = \"secret\"\n"
	    " tls_ca = \"%s\"\n%s\n}\n", r->dir, provider_ca(r->provider), lines != NULL ? lines : "");
	fclose(f);
	chmod(file, 0600);
	o.file = file;
	ck_assert_msg(config_load(&r->config, &o, NULL, NULL, &why) == 0, "%s", why.text);
	ck_assert_msg(tls_client(&r->tls, provider_ca(r->provider), r->config->upstream[0].tls_verify,
	    (enum tls_version)r->config->upstream[0].tls_min, &why) == 0, "%s", why.text);
}

static void
rig_open(struct rig *r, const char *user, const char *lines)
{
	struct provider_options o = { .user = user, .password = user != NULL ? "secret" : NULL };

	memset(r, 0, sizeof *r);
	memory_dir(r->dir, sizeof r->dir);
	r->provider = provider_new(&o);
	ck_assert_ptr_nonnull(r->provider);
	rig_configure(r, lines);
	r->loop = loop_new("test");
	r->queue = channel_new(r->loop, rig_on_memo, r);
	r->main = channel_new(r->loop, rig_on_memo, r);
	r->relay = relay_new(r->loop, r->queue, r->main);
}

static void __attribute__((unused))
rig_open_spool(struct rig *r)
{
	struct spool_owner owner = { r, rig_found, rig_find, rig_noted, rig_ended, rig_damaged, NULL };
	struct spool_options so = { .dir = r->dir, .segment_bytes = 1 << 20 };
	struct why why;

	ck_assert_msg(spool_open(&r->spool, &so, &owner, &why) == 0, "%s", why.text);
}

static int
rig_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
rig_close(struct rig *r)
{
	struct memo *m = memo_new(MEMO_DRAIN, sizeof *m);

	memo_post(relay_get_channel(r->relay), m);
	rig_wait(r, &r->ndrained, 1);
	for (int i = 0; i < 3; i++)
		loop_turn(r->loop, false);
	relay_free(&r->relay);
	channel_drain(r->queue);
	channel_free(&r->queue);
	channel_free(&r->main);
	loop_free(&r->loop);
	memo_open_free(&r->opened);
	for (unsigned i = 0; i < r->nheard; i++)
		memo_heard_free(&r->heard[i]);
	for (unsigned i = 0; i < r->nreport; i++) {
		envelope_free(&r->report[i]->envelope);
		memo_job_free(&r->report[i]);
	}
	if (r->spool != NULL)
		spool_close(&r->spool);
	tls_unref(&r->tls);
	config_unref(&r->config);
	provider_free(&r->provider);
	nftw(r->dir, rig_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* A port of the provider, next in the order of the race. */
static __attribute__((unused)) unsigned
rig_port(struct rig *r, enum provider_mode mode, enum tls_mode tls, const char *script)
{
	struct candidate *c = &r->candidate[r->ncandidate];

	ck_assert_uint_lt(r->ncandidate, RIG_PORTS_MAX);
	c->port = (uint16_t)provider_listen(r->provider, "127.0.0.1", 0, mode, script);
	ck_assert_uint_ne(c->port, 0);
	snprintf(c->address, sizeof c->address, "127.0.0.1");
	c->tls = tls;
	c->rank = r->ncandidate++;
	return c->port;
}

static void
rig_post_open(struct rig *r, uint32_t lane, const char *password)
{
	struct open *o = memo_open_new();

	o->lane = lane;
	o->upstream = 7;
	o->config = config_ref(r->config);
	o->settings = &r->config->upstream[0];
	o->tls = tls_ref(r->tls);
	o->password = mem_text(password);
	o->veil = veil_new();		/* as the queue does */
	veil_add(o->veil, password);
	memcpy(o->candidate, r->candidate, sizeof r->candidate);
	o->ncandidate = r->ncandidate;
	memo_post(relay_get_channel(r->relay), &o->memo);
}

static __attribute__((unused)) struct open *
rig_race(struct rig *r, uint32_t lane)
{
	memo_open_free(&r->opened);
	rig_post_open(r, lane, "secret");
	rig_wait_opened(r);
	return r->opened;
}

static __attribute__((unused)) const struct heard_memo *
rig_find_heard(const struct rig *r, unsigned port)
{
	for (unsigned i = 0; i < r->nheard; i++)
		if (r->heard[i]->candidate.port == port)
			return r->heard[i];
	return NULL;
}

/* Keeps a content in the spool, and gives a reader of it. */
static __attribute__((unused)) struct spool_reader *
rig_store(struct rig *r, struct str content)
{
	struct spool_item *item = &r->item[r->nitem++ % 16];
	struct spool_blob *blob = NULL;
	struct spool_reader *reader;
	struct spool_sync *y;
	struct why why;

	if (r->spool == NULL)
		rig_open_spool(r);
	memset(item, 0, sizeof *item);
	if (content.n > SPOOL_INLINE_MAX) {
		ck_assert_int_eq(spool_blob_new(spool_get_blobs(r->spool), &blob, &why), 0);
		ck_assert_int_eq(spool_blob_write(blob, content.p, content.n, &why), 0);
		content.n = 0;
	}
	ck_assert_msg(spool_put(r->spool, item, memo_next_id(), 1, STR("meta"), &content, 1, &blob, &why) == 0, "%s", why.text);
	y = spool_write(r->spool, &why);
	ck_assert_msg(y != NULL && spool_sync_run(y, &why) == 0, "%s", why.text);
	spool_sync_end(r->spool, &y);
	ck_assert_msg(spool_read_open(r->spool, item, &reader, &why) == 0, "%s", why.text);
	return reader;
}

/* `to': addresses, comma-separated. */
static __attribute__((unused)) struct job *
rig_job(struct rig *r, uint32_t lane, const char *sender, const char *to, struct str content)
{
	struct envelope *e = envelope_new();
	struct str rest = str_of(to), one;
	struct job *j;

	free(e->sender);
	e->sender = mem_text(sender);
	while (str_split(&rest, ',', &one)) {
		char *address = str_dup(one);

		envelope_add(e, address, NULL, 0);
		free(address);
	}
	j = memo_job_new(e->nrcpt);
	for (unsigned i = 0; i < e->nrcpt; i++)
		j->rcpt[i] = i;
	j->lane = lane;
	j->id = 4711;
	j->envelope = e;
	j->sender = mem_text(sender);
	j->body = rig_store(r, content);
	return j;
}

static void __attribute__((unused))
rig_send(struct rig *r, struct job *j)
{
	memo_post(relay_get_channel(r->relay), &j->memo);
}

/* Sends it and waits for the report. */
static __attribute__((unused)) struct job *
rig_deliver(struct rig *r, struct job *j)
{
	unsigned n = r->nreport;

	rig_send(r, j);
	rig_wait(r, &r->nreport, n + 1);
	ck_assert_ptr_eq(r->report[n], j);
	return j;
}

#endif
