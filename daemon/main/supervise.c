/*
 * From started to ended: signals, reload, the watchdog, and the orderly stop.
 *
 * A stop goes in steps, each ended by DRAINED from all it asked or by the drain time: listeners take nothing new and
 * finish what they have, then the queue lets its jobs come home, then the relays say QUIT; then all loops end.
 */
#include "main/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/command.h"

enum { STOP_MS = 60 * 1000 };	/* beyond `drain': for slow disks */

enum phase { RUNNING, DRAIN_LISTENERS, DRAIN_QUEUE, DRAIN_RELAYS, ENDING };

struct supervisor {
	struct daemon *d;
	enum phase phase;
	unsigned awaited;		/* DRAINED to come in this phase */
	struct timer limit, watchdog;
	int64_t watchdog_ms;
	char headline[HEADLINE_MAX];	/* the queue's newest */
	bool reload_refused;		/* the last one */
};

static void next_phase(struct supervisor *s);

static void
send_all(struct channel *(*get)(struct daemon *, unsigned), struct daemon *d, unsigned n, enum memo_kind kind)
{
	for (unsigned i = 0; i < n; i++)
		memo_post(get(d, i), memo_new(kind, sizeof(struct memo)));
}

static struct channel *
get_listener(struct daemon *d, unsigned i)
{
	return listener_get_channel(d->listener[i]);
}

static struct channel *
get_relay(struct daemon *d, unsigned i)
{
	return relay_get_channel(d->relay[i]);
}

static struct channel *
get_queue(struct daemon *d, unsigned i)
{
	(void)i;
	return queue_get_channel(d->queue);
}

static void
tell_web(struct daemon *d, enum memo_kind kind)
{
	if (d->web != NULL)
		memo_post(web_get_channel(d->web), memo_new(kind, sizeof(struct memo)));
}

static void
enter(struct supervisor *s, enum phase p)
{
	struct daemon *d = s->d;

	s->phase = p;
	switch (p) {
	case DRAIN_LISTENERS:
		s->awaited = d->nlistener;
		send_all(get_listener, d, d->nlistener, MEMO_DRAIN);
		tell_web(d, MEMO_DRAIN);	/* nothing of it is in flight: it does not answer */
		daemon_shut(d);
		break;
	case DRAIN_QUEUE:
		s->awaited = 1;
		send_all(get_queue, d, 1, MEMO_DRAIN);
		break;
	case DRAIN_RELAYS:
		s->awaited = d->nrelay;
		send_all(get_relay, d, d->nrelay, MEMO_DRAIN);
		break;
	default:
		s->awaited = 0;
		send_all(get_listener, d, d->nlistener, MEMO_STOP);
		send_all(get_relay, d, d->nrelay, MEMO_STOP);
		send_all(get_queue, d, 1, MEMO_STOP);
		tell_web(d, MEMO_STOP);
		loop_stop(d->loop);
	}
}

static void
next_phase(struct supervisor *s)
{
	if (s->phase < ENDING)
		enter(s, s->phase + 1);
}

/* What systemd is told of us while we run; `first' is a field and its newline, or nothing. */
static void
tell_status(const struct supervisor *s, const char *first)
{
	char text[HEADLINE_MAX + 200];

	if (s->phase != RUNNING)
		return;
	snprintf(text, sizeof text, "%sSTATUS=%s%s", first, s->reload_refused ? "The last reload was refused, see the log; " : "",
	    s->headline[0] != '\0' ? s->headline : "Running");
	notify_send(text);
}

static void
on_memo(void *arg, struct link *l)
{
	struct supervisor *s = arg;
	struct memo *m = container_of(l, struct memo, link);

	if (m->kind == MEMO_DRAINED && s->awaited > 0 && --s->awaited == 0)
		next_phase(s);
	else if (m->kind == MEMO_HEADLINE) {
		memcpy(s->headline, container_of(m, struct headline_memo, memo)->text, sizeof s->headline);
		tell_status(s, "");
	}
	free(m);
}

static void
on_limit(void *arg)
{
	struct supervisor *s = arg;

	log_event(LOG_WARNING, "drain_ended", log_text("reason", "what is still in flight is recorded as it stands"));
	enter(s, ENDING);
}

static void
stop(struct supervisor *s, const char *reason)
{
	char text[160];

	if (s->phase != RUNNING) {		/* asked twice: now */
		enter(s, ENDING);
		return;
	}
	log_event(LOG_INFO, "stopping", log_text("reason", reason));
	snprintf(text, sizeof text, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld\nSTATUS=Stopping: finishing what is in flight",
	    (long long)(s->d->config->drain_ms + STOP_MS) * 1000);
	notify_send(text);
	loop_timer(s->d->loop, &s->limit, clock_now_ms() + s->d->config->drain_ms);
	enter(s, DRAIN_LISTENERS);
}

/* --- reload ------------------------------------------------------------------------ */

static void
send_config(struct channel *c, struct config *config, struct users *users, struct tls *tls)
{
	struct config_memo *m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);

	m->config = config_ref(config);
	m->users = users != NULL ? users_ref(users) : NULL;
	m->tls = tls != NULL ? tls_ref(tls) : NULL;
	memo_post(c, &m->memo);
}

