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

/** The same for small memory that a command cannot do without: says so and ends the process with
 * the contract's exit code for what was broken off. What it was writing stays beside its place. */
_Noreturn void check_memory_failed(void);

#define CHECK_MEMORY(condition)                                                                    \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_memory_failed();                                                                 \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
