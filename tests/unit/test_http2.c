/* Workers who share connections of HTTP/2, against a server made of nghttp2's other half; every
 * test on each engine that works here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine_shared.h"
#include "agent/http2.h"
#include "common/base/check.h"
#include "common/base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKS_MAX   20000 /* of at most a millisecond: what has not come by then will not */
#define LINES       6
#define LINKS_MAX   16
#define ANSWER_MAX  4096
#define LARGE_BYTES 300000u
#define GET         "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"

static const struct engine_driver *base;

/* A worker, and what it was told. */
struct line {
    struct connection connection; /* first: the engine hands it back */
    unsigned connected, closed, unsent, renewed;
    bool joined;
    int error;
    char answer[ANSWER_MAX];
    size_t answer_bytes;
};

/* The server's side of one connection. */
struct link {
    int descriptor;
    nghttp2_session *session;
    struct server *server;
};

/* How the server behaves, and what it saw. */
struct server {
    int listener;
    struct link links[LINKS_MAX];
    uint32_t link_count;
    uint32_t streams_max; /* what it says; 0: nothing */
    const char *status, *length;
    const char *body; /* NULL: none */
    bool silent;      /* requests are not answered */
    bool interim;     /* 103 comes first */
    bool careless;    /* it may say what no server may say */
    uint32_t refuse;  /* so many requests: by GOAWAY */
    uint32_t reset;   /* so many requests, by RST_STREAM */
    uint32_t requests, resets;
    size_t body_bytes;
    char fields[512]; /* of the last request */
};

struct rig {
    struct server server;
    struct shared_settings settings;
    struct engine_driver driver;
    struct engine *engine;
    struct route route;
    struct line lines[LINES];
};

/* The server */

static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)stream;
    (void)context;
    size_t count = strlen(source->ptr);
    CHECK(count <= room);
    memcpy(buffer, source->ptr, count);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void answer(struct server *server, nghttp2_session *session, int32_t stream)
{
    nghttp2_nv interim = field(":status", "103");
    nghttp2_nv fields[] = {field(":status", server->status),
                           field("content-length", server->length != NULL ? server->length : "")};
    nghttp2_data_provider body = {.source.ptr = (void *)(uintptr_t)server->body,
                                  .read_callback = give_body};
    if (server->interim)
        nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, stream, NULL, &interim, 1, NULL);
    nghttp2_submit_response(session, stream, fields, server->length != NULL ? 2 : 1,
                            server->body != NULL ? &body : NULL);
}

static int on_request(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct server *server = ((struct link *)context)->server;
    int32_t stream = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        server->resets++;
    bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!ends || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    if (server->refuse > 0) {
        server->refuse--;
        nghttp2_session_terminate_session2(session, stream > 1 ? stream - 2 : 0, NGHTTP2_NO_ERROR);
        return 0;
    }
    server->requests++;
    if (server->reset > 0) {
        server->reset--;
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_INTERNAL_ERROR);
    } else if (!server->silent) {
        answer(server, session, stream);
    }
    return 0;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    (void)frame;
    ((struct link *)context)->server->fields[0] = '\0';
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                    void *context)
{
    (void)session;
    (void)frame;
    (void)flags;
    struct server *server = ((struct link *)context)->server;
    size_t used = strlen(server->fields);
    snprintf(server->fields + used, sizeof server->fields - used, "%.*s=%.*s;", (int)name_bytes,
             name, (int)value_bytes, value);
    return 0;
}

static int on_body(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t count, void *context)
{
    (void)session;
    (void)flags;
    (void)stream;
    (void)bytes;
    ((struct link *)context)->server->body_bytes += count;
    return 0;
}

static void greet(struct link *link)
{
    const struct server *server = link->server;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    CHECK(nghttp2_option_new(&option) == 0);
    nghttp2_option_set_no_http_messaging(option, server->careless);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_request);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
    CHECK(nghttp2_session_server_new2(&link->session, callbacks, link, option) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry streams = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server->streams_max};
    nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, &streams, server->streams_max > 0);
}

static void hang_up(struct link *link)
{
    if (link->descriptor >= 0)
        close(link->descriptor);
    nghttp2_session_del(link->session);
    link->descriptor = -1;
    link->session = NULL;
}

