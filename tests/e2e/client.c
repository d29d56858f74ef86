/* The client: blocking sockets, OpenSSL, a minute of patience. */
#include "e2e/world.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	char in[16384];
	size_t len;
	char text[8192], id[32];
};

static bool
secure(struct client *c, const struct world *w)
{
	char ca[128];

	snprintf(ca, sizeof ca, "%s/spool/tls/ca.pem", w->dir);
	c->ctx = SSL_CTX_new(TLS_client_method());
	ck_assert_int_eq(SSL_CTX_load_verify_locations(c->ctx, ca, NULL), 1);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	c->ssl = SSL_new(c->ctx);
	SSL_set1_host(c->ssl, "localhost");
	SSL_set_fd(c->ssl, c->fd);
	return SSL_connect(c->ssl) == 1;
}

int
client_send(struct client *c, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t r = c->ssl != NULL ? SSL_write(c->ssl, bytes, (int)(n > 65536 ? 65536 : n)) :
		    send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (r <= 0)
			return -1;
		bytes += r;
		n -= (size_t)r;
	}
	return 0;
}

static bool
read_more(struct client *c)
{
	ssize_t n;

	if (c->len == sizeof c->in)
		return false;
	n = c->ssl != NULL ? SSL_read(c->ssl, c->in + c->len, (int)(sizeof c->in - c->len)) :
	    recv(c->fd, c->in + c->len, sizeof c->in - c->len, 0);
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	return true;
}

int
client_reply(struct client *c)
{
	size_t at = 0;
	char *queued;

	for (;;) {
		char *end = memmem(c->in + at, c->len - at, "\r\n", 2);
		char *line = c->in + at;

		if (end == NULL) {
			if (!read_more(c))
				return 0;
			continue;
		}
		at = (size_t)(end - c->in) + 2;
		if (end - line >= 4 && line[3] == '-')
			continue;
		break;
	}
	snprintf(c->text, sizeof c->text, "%.*s", (int)at, c->in);
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
	queued = strstr(c->text, "queued as ");
	if (queued != NULL)
		snprintf(c->id, sizeof c->id, "%.13s", queued + 10);
	return atoi(c->text);
}

int
client_ask(struct client *c, const char *bytes)
{
	if (client_send(c, bytes, strlen(bytes)) < 0)
		return 0;
	return client_reply(c);
}

struct client *
client_new(struct world *w, unsigned port, enum client_tls tls)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port) };
	struct timeval patience = { 60, 0 };
	struct client *c = calloc(1, sizeof *c);

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(c->fd, (struct sockaddr *)&sa, sizeof sa) < 0)
		goto fail;
	if (tls == CLIENT_IMPLICIT && !secure(c, w))
		goto fail;
	if (client_reply(c) != 220 || client_ask(c, "EHLO test.example\r\n") != 250)
		goto fail;
	if (tls != CLIENT_STARTTLS)
		return c;
	if (client_ask(c, "STARTTLS\r\n") == 220 && secure(c, w) && client_ask(c, "EHLO test.example\r\n") == 250)
		return c;
fail:
	client_free(&c);
	return NULL;
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;

	if (c == NULL)
		return;
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	free(c);
	*cp = NULL;
}

const char *
client_text(const struct client *c)
{
	return c->text;
}

bool
client_login(struct client *c)
{
	/* \0app\0app-secret */
	return client_ask(c, "AUTH PLAIN AGFwcABhcHAtc2VjcmV0\r\n") == 235;
}

int
client_mail(struct client *c, const char *from, const char *to, const char *text)
{
	char line[600];
	int code;

	snprintf(line, sizeof line, "MAIL FROM:<%s>\r\n", from);
	if ((code = client_ask(c, line)) != 250)
		return code;
	snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", to);
	if ((code = client_ask(c, line)) != 250)
		return code;
	if ((code = client_ask(c, "DATA\r\n")) != 354)
		return code;
	if (client_send(c, text, strlen(text)) < 0)
		return 0;
	return client_ask(c, ".\r\n");
}

const char *
client_id(const struct client *c)
{
	return c->id;
}
