/* TLS over each engine that works here, against a server of OpenSSL's on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/engine_tls.h"
#include "agent/tls.h"
#include "common/base/check.h"
#include "common/base/units.h"
#include "tests/support/tls_peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_MAX   20000 /* of at most a millisecond: what has not come by then will not */
#define LARGE_BYTES (3u * 1024u * 1024u)
#define CROWD       60
#define DAY_S       (24L * 3600L)

static const struct engine_driver *below;
static bool tls12;
static struct identity ours, expired, foreign, client;

/* One connection and what was told of it. */
struct line {
    struct connection connection; /* first: the engine hands it back */
    bool greeted, connected, closed, close_when_greeted;
    int connect_error, close_error;
    size_t sent, byte_count;
    bool wrong; /* a byte that is not the pattern's */
    uint8_t bytes[64];
};

struct rig {
    struct tls_peer *peer;
    struct tls_context *context;
    struct engine_tls_settings settings;
    struct engine_driver driver;
    struct engine *engine;
    struct route route;
    unsigned woken;
};

static void on_greeting(void *context, struct connection *connection)
{
    struct rig *rig = context;
    struct line *line = (struct line *)connection;
    assert_true(connection->open);
    assert_true(connection->connecting);
    line->greeted = true;
    if (line->close_when_greeted)
        rig->driver.close(rig->engine, connection);
}

static void on_connected(void *context, struct connection *connection, int error)
{
    (void)context;
    struct line *line = (struct line *)connection;
    line->connected = true;
    line->connect_error = error;
    assert_int_equal(connection->open, error == 0);
}

static void on_sent(void *context, struct connection *connection, size_t count)
{
    (void)context;
    ((struct line *)connection)->sent += count;
}

static void on_received(void *context, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    (void)context;
    struct line *line = (struct line *)connection;
    assert_false(line->closed);
    for (size_t i = 0; i < count; i++, line->byte_count++) {
        if (line->byte_count < sizeof line->bytes)
            line->bytes[line->byte_count] = bytes[i];
        line->wrong |= bytes[i] != tls_peer_byte(line->byte_count % TLS_MEGABYTE_BYTES);
    }
}

static void on_closed(void *context, struct connection *connection, int error)
{
    (void)context;
    struct line *line = (struct line *)connection;
    assert_false(connection->open);
    line->closed = true;
    line->close_error = error;
}

static void on_unsent(void *context, struct connection *connection, int error)
{
    on_closed(context, connection, error);
}

static void on_woken(void *context)
{
    ((struct rig *)context)->woken++;
}

static const struct engine_listener listener = {
    .greeting = on_greeting,
    .connected = on_connected,
    .sent = on_sent,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
    .woken = on_woken,
};

static struct assignment_bytes pem(const char *text)
{
    return (struct assignment_bytes){(const uint8_t *)text, strlen(text)};
}

static struct assignment_tls careful(void)
{
    return (struct assignment_tls){
        .used = true, .verify = true, .resumption = true, .authority = pem(ours.certificate)};
}

static const char *const protocols[] = {"h2", "http/1.1", NULL};

static void set_up(struct rig *rig, const struct tls_peer_plan *plan,
                   const struct assignment_tls *options)
{
    struct error error = {0};
    struct tls_peer_plan complete = *plan;
    complete.tls12 = tls12;
    if (complete.identity == NULL)
        complete.identity = &ours;
    *rig = (struct rig){.peer = tls_peer_start(&complete)};
    rig->route.to = tls_peer_address(rig->peer);
    rig->context = tls_context_create(options, "localhost", protocols, &error);
    assert_string_equal(error.message, "");
    rig->settings = (struct engine_tls_settings){.below = below, .context = rig->context};
    rig->driver = engine_tls;
    rig->driver.settings = &rig->settings;
    rig->engine = rig->driver.create(&rig->driver, &listener, rig, &error);
    assert_string_equal(error.message, "");
}

