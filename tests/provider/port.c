/* The ports of the fake provider: opened with their rules, and closed. */
#include "provider/inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
parse_rule(struct rule *r, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n), *end = p + n;
	char head[96], *mark;

	if (colon == NULL || (size_t)(colon - p) >= sizeof head)
		return -1;
	snprintf(head, sizeof head, "%.*s", (int)(colon - p), p);
	*r = (struct rule){ 0 };
	if ((mark = strchr(head, '/')) != NULL) {
		*mark++ = '\0';
		snprintf(r->match, sizeof r->match, "%.63s", mark);
	}
	if ((mark = strchr(head, '#')) != NULL) {
		*mark++ = '\0';
		r->nth = (unsigned)atoi(mark);
	}
	if (strlen(head) >= sizeof r->stage)
		return -1;
	memcpy(r->stage, head, strlen(head) + 1);
	for (colon++; colon < end && *colon == ' '; colon++)
		continue;
	if ((size_t)(end - colon) >= sizeof r->action)
		return -1;
	snprintf(r->action, sizeof r->action, "%.*s", (int)(end - colon), colon);
	return 0;
}

static int
parse_script(struct port *port, const char *script)
{
	const char *p = script != NULL ? script : "";

	while (*p != '\0') {
		size_t n;

		p += strspn(p, "; ");
		n = strcspn(p, ";");
		if (n == 0)
			break;
		if (port->nrule == RULES_MAX || parse_rule(&port->rule[port->nrule], p, n) < 0) {
			fprintf(stderr, "fake-provider: no rule: %.*s\n", (int)n, p);
			return -1;
		}
		port->nrule++;
		p += n;
	}
	return 0;
}

static void
welcome(struct port *port, int fd)
{
	struct provider *p = port->provider;
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL)
		abort();
	c->provider = p;
	c->port = port;
	c->fd = fd;
	pthread_mutex_lock(&p->lock);
	if (port->stopping) {
		pthread_mutex_unlock(&p->lock);
		close(fd);
		free(c);
		return;
	}
	c->number = ++p->nconn;
	port->connections++;
	c->next = p->conn;
	p->conn = c;
	if (pthread_create(&c->thread, NULL, talk_run, c) != 0)
		abort();
	pthread_mutex_unlock(&p->lock);
}

