#include "agent/http2.h"

#include "agent/engine_shared.h"
#include "agent/http2_request.h"
#include "common/base/check.h"
#include "common/base/limits.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As much as HTTP/2 has in steps of a power of two: a stream's, and that of all together. nghttp2
 * opens them again when half is used up, which is hundreds of megabytes. */
#define WINDOW_BYTES ((1u << 30) - 1u)
/* A header block is handed on in pieces of at most so much. */
#define HEAD_BYTES 4096u

struct talk {
    struct carrier *carrier;
    const struct shared_settings *settings;
    nghttp2_session *session;
    const uint8_t *pulled; /* of nghttp2, good until it is asked for more: not handed on yet */
    size_t pulled_count;
    size_t head_count;
    uint8_t head[HEAD_BYTES]; /* of the header block that is coming, as HTTP/1.1 */
};

/* How far the answer on a stream is. */
enum phase {
    PHASE_HEAD,    /* none of it has come, or interim answers alone */
    PHASE_INTERIM, /* within one of those */
    PHASE_FINAL,   /* within the header block of the answer itself */
    PHASE_BODY,    /* as long as it said */
    PHASE_CHUNKS,
    PHASE_RESET, /* by the target */
};

static struct seat *seat_of(struct talk *talk, int32_t stream)
{
    return stream > 0 ? nghttp2_session_get_stream_user_data(talk->session, stream) : NULL;
}

/* The answer as HTTP/1.1 */

/* Hands on what has gathered. */
static void hand_on_head(struct talk *talk, struct seat *seat)
{
    size_t count = talk->head_count;
    talk->head_count = 0;
    if (count > 0)
        seat_answer(seat, talk->head, count, false);
}

static void put_head(struct talk *talk, int32_t stream, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    struct seat *seat;
    while (count > 0 && (seat = seat_of(talk, stream)) != NULL) {
        size_t room = HEAD_BYTES - talk->head_count;
        size_t part = count < room ? count : room;
        memcpy(talk->head + talk->head_count, from, part);
        talk->head_count += part;
        from += part;
        count -= part;
        if (talk->head_count == HEAD_BYTES)
            hand_on_head(talk, seat);
    }
}

static void put_text(struct talk *talk, int32_t stream, const char *text)
{
    put_head(talk, stream, text, strlen(text));
}

static void put_status(struct talk *talk, int32_t stream, struct seat *seat, const uint8_t *value,
                       size_t count)
{
    seat->phase = value[0] == '1' ? PHASE_INTERIM : PHASE_FINAL;
    seat->has_length = false;
    put_text(talk, stream, "HTTP/1.1 ");
    put_head(talk, stream, value, count);
    put_text(talk, stream, " \r\n");
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    (void)frame;
    struct talk *talk = context;
    talk->head_count = 0; /* blocks do not mix: RFC 9113, 4.3 */
    return 0;
}

/* nghttp2 has checked names and values: no line of ours can be made by them. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *context)
{
    static const char length[] = "content-length";
    (void)session;
    (void)flags;
    struct talk *talk = context;
    int32_t stream = frame->hd.stream_id;
    struct seat *seat = seat_of(talk, stream);
    if (seat == NULL)
        return 0;
    if (seat->phase == PHASE_HEAD && name_bytes > 0 && name[0] == ':') {
        put_status(talk, stream, seat, value, value_bytes);
    } else if (seat->phase == PHASE_INTERIM || seat->phase == PHASE_FINAL) {
        if (name_bytes == sizeof length - 1 && memcmp(name, length, name_bytes) == 0)
            seat->has_length = true;
        put_head(talk, stream, name, name_bytes);
        put_text(talk, stream, ": ");
        put_head(talk, stream, value, value_bytes);
        put_text(talk, stream, "\r\n");
    }
    return 0;
}

/* The block is whole: what comes behind it. */
static void end_head(struct talk *talk, int32_t stream, bool last)
{
    struct seat *seat = seat_of(talk, stream);
    if (seat == NULL)
        return;
    if (seat->phase == PHASE_INTERIM) {
        seat->phase = PHASE_HEAD;
        put_text(talk, stream, "\r\n");
    } else if (seat->phase == PHASE_FINAL) {
        bool chunks = !seat->has_length && !last;
        seat->phase = chunks ? PHASE_CHUNKS : PHASE_BODY;
        if (chunks)
            put_text(talk, stream, "transfer-encoding: chunked\r\n");
        else if (!seat->has_length)
            put_text(talk, stream, "content-length: 0\r\n");
        put_text(talk, stream, "\r\n");
    }
    if ((seat = seat_of(talk, stream)) != NULL)
        hand_on_head(talk, seat);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t count, void *context)
{
    (void)session;
    (void)flags;
    struct talk *talk = context;
    struct seat *seat = seat_of(talk, stream);
    if (seat == NULL || count == 0)
        return 0;
    if (seat->phase != PHASE_CHUNKS) {
        seat_answer(seat, bytes, count, false);
        return 0;
    }
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", count);
    seat_answer(seat, (const uint8_t *)size, strlen(size), false);
    if ((seat = seat_of(talk, stream)) != NULL)
        seat_answer(seat, bytes, count, false);
    if ((seat = seat_of(talk, stream)) != NULL)
        seat_answer(seat, (const uint8_t *)"\r\n", 2, false);
    return 0;
}

