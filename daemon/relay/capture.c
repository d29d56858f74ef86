/* A Maildir as an upstream: tmp/, then new/ when all of it is on the disk. */
#include "relay/capture.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/mem.h"
#include "relay/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

struct capture {
	struct config *config;
	const struct upstream *settings;
	uint32_t lane;
	unsigned count;		/* with the lane's number a name that no other delivery of this process has */
};

enum delivery {
	DELIVERED,
	DISK_FAILED,		/* why */
	UNREADABLE,		/* the spool's copy; why */
	UNCLEAN			/* a bare CR, LF or NUL */
};

/* --- the Maildir ----------------------------------------------------------------- */

static int
sync_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* Made, and its name on the disk; or it is there. */
static int
make_directory(int at, const char *name, const char *parent)
{
	if (mkdirat(at, name, 0700) == 0)
		return sync_directory(at, parent);
	return errno == EEXIST ? 0 : -1;
}

static int
make_top(const char *path)
{
	char *parent = mem_text(path), *slash;
	int rc;

	while ((slash = strrchr(parent, '/')) != NULL && slash != parent && slash[1] == '\0')
		*slash = '\0';
	if (slash != NULL)
		slash[slash == parent] = '\0';
	rc = make_directory(AT_FDCWD, path, slash != NULL ? parent : ".");
	free(parent);
	return rc;
}

/* The Maildir's descriptor; whatever is missing of it is made. */
static int
open_maildir(const char *path, struct why *why)
{
	int dir = -1;

	if (make_top(path) == 0)
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && make_directory(dir, "tmp", ".") == 0 && make_directory(dir, "new", ".") == 0 &&
	    make_directory(dir, "cur", ".") == 0 && faccessat(dir, "tmp", W_OK | X_OK, AT_EACCESS) == 0 &&
	    faccessat(dir, "new", W_OK | X_OK, AT_EACCESS) == 0)
		return dir;
	fail(why, "the Maildir %.90s cannot be used: %s", path, strerror(errno));
	if (dir >= 0)
		close(dir);
	return -1;
}

/* --- a message -------------------------------------------------------------------- */

/* As everybody makes them (time, a part unique to this host, the host), and with the message's id. */
static void
make_name(struct capture *c, const struct job *j, char *out, size_t size)
{
	const char *host = c->config->hostname;
	int64_t now_us = clock_wall_us();
	char id[IDENT_TEXT];
	size_t n;

	ident_print(id, j->id);
	snprintf(out, size, "%lld.M%06dP%dL%uQ%u_%s.", (long long)(now_us / 1000000), (int)(now_us % 1000000), (int)getpid(),
	    c->lane, ++c->count, id);
	for (n = strlen(out); *host != '\0' && n + 1 < size && n < 200; host++)
		out[n++] = *host == '/' || *host == ':' ? '_' : *host;
	out[n] = '\0';
}

static void
put_address(struct buf *out, const char *field, const char *address)
{
	buf_puts(out, field);
	str_safe(out, str_of(address), true);
	buf_putc(out, '\n');
}

/* What a reader cannot see in the message itself. */
static void
put_envelope(struct buf *out, const struct job *j)
{
	buf_puts(out, "Return-Path: <");
	str_safe(out, str_of(j->sender), true);
	buf_puts(out, ">\n");
	for (unsigned i = 0; i < j->nrcpt; i++) {
		const char *to = j->envelope->rcpt[j->rcpt[i]].address;

		put_address(out, "X-Original-To: ", to);
		put_address(out, "Delivered-To: ", to);
	}
}

/* Lines in a Maildir end as all lines on this system do. */
static void
drop_cr(struct buf *b, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < b->len; i++)
		if (b->data[i] != '\r')
			b->data[to++] = b->data[i];
	buf_cut(b, to);
}

static int
write_all(int fd, struct buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	buf_cut(b, 0);
	return 0;
}

static enum delivery
write_message(int fd, struct content *content, const struct job *j, struct why *why)
{
	enum delivery end = DELIVERED;
	enum content_result r;
	struct buf out = { 0 };

	put_envelope(&out, j);
	do {
		size_t from = out.len;

		r = content_pour(content, &out, PIECE, why);
		drop_cr(&out, from);
		if (r == CONTENT_UNREADABLE || r == CONTENT_UNCLEAN)
			end = r == CONTENT_UNREADABLE ? UNREADABLE : UNCLEAN;
		else if (write_all(fd, &out) < 0 || (r == CONTENT_END && fsync(fd) < 0))
			end = DISK_FAILED;
	} while (r == CONTENT_MORE && end == DELIVERED);
	buf_clear(&out);
	return end;
}

