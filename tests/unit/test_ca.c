/* The local CA, judged by OpenSSL's own tool and by a real handshake. */
#include "net/tls.h"

#include "support_net.h"
#include "support_certs.h"

#include <sys/stat.h>

static struct why why;
static bool made;

static void
make(const char *hostname, bool renew)
{
	ck_assert_msg(tls_local_ca(cert_path("tls"), hostname, renew, &made, &why) == 0, "%s", why.text);
}

static char *
read_file(const char *name)
{
	FILE *f = fopen(cert_path(name), "r");
	char *text = mem_zero(8192);

	ck_assert_msg(f != NULL, "%s", name);
	ck_assert_uint_gt(fread(text, 1, 8191, f), 0);
	fclose(f);
	return text;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(cert_path(name), &st), 0);
	return st.st_mode & 0777;
}

/* What a command prints, or its failure. */
static char *
output_of(const char *fmt, ...) like_printf(1, 2);

static char *
output_of(const char *fmt, ...)
{
	char command[600];
	char *text = mem_zero(16384);
	va_list ap;
	FILE *p;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_gt(fread(text, 1, 16383, p), 0);
	if (pclose(p) != 0)
		strcat(text, "(failed)");
	return text;
}

static void
says(char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "no \"%s\" in: %s", what, text);
	free(text);
}

START_TEST(files_and_modes)
{
	umask(0);
	make("box.example.com", false);
	ck_assert(made);
	ck_assert_uint_eq(mode_of("tls"), 0700);
	ck_assert_uint_eq(mode_of("tls/key.pem"), 0600);
	ck_assert_uint_eq(mode_of("tls/cert.pem"), 0644);
	ck_assert_uint_eq(mode_of("tls/ca.pem"), 0644);
	ck_assert_int_ne(access(cert_path("tls/key.pem.new"), F_OK), 0);
	says(output_of("ls -A %s | wc -l", cert_path("tls")), "3");
	/* One key only, and it is the server's. */
	says(output_of("cat %s/* | grep -c 'PRIVATE KEY'", cert_path("tls")), "2\n");
}
END_TEST

static const struct {
	const char *how;
	bool ok;
} verifications[] = {
	{ "-verify_hostname localhost", true },
	{ "-verify_hostname box.example.com", true },
	{ "-verify_ip 127.0.0.1", true },
	{ "-verify_ip ::1", true },
	{ "-verify_hostname other.example.com", false },
	{ "-verify_ip 127.0.0.2", false },
	{ "-purpose sslclient", false },
};

START_TEST(openssl_verifies_it)
{
	char *text;

	make("box.example.com", false);
	text = output_of("openssl verify -x509_strict -purpose sslserver -CAfile %s/ca.pem %s %s/cert.pem 2>&1",
	    cert_path("tls"), verifications[_i].how, cert_path("tls"));
	ck_assert_msg((strstr(text, "cert.pem: OK") != NULL) == verifications[_i].ok, "%s", text);
	free(text);
}
END_TEST

static const struct {
	const char *file, *text;
} contents[] = {
	{ "ca.pem", "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0" },
	{ "ca.pem", "X509v3 Name Constraints: critical\n                Permitted:\n"
	    "                  DNS:localhost\n                  DNS:box.example.com\n"
	    "                  IP:127.0.0.0/255.0.0.0\n"
	    "                  IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF\n" },
	{ "ca.pem", "X509v3 Key Usage: critical\n                Certificate Sign\n" },
	{ "ca.pem", "Subject: O = gatepost, CN = gatepost local CA of box.example.com" },
	{ "ca.pem", "NIST CURVE: P-256" },
	{ "cert.pem", "X509v3 Subject Alternative Name: \n"
	    "                DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:box.example.com" },
	{ "cert.pem", "X509v3 Basic Constraints: critical\n                CA:FALSE" },
	{ "cert.pem", "X509v3 Key Usage: critical\n                Digital Signature\n" },
	{ "cert.pem", "TLS Web Server Authentication\n" },
	{ "cert.pem", "X509v3 Authority Key Identifier" },
	{ "cert.pem", "X509v3 Subject Key Identifier" },
	{ "cert.pem", "NIST CURVE: P-256" },
};

START_TEST(what_is_in_them)
{
	make("box.example.com", false);
	says(output_of("openssl x509 -noout -text -in %s/%s", cert_path("tls"), contents[_i].file),
	    contents[_i].text);
}
END_TEST

