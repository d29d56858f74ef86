# From `gcov -t' of every file of daemon/: lines by room, and in NOT, what was never run.
#   gcov -t ... | awk -v least=90 -v not=FILE -f report.awk
# Fails if less than `least' percent of the lines outside command/ were run.
BEGIN { FS = ":" }
$3 == "Source" && $2 + 0 == 0 {
	split($4, path, "/")
	file = $4
	ours = file ~ /^daemon\/[a-z]+\/[a-z_0-9]+\.c$/ && !(file in seen)
	seen[file]
	room = path[2]
	next
}
!ours || $1 ~ /^ *-$/ { next }
$2 + 0 > 0 {
	lines[room]++
	of[file]++
	if ($1 ~ /#####|=====/) {
		missed[room]++
		not_run[file]++
		text = $0
		sub(/^[^:]*:[^:]*:/, "", text)
		print file ":" ($2 + 0) ":" text >not
	}
}
function show(name, all, none) { printf "  %-10s %6d lines %6d not run  %5.1f %%\n", name, all, none, 100 * (all - none) / all }
END {
	for (r in lines) {
		show(r, lines[r], missed[r])
		if (r != "command") { all += lines[r]; none += missed[r] }
	}
	for (f in of)
		if (of[f] >= 20 && not_run[f] > of[f] * (100 - least) / 100 && f !~ /^daemon\/command/)
			printf "  below %d %%: %s, %d of %d lines not run\n", least, f, not_run[f], of[f] | "sort"
	close("sort")
	share = all > 0 ? 100 * (all - none) / all : 0
	printf "coverage: %.1f %% of %d lines outside command/ (lines that were not run: %s)\n", share, all, not
	exit share < least
}
