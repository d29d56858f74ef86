/*
 * The local users: "user:crypt(3)-hash[:patterns]" a line, # comments.  A table is read
 * whole and never changes; users_set writes a new file and puts it in the old one's place.
 */
#include "config/config.h"

#include "base/digest.h"
#include "base/mem.h"
#include "config/file.h"
#include "config/guard.h"
#include "config/hold.h"

#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USERS_BYTES_MAX = 16 << 20, USER_NAME_MAX = 255, WAIT_MS = 10000, SALT_LEAST = 8 };

static_assert(USERS_PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "what crypt(3) takes");

struct users {
	atomic_uint refs;
	char *text;		/* holds all names, hashes and patterns */
	struct user *v;		/* by name */
	unsigned n;
};

/* A password that no user has, at the price of theirs (yescrypt, default cost). */
static const char dummy[] =
    "$y$j9T$PKoGLYiLbeaMQbjWAw8HX/$6PbKzQcMxFaTWsOYYsSSc4S9tcUKZVuZ4pL4b7qFqJ3";

static bool
is_user_name(struct str s)
{
	return s.n > 0 && s.n <= USER_NAME_MAX && s.p[0] != '#' &&
	    str_is_ascii(s) && !str_has_control(s) &&
	    memchr(s.p, ':', s.n) == NULL && str_trim(s).n == s.n;
}

/* One that crypt(3) can check, or a locked account's.  crypt_checksalt() takes nearly any
 * word for the salt of DES, so a plain password must not get as far as that. */
static bool
is_hash(const char *hash)
{
	int answer;

	if (hash[0] == '!' || hash[0] == '*')
		return true;
	answer = hash[0] == '$' ? crypt_checksalt(hash) : CRYPT_SALT_INVALID;
	return answer != CRYPT_SALT_INVALID &&
	    answer != CRYPT_SALT_METHOD_DISABLED;
}

/* Cuts `line', which is NUL-terminated, into *u; false for blank lines and comments. */
static int
parse_line(char *line, struct user *u, struct why *why)
{
	char *hash, *allowed;

	hash = strchr(line, ':');
	if (hash == NULL)
		return fail(why, "no `:'; write it as user:hash, or use "
		    "`gatepost passwd'");
	*hash++ = '\0';
	allowed = strchr(hash, ':');
	if (allowed != NULL)
		*allowed++ = '\0';
	*u = (struct user){ line, hash, allowed != NULL ? allowed : "" };
	if (!is_user_name(str_of(line)))
		return fail(why, "a user name must be of ASCII letters and "
		    "signs, without blanks at its ends; correct it");
	if (!is_hash(hash))
		return fail(why, "user %.60s: that is not a crypt(3) hash; use "
		    "`gatepost passwd'", line);
	if (str_has_control(str_of(u->allowed)))
		return fail(why, "user %.60s: control characters in the "
		    "patterns; remove them", line);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
parse_users(struct users *u, const char *file, struct why *why)
{
	unsigned line = 0;
	char *next = u->text;

	while (next != NULL && *next != '\0') {
		char *start = next, *end = strchr(next, '\n');

		line++;
		next = end != NULL ? end + 1 : NULL;
		if (end == NULL)
			end = start + strlen(start);
		if (end > start && end[-1] == '\r')
			end--;
		*end = '\0';
		if (start[0] == '#' || str_trim(str_of(start)).n == 0)
			continue;
		if ((u->n & (u->n - 1)) == 0)	/* grows by doubling */
			u->v = mem_resize(u->v, u->n > 0 ? u->n * 2 : 1,
			    sizeof *u->v);
		if (parse_line(start, &u->v[u->n], why) < 0)
			return fail(why, "%s:%u: %s", file, line, why->text);
		u->n++;
	}
	if (u->n > 0)
		qsort(u->v, u->n, sizeof *u->v, by_name);
	for (unsigned i = 1; i < u->n; i++)
		if (strcmp(u->v[i - 1].name, u->v[i].name) == 0)
			return fail(why, "%s: user %.60s is there twice; remove "
			    "one line", file, u->v[i].name);
	return 0;
}

int
users_load(struct users **out, const char *file, struct why *why)
{
	struct users *u;
	struct buf text = { 0 };
	struct stat st;
	struct why own;

	if (why == NULL)
		why = &own;
	if (file_read(&text, file, USERS_BYTES_MAX, 0, &st, why) < 0 ||
	    guard_writers(file, &st, why) < 0) {
		buf_clear(&text);
		return errno == ENOENT ? fail(why, "%s: does not exist; add users "
		    "with `gatepost passwd'", file) :
		    fail(why, "%s: %s", file, why->text);
	}
	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
		buf_clear(&text);
		errno = EINVAL;
		return fail(why, "%s: a NUL octet; is it the right file?", file);
	}
	u = mem_zero(sizeof *u);
	u->refs = 1;
	u->text = buf_take(&text);
	if (parse_users(u, file, why) < 0) {
		users_unref(&u);
		errno = EINVAL;
		return -1;
	}
	*out = u;
	return 0;
}

