#include "coordinator/admission.h"

#include "common/version.h"

#include <stdarg.h>
#include <stdio.h>

#define BUSY_RETRY_MS 5000u /* for what may have passed by then */

__attribute__((format(printf, 4, 5))) static bool refuse_set(struct refuse *refuse,
                                                             enum refusal code, uint32_t retry_ms,
                                                             const char *format, ...)
{
    *refuse = (struct refuse){.code = code, .retry_ms = retry_ms};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refuse->sentence, sizeof refuse->sentence, format, arguments);
    va_end(arguments);
    return false;
}

/* The first of a name keeps it while it may be running anything, or was heard within a lease. */
static bool holds_its_name(const struct agent *agent, uint64_t now_ns, uint32_t lease_ms)
{
    if (agent->state == AGENT_DECLINED || agent->state == AGENT_DONE)
        return false;
    return now_ns < lease_end_ns(&agent->lease, lease_ms) ||
           now_ns - agent->heard_ns < lease_ms * UINT64_C(1000000);
}

bool admission_judge(const struct roster *roster, uint64_t now_ns, uint32_t lease_ms, bool over,
                     const struct hello *hello, struct refuse *refuse)
{
    if (hello->major != PROTOCOL_MAJOR) /* of such a HELLO no more than the name was read */
        return refuse_set(refuse, REFUSE_VERSION, 0,
                          "the coordinator (%s) speaks clobber/%u, agent '%.40s' clobber/%u; "
                          "install the same version on both",
                          CLOBBER_VERSION, PROTOCOL_MAJOR, hello->name, hello->major);
    if (hello->minor < roster->minor_least)
        return refuse_set(refuse, REFUSE_VERSION, 0,
                          "this plan takes agents of clobber/%u.%u or newer; agent '%.40s' (%.40s) "
                          "speaks %u.%u",
                          PROTOCOL_MAJOR, roster->minor_least, hello->name, hello->build,
                          hello->major, hello->minor);
    if (over)
        return refuse_set(refuse, REFUSE_RUN_OVER, BUSY_RETRY_MS, "this run is over");
    const struct agent *holder = roster_find_name(roster, hello->name);
    if (holder != NULL && holds_its_name(holder, now_ns, lease_ms))
        return refuse_set(refuse, REFUSE_DUPLICATE, lease_ms,
                          "an agent called '%.100s' is in this run already; give this one another "
                          "name, or wait until the lease of the first has ended",
                          hello->name);
    if (roster->count >= AGENTS_MAX)
        return refuse_set(refuse, REFUSE_FULL, 0, "%u agents came already; no run takes more",
                          AGENTS_MAX);
    return true;
}