static void *
accept_run(void *arg)
{
	struct port *port = arg;

	for (;;) {
		int fd = accept4(port->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {	/* a flight of several writes would wait for an ACK that is delayed by 40 ms */
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
			welcome(port, fd);
		}
		else if (errno != EINTR && errno != ECONNABORTED)
			return NULL;
	}
}

static socklen_t
make_address(struct sockaddr_storage *sa, const char *address, unsigned port)
{
	struct sockaddr_in *in4 = (void *)sa;
	struct sockaddr_in6 *in6 = (void *)sa;

	memset(sa, 0, sizeof *sa);
	if (inet_pton(AF_INET, address, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		return sizeof *in4;
	}
	if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return sizeof *in6;
	}
	return 0;
}

/* A socket with a backlog of 0 that is full: the kernel drops further SYNs as a firewall would. */
static void
fill(struct port *port, const struct sockaddr *sa, socklen_t len)
{
	for (unsigned i = 0; i < FILLERS; i++) {
		port->filler[i] = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (port->filler[i] >= 0)
			(void)!connect(port->filler[i], sa, len);
	}
}

/* Small segments keep the sender's buffer small, too. */
static void
narrow(struct port *port)
{
	char text[16];

	if (!provider_setting(port, "window", text, sizeof text))
		return;
	setsockopt(port->fd, SOL_SOCKET, SO_RCVBUF, &(int){ atoi(text) }, sizeof(int));
	setsockopt(port->fd, SOL_SOCKET, SO_SNDBUF, &(int){ atoi(text) }, sizeof(int));
	setsockopt(port->fd, IPPROTO_TCP, TCP_MAXSEG, &(int){ 536 }, sizeof(int));
}

static int
open_socket(struct port *port, const char *address)
{
	struct sockaddr_storage sa;
	socklen_t len = make_address(&sa, address, port->number);

	if (len == 0)
		return -1;
	port->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (port->fd < 0)
		return -1;
	setsockopt(port->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	narrow(port);
	if (sa.ss_family == AF_INET6)
		setsockopt(port->fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
	if (bind(port->fd, (struct sockaddr *)&sa, len) < 0 ||
	    getsockname(port->fd, (struct sockaddr *)&sa, &len) < 0)
		return -1;
	port->number = ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port :
	    ((struct sockaddr_in6 *)&sa)->sin6_port);
	if (port->mode == PROVIDER_REFUSE)
		return 0;
	if (listen(port->fd, port->mode == PROVIDER_DROP ? 0 : 128) < 0)
		return -1;
	if (port->mode == PROVIDER_DROP)
		fill(port, (struct sockaddr *)&sa, len);
	return 0;
}

/* Versions that OpenSSL has switched off need more than a higher limit: their signatures are below its security level. */
static void
limit_version(SSL_CTX *ctx, const char *max)
{
	if (strcmp(max, "1.2") == 0) {
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
		return;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	if (SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0") != 1)
		abort();
}

static int
open_tls(struct port *port)
{
	char text[64];

	port->tls = SSL_CTX_new(TLS_server_method());
	if (port->tls == NULL)
		return -1;
	SSL_CTX_set_options(port->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (provider_setting(port, "max", text, sizeof text))
		limit_version(port->tls, text);
	provider_setting(port, "cert", text, sizeof text);
	return cert_install(&port->provider->ca, text, port->tls);
}

void
port_free(struct port *port)
{
	SSL_CTX_free(port->tls);
	if (port->fd >= 0)
		close(port->fd);
	free(port);
}

unsigned
provider_listen(struct provider *p, const char *address, unsigned number, enum provider_mode mode, const char *script)
{
	struct port *port;

	if (number != 0)
		provider_close(p, number);
	port = calloc(1, sizeof *port);
	if (port == NULL)
		abort();
	port->provider = p;
	port->number = number;
	port->mode = mode;
	port->fd = -1;
	for (unsigned i = 0; i < FILLERS; i++)
		port->filler[i] = -1;
	if (p->nport == PORTS_MAX || parse_script(port, script) < 0 || open_tls(port) < 0 ||
	    open_socket(port, address) < 0) {
		fprintf(stderr, "fake-provider: cannot open %s:%u: %s\n", address, number, strerror(errno));
		port_free(port);
		return 0;
	}
	if (mode != PROVIDER_REFUSE && mode != PROVIDER_DROP) {
		if (pthread_create(&port->thread, NULL, accept_run, port) != 0)
			abort();
		port->running = true;
	}
	pthread_mutex_lock(&p->lock);
	p->port[p->nport++] = port;
	pthread_mutex_unlock(&p->lock);
	return port->number;
}

void
port_stop(struct port *port)
{
	struct provider *p = port->provider;

	pthread_mutex_lock(&p->lock);
	port->stopping = true;
	for (struct conn *c = p->conn; c != NULL; c = c->next)
		if (c->port == port && c->fd >= 0)
			shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->lock);
	if (port->running) {
		shutdown(port->fd, SHUT_RDWR);
		pthread_join(port->thread, NULL);
		port->running = false;
	}
	if (port->fd >= 0)
		close(port->fd);
	port->fd = -1;
	for (unsigned i = 0; i < FILLERS; i++) {
		if (port->filler[i] >= 0)
			close(port->filler[i]);
		port->filler[i] = -1;
	}
}

void
provider_close(struct provider *p, unsigned number)
{
	for (unsigned i = 0; i < p->nport; i++)
		if (p->port[i]->number == number && p->port[i]->fd >= 0)
			port_stop(p->port[i]);
}

int
provider_parse_mode(const char *name)
{
	static const char *const names[] = { "none", "starttls", "implicit", "refuse", "drop" };

	for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}