static void tear_down(struct rig *rig)
{
    rig->driver.destroy(rig->engine);
    tls_context_destroy(rig->context);
    tls_peer_stop(rig->peer);
}

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

static void begin(struct rig *rig, struct line *line)
{
    int error = 0;
    assert_true(rig->driver.connect(rig->engine, &line->connection, &rig->route, &error));
}

static void connect_line(struct rig *rig, struct line *line)
{
    begin(rig, line);
    look_until(rig, line->connected);
    assert_true(line->greeted);
    assert_int_equal(line->connect_error, 0);
}

static void say(struct rig *rig, struct line *line, const char *text)
{
    assert_int_equal(
        rig->driver.send(rig->engine, &line->connection, (const uint8_t *)text, strlen(text)),
        strlen(text));
}

static void hang_up(struct rig *rig, struct line *line)
{
    if (line->connection.open)
        rig->driver.close(rig->engine, &line->connection);
}

/* What a connection comes to that asks once: 0, or the error it ends with. */
static int fate(const struct tls_peer_plan *plan, const struct assignment_tls *options)
{
    struct rig rig;
    struct line line = {0};
    set_up(&rig, plan, options);
    begin(&rig, &line);
    look_until(&rig, line.connected);
    int error = line.connect_error;
    if (error == 0) {
        say(&rig, &line, "ask");
        look_until(&rig, line.closed || line.byte_count > 0);
        error = line.closed ? line.close_error : 0;
    }
    hang_up(&rig, &line);
    tear_down(&rig);
    return error;
}

static void questions_and_answers(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {0};
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);
    connect_line(&rig, &line);

    for (size_t i = 1; i <= 3; i++) {
        say(&rig, &line, "question?");
        look_until(&rig, line.byte_count == 9 * i);
    }

    assert_memory_equal(line.bytes, "question?question?question?", 27);
    assert_true(engine_tls_speaks(&line.connection, "http/1.1"));
    assert_false(engine_tls_speaks(&line.connection, "h2"));
    hang_up(&rig, &line);
    tear_down(&rig);
}

static void bytes_may_be_split_anywhere(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {0};
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO, .piece_bytes = 1}, &options);
    connect_line(&rig, &line);

    say(&rig, &line, "one by one");
    look_until(&rig, line.byte_count == 10);

    assert_memory_equal(line.bytes, "one by one", 10);
    hang_up(&rig, &line);
    tear_down(&rig);
}

static void a_large_answer_comes_whole(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {0};
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_MEGABYTE}, &options);
    connect_line(&rig, &line);

    say(&rig, &line, "twice"); /* five times, that is */
    look_until(&rig, line.byte_count == 5 * (size_t)TLS_MEGABYTE_BYTES);

    assert_false(line.wrong);
    hang_up(&rig, &line);
    tear_down(&rig);
}

static void a_large_question_goes_out_whole(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {0};
    const struct assignment_tls options = careful();
    uint8_t *bytes = calloc(1, LARGE_BYTES);
    CHECK(bytes != NULL);
    bytes[LARGE_BYTES - 1] = '.';
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_COUNT}, &options);
    connect_line(&rig, &line);

    ssize_t sent = rig.driver.send(rig.engine, &line.connection, bytes, LARGE_BYTES);
    look_until(&rig, line.byte_count == 1);

    assert_true(sent >= 0);
    assert_int_equal((size_t)sent + line.sent, LARGE_BYTES);
    assert_int_equal(tls_peer_bytes(rig.peer), LARGE_BYTES);
    hang_up(&rig, &line);
    tear_down(&rig);
    free(bytes);
}