START_TEST(ten_years)
{
	static const char *const files[] = { "tls/ca.pem", "tls/cert.pem" };
	struct tls_certificate out;

	make("localhost", false);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(tls_read_certificate(cert_path(files[i]), "localhost", &out, &why), 0);
		ck_assert_int_gt(out.not_after_wall_s, clock_wall_s() + 3651LL * 86400);
		ck_assert_int_lt(out.not_after_wall_s, clock_wall_s() + 3653LL * 86400);
	}
}
END_TEST

START_TEST(kept_unless_renewed)
{
	char *first, *again;

	make("localhost", false);
	first = read_file("tls/cert.pem");
	make("localhost", false);
	ck_assert(!made);
	again = read_file("tls/cert.pem");
	ck_assert_str_eq(first, again);
	free(again);
	make("localhost", true);
	ck_assert(made);
	again = read_file("tls/cert.pem");
	ck_assert_str_ne(first, again);
	free(again);
	free(first);
}
END_TEST

/* What a crash between two renames leaves, and other sorrows. */
START_TEST(torn_sets_are_made_anew)
{
	static const char *const lost[] = { "tls/key.pem", "tls/cert.pem", "tls/ca.pem" };
	char *old, *whole;
	FILE *f;

	make("localhost", false);
	old = read_file(lost[_i % 3]);
	make("localhost", true);
	f = fopen(cert_path(lost[_i % 3]), "w");
	fputs(_i < 3 ? old : "", f);
	fclose(f);
	if (_i >= 6)
		unlink(cert_path(lost[_i % 3]));
	free(old);
	make("localhost", false);
	ck_assert(made);
	make("localhost", false);
	ck_assert(!made);
	whole = output_of("openssl verify -CAfile %s/ca.pem %s/cert.pem 2>&1", cert_path("tls"),
	    cert_path("tls"));
	says(whole, "OK");
}
END_TEST

START_TEST(strange_hostnames_are_refused)
{
	static const char *const names[] = { "", "a,permitted;DNS:evil.test", "a b", "a\nb", "*", "a:b",
	    "\xc3\xa4.test" };

	ck_assert_int_eq(tls_local_ca(cert_path("tls"), names[_i], false, &made, &why), -1);
	ck_assert(!made);
	ck_assert_int_ne(access(cert_path("tls"), F_OK), 0);
}
END_TEST

START_TEST(long_hostnames)
{
	char name[254];

	memset(name, 'a', sizeof name);
	for (size_t i = 50; i < sizeof name; i += 50)
		name[i] = '.';
	name[253] = '\0';
	make(name, false);
	says(output_of("openssl verify -CAfile %s/ca.pem -verify_hostname %s %s/cert.pem 2>&1",
	    cert_path("tls"), name, cert_path("tls")), "OK");
}
END_TEST

START_TEST(folder_that_cannot_be)
{
	ck_assert_int_eq(tls_local_ca("/nonexistent/tls", "localhost", false, &made, &why), -1);
	ck_assert_msg(strstr(why.text, "/nonexistent/tls: No such file") != NULL ||
	    strstr(why.text, "cannot make /nonexistent/tls") != NULL, "%s", why.text);
	cert_write_text("tls", "a file");
	ck_assert_int_eq(tls_local_ca(cert_path("tls"), "localhost", false, &made, &why), -1);
	ck_assert_msg(strstr(why.text, "Not a directory") != NULL, "%s", why.text);
}
END_TEST

/* What the owner of the directory may have put there: it leads nobody anywhere, and makes nobody wait (C-30, D-30). */
static const struct {
	const char *how;	/* in the directory of certificates */
	const char *why;
} planted[] = {
	{ "mv tls/ca.pem kept && ln -s ../kept tls/ca.pem", "ca.pem: is a symbolic link" },
	{ "rm tls/ca.pem && mkfifo tls/ca.pem", "ca.pem: is not a regular file" },
	{ "rm tls/ca.pem && mkdir tls/ca.pem", "ca.pem: is not a regular file" },
	{ "truncate -s 2000000 tls/ca.pem", "ca.pem: longer than" },
	{ "mv tls kept && ln -s kept tls", "Not a directory" },
	{ "chmod 777 tls", "chmod 700" },
	/* these need root */
	{ "chown 1 tls/ca.pem", "ca.pem: does not belong to the owner" },
	{ "chown -R 1 tls && touch kept && ln -f kept tls/ca.pem", "ca.pem: does not belong to the owner" },
};
enum { PLANTED = sizeof planted / sizeof planted[0], PLANTED_BY_ROOT = 2 };

