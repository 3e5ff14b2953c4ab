/** The one error type: kind, place, sentence. */
#ifndef CLOBBER_BASE_ERROR_H
#define CLOBBER_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum error_kind {
    ERROR_NONE,     /* a zeroed struct */
    ERROR_USAGE,    /* a command line that cannot be understood */
    ERROR_PLAN,     /* a plan file that cannot be run */
    ERROR_LIMIT,    /* a named bound was reached */
    ERROR_MEMORY,   /* an allocation failed */
    ERROR_SYSTEM,   /* the kernel or a library said no */
    ERROR_PROTOCOL, /* bytes of a peer that break a rule */
    ERROR_TARGET,   /* the system under test cannot be reached or named */
};

struct place {
    const char *path; /* borrowed: outlives the error; NULL: no file */
    uint32_t line;    /* from 1; 0: this error is about no place */
    uint32_t column;  /* from 1 */
};

#define ERROR_MESSAGE_BYTES 512u
#define ERROR_TEXT_BYTES    (ERROR_MESSAGE_BYTES + 256u) /* with its place */

struct error {
    enum error_kind kind;
    struct place place;
    char message[ERROR_MESSAGE_BYTES];
};

#define PLACE_NONE ((struct place){0})

/** Fills `error` with one sentence (printf style, cut when too long). `error` may be NULL.
 *  Always returns false, so that failing is one line. */
bool error_set(struct error *error, enum error_kind kind, struct place place, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/** Puts "CONTEXT: " (printf style) before the sentence that is there. Always returns false. */
bool error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Writes "FILE:LINE:COLUMN: sentence", or the sentence alone when there is no place, into
 *  `text[text_bytes]`, harmless_text(): paths and what was typed are anybody's; returns `text`. */
const char *error_text(const struct error *error, char *text, size_t text_bytes);

#endif
