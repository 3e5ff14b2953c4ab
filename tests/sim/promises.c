#include "tests/sim/promises.h"

#include "common/base/units.h"

#include <math.h>
#include <string.h>

#define ROUNDING_MILLI 1u
#define HEALED_TICKS   30u /* of the calm: all who were cut off have joined again by then */

typedef unsigned long long number;

/* What runs. */

struct running {
    uint64_t rate_milli, concurrency_milli;
};

static struct running life_running(const struct world *world, const struct life *life)
{
    struct running running = {0};
    if (life->load != NULL)
        load_running(life->load, world_local_ns(world, life->host, world->now_ns),
                     &running.rate_milli, &running.concurrency_milli);
    return running;
}

static struct running all_running(const struct world *world)
{
    struct running sum = {0};
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        if (world->hosts[i].life == NULL)
            continue;
        struct running running = life_running(world, world->hosts[i].life);
        sum.rate_milli += running.rate_milli;
        sum.concurrency_milli += running.concurrency_milli;
    }
    return sum;
}

/* How many agents of one name run anything: twins never both. */
static uint32_t name_running(const struct world *world, uint32_t name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        const struct life *life = world->hosts[i].life;
        if (world->fate.hosts[i].name == name && life != NULL)
            count += life_running(world, life).concurrency_milli > 0;
    }
    return count;
}

static void check_names(struct world *world)
{
    for (uint32_t i = 1; i < world->fate.host_count; i++)
        if (world->fate.hosts[i].name != i && name_running(world, world->fate.hosts[i].name) > 1)
            world_break(world, "two agents of one name run something");
}

static bool is_loaded(const struct world *world)
{
    enum session_state state = session_state(world->session);
    return state == SESSION_WARMING || state == SESSION_RUNNING;
}

/* The plan's largest goal so far: an order aims at the tick that follows, and a share that was
 * lowered may still be running elsewhere. Of straight lines the largest value is at an end. */
static double goal_most(const struct world *world)
{
    const struct schedule *schedule = &world->fate.plan.schedule;
    if (world->load_began_ns == 0)
        return 0.0;
    uint64_t until_ns = world->now_ns - world->load_began_ns + TICK_MS * NS_PER_MS;
    double most = fmax(schedule_value(schedule, 0), schedule_value(schedule, until_ns));
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        end_ns += schedule->stages[i].duration_ns;
        if (end_ns <= until_ns)
            most = fmax(most, schedule->stages[i].to);
    }
    return most;
}

static void check_sums(struct world *world)
{
    struct running sum = all_running(world);
    uint64_t rate_milli = (uint64_t)llround(goal_most(world) * 1000.0) + ROUNDING_MILLI;
    if (sum.rate_milli > rate_milli)
        world_break(world, "%llu milli/s run, and the goal is %llu", (number)sum.rate_milli,
                    (number)rate_milli);
    if (sum.concurrency_milli > world->fate.plan.concurrency_max * UINT64_C(1000))
        world_break(world, "%llu milliworkers run, and the ceiling is %u workers",
                    (number)sum.concurrency_milli, world->fate.plan.concurrency_max);
}

/* A lease ends so long after the newest beat that came to the coordinator, on the agent's clock. */
static void check_lease(struct world *world, const struct life *life)
{
    uint64_t end_ns = life->heard_t + world->fate.lease_ms * NS_PER_MS;
    uint64_t lease_end_ns = load_lease_end_ns(life->load);
    uint64_t last_start_ns = load_last_start_ns(life->load);
    if (lease_end_ns > end_ns)
        world_break(world, "life %u has a lease that ends %llu ns late", life->number,
                    (number)(lease_end_ns - end_ns));
    if (last_start_ns > 0 && last_start_ns >= end_ns)
        world_break(world, "life %u started a request after its lease", life->number);
}

void promises_check_step(struct world *world)
{
    check_sums(world);
    check_names(world);
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        const struct life *life = world->hosts[i].life;
        if (life != NULL && life->load != NULL)
            check_lease(world, life);
    }
}

/* What is counted. */

static void check_at_most(struct world *world, const char *what, uint64_t told, uint64_t real)
{
    if (told > real)
        world_break(world, "%s: %llu are told, and there were %llu", what, (number)told,
                    (number)real);
}

static void check_equal(struct world *world, const char *what, uint64_t told, uint64_t real)
{
    if (told != real)
        world_break(world, "%s: %llu are told, and there were %llu", what, (number)told,
                    (number)real);
}

void promises_check_shown(struct world *world, const struct counters *total)
{
    const struct counters *before = &world->shown.total;
    if (!counters_monotone(total, before))
        world_break(world, "a total falls on the screen: %llu were started, and now %llu",
                    (number)before->started, (number)total->started);
}

