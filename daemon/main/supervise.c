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
	unsigned configs_out;		/* CONFIG that are not in use yet */
	struct reload *asked;		/* by an operator, who is answered when none is */
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

/* Each says when it uses it (CONFIGURED). */
static void
send_config(struct supervisor *s, struct channel *c, bool listens)
{
	struct daemon *d = s->d;
	struct config_memo *m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);

	m->back = d->channel;
	m->config = config_ref(d->config);
	m->users = listens && d->users != NULL ? users_ref(d->users) : NULL;
	m->tls = listens && d->tls != NULL ? tls_ref(d->tls) : NULL;
	s->configs_out++;
	memo_post(c, &m->memo);
}

static void
send_configs(struct supervisor *s)
{
	struct daemon *d = s->d;

	for (unsigned i = 0; i < d->nlistener; i++)
		send_config(s, get_listener(d, i), true);
	send_config(s, get_queue(d, 0), false);
	if (d->web != NULL)
		send_config(s, web_get_channel(d->web), false);
}

/* All of the new, or none of it: 0, or the exit status for who asked. */
static int
load_new(const struct daemon *d, struct daemon *fresh, struct why *why)
{
	const char *option;

	if (daemon_load(fresh, why) < 0)
		return 78;
	option = config_needs_restart(d->config, fresh->config);
	if (option != NULL) {
		fail(why, "%s cannot change while running: restart", option);
		return 1;
	}
	if (confine_check(d, fresh->config, why) < 0)
		return 1;
	if (daemon_check_upstreams(fresh->config, why) < 0 || daemon_load_users(fresh->config, &fresh->users, why) < 0 ||
	    daemon_load_tls(fresh->config, &fresh->tls, why) < 0)
		return 78;
	return 0;
}

static void
drop(struct daemon *d)
{
	config_unref(&d->config);
	users_unref(&d->users);
	tls_unref(&d->tls);
}

static int
reload(struct supervisor *s, struct why *why)
{
	struct daemon *d = s->d, fresh = { .options = d->options };
	char text[128];
	int status;

	if (s->phase != RUNNING) {
		fail(why, "the daemon is stopping; the next one reads the file when it starts");
		return 1;
	}
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_now_ms() * 1000);
	notify_send(text);
	status = load_new(d, &fresh, why);
	s->reload_refused = status != 0;
	if (status != 0) {
		log_event(LOG_ERROR, "reload_refused", log_text("reason", why->text), log_text("advice", "the old configuration stays"));
		drop(&fresh);
	} else {
		drop(d);
		d->config = fresh.config;
		d->users = fresh.users;
		d->tls = fresh.tls;
		send_configs(s);
		log_open(d->config->log.level, d->config->log.format);
		log_event(LOG_INFO, "reloaded", log_text("file", d->config->file));
		daemon_warn(d->config);
	}
	tell_status(s, "READY=1\n");
	return status;
}

static void
answer(struct supervisor *s)
{
	struct reload *r = s->asked;

	if (r == NULL || s->configs_out > 0)
		return;
	s->asked = NULL;
	r->memo.kind = MEMO_RELOADED;
	memo_post(r->back, &r->memo);
}

/* The control room asks for one at a time. */
static void
reload_for(struct supervisor *s, struct reload *r)
{
	struct why why;

	if (s->asked != NULL)
		bug("asked to reload before the last one was answered");
	r->status = reload(s, &why);
	if (r->status == 0)
		snprintf(r->text, sizeof r->text, "%s", s->d->config->file);
	else
		snprintf(r->text, sizeof r->text, "%s%s", why.text, s->phase == RUNNING ? "; the old configuration stays" : "");
	s->asked = r;
	answer(s);
}

/* --- memos and signals -------------------------------------------------------------- */

static void
on_memo(void *arg, struct link *l)
{
	struct supervisor *s = arg;
	struct memo *m = container_of(l, struct memo, link);

	switch (m->kind) {
	case MEMO_RELOAD:
		reload_for(s, (struct reload *)m);
		return;
	case MEMO_CONFIGURED:
		s->configs_out--;
		answer(s);
		break;
	case MEMO_DRAINED:
		if (s->awaited > 0 && --s->awaited == 0)
			next_phase(s);
		break;
	case MEMO_HEADLINE:
		memcpy(s->headline, container_of(m, struct headline_memo, memo)->text, sizeof s->headline);
		tell_status(s, "");
		break;
	default:
		bug("main: memo %d is not for us", m->kind);
	}
	free(m);
}

static void
on_signal(void *arg, int fd)
{
	struct supervisor *s = arg;
	struct signalfd_siginfo info;
	struct why why;

	while (read(fd, &info, sizeof info) == sizeof info)
		switch (info.ssi_signo) {
		case SIGTERM:
			stop(s, "SIGTERM");
			break;
		case SIGINT:
			stop(s, "SIGINT");
			break;
		case SIGHUP:
			reload(s, &why);	/* which has told the log */
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
	channel_drain(d->channel);	/* who asks for a reload now is refused */
	watch_free(&watch);
	close(fd);
	log_event(LOG_INFO, "stopped");
	log_flush();
	return 0;
}
