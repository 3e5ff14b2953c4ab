/** The files of keys on disk: made by `clobber key new`, read by coordinators and agents. */
#ifndef CLOBBER_PROTO_CHANNEL_KEYS_H
#define CLOBBER_PROTO_CHANNEL_KEYS_H

#include "common/base/error.h"
#include "proto/key.h"
#include "proto/keyring.h"

#include <stdbool.h>

/** Makes a new pair: NAME.key with mode 0600 and NAME.pub in `folder`, which is made if missing.
 *  Nothing is overwritten. False: ERROR_USAGE, ERROR_SYSTEM. */
bool channel_keys_make(const char *folder, const char *name, struct key_pair *pair,
                       struct error *error);

/** Each reads its file and fills in or returns what it holds; false or NULL: ERROR_USAGE with the
 *  place of what is wrong, or what to type. A secret file must be ours and nobody else's. */
bool channel_keys_own(const char *path, struct key_pair *pair, struct error *error);
/** A list that others may change is refused. The caller owns it: keyring_destroy(). */
struct keyring *channel_keys_list(const char *path, struct error *error);
/** A coordinator's public key into `key[KEY_TEXT_BYTES]`: `word` is the key itself, or a file. */
bool channel_keys_server(const char *word, char *key, struct error *error);

#endif
