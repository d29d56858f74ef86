#!/usr/bin/env bash
# `make install' lays what it should, `make uninstall' leaves the configuration and nothing else, and neither touches
# another mailer's names; ./configure records what it was told and refuses what it cannot use.
#   B=build MAKE=make bash tests/install.sh
set -euo pipefail
B=${B:-build} MAKE=${MAKE:-make}
dir=$(mktemp -d "${TMPDIR:-/tmp}/gatepost-install.XXXXXX")
trap 'rm -rf "$dir"' EXIT
die() { echo "tests/install.sh: $*" >&2; exit 1; }
# config.mk may say otherwise
run() { "$MAKE" -s --no-print-directory "B=$B" "DESTDIR=$dir/root" SYSCONFDIR=/etc SYSTEMD=yes SENDMAIL= "$@" >"$dir/out" 2>&1; }
laid() { (cd "$dir/root" && find . ! -type d | sort); }

run install SENDMAIL=yes || die "make install: $(cat "$dir/out")"
prefix=$(sed -n "s/.*-DPREFIX='\([^']*\)'.*/\1/p" "$B/paths")
for f in sbin/gatepost share/gatepost/providers.conf share/man/man1/gatepost.1 share/man/man5/gatepost.conf.5 \
    share/bash-completion/completions/gatepost share/zsh/site-functions/_gatepost bin/mailq share/man/man1/mailq.1; do
	[ -f "$dir/root$prefix/$f" ] || die "there is no $prefix/$f"
done
[ "$("$dir/root$prefix/sbin/gatepost" version)" = "$("$B/gatepost" version)" ] || die "the installed program does not run"
[ -z "$(find "$dir/root" -xtype l)" ] || die "links lead nowhere: $(find "$dir/root" -xtype l)"

# What the administrator changed stays, through an installation and through its end.
conf=$dir/root/etc/gatepost/gatepost.conf
echo '# mine' >>"$conf"
cp "$conf" "$dir/conf"
run install || die "make install, again: $(cat "$dir/out")"
cmp -s "$conf" "$dir/conf" || die "make install overwrites the configuration"
# The administrator enabled the units, an instance too, and somebody else's.
unitdir=$(cd "$dir/root" && find . -name gatepost.service -printf '%h\n' | sed 's/^\.//') wants=$dir/root/etc/systemd/system
[ -n "$unitdir" ] || die "make install lays no units"
mkdir -p "$wants/multi-user.target.wants" "$wants/sockets.target.wants"
ln -s "$unitdir/gatepost.service" "$unitdir/other.service" "$wants/multi-user.target.wants/"
ln -s "$unitdir/gatepost@.service" "$wants/multi-user.target.wants/gatepost@two.service"
ln -s /opt/gatepost.socket "$wants/sockets.target.wants/gatepost-mine.socket"
ln -s "$unitdir/gatepost.socket" "$wants/sockets.target.wants/"
run uninstall || die "make uninstall: $(cat "$dir/out")"
grep -q '^left alone: .*user .*gatepost' "$dir/out" || die "make uninstall does not say what is left: $(cat "$dir/out")"
[ "$(ls "$wants"/*)" = "$(printf '%s\n' "$wants/multi-user.target.wants:" other.service '' "$wants/sockets.target.wants:" gatepost-mine.socket)" ] ||
	die "make uninstall leaves: $(ls "$wants"/*)"
rm -r "$dir/root/etc/systemd"
[ "$(laid)" = ./etc/gatepost/gatepost.conf ] || die "make uninstall leaves: $(laid)"
cmp -s "$conf" "$dir/conf" || die "make uninstall changes the configuration"

# On the machine itself the units are disabled while they are there.
mkdir -p "$dir/fake" "$dir/live/units"
printf '#!/bin/sh\n[ "$1" = daemon-reload ] || [ -e "%s/live/units/gatepost.service" ] || echo late\necho "$@" >>"%s/said"\n' "$dir" "$dir" \
    >"$dir/fake/systemctl"
chmod 755 "$dir/fake/systemctl"
touch "$dir/live/units/gatepost.service"
PATH=$dir/fake:$PATH run uninstall DESTDIR= PREFIX="$dir/live" SYSCONFDIR="$dir/live/etc" MANDIR="$dir/live/man" UNITDIR="$dir/live/units" \
    SYSUSERSDIR="$dir/live/users" BASHCOMPDIR="$dir/live/bash" ZSHCOMPDIR="$dir/live/zsh" || die "make uninstall, live: $(cat "$dir/out")"
grep -qx 'disable --now gatepost.socket gatepost.service' "$dir/said" || die "the units were not disabled: $(cat "$dir/said" "$dir/out")"
if grep -q late "$dir/out"; then die "the units were disabled too late"; fi
[ ! -e "$dir/live/units/gatepost.service" ] || die "make uninstall, live, leaves units"

# Without being asked for, and over another mailer, no such names.
mkdir -p "$dir/root$prefix/bin"
ln -s other "$dir/root$prefix/sbin/sendmail"
ln -s other "$dir/root$prefix/bin/mailq"
run install || die "make install beside another mailer: $(cat "$dir/out")"
if run install SENDMAIL=yes; then die "another mailer's sendmail was replaced"; fi
run uninstall || die "make uninstall beside another mailer: $(cat "$dir/out")"
[ "$(readlink "$dir/root$prefix/sbin/sendmail") $(readlink "$dir/root$prefix/bin/mailq")" = "other other" ] ||
	die "another mailer's names are gone"

# configure, in a folder of its own
mkdir "$dir/tree"
cp configure "$dir/tree/"
(cd "$dir/tree" && CFLAGS=-O1 ./configure --prefix /usr --mandir='${prefix}/man' --enable-sendmail --libdir=/x) >"$dir/out" ||
	die "configure: $(cat "$dir/out")"
for line in 'PREFIX = /usr' 'SYSCONFDIR = /etc' 'MANDIR = /usr/man' 'SENDMAIL = yes' 'CFLAGS = -O1'; do
	grep -qxF "$line" "$dir/tree/config.mk" || die "config.mk lacks '$line'"
done
for wrong in --prefix=usr --prefix='/a b' --prefix='/$(id)' --sbindir=/opt nonsense --prefix; do
	if "$dir/tree/configure" "$wrong" >/dev/null 2>"$dir/out"; then die "configure takes $wrong"; fi
	grep -q '^configure: ' "$dir/out" || die "configure $wrong: no words: $(cat "$dir/out")"
done
