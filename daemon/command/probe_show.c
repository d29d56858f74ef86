/* `gatepost probe': tries each port of each upstream and says what the network does to it. */
#include "command/probe_show.h"

#include "base/clock.h"
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "command/probe_secret.h"
#include "command/runs.h"
#include "command/table.h"
#include "command/talk.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CERTIFICATE_DAYS = 14, SPAN_TEXT = 32 };

static const char *const stages[] = {
	[PROBE_NAME] = "name", [PROBE_TCP] = "tcp", [PROBE_BANNER] = "banner", [PROBE_STARTTLS] = "starttls",
	[PROBE_TLS] = "tls", [PROBE_EHLO] = "ehlo", [PROBE_AUTH] = "auth", [PROBE_DONE] = "done",
};
static const char *const logins[] = {
	[PROBE_AUTH_NOT_TRIED] = "not tried", [PROBE_AUTH_OK] = "ok", [PROBE_AUTH_REFUSED] = "refused",
};

static json_t *
text(const char *s)
{
	struct buf safe = { 0 };
	json_t *v = json_string(s);

	if (v != NULL)
		return v;
	str_safe(&safe, str_of(s), true);
	v = json_stringn(safe.data, safe.len);
	buf_clear(&safe);
	return v;
}

static json_t *
certificate(const struct probe_result *r, int64_t wall_s)
{
	const struct tls_certificate *c = &r->certificate;

	if (!r->has_certificate)
		return json_null();
	return json_pack("{s:o, s:o, s:I, s:o}", "subject", text(c->subject), "issuer", text(c->issuer),
	    "days_left", (json_int_t)((c->not_after_wall_s - wall_s) / 86400), "chain", text(c->chain));
}

/* The way that it came, with the time that each step took. */
static json_t *
steps(const struct probe_result *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->nstep; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:I}", "stage", stages[r->step[i].stage],
		    "ok", r->ok || i + 1 < r->nstep, "ms", (json_int_t)r->step[i].ms));
	return list;
}

static json_t *
candidate(const struct probe_result *r, int64_t wall_s)
{
	return json_pack("{s:i, s:s, s:o, s:b, s:s, s:o, s:o, s:I, s:o, s:o, s:s, s:o}",
	    "port", (int)r->candidate.port, "tls", tls_mode_name(r->candidate.tls),
	    "address", text(r->candidate.address), "ok", (int)r->ok, "stage", stages[r->stage],
	    "reason", text(r->reason), "advice", text(r->advice), "ms", (json_int_t)r->ms,
	    "tls_version", text(r->tls_version), "certificate", certificate(r, wall_s),
	    "auth", logins[r->auth], "steps", steps(r));
}

/* A login that failed, and succeeded nowhere: then no port is usable, however open. */
static bool
is_shut_out(const struct probe_result *r, unsigned n)
{
	bool failed = false;

	for (unsigned i = 0; i < n; i++) {
		if (r[i].auth == PROBE_AUTH_OK)
			return false;
		failed |= r[i].stage == PROBE_AUTH && !r[i].ok;
	}
	return failed;
}

json_t *
probe_show_json(const struct upstream *u, const struct probe_result *r, unsigned n, int64_t wall_s)
{
	const struct probe_result *best = NULL;
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		if (r[i].ok && (best == NULL || r[i].candidate.rank < best->candidate.rank))
			best = &r[i];
		json_array_append_new(list, candidate(&r[i], wall_s));
	}
	if (is_shut_out(r, n))
		best = NULL;
	return json_pack("{s:o, s:o, s:b, s:o, s:o}", "upstream", text(u->name), "host", text(u->host),
	    "ok", best != NULL, "best", best == NULL ? json_null() :
	    json_sprintf("%u/%s", (unsigned)best->candidate.port, tls_mode_name(best->candidate.tls)),
	    "candidates", list);
}

/* --- in words ----------------------------------------------------------------- */

static const struct { const char *stage, *words; } names[] = {
	{ "name", "name" }, { "tcp", "TCP" }, { "banner", "banner" }, { "starttls", "STARTTLS" }, { "tls", "TLS" },
	{ "ehlo", "EHLO" }, { "auth", "login" },
};

