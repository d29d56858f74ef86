/*
 * The watch on the machine's network: messages of rtnetlink as they were recorded on a machine (whole, cut short, and
 * spoiled), and the watch itself in a network namespace of its own, where one is to be had.
 */
#include "net/links.h"

#include "support_net.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>

/* --- what messages say ------------------------------------------------------------------ */


static const struct { const char *what, *hex; unsigned said; } recorded[] = {
	{ "127.0.0.1/8", "4c0000001400020007000000ab5a0000020880fe01000000080001007f000001080002007f000001070003006c6f00000800"
	  "08008000000014000600ffffffffffffffff1500000015000000", 0 },
	{ "192.0.2.2/24", "580000001400020007000000ab5a0000021880000400000008000100c000020208000200c000020208000400c00002ff0900"
	  "03006574683000000000080008008000000014000600ffffffffffffffff1500000015000000", LINKS_MATTERS },
	{ "::1/128", "500000001400020007000000ab5a00000a8080fe01000000140001000000000000000000000000000000000114000600ffffffff"
	  "ffffffff1500000015000000080008008000000005000b0001000000", 0 },
	{ "fd00::2/64", "480000001400020007000000ab5a00000a4082000400000014000100fd00000000000000000000000000000214000600ffff"
	  "ffffffffffff15000000150000000800080082000000", LINKS_MATTERS },
	{ "fe80::fc:ff:fe00:1/64", "500000001400020007000000ab5a00000a4080fd0400000014000100fe8000000000000000fc00fffe00000114"
	  "000600ffffffffffffffff1500000015000000080008008000000005000b0003000000", 0 },
	{ "default via 192.0.2.1", "340000001800020007000000ab5a000002000000fe0300010000000008000f00fe00000008000500c000020108"
	  "00040004000000", LINKS_MATTERS },
	{ "192.0.2.0/24", "3c0000001800020007000000ab5a000002180000fe02fd010000000008000f00fe00000008000100c000020008000700c0"
	  "00020208000400040000", 0 },
	{ "local 192.0.2.2", "3c0000001800020007000000ab5a000002200000ff02fe020000000008000f00ff00000008000100c000020208000700"
	  "c00002020800040004000000", 0 },
	{ "default via fd00::1", "740000001800020007000000ab5a00000a000000fe0300010000000008000f00fe000000080006000004000014000"
	  "500fd000000000000000000000000000001080004000400000024000c0000000000000000000000000000000000000000000000000000000000000"
	  "000000500140000000000", LINKS_MATTERS },
	{ "ff00::/8", "740000001800020007000000ab5a00000a080000ff0200050000000008000f00ff00000014000100ff000000000000000000000"
	  "0000000000800060000010000080004000400000024000c000000000000000000000000000000000000000000000000000000000000000005001400"
	  "00000000", 0 },
	{ "the end", "140000000300020007000000ab5a000000000000", LINKS_DONE },
	{ "the end, interrupted (NLM_F_DUMP_INTR)", "140000000300120007000000ab5a000000000000", LINKS_DONE | LINKS_BROKEN },
	{ "the end, with EIO", "140000000300020007000000ab5a0000fbffffff", LINKS_DONE | LINKS_BROKEN },
	{ "an error", "240000000200000007000000ab5a0000f0ffffff140000001600010307000000ab5a0000", LINKS_DONE | LINKS_BROKEN },
	{ "overrun", "100000000400000007000000ab5a0000", LINKS_BROKEN },
	{ "a link's message", "200000001000000007000000ab5a000000000100010000004300010000000000", 0 },
	{ "no room for a head", "1000000014", LINKS_BROKEN },
	{ "a length of 0", "000000001400020007000000ab5a0000", LINKS_BROKEN },
	{ "a length beyond", "ffffffff1400020007000000ab5a0000", LINKS_BROKEN },
	{ "an address without a body", "100000001400020007000000ab5a0000", LINKS_BROKEN },
	{ "a route without a body", "140000001800020007000000ab5a000002000000", LINKS_BROKEN },
	{ "an attribute of length 0", "1c0000001400020007000000ab5a0000021880000400000000000100", LINKS_BROKEN },
	{ "an attribute beyond", "1c0000001400020007000000ab5a00000218800004000000ff000100", LINKS_BROKEN },
	{ "a route's attribute beyond", "200000001800020007000000ab5a000002000000fe0300010000000009000500", LINKS_BROKEN },
};
#define RECORDED (int)(sizeof recorded / sizeof recorded[0])

