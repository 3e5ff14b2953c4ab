/** CHECK: invariants that stay on in release. For our own mistakes only; bad input is an error. */
#ifndef CLOBBER_BASE_CHECK_H
#define CLOBBER_BASE_CHECK_H

/** Says `condition` and its place on stderr and ends the process. Never returns. */
_Noreturn void check_failed(const char *condition, const char *path, int line);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(#condition, __FILE__, __LINE__);                                          \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
