#include "coordinator/numbering.h"

#include "common/base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define TICK_S       ((double)TICK_MS / 1000.0)
#define SUPPLY_S     4.0 /* at half of it comes the next: that lasts for a lease without a word */
#define FINAL_S      0.6 /* all that is left is given out when it is used up so soon */
#define RATE_ALPHA   0.1 /* smoothing: over ten ticks */
#define WORKER_PER_S 1000.0 /* of a worker that was not seen to work yet: answers in 1 ms */
#define DRY_GROWTH   8.0    /* who ran out of a block gets one so much larger */
#define TOO_MUCH     4.0    /* supplies, above which what is left is wanted back */
#define SLOW         0.1    /* of the mean agent */
#define RATED_TICKS  20u    /* of which a rate is known */
#define IDLE_TICKS   10u    /* without orders: a moment's zero is no reason to take all back */

void numbering_init(struct numbering *numbering, uint64_t total)
{
    CHECK(total <= REQUESTS_MAX);
    *numbering = (struct numbering){.total = total};
}

void numbering_done(struct numbering *numbering)
{
    free(numbering->returned);
    *numbering = (struct numbering){0};
}

uint64_t numbering_held(const struct agent_numbers *agent)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < agent->span_count; i++)
        held += agent->spans[i].count;
    return held;
}

static uint64_t left_to_give(const struct numbering *numbering)
{
    uint64_t fresh = (numbering->total > 0 ? numbering->total : REQUESTS_MAX) - numbering->next;
    return fresh + numbering->returned_count;
}

bool numbering_spent(const struct numbering *numbering)
{
    return left_to_give(numbering) == 0;
}

/* What comes back */

static bool make_room(struct numbering *numbering)
{
    if (numbering->span_count < numbering->span_capacity)
        return true;
    uint32_t capacity = numbering->span_capacity == 0 ? 16 : 2 * numbering->span_capacity;
    struct span *larger = reallocarray(numbering->returned, capacity, sizeof *larger);
    if (larger == NULL)
        return false;
    numbering->returned = larger;
    numbering->span_capacity = capacity;
    return true;
}

/* Without memory for them they stay unused, and the run is seen to miss them. */
static void take_back(struct numbering *numbering, struct agent_numbers *agent)
{
    for (uint32_t i = 0; i < agent->span_count && make_room(numbering); i++) {
        numbering->returned[numbering->span_count++] = agent->spans[i];
        numbering->returned_count += agent->spans[i].count;
    }
    agent->span_count = 0;
}

/* The next that can be had, at most `count` of them, in one piece. */
static struct span take_span(struct numbering *numbering, uint64_t count)
{
    if (numbering->span_count == 0) {
        struct span fresh = {.from = numbering->next, .count = count};
        numbering->next += count;
        return fresh;
    }
    struct span *last = &numbering->returned[numbering->span_count - 1];
    struct span taken = {.from = last->from, .count = count < last->count ? count : last->count};
    last->from += taken.count;
    last->count -= taken.count;
    numbering->returned_count -= taken.count;
    numbering->span_count -= last->count == 0;
    return taken;
}

/* What goes out */

static void send_block(struct agent_numbers *agent, struct span block)
{
    agent->block++;
    agent->newest = block;
    if (block.count > 0)
        agent->spans[agent->span_count++] = block;
}

static double expected_per_s(const struct agent_numbers *agent, const struct numbering_need *need)
{
    if (need->workers == 0)
        return 0.0;
    if (need->rate_per_s > 0.0)
        return need->rate_per_s;
    double guessed = WORKER_PER_S * need->workers;
    return agent->ticks < RATED_TICKS ? fmax(guessed, agent->rate_per_s) : agent->rate_per_s;
}

void numbering_see(struct agent_numbers *agent, const struct numbering_need *need,
                   struct numbering_fleet *fleet)
{
    bool runs = need->workers > 0;
    double seen_per_s = (double)(agent->used - agent->rated) / TICK_S;
    agent->rated = agent->used;
    agent->rate_per_s += RATE_ALPHA * (seen_per_s - agent->rate_per_s);
    agent->ticks += runs;
    agent->idle_ticks = runs ? 0 : agent->idle_ticks + 1;
    agent->expected_per_s = expected_per_s(agent, need);
    agent->held = fmax(0.0, (double)numbering_held(agent) - agent->expected_per_s * need->age_s);
    fleet->running += runs;
    fleet->held += agent->held;
    fleet->rate_per_s += agent->expected_per_s;
}

