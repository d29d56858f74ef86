/* Mounts, by what the kernel writes of them; each name is compared as its file system has it. */
#include "base/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/mem.h"

enum { CHUNK = 1 << 14, BYTES_MAX = 8 << 20 };

/* The next word of a line, and what stands for its octets: "\040" is a blank. */
static char *
take_word(struct str *line)
{
	struct buf out = { 0 };
	size_t i = 0;

	for (; i < line->n && line->p[i] != ' '; i++) {
		const char *p = line->p + i;

		if (*p == '\\' && line->n - i > 3 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			buf_putc(&out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
			i += 3;
		} else
			buf_putc(&out, *p);
	}
	*line = str_from(*line, i < line->n ? i + 1 : i);
	return out.len > 0 ? buf_take(&out) : mem_text("");
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static int
parse_line(struct mounts *m, struct str line)
{
	char *id = take_word(&line), *up = take_word(&line), *end;
	struct mount *at;

	m->v = mem_resize(m->v, m->n + 1, sizeof *m->v);
	at = &m->v[m->n++];
	at->id = strtoull(id, &end, 10);
	at->fs = take_word(&line);
	at->root = take_word(&line);
	at->point = take_word(&line);
	end = end == id || *end != '\0' || at->point[0] != '/' ? NULL : end;
	free(id);
	free(up);
	return end != NULL ? 0 : -1;
}

int
mounts_parse(struct mounts *m, struct str text)
{
	*m = (struct mounts){ 0 };
	while (text.n > 0) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end != NULL ? (size_t)(end - text.p) : text.n;

		if (parse_line(m, (struct str){ text.p, n }) < 0) {
			mounts_clear(m);
			return -1;
		}
		text = str_from(text, end != NULL ? n + 1 : n);
	}
	return 0;
}

int
mounts_read(struct mounts *m)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), result = -1;
	struct buf text = { 0 };
	ssize_t n = -1;

	*m = (struct mounts){ 0 };
	if (fd < 0)
		return -1;
	while (text.len < BYTES_MAX && ((n = read(fd, buf_room(&text, CHUNK), CHUNK)) > 0 || (n < 0 && errno == EINTR)))
		text.len += n > 0 ? (size_t)n : 0;
	if (n == 0)
		result = mounts_parse(m, buf_str(&text));
	close(fd);
	buf_clear(&text);
	return result;
}

void
mounts_clear(struct mounts *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		free(m->v[i].fs);
		free(m->v[i].root);
		free(m->v[i].point);
	}
	free(m->v);
	*m = (struct mounts){ 0 };
}

uint64_t
mounts_id(const char *real)
{
	struct statx st;

	if (statx(AT_FDCWD, real, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return UINT64_MAX;
	return st.stx_mnt_id;
}

static const struct mount *
find(const struct mounts *m, uint64_t id)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].id == id)
			return &m->v[i];
	return NULL;
}

/* Its name within its file system; false: it is not where the mount is said to be. */
static bool
name_within(struct buf *out, const struct mount *at, const char *real)
{
	const char *rest = strcmp(at->point, "/") == 0 ? real : real + strlen(at->point);

	if (!landlock_is_below(real, at->point))
		return false;
	if (strcmp(at->root, "/") != 0)
		buf_puts(out, at->root);
	buf_puts(out, strcmp(rest, "/") == 0 && out->len > 0 ? "" : rest);
	if (out->len == 0)
		buf_putc(out, '/');
	return true;
}

/* The ground itself, and what is mounted in it. */
bool
mounts_reach(const struct mounts *m, const char *ground, uint64_t ground_id, const char *path, uint64_t id)
{
	const struct mount *at = find(m, id), *below = find(m, ground_id);
	struct buf file = { 0 }, from = { 0 };
	bool found = at == NULL || below == NULL || !name_within(&file, at, path) || !name_within(&from, below, ground);

	found = found || (strcmp(at->fs, below->fs) == 0 && landlock_is_below(file.data, from.data));
	for (unsigned i = 0; i < m->n && !found; i++)
		found = landlock_is_below(m->v[i].point, ground) && strcmp(at->fs, m->v[i].fs) == 0 &&
		    landlock_is_below(file.data, m->v[i].root);
	buf_clear(&file);
	buf_clear(&from);
	return found;
}
