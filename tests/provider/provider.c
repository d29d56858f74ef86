/* The fake provider: its rules, what was said, and what it has been given. */
#include "provider/provider.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "provider/inner.h"
#include "patience.h"

/* --- text ----------------------------------------------------------------- */

void
text_put(struct text *t, const void *p, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		t->cap = (t->n + n + 1) * 2;
		t->p = realloc(t->p, t->cap);
		if (t->p == NULL)
			abort();
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void
text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

void
text_clear(struct text *t)
{
	free(t->p);
	*t = (struct text){ 0 };
}

/* --- rules ---------------------------------------------------------------- */

bool
provider_rule(struct conn *c, const char *stage, const char *arg, char *out, size_t size)
{
	bool found = false;

	pthread_mutex_lock(&c->provider->lock);
	for (unsigned i = 0; i < c->port->nrule; i++) {
		struct rule *r = &c->port->rule[i];

		if (strcmp(r->stage, stage) != 0 || strcasestr(arg, r->match) == NULL)
			continue;
		r->seen++;
		if (found || (r->nth != 0 && r->nth != r->seen))
			continue;
		snprintf(out, size, "%s", r->action);
		found = true;
	}
	pthread_mutex_unlock(&c->provider->lock);
	return found;
}

bool
provider_setting(struct port *port, const char *name, char *out, size_t size)
{
	for (unsigned i = 0; i < port->nrule; i++) {
		if (strcmp(port->rule[i].stage, name) == 0) {
			snprintf(out, size, "%s", port->rule[i].action);
			return true;
		}
	}
	*out = '\0';
	return false;
}

/* --- what was said and given ---------------------------------------------- */

void
provider_note(struct conn *c, char who, const char *line)
{
	struct provider *p = c->provider;
	char head[64];

	snprintf(head, sizeof head, "%u c%u f%u %c: ", c->port->number, c->number, c->flight, who);
	pthread_mutex_lock(&p->lock);
	text_puts(&p->transcript, head);
	text_puts(&p->transcript, line);
	text_puts(&p->transcript, "\n");
	if (who == '!')
		p->complaints++;
	pthread_mutex_unlock(&p->lock);
}

static void
write_file(struct provider *p, const struct provider_message *m, unsigned n)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof name, "%s/%06u.eml", p->options.dir, n);
	f = fopen(name, "w");
	if (f == NULL) {
		fprintf(stderr, "fake-provider: %s: %s\n", name, strerror(errno));
		return;
	}
	fprintf(f, "X-Fake-Port: %u\r\nX-Fake-User: %s\r\nX-Fake-From: %s\r\n", m->port, m->user, m->sender);
	for (unsigned i = 0; i < m->nrcpt; i++)
		fprintf(f, "X-Fake-To: %s\r\n", m->rcpt[i]);
	fwrite(m->text, 1, m->octets, f);
	fclose(f);
}

void
provider_store(struct conn *c)
{
	struct provider *p = c->provider;
	struct provider_message *m = c->now;
	unsigned n;

	text_put(&c->body, "", 0);
	m->text = c->body.p;
	m->octets = c->body.n;
	m->secure = c->secure;
	m->chunked = c->chunking;
	m->port = c->port->number;
	m->connection = c->number;
	memcpy(m->user, c->user, sizeof m->user);
	c->now = NULL;
	c->body = (struct text){ 0 };
	pthread_mutex_lock(&p->lock);
	p->message = realloc(p->message, (p->nmessage + 1) * sizeof *p->message);
	if (p->message == NULL)
		abort();
	p->message[p->nmessage++] = m;
	n = p->nmessage;
	if (p->options.dir != NULL)
		write_file(p, m, n);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->options.on_message != NULL)
		p->options.on_message(n - 1);
}

unsigned
provider_count(struct provider *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->nmessage;
	pthread_mutex_unlock(&p->lock);
	return n;
}

const struct provider_message *
provider_message(struct provider *p, unsigned n)
{
	const struct provider_message *m;

	pthread_mutex_lock(&p->lock);
	m = n < p->nmessage ? p->message[n] : NULL;
	pthread_mutex_unlock(&p->lock);
	return m;
}

bool
provider_wait(struct provider *p, unsigned count, int ms)
{
	struct timespec until;
	bool enough;

	ms = patience(ms);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&p->lock);
	while (p->nmessage < count && pthread_cond_timedwait(&p->changed, &p->lock, &until) == 0)
		continue;
	enough = p->nmessage >= count;
	pthread_mutex_unlock(&p->lock);
	return enough;
}

char *
provider_transcript(struct provider *p)
{
	char *copy;

	pthread_mutex_lock(&p->lock);
	copy = strdup(p->transcript.p != NULL ? p->transcript.p : "");
	pthread_mutex_unlock(&p->lock);
	return copy;
}

unsigned
provider_said(struct provider *p, const char *prefix)
{
	char *all = provider_transcript(p), *rest = all, *line;
	unsigned n = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *said = strstr(line, " C: ");

		if (said != NULL && strncasecmp(said + 4, prefix, strlen(prefix)) == 0)
			n++;
	}
	free(all);
	return n;
}

unsigned
provider_complaints(struct provider *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->complaints;
	pthread_mutex_unlock(&p->lock);
	return n;
}

unsigned
provider_connections(struct provider *p, unsigned port)
{
	unsigned n = 0;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->nport; i++)
		if (port == 0 || p->port[i]->number == port)
			n += p->port[i]->connections;
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* --- life ----------------------------------------------------------------- */

struct provider *
provider_new(const struct provider_options *o)
{
	struct provider *p = calloc(1, sizeof *p);
	int fd;

	if (p == NULL)
		abort();
	signal(SIGPIPE, SIG_IGN);
	p->options = *o;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->ca_temporary = o->ca_file == NULL;
	snprintf(p->ca_file, sizeof p->ca_file, "%s", o->ca_file != NULL ? o->ca_file : "/tmp/fake-provider-ca.XXXXXX");
	if (p->ca_temporary && (fd = mkstemp(p->ca_file)) >= 0)
		close(fd);
	if (cert_ca_init(&p->ca) < 0 || cert_ca_write(&p->ca, p->ca_file) < 0) {
		provider_free(&p);
		return NULL;
	}
	return p;
}

const char *
provider_ca(const struct provider *p)
{
	return p->ca_file;
}

static void
message_free(struct provider_message *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->nrcpt; i++)
		free(m->rcpt[i]);
	free(m->rcpt);
	free(m->sender);
	free(m->text);
	free(m);
}

void
provider_free(struct provider **pp)
{
	struct provider *p = *pp;
	struct conn *c;

	if (p == NULL)
		return;
	for (unsigned i = 0; i < p->nport; i++)
		port_stop(p->port[i]);
	while ((c = p->conn) != NULL) {
		p->conn = c->next;
		pthread_join(c->thread, NULL);
		message_free(c->now);
		text_clear(&c->body);
		text_clear(&c->out);
		free(c);
	}
	for (unsigned i = 0; i < p->nport; i++)
		port_free(p->port[i]);
	for (unsigned i = 0; i < p->nmessage; i++)
		message_free(p->message[i]);
	free(p->message);
	text_clear(&p->transcript);
	cert_ca_clear(&p->ca);
	if (p->ca_temporary)
		unlink(p->ca_file);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
	*pp = NULL;
}
