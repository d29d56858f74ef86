/* clang-tidy 14 takes strerror(3) for unsafe beside other threads; since glibc 2.32 it is as safe as this one. */
#ifndef TESTS_ANALYZE_TIDY_H
#define TESTS_ANALYZE_TIDY_H

#include <string.h>

#define strerror(error) strerrordesc_np(error)

#endif