static const char *
step_words(const char *stage)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i].stage, stage) == 0)
			return names[i].words;
	return stage;
}

static void
print_time(char out[SPAN_TEXT], int64_t ms)
{
	if (ms < 1)
		snprintf(out, SPAN_TEXT, "<1 ms");
	else
		clock_print_span(out, SPAN_TEXT, ms);
}

/* "name ok 3 ms, TCP ok 12 ms, banner FAILED 30 s" */
static void
put_steps(struct table *t, const json_t *list, bool ok)
{
	struct buf line = { 0 };
	char span[SPAN_TEXT];
	size_t i;
	json_t *s;

	json_array_foreach(list, i, s) {
		print_time(span, talk_num(s, "ms"));
		buf_printf(&line, "%s%s %s %s", i == 0 ? "" : ", ", step_words(talk_text(s, "stage")),
		    json_is_true(json_object_get(s, "ok")) ? "ok" : "FAILED", span);
	}
	if (line.len > 0)
		table_row(t, ok ? TINT_FAINT : TINT_NONE, line.data);
	buf_clear(&line);
}

static void
put_certificate(struct table *t, const json_t *c)
{
	const json_t *cert = json_object_get(c, "certificate");
	json_int_t days = talk_num(cert, "days_left");
	struct buf line = { 0 };

	if (!json_is_object(cert))
		return;
	if (talk_text(c, "tls_version")[0] != '\0')
		buf_printf(&line, "%s, ", talk_text(c, "tls_version"));
	buf_printf(&line, "certificate %s, issued by %s, ", talk_text(cert, "subject"), talk_text(cert, "issuer"));
	if (days < 0)
		buf_printf(&line, "ended %lld days ago", (long long)-days);
	else
		buf_printf(&line, "%lld day%s left", (long long)days, days == 1 ? "" : "s");
	if (talk_text(cert, "chain")[0] != '\0')
		buf_printf(&line, "; sent with it: %s", talk_text(cert, "chain"));
	table_row(t, days < CERTIFICATE_DAYS ? TINT_WARN : TINT_FAINT, line.data);
	buf_clear(&line);
}

/* `told': the advice before, which needs no repeating. */
static void
put_candidate(struct table *t, const json_t *c, const char **told)
{
	bool ok = json_is_true(json_object_get(c, "ok"));
	const char *login = talk_text(c, "auth"), *reason = talk_text(c, "reason"), *advice = talk_text(c, "advice");
	struct buf story = { 0 };
	char span[SPAN_TEXT];

	print_time(span, talk_num(c, "ms"));
	table_putf(t, TINT_NONE, "%4lld %s", (long long)talk_num(c, "port"), talk_text(c, "tls"));
	table_put(t, TINT_FAINT, talk_text(c, "address"));
	table_put(t, ok ? TINT_GOOD : TINT_BAD, ok ? "ok" : "FAILED");
	table_put(t, TINT_NONE, span);
	buf_puts(&story, reason[0] != '\0' ? reason : ok ? "ready for mail" : "failed");
	if (strcmp(login, "ok") == 0)
		buf_puts(&story, ", login ok");
	table_put(t, TINT_NONE, story.data);
	buf_clear(&story);
	put_steps(t, json_object_get(c, "steps"), ok);
	put_certificate(t, c);
	if (advice[0] != '\0' && strcmp(advice, *told) != 0)
		table_row(t, TINT_WARN, advice);
	if (advice[0] != '\0')
		*told = advice;
}

static void
put_head(struct buf *out, const json_t *doc, bool colour)
{
	const char *best = talk_text(doc, "best");
	bool reached = false;
	size_t i;
	json_t *c;

	json_array_foreach(json_object_get(doc, "candidates"), i, c)
		reached |= strcmp(talk_text(c, "stage"), "auth") == 0;
	buf_puts(out, " (");
	table_say(out, false, TINT_NONE, talk_text(doc, "host"));
	buf_puts(out, "): ");
	if (best[0] != '\0') {
		table_say(out, colour, TINT_GOOD, "usable");
		buf_printf(out, ", best by %s", best);
	} else {
		table_say(out, colour, TINT_BAD, reached ? "it can be reached, but the login fails: no port is usable" :
		    "no port is usable");
	}
	buf_putc(out, '\n');
}

