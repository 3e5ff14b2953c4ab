#include "agent/lane.h"

#include "agent/backlog.h"
#include "agent/pacer.h"
#include "agent/staffing.h"
#include "agent/worker.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"
#include "proto/beat.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define LANE_TICK_NS            (TICK_MS * NS_PER_MS)
#define LANE_REST_NS            (100 * NS_PER_MS) /* after a connect that came to nothing; doubles */
#define LANE_REST_NS_MAX        (1000 * NS_PER_MS) /* a target that is back is found within a second */
#define LANE_STILL_NS           (20 * NS_PER_MS) /* a wake-up so much too late is worth an event */
#define LANE_FRACTION_MIN       0.02 /* a smaller part of a worker is none (docs/control.md, 1) */
#define LANE_LOAD_NS_MIN        (10 * NS_PER_MS) /* CPU time over less says nothing */
#define LANE_SATURATED_PERMILLE 900u

/* What the control thread left to be done. */
struct mail {
    bool set, drain, end, ask, histograms;
    struct pool_setpoint setpoint;
    uint64_t set_ns, drain_ns, deadline_ns;
};

struct lane {
    struct lane_plan plan;
    pthread_t thread;
    bool running;

    pthread_mutex_t mutex; /* the mail and the answer */
    struct mail mail;
    struct meters *answer;
    bool answered;

    /* The one word that is read before each start: a lease that was cut short ends it at once. */
    _Atomic uint64_t granted_ns;

    /* From here on the lane's own. */
    struct crew crew;
    struct pacer pacer;
    struct backlog backlog;
    struct staffing staffing;
    uint64_t now_ns;
    uint64_t tick_ns;      /* the next one; ENGINE_NEVER before the first setpoint */
    uint64_t lease_end_ns; /* of the setpoint in force */
    uint32_t floor, cap;   /* workers */
    double fraction;       /* closed arrivals: of the one that is paced; 0: none is */
    bool stopped;          /* nothing starts: no lease */
    bool draining, drained, ending;
    uint64_t deadline_ns; /* of the drain */

    struct worker *paced;
    uint64_t paced_done_ns, paced_length_ns; /* its last request */

    /* A look that finds more ready than it can take judges no deadline, lest an answer that lies
     * unread be called late; but after as many looks as all workers fill, none does. */
    uint32_t crowded_looks;
    uint64_t crowded_ns; /* the first of them */

    uint32_t changed_from, changed_to; /* phases that may have changed since the last answer */
    bool asked, asked_histograms;
    uint32_t demand_peak; /* since the last answer */
    uint64_t answered_ns, answered_cpu_ns;
};

/* Starting requests */

static struct counters *counters_now(struct lane *lane)
{
    return &lane->crew.meters->phases[lane->crew.phase].counters;
}

static bool may_start(const struct lane *lane, uint64_t now_ns)
{
    return !lane->stopped && now_ns < lane->lease_end_ns &&
           now_ns < atomic_load_explicit(&lane->granted_ns, memory_order_relaxed);
}

/* The oldest of the backlog will not be started. */
static void give_up_one(struct lane *lane)
{
    struct waiting request = backlog_pop(&lane->backlog);
    lane->crew.meters->phases[request.phase].counters.not_started++;
}

/* Drops what is too old; whether the oldest that is left may start. */
static bool backlog_ready(struct lane *lane, uint64_t now_ns)
{
    enum backlog_verdict verdict;
    while ((verdict = backlog_judge(&lane->backlog, now_ns)) == BACKLOG_DROP)
        give_up_one(lane);
    return verdict == BACKLOG_START;
}

static struct waiting take_oldest(struct lane *lane, uint64_t now_ns)
{
    backlog_started(&lane->backlog, now_ns);
    return backlog_pop(&lane->backlog);
}

