/*
 * Reasons.  A function that the world can refuse returns -1 and leaves a
 * sentence for the operator in a struct why; the one who gives up logs it.
 */
#ifndef BASE_WHY_H
#define BASE_WHY_H

struct why {
	char text[320];
};

#define must_check __attribute__((warn_unused_result))
#define like_printf(f, a) __attribute__((format(printf, f, a)))

/*
 * Writes the reason (cut to fit and made harmless, as by str_fit) and returns
 * -1, so that callers can `return fail(why, ...)'.  `why' may be NULL.
 */
int fail(struct why *why, const char *fmt, ...) like_printf(2, 3);

/* Ends the process with the facts: a state that our own code must exclude. */
_Noreturn void bug(const char *fmt, ...) like_printf(1, 2);

#endif
