/** Comparing doubles as doubles: cmocka's own assertion rounds them to floats. */
#ifndef CLOBBER_UNIT_NEAR_H
#define CLOBBER_UNIT_NEAR_H

#include <math.h>

#define assert_near(value, wanted, within)                                                         \
    do {                                                                                           \
        double near_value = (value);                                                               \
        double near_wanted = (wanted);                                                             \
        if (!(fabs(near_value - near_wanted) <= (within)))                                         \
            fail_msg("%s is %.17g, not %.17g", #value, near_value, near_wanted);                   \
    } while (0)

#endif
