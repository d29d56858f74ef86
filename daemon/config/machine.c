/* The machine's full name and its cores. */
#include "config/machine.h"

#include "base/mem.h"
#include "base/str.h"
#include "mail/address.h"

#include <netdb.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 4 };

static bool
is_full_name(const char *name)
{
	struct str s = str_of(name);

	return strchr(name, '.') != NULL && str_is_ascii(s) &&
	    !str_istarts(s, "localhost") && address_is_domain(s);
}

/* RFC 5321 4.1.4 wants a full name; what `hostname --fqdn' would say. */
char *
machine_name(bool *made_up)
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME,
	    .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	char name[256] = "";
	char *full = NULL;

	*made_up = false;
	if (gethostname(name, sizeof name - 1) < 0)
		name[0] = '\0';
	if (is_full_name(name))
		return mem_text(name);
	if (name[0] != '\0' && getaddrinfo(name, NULL, &hints, &list) == 0) {
		if (list->ai_canonname != NULL &&
		    is_full_name(list->ai_canonname))
			full = mem_text(list->ai_canonname);
		freeaddrinfo(list);
	}
	if (full != NULL)
		return full;
	*made_up = true;
	if (!str_is_ascii(str_of(name)) || !address_is_domain(str_of(name)))
		return mem_text("localhost.localdomain");
	return mem_printf("%s.localdomain", name);
}

unsigned
machine_threads(void)
{
	cpu_set_t set;
	int cores = 1;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		cores = CPU_COUNT(&set);
	return cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
}
