#include "proto/assignment.h"

#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static struct assignment example(void)
{
    return (struct assignment){
        .workload = "http1",
        .host = "localhost",
        .port = 8080,
        .open_arrivals = true,
        .keep_alive = true,
        .seed = 7,
        .timeout_ns = 5000000000,
        .phases = 3,
        .duration_ns = 60000000000,
        .concurrency_max = 1000,
        .rate_max_per_s = 4999.625,
        .request_count = 2,
        .requests = {{.name = "home",
                      .weight = 3,
                      .bytes = (const uint8_t *)get,
                      .byte_count = sizeof get - 1,
                      .expect_status = 200},
                     {.name = "ping",
                      .weight = 1,
                      .head = true,
                      .expect_prefix = (const uint8_t *)"\0pong",
                      .expect_prefix_count = 5,
                      .reconnect = true}},
    };
}

static uint8_t encoded[ASSIGNMENT_BYTES_MAX];
static char texts[ASSIGNMENT_TEXT_BYTES];

static size_t encode(const struct assignment *assignment)
{
    size_t count = 0;
    struct error error = {0};
    if (!assignment_encode(assignment, encoded, &count, &error))
        fail_msg("%s", error.message);
    return count;
}

static void decode_gives_back_every_field(void **state)
{
    (void)state;
    struct assignment assignment = example();
    size_t count = encode(&assignment);

    struct assignment decoded;
    struct error error = {0};
    bool passes = assignment_decode(encoded, count, texts, &decoded, &error);

    assert_string_equal(error.message, "");
    assert_true(passes);
    assert_string_equal(decoded.workload, "http1");
    assert_string_equal(decoded.host, "localhost");
    assert_int_equal(decoded.port, 8080);
    assert_true(decoded.open_arrivals);
    assert_true(decoded.keep_alive);
    assert_int_equal(decoded.seed, 7);
    assert_int_equal(decoded.timeout_ns, 5000000000);
    assert_int_equal(decoded.phases, 3);
    assert_int_equal(decoded.duration_ns, 60000000000);
    assert_int_equal(decoded.concurrency_max, 1000);
    assert_true(decoded.rate_max_per_s == 4999.625);
    assert_int_equal(decoded.request_count, 2);
    assert_false(decoded.latency_digest);
    assert_string_equal(decoded.requests[0].name, "home");
    assert_int_equal(decoded.requests[0].weight, 3);
    assert_int_equal(decoded.requests[0].byte_count, sizeof get - 1);
    assert_memory_equal(decoded.requests[0].bytes, get, sizeof get - 1);
    assert_int_equal(decoded.requests[0].expect_status, 200);
    assert_false(decoded.requests[0].head);
    assert_string_equal(decoded.requests[1].name, "ping");
    assert_int_equal(decoded.requests[1].byte_count, 0);
    assert_true(decoded.requests[1].head);
    assert_int_equal(decoded.requests[1].expect_prefix_count, 5);
    assert_memory_equal(decoded.requests[1].expect_prefix, "\0pong", 5);
    assert_true(decoded.requests[1].reconnect);
}

/* An agent of minor version 0 knows twelve fields and takes no more. */
static void a_digest_is_a_field_more_only_when_it_is_asked_for(void **state)
{
    (void)state;
    struct assignment assignment = example();
    struct assignment decoded;
    encode(&assignment);
    assert_int_equal(encoded[0], 0x90 | 12);
    assert_int_equal(assignment_minor(encoded), 0);

    assignment.latency_digest = true;
    size_t count = encode(&assignment);
    assert_int_equal(encoded[0], 0x90 | 13);
    assert_int_equal(assignment_minor(encoded), 1);
    assert_true(assignment_decode(encoded, count, texts, &decoded, NULL));
    assert_true(decoded.latency_digest);
    assert_false(assignment_decode(encoded, count - 1, texts, &decoded, NULL));
}