/* Open arrivals: what waits goes to idle workers, the one that worked last first. */
static void serve(struct lane *lane)
{
    struct worker *worker;
    while (lane->backlog.count > 0) {
        uint64_t now_ns = clock_now_ns();
        if (!may_start(lane, now_ns) || !backlog_ready(lane, now_ns))
            return;
        if ((worker = lane->crew.lists[WORKER_IDLE].first) == NULL)
            return;
        struct waiting request = take_oldest(lane, now_ns);
        crew_start(&lane->crew, worker, &request, now_ns);
    }
}

/* Closed arrivals: a request falls due when a worker takes it. */
static struct waiting due_now(struct lane *lane, uint64_t now_ns)
{
    counters_now(lane)->planned++;
    return (struct waiting){.due_ns = now_ns, .phase = lane->crew.phase};
}

static void loop_on(struct lane *lane, struct worker *worker)
{
    uint64_t now_ns = clock_now_ns();
    if (!may_start(lane, now_ns))
        return;
    struct waiting request = due_now(lane, now_ns);
    crew_start(&lane->crew, worker, &request, now_ns);
}

/* Closed arrivals: the fraction f of a worker is one that after a request of length d waits
 * d (1/f - 1). */
static uint64_t pause_end(const struct lane *lane)
{
    double pause_ns = (double)lane->paced_length_ns * (1.0 / lane->fraction - 1.0);
    return lane->paced_done_ns + (uint64_t)pause_ns;
}

static void work_or_pause(struct lane *lane, struct worker *worker)
{
    if (lane->fraction > 0.0 && lane->paced == NULL)
        lane->paced = worker;
    if (worker != lane->paced || worker->length_ns == 0) {
        loop_on(lane, worker);
        return;
    }
    lane->paced_done_ns = lane->crew.read_ns;
    lane->paced_length_ns = worker->length_ns;
    worker->length_ns = 0;
    crew_pause(&lane->crew, worker);
}

static void end_pause(struct lane *lane)
{
    struct worker *worker = lane->crew.lists[WORKER_PAUSING].first;
    if (worker == NULL || (lane->fraction > 0.0 && lane->now_ns < pause_end(lane)))
        return;
    crew_resume(&lane->crew, worker);
    loop_on(lane, worker);
}

/* What the crew says */

static uint32_t count_of(const struct lane *lane, enum worker_state state)
{
    return lane->crew.lists[state].count;
}

static void retire(struct lane *lane, struct worker *worker)
{
    if (worker == lane->paced)
        lane->paced = NULL;
    crew_retire(&lane->crew, worker);
}

static void on_ready(void *owner, struct worker *worker)
{
    struct lane *lane = owner;
    if (lane->draining || crew_count(&lane->crew) > lane->cap)
        retire(lane, worker);
    else if (lane->plan.assignment->open_arrivals)
        serve(lane);
    else
        work_or_pause(lane, worker);
}

/* A worker could not connect: it takes the request that it would have carried, and ends it so. */
static bool blame(struct lane *lane, struct worker *worker, struct ending ending)
{
    uint64_t now_ns = clock_now_ns();
    if (!may_start(lane, now_ns))
        return false;
    struct waiting request;
    if (!lane->plan.assignment->open_arrivals)
        request = due_now(lane, now_ns);
    else if (backlog_ready(lane, now_ns))
        request = take_oldest(lane, now_ns);
    else
        return false;
    crew_fail(&lane->crew, worker, &request, ending);
    return true;
}

static uint64_t rest_ns(uint32_t misses)
{
    uint64_t rest_ns = LANE_REST_NS;
    for (uint32_t i = 1; i < misses && rest_ns < LANE_REST_NS_MAX; i++)
        rest_ns *= 2;
    return rest_ns < LANE_REST_NS_MAX ? rest_ns : LANE_REST_NS_MAX;
}

static void on_parted(void *owner, struct worker *worker, enum parting parting,
                      struct ending ending)
{
    struct lane *lane = owner;
    struct crew *crew = &lane->crew;
    if (lane->stopped || lane->draining || crew_count(crew) >= lane->cap) {
        retire(lane, worker);
        return;
    }
    bool blamed = parting == PARTING_MISSED && blame(lane, worker, ending);
    bool waited_for = blamed && lane->backlog.count > count_of(lane, WORKER_CONNECTING);
    if (worker->misses == 0 || waited_for)
        crew_connect(crew, worker);
    else
        crew_rest(crew, worker, crew->read_ns + rest_ns(worker->misses));
}