static void one_may_hang_up_in_the_middle_of_a_large_question(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {0};
    const struct assignment_tls options = careful();
    uint8_t *bytes = calloc(1, LARGE_BYTES);
    CHECK(bytes != NULL);
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_COUNT}, &options);
    connect_line(&rig, &line);

    assert_true(rig.driver.send(rig.engine, &line.connection, bytes, LARGE_BYTES) >= 0);
    hang_up(&rig, &line);
    look(&rig);

    assert_false(line.closed);
    tear_down(&rig);
    free(bytes);
}

static void a_crowd_is_answered_to_the_last(void **state)
{
    (void)state;
    struct rig rig;
    static struct line lines[CROWD];
    memset(lines, 0, sizeof lines);
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);

    for (size_t i = 0; i < CROWD; i++)
        begin(&rig, &lines[i]);
    for (size_t i = 0; i < CROWD; i++) {
        look_until(&rig, lines[i].connected);
        say(&rig, &lines[i], "x");
    }
    for (size_t i = 0; i < CROWD; i++)
        look_until(&rig, lines[i].byte_count == 1);

    for (size_t i = 0; i < CROWD; i++)
        hang_up(&rig, &lines[i]);
    tear_down(&rig);
}

/* One handshake takes longer than all looks of this test that do none. */
static void handshakes_wait_for_each_other_and_not_the_rest_for_them(void **state)
{
    (void)state;
    struct rig rig;
    static struct line lines[CROWD];
    memset(lines, 0, sizeof lines);
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);
    for (size_t i = 0; i < CROWD; i++)
        begin(&rig, &lines[i]);

    unsigned connected_most = 0;
    for (unsigned looks = 0, known = 0; known < CROWD && looks < LOOKS_MAX; looks++) {
        rig.driver.wait(rig.engine, NS_PER_MS);
        rig.driver.tell(rig.engine);
        unsigned connected = 0;
        for (size_t i = 0; i < CROWD; i++)
            connected += lines[i].connected;
        if (connected - known > connected_most)
            connected_most = connected - known;
        known = connected;
    }

    assert_in_range(connected_most, 1, 4);
    for (size_t i = 0; i < CROWD; i++)
        hang_up(&rig, &lines[i]);
    tear_down(&rig);
}

static void no_tls_is_no_handshake(void **state)
{
    (void)state;
    const struct assignment_tls options = careful();
    const enum tls_habit habits[] = {TLS_RUBBISH_AT_ONCE, TLS_ALERT_AT_ONCE, TLS_CLOSE_AT_ONCE};
    for (size_t i = 0; i < COUNT(habits); i++)
        assert_int_equal(fate(&(struct tls_peer_plan){.habit = habits[i]}, &options),
                         engine_error(FAILURE_TLS_HANDSHAKE));
}

static void a_certificate_is_refused_with_its_reason(void **state)
{
    (void)state;
    struct assignment_tls options = careful();
    options.authority = pem(foreign.certificate);
    assert_int_equal(fate(&(struct tls_peer_plan){.habit = TLS_ECHO}, &options),
                     engine_error(FAILURE_TLS_ISSUER));
    assert_int_equal(fate(&(struct tls_peer_plan){.identity = &foreign}, &options),
                     engine_error(FAILURE_TLS_NAME));
    options.authority = pem(expired.certificate);
    assert_int_equal(fate(&(struct tls_peer_plan){.identity = &expired}, &options),
                     engine_error(FAILURE_TLS_EXPIRED));
}

static void who_does_not_verify_takes_every_certificate(void **state)
{
    (void)state;
    const struct assignment_tls options = {.used = true};
    assert_int_equal(fate(&(struct tls_peer_plan){.identity = &foreign}, &options), 0);
    assert_int_equal(fate(&(struct tls_peer_plan){.identity = &expired}, &options), 0);
    assert_int_equal(fate(&(struct tls_peer_plan){.habit = TLS_RUBBISH_AT_ONCE}, &options),
                     engine_error(FAILURE_TLS_HANDSHAKE));
}

