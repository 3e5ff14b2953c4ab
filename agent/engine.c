#include "agent/engine.h"

#include "common/base/check.h"

/* Makes one and ends it: a kernel that is too old refuses the flags, a sandbox the call itself. */
static const struct engine_driver *probe_uring(struct error *why)
{
#ifdef CLOBBER_URING
    static const struct engine_listener nobody = {.woken = NULL};
    struct engine *engine = engine_uring.create(&engine_uring, &nobody, NULL, why);
    engine_uring.destroy(engine);
    return engine != NULL ? &engine_uring : NULL;
#else
    error_set(why, ERROR_SYSTEM, PLACE_NONE, "this clobber was built without liburing");
    return NULL;
#endif
}

const struct engine_driver *engine_choose(enum engine_choice choice, struct error *why)
{
    if (choice == ENGINE_EPOLL)
        return &engine_epoll;
    const struct engine_driver *driver = probe_uring(why);
    return driver == NULL && choice == ENGINE_AUTO ? &engine_epoll : driver;
}
