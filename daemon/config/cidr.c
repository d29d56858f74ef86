/* Addresses and networks; IPv4 is kept as ::ffff:0:0/96, so that one rule fits both. */
#include "config/cidr.h"

#include <arpa/inet.h>
#include <string.h>

enum { ALL_BITS = 128, IPV4_AT = 96 };

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

bool
cidr_address(const char *text, unsigned char out[16])
{
	if (inet_pton(AF_INET6, text, out) == 1)
		return true;
	if (inet_pton(AF_INET, text, out + sizeof mapped) != 1)
		return false;
	memcpy(out, mapped, sizeof mapped);
	return true;
}

static bool
has_bit(const unsigned char *address, unsigned bit)
{
	return address[bit / 8] >> (7 - bit % 8) & 1;
}

/* The first `bits' bits are the same. */
static bool
agree(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

bool
cidr_parse(struct str s, struct cidr *out)
{
	const char *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - s.p) : s.n;
	struct cidr c = { .bits = ALL_BITS };
	char text[INET6_ADDRSTRLEN];
	unsigned max;
	uint64_t bits;

	if (n == 0 || n >= sizeof text || memchr(s.p, '\0', n) != NULL)
		return false;
	memcpy(text, s.p, n);
	text[n] = '\0';
	if (!cidr_address(text, c.address))
		return false;
	if (slash != NULL) {
		max = strchr(text, ':') != NULL ? ALL_BITS : ALL_BITS - IPV4_AT;
		if (!str_number(str_from(s, n + 1), max, &bits) || bits > max)
			return false;
		c.bits = ALL_BITS - max + (unsigned)bits;
	}
	for (unsigned bit = c.bits; bit < ALL_BITS; bit++)
		if (has_bit(c.address, bit))
			return false;
	*out = c;
	return true;
}

bool
cidr_has(const struct cidr *c, const unsigned char address[16])
{
	return agree(c->address, address, c->bits);
}

bool
cidr_is_loopback(const char *text)
{
	static const struct cidr loopback[] = {
		{ { [10] = 0xff, [11] = 0xff, [12] = 127 }, IPV4_AT + 8 },
		{ { [15] = 1 }, ALL_BITS }
	};
	unsigned char address[16];

	if (str_iis(str_of(text), "localhost"))
		return true;
	return cidr_address(text, address) &&
	    (cidr_has(&loopback[0], address) || cidr_has(&loopback[1], address));
}

/* Every address of `all' is in one of them.  Goes into the halves of `all' only while
 * some network lies inside, so no further than there are networks. */
static bool
cover(const struct cidr *c, unsigned n, const struct cidr *all)
{
	struct cidr half = *all;
	bool inside = false;

	for (unsigned i = 0; i < n; i++) {
		if (c[i].bits <= all->bits &&
		    agree(c[i].address, all->address, c[i].bits))
			return true;
		inside |= c[i].bits > all->bits &&
		    agree(c[i].address, all->address, all->bits);
	}
	if (!inside)
		return false;
	half.bits++;
	if (!cover(c, n, &half))
		return false;
	half.address[all->bits / 8] |= (unsigned char)(0x80 >> all->bits % 8);
	return cover(c, n, &half);
}

bool
cidr_cover_everyone(const struct cidr *c, unsigned n)
{
	static const struct cidr ipv4 = { { [10] = 0xff, [11] = 0xff }, IPV4_AT };
	static const struct cidr ipv6 = { { 0x20 }, 3 };	/* 2000::/3, RFC 4291 2.4 */

	return cover(c, n, &ipv4) || cover(c, n, &ipv6);
}