static const struct crew_calls crew_calls = {.ready = on_ready, .parted = on_parted};

/* Staff */

/* One request waits and no worker is free for it: one more connects, unless enough do. */
static void call_up(struct lane *lane)
{
    struct crew *crew = &lane->crew;
    if (count_of(lane, WORKER_IDLE) > 0 || count_of(lane, WORKER_CONNECTING) >= lane->backlog.count)
        return;
    struct worker *resting = crew->lists[WORKER_RESTING].first;
    if (resting != NULL)
        crew_connect(crew, resting);
    else if (crew_count(crew) < lane->cap)
        crew_hire(crew);
}

/* One that has nothing to do, the least useful first. */
static struct worker *dispensable(const struct lane *lane)
{
    const struct worker_list *lists = lane->crew.lists;
    if (lists[WORKER_RESTING].first != NULL)
        return lists[WORKER_RESTING].first;
    if (lists[WORKER_PAUSING].first != NULL)
        return lists[WORKER_PAUSING].first;
    return lists[WORKER_IDLE].last;
}

/* Workers that have a request go when it has ended (on_ready, on_parted): nothing is cut. */
static void let_go_to(struct lane *lane, uint32_t wanted)
{
    struct worker *worker;
    while (crew_count(&lane->crew) > wanted && (worker = dispensable(lane)) != NULL)
        retire(lane, worker);
    while (crew_count(&lane->crew) > lane->cap &&
           (worker = lane->crew.lists[WORKER_CONNECTING].last) != NULL)
        retire(lane, worker);
}

static void retry_rested(struct lane *lane)
{
    struct worker *next;
    for (struct worker *worker = lane->crew.lists[WORKER_RESTING].first; worker != NULL;
         worker = next) {
        next = worker->next;
        if (worker->retry_ns <= lane->now_ns)
            crew_connect(&lane->crew, worker);
    }
}

static void staff(struct lane *lane)
{
    bool open = lane->plan.assignment->open_arrivals;
    let_go_to(lane, open ? staffing_pool(&lane->staffing, lane->floor, lane->cap) : lane->cap);
    if (lane->stopped)
        return;
    retry_rested(lane);
    while (crew_count(&lane->crew) < lane->floor && crew_hire(&lane->crew))
        ;
}

/* Time */

static void see_demand(struct lane *lane)
{
    uint32_t demand = lane->crew.in_flight + lane->backlog.count;
    uint32_t own_late = lane->crew.own_late_count + lane->backlog.own_late_count;
    staffing_see(&lane->staffing, lane->now_ns, demand, own_late);
    if (demand > lane->demand_peak)
        lane->demand_peak = demand;
}

