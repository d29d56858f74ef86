#!/bin/sh
# Is the program built as hardened as we say?  hardening.sh PROGRAM OBJECT-DIRECTORY; CC and FLAGS (what it was compiled and
# linked with) from the environment.  Reads what readelf says, so it is about this very file, whatever a Makefile meant.
set -eu
export LC_ALL=C
program=$1 objects=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
readelf -hW "$program" >"$work/head"
readelf -lW "$program" >"$work/segments"
readelf -dW "$program" >"$work/dynamic"
readelf --dyn-syms -W "$program" >"$work/symbols"
readelf -nW "$program" >"$work/notes"

# must WORDS FILE PATTERN, must_not the same: what is wrong, where to look, and for what.
must() { grep -Eq -e "$3" "$work/$2" || { echo "hardening: $program: $1" >&2; bad=1; }; }
must_not() { if grep -Eq -e "$3" "$work/$2"; then echo "hardening: $program: $1" >&2; bad=1; fi; }

must "it is not position independent (-fPIE -pie)" head 'Type: +DYN .*Position-Independent'
must "its relocations are not made read-only (-z relro)" segments 'GNU_RELRO'
must "symbols are bound when they are used, so relocations stay writable (-z now)" dynamic 'BIND_NOW|Flags:.* NOW'
must "it does not say whether its stack may hold code (-z noexecstack)" segments 'GNU_STACK'
must_not "its stack may hold code (-z noexecstack)" segments 'GNU_STACK.* RWE '
must_not "a segment is writable and executable" segments 'LOAD.* RWE '
must_not "its code is written to by the loader (text relocations: something is not -fPIE)" dynamic 'TEXTREL'
must_not "it looks for libraries in a place of its own (RPATH, RUNPATH)" dynamic 'RPATH|RUNPATH'
must "no function guards its stack (-fstack-protector-strong)" symbols '__stack_chk_fail'
for f in memcpy snprintf vsnprintf fprintf; do
	must "$f is nowhere used with its checks (_FORTIFY_SOURCE)" symbols "__${f}_chk"
done

# Every object, what the compiler was told; of the flags, those that it knows.
want='-O2 -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fno-delete-null-pointer-checks '
want="$want-fno-strict-overflow -fno-strict-aliasing -fPIE"
for f in -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr; do
	if ${CC:-cc} $f -fsyntax-only -x c /dev/null 2>/dev/null; then want="$want $f"; fi
done
set -- "$objects"/*/*.o
readelf --debug-dump=info,rawline "$@" 2>/dev/null | awk -v want="$want" -f "${0%.sh}.awk" || bad=1

# Indirect branch tracking and shadow stacks: every object of ours, where the compiler knows them; the program only
# where the C library's start files have them too, which an empty program tells (Debian 12's have not).
echo 'int main(void) { return 0; }' >"$work/empty.c"
# shellcheck disable=SC2086 # lists of words
${CC:-cc} ${FLAGS:-} -c -o "$work/empty.o" "$work/empty.c"
# shellcheck disable=SC2086
${CC:-cc} ${FLAGS:-} -o "$work/empty" "$work/empty.o"
cet='no branch tracking: the compiler has none'
if readelf -nW "$work/empty.o" | grep -q 'IBT, SHSTK'; then
	cet='branch tracking and shadow stack in every object'
	for o in "$objects"/*/*.o; do
		readelf -nW "$o" | grep -q 'IBT, SHSTK' || { echo "hardening: $o: not built with -fcf-protection=full" >&2; bad=1; }
	done
	if readelf -nW "$work/empty" | grep -q 'IBT, SHSTK'; then
		must "branch tracking and shadow stack were lost in linking" notes 'IBT, SHSTK'
		cet="$cet and the program"
	fi
fi
[ $bad != 0 ] || echo "hardening: PIE, full RELRO, no executable stack, no RPATH, no text relocations; stack protector, FORTIFY and the other flags in $# objects; $cet"
exit $bad
