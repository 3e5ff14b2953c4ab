/* A step takes no memory: every call that would is counted, by --wrap of the linker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clobber/clobber.h"
#include "common/base/check.h"

static uint64_t taken;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    taken++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    taken++;
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *block, size_t bytes)
{
    taken++;
    return __real_realloc(block, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    taken++;
    return __real_aligned_alloc(alignment, bytes);
}

static const struct clobber_options goals[] = {
    {.bytes = sizeof goals[0],
     .goal = CLOBBER_HOLD,
     .target_per_s = 5000,
     .concurrency_max = 1000,
     .interval_ns = 100000000},
    {.bytes = sizeof goals[0],
     .goal = CLOBBER_HOLD,
     .arrivals = CLOBBER_OPEN,
     .target_per_s = 5000,
     .concurrency_max = 1000,
     .elastic = true,
     .interval_ns = 100000000},
    {.bytes = sizeof goals[0],
     .goal = CLOBBER_HOLD,
     .arrivals = CLOBBER_OPEN,
     .target_per_s = 5000,
     .concurrency_max = 1000,
     .interval_ns = 100000000},
    {.bytes = sizeof goals[0],
     .goal = CLOBBER_MAXIMIZE,
     .error_share_max = 1,
     .concurrency_max = 1000,
     .interval_ns = 100000000},
    {.bytes = sizeof goals[0],
     .goal = CLOBBER_MAXIMIZE,
     .latency_quantile = 0.99,
     .latency_bound_ns = 20000000,
     .error_share_max = 0.01,
     .concurrency_max = 1000,
     .interval_ns = 100000000},
};

/* Ten servers of 4 ms: below the target, so that every part of a law has its turn. */
static struct clobber_sample served(double workers, int tick)
{
    double throughput_per_s = workers < 10 ? workers * 250 : 2500;
    double latency_s = (workers < 10 ? 0.004 : workers / 2500) * (1.0 + 0.01 * (tick % 7));
    return (struct clobber_sample){.bytes = sizeof(struct clobber_sample),
                                   .interval_ns = 100000000,
                                   .completed = (uint64_t)(throughput_per_s / 10),
                                   .failed = (uint64_t)(tick % 3),
                                   .in_flight_mean = workers,
                                   .latency_ns_mean = latency_s * 1e9,
                                   .latency_ns_at_quantile = latency_s * 2e9,
                                   .in_flight_end = workers,
                                   .backlog = workers,
                                   .generator_load = -1};
}

static void a_step_takes_no_memory(void **state)
{
    const struct clobber_options *options = *state;
    uint64_t before_tuner = taken;
    struct clobber_tuner *tuner = clobber_tuner_create(options, NULL, 0);
    assert_non_null(tuner);
    assert_true(taken > before_tuner); /* so it is counted */
    struct clobber_advice advice = {.bytes = sizeof advice};
    uint64_t before_steps = taken;

    clobber_tuner_step(tuner, NULL, &advice);
    for (int tick = 0; tick < 20000; tick++) {
        struct clobber_sample sample = served(advice.concurrency, tick);
        clobber_tuner_step(tuner, tick % 100 == 0 ? NULL : &sample, &advice);
        if (tick % 5000 == 0 && options->target_per_s > 0)
            clobber_tuner_retarget(tuner, 1000 + tick);
    }

    assert_int_equal(taken, before_steps);
    clobber_tuner_destroy(tuner);
}

int main(void)
{
    static struct CMUnitTest tests[COUNT(goals)];
    for (size_t i = 0; i < COUNT(goals); i++)
        tests[i] = (struct CMUnitTest){.name = "a_step_takes_no_memory",
                                       .test_func = a_step_takes_no_memory,
                                       .initial_state = (void *)(uintptr_t)&goals[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
