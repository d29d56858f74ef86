/* aliases(5): read line by line, then every alias is followed to its end once, so that
 * whatever is wrong is found before it is used. */
#include "mail/aliases.h"

#include "base/buf.h"
#include "base/mem.h"
#include "mail/address.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 10 };

static const char HERE[] = "@localhost";

struct alias {
	char *name;		/* in lower case */
	unsigned line;
	char **value;		/* as the file has them */
	const char **final;	/* NULL-ended, of values of this and other aliases */
	size_t nvalue, nfinal;
	enum { NEW, OPEN, DONE } state;
	unsigned depth;		/* of the longest chain from here, once DONE */
};

struct aliases {
	struct alias *v;	/* sorted by name */
	size_t n;
};

struct parser {
	struct aliases *a;
	const char *file;
	struct why *why;
};

static char *
lower(struct str s)
{
	char *text = str_dup(s);

	for (size_t i = 0; i < s.n; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] += 'a' - 'A';
	return text;
}

static int
compare_name(const void *name, const void *alias)
{
	return strcmp(name, ((const struct alias *)alias)->name);
}

static int
compare(const void *a, const void *b)
{
	const struct alias *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

static struct alias *
find(const struct aliases *a, struct str name)
{
	char *key = lower(name);
	struct alias *found = a->n == 0 ? NULL :
	    bsearch(key, a->v, a->n, sizeof *a->v, compare_name);

	free(key);
	return found;
}

static int
add_value(struct parser *p, struct alias *x, struct str value)
{
	struct str inner = value;
	struct address address;

	if (inner.n > 0 && inner.p[0] == '"')
		inner = str_from(inner, 1);
	if (inner.n > 0 && (inner.p[0] == '|' || inner.p[0] == '/' ||
	    str_istarts(inner, ":include:")))
		return fail(p->why, "%s:%u: %.*s: only addresses can stand here, "
		    "no command, file or include", p->file, x->line,
		    (int)value.n, value.p);
	if (address_parse(value, &address) < 0)
		return fail(p->why, "%s:%u: \"%.*s\" is no address", p->file,
		    x->line, (int)value.n, value.p);
	x->value = mem_resize(x->value, x->nvalue + 1, sizeof *x->value);
	x->value[x->nvalue++] = str_dup(value);
	return 0;
}

/* Cuts the part before the first comma outside quotes. */
static bool
next_value(struct str *rest, struct str *value)
{
	bool quoted = false;
	size_t n = 0;

	if (rest->n == 0)
		return false;
	for (; n < rest->n && (quoted || rest->p[n] != ','); n++) {
		if (rest->p[n] == '"')
			quoted = !quoted;
		else if (rest->p[n] == '\\' && quoted && n + 1 < rest->n)
			n++;
	}
	*value = str_trim((struct str){ rest->p, n });
	*rest = str_from(*rest, n + 1);
	return true;
}

/* "name: value, value", continuation lines already joined to it. */
static int
add_entry(struct parser *p, struct str entry, unsigned line)
{
	struct str rest = entry, name, value;
	struct address address;
	struct alias *x;

	if (memchr(entry.p, ':', entry.n) == NULL ||
	    !str_split(&rest, ':', &name))
		return fail(p->why, "%s:%u: a line is \"name: address, ...\"",
		    p->file, line);
	name = str_trim(name);
	if (address_parse(name, &address) < 0 || address.domain.n > 0)
		return fail(p->why, "%s:%u: \"%.*s\" is no local name",
		    p->file, line, (int)name.n, name.p);
	p->a->v = mem_resize(p->a->v, p->a->n + 1, sizeof *p->a->v);
	x = &p->a->v[p->a->n++];
	*x = (struct alias){ .name = lower(name), .line = line };
	while (next_value(&rest, &value))
		if (value.n > 0 && add_value(p, x, value) < 0)
			return -1;
	if (x->nvalue == 0)
		return fail(p->why, "%s:%u: \"%s\" names nobody", p->file, line,
		    x->name);
	return 0;
}

static int
read_lines(struct parser *p, struct str text)
{
	struct buf entry = { 0 };
	struct str line;
	unsigned n = 0, first = 0;
	int result = 0;

	while (result == 0 && str_split(&text, '\n', &line)) {
		bool folded = line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');

		n++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_trim(line).n == 0 || str_trim(line).p[0] == '#')
			continue;
		if (folded && first == 0) {
			result = fail(p->why, "%s:%u: a continuation of nothing",
			    p->file, n);
			break;
		}
		if (!folded) {
			if (first > 0)
				result = add_entry(p, buf_str(&entry), first);
			buf_cut(&entry, 0);
			first = n;
		}
		buf_putstr(&entry, line);
	}
	if (result == 0 && first > 0)
		result = add_entry(p, buf_str(&entry), first);
	buf_clear(&entry);
	return result;
}

