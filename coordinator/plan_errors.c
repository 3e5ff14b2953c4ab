#include "coordinator/plan_errors.h"

#include <stdio.h>
#include <string.h>

static bool comes_after(struct place a, struct place b)
{
    return a.line != b.line ? a.line > b.line : a.column > b.column;
}

bool plan_errors_add(struct plan_errors *errors, enum error_kind kind, struct place place,
                     const char *format, ...)
{
    uint32_t at = errors->count;
    while (at > 0 && comes_after(errors->items[at - 1].place, place))
        at--;
    if (errors->count == PLAN_ERRORS_MAX) {
        errors->more = true;
        if (at == PLAN_ERRORS_MAX)
            return false;
    } else {
        errors->count++;
    }
    memmove(&errors->items[at + 1], &errors->items[at],
            (errors->count - 1 - at) * sizeof errors->items[0]);

    struct error *error = &errors->items[at];
    *error = (struct error){.kind = kind, .place = place};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}
