#include "agent/http1.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <string.h>

/* Where the next byte belongs. Those up to STEP_LINE_STEPS are parts of a line, which has a bound.
 */
enum step {
    STEP_VERSION, /* "HTTP/1." */
    STEP_MINOR,
    STEP_MINOR_END,
    STEP_STATUS,
    STEP_STATUS_END,
    STEP_LINE, /* the first byte of a header line, or the end of the block */
    STEP_NAME,
    STEP_LENGTH,     /* the value of Content-Length */
    STEP_LENGTH_END, /* blanks behind it */
    STEP_WORDS,      /* the value of Transfer-Encoding or Connection */
    STEP_TEXT,       /* a reason, or the value of any other header */
    STEP_LINE_LF,    /* after a CR */
    STEP_BLOCK_LF,   /* after a CR that stands alone on its line */
    STEP_CHUNK_SIZE, /* its first digit */
    STEP_CHUNK_DIGITS,
    STEP_CHUNK_BLANK, /* blanks behind it: old servers fill up with them */
    STEP_CHUNK_EXTENSION,
    STEP_CHUNK_LF,
    STEP_CHUNK_DATA_CR, /* behind the bytes of a chunk */
    STEP_CHUNK_DATA_LF,
    STEP_LINE_STEPS,
    STEP_BODY, /* body_left bytes */
    STEP_CHUNK,
    STEP_BODY_TO_CLOSE,
    STEP_DONE,
};

/* What one byte of a line led to. */
enum verdict { GO_ON, LINE_ENDS, BLOCK_ENDS, CHUNK_BEGINS, MALFORMED, TOO_LARGE };

enum word {
    WORD_NONE,
    WORD_CONTENT_LENGTH,
    WORD_TRANSFER_ENCODING,
    WORD_CONNECTION,
    WORD_CHUNKED,
    WORD_CLOSE,
    WORD_KEEP_ALIVE,
};

static const struct {
    const char *text;
    uint8_t length;
} words[] = {
    [WORD_CONTENT_LENGTH] = {"content-length", 14},
    [WORD_TRANSFER_ENCODING] = {"transfer-encoding", 17},
    [WORD_CONNECTION] = {"connection", 10},
    [WORD_CHUNKED] = {"chunked", 7},
    [WORD_CLOSE] = {"close", 5},
    [WORD_KEEP_ALIVE] = {"keep-alive", 10},
};

#define WORD_BROKEN UINT8_MAX /* `matched`: these bytes are another word */

