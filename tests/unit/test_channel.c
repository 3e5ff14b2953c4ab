#include "proto/channel.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/support/messages.h"
#include "tests/support/skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

/* A wait is for an event, and this only bounds it: only a failing test ever waits so long. */
#define PATIENCE_NS (60 * NS_PER_S)
#define LOOK_MS     100
#define BAD_MAX     100

static struct channel *bound(const char *endpoint)
{
    struct error error = {0};
    struct channel *channel = channel_bind(endpoint, &error);
    if (channel == NULL)
        fail_msg("%s", error.message);
    return channel;
}

static struct channel *connected(const char *endpoint)
{
    struct error error = {0};
    struct channel *channel = channel_connect(endpoint, &error);
    if (channel == NULL)
        fail_msg("%s", error.message);
    return channel;
}

static void look(struct channel *channel)
{
    struct pollfd waiting = {.fd = channel_descriptor(channel), .events = POLLIN};
    poll(&waiting, 1, LOOK_MS);
}

/** Waits for whatever comes next, good or bad. */
static enum channel_outcome next(struct channel *channel, struct peer_id *from,
                                 struct message *message, struct error *error)
{
    for (uint64_t end_ns = clock_now_ns() + PATIENCE_NS; clock_now_ns() < end_ns;) {
        enum channel_outcome outcome = channel_receive(channel, from, message, error);
        if (outcome != CHANNEL_EMPTY)
            return outcome;
        look(channel);
    }
    fail_msg("nothing came");
    return CHANNEL_EMPTY;
}

/** Sends as soon as there is a connection to send on; nothing is to be received before. */
static void send_when_connected(struct channel *agent, const struct message *message)
{
    for (uint64_t end_ns = clock_now_ns() + PATIENCE_NS; clock_now_ns() < end_ns;) {
        struct peer_id from;
        struct message none;
        assert_int_equal(channel_receive(agent, &from, &none, NULL), CHANNEL_EMPTY);
        if (channel_send(agent, NULL, message))
            return;
        look(agent);
    }
    fail_msg("no connection came");
}

static void hello_goes_over(const char *endpoint, const char *host)
{
    struct channel *coordinator = bound(endpoint);
    struct channel *agent = connected(channel_endpoint(coordinator));
    struct message hello = messages_example(MESSAGE_HELLO);
    send_when_connected(agent, &hello);

    struct peer_id from;
    struct message message;
    struct error error = {0};
    assert_int_equal(next(coordinator, &from, &message, &error), CHANNEL_MESSAGE);
    assert_int_equal(message.type, MESSAGE_HELLO);
    assert_string_equal(message.as.hello.name, "eu-1");
    assert_true(from.length > 0);
    assert_string_equal(from.host, host);

    struct message welcome = messages_example(MESSAGE_WELCOME);
    assert_true(channel_send(coordinator, &from, &welcome));
    assert_int_equal(next(agent, &from, &message, &error), CHANNEL_MESSAGE);
    assert_int_equal(message.type, MESSAGE_WELCOME);
    assert_memory_equal(message.as.welcome.assignment, welcome.as.welcome.assignment,
                        welcome.as.welcome.assignment_bytes);
    assert_int_equal(from.length, 0);

    assert_int_equal(channel_receive(agent, &from, &message, &error), CHANNEL_EMPTY);
    assert_int_equal(channel_counts(coordinator).received, 1);
    assert_int_equal(channel_counts(coordinator).sent, 1);
    assert_int_equal(channel_counts(coordinator).bad, 0);
    assert_int_equal(channel_counts(agent).received, 1);
    channel_close(agent);
    channel_close(coordinator);
}

static void hello_and_welcome_go_over_tcp(void **state)
{
    (void)state;
    hello_goes_over("tcp://127.0.0.1:*", "127.0.0.1");
}

/* As the kernel says it, so that a bind of ours that fails is no reason to skip. */
static bool kernel_has_ipv6_loopback(void)
{
    FILE *file = fopen("/proc/net/if_inet6", "re");
    char line[128];
    bool found = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        found = found || strncmp(line, "00000000000000000000000000000001 ", 33) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

static void hello_and_welcome_go_over_tcp_on_ipv6(void **state)
{
    (void)state;
    if (!kernel_has_ipv6_loopback())
        skip_for("the kernel has no ::1 here");
    hello_goes_over("tcp://[::1]:0", "::1");
}

static void hello_and_welcome_go_over_ipc(void **state)
{
    (void)state;
    char folder[] = "/tmp/clobber-channel-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/c", folder);

    hello_goes_over(endpoint, "localhost");

    unlink(endpoint + strlen("ipc://"));
    assert_int_equal(rmdir(folder), 0);
}

