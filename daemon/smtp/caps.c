/* Keywords of an EHLO reply, without regard to case, each by its whole token. */
#include "smtp/caps.h"

#include <stdint.h>

static const struct {
	const char *name;
	unsigned bit;
} mechanisms[] = {
	{ "PLAIN", MECH_PLAIN },
	{ "LOGIN", MECH_LOGIN },
	{ "CRAM-MD5", MECH_CRAM_MD5 },
	{ "XOAUTH2", MECH_XOAUTH2 },
	{ "OAUTHBEARER", MECH_OAUTHBEARER },
};

/* The next word of *rest, past any number of blanks. */
static bool
next_word(struct str *rest, struct str *word)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*word = (struct str){ rest->p, n };
	*rest = str_from(*rest, n);
	return n > 0;
}

static void
add_mechanisms(struct caps *c, struct str rest)
{
	struct str word;

	c->auth = true;
	while (next_word(&rest, &word))
		for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++)
			if (str_iis(word, mechanisms[i].name))
				c->mechs |= mechanisms[i].bit;
}

/* RFC 1870 4.  What is no number limits nothing (B-111): the server will say so
 * itself if it minds. */
static void
set_size(struct caps *c, struct str value)
{
	uint64_t size;

	c->size_given = true;
	if (str_number(str_trim(value), INT64_MAX, &size) && size <= INT64_MAX &&
	    size > 0 && (c->size == 0 || size < c->size))
		c->size = size;
}

/* RFC 9422 4. */
static void
set_limits(struct caps *c, struct str rest)
{
	struct str word, name;
	uint64_t value;

	while (next_word(&rest, &word)) {
		if (!str_split(&word, '=', &name) ||
		    !str_number(word, UINT32_MAX - 1, &value))
			continue;
		if (str_iis(name, "RCPTMAX"))
			c->rcpt_max = (unsigned)value;
		else if (str_iis(name, "MAILMAX"))
			c->mail_max = (unsigned)value;
	}
}

static void
take_keyword(struct caps *c, struct str word, struct str rest)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "STARTTLS", &c->starttls },
		{ "PIPELINING", &c->pipelining },
		{ "CHUNKING", &c->chunking },
		{ "8BITMIME", &c->eightbit },
		{ "SMTPUTF8", &c->utf8 },
		{ "DSN", &c->dsn },
		{ "ENHANCEDSTATUSCODES", &c->enhanced },
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (str_iis(word, flags[i].name))
			*flags[i].flag = true;
	if (str_iis(word, "SIZE"))
		set_size(c, rest);
	else if (str_iis(word, "LIMITS"))
		set_limits(c, rest);
	else if (str_iis(word, "AUTH"))
		add_mechanisms(c, rest);
	else if (str_istarts(word, "AUTH=")) {	/* before RFC 2554 */
		add_mechanisms(c, str_from(word, 5));
		add_mechanisms(c, rest);
	}
}

void
caps_parse(struct caps *c, const struct reply *ehlo)
{
	struct str line, word;

	*c = (struct caps){ .esmtp = true };
	for (unsigned n = 1; reply_line(ehlo, n, &line); n++)
		if (next_word(&line, &word))
			take_keyword(c, word, line);
}
