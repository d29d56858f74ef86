/*
 * Reads a configuration file and, in its place, each that it includes; writes their
 * tokens as one plain text for libconfuse, and notes every option's and section's place.
 * Things given twice are found here: libconfuse would let the last one win.
 */
#include "config/include.h"

#include "base/mem.h"
#include "config/file.h"
#include "config/guard.h"
#include "config/keys.h"
#include "config/plain.h"
#include "config/scan.h"
#include "config/unsaid.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 10,
	FILES_MAX = 1000,
	PLACES_MAX = 10000,
	FILE_BYTES_MAX = 4 << 20,
	PATH_SHOWN = 120
};

/* How far the grammar has come in one file.  Whatever does not fit is passed on as it
 * is: libconfuse has words for it. */
enum stand {
	AT_ITEM,	/* an option, a section, include, or the section's end */
	AT_NAME,	/* behind the name */
	AT_TITLE,	/* behind a section's title */
	AT_VALUE,	/* behind = */
	AT_LIST,	/* between the braces of a list */
	AT_INCLUDE,	/* behind include( */
	AT_INCLUDED,	/* behind its file's name */
	AT_SEA
};

struct walk {
	struct include *in;
	struct scan scan;
	struct why *why;
	enum stand stand;
	unsigned file, depth;
	unsigned section;	/* the open one, an index into in->place */
	struct buf name, title;
	bool is_expanded;	/* the title is */
	unsigned name_line;
	enum scan_token last;
	struct unsaid unsaid;
};

static const char not_said[] = "is not taken; why is not said, as a password may "
    "stand before it on its line: give it a line of its own";

static int read_into(struct include *in, const char *path, unsigned depth,
    unsigned section, struct why *why);

static int
blame(const struct include *in, unsigned file, unsigned line,
    const char *option, struct why *why, const char *fmt, va_list ap)
{
	char text[sizeof why->text];
	const char *path = in->file[file].path;
	size_t n = strlen(path);

	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	/* Of a very long name the end says more, and the reason must fit. */
	return fail(why, "%s:%u: %s%s%s", n > PATH_SHOWN ? path + n - PATH_SHOWN :
	    path, line, option != NULL ? option : "", option != NULL ? ": " : "",
	    text);
}

int
include_blame(const struct include *in, const struct place *at,
    const char *option, struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	blame(in, at->file, at->line, option, why, at->is_behind ? not_said : fmt, ap);
	va_end(ap);
	return -1;
}

const char *
include_said(const struct place *at, const char *word)
{
	return at->is_expanded ? "..." : word;
}

int
include_blame_line(const struct include *in, unsigned line, struct why *why,
    const char *fmt, ...)
{
	struct origin o = { 0, 1 };
	va_list ap;

	if (in->norigin > 0)
		o = in->origin[(line < 1 ? 1 : line > in->norigin ?
		    in->norigin : line) - 1];
	va_start(ap, fmt);
	blame(in, o.file, o.line, NULL, why, fmt, ap);
	va_end(ap);
	return -1;
}

static int like_printf(4, 5)
complain(struct walk *w, unsigned line, const char *option,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	blame(w->in, w->file, line, option, w->why, fmt, ap);
	va_end(ap);
	return -1;
}

const struct place *
include_find(const struct include *in, const struct place *section,
    const char *name, const char *title)
{
	unsigned index = (unsigned)(section - in->place);

	for (unsigned i = 1; i < in->nplace; i++) {
		const struct place *p = &in->place[i];

		if (p->section == index && strcmp(p->name, name) == 0 &&
		    (p->title == NULL) == (title == NULL) &&
		    (title == NULL || strcmp(p->title, title) == 0))
			return p;
	}
	return NULL;
}

