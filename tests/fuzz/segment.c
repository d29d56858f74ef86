/*
 * A spool's log, as found on a disk.  The first octet: 'h': the rest is a segment, head and all; 'r': what stands behind a good
 * head; else each record is made of the rest with right checksums, but where it says otherwise (see build()).  Promises: opening
 * ends, takes no more memory than the files' size asks for, or refuses; every message that can be read stood in a record with
 * right checksums; a second start finds what the first found; what is put then is there (PROTOCOL.md C-18, D-20, D.3).
 */
#include "fuzz/support/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/map.h"
#include "crash/crashdisk.h"
#include "spool/disk.h"
#include "spool/frame.h"
#include "spool/segment.h"
#include "spool/spool.h"

enum { DISK_OCTETS = 4 << 20, SEGMENT_OCTETS = 64 * 1024, FILES = 4, HEAD_CRC_AT = 52 };

/* --- the files ------------------------------------------------------------------ */

struct builder {
	struct cursor in;
	struct buf out;		/* of the present file */
	uint32_t number, seed;
	uint64_t seq;
	unsigned nfile;
	int log;		/* the directory */
	struct { struct buf octets; uint32_t seed; } file[FILES];
};

/* As segment_begin, but for the random part. */
static void
begin_file(struct builder *b)
{
	struct buf seeded = { 0 };

	b->number++;
	for (int copy = 0; copy < 2; copy++) {
		size_t from = b->out.len;

		buf_puts(&b->out, "gatepost");
		buf_put_u32(&b->out, SEGMENT_VERSION);
		buf_put_u32(&b->out, b->number);
		buf_puts(&b->out, "0123456789abcdef");
		buf_put_u32(&b->out, 0);
		buf_put_u64(&b->out, b->seq);
		buf_put_u64(&b->out, 0);
		hold(b->out.len - from == HEAD_CRC_AT);
		buf_put_u32(&b->out, crc32c(0, b->out.data + from, HEAD_CRC_AT));
		memset(buf_room(&b->out, SEGMENT_HEAD / 2), 0, SEGMENT_HEAD / 2);
		b->out.len = from + SEGMENT_HEAD / 2;
	}
	buf_put_u32(&seeded, b->number);
	buf_puts(&seeded, "0123456789abcdef");
	b->seed = crc32c(0, seeded.data, seeded.len);
	buf_clear(&seeded);
}

static void
end_file(struct builder *b)
{
	char name[SEGMENT_NAME];
	int fd;

	if (b->nfile == FILES) {
		buf_cut(&b->out, 0);
		return;
	}
	segment_name(name, b->number, false);
	fd = disk_open(b->log, name, O_RDWR | O_CREAT | O_EXCL);
	hold(fd >= 0);
	hold(disk_write(fd, b->out.data, b->out.len, 0) == 0);
	if (b->out.len < SEGMENT_OCTETS)
		hold(disk_truncate(fd, SEGMENT_OCTETS) == 0);
	disk_close(&fd);
	b->file[b->nfile].octets = b->out;
	b->file[b->nfile++].seed = b->seed;
	b->out = (struct buf){ 0 };
}

/* One record; `spoilt' says what of it is wrong: 1 its head, 2 its meta, 4 its text. */
static void
put_record(struct builder *b, unsigned kind, unsigned flags, uint64_t id, unsigned spoilt)
{
	size_t meta_n = cursor_u8(&b->in), text_n = cursor_u8(&b->in) * 4u, at = b->out.len;
	struct str meta = cursor_bytes(&b->in, meta_n < b->in.left ? meta_n : b->in.left);
	struct str text = cursor_bytes(&b->in, text_n < b->in.left ? text_n : b->in.left);
	struct frame f = { .kind = (uint8_t)kind, .flags = (uint8_t)flags, .recipients = 1, .id = id, .seq = b->seq++ };
	unsigned char head[FRAME_HEAD];

	f.meta = (uint32_t)meta.n;
	f.length = (uint32_t)(meta.n + text.n);
	f.meta_crc = crc32c(0, meta.p, meta.n) ^ ((spoilt & 2) != 0);
	f.text_crc = crc32c(0, text.p, text.n) ^ ((spoilt & 4) != 0 && text.n > 0);
	frame_pack(head, &f, b->seed, (uint32_t)at);
	head[20] ^= spoilt & 1;
	buf_put(&b->out, head, sizeof head);
	buf_putstr(&b->out, meta);
	buf_putstr(&b->out, text);
	while (b->out.len % FRAME_ALIGN != 0)
		buf_putc(&b->out, '\0');
}

/*
 * A letter each: M message, N note, D done, S seal, C clean seal, B message with a blob, F any kind and flags: then the id, and
 * octets of meta and text/4, and these (a small letter: the next octet says what of it is wrong); X octets as they are; Z zeros,
 * eight each; Q the sequence jumps; J another segment; O a spare octet, so that nothing is aligned.
 */
