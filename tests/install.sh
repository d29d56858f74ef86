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
run() { "$MAKE" -s --no-print-directory "B=$B" "DESTDIR=$dir/root" SYSCONFDIR=/etc SENDMAIL= "$@" >"$dir/out" 2>&1; }
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
run uninstall || die "make uninstall: $(cat "$dir/out")"
[ "$(laid)" = ./etc/gatepost/gatepost.conf ] || die "make uninstall leaves: $(laid)"
cmp -s "$conf" "$dir/conf" || die "make uninstall changes the configuration"

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