static void serve(struct link *link)
{
    uint8_t bytes[65536];
    const uint8_t *out;
    ssize_t count = -1;
    while (link->descriptor >= 0 && (count = read(link->descriptor, bytes, sizeof bytes)) > 0)
        CHECK(nghttp2_session_mem_recv(link->session, bytes, (size_t)count) == count);
    if (link->descriptor >= 0 && count == 0) {
        hang_up(link);
        return;
    }
    while (link->descriptor >= 0 && (count = nghttp2_session_mem_send(link->session, &out)) > 0)
        CHECK(send(link->descriptor, out, (size_t)count, MSG_NOSIGNAL) == count);
}

static void serve_all(struct server *server)
{
    int descriptor = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK);
    if (descriptor >= 0) {
        CHECK(server->link_count < LINKS_MAX);
        struct link *link = &server->links[server->link_count++];
        *link = (struct link){.descriptor = descriptor, .server = server};
        greet(link);
    }
    for (uint32_t i = 0; i < server->link_count; i++)
        serve(&server->links[i]);
}

/* The workers */

static void on_connected(void *context, struct connection *connection, int error)
{
    (void)context;
    struct line *line = (struct line *)connection;
    line->connected++;
    line->joined = connection->joined;
    line->error = error;
    assert_int_equal(connection->open, error == 0);
}

static void on_renewed(void *context, struct connection *connection)
{
    (void)context;
    ((struct line *)connection)->renewed++;
}

static void on_received(void *context, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    (void)context;
    struct line *line = (struct line *)connection;
    assert_true(connection->open);
    assert_true(line->answer_bytes + count < ANSWER_MAX);
    memcpy(line->answer + line->answer_bytes, bytes, count);
    line->answer_bytes += count;
    line->answer[line->answer_bytes] = '\0';
}

static void on_closed(void *context, struct connection *connection, int error)
{
    (void)context;
    struct line *line = (struct line *)connection;
    assert_false(connection->open);
    line->closed++;
    line->error = error;
}

static void on_unsent(void *context, struct connection *connection, int error)
{
    (void)context;
    struct line *line = (struct line *)connection;
    assert_false(connection->open);
    line->unsent++;
    line->error = error;
}

static const struct engine_listener listener = {
    .connected = on_connected,
    .renewed = on_renewed,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    CHECK(rig != NULL);
    struct error error = {0};
    uint32_t count;
    struct address addresses[ADDRESSES_MAX];
    CHECK(net_resolve("127.0.0.1", 0, addresses, &count, &error));
    rig->server = (struct server){.status = "200", .length = "2", .body = "ok"};
    rig->server.listener = net_listen(&addresses[0], false, 64, &error);
    CHECK(rig->server.listener >= 0);
    CHECK(net_resolve("127.0.0.1", net_port(rig->server.listener), addresses, &count, &error));
    rig->route.to = addresses[0];
    rig->settings =
        (struct shared_settings){.below = base, .protocol = &protocol_http2, .seats_max = 4};
    rig->driver = engine_shared;
    rig->driver.settings = &rig->settings;
    rig->engine = rig->driver.create(&rig->driver, &listener, rig, &error);
    assert_string_equal(error.message, "");
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < LINES; i++) {
        if (rig->lines[i].connection.open)
            rig->driver.close(rig->engine, &rig->lines[i].connection);
    }
    rig->driver.destroy(rig->engine);
    for (uint32_t i = 0; i < rig->server.link_count; i++)
        hang_up(&rig->server.links[i]);
    if (rig->server.listener >= 0)
        close(rig->server.listener);
    free(rig);
    return 0;
}

static void look(struct rig *rig)
{
    serve_all(&rig->server);
    rig->driver.wait(rig->engine, NS_PER_MS);
    while (!rig->driver.tell(rig->engine))
        rig->driver.wait(rig->engine, 0);
}

#define look_until(rig, condition)                                                                 \
    do {                                                                                           \
        for (unsigned looks = 0; !(condition) && looks < LOOKS_MAX; looks++)                       \
            look(rig);                                                                             \
        assert_true(condition);                                                                    \
    } while (0)

static void begin_connect(struct rig *rig, struct line *line)
{
    int error = 0;
    assert_true(rig->driver.connect(rig->engine, &line->connection, &rig->route, &error));
}

