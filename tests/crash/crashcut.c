/* Cutting the power: what of the changes that were not yet synced has reached the platter. */
#include "crash/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { FEW = 10, BLOCK = 4096, SECTOR = 512, PIECES = 64 };

/* Small, fast, and the same everywhere. */
static uint64_t
next_random(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void
copy_view(struct view *to, const struct view *from)
{
	if (from->size > 0)
		inside_set_octets(to, 0, from->octets, from->size);
	for (unsigned i = 0; i < from->entries; i++)
		inside_add_entry(to, from->entry[i].name, from->entry[i].inode->copy);
}

/* The same change, to the copy. */
static void
replay_op(const struct op *o)
{
	struct op there = *o;

	there.inode = o->inode->copy;
	there.to_dir = o->to_dir != NULL ? o->to_dir->copy : NULL;
	there.target = o->target != NULL ? o->target->copy : NULL;
	inside_apply(&there, true);
}

/* A write that reached the platter in pieces: each is there, missing, or (where blocks were
 * allocated but not filled) zeros. */
static void
tear(const struct op *o, uint64_t *random, uint64_t piece, bool zeros)
{
	for (uint64_t done = 0; done < o->size;) {
		uint64_t n = piece - (o->at + done) % piece, luck = next_random(random) % 4;
		struct op part = *o;

		if (n > o->size - done)
			n = o->size - done;
		part.at = o->at + done;
		part.size = n;
		part.octets = luck == 3 && zeros ? mem_zero(n) : mem_copy(o->octets + done, n);
		if (luck >= 2)
			replay_op(&part);
		free(part.octets);
		done += n;
	}
}

static void
replay_randomly(const struct crashdisk *d, uint64_t way)
{
	uint64_t random = way * 0x2545f4914f6cdd1du, style = next_random(&random);
	uint64_t piece = style & 1 ? BLOCK : SECTOR;
	bool zeros = (style & 6) == 2, in_order = (style & 8) != 0;
	unsigned upto = in_order && d->ops > 0 ? (unsigned)(next_random(&random) % d->ops) : d->ops;

	for (unsigned i = 0; i < d->ops; i++) {
		const struct op *o = &d->op[i];

		if (!o->inode->needed)
			continue;
		if (i < upto && in_order)
			replay_op(o);
		else if (i > upto && in_order)
			break;
		else if (o->kind == OP_WRITE)
			tear(o, &random, piece, zeros);
		else if (next_random(&random) & 1)
			replay_op(o);
	}
}

static uint64_t
subsets(const struct crashdisk *d)
{
	return d->ops <= FEW ? UINT64_C(1) << d->ops : d->ops + 1;
}

/* The newest write, in so many pieces; none if it is the first of a file that nothing names. */
static uint64_t
pieces(const struct crashdisk *d, uint64_t piece)
{
	const struct op *o = d->ops > 0 ? &d->op[d->ops - 1] : NULL;
	uint64_t n;

	if (o == NULL || o->kind != OP_WRITE || o->size == 0)
		return 0;
	n = (o->at % piece + o->size + piece - 1) / piece;
	return n < 2 ? 0 : n < PIECES ? n : PIECES;
}

uint64_t
crashdisk_ways(const struct crashdisk *d)
{
	return subsets(d) + 3 * (pieces(d, SECTOR) + pieces(d, BLOCK));
}

/* All before the newest write is there; of it, what lies before a piece, what lies behind it, or all but it. */
static void
replay_torn(const struct crashdisk *d, uint64_t way)
{
	const struct op *o = &d->op[d->ops - 1];
	uint64_t piece = way < 3 * pieces(d, SECTOR) ? SECTOR : BLOCK;
	uint64_t which, first;

	way -= piece == BLOCK ? 3 * pieces(d, SECTOR) : 0;
	which = way / 3;
	first = o->at - o->at % piece;
	for (unsigned i = 0; i + 1 < d->ops; i++)
		if (d->op[i].inode->needed)
			replay_op(&d->op[i]);
	if (!o->inode->needed)
		return;
	for (uint64_t done = 0, n; done < o->size; done += n) {
		uint64_t number = (o->at + done - first) / piece;
		struct op part = *o;

		n = piece - (o->at + done) % piece;
		n = n < o->size - done ? n : o->size - done;
		if (way % 3 == 0 ? number >= which : way % 3 == 1 ? number <= which : number == which)
			continue;
		part.at = o->at + done;
		part.size = n;
		part.octets = o->octets + done;
		replay_op(&part);
	}
}

struct crashdisk *
crashdisk_cut(const struct crashdisk *d, uint64_t way)
{
	struct crashdisk *c = mem_zero(sizeof *c);

	c->capacity = d->capacity;
	for (unsigned i = 0; i < d->inodes; i++)
		d->inode[i]->copy = inside_new_inode(c, d->inode[i]->is_dir);
	for (unsigned i = 0; i < d->inodes; i++)
		d->inode[i]->needed = d->inode[i]->is_dir;
	for (unsigned i = 0; i < d->inodes; i++)
		inside_mark_view(&d->inode[i]->safe);
	for (unsigned i = 0; i < d->ops; i++)
		if (d->op[i].target != NULL)
			d->op[i].target->needed = true;
	for (unsigned i = 0; i < d->inodes; i++)
		if (d->inode[i]->needed)
			copy_view(&d->inode[i]->copy->safe, &d->inode[i]->safe);
	if (way >= crashdisk_ways(d))
		replay_randomly(d, way);
	else if (way >= subsets(d))
		replay_torn(d, way - subsets(d));
	else
		for (unsigned i = 0; i < d->ops; i++)
			if (!d->op[i].inode->needed)
				continue;
			else if (d->ops <= FEW ? way >> i & 1 : i < way)
				replay_op(&d->op[i]);
	for (unsigned i = 0; i < c->inodes; i++)
		c->inode[i]->copy = c->inode[i];
	for (unsigned i = 0; i < c->inodes; i++)
		copy_view(&c->inode[i]->now, &c->inode[i]->safe);
	return c;
}

static void
print_dir(const struct view *v, const char *path)
{
	for (unsigned i = 0; i < v->entries; i++) {
		const struct entry *e = &v->entry[i];
		char below[200];

		printf("\t%s/%s %" PRIu64 "\n", path, e->name, e->inode->now.size);
		snprintf(below, sizeof below, "%s/%s", path, e->name);
		if (e->inode->is_dir)
			print_dir(&e->inode->now, below);
	}
}

void
crashdisk_print(const struct crashdisk *d)
{
	static const char *const kinds[] = { "write", "size", "add", "remove", "move" };

	print_dir(&d->inode[0]->now, "");
	for (unsigned i = 0; i < d->ops; i++)
		printf("\tpending: %s %s %s at %" PRIu64 " size %" PRIu64 "\n", kinds[d->op[i].kind], d->op[i].name,
		    d->op[i].to, d->op[i].at, d->op[i].size);
}