static void port_0_becomes_a_real_port(void **state)
{
    (void)state;
    struct channel *channel = bound("tcp://127.0.0.1:0");
    unsigned int port = 0;
    assert_int_equal(sscanf(channel_endpoint(channel), "tcp://127.0.0.1:%u", &port), 1);
    assert_in_range(port, 1, 65535);
    channel_close(channel);
}

static void answers_go_to_the_agent_that_asked(void **state)
{
    (void)state;
    struct channel *coordinator = bound("tcp://127.0.0.1:0");
    struct channel *agents[2];
    for (uint64_t i = 0; i < 2; i++) {
        agents[i] = connected(channel_endpoint(coordinator));
        struct message hello = messages_example(MESSAGE_HELLO);
        hello.seq = 100 + i;
        send_when_connected(agents[i], &hello);
    }

    struct peer_id from;
    struct message message;
    struct error error = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(next(coordinator, &from, &message, &error), CHANNEL_MESSAGE);
        struct message setpoint = messages_example(MESSAGE_SETPOINT);
        setpoint.seq = message.seq;
        assert_true(channel_send(coordinator, &from, &setpoint));
    }
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(next(agents[i], &from, &message, &error), CHANNEL_MESSAGE);
        assert_int_equal(message.seq, 100 + i);
        channel_close(agents[i]);
    }
    channel_close(coordinator);
}

/* A peer that is no channel of ours: a bare socket of `type`, with an id of its own when `id` is
 * given. */
struct stranger {
    void *context;
    void *socket;
};

