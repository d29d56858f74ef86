/* Options into their section's struct. */
#ifndef CONFIG_APPLY_H
#define CONFIG_APPLY_H

#include "config/load.h"

/* All options of a section of the table into the struct at `base', which is zeroed;
 * user.cfg may be NULL, and so may preset. */
int apply_section(struct load *l, const char *section, void *base,
    const struct tree_section *user, const struct tree_section *preset) must_check;

#endif
