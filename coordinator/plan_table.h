/** The one table of all keys of a plan: it drives reading, error messages, suggestions, `clobber
 * validate` and docs/plan.md. */
#ifndef CLOBBER_COORDINATOR_PLAN_TABLE_H
#define CLOBBER_COORDINATOR_PLAN_TABLE_H

#include "coordinator/plan.h"

#include <stdbool.h>
#include <stddef.h>

enum plan_type {
    PLAN_MAP,       /* of the keys below it in the table */
    PLAN_LIST,      /* of maps with those keys, or of `element`s */
    PLAN_VERSION,   /* its preset and nothing else; not stored */
    PLAN_TEXT,      /* char *; bytes */
    PLAN_BYTES,     /* char * and a count; any character */
    PLAN_COMMAND,   /* char * and a count: a Redis command in RESP */
    PLAN_STATUSES,  /* struct plan_statuses: one status or class, or a list of them */
    PLAN_EXPECTED,  /* a map of header names and what their values contain: as PLAN_HEADERS */
    PLAN_SIZES,     /* struct plan_sizes: bytes, or a bound on them */
    PLAN_SPAN,      /* struct plan_span: a duration, or a list of the least and the most */
    PLAN_COUNT,     /* a whole number: uint16_t, uint32_t or uint64_t */
    PLAN_DURATION,  /* uint64_t; ns */
    PLAN_SHARE,     /* double; 0 to 1 */
    PLAN_BOOL,      /* bool */
    PLAN_WORD,      /* one of `words`: an enum, in its order */
    PLAN_RATE,      /* the goal's value: requests/s, or "stages" */
    PLAN_WORKERS,   /* the goal's value: workers, or "stages" */
    PLAN_OBJECTIVE, /* the goal is a search for the most of it: "throughput" */
    PLAN_STAGE_TO,  /* double; in the goal's unit */
    PLAN_TARGET,    /* plan->target and its parts */
    PLAN_METHOD,    /* the key is the method, the value the path */
    PLAN_PAYLOAD,   /* the same, or a file's name: struct plan_request */
    PLAN_NAMED,     /* a map of names, each of a map of the keys below it in the table */
    PLAN_VARIABLES, /* a map of names and texts: struct plan_variable */
    PLAN_HEADERS,   /* a map of names and values: char *, "Name: value\r\n" each */
    PLAN_THRESHOLD, /* struct threshold */
    PLAN_BOUND,     /* struct threshold, of those that a search can keep */
    PLAN_LATER,     /* known, and refused: a later release builds it */
};

/** What a key goes with. */
enum plan_when {
    WHEN_ALWAYS,
    WHEN_HTTP,
    WHEN_HTTP2,
    WHEN_TCP,
    WHEN_REDIS,
    WHEN_BYTES, /* a target that takes bytes and gives bytes: tcp, redis */
    WHEN_TLS,
    WHEN_NO_PLUGIN,
    WHEN_HOLD,
    WHEN_CONCURRENCY,
    WHEN_MAXIMIZE,
    WHEN_CONSTANT, /* the goal is one value */
    WHEN_STAGES,   /* the goal is `stages` */
};

/** One row. */
struct plan_key {
    const char *path; /* "limits.concurrency"; in the maps of a list "requests.weight" */
    enum plan_type type;
    enum plan_when when;
    bool required;            /* when it applies */
    bool counted_out;         /* ... but not of a plan with `requests_total` */
    double minimum, maximum;  /* per second, ns, share, bytes, items or itself, as the type is */
    const char *preset;       /* the default as a plan would write it; NULL: none */
    const char *preset_words; /* the default in words, where it is no fixed value */
    const char *doc; /* one sentence; PLAN_LATER: what to do instead, as in "give a duration" */
    const char *const *words; /* PLAN_WORD: ends with NULL */
    const char *later_word;   /* a value that a later release takes */
    size_t offset;            /* of the field, in the plan or in the element of the list */
    size_t bytes;             /* of the field */
    size_t count_offset;      /* PLAN_LIST, PLAN_BYTES: of the uint32_t beside it */
    size_t element_bytes;     /* PLAN_LIST */
    enum plan_type element;   /* PLAN_LIST: PLAN_MAP, or the type of each */
};

/** All rows, each below the map or list it belongs to. Static. */
const struct plan_key *plan_keys(size_t *count);

/** The row at `path`, or NULL. Static. */
const struct plan_key *plan_key_find(const char *path);

/** The next row directly below the map or list at `section` ("" for the whole plan) after `key`
 * (NULL: the first), or NULL. Static. */
const struct plan_key *plan_key_next(const char *section, const struct plan_key *key);

/** The last word of the path: the key as the file has it. Static. */
const char *plan_key_word(const struct plan_key *key);

/** Where `object` (the plan, or an element of a list) keeps the value of `key`, and the count
 * beside it. */
void *plan_key_field(const struct plan_key *key, void *object);
uint32_t *plan_key_count(const struct plan_key *key, void *object);

/** What stood for `word` in `section`: the nearest sibling, or the path where that very word is a
 * key; NULL: nothing near. Static. */
const char *plan_key_nearest(const char *section, const char *word);

/** Whether the plan has a place for `key`; `staged`: its goal is `stages`. */
bool plan_key_applies(const struct plan_key *key, const struct plan *plan, bool staged);

/** "an http:// target": what a key of `when` goes with. Static. */
const char *plan_when_words(enum plan_when when);

/** "the keys here are expect, min and wait": those below `section`, into `text[text_bytes]`;
 * returns `text`. */
const char *plan_section_keys(const char *section, char *text, size_t text_bytes);

/** "a whole number from 1 to 64": what may be given for `key`, into `text[text_bytes]`; returns
 * `text`. `plan` knows the goal's unit; NULL: not known. */
const char *plan_key_allowed(const struct plan_key *key, const struct plan *plan, char *text,
                             size_t text_bytes);

#endif
