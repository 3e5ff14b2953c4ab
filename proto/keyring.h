/** Who may join: the keys that a file of --authorized-keys lists, one "NAME KEY [until DATE]" a
 * line. Pure. */
#ifndef CLOBBER_PROTO_KEYRING_H
#define CLOBBER_PROTO_KEYRING_H

#include "common/base/error.h"
#include "proto/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYRING_KEYS_MAX                                                                           \
    16384u /* two for each agent of the largest fleet: an old and a new one                        \
            */
#define KEYRING_BYTES_MAX                                                                          \
    (4u * 1024u * 1024u) /* so many, each with the longest of names and dates */

struct keyring;

struct keyring_entry {
    char key[KEY_TEXT_BYTES];
    char name[KEY_NAME_BYTES_MAX + 1];
    uint64_t until_s; /* UNIX time of the first second at which it is none any more; 0: no end */
    uint32_t line;
};

/** Reads `text[length]` of the file `path`. Several keys may have one name, as while one is
 * replaced; a key stands once. DATE is 2027-01-31, that day included, or 2027-01-31T12:00:00Z; UTC.
 * The caller owns the result: keyring_destroy(). NULL: ERROR_USAGE with its place, ERROR_MEMORY. */
struct keyring *keyring_read(const char *text, size_t length, const char *path,
                             struct error *error);
/** A keyring with one key more, which must not be in it; NULL: ERROR_MEMORY. */
struct keyring *keyring_with(const struct keyring *keyring, const struct keyring_entry *entry,
                             struct error *error);
void keyring_destroy(struct keyring *keyring);

size_t keyring_count(const struct keyring *keyring);

/** The entry of a key that may join at `now_s`, or NULL. Borrowed. */
const struct keyring_entry *keyring_find(const struct keyring *keyring, const char *key,
                                         uint64_t now_s);

#endif
