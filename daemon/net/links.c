/* The machine's network changing: two rtnetlink sockets, one for events, one that is asked. */
#include "net/links.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SETTLE_MS = 1000,	/* after the first event: a change is many of them */
	BROKEN_MS = 5000,	/* after an answer that was none */
	DATAGRAM = 8192,	/* what the kernel puts together at most, unless told otherwise */
	READS = 16		/* datagrams in one turn */
};

enum stage { RESTING, ADDRESSES, ROUTES };

struct links {
	struct loop *loop;
	int fd[2];		/* events, answers */
	struct watch *watch[2];
	void (*changed)(void *arg);
	void *arg;
	struct timer look;
	enum stage stage;
	uint32_t seq;		/* of the question that is being answered */
	bool broken, known;
	struct links_sum now, before;
};

enum { EVENTS, ANSWERS };

/* --- what a datagram says --------------------------------------------------------- */

/* An attribute; false at the end, with something left if it makes no sense. */
static bool
next_attribute(struct str *rest, unsigned *type, struct str *data)
{
	struct rtattr head;
	size_t whole;

	if (rest->n < sizeof head)
		return false;
	memcpy(&head, rest->p, sizeof head);
	if (head.rta_len < sizeof head || head.rta_len > rest->n)
		return false;
	*type = head.rta_type & (unsigned)NLA_TYPE_MASK;
	*data = (struct str){ rest->p + sizeof head, head.rta_len - sizeof head };
	whole = RTA_ALIGN((size_t)head.rta_len);
	*rest = str_from(*rest, whole < rest->n ? whole : rest->n);
	return true;
}

/* FNV-1a: only root can choose what goes in here. */
static void
mix(uint64_t *hash, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ p[i]) * 0x100000001b3;
}

static void
mix_attribute(uint64_t *hash, unsigned type, struct str data)
{
	uint32_t head[2] = { type, (uint32_t)data.n };

	mix(hash, head, sizeof head);
	mix(hash, data.p, data.n);
}

static unsigned
add(struct links_sum *s, uint64_t hash)
{
	hash ^= hash >> 29;	/* so that the sum depends on every bit */
	s->sum += hash * 0xbf58476d1ce4e5b9;
	s->n++;
	return LINKS_MATTERS;
}