/* The characters of a header's name: tchar of RFC 9110, 5.6.2. */
static const bool is_name[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true, ['0'] = true, ['1'] = true, ['2'] = true,
    ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true,
    ['9'] = true, ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true,
    ['F'] = true, ['G'] = true, ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true,
    ['L'] = true, ['M'] = true, ['N'] = true, ['O'] = true, ['P'] = true, ['Q'] = true,
    ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true, ['V'] = true, ['W'] = true,
    ['X'] = true, ['Y'] = true, ['Z'] = true, ['a'] = true, ['b'] = true, ['c'] = true,
    ['d'] = true, ['e'] = true, ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true,
    ['j'] = true, ['k'] = true, ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true,
    ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true,
    ['v'] = true, ['w'] = true, ['x'] = true, ['y'] = true, ['z'] = true,
};

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_control(uint8_t byte)
{
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

void http1_begin(struct http1_response *response, bool head)
{
    *response = (struct http1_response){.step = STEP_VERSION, .head = head};
}

/* One more byte of the word that is being matched. */
static void match(struct http1_response *response, uint8_t byte)
{
    if (response->matched == WORD_BROKEN)
        return;
    if (response->matched < words[response->word].length &&
        lower(byte) == (uint8_t)words[response->word].text[response->matched]) {
        response->matched++;
    } else {
        response->matched = WORD_BROKEN;
    }
}

static bool is_matched(const struct http1_response *response)
{
    return response->word != WORD_NONE && response->matched == words[response->word].length;
}

/* The byte that ends a value, or follows it: a CR, an LF, or one that may not be there. */
static enum verdict end_of_value(struct http1_response *response, uint8_t byte)
{
    if (byte == '\r') {
        response->step = STEP_LINE_LF;
        return GO_ON;
    }
    return byte == '\n' ? LINE_ENDS : MALFORMED;
}

static enum verdict status_byte(struct http1_response *response, uint8_t byte)
{
    static const char version[] = "HTTP/1.";
    switch (response->step) {
    case STEP_VERSION:
        if (byte != (uint8_t)version[response->matched])
            return MALFORMED;
        if (++response->matched == sizeof version - 1)
            response->step = STEP_MINOR;
        return GO_ON;
    case STEP_MINOR:
        response->version_1_0 = byte == '0';
        response->step = STEP_MINOR_END;
        return byte >= '0' && byte <= '9' ? GO_ON : MALFORMED;
    case STEP_MINOR_END:
        response->matched = 0;
        response->step = STEP_STATUS;
        return byte == ' ' ? GO_ON : MALFORMED;
    case STEP_STATUS:
        if (byte < '0' || byte > '9')
            return MALFORMED;
        response->status = (uint16_t)(response->status * 10 + (byte - '0'));
        if (++response->matched < 3)
            return GO_ON;
        response->step = STEP_STATUS_END;
        return response->status < 100 || response->status > 599 || response->status == 101
                   ? MALFORMED
                   : GO_ON;
    default:
        if (byte == ' ') {
            response->step = STEP_TEXT;
            return GO_ON;
        }
        return end_of_value(response, byte);
    }
}

/* The first byte of a line in a header block. */
static enum verdict line_byte(struct http1_response *response, uint8_t byte)
{
    if (byte == '\r') {
        response->step = STEP_BLOCK_LF;
        return GO_ON;
    }
    if (byte == '\n')
        return BLOCK_ENDS;
    if (!is_name[byte]) /* a blank too: the line before is not to be continued */
        return MALFORMED;
    if (++response->header_count > RESPONSE_HEADERS_MAX)
        return TOO_LARGE;
    response->step = STEP_NAME;
    response->matched = 1;
    response->word = WORD_NONE;
    if (lower(byte) == 'c')
        response->word = WORD_CONTENT_LENGTH;
    else if (lower(byte) == 't')
        response->word = WORD_TRANSFER_ENCODING;
    if (response->trailer)
        response->word = WORD_NONE;
    return GO_ON;
}

/* A header's name is whole: its value comes. */
static void begin_value(struct http1_response *response)
{
    enum word name = is_matched(response) ? response->word : WORD_NONE;
    response->matched = 0;
    response->number = 0;
    switch (name) {
    case WORD_CONTENT_LENGTH:
        response->step = STEP_LENGTH;
        break;
    case WORD_TRANSFER_ENCODING:
        response->coded = true;
        response->word = WORD_CHUNKED;
        response->step = STEP_WORDS;
        break;
    case WORD_CONNECTION:
        response->word = WORD_CLOSE;
        response->step = STEP_WORDS;
        break;
    default:
        response->step = STEP_TEXT;
        break;
    }
}

static enum verdict name_byte(struct http1_response *response, uint8_t byte)
{
    if (byte == ':') {
        begin_value(response);
        return GO_ON;
    }
    if (!is_name[byte])
        return MALFORMED;
    if (response->word == WORD_NONE)
        return GO_ON;
    /* Both begin with "con"; the fourth letter tells them apart. */
    if (response->word == WORD_CONTENT_LENGTH && response->matched == 3 && lower(byte) == 'n')
        response->word = WORD_CONNECTION;
    match(response, byte);
    if (response->matched == WORD_BROKEN)
        response->word = WORD_NONE;
    return GO_ON;
}

static enum verdict end_of_length(struct http1_response *response)
{
    if (response->matched == 0)
        return MALFORMED; /* no digit at all */
    if (response->has_length && response->body_left != response->number)
        return MALFORMED;
    response->has_length = true;
    response->body_left = response->number;
    return GO_ON;
}

static enum verdict length_byte(struct http1_response *response, uint8_t byte)
{
    if (byte >= '0' && byte <= '9' && response->step == STEP_LENGTH) {
        uint64_t digit = (uint64_t)(byte - '0');
        if (response->number > (UINT64_MAX - digit) / 10)
            return MALFORMED;
        response->number = response->number * 10 + digit;
        response->matched = 1;
        return GO_ON;
    }
    if (is_blank(byte)) {
        if (response->matched > 0)
            response->step = STEP_LENGTH_END;
        return GO_ON;
    }
    enum verdict verdict = end_of_value(response, byte);
    return verdict == MALFORMED || end_of_length(response) == MALFORMED ? MALFORMED : verdict;
}

/* One word of a list is whole. */
static enum verdict end_of_word(struct http1_response *response)
{
    bool empty = response->matched == 0;
    bool whole = is_matched(response);
    response->matched = 0;
    if (response->word != WORD_CHUNKED) {
        response->close |= whole && response->word == WORD_CLOSE;
        response->keep_alive |= whole && response->word == WORD_KEEP_ALIVE;
        return GO_ON;
    }
    if (empty)
        return GO_ON;
    if (response->chunked)
        return MALFORMED; /* chunked is the last coding, and once only */
    response->chunked = whole;
    return GO_ON;
}

static enum verdict words_byte(struct http1_response *response, uint8_t byte)
{
    if (byte == ',')
        return end_of_word(response);
    if (byte == '\r' || byte == '\n') {
        enum verdict verdict = end_of_word(response);
        return verdict == GO_ON ? end_of_value(response, byte) : verdict;
    }
    if (is_control(byte))
        return MALFORMED;
    if (is_blank(byte) && (response->matched == 0 || is_matched(response)))
        return GO_ON;
    if (response->matched == 0 && response->word != WORD_CHUNKED)
        response->word = lower(byte) == 'k' ? WORD_KEEP_ALIVE : WORD_CLOSE;
    match(response, byte);
    return GO_ON;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    uint8_t letter = lower(byte);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static enum verdict chunk_size_byte(struct http1_response *response, uint8_t byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0 && response->step != STEP_CHUNK_BLANK) {
        if (response->number >> 60 != 0)
            return MALFORMED;
        response->number = response->number << 4 | (uint64_t)digit;
        response->step = STEP_CHUNK_DIGITS;
        return GO_ON;
    }
    if (response->step == STEP_CHUNK_SIZE)
        return MALFORMED;
    if (is_blank(byte))
        response->step = STEP_CHUNK_BLANK;
    else if (byte == ';')
        response->step = STEP_CHUNK_EXTENSION;
    else if (byte == '\r')
        response->step = STEP_CHUNK_LF;
    else
        return MALFORMED;
    return GO_ON;
}

static enum verdict chunk_byte(struct http1_response *response, uint8_t byte)
{
    switch (response->step) {
    case STEP_CHUNK_EXTENSION:
        if (byte == '\r')
            response->step = STEP_CHUNK_LF;
        return byte == '\r' || !is_control(byte) ? GO_ON : MALFORMED;
    case STEP_CHUNK_LF:
        return byte == '\n' ? CHUNK_BEGINS : MALFORMED;
    case STEP_CHUNK_DATA_CR:
        response->step = STEP_CHUNK_DATA_LF;
        return byte == '\r' ? GO_ON : MALFORMED;
    case STEP_CHUNK_DATA_LF:
        response->step = STEP_CHUNK_SIZE;
        response->number = 0;
        return byte == '\n' ? GO_ON : MALFORMED;
    default:
        return chunk_size_byte(response, byte);
    }
}

static enum verdict take_byte(struct http1_response *response, uint8_t byte)
{
    switch (response->step) {
    case STEP_LINE:
        return line_byte(response, byte);
    case STEP_NAME:
        return name_byte(response, byte);
    case STEP_LENGTH:
    case STEP_LENGTH_END:
        return length_byte(response, byte);
    case STEP_WORDS:
        return words_byte(response, byte);
    case STEP_TEXT:
        return is_control(byte) ? end_of_value(response, byte) : GO_ON;
    case STEP_LINE_LF:
        return byte == '\n' ? LINE_ENDS : MALFORMED;
    case STEP_BLOCK_LF:
        return byte == '\n' ? BLOCK_ENDS : MALFORMED;
    default:
        return response->step < STEP_LINE ? status_byte(response, byte)
                                          : chunk_byte(response, byte);
    }
}

/* Most bytes of a header block mean nothing to us: these two run over them. The test for a byte
 * below 0x20 in eight at once is from "Bit Twiddling Hacks" (Anderson), hasless(); 0x7f is left to
 * the loop. */
static const uint8_t *skip_text(const uint8_t *at, const uint8_t *stop)
{
    const uint64_t ones = UINT64_MAX / 255;
    for (; stop - at >= 8; at += 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        uint64_t deleted = eight ^ (ones * 0x7f);
        uint64_t found = ((eight - ones * 0x20) & ~eight) | ((deleted - ones) & ~deleted);
        if ((found & (ones * 0x80)) != 0)
            break;
    }
    while (at < stop && !is_control(*at))
        at++;
    return at;
}

static const uint8_t *skip_name(struct http1_response *response, const uint8_t *at,
                                const uint8_t *stop)
{
    if (response->word == WORD_NONE) {
        while (at < stop && is_name[*at])
            at++;
        return at;
    }
    const char *text = words[response->word].text;
    uint8_t length = words[response->word].length;
    uint8_t matched = response->matched;
    while (at < stop && matched < length && lower(*at) == (uint8_t)text[matched]) {
        at++;
        matched++;
    }
    response->matched = matched;
    return at;
}

/* Nearly every answer begins like this: its first twelve bytes at once. */
static const uint8_t *skip_status(struct http1_response *response, const uint8_t *at,
                                  const uint8_t *stop)
{
    if (stop - at < 12 || response->matched > 0 || memcmp(at, "HTTP/1.1 2", 10) != 0)
        return at;
    uint8_t tens = (uint8_t)(at[10] - '0');
    uint8_t ones = (uint8_t)(at[11] - '0');
    if (tens > 9 || ones > 9)
        return at;
    response->status = (uint16_t)(200 + 10 * tens + ones);
    response->step = STEP_STATUS_END;
    return at + 12;
}

/* Runs over what needs no look at each byte alone; may do nothing. The verdict is the same without.
 */
static const uint8_t *skip(struct http1_response *response, const uint8_t *at, const uint8_t *stop)
{
    switch (response->step) {
    case STEP_VERSION:
        return skip_status(response, at, stop);
    case STEP_NAME:
        return skip_name(response, at, stop);
    case STEP_TEXT:
        return skip_text(at, stop);
    default:
        return at;
    }
}

/* Takes bytes of one line up to its end or `stop`. */
static enum verdict take_line(struct http1_response *response, const uint8_t **from,
                              const uint8_t *stop)
{
    const uint8_t *at = *from;
    enum verdict verdict = GO_ON;
    while (verdict == GO_ON && (at = skip(response, at, stop)) < stop)
        verdict = take_byte(response, *at++);
    *from = at;
    return verdict;
}

/* How many more bytes the present line may have. */
static size_t line_allowance(const struct http1_response *response)
{
    uint32_t line = RESPONSE_LINE_BYTES_MAX - response->line_bytes;
    uint32_t block = RESPONSE_HEADER_BYTES_MAX - response->header_bytes;
    return line < block ? line : block;
}

/* The header block has ended: what comes behind it. RFC 9112, 6.3. False: too many interim answers.
 */
static bool begin_body(struct http1_response *response)
{
    if (response->status < 200) {
        uint8_t interim = response->interim;
        http1_begin(response, response->head);
        response->interim = (uint8_t)(interim + 1);
        return response->interim <= RESPONSE_INTERIM_MAX;
    }
    response->close |= response->coded && (response->has_length || response->version_1_0);
    response->header_bytes = 0;
    response->number = 0;
    if (response->trailer || response->head || response->status == 204 || response->status == 304) {
        response->step = STEP_DONE;
    } else if (response->chunked) {
        response->step = STEP_CHUNK_SIZE;
    } else if (response->has_length && !response->coded) {
        response->step = response->body_left > 0 ? STEP_BODY : STEP_DONE;
    } else {
        response->step = STEP_BODY_TO_CLOSE;
        response->close = true;
    }
    return true;
}

static void begin_chunk(struct http1_response *response)
{
    response->body_left = response->number;
    response->header_bytes =
        0; /* a chunk's line is no part of the header block: only a line's bound holds */
    response->line_bytes = 0;
    response->step = STEP_CHUNK;
    if (response->body_left == 0) {
        response->trailer = true;
        response->header_count = 0;
        response->step = STEP_LINE;
    }
}

/* A part of a header line of the final answer. */
static void tell_header(const struct http1_response *response, const uint8_t *bytes, size_t count,
                        enum verdict verdict, const struct http1_sink *sink)
{
    bool header = response->step <= STEP_BLOCK_LF && response->header_count > 0 &&
                  response->status >= 200 && !response->trailer;
    if (header)
        sink->header(sink->context, bytes, count, verdict != GO_ON);
}

/* Takes bytes of lines. False: failed. */
static bool feed_line(struct http1_response *response, const uint8_t **at, const uint8_t *end,
                      enum failure *failure, const struct http1_sink *sink)
{
    const uint8_t *from = *at;
    size_t allowed = line_allowance(response);
    const uint8_t *stop = (size_t)(end - from) > allowed ? from + allowed : end;
    enum verdict verdict = take_line(response, at, stop);
    response->line_bytes += (uint32_t)(*at - from);
    response->header_bytes += (uint32_t)(*at - from);
    if (sink != NULL && sink->header != NULL)
        tell_header(response, from, (size_t)(*at - from), verdict, sink);

    bool good = true;
    switch (verdict) {
    case GO_ON:
        good = *at == end; /* else the line has used up what it may have */
        break;
    case LINE_ENDS:
        response->line_bytes = 0;
        response->step = STEP_LINE;
        break;
    case BLOCK_ENDS:
        response->line_bytes = 0;
        good = begin_body(response);
        break;
    case CHUNK_BEGINS:
        begin_chunk(response);
        break;
    case MALFORMED:
    case TOO_LARGE:
        good = false;
        break;
    }
    if (!good)
        *failure = verdict == MALFORMED ? FAILURE_MALFORMED : FAILURE_TOO_LARGE;
    return good;
}

/* Counts bytes of a body, which only a sink looks at. */
static void feed_body(struct http1_response *response, const uint8_t **at, const uint8_t *end,
                      const struct http1_sink *sink)
{
    size_t count = (size_t)(end - *at);
    if (response->step != STEP_BODY_TO_CLOSE && count > response->body_left)
        count = (size_t)response->body_left;
    if (sink != NULL && sink->body != NULL)
        sink->body(sink->context, *at, count);
    *at += count;
    if (response->step == STEP_BODY_TO_CLOSE)
        return;
    response->body_left -= count;
    if (response->body_left == 0)
        response->step = response->step == STEP_CHUNK ? STEP_CHUNK_DATA_CR : STEP_DONE;
}

/* Inlined twice, so that nobody pays for a sink that is not there. */
static inline enum http1_outcome feed(struct http1_response *response, const uint8_t *bytes,
                                      size_t count, size_t *consumed, enum failure *failure,
                                      const struct http1_sink *sink)
{
    CHECK(response->step != STEP_DONE);

    const uint8_t *at = bytes;
    const uint8_t *end = bytes + count;
    bool good = true;
    while (good && at < end && response->step != STEP_DONE) {
        if (response->step < STEP_LINE_STEPS)
            good = feed_line(response, &at, end, failure, sink);
        else
            feed_body(response, &at, end, sink);
    }
    *consumed = (size_t)(at - bytes);
    if (!good)
        return HTTP1_FAILED;
    return response->step == STEP_DONE ? HTTP1_DONE : HTTP1_MORE;
}

enum http1_outcome http1_feed(struct http1_response *response, const uint8_t *bytes, size_t count,
                              size_t *consumed, enum failure *failure)
{
    return feed(response, bytes, count, consumed, failure, NULL);
}

enum http1_outcome http1_feed_to(struct http1_response *response, const uint8_t *bytes,
                                 size_t count, size_t *consumed, enum failure *failure,
                                 const struct http1_sink *sink)
{
    return feed(response, bytes, count, consumed, failure, sink);
}

enum http1_outcome http1_end(struct http1_response *response, enum failure *failure)
{
    if (response->step == STEP_BODY_TO_CLOSE) {
        response->step = STEP_DONE;
        return HTTP1_DONE;
    }
    *failure = FAILURE_CLOSED;
    return HTTP1_FAILED;
}

bool http1_reusable(const struct http1_response *response)
{
    CHECK(response->step == STEP_DONE);

    return !response->close && (!response->version_1_0 || response->keep_alive);
}