static struct stranger stranger_connect(const struct channel *coordinator, int type, const char *id)
{
    struct stranger stranger = {.context = zmq_ctx_new()};
    stranger.socket = zmq_socket(stranger.context, type);
    assert_non_null(stranger.socket);
    int linger_ms = 0;
    zmq_setsockopt(stranger.socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    if (id != NULL)
        zmq_setsockopt(stranger.socket, ZMQ_ROUTING_ID, id, strlen(id));
    assert_int_equal(zmq_connect(stranger.socket, channel_endpoint(coordinator)), 0);
    return stranger;
}

static void stranger_leave(struct stranger *stranger)
{
    zmq_close(stranger->socket);
    zmq_ctx_term(stranger->context);
}

/** One message of `frames` frames of `frame_bytes` each. */
static void stranger_send(struct stranger *stranger, size_t frames, size_t frame_bytes)
{
    uint8_t *bytes = calloc(1, frame_bytes + 1);
    assert_non_null(bytes);
    for (size_t i = 1; i <= frames; i++) {
        int flags = i < frames ? ZMQ_SNDMORE : 0;
        assert_int_equal(zmq_send(stranger->socket, bytes, frame_bytes, flags), (int)frame_bytes);
    }
    free(bytes);
}

/** An honest agent gets through; what is bad before it is passed over, and returned as a count. */
static uint64_t bad_before_an_honest_hello(struct channel *coordinator)
{
    struct channel *agent = connected(channel_endpoint(coordinator));
    struct message hello = messages_example(MESSAGE_HELLO);
    send_when_connected(agent, &hello);
    struct peer_id from;
    struct message message;
    struct error error = {0};
    for (int i = 0; i < BAD_MAX; i++) {
        if (next(coordinator, &from, &message, &error) == CHANNEL_MESSAGE)
            break;
        assert_int_equal(error.kind, ERROR_PROTOCOL);
    }
    assert_int_equal(message.type, MESSAGE_HELLO);
    channel_close(agent);
    return channel_counts(coordinator).bad;
}

struct stranger_case {
    const char *name;
    int type;
    const char *id;
    size_t frames;
    size_t frame_bytes;
    const char *sentence;
    bool named; /* whether `from` tells who it was */
};

static const struct stranger_case stranger_cases[] = {
    {"an_empty_body_is_dropped", ZMQ_DEALER, NULL, 1, 0, "message is missing", true},
    {"a_body_of_zeros_is_dropped", ZMQ_DEALER, NULL, 1, 100, "message is an unsigned integer",
     true},
    {"the_largest_frame_is_looked_into", ZMQ_DEALER, NULL, 1, MESSAGE_BYTES_MAX,
     "more than 16384 elements", true},
    {"two_body_frames_are_dropped", ZMQ_DEALER, NULL, 2, 10, "more than one frame", true},
    {"a_hundred_body_frames_are_dropped", ZMQ_DEALER, NULL, 100, 10, "more than one frame", true},
    {"the_delimiter_of_a_req_socket_is_dropped", ZMQ_REQ, NULL, 1, 10, "more than one frame", true},
    {"a_routing_id_of_the_peer_s_own_is_dropped", ZMQ_DEALER, "eu-1!", 1, 10,
     "routing id of its own", false},
    {"a_long_routing_id_is_dropped", ZMQ_DEALER, "a routing id longer than a peer_id", 3, 10,
     "routing id of its own", false},
};

static void a_stranger_s_message_is_dropped(void **state)
{
    const struct stranger_case *row = *state;
    struct channel *coordinator = bound("tcp://127.0.0.1:0");
    struct stranger stranger = stranger_connect(coordinator, row->type, row->id);
    stranger_send(&stranger, row->frames, row->frame_bytes);

    struct peer_id from;
    struct message message;
    struct error error = {0};
    assert_int_equal(next(coordinator, &from, &message, &error), CHANNEL_BAD);

    if (strstr(error.message, row->sentence) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, row->sentence);
    assert_int_equal(from.length > 0, row->named);
    assert_int_equal(bad_before_an_honest_hello(coordinator), 1);
    stranger_leave(&stranger);
    channel_close(coordinator);
}

static void a_message_of_very_many_frames_is_dropped_a_part_at_a_time(void **state)
{
    (void)state;
    struct channel *coordinator = bound("tcp://127.0.0.1:0");
    struct stranger stranger = stranger_connect(coordinator, ZMQ_DEALER, NULL);
    stranger_send(&stranger, 2500, 1);

    struct peer_id from;
    struct message message;
    struct error error = {0};
    assert_int_equal(next(coordinator, &from, &message, &error), CHANNEL_BAD);
    assert_int_equal(next(coordinator, &from, &message, &error), CHANNEL_BAD);
    assert_non_null(strstr(error.message, "still being dropped"));

    assert_int_equal(bad_before_an_honest_hello(coordinator), 2);
    stranger_leave(&stranger);
    channel_close(coordinator);
}

/* libzmq cuts the connection, so the message is never seen; the honest are not disturbed. */
static void a_frame_above_the_limit_never_arrives(void **state)
{
    (void)state;
    struct channel *coordinator = bound("tcp://127.0.0.1:0");
    struct stranger stranger = stranger_connect(coordinator, ZMQ_DEALER, NULL);
    stranger_send(&stranger, 1, MESSAGE_BYTES_MAX + 1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(bad_before_an_honest_hello(coordinator), 0);
    stranger_leave(&stranger);
    channel_close(coordinator);
}

static void what_cannot_be_sent_is_counted(void **state)
{
    (void)state;
    struct channel *coordinator = bound("tcp://127.0.0.1:0");
    struct peer_id nobody = {.length = 5, .bytes = {0, 1, 2, 3, 4}};
    struct message setpoint = messages_example(MESSAGE_SETPOINT);
    assert_false(channel_send(coordinator, &nobody, &setpoint));
    assert_int_equal(channel_counts(coordinator).unsent, 1);

    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s", channel_endpoint(coordinator));
    channel_close(coordinator);
    struct channel *agent = connected(endpoint); /* nobody listens there any more */
    struct message hello = messages_example(MESSAGE_HELLO);
    assert_false(channel_send(agent, NULL, &hello));
    assert_int_equal(channel_counts(agent).unsent, 1);
    channel_close(agent);
}

static void the_last_word_before_closing_still_leaves(void **state)
{
    (void)state;
    struct channel *coordinator = bound("tcp://127.0.0.1:0");
    struct channel *agent = connected(channel_endpoint(coordinator));
    struct message bye = messages_example(MESSAGE_BYE);
    send_when_connected(agent, &bye);
    channel_close(agent);

    struct peer_id from;
    struct message message;
    struct error error = {0};
    assert_int_equal(next(coordinator, &from, &message, &error), CHANNEL_MESSAGE);
    assert_int_equal(message.type, MESSAGE_BYE);
    channel_close(coordinator);
}

static void a_port_that_is_taken_is_said_to_be(void **state)
{
    (void)state;
    struct channel *first = bound("tcp://127.0.0.1:0");

    struct error error = {0};
    struct channel *second = channel_bind(channel_endpoint(first), &error);

    assert_null(second);
    assert_int_equal(error.kind, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, channel_endpoint(first)));
    assert_non_null(strstr(error.message, "another program listens there already"));
    channel_close(first);
}

static void an_address_of_another_machine_is_said_to_be(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(channel_bind("tcp://192.0.2.1:0", &error)); /* RFC 5737: nobody's */
    assert_int_equal(error.kind, ERROR_SYSTEM);
    assert_string_equal(error.message,
                        "tcp://192.0.2.1:0: this machine has no such address; give one in "
                        "numbers, 127.0.0.1 for this machine alone");
}

static void what_is_no_endpoint_is_refused(void **state)
{
    (void)state;
    static const char *const endpoints[] = {
        "",
        "tcp",
        "tcp://",
        "tcp://127.0.0.1",
        "127.0.0.1:5000",
        "udp://a:1",
        "inproc://a",
        "ipc://",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:x",
    };
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        struct error error = {0};
        struct channel *channel = channel_bind(endpoints[i], &error);
        if (channel != NULL)
            fail_msg("bound '%s' as %s", endpoints[i], channel_endpoint(channel));
        if (strstr(error.message, "is not an endpoint") == NULL)
            fail_msg("'%s': %s", endpoints[i], error.message);
        assert_int_equal(error.kind, ERROR_USAGE);
    }
    char too_long[600];
    memset(too_long, 'a', sizeof too_long);
    memcpy(too_long, "ipc://", 6);
    too_long[sizeof too_long - 1] = '\0';
    assert_null(channel_connect(too_long, NULL));
}