/* Notes what w->name (and, for a section, w->title) begins here. */
static int
note(struct walk *w, bool is_section)
{
	struct include *in = w->in;
	const char *title = !is_section ? NULL :
	    w->title.data != NULL ? w->title.data : "";
	bool is_behind = w->unsaid.behind != NULL, says = title != NULL &&
	    title[0] != '\0' && !is_behind && !w->is_expanded;
	const struct place *first = include_find(in, &in->place[w->section],
	    w->name.data, title);

	if (first != NULL)
		return complain(w, w->name_line, w->name.data,
		    "%s%s%sgiven twice, first at %s:%u; keep one",
		    says ? "`" : "", says ? title : "", says ? "' " : "",
		    in->file[first->file].path, first->line);
	if (in->nplace == PLACES_MAX)
		return complain(w, w->name_line, w->name.data,
		    "more than %d options; is it the right file?", PLACES_MAX);
	in->place = mem_resize(in->place, in->nplace + 1, sizeof *in->place);
	in->place[in->nplace] = (struct place){ w->section,
	    mem_text(w->name.data), mem_text(title), w->file, w->name_line,
	    is_behind, is_section && w->is_expanded };
	if (is_section)
		w->section = in->nplace;
	in->nplace++;
	return 0;
}

static int
emit(struct walk *w, enum scan_token t)
{
	if (plain_put(w->in, w->file, &w->scan, t) < 0)
		return complain(w, w->scan.token_line, NULL,
		    "too long with all it includes; is it the right file?");
	return 0;
}

/* Whatever it is: the option before it is to blame. */
static int
blame_rest(struct walk *w, const char *option)
{
	bool is_password = strcmp(option, "password") == 0;

	return complain(w, w->scan.token_line, option[0] != '\0' ? option : NULL,
	    "what follows its value is not an option; correct it, or if it "
	    "belongs to the value write the whole in double quotes%s", is_password ?
	    ", or use password_file" : "");
}

static int
take_name(struct walk *w)
{
	struct str name = buf_str(&w->scan.value);
	enum unsaid_name what = unsaid_name(&w->unsaid, &w->scan);

	if (what == UNSAID_REST)
		return blame_rest(w, w->name.len > 0 ? w->name.data : "");
	if (what == UNSAID_WORD)
		return complain(w, w->scan.token_line, NULL, "`%.40s' is not "
		    "the name of an option; see gatepost.conf(5)", name.n > 0 ? name.p : "");
	if (what == UNSAID_NONE)
		return complain(w, w->scan.token_line, NULL, "what stands here is "
		    "not the name of an option; see gatepost.conf(5)");
	buf_cut(&w->name, 0);
	buf_putstr(&w->name, name);
	buf_cut(&w->title, 0);
	w->is_expanded = false;
	w->name_line = w->scan.token_line;
	w->stand = AT_NAME;
	return str_is(name, "include") ? 0 : emit(w, SCAN_TEXT);
}

static int
take_close(struct walk *w, unsigned base)
{
	if (w->section == base)
		return complain(w, w->scan.token_line, NULL,
		    "a } without its {; remove it");
	w->section = w->in->place[w->section].section;
	unsaid_after(&w->unsaid, &w->scan, false);
	unsaid_end(&w->unsaid);
	return emit(w, SCAN_CLOSE);
}

static int
take_included(struct walk *w)
{
	char *dir, *path;
	const char *name = w->title.data;
	struct why why;
	int result;

	if (w->depth == DEPTH_MAX)
		return complain(w, w->name_line, "include", "more than %d "
		    "deep; does a file include itself?", DEPTH_MAX);
	dir = file_dir(w->in->file[w->file].path);
	path = name[0] == '/' || strcmp(dir, ".") == 0 ? mem_text(name) :
	    mem_printf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
	result = read_into(w->in, path, w->depth + 1, w->section, &why);
	/* What is wrong in the file says so itself; that it is missing is ours. */
	if (result < 0 && errno != 0)
		complain(w, w->name_line, "include", "%s",
		    w->unsaid.behind != NULL ? not_said : why.text);
	else if (result < 0)
		fail(w->why, "%s", why.text);
	free(path);
	free(dir);
	w->stand = AT_ITEM;
	return result;
}