/* All of the new, or none of it. */
static int
load_new(struct daemon *d, struct config **config, struct users **users, struct tls **tls, struct why *why)
{
	const char *option;
	struct daemon fresh = { .options = d->options };

	if (daemon_load(&fresh, why) < 0)
		return -1;
	*config = fresh.config;
	option = config_needs_restart(d->config, *config);
	if (option != NULL)
		return fail(why, "%s cannot change while running: restart", option);
	if (confine_check(d, *config, why) < 0)
		return -1;
	if (daemon_check_upstreams(*config, why) < 0 || daemon_load_users(*config, users, why) < 0 ||
	    daemon_load_tls(*config, tls, why) < 0)
		return -1;
	return 0;
}

static void
reload(struct supervisor *s)
{
	struct daemon *d = s->d;
	struct config *config = NULL;
	struct users *users = NULL;
	struct tls *tls = NULL;
	struct why why;
	char text[128];

	if (s->phase != RUNNING)
		return;
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_now_ms() * 1000);
	notify_send(text);
	if (load_new(d, &config, &users, &tls, &why) < 0) {
		log_event(LOG_ERROR, "reload_refused", log_text("reason", why.text), log_text("advice", "the old configuration stays"));
		s->reload_refused = true;
		tell_status(s, "READY=1\n");
		config_unref(&config);
		users_unref(&users);
		tls_unref(&tls);
		return;
	}
	for (unsigned i = 0; i < d->nlistener; i++)
		send_config(get_listener(d, i), config, users, tls);
	send_config(get_queue(d, 0), config, NULL, NULL);
	if (d->web != NULL)
		send_config(web_get_channel(d->web), config, NULL, NULL);
	log_open(config->log.level, config->log.format);
	config_unref(&d->config);
	users_unref(&d->users);
	tls_unref(&d->tls);
	d->config = config;
	d->users = users;
	d->tls = tls;
	log_event(LOG_INFO, "reloaded", log_text("file", config->file));
	daemon_warn(config);
	s->reload_refused = false;
	tell_status(s, "READY=1\n");
}

static void
on_signal(void *arg, int fd)
{
	struct supervisor *s = arg;
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == sizeof info)
		switch (info.ssi_signo) {
		case SIGTERM:
			stop(s, "SIGTERM");
			break;
		case SIGINT:
			stop(s, "SIGINT");
			break;
		case SIGHUP:
			reload(s);
			break;
		default:
			break;		/* SIGUSR1, SIGUSR2: harmless */
		}
}

/* --- the watchdog: systemd restarts us when a loop hangs ------------------------------ */

static struct loop *
get_loop(const struct daemon *d, unsigned n)	/* NULL: there are no more */
{
	if (n == 0)
		return d->queue_part.loop;
	if (--n < d->nlistener)
		return d->listener_part[n].loop;
	n -= d->nlistener;
	if (n < d->nrelay)
		return d->relay_part[n].loop;
	return n == d->nrelay && d->web != NULL ? d->web_part.loop : NULL;
}

static void
on_watchdog(void *arg)
{
	struct supervisor *s = arg;
	int64_t now = clock_now_ms();
	bool alive = true;
	struct loop *l;

	for (unsigned i = 0; (l = get_loop(s->d, i)) != NULL; i++)
		alive = alive && loop_is_alive(l, now, s->watchdog_ms / 2);
	if (alive)
		notify_send("WATCHDOG=1");
	loop_timer(s->d->loop, &s->watchdog, now + s->watchdog_ms / 4);
}

/* Before the threads start: their loops are still ours. */
static void
start_watchdog(struct supervisor *s)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	struct loop *l;
	uint64_t n;

	timer_init(&s->watchdog, on_watchdog, s);
	if (usec == NULL || !str_number(str_of(usec), INT64_MAX, &n) || n < 4000)
		return;
	s->watchdog_ms = (int64_t)(n / 1000);
	if (pid != NULL && (!str_number(str_of(pid), INT32_MAX, &n) || n != (uint64_t)getpid()))
		return;
	for (unsigned i = 0; (l = get_loop(s->d, i)) != NULL; i++)
		loop_beat(l, s->watchdog_ms / 8 + 1);
	loop_timer(s->d->loop, &s->watchdog, clock_now_ms());
}

static int
open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		bug("signalfd: %s", strerror(errno));
	return fd;
}

int
supervise_run(struct daemon *d)
{
	struct supervisor s = { .d = d };
	struct watch *watch;
	struct why why;
	int fd;

	d->channel = channel_new(d->loop, on_memo, &s);
	if (daemon_build(d, &why) < 0)
		return command_fail(1, "%s", why.text);
	fd = open_signals();
	watch = loop_watch(d->loop, fd, on_signal, &s);
	timer_init(&s.limit, on_limit, &s);
	start_watchdog(&s);
	daemon_start(d);
	log_event(LOG_INFO, "started", log_text("version", VERSION), log_text("hostname", d->config->hostname),
	    log_num("listeners", d->nsocket), log_num("threads", d->nlistener), log_num("landlock", d->landlock));
	daemon_warn(d->config);
	tell_status(&s, "READY=1\n");
	loop_run(d->loop);
	daemon_join(d);
	watch_free(&watch);
	close(fd);
	log_event(LOG_INFO, "stopped");
	log_flush();
	return 0;
}
