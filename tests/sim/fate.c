#include "tests/sim/fate.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/control/random.h"

#include <stdlib.h>

#define FAULT_NS_MAX   (6 * NS_PER_S)
#define NUMBERS_STREAM UINT64_C(0x6e756d62657273)
#define DRIFT_PPM_MAX  10000          /* 1 % on each side; leases allow for 2 % between two */
#define LONG_LEASE_MS  7500           /* from here on 2 % of a lease are longer than a tick */
#define HELD_NS        (3 * NS_PER_S) /* what is held up is so for as long as that */
#define HELD_NS_MAX    (6 * NS_PER_S) /* ... in some worlds */

static char no_text[] = "";

const char *fault_word(enum fault_kind kind)
{
    static const char *const words[FAULT_KINDS] = {
        [FAULT_CUT_UP] = "cut up",     [FAULT_CUT_DOWN] = "cut down",
        [FAULT_CUT_BOTH] = "cut both", [FAULT_FREEZE] = "freeze",
        [FAULT_KILL] = "kill",         [FAULT_INTERRUPT] = "interrupt",
        [FAULT_DRAIN] = "drain",       [FAULT_FREEZE_COORDINATOR] = "freeze coordinator",
        [FAULT_ABORT] = "abort"};
    CHECK(kind < FAULT_KINDS);
    return words[kind];
}

static bool chance(struct random *random, double share)
{
    return random_uniform(random) < share;
}

/* from to to, both included. */
static uint64_t between(struct random *random, uint64_t from, uint64_t to)
{
    return from + random_next(random) % (to - from + 1);
}

/* Whether a fault must be longer than most to outlast a lease. */
static bool is_long(const struct fate *fate)
{
    return fate->lease_ms >= LONG_LEASE_MS;
}

static void draw_times(struct random *random, struct fate *fate)
{
    static const uint32_t leases_ms[] = {LEASE_MS_MIN, 1000, LEASE_MS, LEASE_MS, 3000};
    fate->lease_ms = leases_ms[between(random, 0, COUNT(leases_ms) - 1)];
    if (chance(random, 0.05))
        fate->lease_ms = (uint32_t)between(random, LONG_LEASE_MS, 2 * LONG_LEASE_MS);
    fate->wait_ns = 5 * NS_PER_S;
    fate->service_ns = between(random, 1, 100) * NS_PER_MS;
    fate->calm_from_ns = between(random, 6, 12) * NS_PER_S;
    if (is_long(fate))
        fate->calm_from_ns += 2 * fate->lease_ms * NS_PER_MS;
}

static void draw_weather(struct random *random, struct fate *fate)
{
    bool harsh = chance(random, 0.5);
    fate->fair = (struct weather){.delay_ns_min = NS_PER_MS / 10,
                                  .delay_ns_max = 5 * NS_PER_MS,
                                  .ordered = chance(random, 0.5)};
    fate->foul = (struct weather){.lost = (harsh ? 0.4 : 0.05) * random_uniform(random),
                                  .repeated = (harsh ? 0.3 : 0.05) * random_uniform(random),
                                  .held = (harsh ? 0.05 : 0.005) * random_uniform(random),
                                  .delay_ns_min = NS_PER_MS / 10,
                                  .delay_ns_max = harsh ? 200 * NS_PER_MS : 20 * NS_PER_MS,
                                  .held_ns_max = chance(random, 0.2) ? HELD_NS_MAX : HELD_NS,
                                  .ordered = fate->fair.ordered};
}

/* Two clocks that are both off by the most there is, to either side, are a little more than twice
 * that apart; where leases are long it comes to that. */
static int64_t draw_drift(struct random *random, const struct fate *fate, int64_t ours_ppm)
{
    int64_t theirs_ppm = (int64_t)between(random, 0, 2 * DRIFT_PPM_MAX) - DRIFT_PPM_MAX;
    if (is_long(fate))
        theirs_ppm = theirs_ppm < 0 ? -DRIFT_PPM_MAX : DRIFT_PPM_MAX;
    return (theirs_ppm - ours_ppm) * 1000000 / (1000000 + ours_ppm);
}

