/* How many requests with templates a core makes in a second, without sending them.
 *
 *   bench_template
 */
#include "agent/template.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "coordinator/assign.h"
#include "coordinator/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENDERS 3000000u
#define HEAD                                                                                       \
    "version: 1\ntarget: http://127.0.0.1:8080\ngoal: {concurrency: 1}\nduration: 9s\n"            \
    "data: {users: {file: users.csv, order: random}}\n"

static const struct {
    const char *name, *text;
} plans[] = {
    {"a path with seq", HEAD "requests: [{get: '/p/{{ seq }}'}]\n"},
    {"a path with a row's value", HEAD "requests: [{get: '/users/{{ users.name }}'}]\n"},
    {"a body with two values, a number and its length",
     HEAD "requests: [{post: /buy, body: '{\"user\": \"{{ users.name }}\", \"id\": {{ users.id }}, "
          "\"n\": {{ random(1, 1000000) }}}'}]\n"},
    {"a header with a UUID", HEAD "requests: [{get: /, headers: {Request-Id: '{{ uuid }}'}}]\n"},
};

/* A thousand rows. */
static bool load(void *context, const char *name, size_t bytes_max, char **text, size_t *text_bytes,
                 struct error *error)
{
    (void)context;
    (void)name;
    (void)bytes_max;
    (void)error;
    FILE *stream = open_memstream(text, text_bytes);
    CHECK(stream != NULL);
    fputs("id,name\n", stream);
    for (int i = 0; i < 1000; i++)
        fprintf(stream, "%d,user %d\n", i, i);
    fclose(stream);
    return true;
}

static void bench(const char *name, const char *text)
{
    static struct plan_errors errors;
    static uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    static char texts[ASSIGNMENT_TEXT_BYTES];
    static struct assignment assignment;
    struct plan_files files = {.load = load};
    struct error error = {0};
    size_t byte_count;
    struct plan *plan = plan_read_with("bench", text, strlen(text), &files, &errors);
    CHECK(plan != NULL);
    CHECK(assign_from_plan(plan, bytes, &byte_count, &error));
    CHECK(assignment_decode(bytes, byte_count, texts, &assignment, &error));
    assignment.data[0].block = plan->data[0].block;
    struct templates *templates = templates_create(&assignment, &error);
    CHECK(templates != NULL);
    uint8_t *room = malloc(templates_room_bytes(templates));
    CHECK(room != NULL);

    size_t sum = 0;
    uint64_t from_ns = clock_thread_cpu_ns();
    for (uint64_t index = 0; index < RENDERS; index++)
        sum += templates_render(templates, 0, index, room).count;
    uint64_t took_ns = clock_thread_cpu_ns() - from_ns;

    printf("%-48s %6.1f ns, %5.2f million/s, %zu bytes\n", name, (double)took_ns / RENDERS,
           (double)RENDERS * 1e3 / (double)took_ns, sum / RENDERS);
    free(room);
    templates_destroy(templates);
    plan_destroy(plan);
}

int main(void)
{
    for (size_t i = 0; i < COUNT(plans); i++)
        bench(plans[i].name, plans[i].text);
    return 0;
}