static const uint8_t sha[32] = {1, 2, 3};

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static struct assignment with_all_sections(void)
{
    struct assignment assignment = example();
    assignment.tls = (struct assignment_tls){true,       true,        true,       TEXT("a.example"),
                                             TEXT("ca"), TEXT("crt"), TEXT("key")};
    assignment.connection =
        (struct assignment_connection){true, 1, 2, 3, 4, 5, TEXT("/run/a.sock")};
    assignment.http = (struct assignment_http){true, 20, true, 6, 7, 100};
    assignment.numbering = (struct assignment_numbering){true, UINT64_MAX};
    assignment.options = (struct assignment_options){true, 8, TEXT("echo"), TEXT("fast")};
    assignment.scatter.used = true;
    assignment.data_count = 1;
    assignment.data[0] =
        (struct assignment_data){TEXT("users"), DATA_UNIQUE, 1u << 20, {sha, sizeof sha}, NULL};
    assignment.expectation_count = 2;
    assignment.expectations[0] =
        (struct assignment_expectation){0, EXPECT_STATUS_CLASS, {0}, {0}, 200, 299};
    assignment.expectations[1] =
        (struct assignment_expectation){1, EXPECT_HEADER, TEXT("Server"), TEXT("x"), 0, 0};
    assignment.slot_count = 2;
    assignment.slots[0] = (struct assignment_slot){0, 3, SLOT_CELL, true, 0, 63, 0, 0};
    assignment.slots[1] = (struct assignment_slot){1, 0, SLOT_RANDOM, false, 0, 0, 1, UINT64_MAX};
    return assignment;
}

static void sections_come_back_as_they_went(void **state)
{
    (void)state;
    struct assignment assignment = with_all_sections();
    size_t count = encode(&assignment);
    assert_int_equal(encoded[0], 0x90 | 14);
    assert_int_equal(assignment_minor(encoded), 2);
    uint8_t first[ASSIGNMENT_BYTES_MAX];
    memcpy(first, encoded, count);

    struct assignment decoded;
    struct error error = {0};
    bool passes = assignment_decode(first, count, texts, &decoded, &error);

    assert_string_equal(error.message, "");
    assert_true(passes);
    assert_true(decoded.tls.used);
    assert_int_equal(decoded.tls.key.count, 3);
    assert_memory_equal(decoded.connection.unix_path.bytes, "/run/a.sock", 11);
    assert_int_equal(decoded.http.streams, 100);
    assert_true(decoded.numbering.total == UINT64_MAX);
    assert_true(decoded.scatter.used);
    assert_int_equal(decoded.data[0].order, DATA_UNIQUE);
    assert_int_equal(decoded.expectations[1].kind, EXPECT_HEADER);
    assert_int_equal(decoded.slot_count, 2);
    assert_int_equal(decoded.slots[0].column, 63);
    assert_true(decoded.slots[0].encoded);
    assert_true(decoded.slots[1].most == UINT64_MAX);
    assert_int_equal(encode(&decoded), count);
    assert_memory_equal(encoded, first, count);
}

static void a_section_that_is_cut_doubled_or_unknown_is_refused(void **state)
{
    (void)state;
    struct assignment assignment = example();
    assignment.numbering = (struct assignment_numbering){true, 100};
    size_t count = encode(&assignment);
    struct assignment decoded;
    struct error error = {0};
    assert_false(assignment_decode(encoded, count - 1, texts, &decoded, &error));
    assert_int_equal(encoded[count - 2], 4); /* ... [[4, 100]] */

    encoded[count - 2] = 99;
    assert_false(assignment_decode(encoded, count, texts, &decoded, &error));
    assert_non_null(strstr(error.message, "section 99 of 2 fields is not known"));

    encoded[count - 2] = 4;
    encoded[count - 4] = 0x92; /* two of them */
    memcpy(encoded + count, encoded + count - 3, 3);
    assert_false(assignment_decode(encoded, count + 3, texts, &decoded, &error));
    assert_non_null(strstr(error.message, "the section numbering comes twice"));
}