/* Takes from the pacer what is due by `until_ns`, and never what falls due past the lease. */
static void fall_due(struct lane *lane, uint64_t until_ns)
{
    if (until_ns > lane->lease_end_ns)
        until_ns = lane->lease_end_ns;
    uint64_t due_ns;
    while ((due_ns = pacer_due(&lane->pacer, until_ns)) != PACER_NEVER) {
        struct waiting request = {
            .due_ns = due_ns,
            .phase = lane->crew.phase,
            .own_late = lane->now_ns >= due_ns + STAFFING_OWN_LATE_NS,
        };
        counters_now(lane)->planned++;
        if (!backlog_push(&lane->backlog, &request)) {
            counters_now(lane)->not_started++;
            continue;
        }
        serve(lane);
        /* What we took late ourselves is no sign that workers are missing: those we have catch up.
         */
        if (!request.own_late)
            call_up(lane);
    }
    see_demand(lane);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* From `at_ns` on nothing falls due and nothing starts. */
static void stop(struct lane *lane, uint64_t at_ns)
{
    lane->lease_end_ns = at_ns < lane->lease_end_ns ? at_ns : lane->lease_end_ns;
    fall_due(lane, lane->lease_end_ns);
    pacer_set(&lane->pacer, later(lane->lease_end_ns, lane->pacer.origin_ns), 0);
    while (lane->backlog.count > 0)
        give_up_one(lane);
    lane->stopped = true;
}

static void tick(struct lane *lane)
{
    see_demand(lane);
    staffing_tick(&lane->staffing, lane->cap);
    staff(lane);
    serve(lane); /* or at least drops what has grown too old */
    lane->tick_ns += LANE_TICK_NS;
    if (lane->tick_ns <= lane->now_ns)
        lane->tick_ns = lane->now_ns + LANE_TICK_NS;
}

/* Mail */

static void enter_phase(struct lane *lane, uint32_t phase, uint64_t at_ns)
{
    struct phase_meter *phases = lane->crew.meters->phases;
    CHECK(phase < lane->crew.meters->phase_count);
    if (phases[phase].t_from != 0 && phase == lane->crew.phase)
        return;
    if (phases[lane->crew.phase].t_from != 0)
        phases[lane->crew.phase].t_to = at_ns;
    if (phases[phase].t_from == 0)
        phases[phase].t_from = at_ns;
    lane->crew.phase = phase;
    if (phase < lane->changed_from)
        lane->changed_from = phase;
    if (phase > lane->changed_to)
        lane->changed_to = phase;
}

static void set_level(struct lane *lane, const struct pool_setpoint *setpoint)
{
    uint32_t whole = (uint32_t)(setpoint->concurrency_milli / 1000u);
    double fraction = (double)(setpoint->concurrency_milli % 1000u) / 1000.0;
    if (lane->plan.assignment->open_arrivals) {
        /* A part of a worker carries nothing at a rate, so it is a whole one or none. */
        lane->cap = whole == 0 && fraction > 0.0 ? 1 : whole;
        lane->floor = (uint32_t)((setpoint->floor_milli + 999u) / 1000u);
        if (lane->floor > lane->cap)
            lane->floor = lane->cap;
        return;
    }
    lane->fraction = fraction < LANE_FRACTION_MIN ? 0.0 : fraction;
    lane->cap = lane->floor = whole + (lane->fraction > 0.0);
    if (lane->fraction == 0.0) {
        end_pause(lane);
        lane->paced = NULL;
    }
}

static void start_idle(struct lane *lane)
{
    if (lane->plan.assignment->open_arrivals) {
        serve(lane);
        return;
    }
    struct worker *next;
    for (struct worker *worker = lane->crew.lists[WORKER_IDLE].first; worker != NULL;
         worker = next) {
        next = worker->next;
        work_or_pause(lane, worker);
    }
}

static void take_setpoint(struct lane *lane, const struct pool_setpoint *setpoint, uint64_t at_ns)
{
    if (lane->draining)
        return;
    if (lane->tick_ns == ENGINE_NEVER) {
        lane->tick_ns = lane->now_ns + LANE_TICK_NS;
        pacer_start(&lane->pacer, at_ns, lane->plan.stagger);
    }
    /* What fell due before is of the old rate and phase; if the old lease had ended by then, what
     * fell due between then and now did so for nobody. */
    if (!lane->stopped && lane->lease_end_ns <= at_ns)
        stop(lane, lane->lease_end_ns);
    if (!lane->stopped)
        fall_due(lane, at_ns);
    enter_phase(lane, setpoint->phase, at_ns);
    lane->lease_end_ns = setpoint->lease_end_ns;
    lane->stopped = lane->lease_end_ns <= lane->now_ns;
    pacer_set(&lane->pacer, later(at_ns, lane->pacer.origin_ns),
              lane->stopped || !lane->plan.assignment->open_arrivals ? 0 : setpoint->rate_milli);
    backlog_set(&lane->backlog, setpoint->rate_milli, setpoint->drop_age_ns);
    set_level(lane, setpoint);
    staff(lane);
    start_idle(lane);
}

static void take_drain(struct lane *lane, uint64_t at_ns, uint64_t deadline_ns)
{
    if (!lane->draining) {
        if (!lane->stopped)
            stop(lane, at_ns);
        if (lane->crew.meters->phases[lane->crew.phase].t_from != 0)
            lane->crew.meters->phases[lane->crew.phase].t_to = at_ns;
        lane->draining = true;
        lane->deadline_ns = deadline_ns;
        lane->cap = lane->floor = 0;
        let_go_to(lane, 0);
    } else if (deadline_ns < lane->deadline_ns) {
        lane->deadline_ns = deadline_ns;
    }
}

/* The answer to lane_ask() */

static void put_gauges(struct lane *lane)
{
    struct meters *meters = lane->crew.meters;
    uint64_t cpu_ns = clock_thread_cpu_ns();
    uint64_t interval_ns = lane->now_ns - lane->answered_ns;
    if (interval_ns >= LANE_LOAD_NS_MIN) {
        uint64_t load = (cpu_ns - lane->answered_cpu_ns) * 1000u / interval_ns;
        meters->lane_load_permille = load < 1000u ? (uint32_t)load : 1000u;
        lane->answered_ns = lane->now_ns;
        lane->answered_cpu_ns = cpu_ns;
    }
    meters->t_agent = lane->now_ns;
    meters->cpu_ns = cpu_ns;
    meters->workers = crew_count(&lane->crew);
    meters->in_flight = lane->crew.in_flight;
    meters->backlog = lane->backlog.count;
    meters->lanes = 1;
    meters->idle = lane->drained;
    meters->flags = lane->crew.flags;
    if (meters->lane_load_permille > LANE_SATURATED_PERMILLE)
        meters->flags |= BEAT_CPU_SATURATED;
    if (lane->stopped && lane->tick_ns != ENGINE_NEVER && !lane->draining)
        meters->flags |= BEAT_LEASE_EXPIRED;
    see_demand(lane);
    meters->demand_peak = lane->demand_peak;
    meters->send_lag_max_us = (uint32_t)(lane->crew.send_lag_ns_max / 1000u);
}

/* A view of the phases that may have changed: a run of 64 stages is not copied whole each time. */
static struct meters window(const struct lane *lane, const struct meters *meters)
{
    struct meters view = *meters;
    view.phases += lane->changed_from;
    view.phase_count = lane->changed_to - lane->changed_from + 1;
    return view;
}

/* An answer that nobody has taken yet is replaced, but what happened before it is kept. */
static void copy_answer(struct lane *lane, bool histograms)
{
    struct meters *answer = lane->answer;
    struct meters *meters = lane->crew.meters;
    meters->flags |= answer->flags;
    meters->demand_peak = (uint32_t)later(meters->demand_peak, answer->demand_peak);
    meters->send_lag_max_us = (uint32_t)later(meters->send_lag_max_us, answer->send_lag_max_us);

    struct meters from = window(lane, meters);
    struct meters to = window(lane, answer);
    meters_copy(&to, &from, histograms);
    to.phases = answer->phases;
    to.phase_count = answer->phase_count;
    *answer = to;
}

/* Phases that are over and have nothing in flight do not change any more. */
static void narrow_window(struct lane *lane)
{
    while (lane->changed_from < lane->crew.phase &&
           lane->crew.occupancy[lane->changed_from].running == 0) {
        lane->changed_from++;
    }
}

static void answer(struct lane *lane)
{
    bool histograms = lane->asked_histograms;
    crew_integrate(&lane->crew, lane->changed_from, lane->changed_to, lane->now_ns);
    put_gauges(lane);

    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    copy_answer(lane, histograms);
    lane->answered = true;
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);
    loop_wakeup_send(lane->plan.answered);

    if (histograms)
        narrow_window(lane);
    lane->asked = lane->asked_histograms = false;
    lane->demand_peak = 0;
    lane->crew.flags = 0;
    lane->crew.send_lag_ns_max = 0;
}

