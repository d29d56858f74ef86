/* The insides of the disk whose power can be cut, for crashdisk.c, crashcut.c and inside.c. */
#ifndef CRASH_INSIDE_H
#define CRASH_INSIDE_H

#include "crash/crashdisk.h"

enum { FDS = 512, FIRST_FD = 5000, NAME = 40 };

struct inode;

struct entry {
	char name[NAME];
	struct inode *inode;
};

/* Octets, or names, as seen now or as safe on the platter. */
struct view {
	unsigned char *octets;
	uint64_t size, cap;
	struct entry *entry;
	unsigned entries;
};

struct inode {
	bool is_dir, locked;
	struct view now, safe;
	struct inode *copy;	/* while the disk is cut */
	bool needed;		/* something names it, or has it open */
};

enum op_kind { OP_WRITE, OP_SIZE, OP_ADD, OP_REMOVE, OP_MOVE };

struct op {
	enum op_kind kind;
	struct inode *inode;	/* the file written, or the directory */
	uint64_t at, size;
	unsigned char *octets;
	struct inode *to_dir, *target;
	char name[NAME], to[NAME];
};

struct crashdisk {
	struct inode **inode;
	unsigned inodes;
	struct inode *fd[FDS];
	struct op *op;
	unsigned ops;
	uint64_t capacity;
	unsigned fail_sync;
	void (*hook)(void *arg, struct crashdisk *d);
	void *arg;
};

void inside_clear_view(struct view *v);
void inside_set_octets(struct view *v, uint64_t at, const void *p, uint64_t n);
struct entry *inside_find_entry(struct view *v, const char *name);	/* NULL: none */
void inside_add_entry(struct view *v, const char *name, struct inode *inode);
struct inode *inside_new_inode(struct crashdisk *d, bool is_dir);
void inside_apply(const struct op *o, bool safe);
void inside_mark_view(const struct view *v);

#endif