/* How many it should have, when all that is left is work for `left_s`. Towards the end no more than
 * half of its part, so that who turns out to be faster can get more of the rest (factoring: Hummel,
 * Schonberg and Flynn, CACM 35(8), 1992); at last all of it, so that all run out at once, and for
 * the slow none that the others would wait for. */
static double enough_for(const struct agent_numbers *agent, const struct numbering_need *need,
                         const struct numbering_fleet *fleet, double left_s)
{
    double supply_s = fmin(SUPPLY_S, fmax(left_s / 2.0, FINAL_S / 2.0));
    if (left_s > FINAL_S)
        return fmax(ceil(supply_s * agent->expected_per_s), need->workers);
    double part = left_s * agent->expected_per_s;
    bool slow = agent->expected_per_s * fleet->running < SLOW * fleet->rate_per_s;
    return slow && part < 0.5 ? 0.0 : fmax(1.0, ceil(part));
}

/* It may have run dry because nobody knew how fast it is. */
static double enough_when_dry(const struct numbering *numbering, const struct agent_numbers *agent,
                              const struct numbering_fleet *fleet)
{
    double part = (double)left_to_give(numbering) / (2.0 * fleet->running);
    return fmin(DRY_GROWTH * (double)agent->newest.count, part);
}

static void grant(struct numbering *numbering, struct agent_numbers *agent, double count)
{
    count = fmin(count, (double)left_to_give(numbering));
    if (agent->span_count < INDEX_BLOCKS_MAX && count >= 1.0)
        send_block(agent, take_span(numbering, (uint64_t)count));
}

void numbering_order(struct numbering *numbering, struct agent_numbers *agent,
                     const struct numbering_need *need, const struct numbering_fleet *fleet)
{
    double held = agent->held;
    if (agent->taken_up < agent->block)
        return;
    if (need->workers == 0) {
        if (numbering->total > 0 && agent->span_count > 0 && agent->idle_ticks >= IDLE_TICKS)
            send_block(agent, (struct span){0});
        return;
    }
    double left_s = ((double)left_to_give(numbering) + fleet->held) / fleet->rate_per_s;
    double enough = enough_for(agent, need, fleet, left_s);
    if (agent->span_count == 0)
        enough = fmax(enough, enough_when_dry(numbering, agent, fleet));
    if (numbering->total > 0 && agent->ticks >= RATED_TICKS && held > TOO_MUCH * enough)
        send_block(agent, (struct span){0});
    else if (2.0 * held <= enough || left_s <= FINAL_S)
        grant(numbering, agent, enough - held);
}

/* What is heard */

/* The oldest `count` of what it holds are used. */
static void note_used(struct agent_numbers *agent, uint64_t count)
{
    uint32_t passed = 0;
    agent->used += count;
    while (passed < agent->span_count && agent->spans[passed].count <= count)
        count -= agent->spans[passed++].count;
    agent->span_count -= passed;
    for (uint32_t i = 0; i < agent->span_count; i++)
        agent->spans[i] = agent->spans[i + passed];
    if (count == 0)
        return;
    CHECK(agent->span_count > 0);
    agent->spans[0].from += count;
    agent->spans[0].count -= count;
}

/* Of the newest block only who has taken it up. */
static uint64_t usable(const struct agent_numbers *agent, uint64_t block)
{
    bool newest = block == agent->block;
    return numbering_held(agent) - (newest ? 0 : agent->newest.count);
}

static bool check_used(const struct agent_numbers *agent, uint64_t block, uint64_t used,
                       struct error *error)
{
    if (block < agent->taken_up || block > agent->block)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "it has block %" PRIu64 " of indexes; it had %" PRIu64
                         " and was given %" PRIu64,
                         block, agent->taken_up, agent->block);
    if (used < agent->used || used - agent->used > usable(agent, block))
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "it has used %" PRIu64 " indexes; expected %" PRIu64 " to %" PRIu64, used,
                         agent->used, agent->used + usable(agent, block));
    return true;
}

bool numbering_hear(struct numbering *numbering, struct agent_numbers *agent, uint64_t block,
                    uint64_t used, struct error *error)
{
    if (!check_used(agent, block, used, error))
        return false;
    note_used(agent, used - agent->used);
    if (block > agent->taken_up && agent->newest.count == 0)
        take_back(numbering, agent);
    agent->taken_up = block;
    return true;
}

bool numbering_leave(struct numbering *numbering, struct agent_numbers *agent, uint64_t used,
                     struct error *error)
{
    if (!check_used(agent, agent->block, used, error))
        return false;
    note_used(agent, used - agent->used);
    agent->taken_up = agent->block;
    take_back(numbering, agent);
    return true;
}
