/* Apart from oracles.c: the headers of both parsers define the same names. */
#include "oracles.h"

#include <llhttp.h>

struct heard {
    bool head;
    bool done;
    struct opinion opinion;
};

static int headers_complete(llhttp_t *parser)
{
    const struct heard *heard = parser->data;
    return heard->head && parser->status_code >= 200 ? 1 : 0;
}

static int message_complete(llhttp_t *parser)
{
    struct heard *heard = parser->data;
    if (parser->status_code >= 100 && parser->status_code < 200)
        return 0;
    heard->done = true;
    heard->opinion.status = parser->status_code;
    heard->opinion.reusable = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

struct opinion ask_llhttp(const uint8_t *bytes, size_t count, size_t split, bool head)
{
    struct heard heard = {.head = head};
    llhttp_t parser;
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = headers_complete;
    settings.on_message_complete = message_complete;
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = &heard;
    size_t consumed = 0;
    while (consumed < count && !heard.done) {
        size_t end = consumed < split ? split : count;
        const char *from = (const char *)bytes + consumed;
        llhttp_errno_t error = llhttp_execute(&parser, from, end - consumed);
        if (heard.done)
            consumed += (size_t)(llhttp_get_error_pos(&parser) - from);
        else if (error != HPE_OK)
            return (struct opinion){.judgement = JUDGED_FAILED, .why = llhttp_errno_name(error)};
        else
            consumed = end;
    }
    if (heard.done) {
        heard.opinion.judgement = JUDGED_DONE;
        heard.opinion.consumed = consumed;
        return heard.opinion;
    }
    llhttp_finish(&parser);
    return (struct opinion){.judgement = JUDGED_MORE, .until_close = heard.done};
}
