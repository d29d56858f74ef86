/*
 * What a token endpoint answers.  The first octet: 'h': the rest is all that it says, HTTP and all; else the rest is the body,
 * and the octet says of which answer: '2' 200, '4' 400, '1' 401, '5' 500, '9' 429.  Promises: any split gives the same answer;
 * it is bounded; a token is printable ASCII and not expired; the words repeat no secret, be it as it is or as a form has it
 * (PROTOCOL.md C.2).
 */
#include "fuzz/support/fuzz.h"

#include "base/veil.h"
#include "net/http_reply.h"
#include "net/oauth.h"

#define OTHER "an0ther-one"	/* a secret of another upstream */

static struct oauth_request request = {
	.url = "https://token.example/", .client_id = "client", .client_secret = "s3cret", .refresh_token = "1//r3fr=sh+a b", .scope = ""
};

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* In any case; as it is, or as forms have it, with or without '+' for a space. */
static bool
shows(const char *words, const char *secret)
{
	bool found = strcasestr(words, secret) != NULL;

	for (int plus = 0; plus < 2 && !found; plus++) {
		char *plain = strdup(words), *to = plain;

		for (const char *p = words; *p != '\0'; p++) {
			if (*p == '%' && digit(p[1]) >= 0 && digit(p[2]) >= 0) {
				*to++ = (char)(digit(p[1]) << 4 | digit(p[2]));
				p += 2;
			} else {
				*to++ = *p == '+' && plus ? ' ' : *p;
			}
		}
		*to = '\0';
		found = strcasestr(plain, secret) != NULL;
		free(plain);
	}
	return found;
}

static void
check_words(const struct oauth_answer *a)
{
	hold(a->words != NULL && a->words[0] != '\0' && !str_has_control(str_of(a->words)));
	hold(!shows(a->words, request.client_secret) && !shows(a->words, request.refresh_token) && !shows(a->words, OTHER));
}

static bool
is_token(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n > 0 && n <= OAUTH_TOKEN_MAX;
}

static void
check_answer(const struct http_answer *a)
{
	struct oauth_reading r;

	request.veil = veil_new();
	veil_add(request.veil, OTHER);
	oauth_read(&r, a, &request);
	veil_unref(&request.veil);
	switch (r.answer.result) {
	case OAUTH_TOKEN:
		hold(a->status == 200 && is_token(r.answer.access));
		hold(r.answer.refresh == NULL || is_token(r.answer.refresh));
		hold(r.answer.expires_s >= 0 && r.answer.expires_s <= 24 * 60 * 60);
		break;
	case OAUTH_REFUSED:
		hold(a->status / 100 == 4);
		check_words(&r.answer);
		break;
	case OAUTH_LATER:
		check_words(&r.answer);
		break;
	}
	hold(r.answer.retry_after_s >= 0 && r.answer.retry_after_s <= 24 * 60 * 60);
	oauth_reading_clear(&r);
}

static void
hear(struct str all, unsigned way, struct http_reply *r)
{
	struct pieces s = pieces_of(all, way);
	struct str piece;

	http_reply_init(r);
	while (r->state != HTTP_DONE && r->state != HTTP_BAD && pieces_next(&s, &piece)) {
		http_reply_feed(r, piece.p, piece.n);
		hold(r->body.len <= HTTP_BODY_MAX && r->line.len <= HTTP_HEAD_MAX);
	}
	pieces_end(&s);
	if (r->state != HTTP_DONE && r->state != HTTP_BAD)
		http_reply_end(r);
	hold(r->state == HTTP_DONE || (r->state == HTTP_BAD && r->why != NULL));
}

static void
check_http(struct str in)
{
	struct http_answer a = { .why = "" };
	struct http_reply whole, again;

	hear(in, 0, &whole);
	for (unsigned way = 1; way < PIECES_WAYS; way++) {
		hear(in, way, &again);
		hold(again.state == whole.state && again.status == whole.status);
		hold(whole.state == HTTP_DONE || strcmp(again.why, whole.why) == 0);
		hold(whole.state != HTTP_DONE || str_eq(buf_str(&again.body), buf_str(&whole.body)));
		http_reply_clear(&again);
	}
	if (whole.state == HTTP_DONE) {
		hold(whole.status >= 200 && whole.status <= 999);
		a.status = whole.status;
		a.body = buf_str(&whole.body);
		a.retry_after_s = whole.retry_after_s;
		check_answer(&a);
	}
	http_reply_clear(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	struct http_answer a = { .why = "" };
	struct buf form = { 0 };
	unsigned choice = fuzz_choice(&in);

	if (choice == 'h') {
		check_http(in);
		return 0;
	}
	a.status = choice == '2' ? 200 : choice == '4' ? 400 : choice == '1' ? 401 : choice == '5' ? 500 : 429;
	a.body = in;
	check_answer(&a);
	oauth_form(&form, &request);
	buf_clear(&form);
	return 0;
}
