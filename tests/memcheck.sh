#!/bin/sh
# The program that MEMCHECK names, under valgrind: put in its place by `make valgrind'.  Errors, and memory that nothing leads
# to any more, end in exit status 9, and in words that a test finds in a log (tests/e2e/world.c).
exec valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite \
	--error-markers="Sanitizer: memcheck,Sanitizer: end" "${MEMCHECK:?}" "$@"
