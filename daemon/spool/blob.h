/* Large contents, each in a file of its own: blob/ID.  The rest of the interface is in spool.h. */
#ifndef SPOOL_BLOB_H
#define SPOOL_BLOB_H

#include <stdint.h>

#include "base/ident.h"
#include "base/list.h"
#include "spool/spool.h"

struct spool_blob {
	struct node node;	/* in the batch that names it */
	struct spool_blobs *place;
	int fd;
	uint64_t octets, allocated, flushed;
	uint32_t crc;
	uint64_t id;		/* once promised */
	char temporary[IDENT_TEXT + 4]; /* where the file system has no unnamed files; else "" */
};

/* What a record says of its blob. */
struct blob_head {
	uint64_t octets;
	uint32_t crc;
};

struct spool_blobs *blob_new_place(int dir);	/* takes the descriptor */
void blob_probe(struct spool_blobs *b);	/* finds out whether unnamed files can be had, and named later */
void blob_free_place(struct spool_blobs **b);
int blob_get_dir(const struct spool_blobs *b);

unsigned blob_put_head(const struct spool_blob *b, char *out);	/* FRAME_BLOB_HEAD octets */
void blob_parse_head(struct blob_head *out, const char *in);

void blob_promise(struct spool_blob *b, struct node *list, uint64_t id);
/* Makes its content durable and gives it its name; to sync the directory is the caller's. */
int blob_keep(struct spool_blob *b, struct why *why) must_check;
int blob_open(struct spool_blobs *b, uint64_t id) must_check;
void blob_unlink(struct spool_blobs *b, uint64_t id);

#endif