/* From tmp/ to new/, for good.  A name that is taken is not taken over. */
static int
publish(int dir, const char *tmp, const char *new)
{
	int error;

	if (renameat2(dir, tmp, dir, new, RENAME_NOREPLACE) < 0 &&
	    (errno != EINVAL || renameat(dir, tmp, dir, new) < 0))
		return -1;
	if (sync_directory(dir, "new") == 0)
		return 0;
	error = errno;
	unlinkat(dir, new, 0);
	errno = error;
	return -1;
}

static enum delivery
deliver(int dir, const char *name, struct content *content, const struct job *j, struct why *why)
{
	char tmp[NAME_MAX + 8], new[NAME_MAX + 8];
	enum delivery end;
	int fd, error;

	snprintf(tmp, sizeof tmp, "tmp/%s", name);
	snprintf(new, sizeof new, "new/%s", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return DISK_FAILED;
	end = write_message(fd, content, j, why);
	error = errno;
	if (close(fd) < 0 && end == DELIVERED) {
		end = DISK_FAILED;
		error = errno;
	}
	if (end == DELIVERED && publish(dir, tmp, new) < 0) {
		end = DISK_FAILED;
		error = errno;
	}
	if (end != DELIVERED)
		unlinkat(dir, tmp, 0);
	errno = error;
	return end;
}

/* --- the answer --------------------------------------------------------------------- */

static void
settle(struct job *j, enum outcome_kind kind, const char *status, const char *text)
{
	for (unsigned i = 0; i < j->nrcpt; i++)
		outcome_set(&j->result[i], kind, 0, status, str_of(text));
}

static void
answer(const struct capture *c, struct job *j, enum delivery end, const char *name, const char *why)
{
	char text[PATH_MAX + NAME_MAX + 64];

	switch (end) {
	case DELIVERED:
		snprintf(text, sizeof text, "captured as %s/new/%s", c->settings->capture, name);
		settle(j, OUTCOME_SENT, "2.0.0", text);
		break;
	case DISK_FAILED:	/* it is the Maildir that fails, not the message: the others wait too */
		settle(j, OUTCOME_DEFER, "4.3.1", why);
		j->upstream = UPSTREAM_BUSY;
		break;
	case UNREADABLE:
		settle(j, OUTCOME_DEFER, "4.3.0", why);
		j->body_damaged = true;
		break;
	case UNCLEAN:
		settle(j, OUTCOME_REFUSE, "5.6.0", "the message has a bare CR, LF or NUL, and cannot be sent");
		break;
	}
}

static enum delivery
run(struct capture *c, struct job *j, const char *name, struct why *why)
{
	const char *path = c->settings->capture;
	struct content content;
	unsigned *rcpt = mem_array(j->nrcpt, sizeof *rcpt);
	enum delivery end = UNREADABLE;
	int dir;

	for (unsigned i = 0; i < j->nrcpt; i++)
		rcpt[i] = i;
	content_init(&content, j->body);
	if (edit_content(&content, j, rcpt, j->nrcpt, c->config, c->settings, why) == 0 &&
	    content_start(&content, true, why) == 0) {
		dir = open_maildir(path, why);
		end = dir < 0 ? DISK_FAILED : deliver(dir, name, &content, j, why);
		if (dir >= 0 && end == DISK_FAILED)
			fail(why, "%.90s cannot be written: %s", path, strerror(errno));
		if (dir >= 0)
			close(dir);
	}
	content_clear(&content);
	free(rcpt);
	return end;
}

void
capture_deliver(struct capture *c, struct job *j)
{
	int64_t began_ms = clock_now_ms();
	struct why why = { "" };
	char name[NAME_MAX];

	make_name(c, j, name, sizeof name);
	snprintf(j->peer.upstream, sizeof j->peer.upstream, "%s", c->settings->name);
	answer(c, j, run(c, j, name, &why), name, why.text);
	j->took_ms = clock_now_ms() - began_ms;
}

/* --- life ---------------------------------------------------------------------------- */

int
capture_open(struct capture **out, const struct open *o, struct why *why)
{
	int dir = open_maildir(o->settings->capture, why);
	struct capture *c;

	if (dir < 0)
		return -1;
	close(dir);
	c = mem_zero(sizeof *c);
	c->config = config_ref(o->config);
	c->settings = o->settings;
	c->lane = o->lane;
	*out = c;
	return 0;
}

void
capture_close(struct capture **cp)
{
	struct capture *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	config_unref(&c->config);
	free(c);
}