static void
build_one(struct builder *b, unsigned op)
{
	unsigned upper = op & ~0x20u, spoilt = op != upper ? cursor_u8(&b->in) : 0, n, flags;

	switch (upper) {
	case 'M': case 'N': case 'D':
		put_record(b, upper == 'M' ? FRAME_MESSAGE : upper == 'N' ? FRAME_NOTE : FRAME_DONE, 0, cursor_u8(&b->in), spoilt);
		break;
	case 'B':
		put_record(b, FRAME_MESSAGE, FRAME_BLOB, cursor_u8(&b->in), spoilt);
		break;
	case 'S': case 'C':
		put_record(b, FRAME_SEAL, upper == 'C' ? FRAME_CLEAN : 0, 0, spoilt);
		break;
	case 'F':
		n = cursor_u8(&b->in);
		flags = cursor_u8(&b->in);
		put_record(b, n, flags, cursor_u64(&b->in), spoilt);
		break;
	case 'X':
		n = cursor_u8(&b->in);
		buf_putstr(&b->out, cursor_bytes(&b->in, n < b->in.left ? n : b->in.left));
		break;
	case 'Z':
		for (n = cursor_u8(&b->in); n > 0; n--)
			buf_put_u64(&b->out, 0);
		break;
	case 'Q':
		b->seq += cursor_u8(&b->in);
		break;
	case 'O':
		buf_putc(&b->out, '\0');
		break;
	case 'J':
		end_file(b);
		begin_file(b);
		break;
	}
}

static void
build(struct builder *b, struct str in)
{
	unsigned choice = fuzz_choice(&in);

	b->in = cursor_init(in.p, in.n);
	b->seq = 1;
	if (choice == 'h') {
		b->number = 1;
		b->seed = 0;
		buf_putstr(&b->out, in);
		end_file(b);
		return;
	}
	begin_file(b);
	if (choice == 'r')
		buf_putstr(&b->out, in);
	while (choice != 'r' && !b->in.bad && b->in.left > 0 && b->out.len < SEGMENT_OCTETS - 4096 && b->nfile < FILES)
		build_one(b, cursor_u8(&b->in));
	end_file(b);
}

/* --- what is found ------------------------------------------------------------------ */

struct kept {
	struct spool_item item;
	char note[256];
	size_t note_n;
	bool whole;		/* it can be read */
};

static struct spool_item *
on_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	struct kept *k;

	(void)octets;
	hold(head.n <= 64);
	if (id == 0)
		return NULL;
	k = mem_zero(sizeof *k);
	hold(map_find(arg, id) == NULL);
	map_put(arg, id, k);
	return &k->item;
}

static struct spool_item *
on_find(void *arg, uint64_t id)
{
	return id == 0 ? NULL : map_find(arg, id);
}

static void
on_noted(void *arg, struct spool_item *item, struct str note)
{
	struct kept *k = (struct kept *)item;

	(void)arg;
	k->note_n = note.n < sizeof k->note ? note.n : sizeof k->note;
	memcpy(k->note, note.n > 0 ? note.p : "", k->note_n);
}

static void
on_ended(void *arg, struct spool_item *item)
{
	free(map_take(arg, item->id));
}

static void
on_damaged(void *arg, uint64_t id, const char *name, const char *what)
{
	(void)arg, (void)id;
	hold(name != NULL && what != NULL && what[0] != '\0');
}

/* Did it stand in the files, with right checksums? */
static bool
was_written(const struct builder *b, uint64_t id, struct str meta, struct str text)
{
	struct frame f;

	for (unsigned i = 0; i < b->nfile; i++) {
		const struct buf *o = &b->file[i].octets;

		for (size_t at = SEGMENT_HEAD; at + FRAME_HEAD <= o->len; at += FRAME_ALIGN) {
			const char *p = o->data + at + FRAME_HEAD;
			unsigned char head[FRAME_HEAD];

			if (!frame_parse(&f, (const unsigned char *)o->data + at, b->file[i].seed, (uint32_t)at) || f.id != id ||
			    f.kind != FRAME_MESSAGE || f.length > o->len - at - FRAME_HEAD || f.length != meta.n + text.n ||
			    f.meta != meta.n)
				continue;
			/* not by the word of the parser alone */
			frame_pack(head, &f, b->file[i].seed, (uint32_t)at);
			if (memcmp(head, p - FRAME_HEAD, FRAME_HEAD) != 0)
				continue;
			if (crc32c(0, p, f.meta) == f.meta_crc && crc32c(0, p + f.meta, text.n) == f.text_crc &&
			    memcmp(p, meta.p, meta.n) == 0 && memcmp(p + f.meta, text.p, text.n) == 0)
				return true;
		}
	}
	return false;
}

