#!/bin/sh
# Runs one fuzz target for so many seconds: run.sh TARGET SECONDS.  New finds go to build/fuzz/TARGET, crashes beside it, the
# log to build/fuzz/TARGET.log, and a line of figures to build/fuzz/table.  `make fuzz' has built it.
set -eu
target=$1 seconds=$2
here=tests/fuzz
max_len=4096
case $target in
dot | letter | listener | upstream | config) max_len=8192 ;;
segment) max_len=16384 ;;
xtext | base64 | caps) max_len=1024 ;;
esac
dict=
[ ! -e $here/"$target".dict ] || dict=-dict=$here/$target.dict
mkdir -p build/fuzz/"$target"
# What was freed is kept for a while, but not so much that it looks like a leak.
export ASAN_OPTIONS=quarantine_size_mb=64:malloc_context_size=8:detect_leaks=1
status=0
# shellcheck disable=SC2086 # no word, or one without blanks
build/clang/fuzz/"$target" -max_total_time="$seconds" -max_len=$max_len -rss_limit_mb=512 -timeout=10 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/"$target"-crash- $dict \
    build/fuzz/"$target" $here/corpus/"$target" >build/fuzz/"$target".log 2>&1 || status=$?
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/"$target".log)
edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' build/fuzz/"$target".log | tail -n 1)
echo "$target $seconds s, ${runs:-?} runs, ${edges:-?} edges, exit $status" >>build/fuzz/table
tail -n 1 build/fuzz/table
if [ $status != 0 ]; then
	tail -n 40 build/fuzz/"$target".log
	exit $status
fi
