/* What each failure means, and what to do about it. */
#include "relay/advise.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum heard heard;
	const char *advice;	/* %h: host, %p: port */
} troubles[] = {
 [TROUBLE_NONE] = { HEARD_UP, "" },
 [TROUBLE_TCP_TIMEOUT] = { HEARD_BLOCKED, "A firewall on the way drops port %p without an answer; many clouds and "
	"offices do this to mail ports. If another port of the chain works, nothing need be done; else ask whoever runs "
	"the network to open one." },
 [TROUBLE_REFUSED] = { HEARD_BLOCKED, "Port %p was rejected at once: by a firewall that says no, or because nothing "
	"listens there. If all ports are refused, check that host = \"%h\" is the right one." },
 [TROUBLE_UNREACHABLE] = { HEARD_BLOCKED, "There is no route to that address. For IPv6 this is usual on networks "
	"without it, and IPv4 will serve; if it is so for every address, this machine is offline." },
 [TROUBLE_DENIED] = { HEARD_BLOCKED, "This machine itself forbids the connection: look at its own firewall "
	"(nft list ruleset), and at IPAddressDeny= and the like of the unit." },
 [TROUBLE_LOCAL] = { HEARD_LOCAL, "This is about this machine, not the provider: check `source' of the upstream, "
	"and the limit of open files." },
 [TROUBLE_RESET] = { HEARD_BLOCKED, "The connection was cut before the server spoke: mostly a firewall that looks "
	"inside, sometimes a server that does not like this address." },
 [TROUBLE_SILENT] = { HEARD_BLOCKED, "Something takes the connection and says nothing: a transparent proxy, or a "
	"port that wants TLS at once (then write %p/implicit)." },
 [TROUBLE_CLOSED] = { HEARD_BLOCKED, "The connection is taken and closed at once: a proxy on the way, or a server "
	"that blocks this address. Ask the provider if every port does so." },
 [TROUBLE_HTTP] = { HEARD_BLOCKED, "A web server answers in place of the mail server: a captive portal (log in to "
	"the network with a browser), a proxy, or the wrong host." },
 [TROUBLE_FOREIGN] = { HEARD_BLOCKED, "What answers there does not speak SMTP: check host and port, or something "
	"on the way answers instead." },
 [TROUBLE_MASKED] = { HEARD_BLOCKED, "A firewall rewrites SMTP (Cisco's \"fixup smtp\" or \"inspect esmtp\"). Have it "
	"turned off, or use a port with implicit TLS, which it cannot read." },
 [TROUBLE_PLAIN_BUSY] = { HEARD_BUSY, "It asks to come later, but said so before TLS, so it may be a device on the "
	"way. It will be tried again." },
 [TROUBLE_PLAIN_REFUSED] = { HEARD_BLOCKED, "It turns us away before TLS, so it may be a device on the way. If every "
	"port says the same, the provider does not accept this address: ask it." },
 [TROUBLE_PLAIN_EHLO] = { HEARD_UNSAFE, "Without EHLO there is no STARTTLS. An old device on the way does this; a "
	"port with implicit TLS gets past it." },
 [TROUBLE_NO_STARTTLS] = { HEARD_UNSAFE, "A mail provider offers STARTTLS on port %p: a middlebox takes it out to read "
	"along. gatepost never falls back to plain text; use a port with implicit TLS (465), or another network." },
 [TROUBLE_STARTTLS_REFUSED] = { HEARD_UNSAFE, "STARTTLS is offered and then refused: a middlebox, or trouble at the "
	"server. A port with implicit TLS is the way around it." },
 [TROUBLE_INJECTED] = { HEARD_UNSAFE, "Somebody on the way puts words into the conversation before it is encrypted. "
	"That is an attack or a very broken proxy: do not use this port on this network." },
 [TROUBLE_TLS] = { HEARD_UNSAFE, "The two sides did not agree on TLS: the server's is too old or broken, or a device on "
	"the way interferes. Try from another network; if it is the same there, ask the provider." },
 [TROUBLE_TLS_OLD] = { HEARD_UNSAFE, "The server, or a proxy in front of it, has only versions of TLS older than we accept. It "
	"should be updated; tls_min_version goes down to \"1.2\" and no further." },
 [TROUBLE_TLS_PLAIN] = { HEARD_UNSAFE, "Something speaks before TLS there: port %p wants starttls (then write "
	"%p/starttls), or a device on the way answers instead of the server." },
 [TROUBLE_TLS_CUT] = { HEARD_UNSAFE, "STARTTLS is offered, but the handshake is cut off: a middlebox that does not "
	"let encrypted mail pass. Use a port with implicit TLS, or another network." },
 [TROUBLE_TLS_BLOCKED] = { HEARD_BLOCKED, "The connection is taken, but no TLS comes: a firewall that looks inside, "
	"or port %p wants starttls, not implicit." },
 [TROUBLE_NAME] = { HEARD_UNSAFE, "The certificate belongs to somebody else: mail is being intercepted on this "
	"network, or host = \"%h\" is not the provider's name for it (then set host or tls_name)." },
 [TROUBLE_EXPIRED] = { HEARD_UNSAFE, "Check this machine's clock first (timedatectl); if it is right, the server's "
	"certificate has lapsed or is not valid yet, and only its owner can help." },
 [TROUBLE_SELF_SIGNED] = { HEARD_UNSAFE, "The certificate vouches for itself: a server that nobody set up (or a proxy on the way, "
	"if this is a public provider). If it is your own server, copy its certificate here and name the file in tls_ca." },
 [TROUBLE_UNTRUSTED] = { HEARD_UNSAFE, "Nobody this machine trusts vouches for that certificate: an antivirus or "
	"company proxy intercepts TLS, or the server has a CA of its own (then name it in tls_ca), or the package "
	"ca-certificates is missing." },
 [TROUBLE_BUSY] = { HEARD_BUSY, "The provider itself says later: too many connections, or too fast. It is the same "
	"on every port; wait, and lower `connections' if it goes on." },
 [TROUBLE_REFUSED_INSIDE] = { HEARD_BUSY, "The provider itself turns this machine away; its words say why. Often the "
	"address is on a block list, or the account is closed: ask the provider." },
 [TROUBLE_EHLO_INSIDE] = { HEARD_UNSAFE, "The server does not accept our EHLO: check `hostname', which should be a "
	"full name such as mail.example.com." },
 [TROUBLE_NO_LOGIN] = { HEARD_UNSAFE, "The server offers no way to log in that is configured here: check `auth', or "
	"let it be \"auto\"; some providers want xoauth2." },
 [TROUBLE_NO_AUTH] = { HEARD_UNSAFE, "No login was offered on port %p, of no kind: a port for other servers' mail (25), or one that "
	"trusts addresses. Use one for submission (465, 587), or set auth = \"none\" if the server needs no login." },
 [TROUBLE_LOGIN_REFUSED] = { HEARD_UP, "Wrong user name or password." },
 [TROUBLE_LOGIN_ODD] = { HEARD_UP, "The server answered our login with what the protocol does not allow (RFC 4954), so it is not known "
	"whether the password is right. Another mechanism may work: set `auth' to one that it offers; else ask the provider." },
 [TROUBLE_LOGIN_LOST] = { HEARD_UP, "The server did not answer our login, so it is not known whether the password is right. Some do "
	"this after many wrong ones: wait some minutes; if it stays so, ask the provider." },
 [TROUBLE_NO_SECRET] = { HEARD_UP, "The port is fine, but there was nothing to log in with. Run the command by hand as the "
	"daemon's user, or look at oauth2's token_url." },
 [TROUBLE_SECRET_REFUSED] = { HEARD_UP, "The port is fine, but no token is given to us: renew the consent, and with it the "
	"refresh token, and compare client_id and its secret." },
 [TROUBLE_LOGIN_BUSY] = { HEARD_UP, "The provider does not decide on the login now; too many attempts in a short "
	"time have this effect. Wait some minutes." },
};
static_assert(sizeof troubles / sizeof troubles[0] == TROUBLES, "a row for each trouble");

