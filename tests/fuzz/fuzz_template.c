/* Any bytes as the body of a request: there is an error, or each request has the length that it
 * says, whatever its index. */
#include "agent/template.h"
#include "common/base/check.h"
#include "coordinator/assign.h"
#include "coordinator/plan.h"

#include <stdlib.h>
#include <string.h>

static const char head[] =
    "version: 1\ntarget: http://h\ngoal: {concurrency: 1}\nduration: 9s\n"
    "vars: {token: \"a b\"}\ndata: {users: {file: users.csv, order: random}}\n"
    "requests: [{post: /, body: {file: body}}]\n";

struct shelf {
    const uint8_t *body;
    size_t body_bytes;
};

static bool load(void *context, const char *name, size_t bytes_max, char **text, size_t *text_bytes,
                 struct error *error)
{
    static const char users[] = "id,name\n1,ann\n22,\"b\n\"\n333,\n";
    const struct shelf *shelf = context;
    bool body = strcmp(name, "body") == 0;
    const void *source = body ? (const void *)shelf->body : users;
    *text_bytes = body ? shelf->body_bytes : sizeof users - 1;
    if (*text_bytes > bytes_max)
        return error_set(error, ERROR_LIMIT, PLACE_NONE, "too long");
    *text = calloc(1, *text_bytes + 1);
    CHECK(*text != NULL);
    if (*text_bytes > 0)
        memcpy(*text, source, *text_bytes);
    return true;
}

static void check_request(const struct templates *templates, uint64_t index)
{
    static const char name[] = "Content-Length: ";
    uint8_t *room = malloc(templates_room_bytes(templates) + 1);
    CHECK(room != NULL);
    struct assignment_bytes whole = templates_render(templates, 0, index, room);
    const uint8_t *length = memmem(whole.bytes, whole.count, name, sizeof name - 1);
    const uint8_t *body = memmem(whole.bytes, whole.count, "\r\n\r\n", 4);
    CHECK(length != NULL);
    CHECK(body != NULL);
    CHECK(strtoull((const char *)length + sizeof name - 1, NULL, 10) ==
          (size_t)(whole.bytes + whole.count - body - 4));
    free(room);
}

static void check_plan(const struct plan *plan)
{
    static uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    static char texts[ASSIGNMENT_TEXT_BYTES];
    static struct assignment assignment;
    size_t byte_count;
    struct error error = {0};
    if (!assign_from_plan(plan, bytes, &byte_count, &error)) {
        CHECK(error.kind == ERROR_LIMIT);
        return;
    }
    CHECK(assignment_decode(bytes, byte_count, texts, &assignment, &error));
    assignment.data[0].block = plan->data[0].block;
    struct templates *templates = templates_create(&assignment, &error);
    CHECK(templates != NULL);
    static const uint64_t indexes[] = {0, 1, 2, 99999, UINT64_MAX};
    for (size_t i = 0; i < COUNT(indexes); i++)
        check_request(templates, indexes[i]);
    templates_destroy(templates);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct plan_errors errors;
    struct shelf shelf = {bytes, count};
    struct plan_files files = {.context = &shelf, .load = load};
    errors = (struct plan_errors){0};
    struct plan *plan = plan_read_with("fuzz", head, sizeof head - 1, &files, &errors);
    if (plan == NULL) {
        CHECK(errors.count >= 1);
        CHECK(errors.items[0].kind == ERROR_PLAN || errors.items[0].kind == ERROR_LIMIT);
        return 0;
    }
    check_plan(plan);
    plan_destroy(plan);
    return 0;
}
