/*
 * Looks out for changes of the files with secrets, so that a pause after a refused login ends when the right one is
 * written.  Directories are watched: a file may be written in place or replaced by rename.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"

enum { EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF, FILES = 3 };

struct folder {
	int wd;
	char *path;
};

struct lookout {
	int fd;
	struct watch *watch;
	struct folder *folder;
	unsigned n;
};

/* What this upstream's secret is made of; "" where it is not. */
static const char *
file_of(const struct upstream *u, unsigned i)
{
	const char *const files[FILES] = { u->password_file, u->oauth2.client_secret_file, u->oauth2.refresh_token_file };

	return u->auth != AUTH_NONE ? files[i] : "";
}

static bool
is_file_in(const char *file, const char *folder, const char *name)
{
	size_t n = strlen(folder);

	return strncmp(file, folder, n) == 0 && file[n] == '/' && strcmp(file + n + 1, name) == 0;
}

static void
forget_folders(struct lookout *k)
{
	for (unsigned i = 0; i < k->n; i++) {
		if (k->folder[i].wd >= 0)
			(void)inotify_rm_watch(k->fd, k->folder[i].wd);
		free(k->folder[i].path);
	}
	free(k->folder);
	k->folder = NULL;
	k->n = 0;
}

static void
add_folder(struct lookout *k, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *path = slash != NULL ? mem_textn(file, (size_t)(slash - file)) : NULL;

	if (path == NULL)
		return;
	for (unsigned i = 0; i < k->n; i++)
		if (strcmp(k->folder[i].path, path) == 0) {
			free(path);
			return;
		}
	k->folder = mem_resize(k->folder, k->n + 1, sizeof *k->folder);
	k->folder[k->n].wd = inotify_add_watch(k->fd, path[0] != '\0' ? path : "/", EVENTS | IN_ONLYDIR);
	k->folder[k->n++].path = path;
}

static void
watch_folders(struct queue *q)
{
	struct lookout *k = q->lookout;

	forget_folders(k);
	for (unsigned i = 0; i < q->ngateway; i++)
		for (unsigned f = 0; f < FILES && q->gateway[i]->settings != NULL; f++)
			add_folder(k, file_of(q->gateway[i]->settings, f));
}

/* name NULL: anything may have changed. */
static void
tell(struct queue *q, const char *folder, const char *name)
{
	for (unsigned i = 0; i < q->ngateway; i++) {
		struct gateway *g = q->gateway[i];
		bool mine = false;

		for (unsigned f = 0; f < FILES && g->settings != NULL; f++) {
			const char *file = file_of(g->settings, f);

			mine |= file[0] != '\0' && (name == NULL || is_file_in(file, folder, name));
		}
		if (mine)
			credential_changed(g);
	}
}

static void
on_one(struct queue *q, const struct inotify_event *e)
{
	struct lookout *k = q->lookout;
	bool lost = (e->mask & (IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF)) != 0;

	if (e->mask & IN_Q_OVERFLOW) {
		tell(q, "", NULL);
		return;
	}
	for (unsigned i = 0; i < k->n; i++) {
		if (k->folder[i].wd != e->wd)
			continue;
		if (lost) {		/* another directory may stand in its place */
			watch_folders(q);
			tell(q, "", NULL);
		} else if (e->len > 0)
			tell(q, k->folder[i].path, e->name);
		return;
	}
}

static void
on_readable(void *arg, int fd)
{
	struct queue *q = arg;
	_Alignas(struct inotify_event) char room[4096];
	ssize_t n;

	while ((n = read(fd, room, sizeof room)) > 0)
		for (char *p = room; p < room + n;) {
			const struct inotify_event *e = (const void *)p;

			on_one(q, e);
			p += sizeof *e + e->len;
		}
}

void
lookout_configure(struct queue *q)
{
	if (q->lookout == NULL) {
		int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

		if (fd < 0) {
			log_event(LOG_WARNING, "lookout_failed", log_text("reason", strerror(errno)),
			    log_text("advice", "after a change of a password's file, reload"));
			return;
		}
		q->lookout = mem_zero(sizeof *q->lookout);
		q->lookout->fd = fd;
		q->lookout->watch = loop_watch(q->loop, fd, on_readable, q);
	}
	watch_folders(q);
}

void
lookout_stop(struct queue *q)
{
	if (q->lookout == NULL)
		return;
	forget_folders(q->lookout);
	watch_free(&q->lookout->watch);
	close(q->lookout->fd);
	free(q->lookout);
	q->lookout = NULL;
}
