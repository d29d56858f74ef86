/* providers.conf: sections with the options of `upstream', and a note for people. */
#include "config/providers.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void
providers_init(struct providers *p, const char *file)
{
	*p = (struct providers){ .file = mem_text(file) };
}

void
providers_clear(struct providers *p)
{
	if (p->is_read)
		tree_clear(&p->tree);
	free(p->file);
	*p = (struct providers){ 0 };
}

int
providers_read(struct providers *p, struct why *why)
{
	if (!p->is_read && tree_read(&p->tree, p->file, true, why) < 0)
		return -1;
	p->is_read = true;
	return 0;
}

/* The one whose name has the most in common with `name' at its start. */
static const char *
alike(const struct tree_section *top, const char *name)
{
	struct tree_section s;
	const char *best = NULL;
	size_t most = 1;

	for (unsigned i = 0; s = tree_section(top, "provider", i),
	    s.cfg != NULL; i++) {
		const char *known = s.place->title;
		size_t n = 0;

		while (known[n] != '\0' && known[n] == name[n])
			n++;
		if (n > most) {
			most = n;
			best = known;
		}
	}
	return best;
}

int
providers_get(struct providers *p, const char *name, struct tree_section *out,
    struct why *why)
{
	struct tree_section top;
	const char *other;

	if (providers_read(p, why) < 0)
		return -1;
	top = tree_top(&p->tree);
	for (unsigned i = 0; *out = tree_section(&top, "provider", i),
	    out->cfg != NULL; i++)
		if (strcmp(out->place->title, name) == 0)
			return 0;
	other = alike(&top, name);
	return fail(why, "`%.48s' is not in %s; %s%s%s", name, p->file,
	    other != NULL ? "did you mean " : "set host and chain instead, or "
	    "add it there", other != NULL ? other : "",
	    other != NULL ? "?" : "");
}

const char *
providers_note(const struct tree_section *preset)
{
	cfg_opt_t *opt = preset->cfg != NULL && tree_find(preset, "note") != NULL ?
	    cfg_getopt(preset->cfg, "note") : NULL;

	return opt != NULL ? cfg_opt_getnstr(opt, 0) : "";
}