/* Lifetimes are left out, and so are addresses that are made anew each day beside one that stays (RFC 8981). */
static unsigned
read_address(struct str body, bool comes, struct links_sum *s)
{
	struct ifaddrmsg head;
	uint64_t hash = 0xcbf29ce484222325;
	struct str data;
	uint32_t flags, what[4];
	unsigned type;

	if (body.n < sizeof head)
		return LINKS_BROKEN;
	memcpy(&head, body.p, sizeof head);
	body = str_from(body, sizeof head);
	if ((head.ifa_family != AF_INET && head.ifa_family != AF_INET6) || head.ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	flags = head.ifa_flags;
	what[0] = RTM_NEWADDR;
	what[1] = head.ifa_family;
	what[2] = head.ifa_prefixlen;
	what[3] = head.ifa_index;
	mix(&hash, what, sizeof what);
	while (next_attribute(&body, &type, &data)) {
		if (type == IFA_ADDRESS || type == IFA_LOCAL)
			mix_attribute(&hash, type, data);
		else if (type == IFA_FLAGS && data.n == sizeof flags)
			memcpy(&flags, data.p, sizeof flags);
	}
	if (body.n > 0)
		return LINKS_BROKEN;
	if (head.ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0)
		return 0;
	if (comes && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0)
		return 0;		/* not usable, or not yet: that is told again */
	return add(s, hash);
}

/* A VPN takes over by two halves of the world, and IPv6's is at times 2000::/3. */
static bool
is_way_out(const struct rtmsg *r)
{
	return r->rtm_type == RTN_UNICAST && r->rtm_table != RT_TABLE_LOCAL && (r->rtm_flags & RTM_F_CLONED) == 0 &&
	    ((r->rtm_family == AF_INET && r->rtm_dst_len <= 1) || (r->rtm_family == AF_INET6 && r->rtm_dst_len <= 3));
}

static unsigned
read_route(struct str body, struct links_sum *s)
{
	struct rtmsg head;
	uint64_t hash = 0xcbf29ce484222325;
	struct str data;
	uint32_t what[3];
	unsigned type;

	if (body.n < sizeof head)
		return LINKS_BROKEN;
	memcpy(&head, body.p, sizeof head);
	body = str_from(body, sizeof head);
	if (!is_way_out(&head))
		return 0;
	what[0] = RTM_NEWROUTE;
	what[1] = head.rtm_family;
	what[2] = head.rtm_dst_len;
	mix(&hash, what, sizeof what);
	while (next_attribute(&body, &type, &data)) {
		switch (type) {
		case RTA_DST:
		case RTA_OIF:
		case RTA_GATEWAY:
		case RTA_VIA:
		case RTA_PRIORITY:
		case RTA_TABLE:
		case RTA_MULTIPATH:
		case RTA_PREFSRC:
			mix_attribute(&hash, type, data);
		}
	}
	return body.n > 0 ? LINKS_BROKEN : add(s, hash);
}

/* The end of an answer: an error, or 0. */
static unsigned
read_end(struct str body)
{
	int error = 0;

	if (body.n >= sizeof error)
		memcpy(&error, body.p, sizeof error);
	return error < 0 ? LINKS_DONE | LINKS_BROKEN : LINKS_DONE;
}

static unsigned
read_message(const struct nlmsghdr *h, struct str body, struct links_sum *s)
{
	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return read_address(body, h->nlmsg_type == RTM_NEWADDR, s);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return read_route(body, s);
	case NLMSG_DONE:
		return read_end(body);
	case NLMSG_ERROR:
		return LINKS_DONE | LINKS_BROKEN;
	case NLMSG_OVERRUN:
		return LINKS_BROKEN;
	default:
		return 0;
	}
}

unsigned
links_read(struct str rest, uint32_t seq, struct links_sum *s)
{
	unsigned said = 0;

	while (rest.n > 0) {
		struct nlmsghdr h;
		size_t whole;

		if (rest.n < sizeof h)
			return said | LINKS_BROKEN;
		memcpy(&h, rest.p, sizeof h);
		if (h.nlmsg_len < sizeof h || h.nlmsg_len > rest.n)
			return said | LINKS_BROKEN;
		if (seq == 0 || h.nlmsg_seq == seq) {
			said |= (h.nlmsg_flags & NLM_F_DUMP_INTR) != 0 ? LINKS_BROKEN : 0;
			said |= read_message(&h, (struct str){ rest.p + sizeof h, h.nlmsg_len - sizeof h }, s);
		}
		whole = NLMSG_ALIGN((size_t)h.nlmsg_len);
		rest = str_from(rest, whole < rest.n ? whole : rest.n);
	}
	return said;
}

/* --- asking ------------------------------------------------------------------------ */

static void
look_in(struct links *l, int64_t ms)
{
	if (!heap_has(&l->look.node))
		loop_timer(l->loop, &l->look, loop_now_ms(l->loop) + ms);
}

static void
ask(struct links *l, enum stage stage)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct { struct nlmsghdr h; struct rtgenmsg g; } m = { .g.rtgen_family = AF_UNSPEC };

	if (++l->seq == 0)
		l->seq = 1;
	m.h.nlmsg_len = sizeof m;
	m.h.nlmsg_type = stage == ADDRESSES ? RTM_GETADDR : RTM_GETROUTE;
	m.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	m.h.nlmsg_seq = l->seq;
	l->stage = stage;
	if (sendto(l->fd[ANSWERS], &m, sizeof m, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0) {
		l->stage = RESTING;
		look_in(l, BROKEN_MS);
	}
}