static void draw_hosts(struct random *random, struct fate *fate)
{
    fate->host_count = (uint32_t)between(random, 1, HOSTS_MAX);
    fate->owners_limit = chance(random, 0.2);
    int64_t ours_ppm = draw_drift(random, fate, 0);
    for (uint32_t i = 0; i < fate->host_count; i++) {
        struct fate_host *host = &fate->hosts[i];
        bool early = i == 0 || chance(random, 0.6);
        fate->agents_expect += early;
        *host = (struct fate_host){.name = i,
                                   .clock_ns = between(random, 0, 24 * 3600) * NS_PER_S,
                                   .drift_ppm = draw_drift(random, fate, ours_ppm),
                                   .joins_ns =
                                       between(random, 0, early ? NS_PER_S : fate->calm_from_ns),
                                   .max_concurrency = CONCURRENCY_MAX,
                                   .max_rate_milli = (uint64_t)(RATE_PER_S_MAX * 1000.0)};
        if (!fate->owners_limit)
            continue;
        host->max_concurrency = (uint32_t)between(random, 1, 50);
        host->max_rate_milli = between(random, 1000, 100000);
    }
}

/* The last may be called as the first is: one of the two is refused for as long as the other lives.
 */
static void draw_twin(struct random *random, struct fate *fate)
{
    struct fate_host *twin = &fate->hosts[fate->host_count - 1];
    if (fate->host_count == 1 || !chance(random, 0.15))
        return;
    twin->name = 0;
    if (fate->agents_expect > 1)
        fate->agents_expect--;
}

/* Constant, rising in steps, or up and down. */
static void draw_schedule(struct random *random, struct schedule *schedule, uint64_t duration_ns)
{
    uint64_t kind = between(random, 0, 2);
    *schedule = (struct schedule){.value = (double)between(random, 5, 400),
                                  .duration_ns = duration_ns,
                                  .warmup_ns = between(random, 0, 2) * NS_PER_S};
    if (kind == 0)
        return;
    schedule->stage_count = 3;
    double value = schedule->value / 3.0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        schedule->stages[i] = (struct stage){.duration_ns = duration_ns / 3, .to = value};
        value = kind == 1 || i == 0 ? value + schedule->value / 3.0 : value / 2.0;
    }
    schedule->duration_ns = schedule->stage_count * (duration_ns / 3);
}

static enum on_loss draw_on_loss(struct random *random)
{
    uint64_t kind = between(random, 0, 9);
    return kind == 0 ? ON_LOSS_ABORT : kind <= 2 ? ON_LOSS_HOLD : ON_LOSS_REDISTRIBUTE;
}

static void draw_plan(struct random *random, struct fate *fate)
{
    fate->plan = (struct plan){.path = no_text,
                               .text = no_text,
                               .name = no_text,
                               .target = no_text,
                               .host = no_text,
                               .target_path = no_text,
                               .goal = GOAL_HOLD,
                               .arrivals = ARRIVALS_OPEN,
                               .tolerance = 0.01,
                               .concurrency_max = (uint32_t)between(random, fate->host_count, 200),
                               .agents_min = 1,
                               .on_loss = draw_on_loss(random),
                               .timeout_ns = between(random, 1, 3) * NS_PER_S,
                               .keep_alive = chance(random, 0.8),
                               .request_count = 1};
    /* The rows of a file that every life fetches, in three parts. */
    static char users[] = "users";
    static uint8_t block[2 * DATA_PART_BYTES + 1] = "as good as any";
    if (fate->seed % 16 == 0) {
        fate->plan.data_count = 1;
        fate->plan.data[0] =
            (struct plan_data){.name = users, .block = block, .block_bytes = sizeof block};
    }
    draw_schedule(random, &fate->plan.schedule,
                  fate->calm_to_ns + between(random, 1, 2) * NS_PER_S);
}