START_TEST(what_was_planted_is_not_read)
{
	struct buf pem = { 0 };
	char command[300];

	if (_i >= PLANTED - PLANTED_BY_ROOT && geteuid() != 0)
		return;
	make("localhost", false);
	ck_assert_int_eq(tls_read_local(cert_path("tls"), "ca.pem", &pem, &why), 0);
	ck_assert_ptr_nonnull(strstr(pem.data, "-----BEGIN CERTIFICATE-----"));
	buf_clear(&pem);
	snprintf(command, sizeof command, "cd %s && %s", cert_path("."), planted[_i].how);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(tls_read_local(cert_path("tls"), "ca.pem", &pem, &why), -1);
	ck_assert_msg(strstr(why.text, planted[_i].why) != NULL, "%s", why.text);
	buf_clear(&pem);
	ck_assert_int_eq(tls_local_ca(cert_path("tls"), "localhost", false, &made, &why), -1);
	ck_assert_msg(strstr(why.text, planted[_i].why) != NULL, "%s", why.text);
}
END_TEST

START_TEST(a_planted_key_or_certificate_makes_nobody_wait)
{
	struct tls_certificate cert;

	make("localhost", false);
	ck_assert_int_eq(unlink(cert_path("tls/key.pem")), 0);
	ck_assert_int_eq(mkfifo(cert_path("tls/key.pem"), 0600), 0);
	ck_assert_int_eq(tls_local_ca(cert_path("tls"), "localhost", false, &made, &why), -1);
	ck_assert_msg(strstr(why.text, "key.pem: is not a regular file") != NULL, "%s", why.text);
	ck_assert_int_eq(unlink(cert_path("tls/cert.pem")), 0);
	ck_assert_int_eq(mkfifo(cert_path("tls/cert.pem"), 0600), 0);
	ck_assert_int_eq(tls_local_certificate(cert_path("tls"), NULL, &cert, &why), -1);
	ck_assert_int_eq(tls_read_certificate(cert_path("tls/cert.pem"), NULL, &cert, &why), -1);
	ck_assert_msg(strstr(why.text, "is not a regular file") != NULL, "%s", why.text);
}
END_TEST

START_TEST(a_handshake_with_it)
{
	struct loop *l = loop_new("test");
	struct end client = { 0 }, server = { 0 };
	struct tls *ss, *cs;
	int fd[2];

	make("box.example.com", false);
	ck_assert_int_eq(tls_server(&ss, cert_path("tls/cert.pem"), cert_path("tls/key.pem"),
	    TLS_1_2, "a", &why), 0);
	ck_assert_int_eq(tls_client(&cs, cert_path("tls/ca.pem"), true, TLS_1_2, &why), 0);
	end_pair(SOCK_STREAM, fd);
	client.s = stream_accept(l, fd[0], end_on, &client);
	server.s = stream_accept(l, fd[1], end_on, &server);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	ck_assert_int_eq(stream_start_tls(client.s, cs, _i == 0 ? "localhost" : "127.0.0.1"), 0);
	UNTIL(l, end_has(&client, 'S') && end_has(&server, 'S'));
	end_clear(&client);
	end_clear(&server);
	loop_turn(l, false);
	tls_unref(&ss);
	tls_unref(&cs);
	loop_free(&l);
}
END_TEST

Suite *test_ca(void);
Suite *
test_ca(void)
{
	Suite *s = suite_create("test_ca");
	TCase *tc = tcase_create("ca");

	tcase_add_checked_fixture(tc, cert_dir_open, cert_dir_remove);
	tcase_add_test(tc, files_and_modes);
	tcase_add_loop_test(tc, openssl_verifies_it, 0, sizeof verifications / sizeof verifications[0]);
	tcase_add_loop_test(tc, what_is_in_them, 0, sizeof contents / sizeof contents[0]);
	tcase_add_test(tc, ten_years);
	tcase_add_test(tc, kept_unless_renewed);
	tcase_add_loop_test(tc, torn_sets_are_made_anew, 0, 9);
	tcase_add_loop_test(tc, strange_hostnames_are_refused, 0, 7);
	tcase_add_test(tc, long_hostnames);
	tcase_add_test(tc, folder_that_cannot_be);
	tcase_add_loop_test(tc, what_was_planted_is_not_read, 0, PLANTED);
	tcase_add_test(tc, a_planted_key_or_certificate_makes_nobody_wait);
	tcase_add_loop_test(tc, a_handshake_with_it, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
