#include "agent/capacity.h"

#include "common/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* An agent with its lanes and meters has 13 MiB before its first connection. One over plain HTTP
 * takes 2 KiB of ours and 4 to 12 KiB of the kernel's, which the control group counts too; what
 * TLS takes beside that is not known yet when an agent says what it can carry. */
#define MEMORY_OF_OURS    (UINT64_C(24) << 20)
#define MEMORY_PER_WORKER (UINT64_C(16) << 10)

static uint64_t workers_in(uint64_t memory_bytes)
{
    uint64_t workers =
        memory_bytes > MEMORY_OF_OURS ? (memory_bytes - MEMORY_OF_OURS) / MEMORY_PER_WORKER : 0;
    return workers > 0 ? workers : 1;
}

struct capacity capacity_of(const struct capacity_facts *facts)
{
    CHECK(facts->addresses >= 1);
    CHECK(facts->owner_max >= 1);
    uint64_t ours = facts->descriptors_of_ours;
    uint64_t descriptors = facts->descriptors > ours ? facts->descriptors - ours : 1;
    uint64_t ports = (uint64_t)facts->ports * facts->addresses;
    struct capacity capacity = {.workers = facts->owner_max, .limit = CAPACITY_OWNER};
    if (descriptors < capacity.workers)
        capacity = (struct capacity){(uint32_t)descriptors, CAPACITY_DESCRIPTORS};
    if (ports > 0 && ports < capacity.workers)
        capacity = (struct capacity){(uint32_t)ports, CAPACITY_PORTS};
    if (facts->memory_bytes > 0 && workers_in(facts->memory_bytes) < capacity.workers)
        capacity = (struct capacity){(uint32_t)workers_in(facts->memory_bytes), CAPACITY_MEMORY};
    return capacity;
}

const char *capacity_words(const struct capacity_facts *facts, uint32_t wanted, char *text,
                           size_t text_bytes)
{
    struct capacity capacity = capacity_of(facts);
    if (capacity.limit == CAPACITY_DESCRIPTORS)
        snprintf(text, text_bytes,
                 "%" PRIu64 " open files allow no more; raise it: ulimit -n %" PRIu64,
                 facts->descriptors, wanted + facts->descriptors_of_ours);
    else if (capacity.limit == CAPACITY_PORTS)
        snprintf(text, text_bytes,
                 "%u local ports of %u address%s allow no more; widen net.ipv4.ip_local_port_range "
                 "or give more with --source",
                 facts->ports, facts->addresses, facts->addresses == 1 ? "" : "es");
    else if (capacity.limit == CAPACITY_MEMORY)
        snprintf(text, text_bytes,
                 "the %" PRIu64
                 " MiB of its control group allow no more; raise the container's limit to "
                 "%" PRIu64 " MiB",
                 facts->memory_bytes >> 20, (MEMORY_OF_OURS + wanted * MEMORY_PER_WORKER) >> 20);
    else
        snprintf(text, text_bytes, "--max-concurrency %u allows no more", facts->owner_max);
    return text;
}

/* "8080" or "9148-9150" at `*at`, which moves behind it. False: nothing of the kind. */
static bool next_range(const char **at, unsigned long *first, unsigned long *last)
{
    char *end;
    *first = *last = strtoul(*at, &end, 10);
    if (end == *at)
        return false;
    if (*end == '-') {
        *at = end + 1;
        *last = strtoul(*at, &end, 10);
        if (end == *at)
            return false;
    }
    *at = *end == ',' ? end + 1 : end;
    return true;
}

uint32_t capacity_ports(const char *range, const char *reserved)
{
    char *end;
    unsigned long lowest = strtoul(range, &end, 10);
    unsigned long highest = strtoul(end, NULL, 10);
    if (lowest < 1 || highest > UINT16_MAX || lowest > highest)
        return 0;
    unsigned long count = highest - lowest + 1;
    unsigned long first, last;
    while (next_range(&reserved, &first, &last)) {
        first = first < lowest ? lowest : first;
        last = last > highest ? highest : last;
        if (first <= last && last - first + 1 <= count)
            count -= last - first + 1;
    }
    return (uint32_t)count;
}
