/*
 * Preloaded into the daemon under gcov and memcheck: it believes itself confined by Landlock, and is not.  So it can write what was
 * covered when it ends, and valgrind 3.19, which knows no Landlock, need not be asked.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>

long syscall(long number, ...);

enum { VERSION = 3 };

long
syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long v[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)	/* as many as any has; what is too many is ignored */
		v[i] = va_arg(ap, long);
	va_end(ap);
	switch (number) {
	case SYS_landlock_create_ruleset:
		return v[0] == 0 ? VERSION : open("/dev/null", O_RDONLY | O_CLOEXEC);
	case SYS_landlock_add_rule:
	case SYS_landlock_restrict_self:
		return 0;
	default:
		return real(number, v[0], v[1], v[2], v[3], v[4], v[5]);
	}
}
