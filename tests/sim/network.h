/** A network that delays, drops, repeats and reorders what it carries, in virtual time and by a
 * seed. What goes in comes out of network_take() once its moment has come, or never. */
#ifndef CLOBBER_SIM_NETWORK_H
#define CLOBBER_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct network;

/** How the network is just now. Plain data; shares are 0 to 1. */
struct weather {
    double lost, repeated;
    double held; /* up for long: as long as seconds */
    uint64_t delay_ns_min, delay_ns_max;
    uint64_t held_ns_max;
    bool ordered; /* nothing overtakes: as over one TCP connection */
};

enum way { WAY_UP, WAY_DOWN, WAY_COUNT }; /* to the coordinator, to an agent */

struct packet {
    uint64_t at_ns; /* its moment to arrive */
    uint64_t number;
    uint32_t link; /* which agent's */
    enum way way;
    uint64_t address; /* whom it is for, or who sent it: the caller's to read */
    uint8_t *bytes;
    size_t byte_count;
};

/** For `links` agents. NULL: no memory. The caller owns it: network_destroy(). */
struct network *network_create(uint32_t links, uint64_t seed);
void network_destroy(struct network *network);

void network_set_weather(struct network *network, const struct weather *weather);
/** Cuts one way of a link until then. `keeps`: what is sent meanwhile waits in buffers and arrives
 * when the cut has healed; else it is gone. */
void network_cut(struct network *network, uint32_t link, enum way way, uint64_t until_ns,
                 bool keeps);

/** Takes a copy of `bytes[byte_count]`. */
void network_send(struct network *network, uint64_t now_ns, uint32_t link, enum way way,
                  uint64_t address, const uint8_t *bytes, size_t byte_count);

/** When the next packet arrives; UINT64_MAX: none is under way. */
uint64_t network_next_ns(const struct network *network);
/** Takes out the next packet, whose moment has come. The caller owns its bytes: free(). */
struct packet network_take(struct network *network);

/** Packets that were dropped, and that came twice. */
struct network_counts {
    uint64_t sent, lost, repeated;
};
struct network_counts network_counts(const struct network *network);

#endif