void
probe_show_words(struct buf *out, const json_t *doc, bool colour)
{
	const char *told = "";
	struct table t;
	size_t i;
	json_t *c;

	table_say(out, colour, TINT_BOLD, talk_text(doc, "upstream"));
	if (json_object_get(doc, "capture") != NULL) {
		buf_puts(out, ": its mail is captured in ");
		table_say(out, false, TINT_NONE, talk_text(doc, "capture"));
		buf_puts(out, "; there is no port to try\n");
		return;
	}
	put_head(out, doc, colour);
	table_init(&t, 5, 4, colour);
	json_array_foreach(json_object_get(doc, "candidates"), i, c)
		put_candidate(&t, c, &told);
	table_print(&t, out);
	table_clear(&t);
}

/* --- the command ---------------------------------------------------------------- */

/* The name does not resolve: each entry of the chain says so. */
static unsigned
no_name(const struct upstream *u, struct probe_result *r, int64_t took_ms, const struct why *why)
{
	unsigned n = u->nchain < ROUTE_CANDIDATES_MAX ? u->nchain : ROUTE_CANDIDATES_MAX;

	for (unsigned i = 0; i < n; i++) {
		r[i] = (struct probe_result){ .stage = PROBE_NAME, .heard = HEARD_LOCAL, .nstep = 1, .ms = took_ms };
		r[i].step[0] = (struct probe_step){ PROBE_NAME, took_ms };
		r[i].candidate = (struct candidate){ .port = u->chain[i].port, .tls = u->chain[i].tls, .rank = i };
		snprintf(r[i].reason, sizeof r[i].reason, "%.*s", (int)sizeof r[i].reason - 1, why->text);
		snprintf(r[i].advice, sizeof r[i].advice, "Without an address nothing can be tried. Check the spelling of host, "
		    "then this machine's DNS: `getent ahosts %.120s' should print addresses, and /etc/resolv.conf name a server "
		    "that answers.", u->host);
	}
	return n;
}

static json_t *
probe_one(const struct config *config, const struct upstream *u)
{
	struct probe_result *r = mem_array(ROUTE_CANDIDATES_MAX, sizeof *r);
	struct probe_secret_kept kept;
	struct why why;
	int64_t began_ms;
	json_t *doc;
	int n;

	if (u->capture[0] != '\0') {
		free(r);
		return json_pack("{s:o, s:s, s:b, s:n, s:[], s:o}", "upstream", text(u->name), "host", "", "ok", 1,
		    "best", "candidates", "capture", text(u->capture));
	}
	probe_secret_get(&kept, config, u);
	began_ms = clock_now_ms();
	n = relay_probe(config, u, &kept.told, r, ROUTE_CANDIDATES_MAX, &why);
	doc = probe_show_json(u, r, n < 0 ? no_name(u, r, clock_now_ms() - began_ms, &why) : (unsigned)n, clock_wall_s());
	probe_secret_clear(&kept);
	free(r);
	return doc;
}

/* Commands and tokens are the daemon's user's; else the caller may be who he is.  0, or the exit status. */
static int
prepare(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->nupstream; i++)
		if ((name == NULL || strcmp(config->upstream[i].name, name) == 0) &&
		    probe_secret_is_fetched(&config->upstream[i]))
			return probe_secret_become_user(config);
	return ARGS_OK;
}

/* `name' NULL: all upstreams.  The exit status. */
static int
probe_all(const struct config *config, const char *name, bool json)
{
	struct buf out = { 0 };
	json_t *docs = json_array(), *doc;
	unsigned n = 0, unusable = 0;
	char *dump;

	for (unsigned i = 0; i < config->nupstream; i++) {
		if (name != NULL && strcmp(config->upstream[i].name, name) != 0)
			continue;
		doc = probe_one(config, &config->upstream[i]);
		unusable += !json_is_true(json_object_get(doc, "ok"));
		if (!json) {
			if (n > 0)
				buf_putc(&out, '\n');
			probe_show_words(&out, doc, table_wants_colour());
			if (table_out(&out) < 0)
				unusable++;
		}
		json_array_append_new(docs, doc);
		n++;
	}
	if (json && n > 0) {
		dump = json_dumps(docs, JSON_INDENT(2));
		if (dump == NULL || puts(dump) < 0 || fflush(stdout) != 0)
			unusable++;
		free(dump);
	}
	json_decref(docs);
	buf_clear(&out);
	if (n == 0)
		return command_fail(ARGS_USAGE, "probe: %s: no such upstream in %s", name, config->file);
	return unusable > 0 ? ARGS_FAILED : ARGS_OK;
}

