/** Files that a plan names, out of memory. */
#ifndef CLOBBER_TESTS_SHELF_H
#define CLOBBER_TESTS_SHELF_H

#include "coordinator/plan.h"

#include <stdlib.h>
#include <string.h>

struct shelf_file {
    const char *name, *text; /* a NULL name ends the shelf */
};

/** `context` is an array of struct shelf_file. */
static inline bool shelf_load(void *context, const char *name, size_t bytes_max, char **text,
                              size_t *text_bytes, struct error *error)
{
    const struct shelf_file *file = context;
    while (file->name != NULL && strcmp(file->name, name) != 0)
        file++;
    if (file->name == NULL)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: not on the shelf", name);
    if (strlen(file->text) > bytes_max)
        return error_set(error, ERROR_LIMIT, PLACE_NONE, "%s has more than %zu bytes", name,
                         bytes_max);
    *text = strdup(file->text);
    *text_bytes = strlen(file->text);
    return *text != NULL;
}

/** Whatever is asked for is there. */
static inline bool shelf_secret(void *context, enum plan_secret_kind kind, const char *name,
                                size_t bytes_max, char **value, size_t *value_bytes,
                                struct error *error)
{
    (void)context;
    (void)kind;
    (void)name;
    (void)bytes_max;
    (void)error;
    *value = strdup("secret");
    *value_bytes = strlen("secret");
    return *value != NULL;
}

#endif
