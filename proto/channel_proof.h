/** The proof that a coordinator's keys keep strangers out, before anybody can reach it. */
#ifndef CLOBBER_PROTO_CHANNEL_PROOF_H
#define CLOBBER_PROTO_CHANNEL_PROOF_H

#include "common/base/error.h"
#include "proto/key.h"
#include "proto/keyring.h"

#include <stdbool.h>

/** Binds a locked channel as the real one will be, where only this process looks, with `keyring`
 * and one key more. That one must come in; a key that was made a moment ago, and no key at all,
 * must not. False: ERROR_SYSTEM says which of the three was not so. Takes some milliseconds. */
bool channel_prove(const struct key_pair *own, const struct keyring *keyring, struct error *error);

#endif
