#include "tests/support/messages.h"

#include "common/base/check.h"

#include <string.h>

const enum message_type messages_types[MESSAGES_COUNT] = {
    MESSAGE_HELLO,   MESSAGE_WELCOME, MESSAGE_REFUSE,    MESSAGE_READY,
    MESSAGE_DECLINE, MESSAGE_BEAT,    MESSAGE_BYE,       MESSAGE_SETPOINT,
    MESSAGE_SAMPLE,  MESSAGE_FINAL,   MESSAGE_FINAL_ACK, MESSAGE_STOP,
    MESSAGE_DATA,    MESSAGE_FETCH,   MESSAGE_EXAMINE,   MESSAGE_FINDINGS,
};

static const uint8_t assignment[] = "not looked into here";
static const uint8_t histogram[] = {3, 30, 9, 11, 9, 1, 0, 1, 0, 1};
static const uint8_t digest[] = {3, 9, 1, 4, 2};

static const struct findings findings = {
    .echo_t = 123456789012,
    .t_agent = 98765432109,
    .measured = true,
    .lanes = 4,
    .cpu_limit_milli = 1500,
    .requests_per_cpu_s = 61200,
    .timer_p99_ns = 60000,
    .descriptors = 65536,
    .room = 20000,
    .ports = 28232,
    .addresses = 2,
    .engine = "epoll",
    .engine_why = "io_uring_setup: Operation not permitted",
    .governor = "powersave",
    .clock = "tsc",
};

static const struct hello hello = {
    .major = PROTOCOL_MAJOR,
    .minor = PROTOCOL_MINOR,
    .features = 5,
    .name = "eu-1",
    .build = "0.1.0",
    .cores = 8,
    .max_concurrency = 5000,
    .max_rate_milli = 9999999,
    .allow_digest = {1, 2, 3},
    .t_agent = 123456789012,
    .orphans = 1,
};

static const struct welcome welcome = {
    .major = PROTOCOL_MAJOR,
    .minor = PROTOCOL_MINOR,
    .features = 4,
    .lease_ms = LEASE_MS,
    .beat_ms = 100,
    .sample_ms = SAMPLE_MS,
    .histogram_max_ns = HISTOGRAM_NS_MAX,
    .histogram_digits = HISTOGRAM_DIGITS,
    .assignment = assignment,
    .assignment_bytes = sizeof assignment,
    .assignment_digest = {4, 5, 6},
    .echo_t = 123456789012,
};

static const struct counters counters = {
    .planned = 1000,
    .not_started = 10,
    .started = 980,
    .ok = 900,
    .failed = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
    .timed_out = 1,
    .unwritten = 3,
    .bytes_sent = 70000,
    .bytes_received = 800000,
    .connections_opened = 16,
    .connections_reused = 964,
    .in_flight_ns = 30000000000,
    .latency_sum_ns = 29000000000,
    .send_lag_sum_ns = 1000000,
};

static const struct beat beat = {
    .t_agent = 123456789013,
    .applied_seq = 17,
    .lease_left_ms = 1900,
    .cpu_ns = 400000000,
    .workers = 20,
    .in_flight = 1,
    .backlog = 10,
    .demand_peak = 30,
    .lanes = 4,
    .lane_load_permille = 910,
    .send_lag_max_us = 250,
    .flags = BEAT_CPU_SATURATED | BEAT_STOOD_STILL,
    .digest = digest,
    .digest_bytes = sizeof digest,
    .index_block = 3,
    .index_used = 2000,
};

static const struct setpoint setpoint = {
    .floor_milli = 1500,
    .concurrency_milli = 2500,
    .rate_milli = 5000000,
    .drop_age_ms = 1000,
    .phase = 2,
    .sample_ms = SAMPLE_MS,
    .echo_t = 123456789013,
    .index_from = 4096,
    .index_count = 1024,
    .index_block = 3,
};

static const struct sample sample = {
    .phase = 2,
    .part = 0,
    .parts = 1,
    .t_from = 100000000000,
    .t_to = 123456789014,
    .status_count = 2,
    .statuses = {{200, 900, 0}, {503, 10, 10}},
    .request_count = 2,
    .requests = {{600, 50}, {300, 29}},
    .histogram_count = 2,
    .histograms = {{SAMPLE_RESPONSE, 0, histogram, sizeof histogram},
                   {SAMPLE_REQUEST, 1, histogram, sizeof histogram}},
};

struct message messages_example(enum message_type type)
{
    struct message message = {.type = type, .epoch = 3, .seq = 77};
    memset(message.run_id, 0xaa, sizeof message.run_id);
    memset(message.incarnation, 0xbb, sizeof message.incarnation);
    switch (type) {
    case MESSAGE_HELLO:
        message.as.hello = hello;
        break;
    case MESSAGE_WELCOME:
        message.as.welcome = welcome;
        break;
    case MESSAGE_REFUSE:
        message.as.refuse = (struct refuse){REFUSE_DUPLICATE, "eu-1 is here already", 2000};
        break;
    case MESSAGE_READY:
        message.as.ready = (struct ready){{4, 5, 6}};
        break;
    case MESSAGE_DECLINE:
        message.as.decline = (struct decline){DECLINE_TARGET, "10.0.0.1 is not allowed"};
        break;
    case MESSAGE_BEAT:
        message.as.beat = beat;
        message.as.beat.counters = counters;
        break;
    case MESSAGE_SETPOINT:
        message.as.setpoint = setpoint;
        break;
    case MESSAGE_SAMPLE:
        message.as.sample = sample;
        message.as.sample.counters = counters;
        break;
    case MESSAGE_FINAL:
        message.as.final = (struct final){.applied_seq = 18,
                                          .reason = FINAL_INTERRUPTED,
                                          .last_phase = 3,
                                          .counters = counters,
                                          .cpu_ns = 400000001};
        message.as.final.sample = sample;
        message.as.final.sample.counters = counters;
        break;
    case MESSAGE_FINAL_ACK:
        message.as.final_ack = (struct final_ack){.seq = 76, .started = 980, .ok = 900};
        break;
    case MESSAGE_STOP:
        message.as.stop = (struct stop){STOP_ABORT, 1000, "interrupted twice"};
        break;
    case MESSAGE_BYE:
        message.as.bye = (struct bye){"the owner interrupted"};
        break;
    case MESSAGE_DATA:
        message.as.data = (struct data_part){"users", 2, 3, digest, sizeof digest};
        break;
    case MESSAGE_FETCH:
        message.as.fetch = (struct fetch){"users", 2};
        break;
    case MESSAGE_EXAMINE:
        message.as.examine = (struct examine){123456789012, 1000};
        break;
    case MESSAGE_FINDINGS:
        message.as.findings = findings;
        break;
    default:
        CHECK(type == MESSAGE_TYPES); /* no example of what is not spoken */
    }
    return message;
}
