/*
 * Start order and wiring: configuration, sockets, spool, rooms, threads.  Nothing runs before everything that can
 * be refused has been checked.
 */
#include "main/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/accept.h"
#include "net/inherit.h"

enum {
	DESCRIPTORS_BESIDES = 128,	/* spool, control, names, probes of ports */
	SESSIONS_MIN = 16
};

static void
on_warning(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_WARNING, "config", log_text("warning", text));
}

int
daemon_load(struct daemon *d, struct why *why)
{
	return config_load(&d->config, &d->options, on_warning, NULL, why);
}

int
daemon_load_users(const struct config *c, struct users **out, struct why *why)
{
	*out = NULL;
	if (users_load(out, c->users_file, why) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	/* A file that was named and is missing was refused with the configuration. */
	log_event(LOG_WARNING, "no_users", log_text("file", c->users_file),
	    log_text("advice", "apps cannot log in yet; add a user with `gatepost passwd USER'"));
	return 0;
}

static bool
listens_with_tls(const struct config *c)
{
	for (unsigned i = 0; i < c->nlisten; i++)
		if (c->listen[i].tls != TLS_NONE)
			return true;
	return false;
}

static int
load_own_tls(const struct config *c, struct tls **out, struct why *why)
{
	struct why reason;

	if (config_may_read(c->tls.certificate, &reason) < 0 || config_may_read(c->tls.key, &reason) < 0)
		return fail(why, "%s: tls: %s", c->file, reason.text);
	if (tls_server(out, c->tls.certificate, c->tls.key, (enum tls_version)c->tls.min_version, "gatepost", &reason) < 0)
		return fail(why, "%s: tls: %s; name a certificate in PEM and the key that belongs to it", c->file, reason.text);
	return 0;
}

int
daemon_load_tls(const struct config *c, struct tls **out, struct why *why)
{
	char *dir = NULL, *cert = NULL, *key = NULL;
	bool made = false;
	int rc = -1;

	*out = NULL;
	if (!listens_with_tls(c))
		return 0;
	if (c->tls.certificate[0] != '\0')
		return load_own_tls(c, out, why);
	dir = mem_printf("%s/tls", c->spool_dir);
	cert = mem_printf("%s/cert.pem", dir);
	key = mem_printf("%s/key.pem", dir);
	if (tls_local_ca(dir, c->hostname, false, &made, why) < 0)
		goto out;
	if (made)
		log_event(LOG_INFO, "local_ca_made", log_text("dir", dir),
		    log_text("advice", "`gatepost ca' prints the certificate that apps should trust"));
	rc = tls_server(out, cert, key, (enum tls_version)c->tls.min_version, "gatepost", why);
out:
	free(dir);
	free(cert);
	free(key);
	return rc;
}

static bool
speaks_tls(const struct upstream *u)
{
	for (unsigned i = 0; i < u->nchain; i++)
		if (u->chain[i].tls != TLS_NONE)
			return true;
	return false;
}

int
daemon_check_upstreams(const struct config *c, struct why *why)
{
	struct tls *tls = NULL;
	struct why reason;

	if (config_check_loop(c, why) < 0)
		return -1;
	for (unsigned i = 0; i < c->nupstream; i++) {
		const struct upstream *u = &c->upstream[i];

		if (speaks_tls(u) && tls_client(&tls, u->tls_ca, u->tls_verify, (enum tls_version)u->tls_min, &reason) < 0)
			return fail(why, "%s: upstream %s: tls_ca: %s%s", c->file, u->name, reason.text,
			    u->tls_ca[0] != '\0' ? "; name a file of certificates in PEM" : "");
		tls_unref(&tls);
	}
	return 0;
}

static uint64_t
descriptors_beside(const struct config *c)
{
	uint64_t n = DESCRIPTORS_BESIDES;

	for (unsigned i = 0; i < c->nupstream; i++)
		n += c->upstream[i].connections;
	return n;
}

/* Each session may have a file besides, for a body that is too long for memory. */
enum { OF_A_SESSION = 2 };

static uint64_t
descriptors_wanted(const struct config *c)
{
	return descriptors_beside(c) + OF_A_SESSION * c->limits.connections;
}

/* Better fewer sessions than none that can do anything. */
static unsigned
descriptors_for_sessions(const struct config *c)
{
	uint64_t beside = descriptors_beside(c);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= descriptors_wanted(c))
		return 0;
	return limit.rlim_cur > beside + OF_A_SESSION * SESSIONS_MIN ? (unsigned)((limit.rlim_cur - beside) / OF_A_SESSION) : SESSIONS_MIN;
}

