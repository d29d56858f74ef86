/*
 * What sendmail reads from its standard input: where the header ends, and whom it is for.  Promises: any split of the input
 * gives the same header, the same rest and the same verdict; both are clean lines; recipients have nothing that could break a
 * line; the header, completed, is clean lines again.  The first octet: 'i' as with -i, no dot ends it.
 */
#include "fuzz/support/fuzz.h"

#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/heading.h"
#include "command/letter.h"
#include "mail/addrlist.h"

enum { PACKETS = 200, PIPE_OCTETS = 1024 * 1024 };

/* A pipe in which each write is one read. */
static int
packets(struct str in, unsigned way)
{
	size_t step = way == 0 ? 32 * 1024 : way > in.n / PACKETS ? way : in.n / PACKETS + 1, n;
	int fds[2];

	hold(pipe2(fds, O_CLOEXEC | O_DIRECT | O_NONBLOCK) == 0);
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_OCTETS);
	for (; in.n > 0; in = str_from(in, n)) {
		n = in.n < step ? in.n : step;
		/* a packet is a page at most */
		n = n < 4096 ? n : 4096;
		hold(write(fds[1], in.p, n) == (ssize_t)n);
	}
	close(fds[1]);
	return fds[0];
}

static int
gather(void *arg, struct str piece, struct why *why)
{
	(void)why;
	buf_putstr(arg, piece);
	return 0;
}

struct reading {
	struct letter letter;
	struct buf body;
	int status;
};

static void
read_it(struct reading *r, struct str in, unsigned way, bool dot_ends)
{
	struct why why = { "" };
	int fd = packets(in, way);

	*r = (struct reading){ 0 };
	r->status = letter_read(&r->letter, fd, dot_ends, 0, &why);
	close(fd);
	hold(r->status == EX_OK || r->status == EX_DATAERR);
	hold(r->status == EX_OK || why.text[0] != '\0');
	if (r->status == EX_OK)
		hold(letter_each(&r->letter, gather, &r->body, &why) == 0);
}

static void
reading_clear(struct reading *r)
{
	letter_clear(&r->letter);
	buf_clear(&r->body);
}

/* Whoever chose the name: one field, of one address. */
static void
on_from(void *arg, struct str addr)
{
	unsigned *n = arg;

	hold(str_is(addr, "a@b.example"));
	++*n;
}

static void
check_from(struct str in)
{
	char *name = str_dup((struct str){ in.p, in.n < 300 ? in.n : 300 });
	struct buf out = { 0 }, value = { 0 };
	struct str rest, line;
	unsigned n = 0;

	heading_put_from(&out, name, "a@b.example");
	hold(fuzz_is_clean(buf_str(&out)) && strncmp(out.data, "From: ", 6) == 0);
	rest = str_from(buf_str(&out), 6);
	while (str_split(&rest, '\r', &line)) {
		buf_putstr(&value, line);
		hold(rest.n == 1 || rest.n == 0 || rest.p[1] == ' ');
		rest = str_from(rest, 1);
	}
	hold(addrlist_parse(buf_str(&value), on_from, &n) && n == 1);
	buf_clear(&value);
	buf_clear(&out);
	free(name);
}

static void
check_heading(struct str header)
{
	struct rcpts rcpts = { 0 };
	struct buf out = { 0 };
	struct why why = { "" };

	if (heading_recipients(&rcpts, header, &why) == 0) {
		for (size_t i = 0; i < rcpts.n; i++)
			hold(rcpts.v[i][0] != '\0' && !str_has_control(str_of(rcpts.v[i])));
	} else {
		hold(why.text[0] != '\0' && !str_has_control(str_of(why.text)));
	}
	rcpts_clear(&rcpts);
	heading_put(&out, header, "host.example");
	hold(fuzz_is_clean(buf_str(&out)) && out.len >= header.n);
	hold(heading_has(header, "From") == heading_has(buf_str(&out), "From"));
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	bool dot_ends = fuzz_choice(&in) != 'i';
	struct reading whole, again;

	check_from(in);
	read_it(&whole, in, 0, dot_ends);
	for (unsigned way = 1; way < PIECES_WAYS; way++) {
		read_it(&again, in, way == 4 ? 17 : way, dot_ends);
		hold(again.status == whole.status);
		if (whole.status == EX_OK) {
			hold(str_eq(buf_str(&again.letter.header), buf_str(&whole.letter.header)));
			hold(str_eq(buf_str(&again.body), buf_str(&whole.body)));
			hold(again.letter.has_8bit == whole.letter.has_8bit && again.letter.octets == whole.letter.octets);
		}
		reading_clear(&again);
	}
	if (whole.status == EX_OK) {
		hold(fuzz_is_clean(buf_str(&whole.letter.header)) && fuzz_is_clean(buf_str(&whole.body)));
		hold(whole.letter.octets == whole.body.len);
		hold(memchr(whole.body.len > 0 ? whole.body.data : "", '\0', whole.body.len) == NULL);
		check_heading(buf_str(&whole.letter.header));
	}
	reading_clear(&whole);
	return 0;
}
