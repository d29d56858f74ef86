/* Token requests: the form that is posted, and what the answer means. */
#include "net/oauth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/veil.h"

struct oauth {
	struct loop *loop;
	struct http *http;
	struct oauth_request request;	/* url, tls and scope are not kept */
	char *client_secret, *refresh_token;
	oauth_fn fn;
	void *arg;
};

enum { EXPIRES_MAX_S = 24 * 60 * 60, DESCRIPTION_MAX = 160 };

/* --- asking ------------------------------------------------------------------------ */

static void
put_field(struct buf *out, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";

	if (out->len > 0)
		buf_putc(out, '&');
	buf_puts(out, name);
	buf_putc(out, '=');
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-._*", c) != NULL) {
			buf_putc(out, (char)c);
		} else if (c == ' ') {
			buf_putc(out, '+');
		} else {
			buf_putc(out, '%');
			buf_putc(out, hex[c >> 4]);
			buf_putc(out, hex[c & 15]);
		}
	}
}

/* RFC 6749 2.3.1, 4.4.2, 6; appendix B has the coding.  The client's secret goes in the body: every provider takes it there. */
void
oauth_form(struct buf *out, const struct oauth_request *r)
{
	size_t most = strlen(r->client_id) + strlen(r->scope);

	most += r->client_secret != NULL ? strlen(r->client_secret) : 0;
	most += r->refresh_token != NULL ? strlen(r->refresh_token) : 0;
	(void)buf_room(out, 3 * most + 200);	/* no copy is left behind by growing */
	put_field(out, "grant_type", r->refresh_token != NULL ? "refresh_token" : "client_credentials");
	put_field(out, "client_id", r->client_id);
	if (r->client_secret != NULL && *r->client_secret != '\0')
		put_field(out, "client_secret", r->client_secret);
	if (r->refresh_token != NULL)
		put_field(out, "refresh_token", r->refresh_token);
	if (*r->scope != '\0')
		put_field(out, "scope", r->scope);
}

/* --- reading ------------------------------------------------------------------------ */

static void
set(struct oauth_reading *out, enum oauth_result result)
{
	out->answer.result = result;
	out->answer.words = out->why.text;
}

/* RFC 6749 A.12, A.17: printable, and so no separator of SASL either. */
static bool
is_token(const char *s, size_t n)
{
	if (n == 0 || n > OAUTH_TOKEN_MAX || strlen(s) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return true;
}

static bool
take_token(const json_t *o, const char *name, char **out)
{
	const json_t *v = json_object_get(o, name);
	const char *s = json_string_value(v);

	if (s == NULL || !is_token(s, json_string_length(v)))
		return false;
	*out = mem_text(s);
	return true;
}

/* Seconds, as a number, or as text as some write it.  false: nothing that can be understood. */
static bool
read_expires(const json_t *o, int64_t *out)
{
	const json_t *v = json_object_get(o, "expires_in");
	uint64_t n = 0;

	if (v == NULL || json_is_null(v))
		return true;
	if (json_is_number(v)) {
		double d = json_number_value(v);

		if (!(d >= 1))
			return false;
		n = d > EXPIRES_MAX_S ? EXPIRES_MAX_S : (uint64_t)d;
	} else if (!str_number(str_of(json_string_value(v)), EXPIRES_MAX_S, &n) || n == 0) {
		return false;
	}
	*out = n > EXPIRES_MAX_S ? EXPIRES_MAX_S : (int64_t)n;
	return true;
}

/* What we have said, or what is in this answer, is not to come back in the log.  One that is too short for the veil is found in many
 * a word; better so. */
static bool
is_secret(const char *text, const json_t *o, const struct oauth_request *r)
{
	const char *const secrets[] = { r->client_secret, r->refresh_token, json_string_value(json_object_get(o, "access_token")),
	    json_string_value(json_object_get(o, "refresh_token")) };
	struct veil *v = veil_new();
	bool found = r->veil != NULL && veil_finds(r->veil, str_of(text));

	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		veil_add(v, secrets[i]);
		found = found || (secrets[i] != NULL && *secrets[i] != '\0' && strcasestr(text, secrets[i]) != NULL);
	}
	found = found || veil_finds(v, str_of(text));
	veil_unref(&v);
	return found;
}

