/* For tests of TLS: two streams on one loop, contexts for them, a root and a leaf. */
#ifndef UNIT_SUPPORT_TLS_H
#define UNIT_SUPPORT_TLS_H

#include "net/tls_private.h"
#include "support_net.h"
#include "support_certs.h"

static struct loop *l;
static struct end client, server;
static int fd[2];
static struct tls *cs, *ss;	/* contexts of the client and the server */
static struct cert root, leaf;
static struct why why;

static inline void
rig_setup(void)
{
	l = loop_new("test");
	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	fd[0] = fd[1] = -1;
	cert_dir_open();
	root = cert_make(&(struct cert_spec){ .cn = "Test Root", .ca = true }, NULL);
	leaf = cert_make(&(struct cert_spec){ .cn = "mail", .san = "DNS:mail.test" }, &root);
}

static inline void
rig_teardown(void)
{
	end_clear(&client);
	end_clear(&server);
	loop_turn(l, false);
	tls_unref(&cs);
	tls_unref(&ss);
	cert_clear(&leaf);
	cert_clear(&root);
	loop_free(&l);
	cert_dir_remove();
}

static inline struct tls *
rig_server_context(const struct cert *const *chain, const char *id)
{
	struct tls *t = NULL;
	const char *cert = cert_write("cert.pem", chain);
	const char *key = cert_write_key("key.pem", chain[0], NULL);

	ck_assert_msg(tls_server(&t, cert, key, TLS_1_2, id, &why) == 0, "%s", why.text);
	return t;
}

static inline struct tls *
rig_client_context(const struct cert *trusted, bool verify)
{
	struct tls *t = NULL;
	const char *ca = cert_write("ca.pem", (const struct cert *[]){ trusted, NULL });

	ck_assert_msg(tls_client(&t, ca, verify, TLS_1_2, &why) == 0, "%s", why.text);
	return t;
}

static inline void
rig_good_contexts(void)
{
	ss = rig_server_context((const struct cert *[]){ &leaf, NULL }, "a");
	cs = rig_client_context(&root, true);
}

static inline void
rig_open_streams(void)
{
	end_pair(SOCK_STREAM, fd);
	client.s = stream_accept(l, fd[0], end_on, &client);
	server.s = stream_accept(l, fd[1], end_on, &server);
}

static inline void
rig_start_both(const char *name)
{
	rig_open_streams();
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	ck_assert_int_eq(stream_start_tls(client.s, cs, name), 0);
	ck_assert_str_eq(client.diary, "");
}

static inline void
rig_shake_hands(void)
{
	rig_good_contexts();
	rig_start_both("mail.test");
	UNTIL(l, end_has(&client, 'S') && end_has(&server, 'S'));
}

/* --- a client made of OpenSSL by hand ---------------------------------------------- */

static SSL_CTX *hand_ctx;
static SSL *hand;

static inline void
hand_setup(void)
{
	rig_setup();
	rig_good_contexts();
	hand_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(hand_ctx, 0);
	hand = NULL;
}

static inline void
hand_teardown(void)
{
	SSL_free(hand);
	SSL_CTX_free(hand_ctx);
	if (fd[0] >= 0)
		close(fd[0]);
	rig_teardown();
}

static inline void
hand_open(void)
{
	end_pair(SOCK_STREAM, fd);
	server.s = stream_accept(l, fd[1], end_on, &server);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	hand = SSL_new(hand_ctx);
	SSL_set_fd(hand, fd[0]);
	SSL_set_connect_state(hand);
}

/* 1, or what went wrong. */
static inline int
hand_shake(void)
{
	int64_t start = clock_now_ms();

	for (;;) {
		int r = SSL_do_handshake(hand);
		int e = SSL_get_error(hand, r);

		if (r == 1 || (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE))
			return r == 1 ? 1 : -e;
		loop_turn(l, false);
		ck_assert_int_lt(clock_now_ms(), start + 15000);
	}
}

static inline void
hand_close(void)
{
	SSL_shutdown(hand);	/* without it the session counts as bad */
	SSL_free(hand);
	hand = NULL;
	close(fd[0]);
	fd[0] = -1;
	UNTIL(l, server.s == NULL || end_has(&server, 'C') || end_has(&server, 'F'));
	end_clear(&server);
	memset(&server, 0, sizeof server);
}

#endif
