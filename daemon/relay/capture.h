/*
 * An upstream that is a Maildir (CONTRACT.md 2: staging, tests): what a provider would have got lands in files, and counts as
 * sent when file and directory are on the disk.  It blocks its relay thread for as long as the disk takes.
 */
#ifndef RELAY_CAPTURE_H
#define RELAY_CAPTURE_H

#include "memo/memo.h"

struct capture;

/* Makes the Maildir where it is missing; holds a reference to o's config.  -1: it cannot be used (why). */
int capture_open(struct capture **out, const struct open *o, struct why *why) must_check;
void capture_close(struct capture **c);

/* Fills in the job's answer. */
void capture_deliver(struct capture *c, struct job *j);

#endif
