/*
 * A listener under test: real sockets on loopback, one loop, a false clock, and a queue that
 * answers as it is told.  A dialogue is played whole or in trickles, ends by half-close (plain) or
 * QUIT, and its replies are compared as a line of codes: "220 250 250/2.1.0 354 250/2.0.0".
 */
#ifndef TESTS_LISTENER_RIG_H
#define TESTS_LISTENER_RIG_H

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "listener/listener.h"
#include "listener/session.h"
#include "net/accept.h"
#include "net/stream.h"

#include <check.h>	/* last: it has a macro `fail' */

enum rig_port { RIG_PLAIN, RIG_TRUSTED, RIG_STARTTLS, RIG_IMPLICIT, RIG_OUTSIDE, RIG_SUBMIT,
    RIG_PORTS };

/* Logging in without TLS is for tests of everything but TLS. */
static const char rig_listens[] =
    "listen \"127.0.0.1:10025\" { tls = \"starttls\" plaintext_auth = \"loopback\" }\n"
    "listen \"127.0.0.1:10026\" { tls = \"starttls\" auth = \"trusted\" trusted = {\"127.0.0.0/8\"} }\n"
    "listen \"127.0.0.1:10587\" { tls = \"starttls\" }\n"
    "listen \"127.0.0.1:10465\" { tls = \"implicit\" }\n"
    "listen \"127.0.0.1:10027\" { tls = \"starttls\" auth = \"trusted\" trusted = {\"192.0.2.0/24\"} }\n";
static const char *const rig_names[RIG_PORTS] = {
	"127.0.0.1:10025", "127.0.0.1:10026", "127.0.0.1:10587", "127.0.0.1:10465",
	    "127.0.0.1:10027", "submit"
};

struct rig {
	struct loop *loop;
	struct config *config;
	struct users *users;
	struct tls *tls, *trust;
	struct spool *spool;
	struct listener *listener;
	struct channel *queue, *main;
	struct listener_socket socket[RIG_PORTS];
	char dir[64];
	/* the queue's side */
	enum verdict verdict;
	uint32_t from;		/* the client's address, as in s_addr; 0: any */
	bool hold;		/* keep what comes until rig_release */
	struct submit *held;	/* the last; the others follow in its memo's link */
	struct buf mail;	/* what came: envelope, then the message */
	struct buf envelopes;	/* of all that came, a line each */
	struct buf prefix, content;	/* of the last one */
	uint64_t blob;		/* octets of its blob */
	unsigned kept, drained;
	void (*on_submit)(struct rig *r, const struct submit *m);	/* NULL, or instead of `mail': sets `verdict' */
	/* the client's */
	int fd;
	struct stream *stream;
	struct buf heard;
	bool ended, failed;
	int stderr_fd, log_fd;	/* while the log is caught */
};

