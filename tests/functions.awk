# No function of more than 60 lines without a reason: a longer one has a comment above it with the words "Long because", with nothing
# else between.  A function begins with its brace, on a line of its own or behind its parameters.
#   awk -f functions.awk FILE...
FNR == 1 { start = 0; said = 0 }
!start && /^(\/\*| \*).*Long because/ { said = FNR }
!start && !/^#/ && /(^|\)[A-Za-z_ \t]*)\{[ \t]*(\/[*\/].*)?$/ { start = FNR; next }
/^\}/ {
	lines = FNR - start - 1
	if (start && lines > 60 && !(said && start - said < 8)) {
		printf "%s:%d: a function of %d lines: divide it, or say above it why not (\"Long because ...\")\n", FILENAME, start, lines
		bad = 1
	}
	start = said = 0
}
END { exit bad }
