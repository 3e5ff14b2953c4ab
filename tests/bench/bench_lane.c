/* What one lane can carry: requests per second of its own CPU, against a server that is there
 * already (nginx, or `clobber target`).
 *
 *   bench_lane 127.0.0.1:8080 [CONNECTIONS [SECONDS [RATE [ENGINE]]]]
 *
 * ENGINE is auto, uring or epoll. Without a rate, or at rate 0, its connections loop, as wrk's do;
 * with one, requests fall due at it. */
#include "agent/engine.h"
#include "agent/pool.h"
#include "agent/reach.h"
#include "common/base/clock.h"
#include "common/base/net.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST "GET /ok HTTP/1.1\r\nHost: bench\r\n\r\n"

static struct pool_setpoint level(uint64_t connections, uint64_t rate_per_s)
{
    return (struct pool_setpoint){
        .floor_milli = connections * 1000,
        .concurrency_milli = connections * 1000,
        .rate_milli = rate_per_s * 1000,
        .drop_age_ns = NS_PER_S,
        .lease_end_ns = clock_now_ns() + 2 * NS_PER_S,
    };
}

static void print(const struct meters *meters, double seconds)
{
    struct counters total = meters_total(meters);
    double ended = (double)(total.ok + counters_failed(&total));
    double cpu_s = (double)meters->cpu_ns / 1e9;
    const struct histogram *response = &meters->phases[0].kinds[SAMPLE_RESPONSE];
    const struct histogram *lag = &meters->phases[0].kinds[SAMPLE_SEND_LAG];
    printf("%.0f requests/s, %.0f requests per CPU second, CPU %.0f %%\n", ended / seconds,
           ended / cpu_s, 100.0 * cpu_s / seconds);
    printf("response p50 %.3f ms, p99 %.3f ms; send lag p50 %.3f ms, p99 %.3f ms\n",
           (double)histogram_quantile(response, 0.50) / 1e6,
           (double)histogram_quantile(response, 0.99) / 1e6,
           (double)histogram_quantile(lag, 0.50) / 1e6,
           (double)histogram_quantile(lag, 0.99) / 1e6);
    printf("ok %llu, failed %llu, timed out %llu, not started %llu, workers %u\n",
           (unsigned long long)total.ok, (unsigned long long)counters_failed(&total),
           (unsigned long long)total.timed_out, (unsigned long long)total.not_started,
           meters->workers);
}

/* Ten looks a second, as an agent's control thread takes them. */
static void bench(struct pool *pool, uint64_t connections, uint64_t rate_per_s, double seconds)
{
    uint64_t from_ns = clock_now_ns();
    uint64_t end_ns = from_ns + (uint64_t)(seconds * 1e9);
    uint64_t now_ns = from_ns;
    uint32_t workers_most = 0;
    const struct meters *meters = NULL;
    for (unsigned tick = 0; now_ns < end_ns; tick++) {
        struct pool_setpoint setpoint = level(connections, rate_per_s);
        pool_set(pool, &setpoint);
        poll(NULL, 0, 100);
        meters = pool_read(pool, true);
        workers_most = meters->workers > workers_most ? meters->workers : workers_most;
        now_ns = clock_now_ns();
    }
    if (meters != NULL)
        print(meters, (double)(now_ns - from_ns) / 1e9);
    printf("workers at most %u\n", workers_most);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_lane HOST:PORT [CONNECTIONS [SECONDS [RATE [ENGINE]]]]\n");
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 6)
        return usage();
    uint64_t connections = argc > 2 ? strtoull(argv[2], NULL, 10) : 64;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 5.0;
    uint64_t rate_per_s = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;

    const char *engine = argc > 5 ? argv[5] : "auto";

    struct error error = {0};
    const struct engine_driver *driver = engine_choose(strcmp(engine, "uring") == 0   ? ENGINE_URING
                                                       : strcmp(engine, "epoll") == 0 ? ENGINE_EPOLL
                                                                                      : ENGINE_AUTO,
                                                       &error);
    char host[256];
    uint16_t port = 0;
    struct address addresses[ADDRESSES_MAX];
    uint32_t count = 0;
    struct assignment assignment = {
        .workload = "http1",
        .open_arrivals = rate_per_s > 0,
        .keep_alive = true,
        .timeout_ns = 5 * NS_PER_S,
        .phases = 1,
        .concurrency_max = 100000,
        .request_count = 1,
        .requests = {{.name = "ok",
                      .weight = 1,
                      .bytes = (const uint8_t *)REQUEST,
                      .byte_count = strlen(REQUEST)}},
    };
    struct pool *pool = NULL;
    if (driver != NULL && net_split(argv[1], host, sizeof host, &port, &error) &&
        net_resolve(host, port, addresses, &count, &error))
        pool = pool_create(&assignment, &(struct reach){.address = addresses[0]}, 1, driver, NULL,
                           &error);
    if (pool == NULL) {
        fprintf(stderr, "bench_lane: %s\n", error.message);
        return usage();
    }
    printf("%s: ", driver->name);
    bench(pool, connections, rate_per_s, seconds);
    pool_destroy(pool);
    return 0;
}
