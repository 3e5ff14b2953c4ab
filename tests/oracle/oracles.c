#include "oracles.h"

#include "agent/http1.h"
#include "common/base/check.h"

#include <http_parser.h>
#include <string.h>

bool opinions_agree(const struct opinion *one, const struct opinion *other)
{
    if (one->judgement != other->judgement)
        return false;
    switch (one->judgement) {
    case JUDGED_MORE:
        return one->until_close == other->until_close;
    case JUDGED_DONE:
        return one->consumed == other->consumed && one->status == other->status &&
               one->reusable == other->reusable;
    case JUDGED_FAILED:
        break;
    }
    return true; /* at which byte a parser sees that it is no answer is its own affair */
}

struct opinion ask_clobber(const uint8_t *bytes, size_t count, size_t split, bool head)
{
    struct http1_response response;
    enum http1_outcome outcome = HTTP1_MORE;
    enum failure failure = FAILURE_COUNT;
    size_t consumed = 0;
    http1_begin(&response, head);
    while (consumed < count && outcome == HTTP1_MORE) {
        size_t end = consumed < split ? split : count;
        size_t used = 0;
        outcome = http1_feed(&response, bytes + consumed, end - consumed, &used, &failure);
        consumed += used;
    }
    struct opinion opinion = {.judgement = JUDGED_FAILED, .stopped = consumed};
    if (outcome == HTTP1_DONE) {
        opinion = (struct opinion){.judgement = JUDGED_DONE,
                                   .consumed = consumed,
                                   .status = response.status,
                                   .reusable = http1_reusable(&response)};
    } else if (outcome == HTTP1_MORE) {
        opinion = (struct opinion){.judgement = JUDGED_MORE,
                                   .until_close = http1_end(&response, &failure) == HTTP1_DONE};
    }
    return opinion;
}

/* What the callbacks of http-parser know. An answer below 200 is not the one that is waited for. */
struct heard {
    bool head;
    bool done;
    struct opinion opinion;
};

static int http_parser_headers(http_parser *parser)
{
    const struct heard *heard = parser->data;
    return heard->head && parser->status_code >= 200 ? 1 : 0;
}

static int http_parser_done(http_parser *parser)
{
    struct heard *heard = parser->data;
    if (parser->status_code >= 100 && parser->status_code < 200)
        return 0;
    heard->done = true;
    heard->opinion.status = (uint16_t)parser->status_code;
    heard->opinion.reusable = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1);
    return 0;
}

struct opinion ask_http_parser(const uint8_t *bytes, size_t count, size_t split, bool head)
{
    struct heard heard = {.head = head};
    http_parser parser;
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_headers_complete = http_parser_headers;
    settings.on_message_complete = http_parser_done;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &heard;
    size_t consumed = 0;
    while (consumed < count && !heard.done) {
        size_t end = consumed < split ? split : count;
        consumed +=
            http_parser_execute(&parser, &settings, (const char *)bytes + consumed, end - consumed);
        if (!heard.done && (HTTP_PARSER_ERRNO(&parser) != HPE_OK || parser.upgrade))
            return (struct opinion){.judgement = JUDGED_FAILED,
                                    .why = http_errno_name(HTTP_PARSER_ERRNO(&parser))};
    }
    if (heard.done) {
        heard.opinion.judgement = JUDGED_DONE;
        heard.opinion.consumed = consumed;
        return heard.opinion;
    }
    http_parser_execute(&parser, &settings, NULL, 0);
    return (struct opinion){.judgement = JUDGED_MORE, .until_close = heard.done};
}
