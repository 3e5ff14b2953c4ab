/* Engines against sockets of our own on loopback; every test on each engine that works here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine.h"
#include "common/base/check.h"
#include "common/base/units.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKS_MAX   20000 /* of at most a millisecond: what has not come by then will not */
#define LARGE_BYTES (UINT32_C(9) * 1024 * 1024)
#define CROWD       300

static const struct engine_driver *driver;

/* One connection and what was told of it. */
struct line {
    struct connection connection; /* first: the engine hands it back */
    bool connected, closed, unsent;
    int connect_error, close_error, send_error;
    size_t sent;
    uint8_t *bytes; /* [LARGE_BYTES], all that came; owned */
    size_t byte_count;
    bool hang_up_when_received, call_again_when_closed, churn, ask_into_a_reset;
};

/* An engine, and a listening socket for it to connect to. */
struct rig {
    struct engine *engine;
    struct route route;
    int listener;
    unsigned woken;
    size_t lines_received;
};

/* The other end, which blocks. */
static int accept_one(const struct rig *rig)
{
    struct pollfd ready = {.fd = rig->listener, .events = POLLIN};
    CHECK(poll(&ready, 1, 10000) == 1);
    int descriptor = accept(rig->listener, NULL, NULL);
    CHECK(descriptor >= 0);
    return descriptor;
}

static void reset(int descriptor)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
    close(descriptor);
}

static void await_reset(const struct connection *connection)
{
    struct pollfd gone = {.fd = connection->descriptor, .events = 0};
    CHECK(poll(&gone, 1, 10000) == 1);
}

static void on_connected(void *context, struct connection *connection, int error)
{
    struct rig *rig = context;
    struct line *line = (struct line *)connection;
    line->connected = true;
    line->connect_error = error;
    assert_int_equal(connection->open, error == 0);
    if (line->ask_into_a_reset) {
        reset(accept_one(rig));
        await_reset(connection);
        ssize_t taken = driver->send(rig->engine, connection, (const uint8_t *)"ping", 4);
        line->unsent = taken < 0;
        line->send_error = taken < 0 ? (int)-taken : 0;
    }
    if (line->churn) {
        driver->close(rig->engine, connection);
        assert_true(driver->connect(rig->engine, connection, &rig->route, &error));
    }
}

static void on_sent(void *context, struct connection *connection, size_t count)
{
    (void)context;
    ((struct line *)connection)->sent += count;
}

static void on_received(void *context, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    struct rig *rig = context;
    struct line *line = (struct line *)connection;
    assert_false(line->closed);
    assert_true(line->byte_count + count <= LARGE_BYTES);
    if (line->bytes == NULL)
        line->bytes = malloc(LARGE_BYTES);
    CHECK(line->bytes != NULL);
    rig->lines_received += line->byte_count == 0;
    memcpy(line->bytes + line->byte_count, bytes, count);
    line->byte_count += count;
    if (line->hang_up_when_received)
        driver->close(rig->engine, connection);
}

static void on_closed(void *context, struct connection *connection, int error)
{
    struct rig *rig = context;
    struct line *line = (struct line *)connection;
    assert_false(connection->open);
    line->closed = true;
    line->close_error = error;
    if (line->call_again_when_closed)
        assert_true(driver->connect(rig->engine, connection, &rig->route, &error));
}

static void on_unsent(void *context, struct connection *connection, int error)
{
    (void)context;
    struct line *line = (struct line *)connection;
    assert_false(connection->open);
    line->unsent = true;
    line->send_error = error;
}

static void on_woken(void *context)
{
    ((struct rig *)context)->woken++;
}

static const struct engine_listener listener = {
    .connected = on_connected,
    .sent = on_sent,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
    .woken = on_woken,
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    CHECK(rig != NULL);
    struct error error = {0};
    uint32_t count;
    struct address addresses[ADDRESSES_MAX];
    CHECK(net_resolve("127.0.0.1", 0, addresses, &count, &error));
    rig->listener = net_listen(&addresses[0], false, 2 * CROWD, &error);
    CHECK(rig->listener >= 0);
    CHECK(net_resolve("127.0.0.1", net_port(rig->listener), addresses, &count, &error));
    rig->route.to = addresses[0];
    rig->engine = driver->create(driver, &listener, rig, &error);
    assert_string_equal(error.message, "");
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    driver->destroy(rig->engine);
    if (rig->listener >= 0)
        close(rig->listener);
    free(rig);
    return 0;
}

static void look(struct rig *rig)
{
    driver->wait(rig->engine, NS_PER_MS);
    while (!driver->tell(rig->engine))
        driver->wait(rig->engine, 0);
}

#define look_until(rig, condition)                                                                 \
    do {                                                                                           \
        for (unsigned looks = 0; !(condition) && looks < LOOKS_MAX; looks++)                       \
            look(rig);                                                                             \
        assert_true(condition);                                                                    \
    } while (0)