/* The stream is no seat's any more: it may end as it likes. */
static void let_go(struct talk *talk, struct seat *seat)
{
    nghttp2_session_set_stream_user_data(talk->session, seat->stream, NULL);
    seat->stream = 0;
}

/* The target has said all it has to say on the stream. */
static void end_answer(struct talk *talk, int32_t stream)
{
    static const char last_chunk[] = "0\r\n\r\n";
    struct seat *seat = seat_of(talk, stream);
    if (seat == NULL)
        return;
    bool chunks = seat->phase == PHASE_CHUNKS;
    if (seat->body_left > 0)
        nghttp2_submit_rst_stream(talk->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR);
    let_go(talk, seat);
    seat_answer(seat, (const uint8_t *)last_chunk, chunks ? sizeof last_chunk - 1 : 0, true);
}

/* Frames */

static void take_settings(struct talk *talk)
{
    uint32_t streams =
        nghttp2_session_get_remote_settings(talk->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    carrier_ready(talk->carrier, streams > 0 ? streams : 1); /* 0 is "not now": one waits for it */
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct talk *talk = context;
    bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
            take_settings(talk);
        break;
    case NGHTTP2_GOAWAY:
        carrier_leave(talk->carrier);
        break;
    case NGHTTP2_RST_STREAM:
        if (seat_of(talk, frame->hd.stream_id) != NULL)
            seat_of(talk, frame->hd.stream_id)->phase = PHASE_RESET;
        break;
    case NGHTTP2_HEADERS:
        end_head(talk, frame->hd.stream_id, last);
        if (last)
            end_answer(talk, frame->hd.stream_id);
        break;
    case NGHTTP2_DATA:
        if (last)
            end_answer(talk, frame->hd.stream_id);
        break;
    default:
        break;
    }
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct seat *seat =
        frame->hd.type == NGHTTP2_HEADERS ? seat_of(context, frame->hd.stream_id) : NULL;
    if (seat != NULL)
        seat_written(seat);
    return 0;
}

static int on_stream_end(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    (void)session;
    struct talk *talk = context;
    struct seat *seat = seat_of(talk, stream);
    if (seat == NULL)
        return 0;
    bool reset = seat->phase == PHASE_RESET;
    let_go(talk, seat);
    if (code == NGHTTP2_REFUSED_STREAM)
        seat_refused(seat);
    else /* if the target did not, nghttp2 ended it, for what it said is no answer */
        seat_ended(seat, reset ? ECONNRESET : engine_error(FAILURE_MALFORMED));
    return 0;
}

/* Life */

