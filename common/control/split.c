#include "common/control/split.h"

#include "common/base/check.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

#define LOAD_FULL     0.90 /* a lane above this has no time left to be punctual */
#define LOAD_CLEAR    0.80 /* well below, so that one tick's noise does not free an agent */
#define FULL_TICKS    5u   /* half a second: longer than a pause of the host's scheduler */
#define WEIGHT_GAIN   0.02 /* a memory of five seconds: an agent's machine does not change */
#define BUSY_AT_LEAST 0.2  /* workers; below, one tick's ratio says nothing */

/* Rounding must not make the whole parts sum to more than there is: 8192 additions and 2^43
 * thousandths lose less than one unit only with a mantissa of 64 bits. */
static_assert(LDBL_MANT_DIG >= 64, "long double must carry 64 bits");

/** What is left to share, and among whom: those with a weight who have not reached their limit. */
struct round {
    const double *weights;
    const uint64_t *limits_milli;
    uint64_t *shares_milli;
    size_t count;
    bool equal; /* nobody has a weight */
    uint64_t left_milli;
    long double weight_sum;
};

static double round_weight(const struct round *round, size_t i)
{
    return round->equal ? 1.0 : round->weights[i];
}

static bool round_takes(const struct round *round, size_t i)
{
    return round_weight(round, i) > 0.0 && round->shares_milli[i] < round->limits_milli[i];
}

static long double round_ideal(const struct round *round, size_t i)
{
    return (long double)round->left_milli * (round_weight(round, i) / round->weight_sum);
}

static void round_sum_weights(struct round *round)
{
    round->weight_sum = 0.0L;
    for (size_t i = 0; i < round->count; i++)
        round->weight_sum += round_takes(round, i) ? round_weight(round, i) : 0.0;
}

/** Fills every taker whose part would reach its limit, again and again, for each leaves more to the
 * others. Afterwards all parts lie below their limits, with room for one more. */
static void round_fill(struct round *round)
{
    for (bool again = true; again;) {
        again = false;
        round_sum_weights(round);
        uint64_t filled_milli = 0;
        for (size_t i = 0; i < round->count; i++) {
            if (round_takes(round, i) && round_ideal(round, i) >= round->limits_milli[i]) {
                round->shares_milli[i] = round->limits_milli[i];
                filled_milli += round->limits_milli[i];
                again = true;
            }
        }
        CHECK(filled_milli <= round->left_milli);
        round->left_milli -= filled_milli;
    }
}

/** How far below its ideal part this taker is: a fraction of a thousandth. */
static long double round_lack(const struct round *round, size_t i)
{
    return round_takes(round, i) ? round_ideal(round, i) - round->shares_milli[i] : -1.0L;
}

/** Gives one more to each of the `spare` takers with the largest fractions, in O(count): the
 * fraction that parts them is found by bisection, and equals go by their index. */
static void round_give_spare(struct round *round, uint64_t spare)
{
    long double low = 0.0L;  /* at least `spare` takers lack so much */
    long double high = 2.0L; /* fewer do */
    for (int halving = 0; halving < LDBL_MANT_DIG; halving++) {
        long double middle = 0.5L * (low + high);
        uint64_t above = 0;
        for (size_t i = 0; i < round->count; i++)
            above += round_lack(round, i) >= middle;
        if (above >= spare)
            low = middle;
        else
            high = middle;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < round->count && spare > 0; i++) {
            if (round_lack(round, i) >= (pass == 0 ? high : low)) {
                round->shares_milli[i]++;
                spare--;
            }
        }
    }
    CHECK(spare == 0);
}

uint64_t split_shares(uint64_t total_milli, const double *weights, const uint64_t *limits_milli,
                      size_t count, uint64_t *shares_milli)
{
    struct round round = {.weights = weights,
                          .limits_milli = limits_milli,
                          .shares_milli = shares_milli,
                          .count = count,
                          .equal = true,
                          .left_milli = total_milli};
    for (size_t i = 0; i < count; i++) {
        CHECK(weights[i] >= 0.0 && isfinite(weights[i]));
        shares_milli[i] = 0;
        if (weights[i] > 0.0)
            round.equal = false;
    }
    uint64_t possible_milli = 0;
    for (size_t i = 0; i < count; i++)
        possible_milli += round_takes(&round, i) ? limits_milli[i] : 0;
    round.left_milli = total_milli < possible_milli ? total_milli : possible_milli;
    uint64_t given_milli = round.left_milli;

    round_fill(&round);
    uint64_t spare = round.left_milli;
    for (size_t i = 0; i < count; i++) {
        if (round_takes(&round, i)) {
            shares_milli[i] = (uint64_t)floorl(round_ideal(&round, i));
            spare -= shares_milli[i];
        }
    }
    round_give_spare(&round, spare);
    return given_milli;
}

void split_learn(struct split_weight *weight, double throughput_per_s, double in_flight_mean,
                 double load)
{
    if (in_flight_mean >= BUSY_AT_LEAST && throughput_per_s > 0.0) {
        double ratio = throughput_per_s / in_flight_mean;
        weight->weight += fmax(WEIGHT_GAIN, 1.0 / ++weight->samples) * (ratio - weight->weight);
    }
    if (load > LOAD_FULL && weight->full_ticks < FULL_TICKS) {
        weight->full_ticks++;
        if (weight->full_ticks == FULL_TICKS)
            weight->full_concurrency = in_flight_mean;
    } else if (load < LOAD_CLEAR && weight->full_ticks > 0) {
        weight->full_ticks--;
    }
}

int split_is_full(const struct split_weight *weight)
{
    return weight->full_ticks >= FULL_TICKS;
}
