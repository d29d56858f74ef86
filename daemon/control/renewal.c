/* The local CA's certificate lasts ten years and names this host: when one of the two ends, the operator is asked. */
#include "control/control.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/tls.h"

enum { ASK_BEFORE_DAYS = 30, DAY_S = 86400 };

static bool
is_used(const struct config *c)
{
	if (c->tls.certificate[0] != '\0')
		return false;
	for (unsigned i = 0; i < c->nlisten; i++)
		if (c->listen[i].tls != TLS_NONE)
			return true;
	return false;
}

bool
renewal_is_due(const struct config *c, struct why *what)
{
	struct tls_certificate cert;
	struct why why;
	int64_t left_s;
	char *dir;
	bool found;

	if (!is_used(c))
		return false;
	dir = mem_printf("%s/tls", c->spool_dir);
	found = tls_local_certificate(dir, c->hostname, &cert, &why) == 0;
	free(dir);
	if (!found)
		return false;		/* it is made at a start, and a bad one stops that */
	left_s = cert.not_after_wall_s - clock_wall_s();
	if (left_s <= 0)
		fail(what, "the local certificate has expired");
	else if (left_s < (int64_t)ASK_BEFORE_DAYS * DAY_S)
		fail(what, "the local certificate ends in %d days", (int)(left_s / DAY_S));
	else if (!cert.has_name)
		fail(what, "the local certificate does not have the name %s", c->hostname);
	else
		return false;
	return true;
}
