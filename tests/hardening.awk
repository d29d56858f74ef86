# Was each object compiled as it should be?  Reads `readelf --debug-dump=info,rawline' of all of them; want: the flags.
# gcc notes its flags in the debugging information, the last of contradicting ones counts.  A macro it does not note; but who calls
# a function that _FORTIFY_SOURCE replaces has the header of the replacement in its table of lines, and else not.
BEGIN {
	wants = split(want, wanted)
	split("memcpy memmove memset mempcpy strncpy explicit_bzero", a)
	for (i in a) header[a[i]] = "string_fortified.h"
	split("printf fprintf vfprintf dprintf vdprintf snprintf vsnprintf asprintf vasprintf fgets", a)
	for (i in a) header[a[i]] = "stdio2.h"
	header["recv"] = header["recvfrom"] = "socket2.h"
	header["poll"] = header["ppoll"] = "poll2.h"
}

# -O2 and -O0, -fcf-protection=full and -fcf-protection=none, -fx and -fno-x: of one kind.
function kind(flag) {
	if (flag ~ /^-O/) return "-O"
	if (flag ~ /^-f(no-)?pi[ce]$/ || flag ~ /^-f(no-)?PI[CE]$/) return "-fpie"
	sub(/^-fno-/, "-f", flag)
	sub(/=.*/, "", flag)
	if (flag ~ /^-fstack-protector/) return "-fstack-protector"
	return flag
}

function complain(what) { if (count[what]++ == 0) first[what] = object }

function judge(i, f, done) {
	if (object == "") return
	objects++
	if (producer == "") complain("does not tell how it was compiled (-g)")
	else if (producer !~ /^GNU C/) others++
	else for (i = 1; i <= wants; i++) {
		f = last[kind(wanted[i])]
		if (f != wanted[i] && !(wanted[i] == "-O2" && f == "-O3") && !(f == "-fcf-protection" && wanted[i] == f "=full"))
			complain("compiled without " wanted[i] (f != "" ? ", but with " f : ""))
	}
	for (f in called)
		if (!(header[f] in file) && !(header[f] in done)) {
			complain(f "() is called without its checks (_FORTIFY_SOURCE)")
			done[header[f]]
		}
}

function begin(name) {
	judge()
	object = name
	producer = tag = ""
	split("", last); split("", called); split("", file)
}

/^File: / { begin(substr($0, 7)) }
/DW_TAG_/ { tag = $0; sub(/.*\(/, "", tag) }
/DW_AT_producer/ {
	producer = $0
	sub(/^[^:]*: (\(indirect [^)]*\): )?/, "", producer)
	n = split(producer, word)
	for (i = 1; i <= n; i++) if (word[i] ~ /^-/) last[kind(word[i])] = word[i]
}
/DW_AT_name/ && tag ~ /^DW_TAG_subprogram/ && $NF in header { called[$NF] }
/(fortified|2)\.h$/ { file[$NF] }
END {
	judge()
	if (objects == 0) complain("there are no objects")
	if (others > 0) print "hardening: " others " objects of a compiler that does not tell its flags"
	for (what in count) {
		print "hardening: " first[what] (count[what] > 1 ? " and " count[what] - 1 " other objects" : "") ": " what > "/dev/stderr"
		bad = 1
	}
	exit bad
}
