/** A test that cannot be made on this machine. */
#ifndef CLOBBER_TESTS_SKIP_H
#define CLOBBER_TESTS_SKIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

/** Ends it, and says so; where CI is set that is a failure, for there everything is to be tested.
 */
#define skip_for(why)                                                                              \
    do {                                                                                           \
        if (getenv("CI") != NULL)                                                                  \
            fail_msg("NOT TESTED: %s", why);                                                       \
        print_message("NOT TESTED: %s\n", why);                                                    \
        skip();                                                                                    \
    } while (0)

#endif
