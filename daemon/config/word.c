/*
 * One word of a value, by the kind of its option.  Whatever is refused is explained with
 * an example of what is right.
 */
#include "config/word.h"

#include "base/clock.h"
#include "mail/address.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 60, LABEL_MAX = 255, PORT_MAX = 65535 };

/* The word, for `%.*s', unless it may be a secret. */
#define ARG(k, s)                                                              \
	(int)((k)->flags & KEY_UNSAID ? 3 : (s).n < SHOWN ? (s).n : SHOWN),    \
	    (k)->flags & KEY_UNSAID ? "..." : (s).p

static int
set_text(struct str s, void *to)
{
	*(char **)to = str_dup(s);
	return 0;
}

static int
parse_text(const struct key *k, struct str s, void *to, struct why *why)
{
	(void)k;
	if (str_has_control(s))
		return fail(why, "has a control character; remove it");
	return set_text(s, to);
}

static int
parse_login(const struct key *k, struct str s, void *to, struct why *why)
{
	(void)k;
	if (str_has_control(s) || !str_is_ascii(s) || s.n > LABEL_MAX)
		return fail(why, "has control or 8-bit characters, or more than "
		    "%d; correct it", LABEL_MAX);
	return set_text(s, to);
}

static int
parse_secret(const struct key *k, struct str s, void *to, struct why *why)
{
	(void)k;
	if (s.n > WORD_SECRET_MAX)
		return fail(why, "longer than %d octets; shorten it",
		    WORD_SECRET_MAX);
	return set_text(s, to);
}

static int
parse_path(const struct key *k, struct str s, void *to, struct why *why)
{
	size_t max = k->max != NULL ? strtoul(k->max, NULL, 10) : 4095;

	if (str_has_control(s))
		return fail(why, "has a control character; remove it");
	if (s.n > max)
		return fail(why, "longer than %zu octets; choose a shorter path",
		    max);
	return set_text(s, to);
}

static int
parse_domain(const struct key *k, struct str s, void *to, struct why *why)
{
	if (!str_is_ascii(s) || s.n > LABEL_MAX || !address_is_domain(s))
		return fail(why, "`%.*s' is not a host name; write it as "
		    "mail.example.com", ARG(k, s));
	return set_text(s, to);
}

/* As DNS has them, underscores included, which containers' names like to have. */
static bool
is_host(struct str s)
{
	struct str label;

	if (s.n == 0 || s.n > LABEL_MAX)
		return false;
	while (str_split(&s, '.', &label)) {
		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789-_",
			    label.p[i]) == NULL || label.p[i] == '\0')
				return false;
	}
	return true;
}

static int
parse_host(const struct key *k, struct str s, void *to, struct why *why)
{
	unsigned char address[16];
	char text[LABEL_MAX + 1] = "";

	if (s.n <= LABEL_MAX)
		memcpy(text, s.p, s.n);
	if (!is_host(s) && !cidr_address(text, address))
		return fail(why, "`%.*s' is not a host name or an address; "
		    "write it as smtp.example.com (a name with other letters "
		    "in its xn-- form)", ARG(k, s));
	return set_text(s, to);
}

static int
parse_address(const struct key *k, struct str s, void *to, struct why *why)
{
	unsigned char address[16];
	char text[64] = "";

	if (s.n < sizeof text)
		memcpy(text, s.p, s.n);
	if (!cidr_address(text, address))
		return fail(why, "`%.*s' is not an address; write it as "
		    "192.0.2.1 or 2001:db8::1", ARG(k, s));
	return set_text(s, to);
}

unsigned
word_port(struct str s)
{
	unsigned char address[16];
	const char *colon = s.n > 0 ? memrchr(s.p, ':', s.n) : NULL;
	char host[64] = "";
	size_t n = colon != NULL ? (size_t)(colon - s.p) : 0;
	bool is_ipv6 = n > 2 && s.p[0] == '[' && s.p[n - 1] == ']';
	uint64_t port;

	if (n == 0 || n >= sizeof host)
		return 0;
	memcpy(host, s.p + is_ipv6, n - 2 * is_ipv6);
	if (!cidr_address(host, address) ||
	    (strchr(host, ':') != NULL) != is_ipv6)
		return 0;
	s = str_from(s, n + 1);
	if (s.n == 0 || s.p[0] == '0' || !str_number(s, PORT_MAX, &port) ||
	    port > PORT_MAX)
		return 0;
	return (unsigned)port;
}

