/*
 * The dialogue by the catalogue (PROTOCOL.md A.1, A.2, A.4, A.5, A.8): each row is said whole
 * and in trickles, and its replies are compared by code and enhanced code.
 */
#include "listener_client.h"

/* --- A.1, A.8: greeting and the simple verbs ---------------------------- */

#define X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X100 X100 X100 X100 X100
#define LINES5 "a\r\nb\r\nc\r\nd\r\ne\r\n"
#define NO5 " 500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2"

static const struct rig_case simple[] = {
	{ "A-001", SAY(""), "220", 0 },
	{ "A-005", SAY("NOOP\r\n"), "220 250/2.0.0", 0 },
	/* The state is as before: no greeting, then ESMTP's parameters, then a transaction. */
	{ "A-014 EHLO", SAY("EHLO\r\nEHLO \r\nMAIL FROM:<a@b>\r\n" IN "EHLO\r\n" MAIL "EHLO \r\n" RCPT "EHLO\r\nDATA\r\n" TEXT),
	    "220 501/5.5.4 501/5.5.4 503/5.5.1 250 235/2.7.0 501/5.5.4 250/2.1.0 501/5.5.4 250/2.1.5 501/5.5.4" C_KEPT, 1 },
	{ "A-014 HELO", SAY("HELO\r\nHELO \r\nMAIL FROM:<a@b>\r\n" IN "HELO\r\nMAIL FROM:<a@b.example> SIZE=1\r\nHELO \r\n" RCPT
	    "HELO\r\nDATA\r\n" TEXT),
	    "220 501/5.5.4 501/5.5.4 503/5.5.1 250 235/2.7.0 501/5.5.4 250/2.1.0 501/5.5.4 250/2.1.5 501/5.5.4" C_KEPT, 1 },
	{ "A-014 EHLO after HELO", SAY("HELO x\r\nEHLO\r\nAUTH PLAIN AHUAcA==\r\n"), "220 250 501/5.5.4 503/5.5.1", 0 },
	{ "A-015", SAY("HELO c.example\r\nAUTH PLAIN AHUAcA==\r\n"), "220 250 503/5.5.1", 0 },
	{ "A-016", SAY(IN MAIL RCPT "EHLO x\r\nDATA\r\n"), C_R " 250 503/5.5.1", 0 },
	{ "A-017", SAY(IN MAIL "EHLO\r\n" RCPT), C_M " 501/5.5.4 250/2.1.5", 0 },
	{ "A-018", SAY(IN "EHLO y\r\n" MAIL), C_IN " 250 250/2.1.0", 0 },
	{ "A-019", SAY("eHlO x\r\naUtH pLaIn AHUAcA==\r\nmAiL fRoM:<a@b.example>\r\n"
	    "rcpt to:<c@d.example>\r\n"), C_R, 0 },
	{ "A-020", SAY("EHLO [127.0.0.1]\r\nEHLO [IPv6:::1]\r\n"), "220 250 250", 0 },
	{ "A-021", SAY("EHLO not-my-name.example\r\nEHLO my_host\r\nEHLO localhost\r\nHELO a.\r\n"),
	    "220 250 250 250 250", 0 },
	{ "A-022", SAY("EHLO a b<script>\r\nEHLO \001x\r\nEHLO \xff\r\nHELO \xc3\xb6\r\n" MAIL),
	    "220 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 503/5.5.1", 0 },
	{ "A-023", SAY(MAIL RCPT "DATA\r\nAUTH PLAIN AHUAcA==\r\n"),
	    "220 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1", 0 },
	{ "A-024", SAY("NOOP\r\nRSET\r\nHELP\r\nQUIT\r\n"),
	    "220 250/2.0.0 250/2.0.0 214/2.0.0 221/2.0.0", 0 },
	{ "A-025", SAY(IN MAIL RCPT "NOOP \r\nRSET \t\r\n" MAIL RCPT "DATA \r\n" TEXT),
	    C_R " 250/2.0.0 250/2.0.0 250/2.1.0 250/2.1.5" C_KEPT, 1 },
	{ "A-170", SAY("RSET\r\n" HI "RSET\r\nAUTH PLAIN AHUAcA==\r\nRSET\r\n" MAIL "RSET\r\n"
	    MAIL RCPT "RSET\r\nDATA\r\n"),
	    "220 250/2.0.0 250 250/2.0.0 235/2.7.0 250/2.0.0 250/2.1.0 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1", 0 },
	{ "A-067", SAY(IN "RSET\r\n" MAIL), C_IN " 250/2.0.0 250/2.1.0", 0 },
	{ "A-171", SAY(IN MAIL "NOOP any thing \"x\r\n" RCPT "NOOP\r\nDATA\r\n" TEXT),
	    C_M " 250/2.0.0 250/2.1.5 250/2.0.0" C_KEPT, 1 },
	{ "A-172", SAY(IN MAIL RCPT "QUIT\r\nNOOP\r\n"), C_R " 221/2.0.0", 0 },
	{ "A-172 GREETED", SAY(HI "QUIT\r\nNOOP\r\n"), "220 250 221/2.0.0", 0 },
	{ "A-172 logged in", SAY(IN "QUIT\r\nNOOP\r\n"), C_IN " 221/2.0.0", 0 },
	{ "A-172 SENDER", SAY(IN MAIL "QUIT\r\nNOOP\r\n"), C_M " 221/2.0.0", 0 },
	{ "A-173", SAY(IN MAIL RCPT "VRFY postmaster\r\nVRFY\r\nDATA\r\n" TEXT),
	    C_R " 252/2.0.0 501/5.5.4" C_KEPT, 1 },
	{ "A-174", SAY("EXPN list\r\n"), "220 502/5.5.1", 0 },
	{ "A-175", SAY("HELP\r\nHELP MAIL\r\n"), "220 214/2.0.0 214/2.0.0", 0 },
	{ "A-176", SAY(IN MAIL RCPT "ETRN x\r\nATRN\r\nTURN\r\nBURL x\r\nXCLIENT A=b\r\nXFORWARD A=b\r\n"
	    "SEND FROM:<a>\r\nSOML x\r\nSAML x\r\nDATA\r\n" TEXT),
	    C_R " 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1" C_KEPT, 1 },
	{ "A-177", SAY(IN MAIL RCPT "BDAT 5 LAST\r\nNOOP\r\n"), C_R " 502/5.5.1", 0 },
	{ "A-178", SAY("FOO\r\nX-BAR\r\n\r\nNOOP\r\n"),
	    "220 500/5.5.2 500/5.5.2 500/5.5.2 250/2.0.0", 0 },
	{ "A-180 GET", SAY("GET / HTTP/1.1\r\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "A-180 POST", SAY("POST /\r\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "A-180 CONNECT", SAY("CONNECT a:25 HTTP/1.0\r\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "A-180 SSH", SAY("SSH-2.0-x\r\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "A-180 NUL", SAY("\0x\r\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "A-004", SAY("\x16\x03\x01\x02\x00\x01\x00\r\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "D1 LF", SAY("NOOP\nEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "D1 CR", SAY("NOOP\rEHLO x\r\n"), "220 500/5.5.2", 0 },
	{ "D1 NUL", SAY(IN MAIL "RCPT TO:<\0>\r\nNOOP\r\n"), C_M " 500/5.5.2", 0 },
	{ "A-132", SAY(IN MAIL RCPT "DATA x\r\nRSET x\r\nQUIT x\r\nDATA\r\n" TEXT),
	    C_R " 501/5.5.4 501/5.5.4 501/5.5.4" C_KEPT, 1 },
	{ "A-188", SAY("NOOP \xc3\xb6\r\nVRFY \xc3\xb6\r\nF\xc3\xb6\r\n"),
	    "220 500/5.5.2 500/5.5.2 500/5.5.2", 0 },
	{ "A-100", SAY(IN "MAIL FROM:<\xff@b.example>\r\nMAIL FROM:<\xc0\xaf@b.example>\r\n"
	    "MAIL FROM:<\xed\xa0\x80@b.example>\r\n"),
	    C_IN " 500/5.5.2 500/5.5.2 500/5.5.2", 0 },
	{ "A-183", SAY(IN MAIL RCPT RCPT "DATA\r\n" TEXT), C_R " 250/2.1.5" C_KEPT, 1 },
	{ "A-184", SAY(IN MAIL RCPT "DATA\r\n" TEXT MAIL RCPT "DATA\r\n" TEXT "NOOP\r\n"),
	    C_R C_KEPT " 250/2.1.0 250/2.1.5" C_KEPT " 250/2.0.0", 2 },
	{ "A-185", SAY(IN "MAIL FROM:<a@@b>\r\n" RCPT "DATA\r\nSubject: s\r\n\r\nhello\r\n.\r\n"
	    "QUIT\r\n"),
	    C_IN " 501/5.1.7 503/5.5.1 503/5.5.1 500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2 221/2.0.0", 0 },
	{ "A-185 to the end", SAY(IN "MAIL FROM:<a@@b>\r\n" RCPT "DATA\r\n" LINES5 LINES5 LINES5 LINES5 ".\r\nNOOP\r\n"),
	    C_IN " 501/5.1.7 503/5.5.1 503/5.5.1" NO5 NO5 NO5 " 500/5.5.2 421/4.7.0", 0 },
	{ "A-102 in a transaction", SAY(IN MAIL RCPT "RCPT TO:<" X500 X500 X500 X500 X500 "@d.example>\r\nDATA\r\n" TEXT),
	    C_R " 500/5.5.2" C_KEPT, 1 },
	{ "A-189", SAY(IN MAIL "DATA\r\nFROM: x\r\n"), C_M " 503/5.5.1 500/5.5.2", 0 },
};

/* --- A.2 without TLS, A.3's gates --------------------------------------- */

static const struct rig_case before_tls[] = {
	{ "A-038", SAY(HI MAIL RCPT "DATA\r\nAUTH PLAIN AGEAYg==\r\nVRFY x\r\n"),
	    "220 250 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0", 0 },
	{ "A-039", SAY(HI "RSET\r\nHELO x\r\nHELP\r\nNOOP\r\nFOO\r\nQUIT\r\n"),
	    "220 250 250/2.0.0 250 214/2.0.0 250/2.0.0 500/5.5.2 221/2.0.0", 0 },
	{ "A-038 before grammar", SAY("MAIL\r\nAUTH\r\nDATA x\r\n"),
	    "220 530/5.7.0 530/5.7.0 530/5.7.0", 0 },
	{ "A-037 no certificate", SAY(HI "STARTTLS\r\nNOOP\r\n"),
	    "220 250 454/4.7.0 250/2.0.0", 0 },
	{ "A-031", SAY(HI "STARTTLS now\r\nNOOP\r\n"), "220 250 501/5.5.4 250/2.0.0", 0 },
};

static const struct rig_case trusted[] = {
	{ "trusted", SAY(HI MAIL RCPT "DATA\r\n" TEXT), "220 250 250/2.1.0 250/2.1.5" C_KEPT, 1 },
	{ "538", SAY(HI "AUTH PLAIN AHUAcA==\r\nAUTH PLAIN\r\n"),
	    "220 250 538/5.7.11 538/5.7.11", 0 },
	{ "STARTTLS in a transaction", SAY(HI MAIL "STARTTLS\r\nNOOP\r\n"),
	    "220 250 250/2.1.0 503/5.5.1 250/2.0.0", 0 },
	{ "A-015 parameters", SAY("HELO x\r\nMAIL FROM:<a@b.example> SIZE=1\r\n"
	    "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\n"),
	    "220 250 555/5.5.4 250/2.1.0 555/5.5.4", 0 },
};

/* --- A.4 ---------------------------------------------------------------- */

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define DOMAIN_255 X63 "." X63 "." X63 "." X63
#define FROM(path) "MAIL FROM:" path "\r\nRSET\r\n"
#define OK_MAIL " 250/2.1.0 250/2.0.0"
#define NO(code) " " code " 250/2.0.0"

static const struct rig_case mail[] = {
	{ "A-081", SAY(IN "MAIL FROM:<>\r\n" RCPT), C_R, 0 },
	{ "A-082", SAY(IN MAIL "MAIL FROM:<x@y.example>\r\n" RCPT "DATA\r\n" TEXT),
	    C_M " 503/5.5.1 250/2.1.5" C_KEPT, 1 },
	{ "A-083", SAY(IN "MAIL\r\nMAIL <a@b>\r\nMAIL FROM:\r\nMAIL TO:<a@b>\r\n"),
	    C_IN " 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4", 0 },
	{ "A-084", SAY(IN FROM(" <a@b.example>")), C_IN OK_MAIL, 0 },
	{ "A-085", SAY(IN FROM("a@b.example")), C_IN NO("501/5.1.7"), 0 },
	{ "A-086",
	    SAY(IN FROM("<\"a b\"@x.example>") FROM("<\"a\\\"b\"@x.example>") FROM("<\"@\"@x.example>")
	    FROM("<\"a>b\"@x.example>") FROM("<\"\\\\\"@x.example>")),
	    C_IN OK_MAIL OK_MAIL OK_MAIL OK_MAIL OK_MAIL, 0 },
	{ "A-087",
	    SAY(IN FROM("<u@[192.0.2.1]>") FROM("<u@[IPv6:2001:db8::1]>") FROM("<u@[999.1.1.1]>")
	    FROM("<u@[IPv6:1::2::3]>") FROM("<u@[1.2.3]>")),
	    C_IN OK_MAIL OK_MAIL NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7"), 0 },
	{ "A-089",
	    SAY(IN FROM("<a@b..c>") FROM("<.a@b>") FROM("<a b@c>") FROM("<a@-b.c>") FROM("<a@b>>") FROM("<<a@b>") FROM("<a@b")),
	    C_IN NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7"), 0 },
	{ "A-089 more", SAY(IN FROM("<a@@b>") FROM("<a.@b>") FROM("<a@b>\tX") FROM("<a@b> junk")),
	    C_IN NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7") NO("555/5.5.4"), 0 },
	{ "A-072", SAY(IN "MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME ENVID=" X100 " RET=FULL AUTH=" X500 "\r\n"), C_M, 0 },
	{ "A-090", SAY(IN FROM("<" X63 "x@b.example>") FROM("<" X100 X100 "@b.example>") FROM("<a@" DOMAIN_255 ">")
	    FROM("<" X100 X100 "@" DOMAIN_255 ">") FROM("<a@" DOMAIN_255 "x>") FROM("<" X500 "@b.example>")
	    FROM("<@" DOMAIN_255 ",@" DOMAIN_255 ":a@b.example>") "RSET\r\n"),
	    C_IN OK_MAIL OK_MAIL OK_MAIL OK_MAIL NO("501/5.1.7") NO("501/5.1.7") NO("501/5.1.7") " 250/2.0.0", 0 },
	{ "A-091", SAY(IN FROM("<root>") FROM("<root@localhost>")), C_IN OK_MAIL OK_MAIL, 0 },
	{ "A-093", SAY(IN FROM("<a@b> SIZE=1000") FROM("<a@b> SIZE=2048") FROM("<a@b> SIZE=2049")
	    FROM("<a@b> SIZE=99999999999999999999")),
	    C_IN OK_MAIL OK_MAIL NO("552/5.3.4") NO("552/5.3.4"), 0 },
	{ "A-094",
	    SAY(IN FROM("<a@b> SIZE=") FROM("<a@b> SIZE=x") FROM("<a@b> SIZE=-1") FROM("<a@b> SIZE=1 SIZE=2")
	    FROM("<a@b> SIZE=0x10") FROM("<a@b> SIZE=0")),
	    C_IN NO("501/5.5.4") NO("501/5.5.4") NO("501/5.5.4") NO("501/5.5.4") NO("501/5.5.4") OK_MAIL, 0 },
	{ "A-096",
	    SAY(IN FROM("<a@b> BODY=7BIT") FROM("<a@b> BODY=8BITMIME") FROM("<a@b> BODY=9BIT")),
	    C_IN OK_MAIL OK_MAIL NO("501/5.5.4"), 0 },
	{ "A-097, A-190", SAY(IN "MAIL FROM:<a@b> REQUIRETLS\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nMAIL FROM:<a@b> X-FOO=1\r\n"
	    "MAIL FROM:<a@b> HOLDFOR=9\r\n" RCPT),
	    C_IN " 555/5.5.4 555/5.5.4 555/5.5.4 555/5.5.4 503/5.5.1", 0 },
	{ "A-098",
	    SAY(IN FROM("<a@b> SMTPUTF8") FROM("<a@b> SMTPUTF8=1") FROM("<a@b> SMTPUTF8 SMTPUTF8")),
	    C_IN OK_MAIL NO("501/5.5.4") OK_MAIL, 0 },
	{ "A-099", SAY(IN FROM("<j\xc3\xb6@x.example>") FROM("<j\xc3\xb6@x.example> SMTPUTF8")),
	    C_IN NO("550/5.6.7") OK_MAIL, 0 },
	{ "A-101",
	    SAY(IN FROM("<a@b> RET=FULL") FROM("<a@b> RET=HDRS ENVID=QQ+2B1") FROM("<a@b> RET=BODY")
	    FROM("<a@b> RET=") FROM("<a@b> ENVID=a+ZZ") FROM("<a@b> RET=FULL RET=FULL")),
	    C_IN OK_MAIL OK_MAIL NO("501/5.5.4") NO("501/5.5.4") NO("501/5.5.4") NO("501/5.5.4"), 0 },
};

/* --- A.5 ---------------------------------------------------------------- */

static const struct rig_case rcpt[] = {
	{ "A-111", SAY(IN RCPT), C_IN " 503/5.5.1", 0 },
	{ "A-112", SAY(IN MAIL "RCPT TO:<>\r\nRCPT\r\nRCPT TO:\r\nRCPT TO:c@d\r\n"),
	    C_M " 501/5.1.3 501/5.5.4 501/5.5.4 501/5.1.3", 0 },
	{ "A-113, A-122", SAY(IN MAIL "RCPT TO:<Postmaster>\r\nRCPT TO:<c@localhost>\r\n"
	    "RCPT TO:<c@MAIL.example>\r\nDATA\r\n"),
	    C_M " 550/5.1.1 550/5.1.1 550/5.1.1 554/5.5.1", 0 },
	{ "A-114", SAY(IN MAIL "RCPT TO:<@a.example,@b.example:u@c.example>\r\n"), C_R, 0 },
	{ "A-115", SAY(IN MAIL "RCPT TO:<u%h@d.example>\r\nRCPT TO:<h!u@d.example>\r\n"
	    "RCPT TO:<|cmd@d.example>\r\n"
	    "RCPT TO:<-x@d.example>\r\nRCPT TO:<;sh@d.example>\r\n"),
	    C_R " 250/2.1.5 250/2.1.5 250/2.1.5 250/2.1.5", 0 },
	{ "A-117", SAY(IN MAIL "RCPT TO:<1@d>\r\nRCPT TO:<2@d>\r\nRCPT TO:<3@d>\r\n"
	    "RCPT TO:<4@d>\r\nRCPT TO:<5@d>\r\n"
	    "RCPT TO:<6@d>\r\nDATA\r\n" TEXT),
	    C_R " 250/2.1.5 250/2.1.5 250/2.1.5 250/2.1.5 452/4.5.3" C_KEPT, 1 },
	{ "A-118", SAY(IN MAIL "RCPT TO:<c@d> NOTIFY=NEVER\r\n"
	    "RCPT TO:<e@d> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;u+40x.example\r\n"
	    "RCPT TO:<f@d> NOTIFY=NEVER,SUCCESS\r\nRCPT TO:<f@d> NOTIFY=\r\n"
	    "RCPT TO:<f@d> NOTIFY=X\r\n"
	    "RCPT TO:<f@d> ORCPT=nosemi\r\n"),
	    C_R " 250/2.1.5 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4", 0 },
	{ "A-119", SAY(IN MAIL "RCPT TO:<c@d> FOO=1\r\n"), C_M " 555/5.5.4", 0 },
	{ "A-121", SAY(IN MAIL "RCPT TO:<j\xc3\xb6@d.example>\r\n"), C_M " 553/5.6.7", 0 },
	{ "A-125", SAY(IN MAIL RCPT RCPT "DATA\r\n" TEXT), C_R " 250/2.1.5" C_KEPT, 1 },
	{ "A-126", SAY(IN MAIL RCPT "DATA\r\n" TEXT RCPT "DATA\r\n"),
	    C_R C_KEPT " 503/5.5.1 503/5.5.1", 1 },
	{ "A-131", SAY(IN "DATA\r\n" MAIL "DATA\r\nRCPT TO:<nobody>\r\nDATA\r\n"),
	    C_IN " 503/5.5.1 250/2.1.0 503/5.5.1 550/5.1.1 554/5.5.1", 0 },
	{ "A-131", SAY(IN MAIL "RCPT TO:<j\xc3\xb6@d.example>\r\nDATA\r\n"), C_M " 553/5.6.7 554/5.5.1", 0 },
	/* grammar comes before sequence, parameters after it */
	{ "A-083", SAY(IN MAIL "MAIL TO:<a@b.example>\r\nMAIL FROM:<a@b> X=1\r\n"), C_M " 501/5.5.4 503/5.5.1", 0 },
};

TABLE(simple, RIG_PLAIN, "")
TABLE(before_tls, RIG_STARTTLS, "")
TABLE(trusted, RIG_TRUSTED, "")
TABLE(mail, RIG_PLAIN, "limits { message_size = \"2K\" }\n")
TABLE(rcpt, RIG_PLAIN, "limits { recipients = 5 }\n")

/* A-010, A-015, A-181: what EHLO lists, and HELO does not. */
START_TEST(test_ehlo_lists)
{
	static const char starttls[] = "250-mail.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 HELP\r\n";
	struct rig r;

	rig_start(&r, "");
	rig_play_n(&r, RIG_STARTTLS, SAY("EHLO x\r\n"), 0);
	ck_assert_str_eq(strchr(r.heard.data, '\n') + 1, starttls);
	rig_play_n(&r, RIG_PLAIN, SAY("HELO x\r\n"), 0);
	ck_assert_str_eq(r.heard.data, "220 mail.example ESMTP\r\n250 mail.example\r\n");
	rig_limits(&r, true, UINT64_MAX, false, 1000);
	rig_play_n(&r, RIG_PLAIN, SAY("EHLO x\r\n"), 0);
	ck_assert(strstr(r.heard.data, "250-SIZE 1000\r\n") != NULL);
	ck_assert(strstr(r.heard.data, "250-AUTH PLAIN LOGIN\r\n") != NULL);
	ck_assert(strstr(r.heard.data, "SMTPUTF8") == NULL);
	rig_stop(&r);
}
END_TEST

/* A-102: 512 and 2048 octets are a command, 2049 are one error, and all goes on. */
START_TEST(test_long_lines)
{
	static const struct {
		size_t length;
		const char *codes;
	} cases[] = {
		{ 512, "220 250/2.0.0 250/2.0.0" }, { 2048, "220 250/2.0.0 250/2.0.0" },
		{ 2049, "220 500/5.5.2 250/2.0.0" }, { 200000, "220 500/5.5.2 250/2.0.0" }
	};
	struct buf b = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_puts(&b, "NOOP ");
	while (b.len < cases[_i].length - 2)
		buf_putc(&b, 'x');
	buf_puts(&b, "\r\nNOOP\r\n");
	for (size_t trickle = 0; trickle < 2 && (trickle == 0 || b.len < 10000); trickle++) {
		rig_play_n(&r, RIG_PLAIN, b.data, b.len, trickle);
		ck_assert_str_eq(rig_codes(&r), cases[_i].codes);
	}
	buf_clear(&b);
	rig_stop(&r);
}
END_TEST

/* A-095, A-140: no room, and too little of it for SIZE=. */
START_TEST(test_room)
{
	struct rig r;

	rig_start(&r, "");
	rig_limits(&r, true, 5000, true, 9000);
	rig_play_n(&r, RIG_PLAIN,
	    SAY(IN FROM("<a@b> SIZE=5000") FROM("<a@b> SIZE=5001") FROM("<a@b> SIZE=9001")), 0);
	ck_assert_str_eq(rig_codes(&r), C_IN OK_MAIL NO("452/4.3.1") NO("552/5.3.4"));
	rig_limits(&r, false, 0, true, 0);
	rig_play_n(&r, RIG_PLAIN, SAY(IN MAIL "NOOP\r\n"), 0);
	ck_assert_str_eq(rig_codes(&r), C_IN " 452/4.3.1 250/2.0.0");
	rig_stop(&r);
}
END_TEST

/* A-092: the user's patterns bind the envelope sender; the null sender is everybody's. */
START_TEST(test_allowed_senders)
{
	struct rig r;

	rig_start(&r, "");
	rig_play_n(&r, RIG_PLAIN, SAY(HI "AUTH PLAIN AGJvdW5kAHA=\r\n"
	    FROM("<bound@a.example>") FROM("<bound@A.EXAMPLE>")
	    FROM("<other@a.example>") FROM("<root>") FROM("<x@localhost>") FROM("<>")), 0);
	ck_assert_str_eq(rig_codes(&r),
	    C_IN OK_MAIL OK_MAIL NO("550/5.7.1") OK_MAIL OK_MAIL OK_MAIL);
	rig_stop(&r);
}
END_TEST

/* A-113, A-122: aliases, the postmaster, and who is in neither. */
START_TEST(test_local_recipients)
{
	char path[128], options[512];
	struct rig r;

	rig_start(&r, "");
	rig_write(&r, "aliases",
	    "root: admin@there.example, ops@there.example\nwww-data: root\ncron: nobody\n", path,
	    sizeof path);
	snprintf(options, sizeof options, "aliases_file = \"%s\"\n", path);
	config_unref(&r.config);
	rig_configure(&r, options);
	struct config_memo *m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);
	m->config = config_ref(r.config);
	memo_post(listener_get_channel(r.listener), &m->memo);
	loop_turn(r.loop, false);
	rig_play_n(&r, RIG_PLAIN, SAY(IN MAIL "RCPT TO:<root>\r\nRCPT TO:<WWW-data@localhost>\r\n"
	    "RCPT TO:<cron@mail.example>\r\n"
	    "RCPT TO:<nobody>\r\nRCPT TO:<root@elsewhere.example>\r\nDATA\r\n" TEXT), 0);
	ck_assert_str_eq(rig_codes(&r), C_R " 250/2.1.5 550/5.1.1 550/5.1.1 250/2.1.5" C_KEPT);
	ck_assert(strstr(r.mail.data,
	    "u<a@b.example> <admin@there.example> <ops@there.example> <root@elsewhere.example>\n") != NULL);
	ck_assert(strstr(r.heard.data, "aliases_file") != NULL && strstr(r.heard.data,
	    "postmaster") != NULL);
	rig_stop(&r);
}
END_TEST

START_TEST(test_postmaster)
{
	struct rig r;

	rig_start(&r, "postmaster = \"pm@there.example\"\n");
	rig_play_n(&r, RIG_PLAIN, SAY(IN MAIL "RCPT TO:<pOsTmAsTeR>\r\n"
	    "RCPT TO:<c@localhost> NOTIFY=NEVER\r\nDATA\r\n" TEXT), 0);
	ck_assert_str_eq(rig_codes(&r), C_R " 250/2.1.5" C_KEPT);
	ck_assert(strstr(r.mail.data,
	    "u<a@b.example> <pm@there.example> <pm@there.example> notify=1 orcpt=\n") != NULL);
	rig_stop(&r);
}
END_TEST

/* A-116 and A-186: a hundred recipients; ten thousand commands of a client that does not read. */
START_TEST(test_floods)
{
	struct buf b = { 0 }, codes = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_puts(&b, IN MAIL);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "RCPT TO:<%d@d.example>\r\n", i);
	rig_play_n(&r, RIG_PLAIN, b.data, b.len, 0);
	buf_puts(&codes, C_M);
	for (int i = 0; i < 100; i++)
		buf_puts(&codes, " 250/2.1.5");
	ck_assert_str_eq(rig_codes(&r), codes.data);
	buf_clear(&codes);
	buf_cut(&b, 0);
	buf_puts(&codes, "220 mail.example ESMTP\r\n");
	for (int i = 0; i < 10000; i++) {
		buf_puts(&b, i % 3 == 0 ? "HELP\r\n" : i % 7 == 0 ? "NOOP\r\n" : "VRFY x\r\n");
		buf_puts(&codes, i % 3 == 0 ? "214 2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n" :
		    i % 7 == 0 ? "250 2.0.0 ok\r\n" : "252 2.0.0 send it, and see\r\n");
	}
	setsockopt(r.socket[RIG_PLAIN].fd, SOL_SOCKET, SO_SNDBUF, &(int){ 16384 }, sizeof(int));
	rig_connect(&r, RIG_PLAIN);
	for (size_t at = 0; at < b.len;) {
		ssize_t n = send(r.fd, b.data + at, b.len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		loop_turn(r.loop, false);
		for (uint32_t i = 0; i < r.listener->nslot; i++)
			if (r.listener->slot[i].session != NULL)
				ck_assert_uint_le(stream_pending(r.listener->slot[i].session->stream), 65536);
		at += n > 0 ? (size_t)n : 0;
		if (n <= 0)
			rig_listen(&r);
	}
	rig_finish(&r);
	ck_assert_uint_eq(r.heard.len, codes.len);
	ck_assert_mem_eq(r.heard.data, codes.data, codes.len);	/* none is lost, none has changed places */
	buf_clear(&codes);
	buf_clear(&b);
	rig_stop(&r);
}
END_TEST

#define TWELVE "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n11\r\n12\r\n"

/* A-179: from the tenth error on replies take a second; the twentieth is the last. */
START_TEST(test_errors)
{
	struct buf say = { 0 }, codes = { 0 };
	int64_t began_at_ms;
	struct rig r;

	rig_start(&r, "");
	buf_puts(&codes, "220");
	for (int i = 0; i < 25; i++)
		buf_puts(&say, "FOO\r\n");
	for (int i = 0; i < 19; i++)
		buf_puts(&codes, " 500/5.5.2");
	buf_puts(&codes, " 421/4.7.0");
	for (size_t trickle = 0; trickle < 2; trickle++) {
		began_at_ms = clock_now_ms();
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, trickle);
		ck_assert_str_eq(rig_codes(&r), codes.data);
		ck_assert_int_ge(clock_now_ms() - began_at_ms, 10 * 1000);
	}
	/* An accepted message makes good. */
	buf_cut(&say, 0);
	buf_puts(&say, IN TWELVE MAIL RCPT "DATA\r\n" TEXT TWELVE "QUIT\r\n");
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert(r.heard.data != NULL && strstr(r.heard.data, "421") == NULL &&
	    strstr(r.heard.data, "221 2.0.0") != NULL);
	buf_clear(&say);
	buf_clear(&codes);
	rig_stop(&r);
}
END_TEST

/* A-124 */
START_TEST(test_refused_recipients)
{
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "limits { errors = 100 }\n");
	buf_puts(&say, IN MAIL);
	for (int i = 0; i < 19; i++)
		buf_printf(&say, "RCPT TO:<nobody%d>\r\n", i);
	buf_puts(&say, RCPT);
	for (int i = 0; i < 21; i++)
		buf_printf(&say, "RCPT TO:<nobody%d>\r\n", i);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_str_eq(rig_codes(&r) + strlen(rig_codes(&r)) - 19, "550/5.1.1 421/4.7.0");
	ck_assert(strstr(r.heard.data, "250 2.1.5") != NULL);
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* C-25: who is not named in `trusted' is nobody. */
START_TEST(test_not_trusted)
{
	struct rig r;

	rig_start(&r, "");
	rig_play_n(&r, RIG_OUTSIDE, SAY(HI MAIL "AUTH PLAIN AHUAcA==\r\n"), 0);
	ck_assert_str_eq(rig_codes(&r), "220 250 530/5.7.0 530/5.7.0");
	rig_stop(&r);
}
END_TEST

Suite *test_verbs(void);

Suite *
test_verbs(void)
{
	Suite *s = suite_create("test_verbs");
	TCase *t = tcase_create("dialogues");

	tcase_set_timeout(t, 60);
	LOOP(simple);
	LOOP(before_tls);
	LOOP(trusted);
	LOOP(mail);
	LOOP(rcpt);
	tcase_add_test(t, test_ehlo_lists);
	tcase_add_loop_test(t, test_long_lines, 0, 4);
	tcase_add_test(t, test_room);
	tcase_add_test(t, test_allowed_senders);
	tcase_add_test(t, test_local_recipients);
	tcase_add_test(t, test_postmaster);
	tcase_add_test(t, test_floods);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_refused_recipients);
	tcase_add_test(t, test_not_trusted);
	suite_add_tcase(s, t);
	return s;
}
