/*
 * Takes secrets out of text that strangers wrote: a server may repeat what it was told, then or later (C-16).  Found as they
 * are, in any case, percent-encoded, quoted-printable, with backslashes as in a quoted string, in hexadecimal, as base 64 has them
 * wherever in a longer text they stood, and broken at the ends of lines.
 */
#ifndef BASE_VEIL_H
#define BASE_VEIL_H

#include "base/buf.h"

enum {
	VEIL_LEAST = 4,		/* shorter words are everywhere */
	VEIL_ENOUGH = 32,	/* so much of a longer one's beginning is recognised, and taken out as far as it goes */
	VEIL_SECRETS = 24
};

struct veil;

struct veil *veil_new(void);
/* NULL, too short or there already: nothing, nor when there are VEIL_SECRETS.  Only while nobody else has it: then threads share it. */
void veil_add(struct veil *v, const char *secret);
struct veil *veil_ref(struct veil *v);		/* NULL: NULL */
void veil_unref(struct veil **v);		/* the last one wipes */

/* In place of each three asterisks.  v NULL: nothing happens.  is_cut: one may begin at the end of the text. */
void veil_hide(const struct veil *v, struct buf *text, bool is_cut);
/* A certificate's name, whole, as RFC 2253 writes it: three asterisks are all that is left of one that has a secret. */
void veil_hide_name(const struct veil *v, struct buf *name);
bool veil_finds(const struct veil *v, struct str text);

#endif