struct users *
users_ref(struct users *u)
{
	atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
	return u;
}

void
users_unref(struct users **p)
{
	struct users *u = *p;

	*p = NULL;
	if (u == NULL ||
	    atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(u->text);
	free(u->v);
	free(u);
}

const struct user *
users_find(const struct users *u, const char *name)
{
	struct user key = { name, NULL, NULL };

	return u->n > 0 ? bsearch(&key, u->v, u->n, sizeof *u->v, by_name) : NULL;
}

unsigned
users_count(const struct users *u)
{
	return u->n;
}

bool
users_check(const struct user *user, const char *password)
{
	struct crypt_data *data = mem_zero(sizeof *data);
	bool is_locked = user == NULL || user->hash[0] == '!' ||
	    user->hash[0] == '*';
	const char *hash = is_locked ? dummy : user->hash;
	const char *made = crypt_rn(password, hash, data, (int)sizeof *data);
	bool same = made != NULL && strlen(made) == strlen(hash) &&
	    digest_equal(made, hash, strlen(hash));

	mem_wipe(data, sizeof *data);
	return same && !is_locked;
}

/* How much of a hash says what it costs: its method, and what stands between that and the salt. */
static size_t
kind_length(const char *hash)
{
	size_t method, field;

	if (hash[0] != '$' || strchr(hash + 1, '$') == NULL)
		return 0;
	method = strcspn(hash + 1, "$") + 2;
	field = strcspn(hash + method, "$");
	if (hash[1] == '7')		/* scrypt's cost is the first octet of what follows */
		return method + 1;
	return field < SALT_LEAST || strncmp(hash + method, "rounds=", 7) == 0 ? method + field : method;
}

static bool
is_kind(const struct user *a, const struct user *b)
{
	size_t n = kind_length(a->hash);

	return n == kind_length(b->hash) && strncmp(a->hash, b->hash, n) == 0;
}

unsigned
users_kinds(const struct users *u, const struct user **kind, unsigned most)
{
	unsigned n = 0;

	for (unsigned i = 0; i < u->n && n < most; i++) {
		unsigned k = 0;

		while (k < n && !is_kind(kind[k], &u->v[i]))
			k++;
		if (k == n)
			kind[n++] = &u->v[i];
	}
	return n;
}

bool
users_has_kinds_of(const struct users *u, const struct users *other)
{
	for (unsigned i = 0; i < other->n; i++) {
		unsigned k = 0;

		while (k < u->n && !is_kind(&u->v[k], &other->v[i]))
			k++;
		if (k == u->n)
			return false;
	}
	return true;
}

static int
make_hash(char **out, const char *password, struct why *why)
{
	struct crypt_data *data;
	char *salt;
	const char *hash;

	if (password[0] == '\0')
		return fail(why, "the password is empty; give one");
	if (strlen(password) > USERS_PASSWORD_MAX)
		return fail(why, "the password is longer than %d octets; give a "
		    "shorter one", USERS_PASSWORD_MAX);
	if (str_has_control(str_of(password)))
		return fail(why, "the password has control characters; give "
		    "another");
	salt = crypt_gensalt_ra("$y$", 0, NULL, 0);
	data = mem_zero(sizeof *data);
	hash = salt != NULL ? crypt_rn(password, salt, data,
	    (int)sizeof *data) : NULL;
	if (hash != NULL)
		*out = mem_text(hash);
	else
		fail(why, "crypt(3) cannot hash it: %s", strerror(errno));
	mem_wipe(data, sizeof *data);
	free(salt);
	return hash != NULL ? 0 : -1;
}

/* The user's line in `old', with its newline; empty if there is none. */
static struct str
find_line(struct str old, const char *user)
{
	size_t n = strlen(user);

	while (old.n > 0) {
		const char *end = memchr(old.p, '\n', old.n);
		struct str line = { old.p, end != NULL ?
		    (size_t)(end - old.p) + 1 : old.n };

		if (line.n > n && memcmp(line.p, user, n) == 0 &&
		    line.p[n] == ':')
			return line;
		old = str_from(old, line.n);
	}
	return STR("");
}

/* The file's new text; hash NULL leaves the user out. */
static void
edit(struct buf *out, struct str old, const char *user, const char *hash)
{
	struct str line = find_line(old, user), rest;
	size_t before = line.n > 0 ? (size_t)(line.p - old.p) : old.n;
	const char *colon;

	buf_put(out, old.p, before);
	if (hash != NULL) {
		if (out->len > 0 && out->data[out->len - 1] != '\n')
			buf_putc(out, '\n');
		buf_printf(out, "%s:%s", user, hash);
		rest = line.n > 0 ? str_from(line, strlen(user) + 1) : line;
		colon = rest.n > 0 ? memchr(rest.p, ':', rest.n) : NULL;
		if (colon != NULL)	/* the patterns stay */
			buf_putstr(out, str_from(rest, (size_t)(colon - rest.p)));
		if (out->data[out->len - 1] != '\n')
			buf_putc(out, '\n');
	}
	buf_putstr(out, str_from(old, before + line.n));
}

/* With the file held, so that two at once lose nothing. */
static int
set_held(const char *file, int dir, const char *user, const char *hash,
    struct why *why)
{
	struct stat old = { 0 };
	struct buf before = { 0 }, after = { 0 };
	int result = -1;

	if (file_read(&before, file, USERS_BYTES_MAX, FILE_NOFOLLOW, &old, why) < 0 &&
	    errno != ENOENT)
		fail(why, "%s: %s", file, why->text);
	else if (hash == NULL && find_line(buf_str(&before), user).n == 0)
		fail(why, "%s: there is no user %s", file, user);
	else {
		edit(&after, buf_str(&before), user, hash);
		result = file_replace(file, dir, &old, buf_str(&after), why);
	}
	buf_clear(&before);
	buf_clear(&after);
	return result;
}

int
users_set(const char *file, const char *user, const char *password,
    struct why *why)
{
	char *hash = NULL, *dir_name;
	struct hold hold;
	struct why own;
	int dir, result = -1;

	if (why == NULL)
		why = &own;
	if (!is_user_name(str_of(user)))
		return fail(why, "a user name must be of ASCII letters and "
		    "signs without `:', at most %d", USER_NAME_MAX);
	if (password != NULL && make_hash(&hash, password, why) < 0)
		return -1;
	dir_name = file_dir(file);
	dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		fail(why, "%s: %s; create the directory", dir_name,
		    strerror(errno));
	else if (hold_take(&hold, file, WAIT_MS, why) == 0) {
		result = set_held(file, dir, user, hash, why);
		hold_drop(&hold);
	}
	if (dir >= 0)
		close(dir);
	free(dir_name);
	free(hash);
	return result;
}