static int connect_line(struct rig *rig, struct line *line)
{
    int error = 0;
    assert_true(driver->connect(rig->engine, &line->connection, &rig->route, &error));
    look_until(rig, line->connected);
    assert_int_equal(line->connect_error, 0);
    return accept_one(rig);
}

static void hang_up(struct rig *rig, struct line *line, int peer)
{
    if (line->connection.open)
        driver->close(rig->engine, &line->connection);
    free(line->bytes);
    if (peer >= 0)
        close(peer);
}

static uint8_t *pattern(void)
{
    uint8_t *bytes = malloc(LARGE_BYTES);
    CHECK(bytes != NULL);
    for (uint32_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (uint8_t)(i * UINT32_C(2654435761) >> 24);
    return bytes;
}

/* A peer on a thread of its own, that reads or writes all of the pattern. */
struct peer {
    int descriptor;
    uint8_t *bytes; /* [LARGE_BYTES] */
    size_t byte_count;
    _Atomic bool done;
};

static void *peer_read(void *context)
{
    struct peer *peer = context;
    ssize_t count;
    while ((count = read(peer->descriptor, peer->bytes + peer->byte_count,
                         LARGE_BYTES - peer->byte_count)) > 0)
        peer->byte_count += (size_t)count;
    peer->done = true;
    return NULL;
}

static void *peer_write(void *context)
{
    struct peer *peer = context;
    ssize_t count;
    while (peer->byte_count < LARGE_BYTES &&
           (count = write(peer->descriptor, peer->bytes + peer->byte_count,
                          LARGE_BYTES - peer->byte_count)) > 0)
        peer->byte_count += (size_t)count;
    shutdown(peer->descriptor, SHUT_WR);
    return NULL;
}

static void nobody_there_is_a_refused_connect(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    close(rig->listener);
    rig->listener = -1;

    int error = 0;
    if (driver->connect(rig->engine, &line.connection, &rig->route, &error))
        look_until(rig, line.connected);
    else
        line.connect_error = error;

    assert_int_equal(line.connect_error, ECONNREFUSED);
    assert_false(line.connection.open);
}

static void ask_and_answer(struct rig *rig)
{
    struct line line = {0};
    int peer = connect_line(rig, &line);

    assert_int_equal(driver->send(rig->engine, &line.connection, (const uint8_t *)"ping", 4), 4);
    look(rig);
    char question[8];
    assert_int_equal(read(peer, question, sizeof question), 4);
    assert_memory_equal(question, "ping", 4);
    assert_int_equal(write(peer, "pong!", 5), 5);
    look_until(rig, line.byte_count == 5);

    assert_memory_equal(line.bytes, "pong!", 5);
    assert_false(line.closed);
    hang_up(rig, &line, peer);
}

static void a_small_question_and_its_answer(void **state)
{
    ask_and_answer(*state);
}

static void a_small_question_over_a_unix_socket(void **state)
{
    struct rig *rig = *state;
    char folder[] = "/tmp/clobber-test-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/socket", folder);
    struct error error = {0};
    close(rig->listener);
    CHECK(net_local_address(path, &rig->route.to, &error));
    rig->listener = net_listen(&rig->route.to, false, 8, &error);
    CHECK(rig->listener >= 0);

    ask_and_answer(rig);

    unlink(path);
    rmdir(folder);
}

static void a_connection_leaves_from_where_its_route_begins(void **state)
{
    struct rig *rig = *state;
    uint32_t count;
    struct address addresses[ADDRESSES_MAX];
    struct error error = {0};
    CHECK(net_resolve("127.0.0.9", 0, addresses, &count, &error));
    rig->route.from = addresses[0];
    struct line line = {0};

    int peer = connect_line(rig, &line);

    struct address seen = {.bytes = sizeof seen.as};
    assert_int_equal(getpeername(peer, &seen.as.any, &seen.bytes), 0);
    assert_int_equal(ntohl(seen.as.v4.sin_addr.s_addr), 0x7f000009);
    hang_up(rig, &line, peer);
}

static void what_is_larger_than_every_buffer_goes_out_whole(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    uint8_t *bytes = pattern();
    struct peer peer = {.descriptor = connect_line(rig, &line), .bytes = malloc(LARGE_BYTES)};
    CHECK(peer.bytes != NULL);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, peer_read, &peer) == 0);

    ssize_t taken = driver->send(rig->engine, &line.connection, bytes, LARGE_BYTES);
    assert_true(taken >= 0);
    look_until(rig, peer.done);
    CHECK(pthread_join(thread, NULL) == 0);

    assert_int_equal(peer.byte_count, LARGE_BYTES);
    assert_int_equal((size_t)taken + line.sent, LARGE_BYTES);
    assert_memory_equal(peer.bytes, bytes, LARGE_BYTES);
    hang_up(rig, &line, peer.descriptor);
    free(peer.bytes);
    free(bytes);
}

