#include "agent/allow.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An address as a row of bits, so that v4 and v6 share every comparison. */
struct bits {
    uint8_t bytes[16];
    uint32_t count; /* 32 or 128 */
};

static struct bits address_bits(const struct address *address)
{
    const struct in6_addr *v6 = &address->as.v6.sin6_addr;
    struct bits bits = {.count = 32};
    if (address->as.any.sa_family == AF_INET) {
        memcpy(bits.bytes, &address->as.v4.sin_addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED(v6)) {
        /* The kernel connects ::ffff:a.b.c.d over IPv4, so it is judged as a.b.c.d. */
        memcpy(bits.bytes, v6->s6_addr + 12, 4);
    } else {
        memcpy(bits.bytes, v6->s6_addr, 16);
        bits.count = 128;
    }
    return bits;
}

/* Clears what lies beyond the prefix. */
static struct bits bits_trim(struct bits bits, uint32_t prefix_bits)
{
    CHECK(prefix_bits <= bits.count);
    for (uint32_t i = prefix_bits; i < bits.count; i++)
        bits.bytes[i / 8] = (uint8_t)(bits.bytes[i / 8] & ~(0x80u >> (i % 8)));
    return bits;
}

static bool bits_equal(struct bits one, struct bits other)
{
    return one.count == other.count && memcmp(one.bytes, other.bytes, sizeof one.bytes) == 0;
}

static bool network_has(struct bits network, uint32_t prefix_bits, struct bits address)
{
    return address.count == network.count && bits_equal(network, bits_trim(address, prefix_bits));
}

static uint16_t address_port(const struct address *address)
{
    bool is_v4 = address->as.any.sa_family == AF_INET;
    return ntohs(is_v4 ? address->as.v4.sin_port : address->as.v6.sin6_port);
}

static bool address_read(const char *text, struct address *address)
{
    struct address read = {0};
    if (inet_pton(AF_INET, text, &read.as.v4.sin_addr) == 1) {
        read.as.v4.sin_family = AF_INET;
        read.bytes = sizeof read.as.v4;
    } else if (inet_pton(AF_INET6, text, &read.as.v6.sin6_addr) == 1) {
        read.as.v6.sin6_family = AF_INET6;
        read.bytes = sizeof read.as.v6;
    } else {
        return false;
    }
    *address = read;
    return true;
}

static const char *network_text(struct bits bits, uint32_t prefix_bits, uint16_t port, char *text,
                                size_t text_bytes)
{
    bool is_v4 = bits.count == 32;
    char plain[INET6_ADDRSTRLEN];
    CHECK(inet_ntop(is_v4 ? AF_INET : AF_INET6, bits.bytes, plain, sizeof plain) != NULL);
    if (prefix_bits < bits.count)
        snprintf(text, text_bytes, "%s/%u", plain, prefix_bits);
    else if (port == 0)
        snprintf(text, text_bytes, "%s", plain);
    else
        snprintf(text, text_bytes, is_v4 ? "%s:%u" : "[%s]:%u", plain, port);
    return text;
}

static const char *rule_text(const struct allow_rule *rule, char *text, size_t text_bytes)
{
    if (rule->local) {
        snprintf(text, text_bytes, "unix:%s", rule->host);
        return text;
    }
    if (rule->network.bytes > 0)
        return network_text(address_bits(&rule->network), rule->prefix_bits, rule->port, text,
                            text_bytes);
    if (rule->port == 0)
        snprintf(text, text_bytes, "%s", rule->host);
    else
        snprintf(text, text_bytes, "%s:%u", rule->host, rule->port);
    return text;
}

static bool refuse(const char *text, struct error *error)
{
    char shown[128];
    return error_set(error, ERROR_USAGE, PLACE_NONE,
                     "'%s' is no target; give HOST[:PORT] such as shop.example:443 or [::1]:80, "
                     "a network such as 10.0.0.0/8, or unix:/PATH",
                     harmless_text(text, shown, sizeof shown));
}

/* "10.0.0.0/8" or "fd00::/8": `slash` is where the prefix begins. */
static bool network_read(const char *text, const char *slash, struct allow_rule *rule,
                         struct error *error)
{
    char plain[INET6_ADDRSTRLEN];
    size_t length = (size_t)(slash - text);
    uint64_t prefix_bits = 0;
    if (length >= sizeof plain || strspn(slash + 1, "0123456789") != strlen(slash + 1) ||
        !units_read_count(slash + 1, &prefix_bits))
        return refuse(text, error);
    memcpy(plain, text, length);
    plain[length] = '\0';
    struct allow_rule read = {0};
    if (!address_read(plain, &read.network))
        return refuse(text, error);
    struct bits bits = address_bits(&read.network);
    if (prefix_bits > bits.count)
        return refuse(text, error);
    read.prefix_bits = (uint32_t)prefix_bits;
    struct bits trimmed = bits_trim(bits, read.prefix_bits);
    if (!bits_equal(bits, trimmed)) {
        char meant[ADDRESS_TEXT_BYTES];
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' has bits set beyond its prefix; did you mean %s?", text,
                         network_text(trimmed, read.prefix_bits, 0, meant, sizeof meant));
    }
    *rule = read;
    return true;
}

