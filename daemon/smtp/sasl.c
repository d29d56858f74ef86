/* The messages of SASL mechanisms.  Room is made before a secret is written, so that
 * a growing buffer leaves no copy of it behind. */
#include "smtp/sasl.h"

#include "base/digest.h"

#include <string.h>

enum { USER_MAX = 255 };

static int
cut_plain(struct str message, struct str *authzid, struct str *user, struct str *password)
{
	struct str rest = message, surplus;

	if (message.n == 0 || !str_split(&rest, '\0', authzid) ||
	    !str_split(&rest, '\0', user) || !str_split(&rest, '\0', password) ||
	    str_split(&rest, '\0', &surplus))
		return -1;
	if (user->n == 0 || user->n > USER_MAX || !str_is_utf8(*user) ||
	    str_has_control(*user) || password->n == 0)
		return -1;
	return authzid->n == 0 || str_eq(*authzid, *user) ? 0 : -1;
}

int
sasl_plain_parse(struct str message, struct str *authzid, struct str *user,
    struct str *password)
{
	if (cut_plain(message, authzid, user, password) == 0)
		return 0;
	/* Where a NUL is missing, the password stands in the name's place. */
	*authzid = *user = *password = STR("");
	return -1;
}

void
sasl_plain(struct buf *out, const char *user, const char *password)
{
	buf_room(out, strlen(user) + strlen(password) + 2);
	buf_putc(out, '\0');
	buf_puts(out, user);
	buf_putc(out, '\0');
	buf_puts(out, password);
}

void
sasl_cram_md5(struct buf *out, const char *user, const char *password,
    struct str challenge)
{
	unsigned char digest[16];

	digest_hmac_md5(digest, str_of(password), challenge);
	buf_printf(out, "%s ", user);
	for (size_t i = 0; i < sizeof digest; i++)
		buf_printf(out, "%02x", digest[i]);
}

void
sasl_xoauth2(struct buf *out, const char *user, const char *token)
{
	buf_room(out, strlen(user) + strlen(token) + 32);
	buf_printf(out, "user=%s\001auth=Bearer ", user);
	buf_puts(out, token);
	buf_puts(out, "\001\001");
}

/* RFC 5801 4: a saslname has neither comma nor equals sign. */
static void
put_saslname(struct buf *out, const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == ',')
			buf_puts(out, "=2C");
		else if (*name == '=')
			buf_puts(out, "=3D");
		else
			buf_putc(out, *name);
}

void
sasl_oauthbearer(struct buf *out, const char *user, const char *host,
    unsigned port, const char *token)
{
	buf_room(out, 3 * strlen(user) + strlen(host) + strlen(token) + 64);
	buf_puts(out, "n,a=");
	put_saslname(out, user);
	buf_printf(out, ",\001host=%s\001port=%u\001auth=Bearer ", host, port);
	buf_puts(out, token);
	buf_puts(out, "\001\001");
}
