# Which test carries which row of the catalogue, or why none does.
#   awk [-v quiet=1] -f conformance.awk conformance.tsv conformance.md FILE...
# The rows are in conformance.tsv; the reasons in conformance.md, in the table below "## Not tested".  An id in a test, in a
# table of cases or in a function counts for it, in a comment right above one too, if something else in its file has its name, or
# for what is not static, something in another calls it.  "A-032 to A-034" and "A-032…A-034" are all between.  Elsewhere in a
# file ids count for nothing, and in daemon/ they are only looked up.
function complain(text) { print text > "/dev/stderr"; bad = 1 }
function known(id) {
	if (id in level) return 1
	complain(FILENAME ":" FNR ": " id " is not in conformance.tsv")
	return 0
}
function carry(id,   n) {
	if (!known(id) || is_source || unit == "-") return
	if (unit == "") {
		if (is_comment) pending[++npending] = id
		return
	}
	if ((id, file, unit) in carried) return
	carried[id, file, unit] = 1
	n = ++ncarry
	carry_id[n] = id; carry_file[n] = file; carry_unit[n] = unit; carry_static[n] = is_static
}
# The names that stand in a line which is neither of their own unit nor a declaration.
function look_for_names(line,   name) {
	if (unit == "" && line ~ /^[A-Za-z_]/ && line !~ /^[A-Z_]+\(/ || line ~ /^[ \t]*\*/) return
	gsub(/"([^"\\]|\\.)*"|\/\*.*|__attribute__\(\([a-z_]*\)\)/, " ", line)
	for (; match(line, /[A-Za-z_][A-Za-z0-9_]*/); line = substr(line, RSTART + RLENGTH)) {
		name = substr(line, RSTART, RLENGTH)
		if (name == unit) continue
		used[file, name] = 1
		if (substr(line, RSTART + RLENGTH, 1) ~ /[([]/) called[name] = 1
	}
}
function enter(name,   i) {
	unit = name
	is_static = kind == "test" || (FILENAME ~ /c$/ && (before $0) ~ /static/)
	for (i = 1; i <= npending; i++) carry(pending[i])
	npending = 0
}
function carry_range(from, to,   i) {
	if (!known(from) || !known(to)) return
	for (i = row[from] + 1; i <= row[to]; i++) carry(order[i])
}
# Each id of a line; what follows one decides whether it begins a range.
function look(line,   id, before, last) {
	last = ""
	while (match(line, /[AB]-[0-9][0-9][0-9]/)) {
		before = substr(line, 1, RSTART - 1)
		id = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (before ~ /[A-Za-z0-9_]$/ || line ~ /^[0-9A-Za-z_]/) { last = ""; continue }
		carry(id)
		if (last != "" && before ~ /^( to | *\.\.\.? *| *… *)$/) carry_range(last, id)
		last = id
	}
}
BEGIN { FS = "\t" }
FNR == 1 {
	nfile++
	n = split(FILENAME, path, "/")
	file = path[n]
	sub(/\.c$/, "", file)
	if (path[2] == "e2e") file = "e2e/" file
	is_source = path[1] == "daemon"
	npending = is_comment = 0
	unit = /^\/\*/ ? "-" : ""	# "-": the opening comment
	kind = ""
}
nfile == 1 {
	if (/^#/) next
	if (NF != 4) complain(FILENAME ":" FNR ": not four columns")
	if ($1 in level) complain(FILENAME ":" FNR ": " $1 " twice")
	order[++nrow] = $1; row[$1] = nrow; level[$1] = $2; section[$1] = $3; what[$1] = $4
	if (length($4) > wide) wide = length($4)
	next
}
nfile == 2 {
	if (/^## /) in_reasons = /^## Not tested/
	if (!/^\| *[AB]-[0-9]/) next
	split($0, cell, / *\| */)
	n = split(cell[2], ends, / to |, /)
	for (i = 1; i <= n; i++)
		if (known(ends[i]) && in_reasons) reason[ends[i]] = cell[3]
	if (in_reasons && cell[2] ~ / to /)
		for (i = row[ends[1]]; i < row[ends[2]]; i++) reason[order[i]] = cell[3]
	next
}
is_source { look($0); next }
unit == "-" { look($0); if (/\*\//) unit = ""; next }
unit == "" && /^START_TEST\(/ { name = $0; gsub(/^START_TEST\(|\).*$/, "", name); kind = "test"; enter(name) }
unit == "" && /^(static |extern )?(const )?.*\] = \{/ {
	name = $0; sub(/\[.*/, "", name); sub(/.*[ *]/, "", name)
	kind = "table"; enter(name)
}
unit == "" && /^[a-z_0-9]+\(.*[^;]$/ { name = $0; sub(/\(.*/, "", name); kind = "function"; enter(name) }
unit == "" && /^\/\*/ { is_comment = 1 }
unit == "" && /^$/ { npending = 0 }
{ look($0); look_for_names($0); before = $0 }
/\*\// || unit != "" { is_comment = 0 }
kind == "test" && /^END_TEST/ { unit = kind = "" }
kind == "table" && /\};/ { unit = kind = "" }
kind == "function" && (/^\}/ || /^[a-z].*\}$/) { unit = kind = "" }
END {
	for (i = 1; i <= ncarry; i++) {
		id = carry_id[i]
		if ((carry_file[i], carry_unit[i]) in used || !carry_static[i] && carry_unit[i] in called)
			tests[id] = tests[id] (tests[id] == "" ? "" : ", ") carry_file[i] ":" carry_unit[i]
		else
			complain(id ": " carry_file[i] ":" carry_unit[i] " has it, and nothing uses that")
	}
	for (i = 1; i <= nrow; i++) {
		id = order[i]
		if (id in reason && id in tests) complain(id ": a test has it (" tests[id] "), and conformance.md says why not")
		if (!(id in reason) && !(id in tests)) complain(id ": neither a test nor a reason: " what[id])
		if (id in reason && level[id] == "M") complain(id ": a must has no reason not to")
		if (id in tests) ntested++
		if (!quiet)
			printf "%s %s  %-*s  %s\n", id, level[id], wide, what[id],
			    id in tests ? tests[id] : id in reason ? "not: " reason[id] : "?"
	}
	printf "conformance: %d rows, %d tested, %d not, with the reason\n", nrow, ntested, nrow - ntested
	exit bad
}