static void take_mail(struct lane *lane)
{
    lane->crew.woken = false;
    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    struct mail mail = lane->mail;
    lane->mail = (struct mail){0};
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);

    if (mail.set)
        take_setpoint(lane, &mail.setpoint, mail.set_ns);
    if (mail.drain)
        take_drain(lane, mail.drain_ns, mail.deadline_ns);
    lane->ending = mail.end;
    lane->asked |= mail.ask;
    lane->asked_histograms |= mail.histograms;
}

/* The thread */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_wake(const struct lane *lane)
{
    uint64_t wake_ns = crew_deadline(&lane->crew);
    if (lane->draining)
        return lane->drained ? ENGINE_NEVER : sooner(wake_ns, lane->deadline_ns);
    wake_ns = sooner(wake_ns, lane->tick_ns);
    if (lane->stopped)
        return wake_ns;
    wake_ns = sooner(wake_ns, lane->lease_end_ns);
    wake_ns = sooner(wake_ns, pacer_next(&lane->pacer));
    if (lane->backlog.count > 0 && count_of(lane, WORKER_IDLE) > 0)
        wake_ns = sooner(wake_ns, backlog_opens(&lane->backlog));
    if (count_of(lane, WORKER_PAUSING) > 0)
        wake_ns = sooner(wake_ns, pause_end(lane));
    return wake_ns;
}

