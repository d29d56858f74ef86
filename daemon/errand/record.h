/*
 * What daemon and helper say to each other: one record, one datagram of a SOCK_SEQPACKET pair.
 *
 *   to the helper:  RECORD_RUN, number, command, digest, input      RECORD_RELOAD
 *   to the daemon:  RECORD_ENDED, number, result, status, output
 */
#ifndef ERRAND_RECORD_H
#define ERRAND_RECORD_H

#include "base/buf.h"
#include "errand/errand.h"
#include "errand/ledger.h"

enum record_kind { RECORD_RUN = 1, RECORD_RELOAD, RECORD_ENDED };

enum { RECORD_MAX = ERRAND_OUTPUT_MAX + 128, RECORDS_AT_ONCE = 4 };

struct record {
	enum record_kind kind;
	uint32_t number;		/* which question; the daemon's count */
	uint32_t command;		/* RUN */
	unsigned char digest[LEDGER_DIGEST];	/* RUN: of the ledger that the number is meant for */
	enum errand_result result;	/* ENDED */
	uint32_t status;		/* ENDED: as of waitpid, or errno where it could not be started */
	struct str text;		/* RUN: input; ENDED: the first line of output; borrowed */
};

void record_put(struct buf *out, const struct record *r);
bool record_get(struct str bytes, struct record *out) must_check;	/* false: nonsense */

#endif