/* Cuts ":PORT" off "HOST:PORT" and brackets off "[V6]". More than one colon and no bracket is a
 * bare IPv6 address, which cannot carry a port. */
static bool host_split(const char *text, char *host, size_t host_bytes, uint16_t *port)
{
    const char *begin = text, *end = text + strlen(text), *colon = strchr(text, ':');
    if (*text == '[') {
        begin++;
        end = strchr(begin, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return false;
        colon = end[1] == ':' ? end + 1 : NULL;
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        colon = NULL;
    } else if (colon != NULL) {
        end = colon;
    }
    uint64_t number = 0;
    if (colon != NULL &&
        (strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
         !units_read_count(colon + 1, &number) || number == 0 || number > UINT16_MAX))
        return false;
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= host_bytes)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    *port = (uint16_t)number;
    return true;
}

/* Small letters, digits, hyphens and dots; RFC 1123, and `_` since containers are called so. */
static bool name_read(const char *text, char *name)
{
    size_t length = strlen(text);
    if (length > 1 && text[length - 1] == '.')
        length--; /* The dot of the root: the same name. */
    for (size_t i = 0; i < length; i++) {
        char letter = text[i];
        if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter - 'A' + 'a');
        bool is_fine = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
                       letter == '-' || letter == '_' || letter == '.';
        if (!is_fine)
            return false;
        name[i] = letter;
    }
    name[length] = '\0';
    /* What looks like a number but is no address ("10.0.0", "10.1.2.300") is a slip, not a name. */
    return strspn(name, "0123456789.") != length;
}

static bool host_read(const char *text, struct allow_rule *rule, struct error *error)
{
    struct allow_rule read = {0};
    char host[sizeof read.host];
    if (!host_split(text, host, sizeof host, &read.port))
        return refuse(text, error);
    if (address_read(host, &read.network))
        read.prefix_bits = address_bits(&read.network).count;
    else if (*text == '[' || !name_read(host, read.host))
        return refuse(text, error);
    *rule = read;
    return true;
}

static bool local_read(const char *text, const char *path, struct allow_rule *rule,
                       struct error *error)
{
    struct allow_rule read = {.local = true};
    struct address address;
    if (path[0] != '/' || !net_local_address(path, &address, NULL))
        return refuse(text, error);
    snprintf(read.host, sizeof read.host, "%s", path);
    *rule = read;
    return true;
}

static bool rule_read(const char *text, struct allow_rule *rule, struct error *error)
{
    static const char local[] = "unix:";
    if (strncmp(text, local, strlen(local)) == 0)
        return local_read(text, text + strlen(local), rule, error);
    const char *slash = strchr(text, '/');
    return slash != NULL ? network_read(text, slash, rule, error) : host_read(text, rule, error);
}

bool allow_add(struct allow *allow, const char *text, struct error *error)
{
    CHECK(allow->count <= ALLOW_RULES_MAX);
    if (allow->count == ALLOW_RULES_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "more than %u targets are allowed; give a network instead",
                         ALLOW_RULES_MAX);
    bool is_fine = rule_read(text, &allow->rules[allow->count], error);
    allow->count += is_fine;
    return is_fine;
}

/* Where clouds hand out the credentials of a machine to whoever asks from it. */
static const struct denied {
    struct bits network;
    uint32_t prefix_bits;
    const char *what;
} denied[] = {
    {{.bytes = {169, 254}, .count = 32}, 16, "a link-local address"}, /* AWS, Azure, GCP, ... */
    {{.bytes = {0xfe, 0x80}, .count = 128}, 10, "a link-local address"},
    {{.bytes = {0xfd, 0x00, 0x0e, 0xc2}, .count = 128}, 32, "a cloud's metadata service"}, /* AWS */
    {{.bytes = {0xfd, 0x20, 0x00, 0xce}, .count = 128}, 32, "a cloud's metadata service"}, /* GCP */
    {{.bytes = {168, 63, 129, 16}, .count = 32}, 32, "a cloud's metadata service"},   /* Azure */
    {{.bytes = {100, 100, 100, 200}, .count = 32}, 32, "a cloud's metadata service"}, /* Alibaba */
    {{.bytes = {192, 0, 0, 192}, .count = 32}, 32, "a cloud's metadata service"},     /* Oracle */
};

