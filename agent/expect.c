#include "agent/expect.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

/* A text to be found in a body: after `matched` bytes of it and another one than the next,
 * borders[matched] bytes of it still match. */
struct text {
    const uint8_t *bytes;
    uint32_t count;
    uint32_t *borders; /* [count + 1] */
};

struct rules {
    uint16_t status; /* 0: see classes */
    uint32_t class_count, header_count, text_count;
    const struct assignment_expectation *classes[EXPECT_ITEMS_MAX];
    const struct assignment_expectation *headers[EXPECT_ITEMS_MAX];
    struct text texts[EXPECT_TEXTS_MAX];
    bool sized;
    uint64_t least, most; /* bytes of the body */
};
static_assert(EXPECT_ITEMS_MAX + EXPECT_TEXTS_MAX <= 32, "a bit for each is in `met`");

struct expect {
    uint32_t request_count;
    struct rules rules[];
};

void expect_destroy(struct expect *expect)
{
    for (uint32_t i = 0; expect != NULL && i < expect->request_count; i++) {
        for (uint32_t j = 0; j < expect->rules[i].text_count; j++)
            free(expect->rules[i].texts[j].borders);
    }
    free(expect);
}

/* The longest proper border of each beginning of the text. */
static bool text_init(struct text *text, struct assignment_bytes wanted)
{
    text->bytes = wanted.bytes;
    text->count = (uint32_t)wanted.count;
    text->borders = calloc(wanted.count + 1, sizeof *text->borders);
    if (text->borders == NULL)
        return false;
    for (uint32_t i = 1, border = 0; i < text->count; i++) {
        while (border > 0 && text->bytes[i] != text->bytes[border])
            border = text->borders[border];
        border += text->bytes[i] == text->bytes[border];
        text->borders[i + 1] = border;
    }
    return true;
}

static bool add_text(struct rules *rules, struct assignment_bytes wanted, struct error *error)
{
    if (!text_init(&rules->texts[rules->text_count], wanted))
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for expectations");
    rules->text_count++;
    return true;
}

/* One more expectation of a request. */
static bool add(struct rules *rules, const struct assignment_expectation *wanted,
                struct error *error)
{
    uint32_t most = wanted->kind == EXPECT_BODY ? EXPECT_TEXTS_MAX : EXPECT_ITEMS_MAX;
    uint32_t *count = wanted->kind == EXPECT_BODY     ? &rules->text_count
                      : wanted->kind == EXPECT_HEADER ? &rules->header_count
                                                      : &rules->class_count;
    bool empty = wanted->kind == EXPECT_BODY
                     ? wanted->text.count == 0
                     : wanted->kind == EXPECT_HEADER && wanted->name.count == 0;
    if (empty)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "an expectation of an empty text");
    if (wanted->kind == EXPECT_BODY_BYTES) {
        rules->sized = true;
        rules->least = wanted->least;
        rules->most = wanted->most;
        return true;
    }
    if (*count == most)
        return error_set(error, ERROR_PLAN, PLACE_NONE,
                         "a request with more than %u expectations of one kind", most);
    if (wanted->kind == EXPECT_BODY)
        return add_text(rules, wanted->text, error);
    if (wanted->kind == EXPECT_HEADER)
        rules->headers[*count] = wanted;
    else
        rules->classes[*count] = wanted;
    (*count)++;
    return true;
}

struct expect *expect_create(const struct assignment *assignment, struct error *error)
{
    uint32_t count = assignment->request_count;
    struct expect *expect = calloc(1, sizeof *expect + count * sizeof expect->rules[0]);
    if (expect == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for expectations");
        return NULL;
    }
    expect->request_count = count;
    for (uint32_t i = 0; i < count; i++)
        expect->rules[i].status = assignment->requests[i].expect_status;
    for (uint32_t i = 0; i < assignment->expectation_count; i++) {
        const struct assignment_expectation *wanted = &assignment->expectations[i];
        CHECK(wanted->request < count);
        if (!add(&expect->rules[wanted->request], wanted, error)) {
            expect_destroy(expect);
            return NULL;
        }
    }
    return expect;
}

bool expect_wants_headers(const struct expect *expect, uint32_t request)
{
    return expect->rules[request].header_count > 0;
}

bool expect_wants_body(const struct expect *expect, uint32_t request)
{
    return expect->rules[request].text_count > 0 || expect->rules[request].sized;
}

void expect_header(const struct expect *expect, uint32_t request, struct expect_answer *answer,
                   const struct header_field *field)
{
    const struct rules *rules = &expect->rules[request];
    for (uint32_t i = 0; i < rules->header_count; i++) {
        const struct assignment_expectation *wanted = rules->headers[i];
        if (header_field_is(field, (const char *)wanted->name.bytes, wanted->name.count) &&
            memmem(field->value, field->value_count, wanted->text.bytes, wanted->text.count) !=
                NULL)
            answer->met |= UINT32_C(1) << i;
    }
}

/* How many bytes of the text match behind `bytes[count]`, of which `matched` did before. */
static uint32_t find(const struct text *text, uint32_t matched, const uint8_t *bytes, size_t count)
{
    const uint8_t *end = bytes + count;
    for (const uint8_t *at = bytes; at < end && matched < text->count; at++) {
        if (matched == 0 && (at = memchr(at, text->bytes[0], (size_t)(end - at))) == NULL)
            return 0;
        while (matched > 0 && *at != text->bytes[matched])
            matched = text->borders[matched];
        matched += *at == text->bytes[matched];
    }
    return matched;
}

void expect_body(const struct expect *expect, uint32_t request, struct expect_answer *answer,
                 const uint8_t *bytes, size_t count)
{
    const struct rules *rules = &expect->rules[request];
    answer->body_bytes += count;
    for (uint32_t i = 0; i < rules->text_count; i++) {
        const struct text *text = &rules->texts[i];
        answer->matched[i] = find(text, answer->matched[i], bytes, count);
        if (answer->matched[i] == text->count)
            answer->met |= UINT32_C(1) << (rules->header_count + i);
    }
}

bool expect_status(const struct expect *expect, uint32_t request, uint16_t status)
{
    const struct rules *rules = &expect->rules[request];
    if (rules->status != 0)
        return status == rules->status;
    for (uint32_t i = 0; i < rules->class_count; i++) {
        if (status >= rules->classes[i]->least && status <= rules->classes[i]->most)
            return true;
    }
    return rules->class_count == 0 && status < 400;
}

bool expect_met(const struct expect *expect, uint32_t request, const struct expect_answer *answer)
{
    const struct rules *rules = &expect->rules[request];
    uint32_t count = rules->header_count + rules->text_count;
    uint32_t all = count == 32 ? UINT32_MAX : (UINT32_C(1) << count) - 1;
    bool fits =
        !rules->sized || (answer->body_bytes >= rules->least && answer->body_bytes <= rules->most);
    return answer->met == all && fits;
}
