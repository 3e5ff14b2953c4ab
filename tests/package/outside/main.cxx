// Somebody else's program in C++17: both headers, every function.
#include <clobber/clobber.h>
#include <clobber/pool.h>

#include <cstdio>

static int work(void *) { return 0; }

int main()
{
    char message[256];
    clobber_options options{};
    options.bytes = sizeof options;
    options.goal = CLOBBER_HOLD;
    options.target_per_s = 200;
    options.concurrency_max = 4;
    options.interval_ns = 20000000;

    clobber_tuner *tuner = clobber_tuner_create(&options, message, sizeof message);
    if (tuner == nullptr) {
        std::fprintf(stderr, "%s\n", message);
        return 1;
    }
    clobber_sample sample{};
    sample.bytes = sizeof sample;
    sample.interval_ns = options.interval_ns;
    sample.completed = 4;
    sample.latency_ns_mean = 5e6;
    sample.generator_load = -1;
    clobber_advice advice{};
    advice.bytes = sizeof advice;
    clobber_tuner_step(tuner, nullptr, &advice);
    clobber_tuner_retarget(tuner, 100);
    clobber_tuner_step(tuner, &sample, &advice);
    clobber_tuner_destroy(tuner);
    if (!(advice.concurrency > 0 && advice.concurrency <= 4))
        return 1;

    clobber_pool *pool = clobber_pool_start(&options, work, nullptr, message, sizeof message);
    if (pool == nullptr) {
        std::fprintf(stderr, "%s\n", message);
        return 1;
    }
    clobber_pool_view view{};
    view.bytes = sizeof view;
    while (view.completed == 0)
        clobber_pool_look(pool, &view);
    clobber_pool_stop(pool);
    return view.failed > 0 ? 1 : 0;
}
