#include "coordinator/run_events.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* How much an event says of what the charts show; 0: its number would only be in the way. */
static unsigned weight_of(const char *kind)
{
    static const struct {
        const char *kind;
        unsigned weight;
    } weights[] = {{"agent_lost", 9},    {"latency_changed", 8}, {"saturated", 8},
                   {"agent_corrupt", 7}, {"agent_back", 6},      {"agent_joined", 6},
                   {"agent_left", 6},    {"searching", 5},       {"settled", 4},
                   {"converged", 4},     {"stood_still", 0},     {"coordinator_late", 2}};
    for (size_t i = 0; i < COUNT(weights); i++)
        if (strcmp(weights[i].kind, kind) == 0)
            return weights[i].weight;
    return 3;
}

/* The middle of a change from `before` to `after`, as latencies are compared. */
static bool is_past_middle(double value, double before, double after)
{
    double middle = sqrt(before * after);
    return after > before ? value >= middle : value <= middle;
}

/* A change of latency is told of when it has lasted; it began where it first crossed half the way,
 * not to come back before it was told. */
static uint64_t change_began(const struct record_moment *moment)
{
    double before = 0.0, after = 0.0;
    uint64_t began_ns = moment->at_ns;
    for (uint32_t i = 0; i < moment->tick_count; i++) {
        const struct record_tick *tick = &moment->ticks[i];
        if (tick->latency_ns > 0.0 && before == 0.0)
            before = tick->latency_ns;
        if (tick->latency_ns > 0.0 && tick->at_ns <= moment->at_ns)
            after = tick->latency_ns;
    }
    for (uint32_t i = moment->tick_count; i-- > 0 && before > 0.0 && before != after;) {
        const struct record_tick *tick = &moment->ticks[i];
        if (tick->at_ns > moment->at_ns)
            continue;
        if (!is_past_middle(tick->latency_ns, before, after))
            break;
        began_ns = tick->at_ns - (tick->at_ns > TICK_MS * NS_PER_MS ? TICK_MS * NS_PER_MS : 0);
    }
    return began_ns;
}

/* An agent is given up when nothing was heard of it for a while; the result knows since when. */
static uint64_t silence_began(const struct run_record *record, const struct report_event *event)
{
    const json_t *agents = json_get(record->result, "agents");
    for (size_t i = 0; i < json_array_size(agents); i++) {
        const json_t *agent = json_array_get(agents, i);
        uint64_t lost_ns = json_get_count(agent, "lost_from_ns");
        const char *name = json_get_text(agent, "name");
        if (lost_ns > 0 && lost_ns <= event->at_ns && name[0] != '\0' &&
            strstr(event->sentence, name) != NULL)
            return lost_ns;
    }
    return event->at_ns;
}

void run_events_number(const struct run_record *record, struct run_facts *facts)
{
    uint32_t left = FACTS_NUMBERED_MAX;
    for (unsigned weight = 9; weight > 0; weight--)
        for (uint32_t i = 0; i < record->event_count && left > 0; i++)
            if (weight_of(record->events[i].kind) == weight && record->events[i].at_ns > 0) {
                facts->numbers[i] = 1;
                left--;
            }
    uint32_t number = 0;
    for (uint32_t i = 0; i < record->event_count; i++) {
        const struct report_event *event = &record->events[i];
        bool lost = strcmp(event->kind, "agent_lost") == 0;
        facts->began_ns[i] = lost ? silence_began(record, event) : event->at_ns;
        if (facts->numbers[i] != 0)
            facts->numbers[i] = ++number;
    }
    for (uint32_t i = 0; i < record->moment_count; i++) {
        const struct record_moment *moment = &record->moments[i];
        if (moment->event < record->event_count &&
            strcmp(record->events[moment->event].kind, "latency_changed") == 0)
            facts->began_ns[moment->event] = change_began(moment);
    }
}
