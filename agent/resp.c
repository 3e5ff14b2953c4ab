#include "agent/resp.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <string.h>

/* Where the next byte belongs. */
enum step {
    STEP_TYPE,
    STEP_TEXT,   /* up to a CR */
    STEP_NUMBER, /* likewise, but digits */
    STEP_LF,     /* behind the CR of a line */
    STEP_BODY,   /* of a string: body_left bytes */
    STEP_BODY_CR,
    STEP_BODY_LF,
};

enum shape { SHAPE_NONE, SHAPE_TEXT, SHAPE_INTEGER, SHAPE_STRING, SHAPE_LIST };

/* What follows the first byte of a value. */
static const struct {
    enum shape shape;
    uint8_t per_item; /* values of a list for each that its number counts */
    bool may_be_null; /* its number may be -1, which is RESP2's null */
    bool ahead;       /* of a value, and none itself */
} types[256] = {
    ['+'] = {.shape = SHAPE_TEXT},
    ['-'] = {.shape = SHAPE_TEXT},
    ['_'] = {.shape = SHAPE_TEXT},
    ['#'] = {.shape = SHAPE_TEXT},
    [','] = {.shape = SHAPE_TEXT},
    ['('] = {.shape = SHAPE_TEXT},
    [':'] = {.shape = SHAPE_INTEGER},
    ['$'] = {.shape = SHAPE_STRING, .may_be_null = true},
    ['!'] = {.shape = SHAPE_STRING},
    ['='] = {.shape = SHAPE_STRING},
    ['*'] = {.shape = SHAPE_LIST, .per_item = 1, .may_be_null = true},
    ['~'] = {.shape = SHAPE_LIST, .per_item = 1},
    ['%'] = {.shape = SHAPE_LIST, .per_item = 2},
    ['>'] = {.shape = SHAPE_LIST, .per_item = 1, .ahead = true},
    ['|'] = {.shape = SHAPE_LIST, .per_item = 2, .ahead = true},
};

enum verdict { GO_ON, MALFORMED, TOO_LARGE };

void resp_begin(struct resp_answer *answer)
{
    *answer = (struct resp_answer){.values_left = 1, .step = STEP_TYPE};
}

static void end_value(struct resp_answer *answer)
{
    answer->values_left--;
    answer->step = STEP_TYPE;
}

static enum verdict type_byte(struct resp_answer *answer, uint8_t byte)
{
    if (types[byte].shape == SHAPE_NONE)
        return MALFORMED;
    if (answer->values_left == 1 && !answer->begun && !types[byte].ahead) {
        answer->begun = true;
        answer->is_error = byte == '-' || byte == '!';
    }
    answer->type = byte;
    answer->number = 0;
    answer->digits = false;
    answer->sign = 0;
    answer->line_bytes = 0;
    answer->step = types[byte].shape == SHAPE_TEXT ? STEP_TEXT : STEP_NUMBER;
    return GO_ON;
}

static enum verdict number_byte(struct resp_answer *answer, uint8_t byte)
{
    if (byte == '\r') {
        answer->step = STEP_LF;
        return answer->digits ? GO_ON : MALFORMED;
    }
    if (!answer->digits && answer->sign == 0 &&
        (byte == '-' || (byte == '+' && answer->type == ':'))) {
        answer->sign = byte;
        return GO_ON;
    }
    if (byte < '0' || byte > '9')
        return MALFORMED;
    answer->digits = true;
    if (answer->type == ':')
        return GO_ON; /* nobody asks for its value */
    answer->number = answer->number * 10 + (uint64_t)(byte - '0');
    return answer->number <= REPLY_STRING_BYTES_MAX ? GO_ON : TOO_LARGE;
}

static enum verdict begin_list(struct resp_answer *answer)
{
    uint64_t values = answer->number * types[answer->type].per_item;
    if (values + answer->values_left > REPLY_VALUES_MAX)
        return TOO_LARGE;
    answer->values_left += values;
    if (types[answer->type].ahead)
        answer->step = STEP_TYPE;
    else
        end_value(answer);
    return GO_ON;
}

/* The line that began a value is whole. */
static enum verdict end_line(struct resp_answer *answer)
{
    enum shape shape = types[answer->type].shape;
    if (shape == SHAPE_TEXT || shape == SHAPE_INTEGER) {
        end_value(answer);
        return GO_ON;
    }
    if (answer->sign == '-') {
        end_value(answer);
        return answer->number == 1 && types[answer->type].may_be_null ? GO_ON : MALFORMED;
    }
    if (shape == SHAPE_LIST)
        return begin_list(answer);
    answer->body_left = answer->number;
    answer->step = answer->body_left > 0 ? STEP_BODY : STEP_BODY_CR;
    return GO_ON;
}

static enum verdict take_byte(struct resp_answer *answer, uint8_t byte)
{
    switch ((enum step)answer->step) {
    case STEP_TYPE:
        return type_byte(answer, byte);
    case STEP_TEXT:
        if (byte == '\r')
            answer->step = STEP_LF;
        return byte == '\n' ? MALFORMED : GO_ON;
    case STEP_NUMBER:
        return number_byte(answer, byte);
    case STEP_LF:
        return byte == '\n' ? end_line(answer) : MALFORMED;
    case STEP_BODY_CR:
        answer->step = STEP_BODY_LF;
        return byte == '\r' ? GO_ON : MALFORMED;
    case STEP_BODY_LF:
        end_value(answer);
        return byte == '\n' ? GO_ON : MALFORMED;
    case STEP_BODY:
        break;
    }
    CHECK(false); /* skip_body() took it */
    return MALFORMED;
}

/* Nobody looks at the bytes of a string. */
static size_t skip_body(struct resp_answer *answer, size_t count)
{
    if (count > answer->body_left)
        count = (size_t)answer->body_left;
    answer->body_left -= count;
    if (answer->body_left == 0)
        answer->step = STEP_BODY_CR;
    return count;
}

enum resp_outcome resp_feed(struct resp_answer *answer, const uint8_t *bytes, size_t count,
                            size_t *consumed, enum failure *failure)
{
    CHECK(answer->values_left > 0);

    size_t at = 0;
    enum verdict verdict = GO_ON;
    while (at < count && answer->values_left > 0 && verdict == GO_ON) {
        if (answer->step == STEP_BODY) {
            at += skip_body(answer, count - at);
            continue;
        }
        verdict = take_byte(answer, bytes[at++]);
        if (++answer->line_bytes > RESPONSE_LINE_BYTES_MAX && verdict == GO_ON)
            verdict = TOO_LARGE;
    }
    *consumed = at;
    if (verdict != GO_ON) {
        *failure = verdict == MALFORMED ? FAILURE_MALFORMED : FAILURE_TOO_LARGE;
        return RESP_FAILED;
    }
    return answer->values_left == 0 ? RESP_DONE : RESP_MORE;
}