static void what_is_larger_than_every_buffer_comes_in_whole_before_the_end(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    struct peer peer = {.descriptor = connect_line(rig, &line), .bytes = pattern()};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, peer_write, &peer) == 0);

    look_until(rig, line.closed);
    CHECK(pthread_join(thread, NULL) == 0);

    assert_int_equal(line.close_error, 0);
    assert_int_equal(line.byte_count, LARGE_BYTES);
    assert_memory_equal(line.bytes, peer.bytes, LARGE_BYTES);
    hang_up(rig, &line, peer.descriptor);
    free(peer.bytes);
}

static void a_reset_is_told_with_its_reason(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};

    reset(connect_line(rig, &line));
    look_until(rig, line.closed);

    assert_int_equal(line.close_error, ECONNRESET);
    hang_up(rig, &line, -1);
}

/* Whatever of the three tells it, nobody may believe that the request went out. */
static void a_send_into_a_reset_did_not_go_out(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    reset(connect_line(rig, &line));
    await_reset(&line.connection);

    ssize_t taken = driver->send(rig->engine, &line.connection, (const uint8_t *)"ping", 4);
    if (taken > 0)
        look_until(rig, line.unsent || line.closed);

    assert_true(taken < 0 || line.unsent);
    hang_up(rig, &line, -1);
}

/* Not as closed, which is what a second look at the socket says. */
static void a_send_that_meets_a_reset_behind_its_connect_says_so(void **state)
{
    struct rig *rig = *state;
    struct line line = {.ask_into_a_reset = true};
    int error = 0;

    assert_true(driver->connect(rig->engine, &line.connection, &rig->route, &error));
    look_until(rig, line.connected && line.unsent);

    assert_int_equal(line.send_error, ECONNRESET);
    hang_up(rig, &line, -1);
}

static void nothing_is_told_after_a_close_from_within(void **state)
{
    struct rig *rig = *state;
    struct line line = {.hang_up_when_received = true};
    struct line other = {0};
    int peer = connect_line(rig, &line);

    assert_int_equal(write(peer, "one", 3), 3);
    look_until(rig, line.byte_count == 3);
    assert_true(write(peer, "two", 3) == 3 || errno == EPIPE || errno == ECONNRESET);
    close(peer);
    int other_peer = connect_line(rig, &other); /* perhaps with the same descriptor */
    assert_int_equal(write(other_peer, "three", 5), 5);
    look_until(rig, other.byte_count == 5);

    assert_int_equal(line.byte_count, 3);
    assert_false(line.closed);
    assert_memory_equal(other.bytes, "three", 5);
    hang_up(rig, &line, -1);
    hang_up(rig, &other, other_peer);
}

static void a_connection_may_call_again_from_within_its_end(void **state)
{
    struct rig *rig = *state;
    struct line line = {.call_again_when_closed = true};
    int peer = connect_line(rig, &line);
    line.connected = false;

    close(peer);
    look_until(rig, line.closed && line.connected);
    line.closed = line.call_again_when_closed = false;
    peer = accept_one(rig);
    assert_int_equal(write(peer, "again", 5), 5);
    look_until(rig, line.byte_count == 5);

    hang_up(rig, &line, peer);
}

static void what_was_sent_goes_out_although_it_is_closed_at_once(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    int peer = connect_line(rig, &line);

    assert_int_equal(driver->send(rig->engine, &line.connection, (const uint8_t *)"bye", 3), 3);
    driver->close(rig->engine, &line.connection);
    char said[8];
    assert_int_equal(read(peer, said, sizeof said), 3);
    assert_int_equal(read(peer, said, sizeof said), 0);

    hang_up(rig, &line, peer);
}

static void a_crowd_is_heard_to_the_last(void **state)
{
    struct rig *rig = *state;
    static struct line lines[CROWD];
    static int peers[CROWD];
    memset(lines, 0, sizeof lines);
    for (size_t i = 0; i < CROWD; i++)
        peers[i] = connect_line(rig, &lines[i]);

    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(write(peers[i], "x", 1), 1);
    look_until(rig, rig->lines_received == CROWD);

    for (size_t i = 0; i < CROWD; i++)
        hang_up(rig, &lines[i], peers[i]);
}

static void *wake(void *context)
{
    driver->wake(context);
    return NULL;
}

static void another_thread_ends_a_wait(void **state)
{
    struct rig *rig = *state;
    for (unsigned round = 1; round <= 3; round++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, wake, rig->engine) == 0);

        driver->wait(rig->engine, ENGINE_NEVER);
        driver->tell(rig->engine);

        CHECK(pthread_join(thread, NULL) == 0);
        assert_int_equal(rig->woken, round);
    }
}