static void another_name_may_be_asked_for(void **state)
{
    (void)state;
    struct assignment_tls options = careful();
    options.authority = pem(foreign.certificate);
    options.server_name = pem("elsewhere.example.");
    assert_int_equal(fate(&(struct tls_peer_plan){.identity = &foreign}, &options), 0);
}

static void a_target_that_asks_for_a_certificate_gets_it(void **state)
{
    (void)state;
    struct assignment_tls options = careful();
    const struct tls_peer_plan plan = {.habit = TLS_ECHO, .client = &client};
    assert_int_equal(fate(&plan, &options), engine_error(FAILURE_TLS_HANDSHAKE));
    options.certificate = pem(client.certificate);
    options.key = pem(client.key);
    assert_int_equal(fate(&plan, &options), 0);
}

static void ends_are_told_from_cuts(void **state)
{
    (void)state;
    const struct {
        enum tls_habit habit;
        int error;
    } cases[] = {
        {TLS_ECHO_END, 0},
        {TLS_ECHO_CUT, engine_error(FAILURE_CLOSED)},
        {TLS_ECHO_RUBBISH, engine_error(FAILURE_TLS_RECORD)},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig rig;
        struct line line = {0};
        const struct assignment_tls options = careful();
        set_up(&rig, &(struct tls_peer_plan){.habit = cases[i].habit}, &options);
        connect_line(&rig, &line);
        say(&rig, &line, "last words");
        look_until(&rig, line.closed);
        assert_memory_equal(line.bytes, "last words", 10);
        assert_int_equal(line.close_error, cases[i].error);
        tear_down(&rig);
    }
}

/* Three connections, one after the other. */
static uint64_t resumed(bool resumption, bool *told)
{
    struct rig rig;
    struct assignment_tls options = careful();
    options.resumption = resumption;
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);
    for (uint64_t i = 1; i <= 3; i++) {
        struct line line = {0};
        connect_line(&rig, &line);
        say(&rig, &line, "x");
        look_until(&rig, line.byte_count == 1);
        *told = engine_tls_resumed(&line.connection);
        hang_up(&rig, &line);
        look_until(&rig, tls_peer_goodbyes(rig.peer) == i);
    }
    assert_int_equal(tls_peer_handshakes(rig.peer), 3);
    uint64_t count = tls_peer_resumed(rig.peer);
    tear_down(&rig);
    return count;
}

static void sessions_are_resumed_unless_told_otherwise(void **state)
{
    (void)state;
    bool told = false;
    assert_int_equal(resumed(true, &told), 2);
    assert_true(told);
    assert_int_equal(resumed(false, &told), 0);
    assert_false(told);
}

static void nothing_is_told_of_a_connection_that_is_closed_before_its_handshake(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {.close_when_greeted = true};
    struct line other = {0};
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);

    begin(&rig, &line);
    look_until(&rig, line.greeted);
    connect_line(&rig, &other);
    begin(&rig, &line);
    line.close_when_greeted = false;
    rig.driver.close(rig.engine, &line.connection);
    look(&rig);

    assert_false(line.connected);
    assert_false(line.closed);
    hang_up(&rig, &other);
    tear_down(&rig);
}

static void nobody_there_is_a_refused_connect(void **state)
{
    (void)state;
    struct rig rig;
    struct line line = {0};
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);
    struct tls_peer *gone = tls_peer_start(&(struct tls_peer_plan){.identity = &ours});
    rig.route.to = tls_peer_address(gone);
    tls_peer_stop(gone);

    int error = 0;
    if (rig.driver.connect(rig.engine, &line.connection, &rig.route, &error))
        look_until(&rig, line.connected);
    else
        line.connect_error = error;

    assert_int_equal(line.connect_error, ECONNREFUSED);
    assert_false(line.greeted);
    tear_down(&rig);
}

static void *wake(void *context)
{
    struct rig *rig = context;
    rig->driver.wake(rig->engine);
    return NULL;
}

