/* Any bytes as a plan: there is a plan or there are errors, in the order of the file; and a plan
 * that was read prints as one that reads back. */
#include "common/base/check.h"
#include "coordinator/plan.h"

#include <stdlib.h>
#include <string.h>

static void check_errors(const struct plan_errors *errors)
{
    CHECK(errors->count >= 1);
    CHECK(errors->count <= PLAN_ERRORS_MAX);
    for (uint32_t i = 0; i < errors->count; i++) {
        const struct place *place = &errors->items[i].place;
        CHECK(errors->items[i].kind == ERROR_PLAN || errors->items[i].kind == ERROR_LIMIT);
        CHECK(place->line >= 1);
        CHECK(i == 0 || place->line >= errors->items[i - 1].place.line);
    }
}

static char *print_plan(const struct plan *plan, size_t *text_bytes)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, text_bytes);
    CHECK(stream != NULL);
    plan_print(plan, stream);
    fclose(stream);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct plan_errors errors;
    errors = (struct plan_errors){0};
    struct plan *plan = plan_read("fuzz.yaml", (const char *)bytes, count, &errors);
    if (plan == NULL) {
        check_errors(&errors);
        return 0;
    }
    CHECK(errors.count == 0);

    size_t once_bytes;
    size_t twice_bytes;
    char *once = print_plan(plan, &once_bytes);
    struct plan *again = plan_read("fuzz.yaml", once, once_bytes, &errors);
    CHECK(again != NULL || once_bytes > PLAN_BYTES_MAX); /* escapes may make it longer */
    if (again != NULL) {
        char *twice = print_plan(again, &twice_bytes);
        CHECK(twice_bytes == once_bytes);
        CHECK(memcmp(once, twice, once_bytes) == 0);
        free(twice);
    }
    free(once);
    plan_destroy(again);
    plan_destroy(plan);
    return 0;
}
