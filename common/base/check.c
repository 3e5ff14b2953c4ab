#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *condition, const char *path, int line)
{
    fprintf(stderr, "clobber: %s:%d: this must hold and does not: %s\n", path, line, condition);
    abort();
}
