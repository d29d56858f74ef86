/*
 * Prints the status page as it looks on a bad day: an hour of samples, every state, long and hostile texts.  For
 * looking at, and for tests/web/run.sh.
 */
#include <stdio.h>
#include <stdlib.h>

#include "web/page.h"

#define LONG "454 4.7.0 Temporary authentication failure; see https://provider.example/docs/troubleshooting/authentication/" \
	"temporary-failures-and-what-to-do-about-them?id=0123456789abcdef0123456789abcdef for more"
#define EVIL "<script>document.title='owned'</script><img src=x onerror=document.title='owned'> \xe2\x80\xae" "desrever"

static const char status[] = "{\"version\":\"0.1.0\",\"uptime_s\":262144,\"hostname\":\"relay.example\","
    "\"queue\":{\"messages\":1284,\"recipients\":1391,\"active\":3,\"deferred\":1280,\"held\":1,\"bytes\":5242880,\"oldest_s\":9000},"
    "\"counters\":{\"accepted\":2201,\"relayed\":1753},\"certificate\":\"the local certificate ends in 12 days: renew it with `gatepost ca --renew'\",\"upstreams\":["
    "{\"name\":\"sendgrid\",\"host\":\"smtp.sendgrid.net\",\"state\":\"up\",\"reason\":\"\",\"connections\":3,"
    "\"active\":\"2525/starttls\",\"quota_left\":4711,\"candidates\":["
    "{\"port\":587,\"tls\":\"starttls\",\"address\":\"192.0.2.17\",\"state\":\"blocked\",\"reason\":\"no answer to TCP in 10 s\",\"since_s\":7200,\"retry_in_s\":180},"
    "{\"port\":465,\"tls\":\"implicit\",\"address\":\"2001:db8:85a3:1111:2222:8a2e:370:7334\",\"state\":\"unsafe\",\"reason\":\"the certificate is for portal.hotel.example, not for smtp.sendgrid.net\",\"since_s\":7200,\"retry_in_s\":180},"
    "{\"port\":2525,\"tls\":\"starttls\",\"address\":\"192.0.2.17\",\"state\":\"up\",\"reason\":\"\",\"since_s\":7100}]},"
    "{\"name\":\"ses\",\"host\":\"email-smtp.eu-west-1.amazonaws.com\",\"state\":\"auth_failed\",\"reason\":\"" LONG "\",\"connections\":0,\"active\":null,\"quota_left\":-1,\"candidates\":["
    "{\"port\":587,\"tls\":\"starttls\",\"address\":\"198.51.100.4\",\"state\":\"up\",\"reason\":\"\",\"since_s\":60}]},"
    "{\"name\":\"backup\",\"host\":\"mail.example.org\",\"state\":\"paused\",\"reason\":\"over its quota of 500 in 24 h; goes on in 3 h\",\"connections\":0,\"active\":null,\"quota_left\":0,\"candidates\":["
    "{\"port\":465,\"tls\":\"implicit\",\"address\":\"\",\"state\":\"unknown\",\"reason\":\"" EVIL "\"}]}]}";

static const char oldest[] = "["
    "{\"id\":\"01JQ3ZK5W8M2A\",\"state\":\"deferred\",\"age_s\":9000,\"size\":48211,\"recipients\":1,\"attempts\":9,\"next_attempt_s\":840,\"reason\":\"450 4.2.1 The mailbox of [address] is busy; try again later\"},"
    "{\"id\":\"01JQ3ZK5W8M2B\",\"state\":\"held\",\"age_s\":8000,\"size\":1048576,\"recipients\":3,\"attempts\":1,\"next_attempt_s\":-1,\"reason\":\"held by the operator\"},"
    "{\"id\":\"01JQ3ZK5W8M2C\",\"state\":\"deferred\",\"age_s\":300,\"size\":900,\"recipients\":5,\"attempts\":0,\"next_attempt_s\":20,\"reason\":\"" EVIL "\",\"from\":\"app@client.example\",\"to\":[\"a.person.with.a.very.long.name.indeed@department.of.long.names.example\",\"b@far.example\"]},"
    "{\"id\":\"01JQ3ZK5W8M2D\",\"state\":\"active\",\"age_s\":2,\"size\":5000,\"recipients\":1,\"attempts\":0,\"next_attempt_s\":-1,\"reason\":\"\"}]";

static void
fill(struct ring *ring)
{
	int64_t v[RING_KINDS] = { 0 };
	unsigned noise = 7;

	for (int i = 0; i < 360; i++) {
		noise = noise * 1103515245 + 12345;
		v[RING_ACCEPTED] += 2 + (noise >> 16) % 9;
		v[RING_RELAYED] += i > 200 && i < 290 ? (noise >> 20) % 3 : 2 + (noise >> 18) % 9;
		v[RING_DEFERRED] += i > 200 && i < 290 ? (noise >> 12) % 7 : (noise >> 12) % 13 == 0;
		v[RING_BOUNCED] += (noise >> 8) % 29 == 0;
		v[RING_WAITING] = v[RING_ACCEPTED] > v[RING_RELAYED] ? v[RING_ACCEPTED] - v[RING_RELAYED] : 0;
		if (i < 80 || i > 110)	/* stopped for a while */
			ring_put(ring, i * 10000, v);
	}
}

int
main(void)
{
	static struct ring ring;
	json_t *s = json_loads(status, 0, NULL), *o = json_loads(oldest, 0, NULL);
	struct buf out = { 0 };

	if (s == NULL || o == NULL)
		return 1;
	fill(&ring);
	page_put(&out, s, o, &ring);
	fwrite(out.data, 1, out.len, stdout);
	buf_clear(&out);
	json_decref(s);
	json_decref(o);
	return 0;
}