/* Not given, or without anything that a configuration file would read otherwise. */
static bool
is_plain(const char *s)
{
	if (s == NULL || s[0] == '\0')
		return s == NULL;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr(".-_:", *s) == NULL)
			return false;
	return true;
}

/* The place in a file that is gone tells nobody anything: what was wrong stood on the command line. */
static int
complain(const char *file, const struct why *why)
{
	const char *text = why->text;

	if (strncmp(text, file, strlen(file)) == 0 && text[strlen(file)] == ':') {
		text += strlen(file) + 1;
		text += strspn(text, "0123456789");
		text += strspn(text, ": ");
	}
	return command_fail(ARGS_CONFIG, "probe: %s", text);
}

/*
 * An upstream made up on the command line: a configuration of its own, so that presets and defaults come in by the
 * usual way, and no credentials of a configured upstream can go to another host.
 */
static int
load_made_up(const struct args *a, const char *host, const char *provider, struct config **out)
{
	char file[] = "/tmp/gatepost-probe.XXXXXX";
	const struct config_options made_up = { .file = file, .secrets = true };
	const char *name = host != NULL ? host : provider;
	struct config *theirs = NULL;
	struct why why;
	FILE *f;
	int fd, status;

	if (!is_plain(host) || !is_plain(provider))
		return command_fail(ARGS_USAGE, "probe: --host takes a name or an address, --provider a preset's name");
	if (a->file != NULL || a->state != NULL) {
		if ((status = args_config(a, false, &theirs)) != ARGS_OK)
			return status;
	} else if (config_load(&theirs, &(struct config_options){ .no_upstream = true }, NULL, NULL, &why) < 0) {
		theirs = NULL;		/* then the built-in providers_file serves */
	}
	fd = mkstemp(file);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL) {
		config_unref(&theirs);
		return command_fail(ARGS_FAILED, "probe: %s: %s", file, strerror(errno));
	}
	if (theirs != NULL)
		fprintf(f, "providers_file = \"%s\"\n", theirs->providers_file);
	fprintf(f, "upstream \"%s\" {\n    auth = \"none\"\n", name);
	if (provider != NULL)
		fprintf(f, "    provider = \"%s\"\n", provider);
	if (host != NULL)
		fprintf(f, "    host = \"%s\"\n", host);
	fprintf(f, "}\n");
	if (fclose(f) != 0)
		status = command_fail(ARGS_FAILED, "probe: %s: %s", file, strerror(errno));
	else
		status = config_load(out, &made_up, NULL, NULL, &why) == 0 ? ARGS_OK : complain(file, &why);
	unlink(file);
	config_unref(&theirs);
	return status;
}

int
probe_show_run(int argc, char **argv)
{
	const char *host = NULL, *provider = NULL;
	bool json = false;
	const struct args_option own[] = {
		{ "--host", NULL, &host }, { "--provider", NULL, &provider }, { "--json", &json, NULL },
		{ NULL, NULL, NULL },
	};
	struct config *config = NULL;
	struct args a;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 1)) != ARGS_GO_ON)
		return status;
	if (a.n > 0 && (host != NULL || provider != NULL))
		return command_fail(ARGS_USAGE, "probe: either a configured upstream, or --host and --provider");
	if (host != NULL || provider != NULL)
		status = load_made_up(&a, host, provider, &config);
	else
		status = args_config(&a, true, &config);
	if (status == ARGS_OK)
		status = prepare(config, a.n > 0 ? a.name[0] : NULL);
	if (status == ARGS_OK)
		status = probe_all(config, a.n > 0 ? a.name[0] : NULL, json);
	config_unref(&config);
	return status;
}
