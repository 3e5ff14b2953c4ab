#include "coordinator/plan_template.h"

#include "coordinator/plan_command.h"
#include "coordinator/plan_headers.h"
#include "coordinator/plan_secret.h"
#include "coordinator/template.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LENGTH_SLOTS 1u /* of a body, or of a word */

/* The child of `map` called `word`, in whatever letters. */
static const struct node *find(const struct node *map, const char *word, size_t word_bytes)
{
    const struct node *node = map != NULL && map->kind == NODE_MAP ? map->first : NULL;
    while (node != NULL &&
           (strlen(node->key) != word_bytes || strncasecmp(node->key, word, word_bytes) != 0))
        node = node->next;
    return node;
}

static struct place place_of(const struct node *node)
{
    return node != NULL ? node->place : PLACE_NONE;
}

static void check(struct reading *reading, enum template_use use, const char *what,
                  struct place place, const char *text, size_t text_bytes)
{
    struct error error = {0};
    plan_secret_load(reading, what, place, text, text_bytes);
    if (template_is_one(text, text_bytes) &&
        !template_check(reading->plan, use, text, text_bytes, &error))
        plan_errors_add(reading->errors, error.kind, place, "%s: %s", what, error.message);
}

/* Those headers that stand in `map`: others were checked where they stand. No map: made from flags,
 * and all are of this plan. */
static void check_headers(struct reading *reading, const char *what, const struct node *map,
                          bool flags, const char *headers)
{
    struct header header;
    while (headers != NULL && header_next(&headers, &header)) {
        const struct node *node = find(map, header.name, header.name_bytes);
        if (node != NULL || flags)
            check(reading, TEMPLATE_HEADER, what, place_of(node), header.value, header.value_bytes);
    }
}

static void check_command(struct reading *reading, const struct node *node,
                          const struct plan_request *request)
{
    struct command_word word;
    const char *at = request->send;
    const char *end = request->send != NULL ? at + request->send_bytes : NULL;
    while (at != NULL && command_next(&at, end, &word))
        check(reading, TEMPLATE_BODY, "requests.command", place_of(node_find(node, "command")),
              word.text, word.bytes);
}

static void check_request(struct reading *reading, const struct plan_request *request,
                          const struct node *node)
{
    char what[32];
    if (request->path != NULL && request->method != NULL) {
        const struct node *path = find(node, request->method, strlen(request->method));
        snprintf(what, sizeof what, "requests.%s", path != NULL ? path->key : "get");
        check(reading, TEMPLATE_PATH, what, place_of(path), request->path, strlen(request->path));
    }
    check_headers(reading, "requests.headers", node_find(node, "headers"), false, request->headers);
    check(reading, TEMPLATE_BODY, "requests.body", place_of(node_find(node, "body")),
          request->body != NULL ? request->body : "", request->body_bytes);
    if (reading->plan->scheme == SCHEME_REDIS) {
        check_command(reading, node, request);
        return;
    }
    check(reading, TEMPLATE_BODY, "requests.send", place_of(node_find(node, "send")),
          request->send != NULL ? request->send : "", request->send_bytes);
}

static uint32_t slots_of(const struct plan *plan, enum template_use use, const char *text,
                         size_t text_bytes)
{
    size_t literal_bytes;
    return text != NULL ? template_measure(plan, use, text, text_bytes, &literal_bytes) : 0;
}

/* A word of a command has its length before it, as a body has. */
static uint32_t slots_of_command(const struct plan *plan, const struct plan_request *request)
{
    uint32_t count = 0;
    struct command_word word;
    const char *at = request->send;
    const char *end = request->send != NULL ? at + request->send_bytes : NULL;
    while (at != NULL && command_next(&at, end, &word)) {
        uint32_t slots = slots_of(plan, TEMPLATE_BODY, word.text, word.bytes);
        count += slots > 0 ? slots + LENGTH_SLOTS : 0;
    }
    return count;
}

static uint32_t count_slots(const struct plan *plan, const struct plan_request *request)
{
    uint32_t count = slots_of(plan, TEMPLATE_BODY, request->body, request->body_bytes);
    if (count > 0)
        count += LENGTH_SLOTS;
    count += plan->scheme == SCHEME_REDIS
                 ? slots_of_command(plan, request)
                 : slots_of(plan, TEMPLATE_BODY, request->send, request->send_bytes);
    if (request->path != NULL)
        count += slots_of(plan, TEMPLATE_PATH, request->path, strlen(request->path));
    struct header header;
    const char *at = request->headers;
    while (at != NULL && header_next(&at, &header))
        count += slots_of(plan, TEMPLATE_HEADER, header.value, header.value_bytes);
    return count;
}

void plan_template_check(struct reading *reading, const struct node *root)
{
    struct plan *plan = reading->plan;
    const struct node *common = node_find(node_find(root, "http"), "headers");
    const struct node *list = node_find(root, "requests");
    check_headers(reading, "http.headers", common, root == NULL, plan->headers);
    const struct node *node = list != NULL && list->kind == NODE_LIST ? list->first : NULL;
    for (uint32_t i = 0; i < plan->request_count; i++) {
        check_request(reading, &plan->requests[i], node);
        node = node != NULL ? node->next : NULL;
    }
    if (reading->errors->count > 0)
        return; /* what is not understood can't be counted */
    for (uint32_t i = 0; i < plan->request_count; i++)
        plan->slot_count += count_slots(plan, &plan->requests[i]);
    if (plan->slot_count > SLOTS_MAX)
        plan_errors_add(reading->errors, ERROR_LIMIT, list != NULL ? list->place : PLACE_NONE,
                        "requests have %u templates together, each header of http.headers counted "
                        "for each request; give at most %u",
                        plan->slot_count, SLOTS_MAX);
}