/* The include directive leaves nothing in the text but the file's own tokens. */
static int
take_include(struct walk *w, enum scan_token t)
{
	if (w->stand == AT_NAME && t == SCAN_PAREN) {
		w->stand = AT_INCLUDE;
		return 0;
	}
	if (w->stand == AT_INCLUDE && t == SCAN_TEXT && w->scan.value.len > 0) {
		buf_putstr(&w->title, buf_str(&w->scan.value));
		w->stand = AT_INCLUDED;
		return 0;
	}
	if (w->stand == AT_INCLUDED && t == SCAN_UNPAREN)
		return take_included(w);
	return complain(w, w->name_line, "include",
	    "wants one file; write include(\"FILE\")");
}

/* Words with commas between them; what is wrong with it may be that it lacks its }. */
static enum stand
go_on_in_list(const struct walk *w, enum scan_token t)
{
	bool is_behind_word = w->last == SCAN_TEXT;

	if (t == SCAN_CLOSE)
		return AT_ITEM;
	return (t == SCAN_TEXT && !is_behind_word) ||
	    (t == SCAN_COMMA && is_behind_word) ? AT_LIST : AT_SEA;
}

/* A name on a secret's line is a word of the secret if nothing follows that belongs to an option. */
static bool
is_rest(const struct walk *w, enum scan_token t)
{
	return w->stand == AT_NAME && w->unsaid.behind != NULL && t != SCAN_EQUAL &&
	    t != SCAN_OPEN && t != SCAN_PAREN && !(t == SCAN_TEXT && keys_is_titled(w->name.data));
}

static int
take(struct walk *w, enum scan_token t, unsigned base)
{
	bool is_text = t == SCAN_TEXT;

	if (w->stand == AT_ITEM && is_text)
		return take_name(w);
	if (is_rest(w, t))
		return blame_rest(w, w->unsaid.behind);
	if (w->stand == AT_ITEM && t == SCAN_CLOSE)
		return take_close(w, base);
	if (w->stand >= AT_NAME && w->stand != AT_SEA && w->name.len == 7 &&
	    str_is(buf_str(&w->name), "include"))
		return take_include(w, t);
	if (w->stand == AT_NAME && is_text) {
		buf_putstr(&w->title, buf_str(&w->scan.value));
		w->is_expanded = w->scan.expanded;
		w->stand = AT_TITLE;
	} else if (w->stand == AT_NAME && t == SCAN_EQUAL) {
		if (note(w, false) < 0)
			return -1;
		w->stand = AT_VALUE;
	} else if ((w->stand == AT_NAME || w->stand == AT_TITLE) &&
	    t == SCAN_OPEN) {
		if (note(w, true) < 0)
			return -1;
		w->stand = AT_ITEM;
	} else if (w->stand == AT_VALUE && t == SCAN_OPEN)
		w->stand = AT_LIST;
	else if (w->stand == AT_LIST)
		w->stand = go_on_in_list(w, t);
	else
		w->stand = w->stand == AT_VALUE && is_text ? AT_ITEM : AT_SEA;
	return emit(w, t);
}

/* One token: what it is, and what it means for what may be said of the next. */
static int
pass(struct walk *w, enum scan_token t, unsigned base)
{
	bool is_value = t == SCAN_TEXT && (w->stand == AT_VALUE || w->stand == AT_LIST);

	if (is_value && w->scan.expanded)
		w->in->place[w->in->nplace - 1].is_expanded = true;
	if (take(w, t, base) < 0)
		return -1;
	unsaid_after(&w->unsaid, &w->scan, is_value);
	w->last = t;
	return 0;
}

/* The scanner's complaint, with what helps where the text has to be what it is. */
static int
blame_token(struct walk *w)
{
	const char *secret = w->unsaid.secret;
	bool is_item = w->stand == AT_ITEM, goes_on = w->scan.token_line <= w->unsaid.value_line;
	bool helps = secret != NULL && secret[0] != '\0' && (!is_item || goes_on);

	return complain(w, w->scan.token_line, !is_item || goes_on ? w->name.data : NULL,
	    "%s%s%s", w->why->text, helps ? "; between double quotes write "
	    "\\\" \\\\ \\${ for \" \\ ${" : "", helps && strcmp(secret, "password") == 0 ?
	    ", or use password_file" : "");
}