static bool set_callbacks(nghttp2_session_callbacks **callbacks)
{
    if (nghttp2_session_callbacks_new(callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(*callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(*callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(*callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(*callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(*callbacks, on_stream_end);
    return true;
}

/* nghttp2 itself bounds what a hostile target can make it keep: pings and settings to be answered,
 * continuations, the size of a field. */
static bool make_session(struct talk *talk)
{
    static const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, RESPONSE_HEADER_BYTES_MAX},
    };
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool made = set_callbacks(&callbacks) && nghttp2_option_new(&option) == 0;
    if (made) {
        nghttp2_option_set_no_closed_streams(option,
                                             1); /* their memory, for a tree of priorities */
        made = nghttp2_session_client_new2(&talk->session, callbacks, talk, option) == 0;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return made &&
           nghttp2_submit_settings(talk->session, NGHTTP2_FLAG_NONE, entries, COUNT(entries)) ==
               0 &&
           nghttp2_session_set_local_window_size(talk->session, NGHTTP2_FLAG_NONE, 0,
                                                 WINDOW_BYTES) == 0;
}

static void http2_end(void *state)
{
    struct talk *talk = state;
    nghttp2_session_del(talk->session);
    free(talk);
}

static void *http2_begin(struct carrier *carrier, const struct shared_settings *settings)
{
    struct talk *talk = malloc(sizeof *talk);
    if (talk == NULL)
        return NULL;
    talk->carrier = carrier;
    talk->settings = settings;
    talk->session = NULL;
    talk->pulled_count = talk->head_count = 0;
    if (!make_session(talk)) {
        http2_end(talk);
        return NULL;
    }
    return talk;
}

static int http2_received(void *state, const uint8_t *bytes, size_t count)
{
    struct talk *talk = state;
    ssize_t taken = nghttp2_session_mem_recv(talk->session, bytes, count);
    return taken < 0 ? engine_error(FAILURE_MALFORMED) : 0;
}

/* Requests */

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)source;
    struct seat *seat = seat_of(context, stream);
    if (seat == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* the bytes are not there any more */
    size_t count = room < seat->body_left ? room : seat->body_left;
    memcpy(buffer, seat->body, count);
    seat->body += count;
    seat->body_left -= count;
    if (seat->body_left == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static nghttp2_nv field_of(const struct http2_field *field)
{
    /* nghttp2 writes through neither. Values stay until they are sent; names it copies, for it
     * turns them into small letters. */
    return (nghttp2_nv){(uint8_t *)(uintptr_t)field->name, (uint8_t *)(uintptr_t)field->value,
                        field->name_bytes, field->value_bytes, NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static int http2_ask(void *state, struct seat *seat)
{
    struct talk *talk = state;
    struct http2_request request;
    if (!http2_request_read(seat->bytes, seat->byte_count,
                            talk->settings->secure ? "https" : "http", &request))
        return engine_error(FAILURE_SEND);
    nghttp2_nv fields[HTTP2_FIELDS_MAX];
    for (uint32_t i = 0; i < request.field_count; i++)
        fields[i] = field_of(&request.fields[i]);
    seat->phase = PHASE_HEAD;
    seat->body = request.body;
    seat->body_left = request.body_bytes;
    const nghttp2_data_provider provider = {.read_callback = read_body};
    int32_t stream = nghttp2_submit_request(talk->session, NULL, fields, request.field_count,
                                            request.body_bytes > 0 ? &provider : NULL, seat);
    if (stream < 0)
        return stream == NGHTTP2_ERR_NOMEM ? ENOMEM : EPIPE;
    seat->stream = stream;
    return 0;
}

static void http2_forget(void *state, struct seat *seat, bool answered)
{
    struct talk *talk = state;
    int32_t stream = seat->stream;
    CHECK(stream > 0);
    let_go(talk, seat);
    if (!answered || seat->body_left > 0)
        nghttp2_submit_rst_stream(talk->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

static size_t http2_pull(void *state, uint8_t *bytes, size_t room)
{
    struct talk *talk = state;
    size_t count = 0;
    while (count < room) {
        if (talk->pulled_count == 0) {
            ssize_t pulled = nghttp2_session_mem_send(talk->session, &talk->pulled);
            if (pulled <= 0)
                break; /* no memory: the requests' deadlines end them */
            talk->pulled_count = (size_t)pulled;
        }
        size_t part = talk->pulled_count < room - count ? talk->pulled_count : room - count;
        memcpy(bytes + count, talk->pulled, part);
        talk->pulled += part;
        talk->pulled_count -= part;
        count += part;
    }
    return count;
}

static bool http2_over(void *state)
{
    struct talk *talk = state;
    return talk->pulled_count == 0 && !nghttp2_session_want_read(talk->session) &&
           !nghttp2_session_want_write(talk->session);
}

const struct protocol protocol_http2 = {
    .name = "http2",
    .begin = http2_begin,
    .end = http2_end,
    .received = http2_received,
    .ask = http2_ask,
    .forget = http2_forget,
    .pull = http2_pull,
    .over = http2_over,
};