/* What was recorded last is padded to its length, as the kernel does. */
static size_t
bytes_of(const char *hex, char *out, size_t size)
{
	uint32_t len;
	size_t n = 0;

	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2, n++) {
		unsigned byte;

		ck_assert_uint_lt(n, size);
		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		out[n] = (char)byte;
	}
	if (n >= sizeof len) {
		memcpy(&len, out, sizeof len);
		while (n < len && len - n < 4)
			out[n++] = 0;
	}
	return n;
}

/* On the heap, and no octet more: sanitizers see who reads on. */
static unsigned
read_exactly(const char *bytes, size_t n, uint32_t seq, struct links_sum *s)
{
	char *copy = mem_array(n + 1, 1);
	char *end = copy + 1;
	unsigned said;

	memcpy(end, bytes, n);
	said = links_read((struct str){ end, n }, seq, s);
	free(copy);
	return said;
}

START_TEST(a_message)
{
	char bytes[512];
	size_t n = bytes_of(recorded[_i].hex, bytes, sizeof bytes);
	struct links_sum s = { 0 };
	unsigned said = read_exactly(bytes, n, 0, &s);

	ck_assert_msg(said == recorded[_i].said, "%s: %u", recorded[_i].what, said);
	ck_assert_uint_eq(s.n, (said & LINKS_MATTERS) != 0);
	said = read_exactly(bytes, n, 7, &s);
	ck_assert_uint_eq(said, recorded[_i].said);
	if ((said & LINKS_BROKEN) == 0)
		ck_assert_uint_eq(read_exactly(bytes, n, 8, &s), 0);	/* an answer to another question */
}
END_TEST

/* Cut anywhere, and with any octet spoiled: nothing is read beyond, and a cut is never taken for the end. */
START_TEST(spoiled)
{
	static const unsigned char wrong[] = { 0x00, 0x01, 0x04, 0x7f, 0x80, 0xff };
	char bytes[512];
	size_t n = bytes_of(recorded[_i].hex, bytes, sizeof bytes);
	struct links_sum s = { 0 };

	for (size_t cut = 1; cut < n; cut++)
		ck_assert_uint_eq(read_exactly(bytes, cut, 0, &s), LINKS_BROKEN);
	for (size_t at = 0; at < n; at++)
		for (size_t k = 0; k < sizeof wrong; k++) {
			char before = bytes[at];

			bytes[at] = (char)wrong[k];
			(void)read_exactly(bytes, n, 0, &s);
			bytes[at] = before;
		}
}
END_TEST

static struct links_sum
sum_of(const char *hex1, const char *hex2)
{
	struct links_sum s = { 0 };
	char bytes[1024];
	size_t n = bytes_of(hex1, bytes, sizeof bytes);

	n += bytes_of(hex2, bytes + n, sizeof bytes - n);
	ck_assert_uint_eq(read_exactly(bytes, n, 0, &s) & LINKS_BROKEN, 0);
	return s;
}

#define V6(address, flags, lifetime) "480000001400020007000000ab5a00000a40" flags "000400000014000100" address \
	"14000600" lifetime "1500000015000000" "08000800" flags "000000"
#define A1 "fd000000000000000000000000000002"
#define A2 "fd000000000000000000000000000003"
#define FOREVER "ffffffffffffffff"

/* Which of two is the same network, seen by what matters. */
static const struct { const char *what, *one, *other; bool same; } pairs[] = {
	{ "a lifetime renewed", V6(A1, "80", FOREVER), V6(A1, "80", "0807000010270000"), true },
	{ "deprecated (0x20)", V6(A1, "80", FOREVER), V6(A1, "a0", FOREVER), true },
	{ "another address", V6(A1, "80", FOREVER), V6(A2, "80", FOREVER), false },
	{ "tentative (0x40)", V6(A1, "40", FOREVER), "", true },
	{ "its check failed (0x08)", V6(A1, "88", FOREVER), "", true },
	{ "temporary (0x01)", V6(A1, "01", FOREVER), "", true },
	{ "a route's expiry", "500000001800020007000000ab5a00000a000000fe0300010000000014000500fd00000000000000000000000000000"
	  "108000400040000001800" "0c00" "0000000000000000" "1111111122222222" "33333333",
	  "500000001800020007000000ab5a00000a000000fe0300010000000014000500fd00000000000000000000000000000"
	  "108000400040000001800" "0c00" "0000000000000000" "9999999922222222" "33333333", true },
	{ "another gateway", "340000001800020007000000ab5a000002000000fe0300010000000008000f00fe00000008000500c00002010800040004"
	  "000000", "340000001800020007000000ab5a000002000000fe0300010000000008000f00fe00000008000500c00002090800040004000000",
	  false },
	{ "0.0.0.0/1: a VPN", "2c0000001800020007000000ab5a000002010000fe0300010000000008000500c0000201080004000400"
	  "0000", "", false },
	{ "unreachable default", "2c0000001800020007000000ab5a000002000000fe0300070000000008000500c0000201080004000400"
	  "0000", "", true },
};