static int
walk(struct walk *w)
{
	unsigned base = w->section;
	enum scan_token t;
	const struct place *open;

	while (unsaid_before(&w->unsaid, &w->scan, w->stand == AT_ITEM || w->stand == AT_SEA),
	    (t = scan_next(&w->scan, w->why)) != SCAN_END)
		if (t == SCAN_BAD ? blame_token(w) < 0 : pass(w, t, base) < 0)
			return -1;
	if (w->stand != AT_ITEM && w->stand != AT_SEA)	/* a word may be all of a secret's file, read by mistake */
		return complain(w, w->name_line, w->stand == AT_NAME && unsaid_is_unknown(&w->unsaid) ? NULL : w->name.data,
		    "the file ends before its value; complete it");
	open = &w->in->place[w->section];
	if (w->stand == AT_ITEM && w->section != base)
		return complain(w, open->line, open->name,
		    "the section is not closed; add a }");
	return 0;
}

static int
check_nul(struct walk *w, struct str text)
{
	const char *nul = text.n > 0 ? memchr(text.p, '\0', text.n) : NULL;
	unsigned line = 1;

	if (nul == NULL)
		return 0;
	for (const char *p = text.p; p < nul; p++)
		line += *p == '\n';
	return complain(w, line, NULL,
	    "a NUL octet; save the file as plain text (UTF-8)");
}

static unsigned
add_file(struct include *in, const char *path, const struct stat *st)
{
	char *absolute = file_absolute(path);

	in->file = mem_resize(in->file, in->nfile + 1, sizeof *in->file);
	in->file[in->nfile] = (struct include_file){ mem_text(path),
	    file_dir(absolute), st->st_mode, st->st_uid };
	free(absolute);
	return in->nfile++;
}

/* On -1 errno is 0 unless it is this very file that cannot be read. */
static int
read_into(struct include *in, const char *path, unsigned depth,
    unsigned section, struct why *why)
{
	struct walk w = { .in = in, .why = why, .depth = depth,
	    .section = section };
	struct buf text = { 0 };
	struct stat st;
	int result;

	if (in->nfile == FILES_MAX) {
		errno = EMFILE;
		return fail(why, "%s: more than %d files", path, FILES_MAX);
	}
	/* It may name commands. */
	if (file_read(&text, path, FILE_BYTES_MAX, 0, &st, why) < 0 || guard_writers(path, &st, why) < 0) {
		fail(why, "%s: %s", path, why->text);
		result = -1;
	} else {
		w.file = add_file(in, path, &st);
		scan_init(&w.scan, buf_str(&text));
		result = check_nul(&w, buf_str(&text)) < 0 ? -1 : walk(&w);
		scan_clear(&w.scan);
		errno = 0;
	}
	if (text.data != NULL)
		explicit_bzero(text.data, text.cap);
	buf_clear(&text);
	buf_clear(&w.name);
	buf_clear(&w.title);
	return result;
}

int
include_read(struct include **out, const char *path, struct why *why)
{
	struct include *in = mem_zero(sizeof *in);

	in->place = mem_zero(sizeof *in->place);	/* the top level */
	in->place[0].line = 1;
	in->nplace = 1;
	if (read_into(in, path, 0, 0, why) < 0) {
		include_free(&in);
		return -1;
	}
	*out = in;
	return 0;
}

void
include_free(struct include **p)
{
	struct include *in = *p;

	if (in == NULL)
		return;
	for (unsigned i = 0; i < in->nplace; i++) {
		free(in->place[i].name);
		free(in->place[i].title);
	}
	for (unsigned i = 0; i < in->nfile; i++) {
		free(in->file[i].path);
		free(in->file[i].dir);
	}
	if (in->text.data != NULL)
		explicit_bzero(in->text.data, in->text.cap);
	buf_clear(&in->text);
	free(in->origin);
	free(in->place);
	free(in->file);
	free(in);
	*p = NULL;
}