static void
read_token(struct oauth_reading *out, const json_t *o)
{
	const char *type = json_string_value(json_object_get(o, "token_type"));

	set(out, OAUTH_LATER);
	if (type != NULL && !str_iis(str_of(type), "bearer")) {
		fail(&out->why, "the token endpoint gave a token of another type than Bearer, which no mail server takes");
	} else if (!take_token(o, "access_token", &out->access)) {
		fail(&out->why, "the token endpoint's answer has no usable access_token");
	} else if (!read_expires(o, &out->answer.expires_s)) {
		fail(&out->why, "the token endpoint gave a token that has expired already");
	} else {
		if (take_token(o, "refresh_token", &out->refresh))
			out->answer.refresh = out->refresh;
		out->answer.access = out->access;
		set(out, OAUTH_TOKEN);
	}
}

/* RFC 6749 5.2, 4.1.2.1 and what OpenID adds: nothing that waiting would change. */
static bool
is_refusal(const char *error)
{
	static const char *const refusals[] = { "invalid_grant", "invalid_client", "invalid_request", "invalid_scope",
	    "unauthorized_client", "unsupported_grant_type", "access_denied", "interaction_required", "consent_required",
	    "login_required" };

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (strcmp(error, refusals[i]) == 0)
			return true;
	return false;
}

static void
read_error(struct oauth_reading *out, const json_t *o, const char *error, const struct oauth_request *r)
{
	const char *words = json_string_value(json_object_get(o, "error_description"));

	set(out, is_refusal(error) ? OAUTH_REFUSED : OAUTH_LATER);
	if (words == NULL || is_secret(words, o, r))
		words = "";
	if (is_secret(error, o, r))
		error = "an error";
	fail(&out->why, "the token endpoint says %.60s%s%.*s", error, *words != '\0' ? ": " : "", DESCRIPTION_MAX, words);
}

void
oauth_read(struct oauth_reading *out, const struct http_answer *a, const struct oauth_request *r)
{
	json_t *o = a->status != 0 ? json_loadb(a->body.p != NULL ? a->body.p : "", a->body.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *error = json_string_value(json_object_get(o, "error"));

	memset(out, 0, sizeof *out);
	set(out, OAUTH_LATER);
	if (a->status == 0)
		fail(&out->why, "no answer from the token endpoint: %s", is_secret(a->why, NULL, r) ? "it repeats a secret" : a->why);
	else if (a->status == 429 || a->status >= 500)
		fail(&out->why, "the token endpoint answers %d: try later", a->status);
	else if (json_is_object(o) && a->status / 100 == 4 && error != NULL)
		read_error(out, o, error, r);
	else if (json_is_object(o) && a->status == 200 && error == NULL)
		read_token(out, o);
	else if (a->status == 401) {
		fail(&out->why, "the token endpoint answers 401: client_id or its secret is wrong");
		set(out, OAUTH_REFUSED);
	} else
		fail(&out->why, "the token endpoint answers %d%s: check token_url", a->status,
		    a->status == 200 ? " without a token" : "");
	out->answer.retry_after_s = out->answer.result == OAUTH_LATER ? a->retry_after_s : 0;
	json_decref(o);
}

void
oauth_reading_clear(struct oauth_reading *out)
{
	mem_free_secret(&out->access);
	mem_free_secret(&out->refresh);
}

/* --- its life --------------------------------------------------------------------------- */

static void
on_answer(void *arg, const struct http_answer *a)
{
	struct oauth *o = arg;
	struct oauth_reading r;

	oauth_read(&r, a, &o->request);
	o->fn(o->arg, &r.answer);	/* o may be gone when it returns */
	oauth_reading_clear(&r);
}

struct oauth *
oauth_start(struct loop *l, struct dns *d, const struct oauth_request *r, oauth_fn fn, void *arg)
{
	struct oauth *o = mem_zero(sizeof *o);
	struct buf form = { 0 };
	struct http_request h = { .url = r->url, .content_type = "application/x-www-form-urlencoded",
		.timeout_ms = r->timeout_ms, .tls = r->tls };

	o->loop = l;
	o->client_secret = mem_text(r->client_secret);
	o->refresh_token = mem_text(r->refresh_token);
	o->request = (struct oauth_request){ .client_secret = o->client_secret, .refresh_token = o->refresh_token,
	    .veil = veil_ref(r->veil) };
	o->fn = fn;
	o->arg = arg;
	oauth_form(&form, r);
	h.body = buf_str(&form);
	o->http = http_start(l, d, &h, on_answer, o);
	buf_wipe(&form);
	return o;
}

void
oauth_free(struct oauth **op)
{
	struct oauth *o = *op;

	if (o == NULL)
		return;
	*op = NULL;
	http_free(&o->http);
	mem_free_secret(&o->client_secret);
	mem_free_secret(&o->refresh_token);
	veil_unref(&o->request.veil);
	loop_bury(o->loop, o, free);
}
