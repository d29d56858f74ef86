/* Files and names of the disk in memory, and the changes made to them. */
#include "crash/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void
set_size(struct view *v, uint64_t size)
{
	if (size > v->cap) {
		v->octets = mem_resize(v->octets, size, 1);
		v->cap = size;
	}
	if (size > v->size)
		memset(v->octets + v->size, 0, size - v->size);
	v->size = size;
}

void
inside_set_octets(struct view *v, uint64_t at, const void *p, uint64_t n)
{
	if (at + n > v->size)
		set_size(v, at + n);
	memcpy(v->octets + at, p, n);
}

struct entry *
inside_find_entry(struct view *v, const char *name)
{
	for (unsigned i = 0; i < v->entries; i++)
		if (strcmp(v->entry[i].name, name) == 0)
			return &v->entry[i];
	return NULL;
}

void
inside_add_entry(struct view *v, const char *name, struct inode *inode)
{
	struct entry *e = inside_find_entry(v, name);

	if (e == NULL) {
		v->entry = mem_resize(v->entry, v->entries + 1, sizeof *e);
		e = &v->entry[v->entries++];
		snprintf(e->name, sizeof e->name, "%s", name);
	}
	e->inode = inode;
}

static bool
remove_entry(struct view *v, const char *name)
{
	struct entry *e = inside_find_entry(v, name);

	if (e == NULL)
		return false;
	*e = v->entry[--v->entries];
	return true;
}

void
inside_clear_view(struct view *v)
{
	free(v->octets);
	free(v->entry);
	*v = (struct view){ 0 };
}

struct inode *
inside_new_inode(struct crashdisk *d, bool is_dir)
{
	struct inode *i = mem_zero(sizeof *i);

	i->is_dir = is_dir;
	d->inode = mem_resize(d->inode, d->inodes + 1, sizeof i);
	d->inode[d->inodes++] = i;
	return i;
}

void
inside_apply(const struct op *o, bool safe)
{
	struct view *v = safe ? &o->inode->safe : &o->inode->now;

	switch (o->kind) {
	case OP_WRITE:
		inside_set_octets(v, o->at, o->octets, o->size);
		break;
	case OP_SIZE:
		set_size(v, o->size);
		break;
	case OP_ADD:
		inside_add_entry(v, o->name, o->target);
		break;
	case OP_REMOVE:
		remove_entry(v, o->name);
		break;
	case OP_MOVE:
		if (remove_entry(v, o->name))
			inside_add_entry(safe ? &o->to_dir->safe : &o->to_dir->now, o->to, o->target);
		break;
	}
}