static inline void
rig_write(struct rig *r, const char *name, const char *text, char *path, size_t size)
{
	FILE *f;

	snprintf(path, size, "%s/%s", r->dir, name);
	f = fopen(path, "w");
	ck_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

/* Between these two the log goes to a file, which the second reads. */
static inline void
rig_log_begin(struct rig *r)
{
	char path[128];

	snprintf(path, sizeof path, "%s/log", r->dir);
	r->stderr_fd = dup(STDERR_FILENO);
	r->log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert(r->stderr_fd >= 0 && r->log_fd >= 0 && dup2(r->log_fd, STDERR_FILENO) >= 0);
}

static inline void
rig_log_end(struct rig *r, struct buf *out)
{
	char room[4096];
	off_t at = 0;
	ssize_t n;

	ck_assert(dup2(r->stderr_fd, STDERR_FILENO) >= 0);
	close(r->stderr_fd);
	while ((n = pread(r->log_fd, room, sizeof room, at)) > 0) {
		buf_put(out, room, (size_t)n);
		at += n;
	}
	close(r->log_fd);
}

/* --- the queue's side --------------------------------------------------- */

static inline void
rig_answer(struct submit *m, enum verdict v)
{
	m->verdict = v;
	m->memo.kind = MEMO_VERDICT;
	memo_post(m->back, &m->memo);
}

static inline void
rig_print(struct rig *r, const struct submit *m)
{
	const struct envelope *e = m->envelope;
	size_t at = r->mail.len;

	buf_printf(&r->mail, "%s%s%s<%s>", e->user, e->is_8bit ? " 8bit" : "", e->is_utf8 ?
	    " utf8" : "", e->sender);
	if (e->envid != NULL || e->ret != RET_NONE)
		buf_printf(&r->mail, " envid=%s ret=%d", e->envid != NULL ? e->envid : "", e->ret);
	for (unsigned i = 0; i < e->nrcpt; i++) {
		buf_printf(&r->mail, " <%s>", e->rcpt[i].address);
		if (e->rcpt[i].notify != 0 || e->rcpt[i].orcpt != NULL)
			buf_printf(&r->mail, " notify=%d orcpt=%s", e->rcpt[i].notify,
			    e->rcpt[i].orcpt != NULL ? e->rcpt[i].orcpt : "");
	}
	buf_puts(&r->mail, "\n");
	buf_putstr(&r->envelopes, str_from(buf_str(&r->mail), at));
	buf_putstr(&r->mail, buf_str(&m->prefix));
	buf_putstr(&r->mail, buf_str(&m->text));
	if (m->blob != NULL)
		buf_printf(&r->mail, "[blob %llu]\n",
		    (unsigned long long)spool_blob_octets(m->blob));
	buf_cut(&r->prefix, 0);
	buf_putstr(&r->prefix, buf_str(&m->prefix));
	buf_cut(&r->content, 0);
	buf_putstr(&r->content, buf_str(&m->text));
	r->blob = m->blob != NULL ? spool_blob_octets(m->blob) : 0;
	ck_assert_uint_eq(e->size, m->prefix.len + m->text.len + r->blob);
	ck_assert_uint_ne(m->id, 0);
}

static inline void
rig_on_submit(void *arg, struct link *link)
{
	struct rig *r = arg;
	struct submit *m = container_of(container_of(link, struct memo, link), struct submit, memo);

	ck_assert_int_eq(m->memo.kind, MEMO_SUBMIT);
	if (r->on_submit != NULL)
		r->on_submit(r, m);
	else
		rig_print(r, m);
	r->kept += r->verdict == VERDICT_KEPT;
	if (r->hold) {
		m->memo.link.next = r->held != NULL ? &r->held->memo.link : NULL;
		r->held = m;
	} else {
		rig_answer(m, r->verdict);
	}
}

static inline void
rig_release(struct rig *r)
{
	ck_assert(r->held != NULL);
	while (r->held != NULL) {
		struct submit *m = r->held;
		struct link *next = m->memo.link.next;

		r->held = next != NULL ? container_of(container_of(next, struct memo, link), struct submit, memo) : NULL;
		rig_answer(m, r->verdict);
	}
}

static inline void
rig_on_main(void *arg, struct link *link)
{
	struct rig *r = arg;
	struct memo *m = container_of(link, struct memo, link);

	ck_assert_int_eq(m->kind, MEMO_DRAINED);
	r->drained++;
	free(m);
}

static inline void
rig_limits(struct rig *r, bool room, uint64_t free_octets, bool utf8, uint64_t message_max)
{
	struct limits *m = (struct limits *)memo_new(MEMO_LIMITS, sizeof *m);

	m->room = room;
	m->free_octets = free_octets;
	m->utf8 = utf8;
	m->message_max = message_max;
	memo_post(listener_get_channel(r->listener), &m->memo);
	loop_turn(r->loop, false);
}

/* --- beginning and end -------------------------------------------------- */

static inline void
rig_users(struct rig *r, const char *const *line,
    unsigned n)	/* "name", "password", "patterns" by threes */
{
	struct buf text = { 0 };
	char path[128];

	for (unsigned i = 0; i < n; i += 3)
		buf_printf(&text, "%s:%s:%s\n", line[i],
		    crypt(line[i + 1], "$6$rounds=1000$saltsalt$"), line[i + 2]);
	/* another inode, as passwd makes it */
	rig_write(r, "users.new", text.data != NULL ? text.data : "", path, sizeof path);
	buf_printf(&text, "%c", '\0');
	buf_clear(&text);
	buf_printf(&text, "%s/users", r->dir);
	ck_assert_int_eq(rename(path, text.data), 0);
	buf_clear(&text);
}

static inline void
rig_configure(struct rig *r, const char *options)
{
	struct config_options o = { .no_upstream = true, .secrets = true };
	struct buf text = { 0 };
	char path[128];
	struct why why;

	buf_printf(&text,
	    "hostname = \"mail.example\"\nspool_dir = \"%s/spool\"\nusers_file = \"%s/users\"\n"
	    "submit_socket = \"%s/submit\"\n%s%s", r->dir, r->dir, r->dir, rig_listens, options);
	rig_write(r, "gatepost.conf", text.data, path, sizeof path);
	buf_clear(&text);
	o.file = path;
	if (config_load(&r->config, &o, NULL, NULL, &why) < 0)
		ck_abort_msg("%s", why.text);
}

static inline void
rig_bind(struct rig *r)
{
	char path[128];
	struct why why;

	for (int i = 0; i < RIG_PORTS; i++) {
		struct listener_socket *s = &r->socket[i];

		s->name = rig_names[i];
		s->is_submit = i == RIG_SUBMIT;
		snprintf(path, sizeof path, "%s/submit", r->dir);
		s->fd = s->is_submit ? accept_bind_unix(path, 0666, &why) :
		    accept_bind("127.0.0.1:0", &why);
		if (s->fd < 0)
			ck_abort_msg("%s", why.text);
	}
}

static inline void
rig_begin(struct rig *r, const char *options, bool spool)
{
	static const char *const users[] = { "u", "p", "", "bound", "p",
	    "bound@a.example, *@mail.example" };
	struct listener_options o = { .index = 0, .count = 1 };
	struct spool_options so = { .segment_bytes = 1 << 20 };
	static const struct spool_owner nobody;
	struct why why;

	*r = (struct rig){ .fd = -1, .verdict = VERDICT_KEPT };
	clock_fake(1000000, 1795298400);
	log_open(LOG_ERROR, LOG_LOGFMT);
	snprintf(r->dir, sizeof r->dir, "/tmp/test_listener.XXXXXX");
	ck_assert(mkdtemp(r->dir) != NULL);
	rig_users(r, users, 6);
	rig_configure(r, options);
	rig_bind(r);
	memo_start_ids(1);
	r->loop = loop_new("test");
	r->queue = channel_new(r->loop, rig_on_submit, r);
	r->main = channel_new(r->loop, rig_on_main, r);
	listener_start_helper();
	if (spool) {
		so.dir = r->config->spool_dir;
		if (spool_open(&r->spool, &so, &nobody, &why) < 0)
			ck_abort_msg("%s", why.text);
		o.blobs = spool_get_blobs(r->spool);
	}
	o.config = r->config;
	o.tls = r->tls;
	o.socket = r->socket;
	o.nsocket = RIG_PORTS;
	o.queue = r->queue;
	o.main = r->main;
	r->listener = listener_new(r->loop, &o);
	rig_limits(r, true, UINT64_MAX, true, 0);
}

static inline void
rig_start(struct rig *r, const char *options)
{
	rig_begin(r, options, false);
}

/* With a certificate from a CA of our own. */
static inline void
rig_start_tls(struct rig *r, const char *options)
{
	struct config_memo *m;
	char cert[160], key[160], ca[160];
	struct why why;
	bool made;

	rig_start(r, options);
	snprintf(ca, sizeof ca, "%s/tls", r->dir);
	ck_assert_int_eq(tls_local_ca(ca, "mail.example", false, &made, &why), 0);
	snprintf(cert, sizeof cert, "%s/tls/cert.pem", r->dir);
	snprintf(key, sizeof key, "%s/tls/key.pem", r->dir);
	snprintf(ca, sizeof ca, "%s/tls/ca.pem", r->dir);
	ck_assert_int_eq(tls_server(&r->tls, cert, key, TLS_1_2, "test", &why), 0);
	ck_assert_int_eq(tls_client(&r->trust, ca, true, TLS_1_2, &why), 0);
	m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);
	m->config = config_ref(r->config);
	m->tls = tls_ref(r->tls);
	memo_post(listener_get_channel(r->listener), &m->memo);
	loop_turn(r->loop, false);
}

static inline void
rig_hang_up(struct rig *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	stream_close(&r->stream);
	r->ended = r->failed = false;
	buf_clear(&r->heard);
}

static inline void
rig_stop(struct rig *r)
{
	char command[160];

	rig_hang_up(r);
	if (r->held != NULL)
		rig_release(r);
	listener_free(&r->listener);
	listener_stop_helper();
	channel_drain(r->queue);
	channel_free(&r->queue);
	channel_drain(r->main);
	channel_free(&r->main);
	loop_free(&r->loop);
	for (int i = 0; i < RIG_PORTS; i++)
		close(r->socket[i].fd);
	tls_unref(&r->tls);
	tls_unref(&r->trust);
	if (r->spool != NULL)
		spool_close(&r->spool);
	config_unref(&r->config);
	buf_clear(&r->mail);
	buf_clear(&r->envelopes);
	buf_clear(&r->prefix);
	buf_clear(&r->content);
	snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
	ck_assert_int_eq(system(command), 0);
}

#endif
