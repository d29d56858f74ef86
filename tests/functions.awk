# No function of more than 60 lines without a reason: a longer one has a comment above it with the words "Long because".
#   awk -f functions.awk FILE...
FNR == 1 { start = 0; said = 0 }
/Long because/ { said = FNR }
/^\{/ && !start { start = FNR }
/^\}/ && start {
	lines = FNR - start - 1
	if (lines > 60 && !(said && said < start && start - said < 8)) {
		printf "%s:%d: a function of %d lines: divide it, or say above it why not (\"Long because ...\")\n", FILENAME, start, lines
		bad = 1
	}
	start = 0
}
END { exit bad }