static void
on_look(void *arg)
{
	struct links *l = arg;

	if (l->stage != RESTING) {	/* what is being told may be old already */
		look_in(l, SETTLE_MS);
		return;
	}
	l->now = (struct links_sum){ 0 };
	l->broken = false;
	ask(l, ADDRESSES);
}

static void
compare(struct links *l)
{
	bool same = l->now.sum == l->before.sum && l->now.n == l->before.n;
	bool known = l->known;

	l->stage = RESTING;
	if (l->broken) {
		look_in(l, BROKEN_MS);
		return;
	}
	l->before = l->now;
	l->known = true;
	if (known && !same)
		l->changed(l->arg);
}

/* --- reading ------------------------------------------------------------------------ */

/* The socket does not work any more: nothing is watched from now on. */
static void
give_up(struct links *l, int which)
{
	log_event(LOG_WARNING, "network_unwatched", log_text("reason", strerrordesc_np(errno)));
	watch_free(&l->watch[which]);
}

/* 0: there is nothing to read now.  Else *said; 1 tells that it was read. */
static int
take(struct links *l, int which, unsigned *said)
{
	struct links_sum unused = { 0 };
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof from;
	_Alignas(struct nlmsghdr) char bytes[DATAGRAM];
	ssize_t n = recvfrom(l->fd[which], bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &len);

	*said = 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno != ENOBUFS) {
		give_up(l, which);
		return 0;
	}
	if (n < 0 || (size_t)n > sizeof bytes)	/* events were lost */
		*said = LINKS_BROKEN | LINKS_DONE;
	else if (from.nl_pid == 0)		/* the kernel's own */
		*said = links_read((struct str){ bytes, (size_t)n }, which == ANSWERS ? l->seq : 0,
		    which == ANSWERS ? &l->now : &unused);
	return 1;
}

static void
on_event(void *arg, int fd)
{
	struct links *l = arg;
	unsigned said;

	(void)fd;
	for (int i = 0; i < READS && take(l, EVENTS, &said); i++)
		if (said != 0)
			look_in(l, SETTLE_MS);
}

static void
on_answer(void *arg, int fd)
{
	struct links *l = arg;
	unsigned said;

	(void)fd;
	for (int i = 0; i < READS && take(l, ANSWERS, &said); i++) {
		l->broken |= (said & LINKS_BROKEN) != 0;
		if ((said & LINKS_DONE) == 0 || l->stage == RESTING)
			continue;
		if (l->stage == ADDRESSES && !l->broken) {
			ask(l, ROUTES);
		} else {
			compare(l);
			return;		/* whoever was told may have stopped us */
		}
	}
}

/* --- life ---------------------------------------------------------------------------- */

static int
open_socket(unsigned groups)
{
	const struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&own, sizeof own) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

struct links *
links_start(struct loop *loop, void (*changed)(void *arg), void *arg, struct why *why)
{
	struct links *l = mem_zero(sizeof *l);

	l->loop = loop;
	l->changed = changed;
	l->arg = arg;
	timer_init(&l->look, on_look, l);
	l->fd[EVENTS] = open_socket(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	l->fd[ANSWERS] = l->fd[EVENTS] >= 0 ? open_socket(0) : -1;
	if (l->fd[ANSWERS] < 0) {
		(void)fail(why, "no rtnetlink socket: %s", strerror(errno));
		links_stop(&l);
		return NULL;
	}
	l->watch[EVENTS] = loop_watch(loop, l->fd[EVENTS], on_event, l);
	l->watch[ANSWERS] = loop_watch(loop, l->fd[ANSWERS], on_answer, l);
	on_look(l);
	return l;
}

void
links_stop(struct links **lp)
{
	struct links *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	loop_cancel(l->loop, &l->look);
	for (int i = 0; i < 2; i++) {
		watch_free(&l->watch[i]);
		if (l->fd[i] >= 0)
			close(l->fd[i]);
	}
	loop_bury(l->loop, l, free);
}
