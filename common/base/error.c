#include "common/base/error.h"

#include "common/base/check.h"
#include "common/base/harmless.h"

#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, enum error_kind kind, struct place place, const char *format,
               ...)
{
    CHECK(kind != ERROR_NONE);
    if (error == NULL)
        return false;
    error->kind = kind;
    error->place = place;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return false;
    char sentence[ERROR_MESSAGE_BYTES];
    memcpy(sentence, error->message, sizeof sentence);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    int room = (int)sizeof error->message - length - (int)sizeof ": ";
    if (length >= 0 && room > 0)
        snprintf(error->message + length, sizeof error->message - (size_t)length, ": %.*s", room,
                 sentence);
    return false;
}

const char *error_text(const struct error *error, char *text, size_t text_bytes)
{
    char raw[ERROR_TEXT_BYTES];
    if (error->place.path != NULL && error->place.line > 0)
        snprintf(raw, sizeof raw, "%s:%u:%u: %s", error->place.path, error->place.line,
                 error->place.column, error->message);
    else if (error->place.path != NULL)
        snprintf(raw, sizeof raw, "%s: %s", error->place.path, error->message);
    else
        snprintf(raw, sizeof raw, "%s", error->message);
    return harmless_text(raw, text, text_bytes);
}
