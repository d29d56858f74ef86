#!/usr/bin/env bash
# The recipes of docs/recipes.md, tried: real mail libraries submit through gatepost, verifying the local CA, to the fake provider.
# Needs no root.  What is not installed is skipped and said; on Debian:
#   apt-get install php-cli php-mbstring php-symfony-mailer libphp-phpmailer git-email libmailtools-perl python3-django golang-go ruby-mail libmail-java
#       default-jdk-headless msmtp nodejs npm
# Prints a table, and fails if a recipe whose parts are there does not get its message through.
set -euo pipefail
B=${B:-build}
gatepost=$PWD/$B/gatepost
export GATEPOST_PROVIDERS=$PWD/conf/providers.conf
dir=$(mktemp -d /tmp/gatepost-recipes.XXXXXX)
daemon= provider=
cleanup() {
	trap - EXIT
	for p in $daemon $provider; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap cleanup EXIT

mkdir "$dir/sent" "$dir/gp"
chmod 700 "$dir/gp"
port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }
p587=$(port) l587=$(port) l465=$(port) l1025=$(port)
"$B/fake-provider" -q -u account:provider-secret -d "$dir/sent" -c "$dir/provider.pem" "$p587:starttls" >"$dir/provider.log" 2>&1 &
provider=$!
(umask 077; echo provider-secret >"$dir/gp/secret")
cat >"$dir/gp/gatepost.conf" <<C
hostname = "relay.example"
upstream "fake" {
    host = "127.0.0.1"
    chain = {"$p587/starttls"}
    username = "account"
    password_file = "secret"
    tls_ca = "$dir/provider.pem"
}
listen "127.0.0.1:$l587" {}
listen "127.0.0.1:$l465" {}
listen "127.0.0.1:$l1025" { tls = "none" auth = "trusted" trusted = {"127.0.0.1/32"} }
C
sed -i "s/:$l465\" {}/:$l465\" { tls = \"implicit\" }/" "$dir/gp/gatepost.conf"
for _ in $(seq 100); do grep -q '^ready' "$dir/provider.log" && break; sleep 0.05; done
echo app-secret | "$gatepost" passwd --state "$dir/gp" app >/dev/null
"$gatepost" run --state "$dir/gp" 2>"$dir/gp.log" &
daemon=$!
for _ in $(seq 200); do grep -q event=started "$dir/gp.log" && break; sleep 0.05; done
"$gatepost" ca --state "$dir/gp" >"$dir/ca.pem" 2>/dev/null
export CA=$dir/ca.pem P587=$l587 P465=$l465 P1025=$l1025
cd "$dir"

