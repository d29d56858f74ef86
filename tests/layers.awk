# Checks every #include "room/file.h" against daemon/LAYERS.
#   awk -f layers.awk LAYERS FILE...
# A room may include itself and the rooms its line names; of a room marked `!' only
# ROOM/ROOM.h.  libevent belongs to net, OpenSSL to net and base/digest, the spool's system calls to spool/disk.
function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
NR == FNR {
	if (/^#/ || NF == 0) next
	split($0, half, ":")
	room = half[1]
	if (sub(/!/, "", room)) door = 1; else door = 0
	gsub(/[ \t]/, "", room)
	one_door[room] = door
	n = split(half[2], names, " ")
	for (i = 1; i <= n; i++) {
		if (!(names[i] in known)) { printf "LAYERS: %s names %s, which does not stand above it\n", room, names[i]; bad = 1 }
		may[room, names[i]] = 1
	}
	known[room] = 1
	next
}
FNR == 1 {
	n = split(FILENAME, path, "/")
	room = path[n - 1]; file = path[n]
	if (!(room in known)) complain("room " room " is not in LAYERS")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, q, "\"")
	n = split(q[2], inc, "/")
	if (n != 2) { complain("write \"room/file.h\""); next }
	other = inc[1]
	if (other == room) next
	if (!(other in known)) { complain("no such room: " other); next }
	if (!((room, other) in may)) { complain(room " may not include " other); next }
	if (one_door[other] && inc[2] != other ".h") complain(q[2] " is private to " other)
}
/^[ \t]*#[ \t]*include[ \t]*<event2?[.\/]/ { if (room != "net") complain("libevent belongs to net") }
/^[ \t]*#[ \t]*include[ \t]*<openssl\// { if (room != "net" && file !~ /^digest\./) complain("OpenSSL belongs to net and base/digest") }
END { exit bad }