static bool
read_text(struct spool_reader *r, struct buf *out)
{
	struct why why;
	int64_t n;

	while ((n = spool_read(r, buf_room(out, 4096), 4096, &why)) > 0)
		out->len += (size_t)n;
	return n == 0;
}

static void
check_message(struct spool *s, const struct builder *b, struct kept *k)
{
	struct buf text = { 0 }, note = { 0 };
	struct spool_reader *r;
	struct why why;

	if (spool_read_open(s, &k->item, &r, &why) < 0)
		return;
	k->whole = read_text(r, &text);
	/* a head of the input's own has a seed of its own */
	if (k->whole && !k->item.has_blob && b->seed != 0)
		hold(was_written(b, k->item.id, spool_read_meta(r), text.len > 0 ? buf_str(&text) : STR("")));
	hold(text.len <= spool_read_octets(r));
	spool_read_close(&r);
	buf_clear(&text);
	if (spool_read_note(s, &k->item, &note, &why) == 0 && note.len < sizeof k->note)
		hold(note.len == k->note_n && (note.len == 0 || memcmp(note.data, k->note, note.len) == 0));
	buf_clear(&note);
}

static void
forget(struct map *kept)
{
	struct kept *k;
	size_t at = 0;
	uint64_t id;

	while ((k = map_next(kept, &at, &id)) != NULL)
		free(k);
	map_clear(kept);
}

static struct spool *
start(struct map *kept)
{
	const struct spool_owner owner = { kept, on_found, on_find, on_noted, on_ended, on_damaged, NULL };
	struct spool *s = NULL;
	struct why why = { "" };

	if (spool_open(&s, &(struct spool_options){ "/spool", SEGMENT_OCTETS, 0 }, &owner, &why) == 0)
		return s;
	hold(why.text[0] != '\0' && !str_has_control(str_of(why.text)));
	forget(kept);
	return NULL;
}

static void
commit(struct spool *s)
{
	struct why why;
	struct spool_sync *y = spool_write(s, &why);

	hold(y != NULL && spool_sync_run(y, &why) == 0);
	spool_sync_end(s, &y);
}

/* A message of our own; false: there is no room, or no id left. */
static bool
put_one(struct spool *s, struct map *kept, uint64_t *id)
{
	struct kept *k = mem_zero(sizeof *k);
	struct spool_blob *blob = NULL;
	struct str text = STR("text");
	struct why why;

	*id = spool_last_id(s) + 1;
	if (*id == 0 || *id > INT64_MAX || spool_put(s, &k->item, *id, 1, STR("meta"), &text, 1, &blob, &why) < 0) {
		free(k);
		return false;
	}
	map_put(kept, *id, k);
	commit(s);
	return true;
}

/* What could be read once is found for ever; nothing comes back. */
static void
check_again(const struct map *first, const struct map *second)
{
	struct kept *k, *same;
	size_t at = 0;
	uint64_t id;

	while ((k = map_next(first, &at, &id)) != NULL) {
		same = map_find(second, id);
		hold(!k->whole || same != NULL);
		hold(same == NULL || (same->note_n == k->note_n && memcmp(same->note, k->note, k->note_n) == 0));
	}
	at = 0;
	while ((k = map_next(second, &at, &id)) != NULL)
		hold(map_find(first, id) != NULL);
}

static void
check_spool(const struct builder *b)
{
	struct map first = { 0 }, second = { 0 };
	struct spool *s = start(&first);
	struct kept *k;
	size_t at = 0;
	uint64_t id;
	bool put;

	if (s == NULL)
		return;
	while ((k = map_next(&first, &at, &id)) != NULL)
		check_message(s, b, k);
	put = put_one(s, &first, &id);
	while (spool_compact(s, 65536))
		commit(s);
	if (spool_is_dirty(s))
		commit(s);
	spool_close(&s);
	s = start(&second);
	hold(s != NULL);
	hold(!put || map_find(&second, id) != NULL);
	check_again(&first, &second);
	spool_close(&s);
	forget(&first);
	forget(&second);
}

static void
on_line(void *arg, const char *line)
{
	(void)arg;
	hold(line[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct builder b = { 0 };
	struct crashdisk *d;
	struct why why;
	int top;

	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1795298400);
	crashdisk_install();
	d = crashdisk_new(DISK_OCTETS);
	crashdisk_use(d);
	top = disk_open_dir(-1, "/spool", true);
	b.log = disk_open_dir(top, "log", true);
	hold(top >= 0 && b.log >= 0);
	build(&b, fuzz_str(p, n));
	disk_close(&b.log);
	disk_close(&top);
	(void)spool_inspect("/spool", true, on_line, NULL, &why);
	check_spool(&b);
	for (unsigned i = 0; i < b.nfile; i++)
		buf_clear(&b.file[i].octets);
	buf_clear(&b.out);
	crashdisk_use(NULL);
	crashdisk_free(&d);
	return 0;
}
