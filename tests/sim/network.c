#include "tests/sim/network.h"

#include "common/base/check.h"
#include "common/control/random.h"

#include <stdlib.h>
#include <string.h>

#define REPEAT_LATER 4.0 /* a packet that comes again does so within so many delays */

/* One way of one link. */
struct lane {
    uint64_t cut_until_ns;
    bool keeps;
    uint64_t last_ns; /* arrival of the last one sent */
};

struct network {
    struct random random;
    struct weather weather;
    struct network_counts counts;
    uint32_t links;
    struct lane *lanes;     /* [links][WAY_COUNT] */
    struct packet *packets; /* a heap, the earliest on top */
    size_t count, capacity;
    uint64_t number;
};

struct network *network_create(uint32_t links, uint64_t seed)
{
    struct network *network = calloc(1, sizeof *network);
    if (network == NULL)
        return NULL;
    network->random.state = seed;
    network->links = links;
    network->lanes = calloc((size_t)links * WAY_COUNT, sizeof *network->lanes);
    if (network->lanes == NULL) {
        network_destroy(network);
        return NULL;
    }
    return network;
}

void network_destroy(struct network *network)
{
    if (network == NULL)
        return;
    for (size_t i = 0; i < network->count; i++)
        free(network->packets[i].bytes);
    free(network->packets);
    free(network->lanes);
    free(network);
}

void network_set_weather(struct network *network, const struct weather *weather)
{
    CHECK(weather->delay_ns_min <= weather->delay_ns_max);
    network->weather = *weather;
}

static struct lane *lane_of(struct network *network, uint32_t link, enum way way)
{
    CHECK(link < network->links);
    return &network->lanes[(size_t)link * WAY_COUNT + way];
}

void network_cut(struct network *network, uint32_t link, enum way way, uint64_t until_ns,
                 bool keeps)
{
    struct lane *lane = lane_of(network, link, way);
    lane->cut_until_ns = until_ns;
    lane->keeps = keeps;
}

/* Those of one moment come in the order in which they were sent. */
static bool comes_before(const struct packet *a, const struct packet *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static void push(struct network *network, struct packet packet)
{
    if (network->count == network->capacity) {
        network->capacity = network->capacity == 0 ? 64 : 2 * network->capacity;
        network->packets =
            reallocarray(network->packets, network->capacity, sizeof *network->packets);
        CHECK(network->packets != NULL);
    }
    struct packet *packets = network->packets;
    size_t i = network->count++;
    for (; i > 0 && comes_before(&packet, &packets[(i - 1) / 2]); i = (i - 1) / 2)
        packets[i] = packets[(i - 1) / 2];
    packets[i] = packet;
}

struct packet network_take(struct network *network)
{
    CHECK(network->count > 0);
    struct packet *packets = network->packets;
    struct packet top = packets[0];
    struct packet last = packets[--network->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < network->count && comes_before(&packets[child + 1], &packets[child]))
            child++;
        if (child >= network->count || !comes_before(&packets[child], &last))
            break;
        packets[i] = packets[child];
        i = child;
    }
    packets[i] = last;
    return top;
}

uint64_t network_next_ns(const struct network *network)
{
    return network->count > 0 ? network->packets[0].at_ns : UINT64_MAX;
}

/* As many short delays as long ones: a network is mostly quick. */
static uint64_t draw_delay_ns(struct network *network)
{
    const struct weather *weather = &network->weather;
    if (random_uniform(&network->random) < weather->held)
        return (uint64_t)((double)weather->held_ns_max * random_uniform(&network->random));
    double ratio = (double)weather->delay_ns_max / (double)weather->delay_ns_min;
    return (uint64_t)((double)weather->delay_ns_min * pow(ratio, random_uniform(&network->random)));
}

static void carry(struct network *network, uint64_t at_ns, const struct packet *packet)
{
    struct packet copy = *packet;
    copy.at_ns = at_ns;
    copy.number = ++network->number;
    copy.bytes = malloc(packet->byte_count);
    CHECK(copy.bytes != NULL);
    memcpy(copy.bytes, packet->bytes, packet->byte_count);
    push(network, copy);
}

void network_send(struct network *network, uint64_t now_ns, uint32_t link, enum way way,
                  uint64_t address, const uint8_t *bytes, size_t byte_count)
{
    const struct weather *weather = &network->weather;
    struct lane *lane = lane_of(network, link, way);
    bool cut = now_ns < lane->cut_until_ns;
    network->counts.sent++;
    if ((cut && !lane->keeps) || random_uniform(&network->random) < weather->lost) {
        network->counts.lost++;
        return;
    }
    uint64_t delay_ns = draw_delay_ns(network);
    uint64_t at_ns = (cut ? lane->cut_until_ns : now_ns) + delay_ns;
    if (weather->ordered && at_ns < lane->last_ns)
        at_ns = lane->last_ns;
    lane->last_ns = at_ns;
    struct packet packet = {.link = link,
                            .way = way,
                            .address = address,
                            .bytes = (uint8_t *)(uintptr_t)bytes,
                            .byte_count = byte_count};
    carry(network, at_ns, &packet);
    if (random_uniform(&network->random) < weather->repeated) {
        network->counts.repeated++;
        double later = REPEAT_LATER * random_uniform(&network->random) * (double)delay_ns;
        carry(network, at_ns + (uint64_t)later, &packet);
    }
}

struct network_counts network_counts(const struct network *network)
{
    return network->counts;
}
