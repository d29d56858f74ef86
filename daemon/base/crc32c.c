/* CRC-32C: reflected, polynomial 0x1EDC6F41, inverted at both ends. */
#include "base/crc32c.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u	/* with its bits reversed */

/* table[k][b]: what byte b does to the remainder k + 1 bytes later. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void
make_table(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][b] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (int b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^
			    table[0][table[k - 1][b] & 0xff];
}

uint32_t
crc32c_plain(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *at = p;

	pthread_once(&table_once, make_table);
	crc = ~crc;
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t v;

		memcpy(&v, at, sizeof v);
		v = le64toh(v) ^ crc;
		crc = 0;
		for (int k = 0; k < 8; k++)
			crc ^= table[7 - k][v >> 8 * k & 0xff];
	}
	for (; n > 0; n--, at++)
		crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
	return ~crc;
}

#ifdef __x86_64__

/* The instruction takes three cycles but one can start in each: for long input
 * three runs go side by side, and zeros[] carries a remainder over a run. */
enum { RUN = 1024 };

static uint32_t zeros[4][256];	/* byte k of a remainder, RUN zero bytes later */
static pthread_once_t zeros_once = PTHREAD_ONCE_INIT;

__attribute__((target("sse4.2"))) static void
make_zeros(void)
{
	for (int k = 0; k < 4; k++)
		for (uint32_t b = 0; b < 256; b++) {
			uint64_t crc = b << 8 * k;

			for (int i = 0; i < RUN; i += 8)
				crc = _mm_crc32_u64(crc, 0);
			zeros[k][b] = (uint32_t)crc;
		}
}

static uint32_t
over_zeros(uint64_t crc)
{
	return zeros[0][crc & 0xff] ^ zeros[1][crc >> 8 & 0xff] ^
	    zeros[2][crc >> 16 & 0xff] ^ zeros[3][crc >> 24 & 0xff];
}

static uint64_t
load(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

__attribute__((target("sse4.2"))) static uint32_t
with_instruction(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *at = p;
	uint64_t a = ~crc, b, c;

	a &= 0xffffffff;
	if (n >= 3 * RUN)
		pthread_once(&zeros_once, make_zeros);
	for (; n >= 3 * RUN; n -= 3 * RUN, at += 3 * RUN) {
		b = c = 0;
		for (int i = 0; i < RUN; i += 8) {
			a = _mm_crc32_u64(a, load(at + i));
			b = _mm_crc32_u64(b, load(at + RUN + i));
			c = _mm_crc32_u64(c, load(at + 2 * RUN + i));
		}
		a = over_zeros(over_zeros(a) ^ b) ^ c;
	}
	for (; n >= 8; n -= 8, at += 8)
		a = _mm_crc32_u64(a, load(at));
	for (; n > 0; n--, at++)
		a = _mm_crc32_u8((uint32_t)a, *at);
	return ~(uint32_t)a;
}

#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return with_instruction(crc, p, n);
#endif
	return crc32c_plain(crc, p, n);
}
