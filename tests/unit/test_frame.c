/* The head of a record: nothing but what was packed for this very place parses (D-06, D-20). */
#include "spool/frame.h"

#include <check.h>
#include <string.h>

static const struct frame sample = {
	.kind = FRAME_MESSAGE, .flags = FRAME_BLOB, .recipients = 513, .length = 0x01020304, .meta = 0x1234,
	.id = UINT64_C(0x1122334455667788), .seq = UINT64_C(0x99aabbccddeeff01), .back = 77,
	.meta_crc = 0xdeadbeef, .text_crc = 0xfeedface,
};

enum { SEED = 0x5eed, AT = 8192 };

START_TEST(keeps_all_fields)
{
	unsigned char head[FRAME_HEAD];
	struct frame f;

	frame_pack(head, &sample, SEED, AT);
	ck_assert(frame_parse(&f, head, SEED, AT));
	ck_assert_uint_eq(f.kind, sample.kind);
	ck_assert_uint_eq(f.flags, sample.flags);
	ck_assert_uint_eq(f.recipients, sample.recipients);
	ck_assert_uint_eq(f.length, sample.length);
	ck_assert_uint_eq(f.meta, sample.meta);
	ck_assert_uint_eq(f.id, sample.id);
	ck_assert_uint_eq(f.seq, sample.seq);
	ck_assert_uint_eq(f.back, sample.back);
	ck_assert_uint_eq(f.meta_crc, sample.meta_crc);
	ck_assert_uint_eq(f.text_crc, sample.text_crc);
}
END_TEST

START_TEST(bound_to_its_place)
{
	unsigned char head[FRAME_HEAD];
	struct frame f;

	frame_pack(head, &sample, SEED, AT);
	ck_assert(!frame_parse(&f, head, SEED + 1, AT));
	ck_assert(!frame_parse(&f, head, SEED, AT + FRAME_ALIGN));
}
END_TEST

START_TEST(any_flipped_bit)
{
	unsigned char head[FRAME_HEAD];
	struct frame f;

	frame_pack(head, &sample, SEED, AT);
	for (int bit = 0; bit < 8 * FRAME_HEAD; bit++) {
		head[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_msg(!frame_parse(&f, head, SEED, AT), "bit %d", bit);
		head[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	ck_assert(frame_parse(&f, head, SEED, AT));
}
END_TEST

START_TEST(never_a_record)
{
	unsigned char head[FRAME_HEAD];
	struct frame f, longer = sample;

	memset(head, 0, sizeof head);
	ck_assert(!frame_parse(&f, head, SEED, AT));
	ck_assert(!frame_parse(&f, head, 0, 0));
	memset(head, 0xff, sizeof head);
	ck_assert(!frame_parse(&f, head, SEED, AT));
	longer.meta = longer.length + 1;	/* checksummed, but meta does not fit */
	frame_pack(head, &longer, SEED, AT);
	ck_assert(!frame_parse(&f, head, SEED, AT));
}
END_TEST

/* Recovery would ask for message 0 (tests/fuzz/corpus/segment/spoilt-id-zero). */
START_TEST(no_message_is_zero)
{
	unsigned char head[FRAME_HEAD];
	struct frame f, none = sample;

	none.id = 0;
	for (unsigned kind = 0; kind <= FRAME_SEAL + 1; kind++) {
		none.kind = (uint8_t)kind;
		frame_pack(head, &none, SEED, AT);
		ck_assert(frame_parse(&f, head, SEED, AT) == (kind == 0 || kind >= FRAME_SEAL));
	}
}
END_TEST

START_TEST(newer)	/* D-23 */
{
	struct frame f = sample;

	ck_assert(!frame_is_newer(&f));
	f.flags |= 0x08;	/* unknown, but nothing to be afraid of */
	ck_assert(!frame_is_newer(&f));
	f.flags |= 0x10;
	ck_assert(frame_is_newer(&f));
	f.flags = 0;
	f.kind = FRAME_SEAL + 1;
	ck_assert(frame_is_newer(&f));
	f.kind = 0;
	ck_assert(frame_is_newer(&f));
}
END_TEST

START_TEST(sizes)
{
	ck_assert_uint_eq(frame_size(0), FRAME_HEAD);
	ck_assert_uint_eq(frame_size(1), FRAME_HEAD + 8);
	ck_assert_uint_eq(frame_size(8), FRAME_HEAD + 8);
	ck_assert_uint_eq(frame_size(9), FRAME_HEAD + 16);
}
END_TEST

/* Only where a head may begin: not its first octet between those places, nor behind the end. */
START_TEST(sought)
{
	unsigned char p[64] = { 0 }, head[FRAME_HEAD];

	frame_pack(head, &sample, SEED, AT);
	ck_assert_uint_eq(frame_seek(p, 64), 64);
	ck_assert_uint_eq(frame_seek(p, 49), 56);
	ck_assert_uint_eq(frame_seek(head, 48), 0);
	memcpy(p + 12, head, 4);
	ck_assert_uint_eq(frame_seek(p, 64), 64);
	memcpy(p + 16, head, FRAME_HEAD);
	ck_assert_uint_eq(frame_seek(p, 64), 16);
	ck_assert_uint_eq(frame_seek(p + 8, 56), 8);
	ck_assert_uint_eq(frame_seek(p, 17), 16);
	ck_assert_uint_eq(frame_seek(p, 16), 16);
	memset(p, 0, sizeof p);
	p[63] = head[0];
	ck_assert_uint_eq(frame_seek(p, 64), 64);
	memset(p, head[0], sizeof p);
	ck_assert_uint_eq(frame_seek(p + 1, 63), 0);
}
END_TEST

Suite *test_frame(void);
Suite *
test_frame(void)
{
	Suite *s = suite_create("test_frame");
	TCase *tc = tcase_create("frame");

	tcase_add_test(tc, keeps_all_fields);
	tcase_add_test(tc, bound_to_its_place);
	tcase_add_test(tc, any_flipped_bit);
	tcase_add_test(tc, never_a_record);
	tcase_add_test(tc, no_message_is_zero);
	tcase_add_test(tc, newer);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, sought);
	suite_add_tcase(s, tc);
	return s;
}