static void equal_assignments_are_equal_bytes(void **state)
{
    (void)state;
    struct assignment assignment = example();
    size_t count = encode(&assignment);
    uint8_t first[32];
    assignment_digest(encoded, count, first);

    struct assignment decoded;
    uint8_t *copy = malloc(count);
    assert_non_null(copy);
    memcpy(copy, encoded, count);
    assert_true(assignment_decode(copy, count, texts, &decoded, NULL));
    size_t again = encode(&decoded);
    uint8_t second[32];
    assignment_digest(encoded, again, second);

    free(copy);
    assert_int_equal(again, count);
    assert_memory_equal(second, first, sizeof first);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct assignment assignment = example();
    size_t whole = encode(&assignment);
    struct guard guard = guard_open(whole);
    for (size_t count = 0; count < whole; count++) {
        struct assignment decoded;
        struct error error = {0};
        uint8_t *bytes = guard_copy(&guard, encoded, count);
        assert_false(assignment_decode(bytes, count, texts, &decoded, &error));
        assert_int_equal(error.kind, ERROR_PROTOCOL);
    }
    guard_close(&guard);
}

static void every_corrupt_byte_is_survived(void **state)
{
    (void)state;
    struct assignment assignment = example();
    size_t whole = encode(&assignment);
    struct guard guard = guard_open(whole);
    for (size_t at = 0; at < whole; at++) {
        for (unsigned int value = 0; value < 256; value++) {
            struct assignment decoded;
            struct error error = {0};
            uint8_t *bytes = guard_copy(&guard, encoded, whole);
            bytes[at] = (uint8_t)value;
            bool passes = assignment_decode(bytes, whole, texts, &decoded, &error);
            assert_int_equal(error.kind, passes ? ERROR_NONE : ERROR_PROTOCOL);
        }
    }
    guard_close(&guard);
}

/* It would end every request as it began. */
static void a_time_out_of_nothing_is_refused(void **state)
{
    (void)state;
    struct assignment assignment = example();
    struct assignment decoded;
    struct error error = {0};
    uint8_t other[ASSIGNMENT_BYTES_MAX];
    assignment.timeout_ns = 2;
    size_t count = encode(&assignment);
    memcpy(other, encoded, count);
    assignment.timeout_ns = 1;
    assert_int_equal(encode(&assignment), count);
    assert_true(assignment_decode(encoded, count, texts, &decoded, &error));

    for (size_t i = 0; i < count; i++)
        if (encoded[i] != other[i])
            encoded[i] = 0;

    assert_false(assignment_decode(encoded, count, texts, &decoded, &error));
    assert_non_null(strstr(error.message, "timeout_ns"));
}

static void bytes_after_the_assignment_are_refused(void **state)
{
    (void)state;
    struct assignment assignment = example();
    size_t count = encode(&assignment);
    encoded[count] = 1;

    struct assignment decoded;
    struct error error = {0};
    assert_false(assignment_decode(encoded, count + 1, texts, &decoded, &error));

    assert_string_equal(error.message, "assignment: 1 bytes too many after the last field");
}

/* Finds by trial how many bytes of body just fit: one byte more must be refused by name. */
static void an_assignment_of_one_byte_too_many_is_refused(void **state)
{
    (void)state;
    struct assignment assignment = example();
    static uint8_t body[ASSIGNMENT_BYTES_MAX];
    assignment.requests[0].bytes = body;
    assignment.requests[0].byte_count = 60000;
    size_t room = ASSIGNMENT_BYTES_MAX - encode(&assignment);
    assignment.requests[0].byte_count += room;
    assert_int_equal(encode(&assignment), ASSIGNMENT_BYTES_MAX);

    assignment.requests[0].byte_count++;
    size_t count = 42;
    struct error error = {0};
    assert_false(assignment_encode(&assignment, encoded, &count, &error));

    assert_int_equal(error.kind, ERROR_LIMIT);
    assert_non_null(strstr(error.message, "more than 65536 bytes"));
    assert_int_equal(count, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_gives_back_every_field),
        cmocka_unit_test(a_digest_is_a_field_more_only_when_it_is_asked_for),
        cmocka_unit_test(sections_come_back_as_they_went),
        cmocka_unit_test(a_section_that_is_cut_doubled_or_unknown_is_refused),
        cmocka_unit_test(equal_assignments_are_equal_bytes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_corrupt_byte_is_survived),
        cmocka_unit_test(a_time_out_of_nothing_is_refused),
        cmocka_unit_test(bytes_after_the_assignment_are_refused),
        cmocka_unit_test(an_assignment_of_one_byte_too_many_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
