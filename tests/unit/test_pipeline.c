/* Workers who share a connection to Redis, against a socket of our own; every test on each engine
 * that works here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine_shared.h"
#include "agent/pipeline.h"
#include "common/base/check.h"
#include "common/base/units.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKS_MAX 20000 /* of at most a millisecond: what has not come by then will not */
#define LINES     3
#define BYTES_MAX 256

static const struct engine_driver *base;

/* A worker, and what it was told. */
struct line {
    struct connection connection; /* first: the engine hands it back */
    unsigned connected, closed, unsent;
    int error;
    char answer[BYTES_MAX];
};

struct rig {
    struct shared_settings settings;
    struct engine_driver driver;
    struct engine *engine;
    struct route route;
    int listener, peer;
    struct line lines[LINES];
};

static void on_connected(void *context, struct connection *connection, int error)
{
    (void)context;
    ((struct line *)connection)->connected++;
    assert_int_equal(error, 0);
}

static void on_received(void *context, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    (void)context;
    struct line *line = (struct line *)connection;
    CHECK(strlen(line->answer) + count < BYTES_MAX);
    strncat(line->answer, (const char *)bytes, count);
}

static void on_closed(void *context, struct connection *connection, int error)
{
    (void)context;
    ((struct line *)connection)->closed++;
    ((struct line *)connection)->error = error;
}

static void on_unsent(void *context, struct connection *connection, int error)
{
    (void)context;
    ((struct line *)connection)->unsent++;
    ((struct line *)connection)->error = error;
}

static const struct engine_listener listener = {
    .connected = on_connected,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
};

static void look(struct rig *rig)
{
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

static int accept_one(struct rig *rig)
{
    struct pollfd ready = {.fd = rig->listener, .events = POLLIN};
    CHECK(poll(&ready, 1, 10000) == 1);
    int descriptor = accept(rig->listener, NULL, NULL);
    CHECK(descriptor >= 0);
    return descriptor;
}

/* All workers on one connection, whose other end is `peer`. */
static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    CHECK(rig != NULL);
    struct error error = {0};
    int failure = 0;
    uint32_t count;
    struct address addresses[ADDRESSES_MAX];
    CHECK(net_resolve("127.0.0.1", 0, addresses, &count, &error));
    rig->listener = net_listen(&addresses[0], false, 64, &error);
    CHECK(net_resolve("127.0.0.1", net_port(rig->listener), addresses, &count, &error));
    rig->route.to = addresses[0];
    rig->settings =
        (struct shared_settings){.below = base, .protocol = &protocol_pipeline, .seats_max = LINES};
    rig->driver = engine_shared;
    rig->driver.settings = &rig->settings;
    rig->engine = rig->driver.create(&rig->driver, &listener, rig, &error);
    CHECK(rig->engine != NULL);
    for (size_t i = 0; i < LINES; i++)
        CHECK(rig->driver.connect(rig->engine, &rig->lines[i].connection, &rig->route, &failure));
    for (size_t i = 0; i < LINES; i++)
        look_until(rig, rig->lines[i].connected == 1);
    rig->peer = accept_one(rig);
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
    close(rig->peer);
    close(rig->listener);
    free(rig);
    return 0;
}

static void ask(struct rig *rig, size_t index, const char *request)
{
    struct line *line = &rig->lines[index];
    line->answer[0] = '\0';
    assert_int_equal(
        rig->driver.send(rig->engine, &line->connection, (const uint8_t *)request, strlen(request)),
        strlen(request));
}

static void say(int peer, const char *text)
{
    CHECK(write(peer, text, strlen(text)) == (ssize_t)strlen(text));
}

static void assert_hears(int peer, const char *wanted)
{
    char heard[BYTES_MAX] = "";
    struct pollfd ready = {.fd = peer, .events = POLLIN};
    CHECK(poll(&ready, 1, 10000) == 1);
    ssize_t count = read(peer, heard, sizeof heard - 1);
    assert_true(count >= 0);
    assert_string_equal(heard, wanted);
}

