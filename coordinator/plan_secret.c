#include "coordinator/plan_secret.h"

#include "common/base/harmless.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 128

static const struct {
    const char *mark;
    enum plan_secret_kind kind;
} kinds[] = {{"${env:", SECRET_OF_ENVIRONMENT}, {"${file:", SECRET_OF_FILE}};

const char *plan_secret_mark(const char *text, size_t text_bytes)
{
    const char *first = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *found = memmem(text, text_bytes, kinds[i].mark, strlen(kinds[i].mark));
        if (found != NULL && (first == NULL || found < first))
            first = found;
    }
    return first;
}

/* The name between the mark and the brace, and what kind of name it is. */
static const char *name_of(const struct secret_reference *reference, enum plan_secret_kind *kind,
                           size_t *name_bytes)
{
    size_t i = strncmp(reference->text, kinds[0].mark, strlen(kinds[0].mark)) == 0 ? 0 : 1;
    *kind = kinds[i].kind;
    *name_bytes = reference->bytes - strlen(kinds[i].mark) - 1;
    return reference->text + strlen(kinds[i].mark);
}

/* A variable's name as shells know it (POSIX, 8.1); a path of one line. */
static bool is_good_name(const char *name, size_t name_bytes, enum plan_secret_kind kind)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    if (name_bytes == 0 || name_bytes > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name_bytes; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';
        bool letter = name[i] != '\0' && strchr(letters, name[i]) != NULL;
        if (kind == SECRET_OF_ENVIRONMENT ? !letter && !(digit && i > 0)
                                          : (unsigned char)name[i] < ' ' || name[i] == 0x7F)
            return false;
    }
    return true;
}

bool plan_secret_reference(const char *mark, const char *end, struct secret_reference *reference,
                           struct error *error)
{
    const char *brace = memchr(mark, '}', (size_t)(end - mark));
    enum plan_secret_kind kind;
    size_t name_bytes;
    if (brace == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE,
                         "'${' has no '}' behind it; give ${env:NAME} or ${file:PATH}");
    *reference = (struct secret_reference){mark, (size_t)(brace + 1 - mark)};
    const char *name = name_of(reference, &kind, &name_bytes);
    if (is_good_name(name, name_bytes, kind))
        return true;
    char copy[SHOWN_BYTES / 4], shown[SHOWN_BYTES];
    snprintf(copy, sizeof copy, "%.*s", (int)reference->bytes, reference->text);
    return error_set(error, ERROR_PLAN, PLACE_NONE, "'%s' names no %s; give %s",
                     harmless_text(copy, shown, sizeof shown),
                     kind == SECRET_OF_FILE ? "file" : "variable of the environment",
                     kind == SECRET_OF_FILE ? "${file:PATH}" : "${env:NAME}");
}

static bool is_the_same(const struct plan_secret *secret, const struct secret_reference *reference)
{
    return strlen(secret->reference) == reference->bytes &&
           memcmp(secret->reference, reference->text, reference->bytes) == 0;
}

const struct plan_secret *plan_secret_find(const struct plan *plan,
                                           const struct secret_reference *reference)
{
    for (uint32_t i = 0; i < plan->secret_count; i++)
        if (is_the_same(&plan->secrets[i], reference))
            return &plan->secrets[i];
    return NULL;
}

/* A value of a file ends before the line's end that editors put there. */
static size_t without_line_end(const char *value, size_t bytes)
{
    if (bytes > 0 && value[bytes - 1] == '\n')
        bytes--;
    if (bytes > 0 && value[bytes - 1] == '\r')
        bytes--;
    return bytes;
}

static bool get_value(const struct reading *reading, const struct secret_reference *reference,
                      struct plan_secret *secret, struct error *error)
{
    enum plan_secret_kind kind;
    size_t name_bytes, bytes = 0;
    const char *begin = name_of(reference, &kind, &name_bytes);
    char name[NAME_BYTES_MAX + 1];
    memcpy(name, begin, name_bytes);
    name[name_bytes] = '\0';
    if (reading->files == NULL || reading->files->secret == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "there are no secrets here");
    if (!reading->files->secret(reading->files->context, kind, name, SECRET_BYTES_MAX,
                                &secret->value, &bytes, error))
        return false;
    if (kind == SECRET_OF_FILE)
        bytes = without_line_end(secret->value, bytes);
    secret->value_bytes = (uint32_t)bytes;
    return bytes > 0 || error_set(error, ERROR_PLAN, PLACE_NONE, "it is empty");
}

/* One more, or what is wrong with it. */
static bool add(struct reading *reading, const struct secret_reference *reference,
                struct error *error)
{
    struct plan *plan = reading->plan;
    if (plan->secret_count == SECRETS_MAX)
        return error_set(error, ERROR_LIMIT, PLACE_NONE, "more than %u secrets", SECRETS_MAX);
    struct plan_secret *secret = &plan->secrets[plan->secret_count];
    secret->reference = strndup(reference->text, reference->bytes);
    if (secret->reference == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "out of memory reading the plan");
    plan->secret_count++; /* tried once, whatever comes of it */
    return get_value(reading, reference, secret, error);
}

void plan_secret_load(struct reading *reading, const char *what, struct place place,
                      const char *text, size_t text_bytes)
{
    const char *end = text + text_bytes;
    const char *mark;
    struct secret_reference reference;
    while ((mark = plan_secret_mark(text, (size_t)(end - text))) != NULL) {
        struct error error = {0};
        char shown[SHOWN_BYTES], copy[SHOWN_BYTES / 4];
        if (!plan_secret_reference(mark, end, &reference, &error))
            return; /* who reads the text as a template says so */
        text = mark + reference.bytes;
        if (plan_secret_find(reading->plan, &reference) != NULL || add(reading, &reference, &error))
            continue;
        snprintf(copy, sizeof copy, "%.*s", (int)reference.bytes, reference.text);
        plan_errors_add(reading->errors, error.kind, place, "%s: %s: %s", what,
                        harmless_text(copy, shown, sizeof shown), error.message);
    }
}

void plan_secret_forget(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->secret_count; i++) {
        struct plan_secret *secret = &plan->secrets[i];
        if (secret->value != NULL)
            explicit_bzero(secret->value, secret->value_bytes);
        free(secret->value);
        free(secret->reference);
    }
    plan->secret_count = 0;
}