/* What people get wrong with each provider's login. */
static const struct {
	const char *host, *hint;
} logins[] = {
	{ "gmail.com", "Google wants an app password (16 letters, with 2-step verification on), not that of the account." },
	{ "office365.com", "Microsoft 365 wants SMTP AUTH switched on for the mailbox, or xoauth2; basic authentication is going away." },
	{ "outlook.com", "Outlook.com wants xoauth2 or an app password." },
	{ "yahoo.com", "Yahoo wants an app password, not that of the account." },
	{ "mail.me.com", "iCloud wants an app-specific password." },
	{ "fastmail.com", "Fastmail wants an app password." },
	{ "zoho", "Zoho wants an application-specific password where 2-step verification is on, and the host of your region." },
	{ "amazonaws.com", "SES wants SMTP credentials of this region, which are not the AWS access key." },
	{ "sendgrid.net", "SendGrid wants the user name \"apikey\", literally, and the API key as password." },
	{ "mailgun.org", "Mailgun wants an SMTP user of the domain (postmaster@…) and its password, not the API key." },
	{ "sparkpostmail.com", "SparkPost wants the user name \"SMTP_Injection\" and an API key that may send by SMTP." },
	{ "mandrillapp.com", "Mandrill wants an API key as password; the user name may be anything." },
	{ "mailjet.com", "Mailjet wants the API key as user name and the secret key as password." },
	{ "postmarkapp.com", "Postmark wants the server's token as user name and as password." },
	{ "brevo.com", "Brevo wants the SMTP login and an SMTP key, not the API key." },
	{ "mailtrap.io", "Mailtrap wants the user name \"api\" and the API token as password." },
	{ "resend.com", "Resend wants the user name \"resend\" and an API key as password." },
	{ "scw.cloud", "Scaleway wants the project id as user name and a secret key as password." },
	{ "socketlabs.com", "SocketLabs wants the server id as user name and its SMTP password." },
};

