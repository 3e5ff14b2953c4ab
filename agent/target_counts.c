#include "agent/target_counts.h"

#include "common/base/check.h"

#include <stdatomic.h>
#include <stdio.h>

static const char *const names[] = {
    [TARGET_REQUESTS] = "requests",
    [TARGET_OK] = "ok",
    [TARGET_ERRORS] = "errors",
    [TARGET_IN_SERVICE] = "in_service",
    [TARGET_WAITING] = "waiting",
    [TARGET_IN_SERVICE_MAX] = "in_service_max",
    [TARGET_WAITING_MAX] = "waiting_max",
    [TARGET_MALFORMED] = "malformed",
    [TARGET_CONNECTIONS] = "connections",
    [TARGET_ACCEPTED] = "accepted",
    [TARGET_LAST_REQUEST_NS] = "last_request_ns",
};
_Static_assert(COUNT(names) == TARGET_COUNTS, "every count has a name");

static uint64_t get(const struct target_counts *counts, enum target_count which)
{
    return atomic_load_explicit(&counts->values[which], memory_order_relaxed);
}

void target_counts_set(struct target_counts *counts, enum target_count which, uint64_t value)
{
    atomic_store_explicit(&counts->values[which], value, memory_order_relaxed);
}

/* No read-modify-write, and so no locked bus: there is one writer. */
void target_counts_add(struct target_counts *counts, enum target_count which, int64_t difference)
{
    target_counts_set(counts, which, get(counts, which) + (uint64_t)difference);
}

void target_counts_reach(struct target_counts *counts, enum target_count which, uint64_t value)
{
    if (get(counts, which) < value)
        target_counts_set(counts, which, value);
}

uint64_t target_counts_total(const struct target_counts *const *sets, uint32_t count,
                             enum target_count which)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = get(sets[i], which);
        if (which != TARGET_LAST_REQUEST_NS)
            total += value;
        else if (value > total)
            total = value;
    }
    return total;
}

const char *target_counts_json(const struct target_counts *const *sets, uint32_t count, char *text,
                               size_t text_bytes)
{
    size_t used = 0;
    for (enum target_count which = 0; which < TARGET_COUNTS; which++) {
        int written =
            snprintf(text + used, text_bytes - used, "%s\"%s\": %llu", which == 0 ? "{" : ", ",
                     names[which], (unsigned long long)target_counts_total(sets, count, which));
        CHECK(written > 0 && (size_t)written < text_bytes - used);
        used += (size_t)written;
    }
    CHECK(text_bytes - used > 2);
    snprintf(text + used, text_bytes - used, "}\n");
    return text;
}
