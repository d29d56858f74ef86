/* AUTH at the fake provider: PLAIN, LOGIN, CRAM-MD5, XOAUTH2, OAUTHBEARER against one user and password. */
#include "provider/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SECRET_MAX = 6000 };

static int
decode(const char *text, char *out, size_t size)
{
	size_t n = strlen(text);
	int octets;

	if (n % 4 != 0 || n / 4 * 3 >= size)
		return -1;
	octets = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)n);
	for (size_t i = n; octets > 0 && i > 0 && text[i - 1] == '='; i--)
		octets--;
	if (octets >= 0)
		out[octets] = '\0';
	return octets;
}

/* One further step: says the challenge, reads the answer and decodes it. */
static int
ask(struct conn *c, const char *challenge, char *out, size_t size)
{
	char line[SECRET_MAX], reply[1024];

	snprintf(reply, sizeof reply, "334 %s", challenge);
	if (talk_answer(c, "auth2", "", reply) != 334 || !talk_line(c, line, sizeof line))
		return -1;
	if (strcmp(line, "*") == 0) {
		talk_answer(c, "cancel", "", "501 5.7.0 cancelled");
		return -1;
	}
	return decode(line, out, size);
}

static bool
is_plain(struct conn *c, const char *p, int n)
{
	const struct provider_options *o = &c->provider->options;
	char want[512];
	int len = snprintf(want, sizeof want, "%c%s%c%s", 0, o->user, 0, o->password);

	return n == len && memcmp(p, want, (size_t)n) == 0;
}

static bool
is_cram(struct conn *c, const char *challenge, const char *p)
{
	const struct provider_options *o = &c->provider->options;
	unsigned char mac[EVP_MAX_MD_SIZE];
	char want[512];
	unsigned n = 0;
	int at = snprintf(want, sizeof want, "%s ", o->user);

	HMAC(EVP_md5(), o->password, (int)strlen(o->password), (const unsigned char *)challenge,
	    strlen(challenge), mac, &n);
	for (unsigned i = 0; i < n; i++)
		at += snprintf(want + at, sizeof want - (size_t)at, "%02x", mac[i]);
	return strcmp(p, want) == 0;
}

static bool
is_bearer(struct conn *c, const char *mech, const char *p)
{
	const struct provider_options *o = &c->provider->options;
	char want[4096];

	snprintf(want, sizeof want, "auth=Bearer %s\1\1", o->password);
	if (strstr(p, want) == NULL)
		return false;
	snprintf(want, sizeof want, strcasecmp(mech, "XOAUTH2") == 0 ? "user=%s\1" : "a=%s,", o->user);
	return strstr(p, want) != NULL;
}

/* Reads what the mechanism wants.  1: the secret is right, 0: wrong, -1: the exchange ended otherwise. */
static int
exchange(struct conn *c, const char *mech, const char *initial)
{
	static const char challenge[] = "<1896.697170952@fake.provider.test>";
	char got[SECRET_MAX] = "", coded[128];
	const struct provider_options *o = &c->provider->options;
	int n;

	if (strcasecmp(mech, "PLAIN") == 0) {
		n = initial != NULL ? decode(initial, got, sizeof got) : ask(c, "", got, sizeof got);
		return n < 0 ? -1 : is_plain(c, got, n);
	}
	if (strcasecmp(mech, "LOGIN") == 0) {
		char password[SECRET_MAX];

		n = initial != NULL ? decode(initial, got, sizeof got) : ask(c, "VXNlcm5hbWU6", got, sizeof got);
		if (n < 0 || ask(c, "UGFzc3dvcmQ6", password, sizeof password) < 0)
			return -1;
		return strcmp(got, o->user) == 0 && strcmp(password, o->password) == 0;
	}
	if (strcasecmp(mech, "CRAM-MD5") == 0) {
		EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)challenge, sizeof challenge - 1);
		return ask(c, coded, got, sizeof got) < 0 ? -1 : is_cram(c, challenge, got);
	}
	n = initial != NULL ? decode(initial, got, sizeof got) : ask(c, "", got, sizeof got);
	if (n < 0)
		return -1;
	if (is_bearer(c, mech, got))
		return 1;
	/* {"status":"400"}: the client answers once more, then hears the refusal */
	return ask(c, "eyJzdGF0dXMiOiI0MDAifQ==", got, sizeof got) < 0 && c->dead ? -1 : 0;
}

void
auth_run(struct conn *c, char *args)
{
	char *initial = args, *mech = strsep(&initial, " ");
	char rule[512];
	int right;

	/* a refusal at once, whatever the secret; an odd 334 and the like too */
	if (provider_rule(c, "auth", args, rule, sizeof rule)) {
		c->logged_in = talk_perform(c, rule, NULL) == 235;
		return;
	}
	right = exchange(c, mech, initial);
	if (right < 0 || c->dead)
		return;
	if (right && talk_answer(c, "login", "", "235 2.7.0 welcome") == 235) {
		c->logged_in = true;
		snprintf(c->user, sizeof c->user, "%s", c->provider->options.user);
	} else if (!right)
		talk_answer(c, "denied", "", "535 5.7.8 authentication failed");
}