/* What beats said that have come, of those who live, is in the total. */
static void check_heard(struct world *world)
{
    uint64_t heard = 0;
    for (uint32_t i = 0; i < world->fate.host_count; i++)
        if (world->hosts[i].life != NULL)
            heard += world->hosts[i].life->heard_started;
    check_at_most(world, "started, as beats said that have come", heard,
                  world->shown.total.started);
}

void promises_check_tick(struct world *world)
{
    const struct counters *total = &world->shown.total;
    struct counters real = world->past;
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        const struct life *life = world->hosts[i].life;
        if (life == NULL || life->load == NULL)
            continue;
        struct counters counters = meters_total(load_meters(life->load));
        counters_add(&real, &counters);
    }
    check_at_most(world, "planned in a tick", total->planned, real.planned);
    check_at_most(world, "not started in a tick", total->not_started, real.not_started);
    check_at_most(world, "started in a tick", total->started, real.started);
    check_at_most(world, "ok in a tick", total->ok, real.ok);
    check_at_most(world, "failed in a tick", counters_failed(total), counters_failed(&real));
    check_at_most(world, "timed out in a tick", total->timed_out, real.timed_out);
    check_at_most(world, "unwritten in a tick", total->unwritten, real.unwritten);
    if (world->calm && ++world->calm_ticks > HEALED_TICKS)
        check_heard(world);
}

/* Leaving. */

void promises_check_end(struct world *world, const struct life *life)
{
    if (life->load != NULL && life->end.end == MEMBER_END_REFUSED)
        world_break(world, "life %u had joined and was refused: %s", life->number,
                    life->end.sentence);
}

/* Healing. */

static bool must_carry(const struct host *host)
{
    return !host->gone && (host->life == NULL || !host->life->interrupted);
}

/* Around now: an order aims at the tick that follows, and the last may still be on its way. */
static uint64_t goal_least_milli(const struct world *world)
{
    const struct schedule *schedule = &world->fate.plan.schedule;
    uint64_t at_ns = world->now_ns - world->load_began_ns;
    double before = schedule_value(schedule, at_ns - 2 * TICK_MS * NS_PER_MS);
    double after = schedule_value(schedule, at_ns + TICK_MS * NS_PER_MS);
    return (uint64_t)llround(1000.0 * fmin(schedule_value(schedule, at_ns), fmin(before, after)));
}

/* Who carries load has been there for long enough to deliver what those before it left. */
static void owe_recordings(struct world *world)
{
    for (uint32_t i = 0; i < world->life_count; i++) {
        struct life *life = world->lives[i];
        const struct life *heir = world->hosts[life->host].life;
        life->owed = life->killed && heir != NULL && life_running(world, heir).rate_milli > 0;
    }
}

void promises_check_healed(struct world *world)
{
    if (!is_loaded(world))
        return;
    for (uint32_t i = 0; i < world->fate.host_count; i++)
        if (must_carry(&world->hosts[i]) && name_running(world, world->fate.hosts[i].name) == 0)
            world_break(world, "host %u carries no load after the calm", i);
    bool whole = !world->fate.owners_limit && world->fate.plan.on_loss == ON_LOSS_REDISTRIBUTE;
    uint64_t sum_milli = all_running(world).rate_milli;
    if (whole && sum_milli + ROUNDING_MILLI < goal_least_milli(world))
        world_break(world, "%llu milli/s run after the calm, and the goal is %llu",
                    (number)sum_milli, (number)goal_least_milli(world));
    owe_recordings(world);
    world->result->healed = true;
}

/* The report. */

static const struct life *life_of_row(const struct world *world, uint32_t row)
{
    for (uint32_t i = 0; i < world->life_count; i++)
        if (world->lives[i]->row == row)
            return world->lives[i];
    return NULL;
}

static void check_final_row(struct world *world, const struct report_agent *row,
                            const struct counters *real)
{
    if (memcmp(&row->counters, real, sizeof *real) != 0)
        world_break(world, "%s: its final word is not what it counted: %llu started and %llu",
                    row->name, (number)row->counters.started, (number)real->started);
    check_equal(world, "lost_max after a final word", row->lost_max, 0);
    world->result->finals++;
}

/* An agent without a final word was heard last at some moment of its life; what it did after that
 * is bounded. */
static void check_lost_row(struct world *world, const struct report_agent *row,
                           const struct counters *real)
{
    check_at_most(world, "planned by a lost agent", row->counters.planned, real->planned);
    check_at_most(world, "started by a lost agent", row->counters.started, real->started);
    check_at_most(world, "ok by a lost agent", row->counters.ok, real->ok);
    check_at_most(world, "started by a lost agent beyond its bound", real->started,
                  row->counters.started + row->lost_max);
    world->result->lost++;
}