static int
refuse_twice(struct parser *p)
{
	struct aliases *a = p->a;

	if (a->n > 0)
		qsort(a->v, a->n, sizeof *a->v, compare);
	for (size_t i = 1; i < a->n; i++)
		if (strcmp(a->v[i - 1].name, a->v[i].name) == 0)
			return fail(p->why, "%s:%u: \"%s\" already stands in "
			    "line %u", p->file, a->v[i].line, a->v[i].name,
			    a->v[i - 1].line);
	return 0;
}

static void
add_final(struct alias *x, const char *address)
{
	for (size_t i = 0; i < x->nfinal; i++)
		if (address_eq(str_of(x->final[i]), str_of(address)))
			return;
	x->final = mem_resize(x->final, x->nfinal + 2, sizeof *x->final);
	x->final[x->nfinal++] = address;
	x->final[x->nfinal] = NULL;
}

/* A local name may be written with the domain that is everybody's own. */
static struct alias *
find_value(const struct aliases *a, const char *value)
{
	struct str name = str_of(value);

	if (name.n > strlen(HERE) && str_iis(str_from(name, name.n - strlen(HERE)), HERE))
		name.n -= strlen(HERE);
	return find(a, name);
}

/* Follows one alias to its ends; the recursion is as deep as chains may be. */
static int	/* NOLINTNEXTLINE(misc-no-recursion): to DEPTH_MAX */
resolve(struct parser *p, struct alias *x, unsigned depth)
{
	if (x->state == OPEN)
		return fail(p->why, "%s:%u: \"%s\" leads back to itself",
		    p->file, x->line, x->name);
	if (depth > DEPTH_MAX ||
	    (x->state == DONE && depth + x->depth - 1 > DEPTH_MAX))
		return fail(p->why, "%s:%u: \"%s\" is more than %d aliases deep",
		    p->file, x->line, x->name, DEPTH_MAX);
	if (x->state == DONE)
		return 0;
	x->state = OPEN;
	x->depth = 1;
	for (size_t i = 0; i < x->nvalue; i++) {
		struct alias *next = find_value(p->a, x->value[i]);

		if (next == NULL) {
			add_final(x, x->value[i]);
			continue;
		}
		if (resolve(p, next, depth + 1) < 0)
			return -1;
		for (size_t k = 0; k < next->nfinal; k++)
			add_final(x, next->final[k]);
		if (x->depth < next->depth + 1)
			x->depth = next->depth + 1;
	}
	x->state = DONE;
	return 0;
}

int
aliases_parse(struct aliases **out, const char *name, struct str text,
    struct why *why)
{
	struct aliases *a = mem_zero(sizeof *a);
	struct parser p = { a, name, why };

	if (read_lines(&p, text) < 0 || refuse_twice(&p) < 0)
		goto fail;
	for (size_t i = 0; i < a->n; i++)
		if (resolve(&p, &a->v[i], 1) < 0)
			goto fail;
	*out = a;
	return 0;
fail:
	aliases_free(&a);
	return -1;
}

void
aliases_free(struct aliases **ap)
{
	struct aliases *a = *ap;

	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < a->v[i].nvalue; k++)
			free(a->v[i].value[k]);
		free(a->v[i].value);
		free(a->v[i].final);
		free(a->v[i].name);
	}
	free(a->v);
	free(a);
	*ap = NULL;
}

const char *const *
aliases_find(const struct aliases *a, struct str name)
{
	const struct alias *x = find(a, name);

	return x != NULL ? x->final : NULL;
}
