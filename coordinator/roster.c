#include "coordinator/roster.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 8u

void roster_init(struct roster *roster, uint32_t phase_count, bool latency_digests)
{
    CHECK(phase_count >= 1);
    CHECK(phase_count <= STAGES_MAX + 1);
    *roster = (struct roster){.phase_count = phase_count, .latency_digests = latency_digests};
}

static void agent_destroy(struct agent *agent, uint32_t phase_count)
{
    for (uint32_t i = 0; agent->phases != NULL && i < phase_count; i++)
        words_done(&agent->phases[i]);
    free(agent->phases);
    free(agent->digests);
    free(agent);
}

void roster_done(struct roster *roster)
{
    for (uint32_t i = 0; i < roster->count; i++)
        agent_destroy(roster->agents[i], roster->phase_count);
    free(roster->agents);
    free(roster->slots);
    free(roster->weights);
    free(roster->limits);
    free(roster->wants);
    free(roster->growth);
    *roster = (struct roster){0};
}

/* A larger `*array`, or false and the old one, which stays good. */
static bool enlarge(void *array, size_t count, size_t item_bytes)
{
    void **place = array;
    void *larger = reallocarray(*place, count, item_bytes);
    if (larger != NULL)
        *place = larger;
    return larger != NULL;
}

/* The slot of this incarnation, or the empty one where it belongs. At least half are empty, so
 * there is one. Incarnations are random; who chooses his makes us look at no more than all. */
static uint32_t *slot_of(const struct roster *roster, const uint8_t *incarnation)
{
    uint32_t mask = 2 * roster->capacity - 1;
    uint32_t at;
    memcpy(&at, incarnation, sizeof at);
    for (;; at++) {
        uint32_t *slot = &roster->slots[at & mask];
        if (*slot == 0 ||
            memcmp(roster->agents[*slot - 1]->incarnation, incarnation, ID_BYTES) == 0)
            return slot;
    }
}

static bool roster_grow(struct roster *roster)
{
    if (roster->count < roster->capacity)
        return true;
    if (roster->count >= AGENTS_MAX)
        return false;
    uint32_t capacity = roster->capacity == 0 ? CAPACITY_FIRST : 2 * roster->capacity;
    if (!enlarge(&roster->agents, capacity, sizeof *roster->agents) ||
        !enlarge(&roster->slots, 2 * (size_t)capacity, sizeof *roster->slots) ||
        !enlarge(&roster->weights, capacity, sizeof *roster->weights) ||
        !enlarge(&roster->limits, capacity, sizeof *roster->limits) ||
        !enlarge(&roster->wants, capacity, sizeof *roster->wants) ||
        !enlarge(&roster->growth, capacity, sizeof *roster->growth))
        return false;
    roster->capacity = capacity;
    memset(roster->slots, 0, 2 * (size_t)capacity * sizeof *roster->slots);
    for (uint32_t i = 0; i < roster->count; i++)
        *slot_of(roster, roster->agents[i]->incarnation) = i + 1;
    return true;
}

struct agent *roster_add(struct roster *roster, uint64_t now_ns, const struct peer_id *peer,
                         const uint8_t *incarnation, const struct hello *hello)
{
    CHECK(roster_find(roster, incarnation) == NULL);
    if (!roster_grow(roster))
        return NULL;
    struct agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL)
        return NULL;
    agent->phases = calloc(roster->phase_count, sizeof *agent->phases);
    if (roster->latency_digests)
        agent->digests = calloc(1, sizeof *agent->digests);
    if (agent->phases == NULL || (roster->latency_digests && agent->digests == NULL)) {
        agent_destroy(agent, roster->phase_count);
        return NULL;
    }
    memcpy(agent->incarnation, incarnation, ID_BYTES);
    agent->peer = *peer;
    agent->hello = *hello;
    agent->heard_ns = now_ns;
    agent->beat_ns = now_ns;
    agent->echo_t = hello->t_agent;
    agent->echo_ns = now_ns;
    struct agent *before = roster_find_name(roster, hello->name);
    if (before != NULL)
        before->superseded = true;
    uint32_t *slot = slot_of(roster, incarnation);
    roster->agents[roster->count++] = agent;
    *slot = roster->count;
    return agent;
}

struct agent *roster_find(const struct roster *roster, const uint8_t *incarnation)
{
    if (roster->count == 0)
        return NULL;
    uint32_t place = *slot_of(roster, incarnation);
    return place > 0 ? roster->agents[place - 1] : NULL;
}

struct agent *roster_find_name(const struct roster *roster, const char *name)
{
    for (uint32_t i = roster->count; i-- > 0;)
        if (strcmp(roster->agents[i]->hello.name, name) == 0)
            return roster->agents[i];
    return NULL;
}

void roster_take_final(struct agent *agent, const struct final *final)
{
    agent->final = final->counters;
    agent->final_last_phase = final->last_phase;
    agent->final_cpu_ns = final->cpu_ns;
    for (uint32_t phase = 0; phase <= final->last_phase; phase++)
        if (!words_final(&agent->phases[phase]))
            return;
    agent->state = AGENT_DONE;
    agent->lost = false;
    lease_clear(&agent->lease);
}

bool agent_may_carry(const struct agent *agent)
{
    return agent->state == AGENT_READY && !agent->corrupt && !agent->barred && !agent->superseded;
}

bool agent_lives(const struct agent *agent)
{
    return agent_may_carry(agent) && !agent->silent && !agent->lost;
}

uint32_t roster_living(const struct roster *roster)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < roster->count; i++)
        count += agent_lives(roster->agents[i]);
    return count;
}

uint32_t roster_lost(const struct roster *roster)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < roster->count; i++)
        count += roster->agents[i]->lost;
    return count;
}

uint32_t roster_lanes(const struct roster *roster)
{
    uint32_t lanes = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct agent *agent = roster->agents[i];
        if (agent_lives(agent))
            lanes += agent->beat.lanes > 0 ? agent->beat.lanes : 1;
    }
    return lanes > 0 ? lanes : 1;
}

uint64_t roster_concurrency_max(const struct roster *roster)
{
    uint64_t workers = 0;
    for (uint32_t i = 0; i < roster->count; i++)
        if (agent_lives(roster->agents[i]))
            workers += roster->agents[i]->hello.max_concurrency;
    return workers;
}