/* IPv6 addresses that a gateway, or the kernel, carries to the IPv4 address within: NAT64 (RFC 6052
 * and RFC 8215), IPv4-compatible (RFC 4291) and 6to4 (RFC 3056). */
static const struct carried {
    struct bits network;
    uint32_t prefix_bits;
    uint32_t at; /* the IPv4 address's first byte */
} carried[] = {
    {{.bytes = {0x00, 0x64, 0xff, 0x9b}, .count = 128}, 96, 12},
    {{.bytes = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, .count = 128}, 48, 12},
    {{.count = 128}, 96, 12},
    {{.bytes = {0x20, 0x02}, .count = 128}, 16, 2},
};

static const char *denied_outright(struct bits bits)
{
    for (size_t i = 0; i < COUNT(denied); i++)
        if (network_has(denied[i].network, denied[i].prefix_bits, bits))
            return denied[i].what;
    return NULL;
}

/* What nobody may load, as the end of "it is ...", or NULL. */
static const char *denied_what(struct bits bits)
{
    const char *what = denied_outright(bits);
    for (size_t i = 0; what == NULL && i < COUNT(carried); i++) {
        struct bits within = {.count = 32};
        if (!network_has(carried[i].network, carried[i].prefix_bits, bits))
            continue;
        memcpy(within.bytes, bits.bytes + carried[i].at, 4);
        what = denied_outright(within);
    }
    return what;
}

static bool same_name(const char *rule_host, const char *host)
{
    size_t length = strlen(host);
    if (length > 1 && host[length - 1] == '.')
        length--;
    return strlen(rule_host) == length && strncasecmp(rule_host, host, length) == 0;
}

static bool rule_matches(const struct allow_rule *rule, const char *host,
                         const struct address *address)
{
    if (rule->local || (rule->port != 0 && rule->port != address_port(address)))
        return false;
    if (rule->network.bytes == 0)
        return same_name(rule->host, host);
    return network_has(address_bits(&rule->network), rule->prefix_bits, address_bits(address));
}

/* Nothing is resolved and nothing is implied: the same path, letter by letter. */
static bool check_local(const struct allow *allow, const struct address *address,
                        struct error *error)
{
    for (uint32_t i = 0; i < allow->count; i++) {
        if (allow->rules[i].local && strcmp(allow->rules[i].host, address->as.local.sun_path) == 0)
            return true;
    }
    char where[ADDRESS_TEXT_BYTES];
    net_address_text(address, where);
    return error_set(error, ERROR_LIMIT, PLACE_NONE,
                     "target %s is not allowed by this agent's owner; --allow %s would", where,
                     where);
}

bool allow_check(const struct allow *allow, const char *host, const struct address *address,
                 struct error *error)
{
    CHECK(allow->count <= ALLOW_RULES_MAX);
    if (address->as.any.sa_family == AF_UNIX)
        return check_local(allow, address, error);
    CHECK(address->as.any.sa_family == AF_INET || address->as.any.sa_family == AF_INET6);
    char shown[128], where[ADDRESS_TEXT_BYTES];
    const char *what = denied_what(address_bits(address));
    if (what != NULL)
        return error_set(error, ERROR_LIMIT, PLACE_NONE,
                         "target %s is %s, %s; those are never loaded, whatever --allow says",
                         harmless_text(host, shown, sizeof shown), net_address_text(address, where),
                         what);
    if (allow->count == 0 && net_is_loopback(address))
        return true;
    for (uint32_t i = 0; i < allow->count; i++) {
        if (rule_matches(&allow->rules[i], host, address))
            return true;
    }
    net_address_text(address, where);
    return error_set(error, ERROR_LIMIT, PLACE_NONE,
                     "target %s is %s, which this agent's owner does not allow; --allow %s would",
                     harmless_text(host, shown, sizeof shown), where, where);
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(one, other);
}

const char *allow_text(const struct allow *allow, char *text, size_t text_bytes)
{
    CHECK(allow->count <= ALLOW_RULES_MAX);
    CHECK(text_bytes > 0);
    /* Sorted and without repeats: the same permission is the same text, in whatever order said. */
    char rules[ALLOW_RULES_MAX][ALLOW_RULE_TEXT_BYTES];
    for (uint32_t i = 0; i < allow->count; i++)
        rule_text(&allow->rules[i], rules[i], sizeof rules[i]);
    qsort(rules, allow->count, sizeof rules[0], compare_texts);

    snprintf(text, text_bytes, "%s", allow->count == 0 ? "loopback" : rules[0]);
    for (uint32_t i = 1; i < allow->count; i++) {
        size_t length = strlen(text);
        if (strcmp(rules[i], rules[i - 1]) != 0)
            snprintf(text + length, text_bytes - length, ",%s", rules[i]);
    }
    return text;
}
