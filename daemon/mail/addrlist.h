/* Lists of mailboxes, as From: and Sender: have them (RFC 5322 3.4, 4.4).  Private to
 * the room; others come by fixup_addresses. */
#ifndef MAIL_ADDRLIST_H
#define MAIL_ADDRLIST_H

#include <stdbool.h>

#include "base/str.h"

enum { ADDRLIST_MAX = 4096 };	/* octets; a longer list is refused */

/* Calls each() with every address, without comments and blanks.  False: not a list of
 * mailboxes, or one that readers could take for different ones. */
bool addrlist_parse(struct str value, void (*each)(void *, struct str addr), void *arg);

#endif