static void requests_go_out_together_and_answers_come_to_who_asked(void **state)
{
    struct rig *rig = *state;
    ask(rig, 1, "one\r\n");
    ask(rig, 0, "two\r\n");
    ask(rig, 2, "three\r\n");
    look(rig);
    assert_hears(rig->peer, "one\r\ntwo\r\nthree\r\n");

    say(rig->peer, "+1\r\n*1\r\n:2\r\n$3\r\nthr");
    look_until(rig, strcmp(rig->lines[2].answer, "$3\r\nthr") == 0);
    ask(rig, 1, "four\r\n");
    say(rig->peer, "\r\n+4\r\n");
    look_until(rig, strcmp(rig->lines[1].answer, "+4\r\n") == 0);

    assert_string_equal(rig->lines[0].answer, "*1\r\n:2\r\n");
    assert_string_equal(rig->lines[2].answer, "$3\r\nthr\r\n");
}

static void who_gives_up_before_the_send_sends_nothing(void **state)
{
    struct rig *rig = *state;
    ask(rig, 0, "one\r\n");
    ask(rig, 1, "two\r\n");
    ask(rig, 2, "three\r\n");

    rig->driver.close(rig->engine, &rig->lines[1].connection);
    look(rig);

    assert_hears(rig->peer, "one\r\nthree\r\n");
    say(rig->peer, "+1\r\n+3\r\n");
    look_until(rig, strcmp(rig->lines[2].answer, "+3\r\n") == 0);
    assert_string_equal(rig->lines[0].answer, "+1\r\n");
}

static void who_gives_up_later_leaves_the_connection_to_the_others(void **state)
{
    struct rig *rig = *state;
    ask(rig, 0, "one\r\n");
    ask(rig, 1, "two\r\n");
    look(rig);
    assert_hears(rig->peer, "one\r\ntwo\r\n");

    rig->driver.close(rig->engine, &rig->lines[0].connection);
    ask(rig, 2, "three\r\n");
    say(rig->peer, "+1\r\n+2\r\n");
    look_until(rig, strcmp(rig->lines[1].answer, "+2\r\n") == 0);
    int other = accept_one(rig);
    look(rig);
    look(rig);
    assert_hears(other, "three\r\n");
    say(other, "+3\r\n");
    look_until(rig, strcmp(rig->lines[2].answer, "+3\r\n") == 0);

    assert_string_equal(rig->lines[0].answer, "");
    close(other);
}

static void an_answer_that_nobody_asked_for_ends_the_connection(void **state)
{
    struct rig *rig = *state;
    ask(rig, 0, "one\r\n");
    look(rig);

    say(rig->peer, "+1\r\n+2\r\n");
    for (size_t i = 0; i < LINES; i++)
        look_until(rig, rig->lines[i].closed == 1);

    assert_string_equal(rig->lines[0].answer, "+1\r\n");
    assert_int_equal(rig->lines[1].error, engine_error(FAILURE_UNEXPECTED));
}

static void what_is_no_answer_ends_the_connection(void **state)
{
    struct rig *rig = *state;
    ask(rig, 0, "one\r\n");
    look(rig);

    say(rig->peer, "HTTP/1.1 400\r\n");
    look_until(rig, rig->lines[0].closed == 1);

    assert_int_equal(rig->lines[0].error, engine_error(FAILURE_MALFORMED));
}

static void an_end_is_told_once_to_each(void **state)
{
    struct rig *rig = *state;
    ask(rig, 0, "one\r\n");
    look(rig);
    assert_hears(rig->peer, "one\r\n");

    shutdown(rig->peer, SHUT_WR);
    for (size_t i = 0; i < LINES; i++)
        look_until(rig, rig->lines[i].closed == 1);

    assert_int_equal(rig->lines[0].error, 0);
    assert_int_equal(rig->lines[0].unsent, 0);
}

#define ON_A_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_RIG(requests_go_out_together_and_answers_come_to_who_asked),
        ON_A_RIG(who_gives_up_before_the_send_sends_nothing),
        ON_A_RIG(who_gives_up_later_leaves_the_connection_to_the_others),
        ON_A_RIG(an_answer_that_nobody_asked_for_ends_the_connection),
        ON_A_RIG(what_is_no_answer_ends_the_connection),
        ON_A_RIG(an_end_is_told_once_to_each),
    };
    base = &engine_epoll;
    int failures = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    struct error why = {0};
    base = engine_choose(ENGINE_URING, &why);
    if (base == NULL)
        print_message("not on io_uring: %s\n", why.message);
    else
        failures += cmocka_run_group_tests_name("uring", tests, NULL, NULL);
    return failures;
}
