#include "agent/target_request.h"

#include "common/base/check.h"

#include <string.h>
#include <strings.h>

#define DIGITS_MAX     18u /* of a length: more may not fit 64 bits, and nobody sends so much */
#define HEX_DIGITS_MAX 15u /* the same of a chunk's size */

/* Lines are taken when they are whole, content as it comes. */
enum step {
    STEP_REQUEST_LINE,
    STEP_HEADER,
    STEP_CONTENT,    /* of a Content-Length */
    STEP_CHUNK_SIZE, /* a line */
    STEP_CHUNK,      /* content */
    STEP_CHUNK_END,  /* an empty line */
    STEP_TRAILER,    /* lines after the last chunk, up to an empty one */
    STEP_WHOLE,
};

/* A piece of the caller's bytes. */
struct piece {
    const char *bytes;
    size_t count;
};

void target_request_begin(struct target_request *request)
{
    /* Not all of form[], which is long. */
    memset(request, 0, offsetof(struct target_request, form));
    request->form[0] = '\0';
}

static bool bad(struct target_request *request, uint16_t status)
{
    request->status = status;
    return false;
}

static bool is_text(struct piece piece, const char *text)
{
    return piece.count == strlen(text) && memcmp(piece.bytes, text, piece.count) == 0;
}

static bool is_word(struct piece piece, const char *word)
{
    return piece.count == strlen(word) && strncasecmp(piece.bytes, word, piece.count) == 0;
}

static void skip(struct piece *rest, size_t count)
{
    rest->bytes += count;
    rest->count -= count;
}

/* Cuts off what stands before the first `mark`, and the mark; all of it when there is none. */
static struct piece cut(struct piece *rest, char mark)
{
    const char *at = rest->count > 0 ? memchr(rest->bytes, mark, rest->count) : NULL;
    size_t count = at != NULL ? (size_t)(at - rest->bytes) : rest->count;
    struct piece front = {rest->bytes, count};
    skip(rest, at != NULL ? count + 1 : count);
    return front;
}

/* Cuts off a line without its end, CR LF or, as RFC 9112 section 2.2 permits, LF. False: it is not
 * whole. */
