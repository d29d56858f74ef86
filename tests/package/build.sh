#!/bin/sh
# Builds the Debian package from a copy of this tree: build.sh FOLDER.  Leaves the package there, prints its name.
# The unit tests run too unless DEB_BUILD_OPTIONS says otherwise; `make deb' says nocheck where it is not set.
set -eu
out=${1:?where to}
: "${DEB_BUILD_OPTIONS:=nocheck parallel=$(nproc)}"
export DEB_BUILD_OPTIONS

command -v dh >/dev/null && command -v dpkg-buildpackage >/dev/null || {
	echo "a package needs debhelper and dpkg-dev: apt-get install debhelper dpkg-dev" >&2
	exit 1
}
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
[ "$version" = "$(sed -n 's/^VERSION[ \t]*:= *//p' Makefile)" ] || {
	echo "debian/changelog is of another version than the Makefile" >&2
	exit 1
}

tree=$out/gatepost-$version
rm -rf "$out"
mkdir -p "$tree"
if [ -e .git ]; then
	# What is tracked, as it is now.
	git ls-files -z | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
		tar -cf - --null -T - | tar -xf - -C "$tree"
else
	tar -cf - --exclude=./build --exclude=./config.mk . | tar -xf - -C "$tree"
fi

cd "$tree"
# A Makefile that started this one must not pass its variables on.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES B PREFIX SYSCONFDIR SAN WERROR CFLAGS LDFLAGS CPPFLAGS
dpkg-buildpackage -us -uc >../build.log 2>&1 || {
	tail -40 ../build.log >&2
	echo "the package was not built; all of it is in $out/build.log" >&2
	exit 1
}
cd - >/dev/null
rm -rf "$tree"
ls "$out"/*.deb