static void another_thread_ends_a_wait(void **state)
{
    (void)state;
    struct rig rig;
    const struct assignment_tls options = careful();
    set_up(&rig, &(struct tls_peer_plan){.habit = TLS_ECHO}, &options);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wake, &rig) == 0);

    rig.driver.wait(rig.engine, ENGINE_NEVER);
    rig.driver.tell(rig.engine);

    CHECK(pthread_join(thread, NULL) == 0);
    assert_int_equal(rig.woken, 1);
    tear_down(&rig);
}

static void refuses(const struct assignment_tls *options, const char *sentence)
{
    struct error error = {0};
    assert_null(tls_context_create(options, "localhost", NULL, &error));
    assert_int_equal(error.kind, ERROR_PLAN);
    if (strncmp(error.message, sentence, strlen(sentence)) != 0)
        assert_string_equal(error.message, sentence);
}

static void files_that_are_no_certificates_are_refused_with_a_sentence(void **state)
{
    (void)state;
    struct assignment_tls options = careful();
    options.authority = pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    refuses(&options, "http.tls.ca holds no certificates in PEM");
    options.authority = pem(client.key);
    refuses(&options, "http.tls.ca holds no certificates in PEM");

    options = careful();
    options.certificate = pem(client.key);
    options.key = pem(client.key);
    refuses(&options, "http.tls.certificate holds no certificate in PEM");
    options.certificate = pem(client.certificate);
    options.key = pem(client.certificate);
    refuses(&options, "http.tls.key holds no key in PEM");
    options.key = pem(ours.key);
    refuses(&options, "http.tls.key ");
}

static int run(const char *name)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_and_answers),
        cmocka_unit_test(bytes_may_be_split_anywhere),
        cmocka_unit_test(a_large_answer_comes_whole),
        cmocka_unit_test(a_large_question_goes_out_whole),
        cmocka_unit_test(one_may_hang_up_in_the_middle_of_a_large_question),
        cmocka_unit_test(a_crowd_is_answered_to_the_last),
        cmocka_unit_test(handshakes_wait_for_each_other_and_not_the_rest_for_them),
        cmocka_unit_test(no_tls_is_no_handshake),
        cmocka_unit_test(a_certificate_is_refused_with_its_reason),
        cmocka_unit_test(who_does_not_verify_takes_every_certificate),
        cmocka_unit_test(another_name_may_be_asked_for),
        cmocka_unit_test(a_target_that_asks_for_a_certificate_gets_it),
        cmocka_unit_test(ends_are_told_from_cuts),
        cmocka_unit_test(sessions_are_resumed_unless_told_otherwise),
        cmocka_unit_test(nothing_is_told_of_a_connection_that_is_closed_before_its_handshake),
        cmocka_unit_test(nobody_there_is_a_refused_connect),
        cmocka_unit_test(another_thread_ends_a_wait),
        cmocka_unit_test(files_that_are_no_certificates_are_refused_with_a_sentence),
    };
    int failures = 0;
    for (int i = 0; i < 2; i++) {
        char group[32];
        tls12 = i == 1;
        snprintf(group, sizeof group, "%s, TLS 1.%d", name, tls12 ? 2 : 3);
        failures += cmocka_run_group_tests_name(group, tests, NULL, NULL);
    }
    return failures;
}

int main(void)
{
    ours = identity_make("localhost", -DAY_S, DAY_S);
    expired = identity_make("localhost", -2 * DAY_S, -DAY_S);
    foreign = identity_make("elsewhere.example", -DAY_S, DAY_S);
    client = identity_make("client", -DAY_S, DAY_S);
    net_raise_descriptors(8 * CROWD);
    below = &engine_epoll;
    int failures = run("epoll");
    struct error why = {0};
    below = engine_choose(ENGINE_URING, &why);
    if (below == NULL)
        print_message("not on io_uring: %s\n", why.message);
    else
        failures += run("uring");
    return failures;
}
