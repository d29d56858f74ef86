/*
 * Requests: one JSON object a line.  An unknown field is refused rather than ignored: a newer program's filter
 * that an older daemon overlooks would let `delete' take more than was asked.
 */
#include "control/request.h"

#include "base/ident.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct field {
	const char *name;
	unsigned bit;
	enum { TEXT, FLAG, COUNT, IDENT, IDENTS } kind;
	size_t at;		/* in struct request */
	json_int_t max;
} fields[] = {
	{ "command", 0, TEXT, offsetof(struct request, command), 0 },
	{ "id", REQUEST_ID, IDENT, 0, 0 },
	{ "ids", REQUEST_IDS, IDENTS, 0, 0 },
	{ "all", REQUEST_ALL, FLAG, offsetof(struct request, all), 0 },
	{ "from", REQUEST_FROM, TEXT, offsetof(struct request, from), 0 },
	{ "to", REQUEST_TO, TEXT, offsetof(struct request, to), 0 },
	{ "older_s", REQUEST_OLDER, COUNT, offsetof(struct request, older_s), INT32_MAX },
	{ "held", REQUEST_HELD, FLAG, offsetof(struct request, held), 0 },
	{ "limit", REQUEST_LIMIT, COUNT, offsetof(struct request, limit), INT32_MAX },
	{ "upstream", REQUEST_UPSTREAM, TEXT, offsetof(struct request, upstream), 0 },
	{ "headers", REQUEST_HEADERS, FLAG, offsetof(struct request, headers), 0 },
	{ "wait_s", REQUEST_WAIT, COUNT, offsetof(struct request, wait_s), REQUEST_WAIT_MAX_S },
};

void
request_clear(struct request *r)
{
	free(r->command);
	free(r->id);
	free(r->from);
	free(r->to);
	free(r->upstream);
	*r = (struct request){ 0 };
}

/* Before a recursive parser sees it. */
static bool
is_shallow(struct str s)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > REQUEST_DEPTH)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

static int
take_ident(struct request *r, const json_t *v, struct why *why)
{
	const char *text = json_string_value(v);

	if (text == NULL || !ident_parse(str_of(text), &r->id[r->nid]))
		return fail(why, "\"%.40s\" is no message id; `gatepost queue' lists them", text ? text : "");
	r->nid++;
	return 0;
}

static int
take_idents(struct request *r, const json_t *v, struct why *why)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	if (r->id != NULL)
		return fail(why, "\"id\" and \"ids\" do not go together");
	if (n == 0)
		return fail(why, "\"ids\" is empty");
	r->id = mem_array(n, sizeof *r->id);
	if (!json_is_array(v))
		return take_ident(r, v, why);
	for (size_t i = 0; i < n; i++)
		if (take_ident(r, json_array_get(v, i), why) < 0)
			return -1;
	return 0;
}

static int
take(struct request *r, const struct field *f, const json_t *v, struct why *why)
{
	char *at = (char *)r + f->at;
	json_int_t n = json_integer_value(v);

	r->given |= f->bit;
	switch (f->kind) {
	case TEXT:
		if (!json_is_string(v))
			return fail(why, "\"%s\" must be a string", f->name);
		*(char **)(void *)at = mem_text(json_string_value(v));
		return 0;
	case FLAG:
		if (!json_is_boolean(v))
			return fail(why, "\"%s\" must be true or false", f->name);
		*(bool *)(void *)at = json_is_true(v);
		return 0;
	case COUNT:
		if (!json_is_integer(v) || n < 0 || n > f->max)
			return fail(why, "\"%s\" must be a number from 0 to %lld", f->name, (long long)f->max);
		*(int64_t *)(void *)at = n;
		return 0;
	case IDENT:
		return json_is_array(v) ? fail(why, "\"id\" must be a string") : take_idents(r, v, why);
	case IDENTS:
		return json_is_array(v) ? take_idents(r, v, why) : fail(why, "\"ids\" must be a list");
	}
	bug("request: field %s of kind %d", f->name, (int)f->kind);
}

static int
take_all(struct request *r, json_t *doc, struct why *why)
{
	const char *key;
	json_t *v;

	json_object_foreach(doc, key, v) {
		const struct field *found = NULL;

		for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
			if (strcmp(fields[i].name, key) == 0)
				found = &fields[i];
		if (found == NULL)
			return fail(why, "unknown field \"%.40s\"", key);
		if (take(r, found, v, why) < 0)
			return -1;
	}
	if (r->command == NULL)
		return fail(why, "a request needs a \"command\"");
	return 0;
}

int
request_parse(struct request *r, struct str line, struct why *why)
{
	json_error_t error;
	json_t *doc;
	int result;

	*r = (struct request){ 0 };
	if (line.n > REQUEST_MAX)
		return fail(why, "a request may have %d octets", REQUEST_MAX);
	if (!is_shallow(line))
		return fail(why, "the request is nested too deeply");
	doc = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return fail(why, "a request is one JSON object in a line%s%s", doc == NULL ? ": " : "",
		    doc == NULL ? error.text : "");
	}
	result = take_all(r, doc, why);
	json_decref(doc);
	if (result < 0)
		request_clear(r);
	return result;
}
