/* Networks: what the rest of the room asks of them (config.h has what others do). */
#ifndef CONFIG_CIDR_H
#define CONFIG_CIDR_H

#include "config/config.h"

/* Together they hold every IPv4 or every global IPv6 address. */
bool cidr_cover_everyone(const struct cidr *c, unsigned n);

#endif