static void judge_deadlines(struct lane *lane, uint64_t looked_ns, bool all_read)
{
    if (all_read) {
        lane->crowded_looks = 0;
        crew_expire(&lane->crew, looked_ns);
        return;
    }
    if (lane->crowded_looks++ == 0)
        lane->crowded_ns = looked_ns;
    if (lane->crowded_looks * ENGINE_EVENTS_MAX > crew_count(&lane->crew)) {
        lane->crowded_looks = 0;
        crew_expire(&lane->crew, lane->crowded_ns);
    }
}

static void drain(struct lane *lane)
{
    if (lane->drained)
        return;
    if (lane->now_ns >= lane->deadline_ns)
        crew_cut(&lane->crew);
    let_go_to(lane, 0);
    lane->drained = lane->crew.in_flight == 0;
}

static void look_at_time(struct lane *lane)
{
    if (!lane->stopped && lane->now_ns >= lane->lease_end_ns)
        stop(lane, lane->lease_end_ns);
    if (!lane->stopped && lane->plan.assignment->open_arrivals)
        fall_due(lane, lane->now_ns);
    if (!lane->stopped)
        serve(lane); /* the gate may have opened */
    end_pause(lane);
    if (lane->now_ns >= lane->tick_ns && !lane->draining)
        tick(lane);
}

/* One wake-up: what came, then what is late, then orders, then what is due. */
static void turn(struct lane *lane, uint64_t planned_ns)
{
    struct crew *crew = &lane->crew;
    uint64_t looked_ns = clock_now_ns();
    if (planned_ns != ENGINE_NEVER && looked_ns >= planned_ns + LANE_STILL_NS)
        crew->flags |= BEAT_STOOD_STILL;
    crew->read_ns = looked_ns;
    bool all_read = crew->driver->tell(crew->engine);

    lane->now_ns = clock_now_ns();
    crew->read_ns = lane->now_ns;
    crew_settle(crew);
    judge_deadlines(lane, looked_ns, all_read);
    if (crew->woken)
        take_mail(lane);
    look_at_time(lane);
    if (lane->draining)
        drain(lane);
    if (lane->asked)
        answer(lane); /* last, so that it holds all that this turn did */
}

static void *run(void *context)
{
    struct lane *lane = context;
    /* Else the kernel may round a wait up by 50 us to save power. */
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    lane->now_ns = lane->answered_ns = clock_now_ns();
    while (!lane->ending) {
        uint64_t planned_ns = later(next_wake(lane), lane->now_ns);
        uint64_t timeout_ns = planned_ns == ENGINE_NEVER ? ENGINE_NEVER : planned_ns - lane->now_ns;
        lane->crew.driver->wait(lane->crew.engine, timeout_ns);
        turn(lane, planned_ns);
    }
    return NULL;
}

