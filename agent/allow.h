/** The owner's ceilings: which targets an agent may load. Pure but for allow_add's parsing.
 *  Nothing said: loopback only. Link-local addresses, and where clouds hand out credentials, are
 *  always denied, in whatever form of IPv6 they hide. A Unix socket is loaded only where its very
 *  path was allowed: behind some of them (docker.sock) is all of the machine. */
#ifndef CLOBBER_AGENT_ALLOW_H
#define CLOBBER_AGENT_ALLOW_H

#include "common/base/error.h"
#include "common/base/net.h"

#include <stdbool.h>
#include <stdint.h>

#define ALLOW_RULES_MAX       64u
#define ALLOW_RULE_TEXT_BYTES 272u /* the longest name, a colon and a port */
#define ALLOW_TEXT_BYTES      (ALLOW_RULES_MAX * ALLOW_RULE_TEXT_BYTES)

struct allow_rule {
    char host[256];         /* a name, the path of a Unix socket, or "" for a network */
    bool local;             /* a Unix socket */
    uint16_t port;          /* 0: any */
    struct address network; /* bytes 0: a name */
    uint32_t prefix_bits;
};

/** Plain data; zeroed: loopback only. */
struct allow {
    uint32_t count;
    struct allow_rule rules[ALLOW_RULES_MAX];
};

/** Adds "HOST[:PORT]", "CIDR" or "unix:/PATH". Names are kept in small letters; a network with bits
 * set beyond its prefix is refused. False: ERROR_USAGE, nothing added. */
bool allow_add(struct allow *allow, const char *text, struct error *error);
/** Whether the target that the plan calls `host`, resolved to `address`, may be loaded. A rule that
 * is a name allows whatever the name resolves to; once anything is allowed, loopback is no longer
 * implied. False: ERROR_LIMIT with a sentence that names the flag that would allow it. */
bool allow_check(const struct allow *allow, const char *host, const struct address *address,
                 struct error *error);
/** A canonical text of all rules, for the digest in HELLO, into `text[text_bytes]`
 * (ALLOW_TEXT_BYTES is always enough; else it is cut); returns `text`. Sorted, so that the order of
 * adding does not show. */
const char *allow_text(const struct allow *allow, char *text, size_t text_bytes);

#endif
