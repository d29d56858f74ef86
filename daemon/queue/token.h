/*
 * Access tokens for an upstream with oauth2: asked for when the one before is about to end, or was refused.  The
 * files with the refresh token and the client's secret are read each time.
 */
#ifndef QUEUE_TOKEN_H
#define QUEUE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

struct gateway;
struct veil;
struct upstream;
struct token;

bool token_has(const struct upstream *u);
void token_fetch(struct gateway *g, uint32_t question);	/* ends in credential_settle */
void token_drop(struct gateway *g);		/* the provider refused it */

void token_veil(const struct gateway *g, struct veil *v);	/* adds what is known of its secrets */

/* Is there something in the files that was not asked with yet? */
bool token_is_changed(const struct gateway *g);

void token_configure(struct gateway *g);	/* other settings: what is under way is dropped */
void token_clear(struct gateway *g);

#endif
