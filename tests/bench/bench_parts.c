/* What the parts of a request cost by themselves, in ns of CPU: the best of ROUNDS, for whatever
 * else runs here can only add. Run it in the release preset. */
#include "agent/http1.h"
#include "agent/pacer.h"
#include "agent/template.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/histogram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS     7
#define OPERATIONS 1000000u /* of a round: some tens of ms */

/* What nginx says, and what a service behind several hops says. */
static const char answer[] =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n"
    "Date: Tue, 24 Nov 2026 15:33:14 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 17\r\nConnection: keep-alive\r\n\r\nhello, generator\n";
static const char long_answer[] =
    "HTTP/1.1 200 OK\r\nServer: envoy\r\nDate: Tue, 24 Nov 2026 15:33:14 GMT\r\n"
    "Content-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
    "Cache-Control: no-store, no-cache, must-revalidate\r\nVary: Accept-Encoding, Origin\r\n"
    "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    "Set-Cookie: session=4f1cb0ba9e3d4c61a2f09d5e7c8b6a10; Path=/; HttpOnly; Secure\r\n"
    "X-Request-Id: 0c5b1a52-6f0e-4a57-8f0a-3a0d8ad0a0a4\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    "1f\r\n{\"ok\":true,\"items\":[1,2,3,4,5]}\r\n0\r\n\r\n";

static uint64_t parse(const char *bytes, size_t count)
{
    uint64_t statuses = 0;
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        struct http1_response response;
        size_t consumed = 0;
        enum failure failure;
        http1_begin(&response, false);
        CHECK(http1_feed(&response, (const uint8_t *)bytes, count, &consumed, &failure) ==
              HTTP1_DONE);
        statuses += response.status;
    }
    return statuses;
}

static uint64_t bench_parser(void)
{
    return parse(answer, sizeof answer - 1);
}

static uint64_t bench_parser_long(void)
{
    return parse(long_answer, sizeof long_answer - 1);
}

/* Values as they come: around a millisecond, no two alike. */
static uint64_t bench_histogram(void)
{
    static struct histogram histogram;
    uint64_t value_ns = 1;
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        value_ns = value_ns * UINT64_C(6364136223846793005) + 1;
        histogram_record(&histogram, UINT64_C(500000) + (value_ns >> 44));
    }
    return histogram.total;
}

static uint64_t pace(bool scattered)
{
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.0);
    if (scattered)
        pacer_scatter(&pacer, 1);
    pacer_set(&pacer, 0, UINT64_C(100000) * 1000);
    uint64_t due_ns = 0;
    for (uint32_t i = 0; i < OPERATIONS; i++)
        due_ns = pacer_due(&pacer, UINT64_MAX - 1);
    return due_ns;
}

static uint64_t bench_pacer(void)
{
    return pace(false);
}

static uint64_t bench_pacer_poisson(void)
{
    return pace(true);
}

/* GET /items/INDEX?q=NUMBER */
static uint64_t bench_template(void)
{
    static const char request[] = "GET /items/?q= HTTP/1.1\r\nHost: bench\r\n\r\n";
    struct assignment *assignment = calloc(1, sizeof *assignment);
    CHECK(assignment != NULL);
    assignment->request_count = 1;
    assignment->requests[0] = (struct assignment_request){.name = "item",
                                                          .weight = 1,
                                                          .bytes = (const uint8_t *)request,
                                                          .byte_count = sizeof request - 1};
    assignment->slot_count = 2;
    assignment->slots[0] = (struct assignment_slot){.offset = 11, .kind = SLOT_INDEX};
    assignment->slots[1] =
        (struct assignment_slot){.offset = 14, .kind = SLOT_RANDOM, .least = 1, .most = 1000};
    struct error error = {0};
    struct templates *templates = templates_create(assignment, &error);
    CHECK(templates != NULL);
    uint8_t *room = malloc(templates_room_bytes(templates));
    CHECK(room != NULL);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < OPERATIONS; i++)
        bytes += templates_render(templates, 0, i, room).count;
    free(room);
    templates_destroy(templates);
    free(assignment);
    return bytes;
}

static const struct {
    const char *name;
    uint64_t (*run)(void);
} parts[] = {
    {"parser, an answer of nginx", bench_parser},
    {"parser, 10 headers and chunks", bench_parser_long},
    {"histogram", bench_histogram},
    {"pacer, uniform", bench_pacer},
    {"pacer, poisson", bench_pacer_poisson},
    {"template, an index and a number", bench_template},
};

int main(void)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint64_t best_ns = UINT64_MAX;
        uint64_t result = 0;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t from_ns = clock_thread_cpu_ns();
            result += parts[i].run();
            uint64_t took_ns = clock_thread_cpu_ns() - from_ns;
            best_ns = took_ns < best_ns ? took_ns : best_ns;
        }
        CHECK(result > 0);
        printf("%-32s %7.1f ns\n", parts[i].name, (double)best_ns / OPERATIONS);
    }
    return 0;
}
