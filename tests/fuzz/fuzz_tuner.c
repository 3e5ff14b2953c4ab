/* Any options and any samples: a tuner is refused with a sentence, or every advice is finite, from
 * the minimum to the maximum, with the floor at or below it, and the same when told again. */
#include "clobber/clobber.h"
#include "common/base/check.h"

#include <math.h>
#include <string.h>

struct input {
    const uint8_t *bytes;
    size_t count;
};

static uint8_t take(struct input *input)
{
    if (input->count == 0)
        return 0;
    input->count--;
    return *input->bytes++;
}

static uint64_t take_bits(struct input *input)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | take(input);
    return bits;
}

/** Two bytes of a number that may well be, from `least` on in 256 steps an octave; or eight of any
 *  at all. */
static double take_number(struct input *input, double least)
{
    uint8_t kind = take(input);
    if (kind == 255) {
        uint64_t bits = take_bits(input);
        double number;
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    return kind == 0 ? 0.0 : ldexp(least * (1.0 + take(input) / 256.0), kind % 64);
}

static uint64_t take_count(struct input *input, uint64_t least)
{
    uint8_t kind = take(input);
    if (kind == 255)
        return take_bits(input);
    return kind == 0 ? 0 : (least * (256 + take(input)) / 256) << kind % 32;
}

static struct clobber_options take_options(struct input *input)
{
    uint8_t kind = take(input);
    struct clobber_options options = {.bytes = sizeof options};
    options.goal = (enum clobber_goal)(kind % 4);
    options.arrivals = (enum clobber_arrivals)(kind / 4 % 4 % 3);
    options.elastic = (kind & 16) != 0;
    options.error_share_max = (kind & 32) != 0 ? take(input) / 200.0 : kind % 4 == 2;
    if (options.goal == CLOBBER_HOLD || (kind & 64) != 0)
        options.target_per_s = take_number(input, 1e-3);
    if ((kind & 128) != 0) {
        options.latency_quantile = take(input) / 250.0;
        options.latency_bound_ns = take_count(input, 1000);
    }
    options.concurrency_max = take_number(input, 1e-3);
    options.concurrency_min = take_number(input, 1e-6);
    options.concurrency_start = take_number(input, 1e-3);
    options.parts = (uint32_t)take_count(input, 1);
    options.interval_ns = take_count(input, 1000);
    return options;
}

static struct clobber_sample take_sample(struct input *input)
{
    struct clobber_sample sample = {.bytes = sizeof sample};
    sample.interval_ns = take_count(input, 1000);
    sample.completed = take_count(input, 1);
    sample.failed = take_count(input, 1);
    sample.in_flight_mean = take_number(input, 1e-6);
    sample.latency_ns_mean = take_number(input, 1e-3);
    sample.latency_ns_at_quantile = take_number(input, 1e-3);
    sample.in_flight_end = take_number(input, 1e-3);
    sample.backlog = take_number(input, 1e-3);
    sample.demand_peak = take_number(input, 1e-3);
    sample.generator_load = take_number(input, 1e-6);
    uint8_t parts = take(input);
    sample.parts_expected = parts % 16;
    sample.parts_reported = parts / 16;
    return sample;
}

static void check_advice(const struct clobber_options *options, const struct clobber_advice *advice)
{
    CHECK(isfinite(advice->concurrency));
    CHECK(advice->concurrency >= options->concurrency_min);
    CHECK(advice->concurrency <= options->concurrency_max);
    CHECK(advice->concurrency_floor >= 0.0);
    CHECK(advice->concurrency_floor <= advice->concurrency);
    CHECK(options->elastic || advice->concurrency_floor >= advice->concurrency);
    CHECK(advice->status <= CLOBBER_NO_DATA);
    CHECK(advice->bound <= CLOBBER_BY_ERRORS);
    CHECK((advice->status == CLOBBER_BOUNDED) == (advice->bound != CLOBBER_UNBOUND));
    CHECK(isfinite(advice->ceiling_per_s) && advice->ceiling_per_s >= 0.0);
    CHECK(isfinite(advice->ceiling_concurrency) && advice->ceiling_concurrency >= 0.0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct input input = {bytes, count};
    struct clobber_options options = take_options(&input);
    char message[256];
    struct clobber_tuner *tuner = clobber_tuner_create(&options, message, sizeof message);
    if (tuner == NULL) {
        CHECK(message[0] != '\0');
        return 0;
    }
    struct clobber_tuner *twin = clobber_tuner_create(&options, NULL, 0);
    CHECK(twin != NULL);
    while (input.count > 0) {
        uint8_t kind = take(&input);
        struct clobber_sample sample = {0};
        struct clobber_advice advice = {.bytes = sizeof advice};
        struct clobber_advice again = {.bytes = sizeof again};
        if (kind % 16 == 0) {
            double target_per_s = take_number(&input, 1e-3);
            clobber_tuner_retarget(tuner, target_per_s);
            clobber_tuner_retarget(twin, target_per_s);
        }
        bool told = kind % 16 > 1;
        if (told)
            sample = take_sample(&input);
        for (int i = 0; i <= kind / 16; i++) { /* a state needs some of the same to be reached */
            clobber_tuner_step(tuner, told ? &sample : NULL, &advice);
            clobber_tuner_step(twin, told ? &sample : NULL, &again);
            check_advice(&options, &advice);
            CHECK(memcmp(&advice, &again, sizeof advice) == 0);
        }
    }
    clobber_tuner_destroy(tuner);
    clobber_tuner_destroy(twin);
    return 0;
}