START_TEST(compared)
{
	struct links_sum one = sum_of(pairs[_i].one, ""), other = sum_of(pairs[_i].other, "");

	ck_assert_msg((one.sum == other.sum && one.n == other.n) == pairs[_i].same, "%s", pairs[_i].what);
}
END_TEST

START_TEST(in_any_order)
{
	const char *a = V6(A1, "80", FOREVER), *b = V6(A2, "80", FOREVER);
	struct links_sum ab = sum_of(a, b), ba = sum_of(b, a), aa = sum_of(a, a);

	ck_assert_uint_eq(ab.n, 2);
	ck_assert_uint_eq(ab.sum, ba.sum);
	ck_assert_uint_ne(ab.sum, aa.sum);
}
END_TEST

/* --- the watch ------------------------------------------------------------------------------ */

static unsigned changes;
static struct loop *loop;

static void
on_changed(void *arg)
{
	(void)arg;
	changes++;
}

/* A network of its own for this process; false: not to be had here. */
static bool
make_network(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		fprintf(stderr, "test_links: skipped, no network namespace to be had: %s\n", strerror(errno));
		return false;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &r), 0);
	close(fd);
	return true;
}

struct request {
	struct nlmsghdr h;
	char body[256];
};

static void
put_attribute(struct request *q, unsigned short type, const void *data, unsigned short n)
{
	struct rtattr a = { .rta_len = (unsigned short)(sizeof a + n), .rta_type = type };
	char *at = (char *)q + NLMSG_ALIGN(q->h.nlmsg_len);

	memcpy(at, &a, sizeof a);
	memcpy(at + sizeof a, data, n);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a.rta_len);
}

static void
request(struct request *q, unsigned short type, unsigned short flags)
{
	struct { struct nlmsghdr h; struct nlmsgerr e; char rest[512]; } answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	ck_assert_int_eq(send(fd, q, q->h.nlmsg_len, 0), (ssize_t)q->h.nlmsg_len);
	ck_assert_int_gt(recv(fd, &answer, sizeof answer, 0), 0);
	ck_assert_msg(answer.e.error == 0, "request %u: %s", type, strerror(-answer.e.error));
	close(fd);
}

/* An IPv4 address on lo; a lifetime in seconds (0: for ever). */
static void
address(unsigned short type, const char *text, unsigned scope, uint32_t valid_s)
{
	struct request q = { .h.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)) };
	struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_scope = (unsigned char)scope, .ifa_index = 1 };
	struct ifa_cacheinfo life = { .ifa_prefered = valid_s, .ifa_valid = valid_s };
	struct in_addr in;

	ck_assert_int_eq(inet_pton(AF_INET, text, &in), 1);
	memcpy(q.body, &a, sizeof a);
	put_attribute(&q, IFA_LOCAL, &in, sizeof in);
	put_attribute(&q, IFA_ADDRESS, &in, sizeof in);
	if (valid_s > 0)
		put_attribute(&q, IFA_CACHEINFO, &life, sizeof life);
	request(&q, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0);
}

static void
route(unsigned short type, const char *net, unsigned bits)
{
	struct request q = { .h.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)) };
	struct rtmsg r = { .rtm_family = AF_INET, .rtm_dst_len = (unsigned char)bits, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST };
	uint32_t lo = 1;
	struct in_addr in;

	ck_assert_int_eq(inet_pton(AF_INET, net, &in), 1);
	memcpy(q.body, &r, sizeof r);
	if (bits > 0)
		put_attribute(&q, RTA_DST, &in, sizeof in);
	put_attribute(&q, RTA_OIF, &lo, sizeof lo);
	request(&q, type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0);
}

