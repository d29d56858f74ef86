/*
 * Who is at the other end: an address that may be trusted, or, on the submit socket, a user of
 * this machine whom the kernel names.
 */
#include "listener/session.h"

#include <pwd.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

static bool
is_trusted(const struct listen *listen, const char *text)
{
	unsigned char address[16];

	if (!listen->trusted_only || !cidr_address(text, address))
		return false;
	for (unsigned i = 0; i < listen->ntrusted; i++)
		if (cidr_has(&listen->trusted[i], address))
			return true;
	return false;
}

static void
name_user(struct session *s)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof peer;
	struct passwd entry, *found = NULL;
	char room[16384];

	if (getsockopt(stream_fd(s->stream), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    peer.uid == (uid_t)-1)
		return;
	if (getpwuid_r(peer.uid, &entry, room, sizeof room, &found) == 0 && found != NULL)
		s->user = mem_text(found->pw_name);
	else
		s->user = mem_printf("%lu", (unsigned long)peer.uid);
	/* If the file cannot be read now its last patterns stay in force. */
	(void)logins_refresh(&s->listener->logins, s->config->users_file);
	if (s->listener->logins.users == NULL)
		return;
	s->users = users_ref(s->listener->logins.users);
	s->account = users_find(s->users, s->user);
}

void
peer_identify(struct session *s)
{
	uint16_t port;

	if (s->port->is_submit) {
		name_user(s);
		return;
	}
	stream_peer(s->stream, s->address, sizeof s->address, &port);
	s->trusted = is_trusted(s->listen, s->address);
	s->plain_auth = s->listen->plaintext_auth && cidr_is_loopback(s->address);
}