enum heard
advise_heard(enum trouble t)
{
	return troubles[t].heard;
}

enum trouble
advise_no_login(const struct caps *c)
{
	return c->auth ? TROUBLE_NO_LOGIN : TROUBLE_NO_AUTH;
}

const char *
advise_words(enum trouble t)
{
	return t == TROUBLE_NO_AUTH ? "it offers no login at all" : "it offers no way to log in that is configured here";
}

static const char *
login_hint(const char *host)
{
	for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++)
		if (strcasestr(host, logins[i].host) != NULL)
			return logins[i].hint;
	return "Check them by logging in at the provider; many want an app password or an API key here.";
}

void
advise(char *out, size_t size, enum trouble t, const struct upstream *u, const struct candidate *c)
{
	size_t n = 0;

	if (size == 0)
		return;
	*out = '\0';
	for (const char *p = troubles[t].advice; *p != '\0' && n + 1 < size; p++) {
		if (p[0] == '%' && (p[1] == 'h' || p[1] == 'p')) {
			int wrote = p[1] == 'h' ? snprintf(out + n, size - n, "%.120s", u->host) :
			    snprintf(out + n, size - n, "%u", c->port);

			n += (size_t)wrote < size - n ? (size_t)wrote : size - n - 1;
			p++;
		} else {
			out[n++] = *p;
			out[n] = '\0';
		}
	}
	if (t != TROUBLE_LOGIN_REFUSED || n + 2 >= size)
		return;
	if (u->note != NULL && u->note[0] != '\0')
		snprintf(out + n, size - n, " For %s: %s.", u->provider, u->note);
	else
		snprintf(out + n, size - n, " %s", login_hint(u->host));
}
