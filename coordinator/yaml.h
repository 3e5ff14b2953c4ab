/** libyaml's events to a tree of nodes with places; the only door to yaml.h.
 *
 *  A plan needs little of YAML, and gets no more: one document of maps, lists and scalars in UTF-8.
 * Aliases, anchors, tags, directives, duplicate keys and keys that are no words are mistakes with a
 * place. Time is bounded: PLAN_BYTES_MAX, PLAN_DEPTH_MAX, PLAN_NODES_MAX. */
#ifndef CLOBBER_COORDINATOR_YAML_H
#define CLOBBER_COORDINATOR_YAML_H

#include "common/base/error.h"
#include "coordinator/plan_errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind {
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
    NODE_REFUSED, /* an alias or a repeated key: its mistake is reported, it holds no more to read
                   */
};

/** One value. A child of a map knows its key. All text is owned by the tree. */
struct node {
    enum node_kind kind;
    struct place place;
    char *text; /* scalar: text_bytes of it, may hold NUL, ends with one more; else NULL */
    size_t text_bytes;
    bool quoted; /* scalar: in quotes, or a block: text whatever it looks like */
    char *key;   /* of a map's child, without NUL inside; else NULL */
    struct place key_place;
    struct node *first, *last, *next; /* children, in the order of the file; the next sibling */
    uint32_t count;                   /* of children */
};

/** Reads all of `text[text_bytes]`; `path` is borrowed by every place. Adds mistakes to `errors`
 * and reads on where that makes sense. NULL: no tree, and `errors` is not empty. The caller owns
 * the tree: yaml_destroy(). Pure. */
struct node *yaml_read(const char *path, const char *text, size_t text_bytes,
                       struct plan_errors *errors);

void yaml_destroy(struct node *root);

/** Borrows the value of `key` in `map`, or NULL; also NULL when `map` is NULL or no map. */
const struct node *node_find(const struct node *map, const char *key);

/** The length in bytes of the UTF-8 character at `text[text_bytes]` (1 byte or more), its code
 * point into `code`; 0: it is none. */
size_t utf8_read(const char *text, size_t text_bytes, uint32_t *code);

#endif
