/* Records between daemon and helper, to bytes and back. */
#include "errand/record.h"

#include <string.h>

void
record_put(struct buf *out, const struct record *r)
{
	buf_room(out, r->text.n + 64);	/* at once: a secret leaves no copy behind */
	buf_put_u8(out, (uint8_t)r->kind);
	if (r->kind == RECORD_RELOAD)
		return;
	buf_put_u32(out, r->number);
	if (r->kind == RECORD_RUN) {
		buf_put_u32(out, r->command);
		buf_put(out, r->digest, sizeof r->digest);
	} else {
		buf_put_u8(out, (uint8_t)r->result);
		buf_put_u32(out, r->status);
	}
	buf_put_text(out, r->text);
}

bool
record_get(struct str bytes, struct record *out)
{
	struct cursor c = cursor_init(bytes.p, bytes.n);
	struct str digest;

	*out = (struct record){ .kind = cursor_u8(&c) };
	switch (out->kind) {
	case RECORD_RELOAD:
		return !c.bad && c.left == 0;
	case RECORD_RUN:
		out->number = cursor_u32(&c);
		out->command = cursor_u32(&c);
		digest = cursor_bytes(&c, sizeof out->digest);
		if (!c.bad)
			memcpy(out->digest, digest.p, sizeof out->digest);
		break;
	case RECORD_ENDED:
		out->number = cursor_u32(&c);
		out->result = cursor_u8(&c);
		out->status = cursor_u32(&c);
		break;
	default:
		return false;
	}
	out->text = cursor_text(&c);
	return !c.bad && c.left == 0 && out->result < ERRAND_RESULTS &&
	    out->text.n <= (out->kind == RECORD_RUN ? ERRAND_INPUT_MAX : ERRAND_OUTPUT_MAX);
}
