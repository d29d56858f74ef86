/* One request: a line of JSON from anybody, taken apart and bounded.  Pure. */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

enum {
	REQUEST_MAX = 8192,	/* octets of a line */
	REQUEST_DEPTH = 4,	/* of nesting */
	REQUEST_WAIT_MAX_S = 300
};

enum {	/* which fields were given */
	REQUEST_ID = 1, REQUEST_IDS = 2, REQUEST_ALL = 4, REQUEST_FROM = 8, REQUEST_TO = 16, REQUEST_OLDER = 32,
	REQUEST_HELD = 64, REQUEST_LIMIT = 128, REQUEST_UPSTREAM = 256, REQUEST_HEADERS = 512, REQUEST_WAIT = 1024
};

struct request {
	unsigned given;
	char *command;
	uint64_t *id;		/* from "id" or "ids" */
	unsigned nid;
	char *from, *to;	/* patterns */
	char *upstream;
	int64_t older_s, wait_s, limit;
	bool all, held, headers;
};

/* -1: why, in words for who wrote it; *r is empty then. */
int request_parse(struct request *r, struct str line, struct why *why) must_check;
void request_clear(struct request *r);

#endif
