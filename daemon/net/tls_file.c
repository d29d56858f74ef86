/*
 * Files of certificates and keys.  Those of the local CA lie where the daemon's user may write, and root reads them too
 * (`gatepost ca', `check'): there no link leads anywhere, nothing waits, and what is read belongs to who owns the place.
 */
#include "net/tls_private.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 1 << 20, CHUNK = 1 << 16 };

static int
slurp(int fd, struct buf *out, struct why *why)
{
	for (;;) {
		ssize_t n = read(fd, buf_room(out, CHUNK), CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(why, "%s", strerror(errno));
		out->len += (size_t)n;
		if (out->len > PEM_MAX) {
			errno = EFBIG;
			return fail(why, "longer than %d octets; is it the right file?", PEM_MAX);
		}
		if (n == 0)
			return 0;
	}
}

static int
check_owner(int dir, const struct stat *st, struct why *why)
{
	struct stat up;

	if (fstat(dir, &up) < 0)
		return fail(why, "%s", strerror(errno));
	/* Root may have put it back; a second name for a file of root's is no file of the daemon's. */
	if (st->st_uid == up.st_uid || (st->st_uid == 0 && st->st_nlink == 1))
		return 0;
	errno = EPERM;
	return fail(why, "does not belong to the owner of its directory; remove it, or chown it");
}

int
tls_read_file(int dir, const char *name, bool is_ours, struct buf *out, struct why *why)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (is_ours ? O_NOFOLLOW : 0)), result, error;
	struct stat st;

	if (fd < 0 && errno == ELOOP && is_ours)
		return fail(why, "is a symbolic link, which nobody puts there in good faith; remove it");
	if (fd < 0)
		return fail(why, "%s", strerror(errno));
	if (fstat(fd, &st) < 0) {
		result = fail(why, "%s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		result = fail(why, "is not a regular file%s", is_ours ? "; remove it" : "; name one");
	} else
		result = is_ours && check_owner(dir, &st, why) < 0 ? -1 : slurp(fd, out, why);
	error = errno;
	close(fd);
	errno = error;
	return result;
}

int
tls_open_local(const char *dir, struct why *why)
{
	struct stat st;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail(why, "%s: %s", dir, strerror(errno));
	if (fstat(fd, &st) == 0 && (st.st_mode & 022) == 0)
		return fd;
	close(fd);
	errno = EPERM;
	return fail(why, "%s can be written by others; chmod 700 it", dir);
}

int
tls_read_local(const char *dir, const char *name, struct buf *out, struct why *why)
{
	struct why inner;
	int fd = tls_open_local(dir, why), result, error;

	if (fd < 0)
		return -1;
	result = tls_read_file(fd, name, true, out, &inner);
	error = errno;
	close(fd);
	if (result < 0)
		fail(why, "%s/%s: %s", dir, name, inner.text);
	errno = error;
	return result;
}

/* --- certificates ---------------------------------------------------------------------- */

static int
parse(const struct buf *pem, const char *name, struct tls_certificate *out, struct why *why)
{
	BIO *bio = BIO_new_mem_buf(pem->data != NULL ? pem->data : "", (int)pem->len);
	X509 *x = bio != NULL ? PEM_read_bio_X509(bio, NULL, tls_no_password, NULL) : NULL;

	BIO_free(bio);
	if (x == NULL)
		return fail(why, "no certificate in PEM: %s", tls_reason());
	tls_describe(x, name, NULL, out);
	X509_free(x);
	return 0;
}

int
tls_read_certificate(const char *file, const char *name, struct tls_certificate *out, struct why *why)
{
	struct buf pem = { 0 };
	struct why inner;
	int result = tls_read_file(AT_FDCWD, file, false, &pem, &inner);

	if (result == 0)
		result = parse(&pem, name, out, &inner);
	buf_clear(&pem);
	return result == 0 ? 0 : fail(why, "%s: %s", file, inner.text);
}

int
tls_local_certificate(const char *dir, const char *name, struct tls_certificate *out, struct why *why)
{
	struct buf pem = { 0 };
	struct why inner;
	int result = tls_read_local(dir, "cert.pem", &pem, why);

	if (result == 0 && parse(&pem, name, out, &inner) < 0)
		result = fail(why, "%s/cert.pem: %s", dir, inner.text);
	buf_clear(&pem);
	return result;
}
