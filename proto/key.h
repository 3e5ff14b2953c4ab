/** CURVE keys as people see them (z85: 40 characters for 32 bytes), and the files that hold them.
 *  Pure. */
#ifndef CLOBBER_PROTO_KEY_H
#define CLOBBER_PROTO_KEY_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_BYTES          32u
#define KEY_TEXT_BYTES     41u   /* 40 characters of z85 and the end */
#define KEY_NAME_BYTES_MAX 128u  /* a host with its domain; the name of a file with its ending */
#define KEY_FILE_BYTES_MAX 4096u /* two lines and what people write above them */

/** Each in z85; plain data. Only the owner's processes ever hold a `secret`. */
struct key_pair {
    char public_key[KEY_TEXT_BYTES];
    char secret_key[KEY_TEXT_BYTES];
};

/** The key of `bytes[KEY_BYTES]` into `text[KEY_TEXT_BYTES]`; returns `text`. */
const char *key_text(const uint8_t *bytes, char *text);
/** Copies `text[length]` into `key[KEY_TEXT_BYTES]`. False: it is no key in z85; untouched. */
bool key_read(const char *text, size_t length, char *key);

/** Whether `name[length]` can be whose key it is: letters, digits, - _ and dots, but for the first
 *  character; it is the name of a file too. */
bool key_name_is_fine(const char *name, size_t length);

/** What the two files of a new pair hold, into `text[KEY_FILE_BYTES_MAX]`; returns `text`. */
const char *key_secret_file(const struct key_pair *pair, const char *name, char *text);
const char *key_public_file(const struct key_pair *pair, const char *name, char *text);

/** Reads `text[length]` of a secret file ("secret KEY", "public KEY", comments from #), or of a
 *  public one ("NAME KEY", one line). False: ERROR_USAGE with its place in `path`. */
bool key_read_secret_file(const char *text, size_t length, const char *path, struct key_pair *pair,
                          struct error *error);
bool key_read_public_file(const char *text, size_t length, const char *path, char *key,
                          struct error *error);

/** Words of a line: what both kinds of files and lists of keys are made of. Plain data. */
struct key_line {
    uint32_t number; /* from 1 */
    uint32_t word_count;
    struct key_word {
        const char *text; /* borrowed; not ended by a zero */
        size_t length;
        uint32_t column; /* from 1 */
    } words[5];          /* one more than any line may have */
};

/** The next line that has words, of `text[length]` from `*at` on, which moves behind it; lines that
 *  begin with # are comments. (A key may begin with # too, so there are none behind it.) False: no
 *  more. `line` begins zeroed. */
bool key_next_line(const char *text, size_t length, size_t *at, struct key_line *line);

#endif
