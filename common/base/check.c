#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *condition, const char *path, int line)
{
    fprintf(stderr, "clobber: %s:%d: this must hold and does not: %s\n", path, line, condition);
    abort();
}

/* Nothing is flushed: what is buffered is of a command that did not come to its end. */
_Noreturn void check_memory_failed(void)
{
    static const char sentence[] = "clobber: out of memory\n";
    enum { BROKEN_OFF = 3 }; /* common/command.h, which base may not know */
    if (write(STDERR_FILENO, sentence, sizeof sentence - 1) < 0)
        _exit(BROKEN_OFF);
    _exit(BROKEN_OFF);
}