/* The control thread's side */

static bool start_thread(struct lane *lane, struct error *error)
{
    /* Signals are the control thread's: a lane is born with all of them blocked. */
    sigset_t all, before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failure = pthread_create(&lane->thread, NULL, run, lane);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failure != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot start the thread of lane %u: %s",
                         lane->plan.index, strerror(failure));
    lane->running = true;
    char name[16];
    snprintf(name, sizeof name, "lane%u", lane->plan.index);
    pthread_setname_np(lane->thread, name);
    return true;
}

static bool prepare(struct lane *lane, struct error *error)
{
    const struct crew_plan crew_plan = {
        .assignment = lane->plan.assignment,
        .address = lane->plan.address,
        .workload = lane->plan.workload,
        .configuration = lane->plan.configuration,
        .driver = lane->plan.driver,
        .capacity = lane->plan.capacity,
        .seed = lane->plan.assignment->seed + lane->plan.index,
    };
    if (!crew_init(&lane->crew, &crew_plan, &crew_calls, lane, error))
        return false;
    lane->answer = meters_create(lane->crew.meters->phase_count, lane->crew.meters->request_count);
    if (lane->answer == NULL || !backlog_init(&lane->backlog, BACKLOG_MAX))
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for lane %u",
                         lane->plan.index);
    return true;
}

struct lane *lane_create(const struct lane_plan *plan, struct error *error)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for lane %u", plan->index);
        return NULL;
    }
    lane->plan = *plan;
    lane->tick_ns = ENGINE_NEVER;
    lane->stopped = true;
    CHECK(pthread_mutex_init(&lane->mutex, NULL) == 0);
    if (!prepare(lane, error) || !start_thread(lane, error)) {
        lane_destroy(lane);
        return NULL;
    }
    return lane;
}

/* A letter is written between these two. */
static struct mail *open_mail(struct lane *lane)
{
    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    return &lane->mail;
}

static void send_mail(struct lane *lane)
{
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);
    lane->crew.driver->wake(lane->crew.engine);
}

void lane_destroy(struct lane *lane)
{
    if (lane == NULL)
        return;
    if (lane->running) {
        open_mail(lane)->end = true;
        send_mail(lane);
        CHECK(pthread_join(lane->thread, NULL) == 0);
    }
    crew_done(&lane->crew);
    backlog_done(&lane->backlog);
    meters_destroy(lane->answer);
    CHECK(pthread_mutex_destroy(&lane->mutex) == 0);
    free(lane);
}

void lane_set(struct lane *lane, const struct pool_setpoint *setpoint, uint64_t at_ns)
{
    atomic_store_explicit(&lane->granted_ns, setpoint->lease_end_ns, memory_order_relaxed);
    struct mail *mail = open_mail(lane);
    mail->set = true;
    mail->setpoint = *setpoint;
    mail->set_ns = at_ns;
    send_mail(lane);
}

void lane_drain(struct lane *lane, uint64_t at_ns, uint64_t deadline_ns)
{
    atomic_store_explicit(&lane->granted_ns, 0, memory_order_relaxed);
    struct mail *mail = open_mail(lane);
    mail->drain = true;
    mail->drain_ns = at_ns;
    mail->deadline_ns = deadline_ns;
    send_mail(lane);
}

void lane_ask(struct lane *lane, bool histograms)
{
    struct mail *mail = open_mail(lane);
    mail->ask = true;
    mail->histograms |= histograms;
    lane->answered = false;
    send_mail(lane);
}

bool lane_answered(struct lane *lane)
{
    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    bool answered = lane->answered;
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);
    return answered;
}

void lane_take(struct lane *lane, struct meters *meters, bool first, bool histograms)
{
    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    if (first)
        meters_copy(meters, lane->answer, histograms);
    else
        meters_add(meters, lane->answer, histograms);
    /* What is told since the last reading is told once. */
    lane->answer->flags = 0;
    lane->answer->demand_peak = 0;
    lane->answer->send_lag_max_us = 0;
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);
}