/* Some seconds of the test's clock; the kernel answers at once. */
static unsigned
pass_time(void)
{
	unsigned before = changes;

	for (int i = 0; i < 100; i++) {
		loop_turn(loop, false);
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
		clock_fake_add(100);
	}
	return changes - before;
}

static struct links *
start(void)
{
	struct links *l;
	struct why why;

	clock_fake(1000000, 1800000000);
	loop = loop_new("test");
	l = links_start(loop, on_changed, NULL, &why);
	ck_assert_msg(l != NULL, "%s", why.text);
	ck_assert_uint_eq(pass_time(), 0);
	return l;
}

static void
stop(struct links **l)
{
	links_stop(l);
	links_stop(l);
	loop_free(&loop);
}

START_TEST(a_change)
{
	struct links *l;

	if (!make_network())
		return;
	l = start();
	address(RTM_NEWADDR, "192.0.2.1", RT_SCOPE_UNIVERSE, 0);
	ck_assert_uint_eq(pass_time(), 1);
	address(RTM_NEWADDR, "192.0.2.1", RT_SCOPE_UNIVERSE, 3600);	/* a lifetime */
	ck_assert_uint_eq(pass_time(), 0);
	address(RTM_NEWADDR, "198.51.100.1", RT_SCOPE_LINK, 0);		/* not a global one */
	ck_assert_uint_eq(pass_time(), 0);
	route(RTM_NEWROUTE, "203.0.113.0", 24);				/* not a way out */
	ck_assert_uint_eq(pass_time(), 0);
	route(RTM_NEWROUTE, "0.0.0.0", 0);
	ck_assert_uint_eq(pass_time(), 1);
	route(RTM_DELROUTE, "0.0.0.0", 0);		/* undone within the second */
	route(RTM_NEWROUTE, "0.0.0.0", 0);
	ck_assert_uint_eq(pass_time(), 0);
	address(RTM_DELADDR, "192.0.2.1", RT_SCOPE_UNIVERSE, 0);
	route(RTM_NEWROUTE, "0.0.0.0", 1);		/* several are one change */
	route(RTM_NEWROUTE, "128.0.0.0", 1);
	ck_assert_uint_eq(pass_time(), 1);
	stop(&l);
}
END_TEST

/* ENOBUFS: so many events that the socket cannot hold them; what came of them is seen all the same. */
START_TEST(a_flood)
{
	struct links *l;

	if (!make_network())
		return;
	l = start();
	for (int i = 0; i < 2000; i++) {
		address(RTM_NEWADDR, "192.0.2.1", RT_SCOPE_UNIVERSE, 0);
		address(RTM_DELADDR, "192.0.2.1", RT_SCOPE_UNIVERSE, 0);
	}
	route(RTM_NEWROUTE, "0.0.0.0", 0);
	ck_assert_uint_eq(pass_time(), 1);
	stop(&l);
}
END_TEST

/* Without rtnetlink there is a reason, and no watch. */
START_TEST(no_socket)
{
	int fd[64];
	unsigned n = 0;
	struct why why;
	struct rlimit few = { 64, 64 };

	loop = loop_new("test");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 64 && (fd[n] = dup(2)) >= 0)
		n++;
	if (_i == 1)
		close(fd[--n]);		/* one of the two can be made */
	ck_assert_ptr_null(links_start(loop, on_changed, NULL, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "no rtnetlink socket: "));
	while (n > 0)
		close(fd[--n]);
	loop_free(&loop);
}
END_TEST

Suite *test_links(void);

Suite *
test_links(void)
{
	Suite *s = suite_create("test_links");
	TCase *t = tcase_create("messages");

	tcase_add_loop_test(t, a_message, 0, RECORDED);
	tcase_add_loop_test(t, spoiled, 0, RECORDED);
	tcase_add_loop_test(t, compared, 0, (int)(sizeof pairs / sizeof pairs[0]));
	tcase_add_test(t, in_any_order);
	suite_add_tcase(s, t);
	t = tcase_create("watch");
	tcase_add_test(t, a_change);
	tcase_add_test(t, a_flood);
	tcase_add_loop_test(t, no_socket, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