static void check_rows(struct world *world, const struct report *report)
{
    check_equal(world, "agents in the report", report->agent_count, world->rows);
    for (uint32_t i = 0; i < report->agent_count; i++) {
        const struct report_agent *row = &report->agents[i];
        const struct life *life = life_of_row(world, i);
        struct remains remains = life_remains(life);
        if (row->final)
            check_final_row(world, row, &remains.counters);
        else
            check_lost_row(world, row, &remains.counters);
        if (life->owed && !row->final)
            world_break(world,
                        "life %u was killed, and what its recorder kept is not in the report",
                        life->number);
        bool heard = life->has_end && life->end.end == MEMBER_END_COMPLETE && !life->interrupted;
        if (heard && !row->final)
            world_break(world, "life %u was told that its final word came, and it did not",
                        life->number);
    }
}

static void check_ledger(struct world *world, const struct report *report)
{
    const struct counters *ledger = &report->ledger;
    check_equal(world, "planned, and started + not started", ledger->planned,
                ledger->started + ledger->not_started);
    check_equal(world, "started, and ended + in flight", ledger->started,
                ledger->ok + counters_failed(ledger) + ledger->timed_out +
                    report->in_flight_at_end);
    if (!report->balanced)
        world_break(world, "the report does not balance: %s", report->imbalance);
    for (uint32_t i = 0; i < report->event_count; i++)
        if (strcmp(report->events[i].kind, "agent_corrupt") == 0)
            world_break(world, "%s", report->events[i].sentence);
}

static void check_target(struct world *world, const struct report *report)
{
    uint64_t reached = 0;
    for (uint32_t i = 0; i < world->life_count; i++)
        reached += life_remains(world->lives[i]).reached;
    check_at_most(world, "started and written", report->ledger.started - report->ledger.unwritten,
                  reached);
    check_at_most(world, "the target's own count", reached,
                  report->ledger.started + report->lost_max);
}

/* When every final word came, the histograms are those of the agents too. */
static void check_histograms(struct world *world, const struct report *report)
{
    uint64_t answers = 0;
    uint64_t sum_ns = 0;
    struct counters measured = {0};
    for (uint32_t i = 0; i < report->agent_count; i++) {
        struct remains remains = life_remains(life_of_row(world, i));
        if (!report->agents[i].final)
            return;
        answers += remains.answers;
        sum_ns += remains.answer_sum_ns;
        counters_add(&measured, &remains.measured);
    }
    const struct histogram *response = &report->kinds[SAMPLE_RESPONSE];
    check_equal(world, "answers in the histogram", response->total, answers);
    check_equal(world, "the histogram's sum", response->sum_ns, sum_ns);
    check_equal(world, "started after the warm-up", report->counters.started, measured.started);
}

/* Numbered requests. */

static bool has_event(const struct report *report, const char *kind)
{
    for (uint32_t i = 0; i < report->event_count; i++)
        if (strcmp(report->events[i].kind, kind) == 0)
            return true;
    return false;
}

static bool all_final(const struct report *report)
{
    for (uint32_t i = 0; i < report->agent_count; i++)
        if (!report->agents[i].final)
            return false;
    return true;
}

/* What indexes it held are missing, whatever its recorder kept. */
static bool any_killed(const struct world *world)
{
    for (uint32_t i = 0; i < world->life_count; i++)
        if (world->lives[i]->killed)
            return true;
    return false;
}

/* No index was used twice; of those that are counted out none was left but by agents that were lost
 * when all others had ended. */
static void check_numbers(struct world *world, const struct report *report)
{
    const struct load_numbers *numbers = &world->numbers;
    const struct plan *plan = &world->fate.plan;
    if (numbers->twice)
        world_break(world, "an index was used twice");
    if (numbers->out_of_range)
        world_break(world, "an index is beyond the last");
    if (plan->requests_total == 0)
        return;
    check_at_most(world, "planned in all", report->ledger.planned, numbers->used);
    bool cut = has_event(report, "interrupted") || has_event(report, "broken_off") ||
               report->duration_ns + TICK_MS * NS_PER_MS >= plan->schedule.duration_ns;
    if (cut)
        return;
    world->result->missing = world->lost_at_drain > 0 || !all_final(report) || any_killed(world);
    if (world->result->missing)
        return;
    world->result->counted = true;
    check_equal(world, "planned in all, and to be made", report->ledger.planned,
                plan->requests_total);
}

void promises_check_report(struct world *world)
{
    const struct report *report = session_report(world->session);
    check_ledger(world, report);
    check_rows(world, report);
    check_target(world, report);
    check_histograms(world, report);
    check_numbers(world, report);
    for (uint32_t i = 0; i < world->life_count; i++)
        if (world->lives[i]->row == LIFE_NO_ROW)
            check_equal(world, "started by who was never welcomed",
                        life_remains(world->lives[i]).counters.started, 0);
    world->result->loaded = report->ledger.started > 0;
    world->result->started = report->ledger.started;
    world->result->lost_max = report->lost_max;
}