static int
parse_endpoint(const struct key *k, struct str s, void *to, struct why *why)
{
	if (word_port(s) == 0)
		return fail(why, "`%.*s' is not an address and a port; write it "
		    "as 127.0.0.1:587 or [::1]:587", ARG(k, s));
	return set_text(s, to);
}

static int
parse_mailbox(const struct key *k, struct str s, void *to, struct why *why)
{
	struct address a;

	if (address_parse(s, &a) < 0 || a.domain.n == 0 || a.is_null)
		return fail(why, "`%.*s' is not a mail address; write it as "
		    "someone@example.com", ARG(k, s));
	return set_text(s, to);
}

/* RFC 5322 2.2: printable, no colon; and short enough for its value to fit. */
static int
parse_field(const struct key *k, struct str s, void *to, struct why *why)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ':' ||
		    s.n > 64)
			return fail(why, "`%.*s' is not the name of a header "
			    "field; write it as X-Message-Key", ARG(k, s));
	return set_text(s, to);
}

static int
parse_url(const struct key *k, struct str s, void *to, struct why *why)
{
	if (!(str_istarts(s, "https://") && s.n > 8) &&
	    !(str_istarts(s, "http://") && s.n > 7))
		return fail(why, "`%.*s' is not a URL; write it as "
		    "https://example.com/path", ARG(k, s));
	if (str_has_control(s) || !str_is_ascii(s) ||
	    memchr(s.p, ' ', s.n) != NULL)
		return fail(why, "has blanks, control or 8-bit characters; "
		    "write them as %%20 and its like");
	return set_text(s, to);
}

static int
parse_count(const struct key *k, struct str s, void *to, struct why *why)
{
	uint64_t n, min = strtoul(k->min, NULL, 10), max = strtoul(k->max, NULL, 10);

	if (!str_number(s, max, &n) || n < min || n > max)
		return fail(why, "`%.*s' is not a number between %s and %s",
		    ARG(k, s), k->min, k->max);
	*(unsigned *)to = (unsigned)n;
	return 0;
}

static int
parse_size(const struct key *k, struct str s, void *to, struct why *why)
{
	uint64_t n, min, max;

	if (!config_parse_size(str_of(k->min), &min) ||
	    !config_parse_size(str_of(k->max), &max))
		bug("%s: range", k->option.name);
	if (!config_parse_size(s, &n))
		return fail(why, "`%.*s' is not a size; write it as 512K, 50M "
		    "or 2G", ARG(k, s));
	if (n < min || n > max)
		return fail(why, "`%.*s' is not between %s and %s", ARG(k, s),
		    k->min, k->max);
	*(uint64_t *)to = n;
	return 0;
}

static int
parse_span(const struct key *k, struct str s, void *to, struct why *why)
{
	int64_t ms, min = 0, max = INT64_MAX;

	if ((k->min != NULL && !clock_parse_span(str_of(k->min), &min)) ||
	    (k->max != NULL && !clock_parse_span(str_of(k->max), &max)))
		bug("%s: range", k->option.name);
	if (!clock_parse_span(s, &ms))
		return fail(why, "`%.*s' is not a duration; write it as 500ms, "
		    "30s, 5m, 4h or 5d", ARG(k, s));
	if (ms < min || ms > max)
		return fail(why, "`%.*s' is not between %s and %s", ARG(k, s),
		    k->min, k->max);
	*(int64_t *)to = ms;
	return 0;
}

static int
parse_wait(const struct key *k, struct str s, void *to, struct why *why)
{
	struct key one = *k;

	one.min = "10ms";	/* a list's own are how many */
	one.max = "30d";
	return parse_span(&one, s, to, why);
}

static int
parse_rate(const struct key *k, struct str s, void *to, struct why *why)
{
	struct rate rate = { 0 };

	if (!bucket_parse(s, &rate))
		return fail(why, "`%.*s' is not a rate; write it as 14/s, "
		    "100/m, 500/h or 9000/d", ARG(k, s));
	*(struct rate *)to = rate;
	return 0;
}

/* Nothing but the two words: `off' for tls_verify should be asked for more plainly. */
static int
parse_bool(const struct key *k, struct str s, void *to, struct why *why)
{
	if (!str_is(s, "true") && !str_is(s, "false"))
		return fail(why, "`%.*s' is neither true nor false", ARG(k, s));
	*(bool *)to = str_is(s, "true");
	return 0;
}

