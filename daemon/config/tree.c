/*
 * libconfuse's part: the grammar of sections and options, built from the table, every
 * value a string.  Its complaints are given the file and line of what was read.
 */
#include "config/tree.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOSE_MAX = 3, LONGEST = 31 };

/* libconfuse hands its error function no argument of ours; its scanner is global too, so
 * there is one reader at a time. */
static struct {
	const struct include *in;
	struct why *why;
	bool told;
} reading;

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions and exchanges that make b of a (Levenshtein). */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[LONGEST + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > LONGEST || nb > LONGEST)
		return LONGEST;
	for (unsigned j = 0; j <= nb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1,
			    diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[nb];
}

/* What the writer of an unknown option may have meant. */
static void
hint(cfg_t *cfg, const char *name, char *out, size_t size)
{
	unsigned best = CLOSE_MAX;
	const struct key *k;

	snprintf(out, size, "see gatepost.conf(5)");
	for (unsigned i = 0; i < cfg_num(cfg); i++) {
		const char *known = cfg_opt_name(cfg_getnopt(cfg, i));
		unsigned d = distance(name, known);

		if (d < best && d < strlen(name)) {
			best = d;
			snprintf(out, size, "did you mean %s?", known);
		}
	}
	if (best < CLOSE_MAX)
		return;
	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++)
		if (strcmp(k->option.name, name) == 0) {
			snprintf(out, size, "it belongs %s%s",
			    k->option.section[0] != '\0' ? "in the section " :
			    "outside of the sections", k->option.section);
			return;
		}
}

/* libconfuse's complaints, up to the name in them, and how we put them.  A name is an option's, or include_read() let it
 * pass as one that may be repeated; a token may be a piece of a secret. */
#define UNEXPECTED "unexpected token '"
static const struct {
	const char *start, *said;
} complaints[] = {
	{ "no such option '", "no such option here" },
	{ "missing equal sign after option '", "no = after it; write "
	    "NAME = VALUE" },
	{ "missing opening brace for section '", "is a section, but no { "
	    "follows; write { OPTIONS } after it" },
	{ "missing title for section '", "is without a title; write one in "
	    "quotes before the {" },
	{ UNEXPECTED, "is out of place; look for a missing quote, "
	    "comma or brace before it" }
};
#define COMPLAINTS (sizeof complaints / sizeof complaints[0])

/* Of the grammar, and not of somebody's secret. */
static bool
is_ours(const char *token)
{
	const struct key *k;

	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++)
		if (strcmp(k->option.name, token) == 0)
			return true;
	return strlen(token) == 1 && strchr("={},()", token[0]) != NULL;
}

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	unsigned line = (unsigned)cfg->line;
	char text[160], advice[80];
	size_t n, i = 0;

	if (reading.told)
		return;		/* what follows is caused by the first */
	reading.told = true;
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	while (i < COMPLAINTS && strncmp(text, complaints[i].start,
	    strlen(complaints[i].start)) != 0)
		i++;
	if (i == COMPLAINTS) {
		text[strcspn(text, "'")] = '\0';
		include_blame_line(reading.in, line, reading.why,
		    "%s; see gatepost.conf(5)", text);
		return;
	}
	n = strlen(complaints[i].start);
	text[n + strcspn(text + n, "'")] = '\0';
	if (strcmp(complaints[i].start, UNEXPECTED) == 0 && !is_ours(text + n))
		snprintf(text + n, sizeof text - n, "a word");
	if (i == 0)
		hint(cfg, text + n, advice, sizeof advice);
	include_blame_line(reading.in, line, reading.why, "%s: %s%s%s",
	    text + n, complaints[i].said, i == 0 ? "; " : "",
	    i == 0 ? advice : "");
}

static cfg_opt_t *
add(cfg_opt_t *opts, unsigned *n, cfg_opt_t opt)
{
	static const cfg_opt_t end = CFG_END();

	opts = mem_resize(opts, *n + 2, sizeof *opts);
	opts[(*n)++] = opt;
	opts[*n] = end;
	return opts;
}

/* The options of a section, as libconfuse wants them; its own copy is deep. */
static cfg_opt_t *
grammar(const char *section, bool presets)
{
	cfg_opt_t *opts = NULL;
	const struct key *k;
	unsigned n = 0;

	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++) {
		const char *name = k->option.name;
		cfg_opt_t one = CFG_STR(name, NULL, CFGF_NODEFAULT);
		cfg_opt_t list = CFG_STR_LIST(name, NULL, CFGF_NODEFAULT);

		if (strcmp(k->option.section, section) == 0 &&
		    (!presets || k->flags & KEY_PRESET))
			opts = add(opts, &n, k->kind >= KEY_NAMES ? list : one);
	}
	return opts;
}

