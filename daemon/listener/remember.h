/*
 * A short memory of credentials that were right, since apps log in for every message and a check takes milliseconds.  It is one for all
 * listeners' threads: an app that is known must not wait behind those who guess because another thread took its connection.
 * Keyed hashes only, under a key that dies with the process.
 */
#ifndef LISTENER_REMEMBER_H
#define LISTENER_REMEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct user;

/* Were these right within the last hour?  If so, for another one.  Bound to the user's present hash, so that a password that was
 * changed is forgotten at once.  Any thread. */
bool remember_knows(const struct user *u, struct str password, int64_t now_ms);
void remember_put(const struct user *u, struct str password, int64_t now_ms);

#endif