static void connect_lines(struct rig *rig, size_t count)
{
    for (size_t i = 0; i < count; i++)
        begin_connect(rig, &rig->lines[i]);
    for (size_t i = 0; i < count; i++)
        look_until(rig, rig->lines[i].connected == 1);
}

static void ask(struct rig *rig, struct line *line, const char *request)
{
    size_t count = strlen(request);
    line->answer_bytes = 0;
    line->answer[0] = '\0';
    assert_int_equal(
        rig->driver.send(rig->engine, &line->connection, (const uint8_t *)request, count), count);
}

static bool is_answered(const struct line *line, const char *answer)
{
    return strcmp(line->answer, answer) == 0;
}

#define OK_ANSWER "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok"

/* Answers */

static void a_request_of_http_1_is_answered_in_http_1(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 1);

    ask(rig, &rig->lines[0], "POST /x?y HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\n\r\nabc");
    look_until(rig, is_answered(&rig->lines[0], OK_ANSWER));

    assert_string_equal(rig->server.fields, ":method=POST;:scheme=http;:path=/x?y;:authority=h:1;"
                                            "content-length=3;");
    assert_int_equal(rig->server.body_bytes, 3);
    ask(rig, &rig->lines[0], GET);
    look_until(rig, is_answered(&rig->lines[0], OK_ANSWER));
    assert_int_equal(rig->server.requests, 2);
    assert_int_equal(rig->server.link_count, 1);
}

static const struct answer_case {
    const char *name, *status, *length, *body, *answer;
    bool interim;
} answer_cases[] = {
    {"an_answer_without_length_comes_in_chunks", "200", NULL, "hello",
     "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
    {"an_answer_without_body_is_empty", "404", NULL, NULL,
     "HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n", false},
    {"a_length_without_body_stays", "304", "5", NULL, "HTTP/1.1 304 \r\ncontent-length: 5\r\n\r\n",
     false},
    {"interim_answers_come_first", "200", "2", "ok", "HTTP/1.1 103 \r\n\r\n" OK_ANSWER, true},
};

static void answer_is_told(void **state)
{
    const struct answer_case *row = *state;
    struct rig *rig;
    set_up((void **)&rig);
    rig->server.status = row->status;
    rig->server.length = row->length;
    rig->server.body = row->body;
    rig->server.interim = row->interim;
    connect_lines(rig, 1);

    ask(rig, &rig->lines[0], GET);
    look_until(rig, is_answered(&rig->lines[0], row->answer));

    tear_down((void **)&rig);
}

static void a_request_beyond_every_window_goes_out_whole(void **state)
{
    struct rig *rig = *state;
    char *request = malloc(LARGE_BYTES + 64);
    CHECK(request != NULL);
    int head = sprintf(request, "PUT / HTTP/1.1\r\nHost: h\r\n\r\n");
    memset(request + head, 'x', LARGE_BYTES);
    request[(size_t)head + LARGE_BYTES] = '\0';
    connect_lines(rig, 1);

    ask(rig, &rig->lines[0], request);
    look_until(rig, is_answered(&rig->lines[0], OK_ANSWER));

    assert_int_equal(rig->server.body_bytes, LARGE_BYTES);
    free(request);
}

/* Who shares */

static void workers_share_a_connection_while_there_is_room(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, LINES);
    unsigned made = 0;
    for (size_t i = 0; i < LINES; i++) {
        made += !rig->lines[i].joined;
        ask(rig, &rig->lines[i], GET);
    }
    for (size_t i = 0; i < LINES; i++)
        look_until(rig, is_answered(&rig->lines[i], OK_ANSWER));

    assert_int_equal(made, 2); /* four, and the other two */
    assert_int_equal(rig->server.link_count, 2);
    assert_int_equal(rig->server.requests, LINES);
}

static void a_target_that_allows_fewer_streams_gets_more_connections(void **state)
{
    struct rig *rig = *state;
    rig->server.streams_max = 2;
    connect_lines(rig, LINES);
    rig->server.silent = true;
    for (size_t i = 0; i < LINES; i++)
        ask(rig, &rig->lines[i], GET);

    look_until(rig, rig->server.requests == LINES); /* none waits behind another */

    assert_int_equal(rig->server.link_count, 3);
}

