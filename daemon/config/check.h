/* What each option may be right about and all of them together wrong. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/tree.h"

struct check {
	void (*warn)(void *arg, const char *text);	/* may be NULL */
	void *arg;
	struct why *why;
};

/* Each after its section was read; `in' is where it stands in the file. */
int check_top(const struct check *ck, const struct config *c,
    const struct tree_section *in) must_check;
int check_listen(const struct check *ck, const struct listen *l,
    const struct tree_section *in) must_check;
int check_upstream(const struct check *ck, const struct upstream *u,
    const struct tree_section *in, const struct tree_section *preset) must_check;

/* Of a route, or with NULL of the order in the file. */
void check_behind_capture(const struct check *ck, const struct config *c,
    const char *list, const struct route_rule *r);

void check_warn(const struct check *ck, const char *fmt, ...) like_printf(2, 3);

/* "FILE:LINE: OPTION: reason" at the option, or at its section if it does not stand there. */
int check_blame(const struct check *ck, const struct tree_section *in,
    const char *option, const char *fmt, ...) like_printf(4, 5);

#endif
