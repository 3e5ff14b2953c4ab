#include "coordinator/plan_expect.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/plan_headers.h"
#include "coordinator/plan_secret.h"
#include "coordinator/plan_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define SHOWN_BYTES 48

static bool is_text(const struct node *node)
{
    return node->kind == NODE_SCALAR && strlen(node->text) == node->text_bytes;
}

/* "200", or "2xx" for all of its class. */
static bool read_status(const struct node *node, struct plan_status *status)
{
    if (!is_text(node) || node->text_bytes != 3 || node->text[0] < '1' || node->text[0] > '5')
        return false;
    uint16_t hundreds = (uint16_t)(100 * (node->text[0] - '0'));
    if (strcmp(node->text + 1, "xx") == 0) {
        *status = (struct plan_status){hundreds, (uint16_t)(hundreds + 99)};
        return true;
    }
    if (!isdigit((unsigned char)node->text[1]) || !isdigit((unsigned char)node->text[2]))
        return false;
    uint16_t code = (uint16_t)(hundreds + 10 * (node->text[1] - '0') + node->text[2] - '0');
    *status = (struct plan_status){code, code};
    return true;
}

static bool read_statuses(struct reading *reading, const struct plan_key *key,
                          const struct node *node, struct plan_statuses *statuses)
{
    const struct node *item = node->kind == NODE_LIST ? node->first : node;
    uint32_t count = node->kind == NODE_LIST ? node->count : 1;
    if (count == 0 || count > EXPECT_ITEMS_MAX)
        return plan_mistake(reading, key, node);
    for (uint32_t i = 0; i < count; i++) {
        if (!read_status(item, &statuses->items[i]))
            return plan_mistake(reading, key, item);
        item = item->next;
    }
    statuses->count = count;
    return true;
}

static bool read_header(struct reading *reading, const struct plan_key *key,
                        const struct node *node, char **headers)
{
    char shown[SHOWN_BYTES];
    const char *mistake = NULL;
    if (!is_text(node) || (node->text_bytes == 0 && !node->quoted))
        mistake = "give the text that its value contains, or \"\" for any value";
    else if (!header_is_name(node->key) || strlen(node->key) > NAME_BYTES_MAX)
        mistake = "a name is of letters, digits and !#$%&'*+-.^_`|~, and not longer than a line";
    else if (*headers != NULL && headers_have(*headers, node->key, strlen(node->key)))
        mistake = "it is there already, in other letters: a header may come once";
    else if (plan_secret_mark(node->text, node->text_bytes) != NULL)
        mistake = "its value holds a secret, and what an answer holds is none";
    else if (plan_text_is_unsafe(node->text, node->text_bytes))
        mistake = "its value holds a control character: give one line of text";
    if (mistake != NULL) {
        return plan_errors_add(reading->errors, ERROR_PLAN, node->key_place, "%s has '%s'; %s",
                               key->path, harmless_text(node->key, shown, sizeof shown), mistake);
    }
    return headers_add(headers, node->key, node->text) ||
           plan_errors_add(reading->errors, ERROR_MEMORY, node->place,
                           "out of memory reading the plan");
}

static bool read_headers(struct reading *reading, const struct plan_key *key,
                         const struct node *map, char **headers)
{
    if (map->kind != NODE_MAP || map->count == 0 || map->count > EXPECT_ITEMS_MAX)
        return plan_mistake(reading, key, map);
    bool good = true;
    for (const struct node *node = map->first; node != NULL; node = node->next) {
        if (node->kind != NODE_REFUSED && !read_header(reading, key, node, headers))
            good = false;
    }
    return good;
}

/* "512", "< 64KiB", ">= 1kB". */
static bool read_sizes(const struct node *node, struct plan_sizes *sizes)
{
    uint64_t bytes;
    if (!is_text(node))
        return false;
    const char *text = node->text;
    char sign = '=';
    if (text[0] == '<' || text[0] == '>')
        sign = *text++;
    bool inclusive = sign == '=' || text[0] == '=';
    if (sign != '=' && inclusive)
        text++;
    if (!units_read_size(text, &bytes))
        return false;
    if ((sign == '<' && !inclusive && bytes == 0) ||
        (sign == '>' && !inclusive && bytes == UINT64_MAX))
        return false; /* nothing is so small, or so large */
    sizes->given = true;
    sizes->least = sign == '<' ? 0 : bytes + (sign == '>' && !inclusive);
    sizes->most = sign == '>' ? UINT64_MAX : bytes - (sign == '<' && !inclusive);
    return true;
}

static bool read_bound(const struct plan_key *key, const struct node *node, uint64_t *duration_ns)
{
    return is_text(node) && units_read_duration(node->text, duration_ns) &&
           (double)*duration_ns >= key->minimum && (double)*duration_ns <= key->maximum;
}

/* "200ms", or "[100ms, 300ms]". */
static bool read_span(const struct plan_key *key, const struct node *node, struct plan_span *span)
{
    if (node->kind != NODE_LIST) {
        struct plan_span read;
        if (!read_bound(key, node, &read.least_ns))
            return false;
        *span = (struct plan_span){read.least_ns, read.least_ns};
        return true;
    }
    struct plan_span read;
    if (node->count != 2 || !read_bound(key, node->first, &read.least_ns) ||
        !read_bound(key, node->first->next, &read.most_ns) || read.least_ns > read.most_ns)
        return false;
    *span = read;
    return true;
}