static void *drain_listener(void *context)
{
    const struct rig *rig = context;
    int descriptor;
    while ((descriptor = accept(rig->listener, NULL, NULL)) >= 0 || errno == EAGAIN) {
        if (descriptor >= 0)
            close(descriptor);
    }
    return NULL;
}

static void a_wake_up_is_heard_beside_a_send_that_nobody_takes(void **state)
{
    struct rig *rig = *state;
    struct line line = {.connected = false};
    int peer = connect_line(rig, &line);
    uint8_t *large = calloc(1, LARGE_BYTES);
    CHECK(large != NULL);
    line.connection.awaits_sent = true;

    ssize_t sent = driver->send(rig->engine, &line.connection, large, LARGE_BYTES);
    driver->wake(rig->engine);
    driver->wait(rig->engine, ENGINE_NEVER);
    driver->tell(rig->engine);

    assert_true(sent >= 0 && sent < (ssize_t)LARGE_BYTES);
    assert_int_equal(rig->woken, 1);
    hang_up(rig, &line, peer);
    free(large);
}

static void a_wake_up_is_heard_among_connections_without_end(void **state)
{
    struct rig *rig = *state;
    struct line lines[4] = {{.churn = true}, {.churn = true}, {.churn = true}, {.churn = true}};
    int error = 0;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, drain_listener, rig) == 0);
    for (size_t i = 0; i < COUNT(lines); i++)
        assert_true(driver->connect(rig->engine, &lines[i].connection, &rig->route, &error));
    for (unsigned looks = 0; !lines[0].connected && looks < LOOKS_MAX; looks++) {
        driver->wait(rig->engine, NS_PER_MS);
        driver->tell(rig->engine);
    }

    driver->wake(rig->engine);
    for (unsigned looks = 0; rig->woken == 0 && looks < 100; looks++) {
        driver->wait(rig->engine, NS_PER_MS);
        driver->tell(rig->engine);
    }

    assert_int_equal(rig->woken, 1);
    shutdown(rig->listener, SHUT_RDWR);
    CHECK(pthread_join(thread, NULL) == 0);
    for (size_t i = 0; i < COUNT(lines); i++)
        hang_up(rig, &lines[i], -1);
}

static void an_engine_may_end_with_connections_open(void **state)
{
    struct rig *rig = *state;
    struct line line = {0};
    int peer = connect_line(rig, &line);
    struct line connecting = {0};
    int error = 0;
    assert_true(driver->connect(rig->engine, &connecting.connection, &rig->route, &error));

    hang_up(rig, &line, peer);
    hang_up(rig, &connecting, accept_one(rig));
}

static void epoll_is_always_there(void **state)
{
    (void)state;
    struct error why = {0};

    assert_ptr_equal(engine_choose(ENGINE_EPOLL, &why), &engine_epoll);
    assert_non_null(engine_choose(ENGINE_AUTO, &why));
}

#define ON_A_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_RIG(nobody_there_is_a_refused_connect),
        ON_A_RIG(a_small_question_and_its_answer),
        ON_A_RIG(a_small_question_over_a_unix_socket),
        ON_A_RIG(a_connection_leaves_from_where_its_route_begins),
        ON_A_RIG(what_is_larger_than_every_buffer_goes_out_whole),
        ON_A_RIG(what_is_larger_than_every_buffer_comes_in_whole_before_the_end),
        ON_A_RIG(a_reset_is_told_with_its_reason),
        ON_A_RIG(a_send_into_a_reset_did_not_go_out),
        ON_A_RIG(a_send_that_meets_a_reset_behind_its_connect_says_so),
        ON_A_RIG(nothing_is_told_after_a_close_from_within),
        ON_A_RIG(a_connection_may_call_again_from_within_its_end),
        ON_A_RIG(what_was_sent_goes_out_although_it_is_closed_at_once),
        ON_A_RIG(a_crowd_is_heard_to_the_last),
        ON_A_RIG(another_thread_ends_a_wait),
        ON_A_RIG(a_wake_up_is_heard_beside_a_send_that_nobody_takes),
        ON_A_RIG(a_wake_up_is_heard_among_connections_without_end),
        ON_A_RIG(an_engine_may_end_with_connections_open),
        cmocka_unit_test(epoll_is_always_there),
    };
    net_raise_descriptors(4 * CROWD);
    driver = &engine_epoll;
    int failures = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    struct error why = {0};
    driver = engine_choose(ENGINE_URING, &why);
    if (driver == NULL)
        print_message("not on io_uring: %s\n", why.message);
    else
        failures += cmocka_run_group_tests_name("uring", tests, NULL, NULL);
    return failures;
}
