#include "tests/sim/control/claims.h"

#include "common/base/check.h"

#include <stdio.h>

#define CLAIM(kind, member, bound, many)                                                           \
    {                                                                                              \
        kind, OUTCOME_FIGURE(member), #member, bound, many                                         \
    }
#define MOST(member, bound)        CLAIM(CLAIM_AT_MOST, member, bound, false)
#define LEAST(member, bound)       CLAIM(CLAIM_AT_LEAST, member, bound, false)
#define MANY_MOST(member, bound)   CLAIM(CLAIM_AT_MOST, member, bound, true)
#define EVERY_MOST(member, bound)  CLAIM(CLAIM_AT_MOST_EVERY, member, bound, false)
#define EVERY_LEAST(member, bound) CLAIM(CLAIM_AT_LEAST_EVERY, member, bound, false)

static const struct claims all[] = {
    /* Open arrivals. */
    {"open steady",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 0), MOST(workers_ratio, 1.8),
      MOST(overshoot_percent, 12)}},
    {"open even arrivals",
     CONTROL_STEADY,
     {MOST(late_percent, 0), MOST(settle_ticks, 0), MOST(workers_ratio, 1.9),
      MOST(overshoot_percent, 1)}},
    {"open latency x4",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 0), MOST(recovery_ticks, 2),
      MOST(workers_ratio, 1.8)}},
    {"open capacity halved",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), EVERY_MOST(detect_ticks, 6), MOST(saturated_ratio, 1.25),
      LEAST(saturated_percent, 99), MOST(recovery_ticks, 5), MOST(peak_ratio, 4),
      EVERY_MOST(false_saturated_ticks, 0)}},
    {"open pauses",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 0), MOST(workers_ratio, 1.4)}},
    {"open long pauses", CONTROL_STEADY, {MOST(late_percent, 0.8), MOST(workers_ratio, 1.4)}},
    {"open warm-up",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(recovery_ticks, 12), MOST(peak_ratio, 5),
      EVERY_MOST(false_saturated_ticks, 0)}},
    /* What falls due for a lane that nobody misses yet cannot start: 0.2 % of all at most. */
    {"open agent lost",
     CONTROL_STEADY,
     {MOST(late_percent, 0.2), MOST(settle_ticks, 0), MOST(recovery_ticks, 3),
      MOST(workers_ratio, 1.8)}},
    {"open 5/s",
     CONTROL_STEADY,
     {MOST(late_percent, 0.3), MOST(settle_ticks, 0), MOST(workers_ratio, 1.1)}},
    {"open 50/s",
     CONTROL_STEADY,
     {MANY_MOST(late_percent, 0.3), MOST(settle_ticks, 2), MANY_MOST(workers_ratio, 1.1)}},
    {"open 100 us",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 0), MOST(workers_ratio, 3.1)}},
    {"open slow x3",
     CONTROL_STEADY,
     {MOST(late_percent, 1.2), MOST(settle_ticks, 4), MOST(recovery_ticks, 12),
      MANY_MOST(recovery_ticks, 10), MOST(workers_ratio, 1.3)}},
    {"open stages",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 0), MOST(workers_ratio, 1.8)}},
    {"open unreachable, 1 lane",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 10), EVERY_MOST(saturated_ratio, 1.5), MOST(peak_ratio, 5),
      EVERY_LEAST(saturated_percent, 97), EVERY_MOST(final_in_flight, 15),
      EVERY_MOST(workers_max_late, 15)}},
    {"open unreachable, 2 lanes",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 10), EVERY_MOST(saturated_ratio, 1.5), MOST(peak_ratio, 5),
      EVERY_LEAST(saturated_percent, 97), EVERY_MOST(final_in_flight, 15),
      EVERY_MOST(workers_max_late, 15)}},
    {"open unreachable, 4 lanes",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 10), EVERY_MOST(saturated_ratio, 1.5), MOST(peak_ratio, 6),
      EVERY_LEAST(saturated_percent, 97), EVERY_MOST(final_in_flight, 15),
      EVERY_MOST(workers_max_late, 15)}},
    {"open unreachable, 8 lanes",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 10), EVERY_MOST(saturated_ratio, 1.5), MOST(peak_ratio, 8.5),
      EVERY_LEAST(saturated_percent, 96), EVERY_MOST(final_in_flight, 16),
      EVERY_MOST(workers_max_late, 16)}},
    {"open unreachable, 16 times",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 10), EVERY_MOST(saturated_ratio, 1.5), MOST(peak_ratio, 36),
      EVERY_LEAST(saturated_percent, 97), EVERY_MOST(final_in_flight, 15),
      EVERY_MOST(workers_max_late, 15)}},
    {"open ramp past the knee",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 45), MOST(saturated_ratio, 1.3), LEAST(saturated_percent, 98)}},
    {"open 5 ms to 20 ms, 1 lane",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(recovery_ticks, 2), MOST(workers_ratio, 1.6),
      MOST(overshoot_percent, 1)}},
    {"open 5 ms to 20 ms, 4 lanes",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(recovery_ticks, 2), MOST(workers_ratio, 1.9),
      MOST(overshoot_percent, 1)}},
    {"open saturated, then slower",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 10), EVERY_MOST(saturated_ratio, 1.5), MOST(peak_ratio, 2),
      EVERY_LEAST(saturated_percent, 97)}},
    {"open slow start, 0.4 s, 200/s",
     CONTROL_STEADY,
     {MOST(late_percent, 0.8), MOST(workers_ratio, 1.8)}},
    {"open slow start, 0.4 s, 2000/s",
     CONTROL_STEADY,
     {MOST(late_percent, 0.3), MOST(settle_ticks, 2), MOST(workers_ratio, 1.4)}},
    {"open slow start, 1.5 s, 200/s",
     CONTROL_STEADY,
     {MOST(late_percent, 1.3), MOST(workers_ratio, 1.4)}},
    {"open slow start, 1.5 s, 2000/s",
     CONTROL_STEADY,
     {MOST(late_percent, 0.4), MOST(settle_ticks, 2), MOST(workers_ratio, 1.2)}},
    {"open slow start, 4 s, 200/s",
     CONTROL_STEADY,
     {MOST(late_percent, 2.5), MOST(workers_ratio, 1.2)}},
    {"open slow start, 4 s, 2000/s",
     CONTROL_STEADY,
     {MOST(late_percent, 0.6), MOST(settle_ticks, 2), MOST(workers_ratio, 1.2)}},
    {"open turned away",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 0), MOST(workers_ratio, 2.0)}},
    {"open unequal lanes",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(settle_ticks, 1), MOST(workers_ratio, 1.6)}},
    {"open lost reports",
     CONTROL_STEADY,
     {MOST(late_percent, 0.1), MOST(recovery_ticks, 2), MOST(workers_ratio, 1.8)}},
    /* Whoever piles up more than there is at the peak gets the less for it. */
    {"open beyond a retrograde peak",
     CONTROL_SATURATED,
     {MOST(detect_ticks, 10), MOST(saturated_ratio, 1.0)}},
    {"open at the maximum", CONTROL_AT_MAXIMUM, {MOST(workers_ratio, 1.0)}},
    {"open generator bound", CONTROL_GENERATOR_BOUND, {MOST(overshoot_percent, 1)}},
    /* Closed arrivals. */
    {"closed steady",
     CONTROL_STEADY,
     {MOST(settle_ticks, 17), MOST(workers_ratio, 1.1), MOST(error_percent, 0.2),
      MOST(chatter_percent, 1.3)}},
    {"closed latency x4",
     CONTROL_STEADY,
     {MOST(settle_ticks, 17), MOST(recovery_ticks, 20), MOST(error_percent, 0.4),
      MOST(chatter_percent, 1.3)}},
    {"closed capacity halved",
     CONTROL_STEADY,
     {MOST(settle_ticks, 17), MOST(detect_ticks, 15), MOST(recovery_ticks, 10),
      MOST(saturated_ratio, 1.3), LEAST(saturated_percent, 98), MOST(error_percent, 0.2),
      MOST(chatter_percent, 1.3)}},
    {"closed agent lost",
     CONTROL_STEADY,
     {MOST(settle_ticks, 17), MOST(recovery_ticks, 8), MOST(error_percent, 0.6),
      MOST(chatter_percent, 1.3)}},
    {"closed noisy",
     CONTROL_STEADY,
     {MOST(settle_ticks, 17), MOST(error_percent, 1.3), MANY_MOST(chatter_percent, 1.5)}},
    {"closed pauses",
     CONTROL_STEADY,
     {MOST(settle_ticks, 17), MANY_MOST(error_percent, 3.6), MOST(chatter_percent, 1.3)}},
    {"closed warm-up",
     CONTROL_STEADY,
     {MOST(detect_ticks, 15), MOST(recovery_ticks, 60), MOST(error_percent, 0.3),
      MOST(chatter_percent, 1.3)}},
    {"closed unreachable",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 15), MOST(saturated_ratio, 1.3), EVERY_LEAST(saturated_percent, 97),
      MOST(peak_ratio, 2.7)}},
    {"closed unreachable, 1 lane",
     CONTROL_SATURATED,
     {EVERY_MOST(detect_ticks, 15), EVERY_MOST(saturated_ratio, 1.5),
      EVERY_LEAST(saturated_percent, 97)}},
    {"closed slow x3",
     CONTROL_STEADY,
     {MOST(settle_ticks, 20), MOST(recovery_ticks, 48), MOST(error_percent, 0.6),
      MOST(chatter_percent, 1.3)}},
    {"closed steps",
     CONTROL_STEADY,
     {MOST(settle_ticks, 11), MOST(recovery_ticks, 10), MOST(error_percent, 0.5)}},
    {"closed generator bound", CONTROL_GENERATOR_BOUND, {MOST(workers_ratio, 1.05)}},
    {"closed at the maximum", CONTROL_AT_MAXIMUM, {MOST(workers_ratio, 1.0)}},
    {"closed 30/s",
     CONTROL_STEADY,
     {MOST(settle_ticks, 2), MOST(workers_ratio, 1.1), MOST(error_percent, 3)}},
    /* Maximize, and under bounds. */
    {"maximize steady",
     0,
     {MOST(settle_ticks, 24), LEAST(best_percent, 97), MOST(workers_ratio, 1.1),
      MOST(peak_ratio, 2), MOST(chatter_percent, 6.5), EVERY_MOST(converged_ticks, 300)}},
    {"maximize retrograde",
     0,
     {MOST(settle_ticks, 130), LEAST(best_percent, 97), MOST(workers_ratio, 1.1),
      MOST(peak_ratio, 2), MOST(chatter_percent, 6.5)}},
    {"maximize capacity halved",
     0,
     {MOST(settle_ticks, 24), MOST(recovery_ticks, 10), LEAST(best_percent, 97),
      MOST(workers_ratio, 1.25), MOST(peak_ratio, 3.2), MOST(chatter_percent, 6.5)}},
    {"maximize latency x4",
     0,
     {MOST(settle_ticks, 24), MOST(recovery_ticks, 14), LEAST(best_percent, 97),
      MOST(workers_ratio, 1.25), MOST(peak_ratio, 3.5), MOST(chatter_percent, 6.5)}},
    {"maximize noisy",
     0,
     {MOST(settle_ticks, 24), LEAST(best_percent, 97), MOST(workers_ratio, 1.25),
      MOST(peak_ratio, 2.5), MOST(chatter_percent, 6.5)}},
    {"while p99 < 20 ms",
     0,
     {MOST(settle_ticks, 48), LEAST(best_percent, 95), EVERY_MOST(violated_settled_percent, 2),
      MOST(violated_percent, 2), MOST(workers_ratio, 1.25)}},
    {"while capacity halved",
     0,
     {MOST(settle_ticks, 48), MANY_MOST(recovery_ticks, 12), LEAST(best_percent, 95),
      EVERY_MOST(violated_settled_percent, 2), MOST(violated_percent, 2),
      MOST(workers_ratio, 1.25)}},
    {"while errors < 1 %",
     0,
     {LEAST(best_percent, 93), MOST(violated_settled_percent, 7), MOST(workers_ratio, 1.1)}},
    /* No fixed number of workers violates it less than the pauses do: in 9 % of all ticks. */
    {"while pauses",
     0,
     {MOST(settle_ticks, 48), LEAST(best_percent, 95), MOST(violated_percent, 12),
      MOST(workers_ratio, 1.25)}},
    {"while p99 < 50 ms, noisy",
     0,
     {MANY_MOST(settle_ticks, 60), MANY_MOST(recovery_ticks, 20), LEAST(best_percent, 95),
      MOST(violated_percent, 2), MANY_MOST(violated_settled_percent, 2),
      MOST(workers_ratio, 1.35)}},
};
const struct claims *claims_find(const char *scenario)
{
    for (size_t i = 0; i < COUNT(all); i++) {
        if (strcmp(all[i].scenario, scenario) == 0)
            return &all[i];
    }
    return NULL;
}

static bool claim_holds(const struct claim *claim, const struct summary *summary)
{
    bool every = claim->kind == CLAIM_AT_MOST_EVERY || claim->kind == CLAIM_AT_LEAST_EVERY;
    bool most = claim->kind == CLAIM_AT_MOST || claim->kind == CLAIM_AT_MOST_EVERY;
    double value = outcome_get(every ? &summary->worst : &summary->median, claim->figure);
    bool holds = most ? value <= claim->bound : value >= claim->bound; /* NaN does not */
    if (!holds)
        fprintf(stderr, "%s: %s is %g, claimed at %s %g\n", every ? "the worst seed" : "the median",
                claim->name, value, most ? "most" : "least", claim->bound);
    return holds;
}

bool claims_hold(const struct claims *claims, const struct summary *summary, uint64_t seeds)
{
    bool hold = true;
    for (size_t i = 0; i < CLAIMS_MAX && claims->claims[i].kind != CLAIM_NONE; i++) {
        if (!claims->claims[i].many || seeds >= CLAIM_SEEDS_MANY)
            hold = claim_holds(&claims->claims[i], summary) && hold;
    }
    return hold;
}