static void a_connection_closes_with_its_last_worker(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 2);

    rig->driver.close(rig->engine, &rig->lines[0].connection);
    look(rig);
    assert_true(rig->server.links[0].descriptor >= 0);
    rig->driver.close(rig->engine, &rig->lines[1].connection);
    look_until(rig, rig->server.links[0].descriptor < 0);

    assert_int_equal(rig->lines[0].closed + rig->lines[1].closed, 0);
}

static void a_worker_that_gives_up_disturbs_nobody(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 2);
    rig->server.silent = true;
    ask(rig, &rig->lines[0], GET);
    look_until(rig, rig->server.requests == 1);

    rig->driver.close(rig->engine, &rig->lines[0].connection);
    look_until(rig, rig->server.resets == 1);
    rig->server.silent = false;
    ask(rig, &rig->lines[1], GET);
    look_until(rig, is_answered(&rig->lines[1], OK_ANSWER));

    assert_string_equal(rig->lines[0].answer, "");
    assert_int_equal(rig->server.link_count, 1);
}

static void a_worker_that_gives_up_before_the_send_sends_nothing(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 2);

    ask(rig, &rig->lines[0], GET);
    rig->driver.close(rig->engine, &rig->lines[0].connection);
    ask(rig, &rig->lines[1], GET);
    look_until(rig, is_answered(&rig->lines[1], OK_ANSWER));

    assert_int_equal(rig->server.requests, 1);
}

/* What goes wrong */

static void nobody_there_is_told_to_each(void **state)
{
    struct rig *rig = *state;
    close(rig->server.listener);
    rig->server.listener = -1;
    for (size_t i = 0; i < 2; i++)
        begin_connect(rig, &rig->lines[i]);

    for (size_t i = 0; i < 2; i++) {
        look_until(rig, rig->lines[i].connected == 1);
        assert_int_equal(rig->lines[i].error, ECONNREFUSED);
    }
}

static void a_target_that_speaks_http_1_is_malformed(void **state)
{
    struct rig *rig = *state;
    begin_connect(rig, &rig->lines[0]);
    rig->driver.wait(rig->engine, NS_PER_MS);
    rig->driver.tell(rig->engine);
    int descriptor = accept(rig->server.listener, NULL, NULL);
    static const char said[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    CHECK(write(descriptor, said, sizeof said - 1) == sizeof said - 1);

    look_until(rig, rig->lines[0].connected == 1);

    assert_int_equal(rig->lines[0].error, engine_error(FAILURE_MALFORMED));
    close(descriptor);
}

static void a_stream_that_is_reset_ends_alone(void **state)
{
    struct rig *rig = *state;
    rig->server.reset = 1;
    connect_lines(rig, 2);

    ask(rig, &rig->lines[0], GET);
    look_until(rig, rig->lines[0].closed == 1);
    ask(rig, &rig->lines[1], GET);
    look_until(rig, is_answered(&rig->lines[1], OK_ANSWER));

    assert_int_equal(rig->lines[0].error, ECONNRESET);
    assert_int_equal(rig->lines[1].closed, 0);
}

static void an_answer_that_breaks_the_protocol_is_malformed(void **state)
{
    struct rig *rig = *state;
    rig->server.careless = true;
    rig->server.length = "1"; /* of two */
    connect_lines(rig, 1);

    ask(rig, &rig->lines[0], GET);
    look_until(rig, rig->lines[0].closed == 1);

    assert_int_equal(rig->lines[0].error, engine_error(FAILURE_MALFORMED));
}

static void a_break_is_told_once_to_each(void **state)
{
    struct rig *rig = *state;
    rig->server.silent = true;
    connect_lines(rig, 3);
    ask(rig, &rig->lines[0], GET);
    ask(rig, &rig->lines[1], GET);
    look_until(rig, rig->server.requests == 2);

    hang_up(&rig->server.links[0]);
    ask(rig, &rig->lines[2], GET);
    for (size_t i = 0; i < 3; i++)
        look_until(rig, rig->lines[i].closed + rig->lines[i].unsent == 1);
    look(rig);

    assert_int_equal(rig->lines[0].closed, 1);
    assert_int_equal(rig->lines[1].closed, 1);
    assert_int_equal(rig->server.link_count, 1);
}

/* GOAWAY */

static void a_request_that_was_refused_unseen_goes_elsewhere(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 2);
    rig->server.refuse = 1;

    ask(rig, &rig->lines[0], GET);
    look_until(rig, is_answered(&rig->lines[0], OK_ANSWER));

    assert_int_equal(rig->server.requests, 1);
    assert_int_equal(rig->server.link_count, 2);
    assert_int_equal(rig->lines[0].renewed, 1);
    assert_int_equal(rig->lines[0].closed + rig->lines[0].unsent, 0);
}