/* By draws of its own: what else befalls a seed stays as it was. */
static void draw_numbers(struct fate *fate)
{
    struct random random = {.state = fate->seed ^ NUMBERS_STREAM};
    const struct schedule *schedule = &fate->plan.schedule;
    double whole =
        schedule_mean(schedule, 0, schedule->duration_ns) * (double)schedule->duration_ns / 1e9;
    fate->numbered = chance(&random, 0.5);
    if (!fate->numbered)
        return;
    fate->plan.slot_count = 1;
    if (chance(&random, 0.8))
        fate->plan.requests_total = 1 + (uint64_t)(whole * (0.5 + 0.7 * random_uniform(&random)));
}

static enum fault_kind draw_kind(struct random *random)
{
    static const struct {
        enum fault_kind kind;
        uint64_t weight;
    } kinds[] = {{FAULT_CUT_UP, 18},           {FAULT_CUT_DOWN, 18}, {FAULT_CUT_BOTH, 18},
                 {FAULT_FREEZE, 18},           {FAULT_KILL, 18},     {FAULT_INTERRUPT, 2},
                 {FAULT_FREEZE_COORDINATOR, 8}};
    uint64_t at = between(random, 1, 100);
    size_t i = 0;
    for (; at > kinds[i].weight; i++)
        at -= kinds[i].weight;
    return kinds[i].kind;
}

/* Each is over at `to_ns`. */
static void draw_faults(struct random *random, struct fate *fate, uint32_t count, uint64_t from_ns,
                        uint64_t to_ns)
{
    uint64_t least_ns = is_long(fate) ? fate->lease_ms * NS_PER_MS : 0;
    uint64_t longest_ns = FAULT_NS_MAX + least_ns;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(fate->fault_count < FAULTS_MAX);
        struct fault *fault = &fate->faults[fate->fault_count++];
        *fault = (struct fault){.at_ns = between(random, from_ns, to_ns),
                                .kind = draw_kind(random),
                                .host = (uint32_t)between(random, 0, fate->host_count - 1),
                                .keeps = chance(random, 0.5),
                                .for_ever = chance(random, 0.2),
                                .reconnects = chance(random, 0.5)};
        uint64_t left_ns = to_ns - fault->at_ns;
        uint64_t most_ns = left_ns < longest_ns ? left_ns : longest_ns;
        fault->for_ns = between(random, most_ns < least_ns ? 0 : least_ns, most_ns);
    }
}

/* Most runs end by themselves. */
static void draw_signals(struct random *random, struct fate *fate, uint64_t end_ns)
{
    if (!chance(random, 0.15))
        return;
    uint64_t at_ns = between(random, NS_PER_S, end_ns);
    CHECK(fate->fault_count + 2 <= FAULTS_MAX);
    fate->faults[fate->fault_count++] = (struct fault){.at_ns = at_ns, .kind = FAULT_DRAIN};
    if (chance(random, 0.5))
        fate->faults[fate->fault_count++] =
            (struct fault){.at_ns = at_ns + between(random, 1, NS_PER_S), .kind = FAULT_ABORT};
}

static int compare_times(const void *left, const void *right)
{
    const struct fault *a = left;
    const struct fault *b = right;
    return (a->at_ns > b->at_ns) - (a->at_ns < b->at_ns);
}

void fate_draw(uint64_t seed, struct fate *fate)
{
    struct random random = {.state = seed};
    *fate = (struct fate){.seed = seed};
    draw_times(&random, fate);
    draw_weather(&random, fate);
    /* A held packet, then an end, a refusal and another, then a beginning. */
    fate->calm_to_ns =
        fate->calm_from_ns + fate->foul.held_ns_max + NS_PER_S + 3 * fate->lease_ms * NS_PER_MS;
    draw_hosts(&random, fate);
    draw_twin(&random, fate);
    draw_plan(&random, fate);
    draw_numbers(fate);
    uint64_t end_ns = fate->plan.schedule.duration_ns + fate->wait_ns + 2 * NS_PER_S;
    draw_faults(&random, fate, (uint32_t)between(&random, 0, 12), NS_PER_S / 2, fate->calm_from_ns);
    draw_faults(&random, fate, (uint32_t)between(&random, 0, 8), fate->calm_to_ns + 1, end_ns);
    draw_signals(&random, fate, end_ns);
    qsort(fate->faults, fate->fault_count, sizeof *fate->faults, compare_times);
}