status=0
row() { printf '%-14s %-34s %s\n' "$1" "$2" "$3"; }
row recipe "over" "at the provider"
skip() { row "$1" "-" "skipped: no $2"; }
try() { # try NAME OVER COMMAND...; the message has "Subject: recipe NAME"
	local name=$1 over=$2
	shift 2
	if ! timeout 120 "$@" >"$name.out" 2>&1; then
		row "$name" "$over" "NOT ACCEPTED"
		sed 's/^/    /' "$name.out" | tail -15
		status=1
		return
	fi
	for _ in $(seq 100); do
		if grep -lq "^Subject: recipe $name" sent/* 2>/dev/null; then
			row "$name" "$over" "arrived"
			return
		fi
		sleep 0.1
	done
	row "$name" "$over" "MISSING"
	status=1
}

# --- PHP -------------------------------------------------------------------------------
cat >phpmailer.php <<'C'
<?php
foreach (['Exception', 'SMTP', 'PHPMailer'] as $f) require "/usr/share/php/libphp-phpmailer/src/$f.php";
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = 'localhost';
$mail->Port = getenv('P587');
$mail->SMTPAuth = true;
$mail->Username = 'app';
$mail->Password = 'app-secret';
$mail->SMTPSecure = PHPMailer\PHPMailer\PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPOptions = ['ssl' => ['cafile' => getenv('CA')]];
$mail->setFrom('app@client.example');
$mail->addAddress('you@far.example');
$mail->Subject = 'recipe phpmailer';
$mail->Body = 'Hello';
$mail->send();
C
if ! type php >/dev/null 2>&1; then skip phpmailer php-cli
elif ! [ -e /usr/share/php/libphp-phpmailer/src/SMTP.php ]; then skip phpmailer libphp-phpmailer
else try phpmailer "587 STARTTLS" php phpmailer.php; fi

# What Laravel sends with.
cat >symfony.php <<'C'
<?php
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$t = Symfony\Component\Mailer\Transport::fromDsn('smtp://app:app-secret@localhost:' . getenv('P587'));
$t->getStream()->setStreamOptions(['ssl' => ['cafile' => getenv('CA')]]);
(new Symfony\Component\Mailer\Mailer($t))->send((new Symfony\Component\Mime\Email())->from('app@client.example')
    ->to('you@far.example')->subject('recipe symfony')->text('Hello'));
C
if ! [ -e /usr/share/php/Symfony/Component/Mailer/autoload.php ]; then skip symfony php-symfony-mailer
else try symfony "587 STARTTLS" php symfony.php; fi

# --- JavaScript ---------------------------------------------------------------------------
cat >node.js <<'C'
const transport = require("nodemailer").createTransport({
	host: "localhost", port: +process.env.P587, requireTLS: true,
	auth: { user: "app", pass: "app-secret" },
});
transport.sendMail({ from: "app@client.example", to: "you@far.example", subject: "recipe nodemailer", text: "Hello" })
	.then(() => transport.close());
C
if ! type node >/dev/null 2>&1; then skip nodemailer nodejs
elif [ -d "${NODEMAILER:-/nonexistent}" ]; then
	try nodemailer "587 STARTTLS" env NODE_EXTRA_CA_CERTS="$CA" NODE_PATH="$NODEMAILER" node node.js
elif type npm >/dev/null 2>&1 && npm install --silent --no-audit --no-fund nodemailer >npm.log 2>&1; then
	try nodemailer "587 STARTTLS" env NODE_EXTRA_CA_CERTS="$CA" node node.js
else skip nodemailer "npm package nodemailer"; fi

# --- Python -------------------------------------------------------------------------------
cat >django_mail.py <<'C'
import os
from django.conf import settings
settings.configure(EMAIL_HOST="localhost", EMAIL_PORT=int(os.environ["P587"]), EMAIL_USE_TLS=True, EMAIL_HOST_USER="app",
    EMAIL_HOST_PASSWORD="app-secret", EMAIL_TIMEOUT=30)
import django
django.setup()
from django.core.mail import send_mail
send_mail("recipe django", "Hello", "app@client.example", ["you@far.example"])
C
if /usr/bin/python3 -c 'import django' 2>/dev/null; then try django "587 STARTTLS" env SSL_CERT_FILE="$CA" /usr/bin/python3 django_mail.py
else skip django python3-django; fi

# An app that cannot do TLS at all.
cat >plain.py <<'C'
import os, smtplib
with smtplib.SMTP("localhost", int(os.environ["P1025"])) as s:
    s.sendmail("app@client.example", ["you@far.example"], "Subject: recipe plain\r\n\r\nHello\r\n")
C
try plain "1025, no TLS, trusted" python3 plain.py

# --- Go, Ruby, Java -----------------------------------------------------------------------
cat >mail.go <<'C'
package main

import (
	"log"
	"net/smtp"
	"os"
)

func main() {
	auth := smtp.PlainAuth("", "app", "app-secret", "localhost")
	err := smtp.SendMail("localhost:"+os.Getenv("P587"), auth, "app@client.example", []string{"you@far.example"},
		[]byte("Subject: recipe go\r\nTo: you@far.example\r\n\r\nHello\r\n"))
	if err != nil {
		log.Fatal(err)
	}
}
C
if type go >/dev/null 2>&1; then try go "587 STARTTLS" env SSL_CERT_FILE="$CA" GOCACHE="$dir/go" HOME="$dir" go run mail.go
else skip go golang-go; fi

# What Rails' Action Mailer sends with.
cat >mail.rb <<'C'
require "mail"
Mail.defaults do
  delivery_method :smtp, address: "localhost", port: ENV["P587"].to_i, user_name: "app", password: "app-secret",
    authentication: :plain, enable_starttls: true, openssl_verify_mode: "peer", ca_file: ENV["CA"]
end
Mail.deliver { from "app@client.example"; to "you@far.example"; subject "recipe ruby"; body "Hello" }
C
if ruby -e 'require "mail"' 2>/dev/null; then try ruby "587 STARTTLS" ruby mail.rb
else skip ruby ruby-mail; fi

cat >Send.java <<'C'
import java.util.Properties;
import javax.mail.*;
import javax.mail.internet.*;

public class Send {
	public static void main(String[] args) throws Exception {
		Properties p = new Properties();
		p.put("mail.smtp.host", "localhost");
		p.put("mail.smtp.port", System.getenv("P587"));
		p.put("mail.smtp.auth", "true");
		p.put("mail.smtp.starttls.enable", "true");
		p.put("mail.smtp.starttls.required", "true");
		p.put("mail.smtp.ssl.checkserveridentity", "true");
		Session s = Session.getInstance(p, new Authenticator() {
			protected PasswordAuthentication getPasswordAuthentication() {
				return new PasswordAuthentication("app", "app-secret");
			}
		});
		MimeMessage m = new MimeMessage(s);
		m.setFrom("app@client.example");
		m.setRecipients(Message.RecipientType.TO, "you@far.example");
		m.setSubject("recipe java");
		m.setText("Hello");
		Transport.send(m);
	}
}
C
jars=/usr/share/java/javax.mail.jar:/usr/share/java/javax.activation.jar
if ! type javac keytool >/dev/null 2>&1; then skip java default-jdk-headless
elif ! [ -e /usr/share/java/javax.mail.jar ]; then skip java libmail-java
else
	keytool -importcert -noprompt -alias gatepost -file "$CA" -keystore trust.p12 -storetype PKCS12 -storepass changeit >/dev/null 2>&1
	try java "587 STARTTLS" java -Djavax.net.ssl.trustStore=trust.p12 -Djavax.net.ssl.trustStorePassword=changeit -cp "$jars" Send.java
fi

# --- commands -------------------------------------------------------------------------------
printf 'From: app@client.example\nTo: you@far.example\nSubject: recipe msmtp\n\nHello\n' >msmtp.eml
msmtp_conf="account default
host localhost
port $P587
tls on
tls_starttls on
tls_trust_file $CA
auth plain
user app
password app-secret
from app@client.example"
if type msmtp >/dev/null 2>&1; then
	(umask 077; echo "$msmtp_conf" >msmtprc)
	try msmtp "587 STARTTLS" bash -c 'msmtp -C msmtprc -t <msmtp.eml'
else skip msmtp msmtp; fi

if [ -e "$(git --exec-path)/git-send-email" ]; then
	export GIT_CONFIG_GLOBAL=$dir/gitconfig GIT_CONFIG_NOSYSTEM=1
	git config --global user.name App
	git config --global user.email app@client.example
	git config --global sendemail.smtpServer localhost
	git config --global sendemail.smtpServerPort "$P587"
	git config --global sendemail.smtpEncryption tls
	git config --global sendemail.smtpSSLCertPath "$CA"
	git config --global sendemail.smtpUser app
	git config --global sendemail.smtpPass app-secret
	printf 'From: App <app@client.example>\nSubject: recipe git\n\nHello\n---\n' >git.patch
	try git "587 STARTTLS" git send-email --quiet --confirm=never --suppress-cc=all --to you@far.example git.patch
else skip git git-email; fi

if type curl >/dev/null 2>&1; then
	sed 's/msmtp/curl/' msmtp.eml >curl.eml
	try curl "465 TLS" curl -sS --cacert "$CA" --user app:app-secret --mail-from app@client.example --mail-rcpt you@far.example \
	    --crlf --upload-file curl.eml "smtps://localhost:$P465"
else skip curl curl; fi
[ $status = 0 ] || tail -20 gp.log
exit $status
