#!/bin/sh
# Takes what runs of a target have found into its corpus: merge.sh TARGET.  Only what reaches code, or does it as often, as
# nothing in the corpus does; the smallest first, and no more than the corpus may hold.  Cases with a name of their own are not counted.
set -eu
target=$1
files=105 octets=200000
corpus=tests/fuzz/corpus/$target
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
export ASAN_OPTIONS=quarantine_size_mb=64:detect_leaks=0
build/clang/fuzz/"$target" -merge=1 -max_len=4096 -rss_limit_mb=512 "$new" "$corpus" build/fuzz/"$target" >build/fuzz/"$target"-merge.log 2>&1
have=$(find "$corpus" -type f -name 'found-*' | wc -l)
size=$(cat "$corpus"/* | wc -c)
sums=$(sha1sum "$corpus"/* | cut -d ' ' -f 1)
took=0
for f in $(find "$new" -type f -printf '%s %p\n' | sort -n | cut -d ' ' -f 2); do
	name=$(basename "$f")
	size=$((size + $(wc -c <"$f")))
	if [ $((have + took)) -ge $files ] || [ $size -ge $octets ]; then break; fi
	case $sums in *$name*) continue ;; esac
	cp "$f" "$corpus/found-$(printf %.10s "$name")"
	took=$((took + 1))
done
echo "$target: $took new, $((have + took)) found in all"
