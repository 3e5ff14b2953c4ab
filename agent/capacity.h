/** How many requests in flight an agent can carry, and what sets that. Pure. */
#ifndef CLOBBER_AGENT_CAPACITY_H
#define CLOBBER_AGENT_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the owner and the machine give; machine.h finds it out. */
struct capacity_facts {
    uint32_t owner_max;   /* --max-concurrency */
    uint64_t descriptors; /* that this process may have */
    uint64_t descriptors_of_ours;
    uint64_t memory_bytes; /* of its control group; 0: no bound */
    uint32_t ports;        /* for outgoing connections, of each address */
    uint32_t addresses;    /* to connect from; at least 1 */
};

struct capacity {
    uint32_t workers; /* at least 1 */
    enum { CAPACITY_OWNER, CAPACITY_DESCRIPTORS, CAPACITY_PORTS, CAPACITY_MEMORY } limit;
};

/** The smallest of the four is what there is: a connection takes a descriptor, memory, and towards
 *  one target a port of its own. */
struct capacity capacity_of(const struct capacity_facts *facts);

/** "1024 open files allow no more; raise it: ulimit -n 5064": why there is no room for `wanted`
 *  workers, and what to do, into `text[text_bytes]`; returns `text`. */
const char *capacity_words(const struct capacity_facts *facts, uint32_t wanted, char *text,
                           size_t text_bytes);

/** Reads the kernel's "32768\t60999" and its list of reserved ports, "8080,9148-9150": how many are
 *  left. 0: that is no range. */
uint32_t capacity_ports(const char *range, const char *reserved);

#endif