void
daemon_warn(const struct config *c)
{
	uint64_t wanted = descriptors_wanted(c);
	struct rlimit limit;
	struct why what;
	struct stat st;
	char advice[128];

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
		snprintf(advice, sizeof advice, "set LimitNOFILE= of the unit (or ulimit -Hn) to %llu or more, or lower "
		    "limits.connections", (unsigned long long)wanted);
		log_event(LOG_WARNING, "few_descriptors", log_num("limit", (int64_t)limit.rlim_cur),
		    log_num("wanted", (int64_t)wanted), log_num("sessions", descriptors_for_sessions(c)),
		    log_text("advice", advice));
	}
	if (stat(c->users_file, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		log_event(LOG_WARNING, "users_readable", log_text("file", c->users_file),
		    log_text("advice", "anybody can read its password hashes, and guess at them: chmod 640 it"));
	if (renewal_is_due(c, &what))
		log_event(LOG_WARNING, "certificate_due", log_text("reason", what.text),
		    log_text("advice", "renew it with `gatepost ca --renew', reload, and let the apps trust the new CA"));
}

/* --- sockets --------------------------------------------------------------------- */

static void
keep(struct daemon *d, int fd, const char *name, bool is_inherited)
{
	d->is_inherited[d->nsocket] = is_inherited;
	d->socket[d->nsocket++] = (struct listener_socket){ .fd = fd, .name = name };
}

/* The machine may have no IPv6, and nobody asked for these by name. */
static bool
may_be_left_out(const struct listen *l)
{
	struct why why;
	int fd;

	if (!l->built_in || l->address[0] != '[')
		return false;
	fd = accept_bind("[::1]:0", &why);
	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static int
bind_listen(struct daemon *d, struct inherit *in, const struct listen *l, struct why *why)
{
	bool is_inherited = inherit_has(in, false);
	int fd = is_inherited ? inherit_take(in, l->address) : accept_bind(l->address, why);

	if (fd >= 0)
		keep(d, fd, l->address, is_inherited);
	else if (may_be_left_out(l))
		return 0;
	else if (is_inherited)
		return fail(why, "listen %s: no socket for it was passed by who started us; add ListenStream=%s to the socket unit "
		    "(systemctl edit gatepost.socket), or remove the section", l->address, l->address);
	return fd < 0 ? -1 : 0;
}

static int
bind_submit(struct daemon *d, struct inherit *in, struct why *why)
{
	const char *path = d->config->submit_socket;
	bool is_inherited = inherit_has(in, true);
	int fd = is_inherited ? inherit_take(in, path) : sandbox_bind_unix(d->config, path, 0666, why);

	if (fd < 0)
		return is_inherited ? fail(why, "submit_socket %s: another unix socket was passed by who started us; make submit_socket "
		    "and ListenStream= of the socket unit agree", path) : -1;
	keep(d, fd, "submit", is_inherited);
	d->socket[d->nsocket - 1].is_submit = true;
	return 0;
}

static int
bind_all(struct daemon *d, struct inherit *in, struct why *why)
{
	const struct config *c = d->config;
	const struct inherited *left;

	for (unsigned i = 0; i < c->nlisten; i++)
		if (bind_listen(d, in, &c->listen[i], why) < 0)
			return -1;
	if (bind_submit(d, in, why) < 0)
		return -1;
	left = inherit_find_left(in);
	if (left != NULL)
		return fail(why, "a socket for %s was passed by who started us, and nothing is configured for it; add a "
		    "listen section for it to %s, or remove it from the socket unit (systemctl edit gatepost.socket)",
		    left->address, c->file);
	d->control_fd = sandbox_bind_unix(c, c->control_socket, 0660, why);
	if (d->control_fd < 0)
		return -1;
	if (c->metrics.listen[0] != '\0')
		d->metrics_fd = accept_bind(c->metrics.listen, why);
	return c->metrics.listen[0] != '\0' && d->metrics_fd < 0 ? -1 : 0;
}

int
daemon_bind(struct daemon *d, struct why *why)
{
	const struct config *c = d->config;
	struct inherit in;
	int result;

	if (c->nlisten > SOCKETS_MAX - 1)
		return fail(why, "%s: %u listen sections; at most %d are possible", c->file, c->nlisten, SOCKETS_MAX - 1);
	result = inherit_init(&in, why);
	if (result == 0)
		result = bind_all(d, &in, why);
	inherit_clear(&in);
	return result;
}

/*
 * Else the kernel would go on taking them, and they would wait for a greeting that nobody says.  On a socket that is not
 * ours they shall wait: the next daemon greets them.
 */
void
daemon_shut(struct daemon *d)
{
	for (unsigned i = 0; i < d->nsocket; i++)
		if (!d->is_inherited[i])
			shutdown(d->socket[i].fd, SHUT_RD);
}

/* A name is given up before its socket: after that it may be another daemon's. */
static void
unbind(struct daemon *d)
{
	for (unsigned i = 0; i < d->nsocket; i++) {
		if (d->socket[i].is_submit && !d->is_inherited[i])
			unlink(d->config->submit_socket);
		close(d->socket[i].fd);
	}
	if (d->metrics_fd >= 0)
		close(d->metrics_fd);
	if (d->control_fd < 0)
		return;
	unlink(d->config->control_socket);
	close(d->control_fd);
}

/* --- rooms and threads --------------------------------------------------------------- */

static void
build_listeners(struct daemon *d)
{
	d->nlistener = d->config->threads < THREADS_MAX ? d->config->threads : THREADS_MAX;
	for (unsigned i = 0; i < d->nlistener; i++) {
		const struct listener_options o = {
			.config = d->config, .users = d->users, .tls = d->tls,
			.socket = d->socket, .nsocket = d->nsocket,
			.index = i, .count = d->nlistener, .descriptors = descriptors_for_sessions(d->config),
			.queue = queue_get_channel(d->queue), .main = d->channel,
			.blobs = queue_get_blobs(d->queue),
		};

		d->listener_part[i].loop = loop_new("listener");
		d->listener[i] = listener_new(d->listener_part[i].loop, &o);
	}
}

static void
build_relays(struct daemon *d)
{
	d->nrelay = d->nlistener;
	for (unsigned i = 0; i < d->nrelay; i++) {
		d->relay_part[i].loop = loop_new("relay");
		d->relay[i] = relay_new(d->relay_part[i].loop, queue_get_channel(d->queue), d->channel);
	}
}

static void
build_web(struct daemon *d)
{
	if (d->metrics_fd < 0)
		return;
	d->web_part.loop = loop_new("web");
	d->web = web_new(d->web_part.loop, d->metrics_fd, d->config, control_get_channel(d->control));
}

int
daemon_build(struct daemon *d, struct why *why)
{
	struct queue_options o = { .config = d->config, .main = d->channel };
	struct channel *listener[THREADS_MAX], *relay[THREADS_MAX];

	d->queue_part.loop = loop_new("queue");
	o.errands = errand_start(d->queue_part.loop, d->errand_fd, d->config);
	d->errand_fd = -1;
	if (queue_new(&d->queue, d->queue_part.loop, &o, why) < 0)
		return -1;
	build_listeners(d);
	build_relays(d);
	for (unsigned i = 0; i < d->nlistener; i++)
		listener[i] = listener_get_channel(d->listener[i]);
	for (unsigned i = 0; i < d->nrelay; i++)
		relay[i] = relay_get_channel(d->relay[i]);
	queue_set_peers(d->queue, listener, d->nlistener, relay, d->nrelay);
	d->control = control_start(d->queue_part.loop, d->queue, d->control_fd);
	control_tell(d->control, d->channel);
	build_web(d);
	queue_start(d->queue);
	queue_watch_network(d->queue);
	return 0;
}

static void *
run_part(void *arg)
{
	loop_run(((struct part *)arg)->loop);
	return NULL;
}

static void
start_part(struct part *p)
{
	if (pthread_create(&p->thread, NULL, run_part, p) != 0)
		bug("cannot start a thread: %s", strerror(errno));
	p->running = true;
}

void
daemon_start(struct daemon *d)
{
	listener_start_helper();
	start_part(&d->queue_part);
	for (unsigned i = 0; i < d->nrelay; i++)
		start_part(&d->relay_part[i]);
	for (unsigned i = 0; i < d->nlistener; i++)
		start_part(&d->listener_part[i]);
	if (d->web != NULL)
		start_part(&d->web_part);
}

static void
join_part(struct part *p)
{
	if (p->running)
		pthread_join(p->thread, NULL);
	p->running = false;
}

void
daemon_join(struct daemon *d)
{
	for (unsigned i = 0; i < d->nlistener; i++)
		join_part(&d->listener_part[i]);
	for (unsigned i = 0; i < d->nrelay; i++)
		join_part(&d->relay_part[i]);
	join_part(&d->queue_part);
	join_part(&d->web_part);
	listener_stop_helper();
}

void
daemon_free(struct daemon *d)
{
	control_stop(&d->control);	/* its last answers are freed with web */
	web_free(&d->web);
	for (unsigned i = 0; i < d->nrelay; i++)
		relay_free(&d->relay[i]);	/* its last reports are the queue's to write down */
	if (d->queue != NULL)
		queue_finish(d->queue);
	for (unsigned i = 0; i < d->nlistener; i++)
		listener_free(&d->listener[i]);
	queue_free(&d->queue);
	channel_free(&d->channel);
	for (unsigned i = 0; i < d->nlistener; i++)
		loop_free(&d->listener_part[i].loop);
	for (unsigned i = 0; i < d->nrelay; i++)
		loop_free(&d->relay_part[i].loop);
	loop_free(&d->queue_part.loop);
	loop_free(&d->web_part.loop);
	loop_free(&d->loop);
	unbind(d);
	confine_clear(d);
	if (d->errand_fd >= 0)
		close(d->errand_fd);
	users_unref(&d->users);
	tls_unref(&d->tls);
	config_unref(&d->config);
}
