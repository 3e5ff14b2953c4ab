#include "agent/sources.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <arpa/inet.h>
#include <string.h>

#define LOW_BYTES_AT 12u /* of the 16 of an IPv6 address */
#define LOW_BITS_MAX 16u /* SOURCE_ADDRESSES_MAX of them */

static bool refuse(const char *text, struct error *error)
{
    char shown[128];
    return error_set(error, ERROR_USAGE, PLACE_NONE,
                     "'%s' is no source; give an ADDRESS, ADDRESS-ADDRESS or a network of at most "
                     "%u addresses, such as 10.0.0.0/28",
                     harmless_text(text, shown, sizeof shown), SOURCE_ADDRESSES_MAX);
}

/* The address of `text[length]`, which has no port. */
static bool address_read(const char *text, size_t length, struct address *address)
{
    char plain[INET6_ADDRSTRLEN];
    struct address read = {0};
    if (length >= sizeof plain)
        return false;
    memcpy(plain, text, length);
    plain[length] = '\0';
    if (inet_pton(AF_INET, plain, &read.as.v4.sin_addr) == 1) {
        read.as.v4.sin_family = AF_INET;
        read.bytes = sizeof read.as.v4;
    } else if (inet_pton(AF_INET6, plain, &read.as.v6.sin6_addr) == 1) {
        read.as.v6.sin6_family = AF_INET6;
        read.bytes = sizeof read.as.v6;
    } else {
        return false;
    }
    *address = read;
    return true;
}

/* The last 32 bits, which all that a range can span lie in. */
static uint8_t *low_bytes(struct address *address)
{
    if (address->as.any.sa_family == AF_INET)
        return (uint8_t *)&address->as.v4.sin_addr;
    return address->as.v6.sin6_addr.s6_addr + LOW_BYTES_AT;
}

static uint32_t low_bits(struct address address)
{
    const uint8_t *low = low_bytes(&address);
    return (uint32_t)low[0] << 24 | (uint32_t)low[1] << 16 | (uint32_t)low[2] << 8 | low[3];
}

static struct address with_low_bits(struct address address, uint32_t bits)
{
    uint8_t *low = low_bytes(&address);
    for (int i = 0; i < 4; i++)
        low[i] = (uint8_t)(bits >> (24 - 8 * i));
    return address;
}

static bool same_above(struct address one, struct address other)
{
    if (one.as.any.sa_family != other.as.any.sa_family)
        return false;
    return one.as.any.sa_family == AF_INET ||
           memcmp(&one.as.v6.sin6_addr, &other.as.v6.sin6_addr, LOW_BYTES_AT) == 0;
}

/* From first to last, both of them. */
static bool span(struct address first, struct address last, struct source_range *range)
{
    if (!same_above(first, last) || low_bits(last) < low_bits(first) ||
        low_bits(last) - low_bits(first) >= SOURCE_ADDRESSES_MAX)
        return false;
    *range = (struct source_range){first, low_bits(last) - low_bits(first) + 1};
    return true;
}

static bool network_read(const char *text, const char *slash, struct source_range *range)
{
    struct address first;
    uint64_t prefix_bits = 0;
    if (!address_read(text, (size_t)(slash - text), &first) ||
        strspn(slash + 1, "0123456789") != strlen(slash + 1) ||
        !units_read_count(slash + 1, &prefix_bits))
        return false;
    uint32_t bits = first.as.any.sa_family == AF_INET ? 32 : 128;
    if (prefix_bits > bits || bits - prefix_bits > LOW_BITS_MAX)
        return false;
    uint32_t span_bits = (1u << (bits - prefix_bits)) - 1;
    if ((low_bits(first) & span_bits) != 0)
        return false; /* an address within a network, not the network */
    return span(first, with_low_bits(first, low_bits(first) | span_bits), range);
}

static bool range_read(const char *text, struct source_range *range)
{
    const char *slash = strchr(text, '/');
    const char *dash = strchr(text, '-');
    struct address first, last;
    if (slash != NULL)
        return network_read(text, slash, range);
    if (dash == NULL)
        return address_read(text, strlen(text), &first) && span(first, first, range);
    return address_read(text, (size_t)(dash - text), &first) &&
           address_read(dash + 1, strlen(dash + 1), &last) && span(first, last, range);
}

bool sources_add(struct sources *sources, const char *text, struct error *error)
{
    CHECK(sources->range_count <= SOURCE_RANGES_MAX);
    if (sources->range_count == SOURCE_RANGES_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "more than %u ranges; give a larger one instead", SOURCE_RANGES_MAX);
    struct source_range range;
    if (!range_read(text, &range))
        return refuse(text, error);
    uint32_t before = sources_count(sources, AF_INET) + sources_count(sources, AF_INET6);
    if (before + range.count > SOURCE_ADDRESSES_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%u addresses together; at most %u can be gone round",
                         before + range.count, SOURCE_ADDRESSES_MAX);
    sources->ranges[sources->range_count++] = range;
    return true;
}

uint32_t sources_count(const struct sources *sources, int family)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sources->range_count; i++) {
        if (sources->ranges[i].first.as.any.sa_family == family)
            count += sources->ranges[i].count;
    }
    return count;
}

struct address sources_pick(const struct sources *sources, int family, uint32_t index)
{
    CHECK(index < sources_count(sources, family));
    const struct source_range *range = sources->ranges;
    while (range->first.as.any.sa_family != family || index >= range->count) {
        if (range->first.as.any.sa_family == family)
            index -= range->count;
        range++;
    }
    return with_low_bits(range->first, low_bits(range->first) + index);
}
