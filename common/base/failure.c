#include "common/base/failure.h"

#include "common/base/check.h"

static const char *const words[FAILURE_COUNT] = {
    [FAILURE_CONNECT_REFUSED] = "connect_refused",
    [FAILURE_CONNECT_FAILED] = "connect_failed",
    [FAILURE_LOCAL_PORTS] = "local_ports",
    [FAILURE_FD_LIMIT] = "fd_limit",
    [FAILURE_RESET] = "reset",
    [FAILURE_CLOSED] = "closed",
    [FAILURE_MALFORMED] = "malformed",
    [FAILURE_TOO_LARGE] = "too_large",
    [FAILURE_UNEXPECTED] = "unexpected",
    [FAILURE_STATUS] = "status",
    [FAILURE_EXPECTATION] = "expectation",
    [FAILURE_SEND] = "send",
};

const char *failure_word(enum failure failure)
{
    CHECK(failure < FAILURE_COUNT);
    return words[failure];
}
