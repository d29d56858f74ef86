# Perl's Net::SMTP
# shellcheck shell=bash disable=SC2154
perl_have() { install perl libio-socket-ssl-perl libauthen-sasl-perl; installed libio-socket-ssl-perl libauthen-sasl-perl; }
perl_version() { perl -MNet::SMTP -e 'print "Net::SMTP $Net::SMTP::VERSION\n"'; }
by_perl() {
	limit perl - "$l587" "$ca" "$msg" "$from" "${to[@]}" <<'C'
use strict;
use Net::SMTP;
my ($port, $ca, $msg, $from, @to) = @ARGV;
my $s = Net::SMTP->new("localhost", Port => $port, Hello => "client.example", Timeout => 60) or die "connect";
$s->starttls(SSL_ca_file => $ca, SSL_verifycn_name => "localhost") or die "starttls";
$s->auth("app", "app-secret") or die "auth";
$s->mail($from, Bits => 8) or die "mail";
$s->to(@to) or die "rcpt";
open(my $f, "<:raw", $msg) or die;
my $text = do { local $/; <$f> };
$text =~ s/\r\n/\n/g;	# it makes CRLF itself
$s->data($text) or die "data";
$s->quit;
C
}
perl_rows() { send Net::SMTP "587 STARTTLS" "$1" hard whole by_perl; }
