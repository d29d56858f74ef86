# git send-email
# shellcheck shell=bash disable=SC2154
git_have() { install git git-email libio-socket-ssl-perl libauthen-sasl-perl; installed git-email libio-socket-ssl-perl libauthen-sasl-perl; }
git_version() { git --version | awk '{ print "git send-email", $3 }'; }
by_git() {
	{
		printf 'From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: App <%s>\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n' "$from"
		printf 'Subject: [PATCH] interop %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n' "$id"
		cat "$text"
	} >"$msg.patch"
	HOME=$dir GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null limit git -c user.name=App -c user.email="$from" send-email --quiet --confirm=never \
	    --suppress-cc=all --from="App <$from>" --envelope-sender="$from" --to="${to[0]}" --smtp-server=localhost --smtp-server-port="$l587" \
	    --smtp-encryption=tls --smtp-ssl-cert-path="$ca" --smtp-user=app --smtp-pass=app-secret --smtp-domain=client.example \
	    --transfer-encoding=8bit "$msg.patch"
}
git_rows() { send "git send-email" "587 STARTTLS" "$1" hard text by_git; }