static void an_endpoint_is_local_when_only_this_machine_reaches_it(void **state)
{
    (void)state;
    static const char *const local[] = {
        "ipc:///tmp/a",   "tcp://127.0.0.1:5000",          "tcp://127.255.0.9:*",  "tcp://[::1]:0",
        "tcp://::1:5000", "tcp://[::ffff:127.0.0.1]:5000", "tcp://localhost:5000",
    };
    static const char *const reachable[] = {
        "tcp://*:5000",
        "tcp://0.0.0.0:5000",
        "tcp://[::]:5000",
        "tcp://10.0.0.1:5000",
        "tcp://eth0:5000",
        "tcp://[fe80::1]:5000",
        "tcp://128.0.0.1:5000",
        "tcp://",
        "tcp://127.0.0.1.example.com:5000",
        "tcp://127.0.0.1;10.0.0.1:5000",
        "",
    };
    for (size_t i = 0; i < COUNT(local); i++) {
        if (!channel_endpoint_is_local(local[i]))
            fail_msg("%s is local", local[i]);
    }
    for (size_t i = 0; i < COUNT(reachable); i++) {
        if (channel_endpoint_is_local(reachable[i]))
            fail_msg("%s is not local", reachable[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_and_welcome_go_over_tcp),
        cmocka_unit_test(hello_and_welcome_go_over_tcp_on_ipv6),
        cmocka_unit_test(hello_and_welcome_go_over_ipc),
        cmocka_unit_test(port_0_becomes_a_real_port),
        cmocka_unit_test(answers_go_to_the_agent_that_asked),
        cmocka_unit_test(a_message_of_very_many_frames_is_dropped_a_part_at_a_time),
        cmocka_unit_test(a_frame_above_the_limit_never_arrives),
        cmocka_unit_test(what_cannot_be_sent_is_counted),
        cmocka_unit_test(the_last_word_before_closing_still_leaves),
        cmocka_unit_test(a_port_that_is_taken_is_said_to_be),
        cmocka_unit_test(an_address_of_another_machine_is_said_to_be),
        cmocka_unit_test(what_is_no_endpoint_is_refused),
        cmocka_unit_test(an_endpoint_is_local_when_only_this_machine_reaches_it),
    };
    struct CMUnitTest rows[COUNT(stranger_cases)];
    for (size_t i = 0; i < COUNT(stranger_cases); i++) {
        rows[i] = (struct CMUnitTest){.name = stranger_cases[i].name,
                                      .test_func = a_stranger_s_message_is_dropped,
                                      .initial_state = (void *)(uintptr_t)&stranger_cases[i]};
    }
    int failed = cmocka_run_group_tests_name("channel", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("strangers", rows, NULL, NULL);
}