static bool cut_line(struct piece *rest, struct piece *line)
{
    if (rest->count == 0 || memchr(rest->bytes, '\n', rest->count) == NULL)
        return false;
    *line = cut(rest, '\n');
    if (line->count > 0 && line->bytes[line->count - 1] == '\r')
        line->count--;
    return true;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct piece trim(struct piece piece)
{
    while (piece.count > 0 && is_blank(piece.bytes[0]))
        skip(&piece, 1);
    while (piece.count > 0 && is_blank(piece.bytes[piece.count - 1]))
        piece.count--;
    return piece;
}

static void keep_form(struct target_request *request, struct piece piece)
{
    if (request->page != TARGET_PAGE_KNOBS)
        return;
    size_t room = sizeof request->form - 1 - request->form_bytes;
    size_t count = piece.count < room ? piece.count : room;
    memcpy(request->form + request->form_bytes, piece.bytes, count);
    request->form_bytes += (uint32_t)count;
    request->form[request->form_bytes] = '\0';
    request->form_is_cut = request->form_is_cut || count < piece.count;
}

static uint8_t method_of(struct piece word)
{
    if (is_text(word, "GET"))
        return TARGET_GET;
    if (is_text(word, "HEAD"))
        return TARGET_HEAD;
    return is_text(word, "POST") ? TARGET_POST : TARGET_OTHER;
}

static uint8_t page_of(struct piece path)
{
    if (is_text(path, "/stats"))
        return TARGET_PAGE_STATS;
    return is_text(path, "/knobs") ? TARGET_PAGE_KNOBS : TARGET_PAGE_LOAD;
}

static bool take_request_line(struct target_request *request, struct piece line)
{
    if (line.count == 0)
        return true; /* RFC 9112, section 2.2: an empty line before a request is passed over. */
    struct piece method = cut(&line, ' '), query = cut(&line, ' ');
    bool is_http = line.count == 8 && memcmp(line.bytes, "HTTP/", 5) == 0;
    if (method.count == 0 || query.count == 0 || !is_http)
        return bad(request, 400);
    request->version_1_0 = is_text(line, "HTTP/1.0");
    if (!request->version_1_0 && !is_text(line, "HTTP/1.1"))
        return bad(request, 505);
    request->keep_alive = !request->version_1_0;
    request->method = method_of(method);
    request->page = page_of(cut(&query, '?'));
    keep_form(request, query);
    keep_form(request, (struct piece){"&", 1});
    request->step = STEP_HEADER;
    return true;
}

static bool take_length(struct target_request *request, struct piece value)
{
    uint64_t length = 0;
    if (value.count > DIGITS_MAX)
        return bad(request, 413);
    for (size_t i = 0; i < value.count; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9')
            return bad(request, 400);
        length = length * 10 + (uint64_t)(value.bytes[i] - '0');
    }
    /* Two lengths that differ are how a request is smuggled past a proxy: RFC 9112, section 6.3. */
    if (value.count == 0 || (request->has_length && request->body_left != length))
        return bad(request, 400);
    request->has_length = true;
    request->body_left = length;
    return true;
}

static void take_connection(struct target_request *request, struct piece value)
{
    while (value.count > 0) {
        struct piece option = trim(cut(&value, ','));
        if (is_word(option, "close"))
            request->keep_alive = false;
        else if (is_word(option, "keep-alive"))
            request->keep_alive = true;
    }
}

/* The empty line after the last header: what comes now? */
static bool end_head(struct target_request *request)
{
    if (request->has_length && request->chunked)
        return bad(request, 400);
    if (request->chunked)
        request->step = STEP_CHUNK_SIZE;
    else
        request->step = request->body_left > 0 ? STEP_CONTENT : STEP_WHOLE;
    request->wants_continue = request->wants_continue && request->step != STEP_WHOLE;
    return true;
}

static bool take_header(struct target_request *request, struct piece line)
{
    if (line.count == 0)
        return end_head(request);
    struct piece name = cut(&line, ':'), value = trim(line);
    if (is_word(name, "content-length"))
        return take_length(request, value);
    if (is_word(name, "transfer-encoding")) {
        request->chunked = is_word(value, "chunked");
        return request->chunked || bad(request, 501);
    }
    if (is_word(name, "expect"))
        request->wants_continue = is_word(value, "100-continue");
    else if (is_word(name, "connection"))
        take_connection(request, value);
    return true;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool take_chunk_size(struct target_request *request, struct piece line)
{
    struct piece digits = trim(cut(&line, ';'));
    if (digits.count == 0 || digits.count > HEX_DIGITS_MAX)
        return bad(request, digits.count == 0 ? 400 : 413);
    request->body_left = 0;
    for (size_t i = 0; i < digits.count; i++) {
        if (hex_value(digits.bytes[i]) < 0)
            return bad(request, 400);
        request->body_left = request->body_left * 16 + (uint64_t)hex_value(digits.bytes[i]);
    }
    request->step = request->body_left > 0 ? STEP_CHUNK : STEP_TRAILER;
    return true;
}

static bool take_chunk_end(struct target_request *request, struct piece line)
{
    if (line.count > 0)
        return bad(request, 400);
    request->step = STEP_CHUNK_SIZE;
    return true;
}

static bool take_line(struct target_request *request, struct piece line)
{
    switch ((enum step)request->step) {
    case STEP_REQUEST_LINE:
        return take_request_line(request, line);
    case STEP_HEADER:
        return take_header(request, line);
    case STEP_CHUNK_SIZE:
        return take_chunk_size(request, line);
    case STEP_CHUNK_END:
        return take_chunk_end(request, line);
    default:
        CHECK(request->step == STEP_TRAILER);
        request->step = line.count > 0 ? STEP_TRAILER : STEP_WHOLE;
        return true;
    }
}

static void take_content(struct target_request *request, struct piece *rest)
{
    size_t count = rest->count < request->body_left ? rest->count : (size_t)request->body_left;
    keep_form(request, (struct piece){rest->bytes, count});
    skip(rest, count);
    request->body_left -= count;
    if (request->body_left == 0)
        request->step = request->step == STEP_CHUNK ? STEP_CHUNK_END : STEP_WHOLE;
}

/* One step on; false: that needs more bytes, or `status` says what is wrong. */
static bool advance(struct target_request *request, struct piece *rest)
{
    if (request->step == STEP_CONTENT || request->step == STEP_CHUNK) {
        take_content(request, rest);
        return request->step == STEP_WHOLE || rest->count > 0;
    }
    bool in_head = request->step <= STEP_HEADER;
    struct piece line, before = *rest;
    bool is_whole = cut_line(rest, &line);
    size_t line_bytes = before.count - rest->count;
    if (!is_whole)
        return before.count >= TARGET_HEAD_BYTES_MAX ? bad(request, in_head ? 431 : 400) : false;
    request->head_bytes += in_head ? (uint32_t)line_bytes : 0;
    if (request->head_bytes > TARGET_HEAD_BYTES_MAX)
        return bad(request, 431);
    return take_line(request, line);
}

enum target_request_outcome target_request_feed(struct target_request *request, const char *bytes,
                                                size_t count, size_t *consumed)
{
    CHECK(request->step != STEP_WHOLE);
    CHECK(request->status == 0);
    struct piece rest = {bytes, count};
    while (request->step != STEP_WHOLE && advance(request, &rest)) {
    }
    *consumed = count - rest.count;
    if (request->status != 0)
        return TARGET_REQUEST_BAD;
    return request->step == STEP_WHOLE ? TARGET_REQUEST_WHOLE : TARGET_REQUEST_MORE;
}