/* Index of s among words separated by |, or -1. */
static int
choose(const char *words, struct str s)
{
	struct str rest = str_of(words), word;

	for (int i = 0; str_split(&rest, '|', &word); i++)
		if (str_eq(word, s) && s.n > 0)
			return i;
	return -1;
}

static int
parse_choice(const struct key *k, struct str s, void *to, struct why *why)
{
	int i = choose(k->min, s);

	if (i < 0)
		return fail(why, "`%.*s' is none of %s", ARG(k, s), k->min);
	if (k->size == sizeof(bool))
		*(bool *)to = i > 0;
	else
		*(int *)to = i;
	return 0;
}

static int
parse_chain(const struct key *k, struct str s, void *to, struct why *why)
{
	struct str rest = s, port;
	int mode = -1;
	uint64_t n = 0;

	if (str_split(&rest, '/', &port) && port.n > 0 && port.p[0] != '0' &&
	    str_number(port, PORT_MAX, &n) && n <= PORT_MAX)
		mode = choose("none|starttls|implicit", rest);
	if (mode < 0)
		return fail(why, "`%.*s' is not a port and a mode; write it as "
		    "587/starttls, 465/implicit or 25/none", ARG(k, s));
	*(struct chain_entry *)to = (struct chain_entry){ (uint16_t)n,
	    (enum tls_mode)mode };
	return 0;
}

static int
parse_network(const struct key *k, struct str s, void *to, struct why *why)
{
	if (!cidr_parse(s, to))
		return fail(why, "`%.*s' is not a network; write it as "
		    "192.0.2.0/24 or 2001:db8::/32, with no bits behind the "
		    "prefix", ARG(k, s));
	return 0;
}

static bool
is_status(struct str s)
{
	struct str part;
	unsigned n = 0;
	uint64_t value;

	while (str_split(&s, '.', &part)) {
		if (part.n == 0 || part.n > 3 || !str_number(part, 999, &value) ||
		    (n == 0 && value != 4 && value != 5))
			return false;
		n++;
	}
	return n == 3;
}

static int
parse_reply(const struct key *k, struct str s, void *to, struct why *why)
{
	struct too_fast *t = to;
	struct str status = s, code;
	uint64_t n = 0;

	if (!str_split(&status, ' ', &code) || code.n != 3 ||
	    !str_number(code, 599, &n) || n < 400 || n > 599 ||
	    (status.n > 0 && (!is_status(status) ||
	    status.n >= sizeof t->status)) || (status.n == 0 && s.n != 3))
		return fail(why, "`%.*s' is not a reply; write it as 421 or "
		    "454 4.7.0", ARG(k, s));
	t->code = (int)n;
	if (status.n > 0)
		memcpy(t->status, status.p, status.n);
	return 0;
}

bool
word_is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
		    (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		    (s.p[i] >= '0' && s.p[i] <= '9') ||
		    s.p[i] == '.' || s.p[i] == '_' || s.p[i] == '-'))
			return false;
	return s.n > 0 && s.n <= WORD_NAME_MAX;
}

int
word_parse(const struct key *k, struct str s, void *to, struct why *why)
{
	static int (*const parse[KEY_KINDS])(const struct key *, struct str,
	    void *, struct why *) = {
		[KEY_TEXT] = parse_text,
		[KEY_LOGIN] = parse_login,
		[KEY_SECRET] = parse_secret,
		[KEY_PATH] = parse_path,
		[KEY_DOMAIN] = parse_domain,
		[KEY_HOST] = parse_host,
		[KEY_ADDRESS] = parse_address,
		[KEY_ENDPOINT] = parse_endpoint,
		[KEY_MAILBOX] = parse_mailbox,
		[KEY_FIELD] = parse_field,
		[KEY_URL] = parse_url,
		[KEY_COUNT] = parse_count,
		[KEY_SIZE] = parse_size,
		[KEY_SPAN] = parse_span,
		[KEY_RATE] = parse_rate,
		[KEY_BOOL] = parse_bool,
		[KEY_CHOICE] = parse_choice,
		[KEY_NAMES] = parse_text,
		[KEY_SPANS] = parse_wait,
		[KEY_CHAIN] = parse_chain,
		[KEY_NETWORKS] = parse_network,
		[KEY_REPLIES] = parse_reply
	};

	return parse[k->kind](k, s, to, why);
}
