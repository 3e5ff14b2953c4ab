#include "agent/workload.h"

#include "common/base/check.h"

#include <string.h>

static const struct workload *const rows[] = {
    &workload_http1,
    &workload_plugin,
    &workload_redis,
    &workload_tcp,
};

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(rows[i]->name, name) == 0)
            return rows[i];
    }
    return NULL;
}