static void a_request_that_is_refused_for_ever_is_unsent(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 1);
    rig->server.refuse = UINT32_MAX;

    ask(rig, &rig->lines[0], GET);
    look_until(rig, rig->lines[0].unsent == 1);

    assert_int_equal(rig->server.requests, 0);
    assert_int_equal(rig->server.link_count, 1 + SHARED_REFUSALS_MAX);
    assert_int_equal(rig->lines[0].error, EPIPE);
}

static void what_was_begun_before_a_goaway_is_answered(void **state)
{
    struct rig *rig = *state;
    connect_lines(rig, 2);
    rig->server.silent = true;
    ask(rig, &rig->lines[0], GET);
    look_until(rig, rig->server.requests == 1);

    struct link *link = &rig->server.links[0];
    nghttp2_submit_goaway(link->session, NGHTTP2_FLAG_NONE, 1, NGHTTP2_NO_ERROR, NULL, 0);
    for (unsigned looks = 0; looks < 20; looks++)
        look(rig);
    rig->server.silent = false;
    answer(&rig->server, link->session, 1);
    ask(rig, &rig->lines[1], GET);
    look_until(rig, is_answered(&rig->lines[0], OK_ANSWER));
    look_until(rig, is_answered(&rig->lines[1], OK_ANSWER));

    assert_int_equal(rig->server.requests, 2);
    assert_int_equal(rig->server.link_count, 2);
}

#define ON_A_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static int run(const char *name)
{
    const struct CMUnitTest on_a_rig[] = {
        ON_A_RIG(a_request_of_http_1_is_answered_in_http_1),
        ON_A_RIG(a_request_beyond_every_window_goes_out_whole),
        ON_A_RIG(workers_share_a_connection_while_there_is_room),
        ON_A_RIG(a_target_that_allows_fewer_streams_gets_more_connections),
        ON_A_RIG(a_connection_closes_with_its_last_worker),
        ON_A_RIG(a_worker_that_gives_up_disturbs_nobody),
        ON_A_RIG(a_worker_that_gives_up_before_the_send_sends_nothing),
        ON_A_RIG(nobody_there_is_told_to_each),
        ON_A_RIG(a_target_that_speaks_http_1_is_malformed),
        ON_A_RIG(a_stream_that_is_reset_ends_alone),
        ON_A_RIG(an_answer_that_breaks_the_protocol_is_malformed),
        ON_A_RIG(a_break_is_told_once_to_each),
        ON_A_RIG(a_request_that_was_refused_unseen_goes_elsewhere),
        ON_A_RIG(a_request_that_is_refused_for_ever_is_unsent),
        ON_A_RIG(what_was_begun_before_a_goaway_is_answered),
    };
    struct CMUnitTest tests[COUNT(on_a_rig) + COUNT(answer_cases)];
    memcpy(tests, on_a_rig, sizeof on_a_rig);
    for (size_t i = 0; i < COUNT(answer_cases); i++) {
        tests[COUNT(on_a_rig) + i] =
            (struct CMUnitTest){.name = answer_cases[i].name,
                                .test_func = answer_is_told,
                                .initial_state = (void *)(uintptr_t)&answer_cases[i]};
    }
    return _cmocka_run_group_tests(name, tests, COUNT(tests), NULL, NULL);
}

int main(void)
{
    base = &engine_epoll;
    int failures = run("epoll");
    struct error why = {0};
    base = engine_choose(ENGINE_URING, &why);
    if (base == NULL)
        print_message("not on io_uring: %s\n", why.message);
    else
        failures += run("uring");
    return failures;
}
