/** The keys of a coordinator, and where it may bind with and without them: for every command that
 *  binds. */
#ifndef CLOBBER_COORDINATOR_KEYS_H
#define CLOBBER_COORDINATOR_KEYS_H

#include "common/base/error.h"
#include "proto/channel.h"

#include <stdbool.h>
#include <stdint.h>

/** What the command line says. Borrowed from it. */
struct keys_flags {
    const char *secret_key;      /* a file; NULL: no keys */
    const char *authorized_keys; /* a file; given with the other or not at all */
    bool plaintext;
};

/** Zeroed: none. */
struct keys {
    struct key_pair own;
    struct keyring *keyring; /* owned; NULL: no keys */
};

/** Judges a bind at `endpoint` for so many `agents`, loads the keys that the flags name, and proves
 * that they keep others out before it binds. Off loopback without keys and --plaintext is
 * ERROR_USAGE, and said aloud when it is wanted so; where the machine gives too few descriptors for
 * the agents it is ERROR_LIMIT. NULL fills `error`; the caller owns the channel, and the keys:
 * keys_done() when that is closed. */
struct channel *keys_bind(const struct keys_flags *flags, const char *endpoint, uint32_t agents,
                          struct keys *keys, struct error *error);
void keys_done(struct keys *keys);

/** Reads the list again. False: it cannot be, and the one before holds on. */
bool keys_reload(const struct keys_flags *flags, struct keys *keys, struct channel *channel,
                 struct error *error);

#endif