bool plan_expect_read(struct reading *reading, const struct plan_key *key, const struct node *node,
                      void *field)
{
    switch (key->type) {
    case PLAN_STATUSES:
        return read_statuses(reading, key, node, field);
    case PLAN_EXPECTED:
        return read_headers(reading, key, node, field);
    case PLAN_SIZES:
        return read_sizes(node, field) || plan_mistake(reading, key, node);
    default:
        CHECK(key->type == PLAN_SPAN);
        return read_span(key, node, field) || plan_mistake(reading, key, node);
    }
}

bool plan_expect_given(const struct plan_key *key, const void *field)
{
    switch (key->type) {
    case PLAN_STATUSES:
        return ((const struct plan_statuses *)field)->count > 0;
    case PLAN_SIZES:
        return ((const struct plan_sizes *)field)->given;
    default:
        CHECK(key->type == PLAN_SPAN);
        return ((const struct plan_span *)field)->most_ns > 0;
    }
}

static void print_statuses(const struct plan_statuses *statuses, FILE *stream)
{
    if (statuses->count > 1)
        fputc('[', stream);
    for (uint32_t i = 0; i < statuses->count; i++) {
        const struct plan_status *status = &statuses->items[i];
        fputs(i > 0 ? ", " : "", stream);
        if (status->least == status->most)
            fprintf(stream, "%u", status->least);
        else
            fprintf(stream, "%uxx", status->least / 100u);
    }
    if (statuses->count > 1)
        fputc(']', stream);
}

static void print_sizes(const struct plan_sizes *sizes, FILE *stream)
{
    if (sizes->least == sizes->most)
        fprintf(stream, "%" PRIu64, sizes->most);
    else if (sizes->most == UINT64_MAX)
        fprintf(stream, "\">= %" PRIu64 "\"", sizes->least);
    else
        fprintf(stream, "\"<= %" PRIu64 "\"", sizes->most);
}

static const char *duration_text(uint64_t duration_ns, char *text)
{
    return duration_ns == 0 ? "0" : units_show_duration(duration_ns, text);
}

void plan_expect_print(const struct plan_key *key, const void *field, FILE *stream)
{
    const struct plan_span *span = field;
    char least[UNITS_TEXT_BYTES];
    char most[UNITS_TEXT_BYTES];
    if (key->type == PLAN_STATUSES)
        print_statuses(field, stream);
    else if (key->type == PLAN_SIZES)
        print_sizes(field, stream);
    else if (span->least_ns == span->most_ns)
        fputs(duration_text(span->most_ns, most), stream);
    else
        fprintf(stream, "[%s, %s]", duration_text(span->least_ns, least),
                duration_text(span->most_ns, most));
}

void plan_expect_check(struct reading *reading, const struct plan_request *request,
                       struct place place)
{
    bool head = request->method != NULL && strcmp(request->method, "HEAD") == 0;
    if (head && request->expect_body_bytes > 0) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "requests.expect.body_contains beside head, whose answer has no body; "
                        "expect a header, or give get");
    }
    if (reading->plan->cookies && request->headers != NULL &&
        headers_have(request->headers, "Cookie", strlen("Cookie"))) {
        plan_errors_add(reading->errors, ERROR_PLAN, place,
                        "a header Cookie beside http.cookies, which writes one; leave out one of "
                        "them");
    }
}

/* One status alone travels with the request, as it always has. */
static bool is_single(const struct plan_statuses *statuses)
{
    return statuses->count == 1 && statuses->items[0].least == statuses->items[0].most;
}

uint32_t plan_expect_count(const struct plan_request *request)
{
    uint32_t count = is_single(&request->expect_statuses) ? 0 : request->expect_statuses.count;
    struct header header;
    for (const char *at = request->expect_headers; at != NULL && header_next(&at, &header);)
        count++;
    return count + (request->expect_body_bytes > 0) + request->expect_sizes.given;
}

static struct assignment_expectation *one_more(struct assignment *assignment, uint32_t request,
                                               enum expectation_kind kind)
{
    CHECK(assignment->expectation_count < EXPECTATIONS_MAX);
    struct assignment_expectation *expectation =
        &assignment->expectations[assignment->expectation_count++];
    *expectation = (struct assignment_expectation){.request = request, .kind = kind};
    return expectation;
}

void plan_expect_assign(const struct plan_request *request, uint32_t index,
                        struct assignment *assignment)
{
    const struct plan_statuses *statuses = &request->expect_statuses;
    if (is_single(statuses))
        assignment->requests[index].expect_status = statuses->items[0].least;
    for (uint32_t i = 0; !is_single(statuses) && i < statuses->count; i++) {
        struct assignment_expectation *status = one_more(assignment, index, EXPECT_STATUS_CLASS);
        status->least = statuses->items[i].least;
        status->most = statuses->items[i].most;
    }
    struct header header;
    for (const char *at = request->expect_headers; header_next(&at, &header);) {
        struct assignment_expectation *wanted = one_more(assignment, index, EXPECT_HEADER);
        wanted->name = (struct assignment_bytes){(const uint8_t *)header.name, header.name_bytes};
        wanted->text = (struct assignment_bytes){(const uint8_t *)header.value, header.value_bytes};
    }
    if (request->expect_body_bytes > 0) {
        one_more(assignment, index, EXPECT_BODY)->text = (struct assignment_bytes){
            (const uint8_t *)request->expect_body, request->expect_body_bytes};
    }
    if (request->expect_sizes.given) {
        struct assignment_expectation *sizes = one_more(assignment, index, EXPECT_BODY_BYTES);
        sizes->least = request->expect_sizes.least;
        sizes->most = request->expect_sizes.most;
    }
}