static void
add_section(cfg_opt_t **opts, const char *name, cfg_opt_t *inside,
    cfg_flag_t flags)
{
	cfg_opt_t section = CFG_SEC(name, inside, flags | CFGF_NODEFAULT);
	unsigned n = (unsigned)cfg_numopts(*opts);

	*opts = add(*opts, &n, section);
}

static cfg_t *
init(bool presets)
{
	cfg_opt_t *opts = presets ? NULL : grammar("", false);
	cfg_opt_t *inside[16] = { NULL }, *oauth2 = grammar("upstream.oauth2", presets);
	cfg_opt_t note = CFG_STR("note", NULL, CFGF_NODEFAULT);
	const struct key_section *s;
	unsigned n = 0;
	cfg_t *cfg;

	for (unsigned i = 0; (s = keys_section(i)) != NULL; i++) {
		bool is_upstream = strcmp(s->name, "upstream") == 0;

		if (s->name[0] == '\0' || strchr(s->name, '.') != NULL ||
		    (presets && !is_upstream))
			continue;
		inside[n] = grammar(s->name, presets);
		if (is_upstream)
			add_section(&inside[n], "oauth2", oauth2, CFGF_NONE);
		if (presets) {
			unsigned count = (unsigned)cfg_numopts(inside[n]);

			inside[n] = add(inside[n], &count, note);
		}
		add_section(&opts, presets ? "provider" : s->name, inside[n],
		    s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);
		n++;
	}
	cfg = cfg_init(opts, CFGF_NONE);
	while (n > 0)
		free(inside[--n]);
	free(oauth2);
	free(opts);
	if (cfg == NULL)
		bug("libconfuse does not take the table");
	cfg_set_error_function(cfg, on_error);
	return cfg;
}

int
tree_read(struct tree *t, const char *file, bool presets, struct why *why)
{
	int result;

	*t = (struct tree){ 0 };
	if (include_read(&t->in, file, why) < 0)
		return -1;
	t->root = init(presets);
	reading.in = t->in;
	reading.why = why;
	reading.told = false;
	result = cfg_parse_buf(t->root, t->in->text.data);
	if (result == CFG_SUCCESS && !reading.told)
		return 0;
	if (!reading.told)
		fail(why, "%s: libconfuse cannot read it; see gatepost.conf(5)",
		    file);
	tree_clear(t);
	return -1;
}

void
tree_clear(struct tree *t)
{
	if (t->root != NULL)
		cfg_free(t->root);
	include_free(&t->in);
	*t = (struct tree){ 0 };
}

struct tree_section
tree_top(const struct tree *t)
{
	return (struct tree_section){ t, t->root, &t->in->place[0] };
}

/* Not cfg_getopt(): that complains about what it does not find. */
static cfg_opt_t *
find(cfg_t *cfg, const char *name)
{
	cfg_opt_t *opt;

	for (unsigned i = 0; (opt = cfg_getnopt(cfg, i)) != NULL; i++)
		if (strcmp(cfg_opt_name(opt), name) == 0)
			return opt;
	return NULL;
}

struct tree_section
tree_section(const struct tree_section *in, const char *name, unsigned n)
{
	struct tree_section s = { .tree = in->tree };
	cfg_opt_t *opt = in->cfg != NULL ? find(in->cfg, name) : NULL;
	const char *title;

	if (opt == NULL || n >= cfg_opt_size(opt))
		return s;
	s.cfg = cfg_opt_getnsec(opt, n);
	title = cfg_title(s.cfg);
	s.place = include_find(in->tree->in, in->place, name,
	    title != NULL ? title : "");
	if (s.place == NULL)
		bug("section %s has no place", name);
	return s;
}

const struct place *
tree_find(const struct tree_section *in, const char *option)
{
	if (in->cfg == NULL)
		return NULL;
	return include_find(in->tree->in, in->place, option, NULL);
}

const char **
tree_words(const struct tree_section *in, const char *option, unsigned *n)
{
	cfg_opt_t *opt = find(in->cfg, option);
	const char **words;

	*n = opt != NULL ? cfg_opt_size(opt) : 0;
	words = mem_array(*n, sizeof *words);
	for (unsigned i = 0; i < *n; i++)
		words[i] = cfg_opt_getnstr(opt, i);
	return words;
}
