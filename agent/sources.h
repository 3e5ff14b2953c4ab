/** The addresses of this machine from which an agent connects, as its owner says. Pure.
 *
 *  Every address has a port space of its own towards each target, so that an agent with ten of them
 * has room for ten times the connections. */
#ifndef CLOBBER_AGENT_SOURCES_H
#define CLOBBER_AGENT_SOURCES_H

#include "common/base/error.h"
#include "common/base/net.h"

#include <stdbool.h>
#include <stdint.h>

#define SOURCE_RANGES_MAX    16u    /* --source flags */
#define SOURCE_ADDRESSES_MAX 65536u /* of all ranges; as many as have one prefix of 16 bits */

/** Addresses in a row. */
struct source_range {
    struct address first;
    uint32_t count;
};

/** Plain data; zeroed: the kernel's choice. */
struct sources {
    uint32_t range_count;
    struct source_range ranges[SOURCE_RANGES_MAX];
};

/** Adds "ADDRESS", "ADDRESS-ADDRESS" or a network such as "10.0.0.0/28", of which every address
 * counts. False: ERROR_USAGE, nothing added. */
bool sources_add(struct sources *sources, const char *text, struct error *error);

/** How many there are of `family`: AF_INET or AF_INET6. */
uint32_t sources_count(const struct sources *sources, int family);

/** Address `index` of `family`, below sources_count(). */
struct address sources_pick(const struct sources *sources, int family, uint32_t index);

#endif
