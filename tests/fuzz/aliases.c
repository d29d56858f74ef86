/* The aliases file.  Promises: what every name comes to in the end is a bounded list of addresses, each of which the address
 * parser takes; nothing of it is a pipe, a file or an include (CONTRACT.md 2, PROTOCOL.md, C-06). */
#include "fuzz/support/fuzz.h"

#include "mail/address.h"
#include "mail/aliases.h"

static void
check_name(const struct aliases *a, struct str name)
{
	const char *const *v = aliases_find(a, name);
	struct address address;

	for (; v != NULL && *v != NULL; v++) {
		struct str one = str_of(*v);

		hold(one.n > 0 && !str_has_control(one));
		hold(address_parse(one, &address) == 0);
		hold(one.p[0] != ':');
		if (one.p[0] == '"')
			one = str_from(one, 1);
		hold(one.p[0] != '|' && one.p[0] != '/' && !str_istarts(one, ":include:"));
		if (address.domain.n == 0 || str_iis(address.domain, "localhost"))
			hold(aliases_find(a, address.local) == NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n), line, rest, name;
	struct aliases *a;
	struct why why = { "" };

	if (aliases_parse(&a, "aliases", in, &why) < 0) {
		hold(strncmp(why.text, "aliases:", 8) == 0);
		return 0;
	}
	check_name(a, STR("postmaster"));
	check_name(a, in);
	while (str_split(&in, '\n', &line)) {
		for (rest = line; str_split(&rest, ':', &name);)
			check_name(a, str_trim(name));
	}
	aliases_free(&a);
	hold(a == NULL);
	return 0;
}
