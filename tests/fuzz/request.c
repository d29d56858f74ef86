/*
 * Control requests, a line of JSON from anybody on the machine.  Promises: what is taken is within the bounds of its fields;
 * what is refused leaves nothing and says why in one line (PROTOCOL.md C-15, C-29).
 */
#include "fuzz/support/fuzz.h"

#include "control/asker.h"
#include "control/commands.h"
#include "control/mask.h"

static void
check_refusal(const struct request *r, const struct why *why)
{
	static const struct request none;

	hold(memcmp(r, &none, sizeof none) == 0);
	hold(why->text[0] != '\0' && !str_has_control(str_of(why->text)));
}

static void
check_request(struct request *r)
{
	const unsigned known = REQUEST_WAIT * 2 - 1;

	hold(r->command != NULL && (r->given & ~known) == 0);
	hold((r->nid > 0) == ((r->given & (REQUEST_ID | REQUEST_IDS)) != 0) && r->nid <= REQUEST_MAX / 2);
	hold((r->given & (REQUEST_ID | REQUEST_IDS)) != (REQUEST_ID | REQUEST_IDS));
	hold((r->from != NULL) == ((r->given & REQUEST_FROM) != 0));
	hold((r->to != NULL) == ((r->given & REQUEST_TO) != 0));
	hold((r->upstream != NULL) == ((r->given & REQUEST_UPSTREAM) != 0));
	hold(r->older_s >= 0 && r->older_s <= INT32_MAX && r->limit >= 0 && r->limit <= INT32_MAX);
	hold(r->wait_s >= 0 && r->wait_s <= REQUEST_WAIT_MAX_S);
}

static void
check_row(const struct request *r)
{
	const struct commands_row *row;
	struct why why;

	for (int operator = 0; operator < 2; operator++) {
		struct asker a = { .is_operator = operator == 1 };

		if (commands_find(&row, r, &a, &why) < 0) {
			hold(!str_has_control(str_of(why.text)));
			continue;
		}
		hold(strcmp(row->name, r->command) == 0);
		hold(operator == 1 || row->for_all);
		hold((r->given & ~row->takes) == 0);
		hold(row->needs == 0 || (r->given & row->needs) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n), line, names[2] = { STR("ann@b.example"), STR("ann") };
	struct buf masked = { 0 };

	mask_put(&masked, in, names, 2);
	hold(masked.len < 16 * n + 16);
	buf_clear(&masked);
	while (str_split(&in, '\n', &line)) {
		struct request r;
		struct why why = { "" };

		if (request_parse(&r, line, &why) < 0) {
			check_refusal(&r, &why);
			continue;
		}
		hold(line.n <= REQUEST_MAX);
		check_request(&r);
		check_row(&r);
		request_clear(&r);
		request_clear(&r);
	}
	return 0;
}
