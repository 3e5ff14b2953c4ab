#include "agent/lane.h"

#include "agent/foreman.h"
#include "agent/machine.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"
#include "proto/beat.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define LANE_STILL_NS           (20 * NS_PER_MS) /* a wake-up so much too late is worth an event */
#define LANE_LOAD_NS_MIN        (10 * NS_PER_MS) /* CPU time over less says nothing */
#define LANE_SATURATED_PERMILLE 900u

/* What the control thread left to be done. */
struct mail {
    bool set, drain, end, ask, histograms;
    struct pool_setpoint setpoint;
    uint64_t set_ns, drain_ns, deadline_ns;
    bool move;
    struct address address;
};

struct lane {
    struct lane_plan plan;
    pthread_t thread;
    bool running;

    pthread_mutex_t mutex; /* the mail and the answer */
    struct mail mail;
    struct meters *answer;
    bool answered;

    /* From here on the lane's own. */
    struct foreman foreman;
    bool ending;
    bool asked, asked_histograms;
    uint32_t changed_from, changed_to; /* phases that may have changed since the last answer */
    uint64_t answered_ns, answered_busy_ns;
};

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The answer to lane_ask() */

static void put_gauges(struct lane *lane, uint64_t now_ns)
{
    struct foreman *foreman = &lane->foreman;
    struct crew *crew = &foreman->crew;
    struct meters *meters = crew->meters;
    uint64_t cpu_ns = clock_thread_cpu_ns();
    uint64_t interval_ns = now_ns - lane->answered_ns;
    if (interval_ns >= LANE_LOAD_NS_MIN) {
        /* A lane that stands ready while others have its core is as full as one that runs. */
        uint64_t busy_ns = cpu_ns + machine_thread_waited_ns();
        uint64_t load = (busy_ns - lane->answered_busy_ns) * 1000u / interval_ns;
        meters->lane_load_permille = load < 1000u ? (uint32_t)load : 1000u;
        lane->answered_ns = now_ns;
        lane->answered_busy_ns = busy_ns;
    }
    meters->t_agent = now_ns;
    meters->cpu_ns = cpu_ns;
    meters->workers = crew_count(crew);
    meters->in_flight = crew->in_flight;
    meters->backlog = backlog_waiting(&foreman->backlog);
    meters->lanes = 1;
    meters->idle = foreman->drained;
    meters->flags = crew->flags;
    if (meters->lane_load_permille > LANE_SATURATED_PERMILLE)
        meters->flags |= BEAT_CPU_SATURATED;
    if (foreman->stopped && foreman->tick_ns != ENGINE_NEVER && !foreman->draining)
        meters->flags |= BEAT_LEASE_EXPIRED;
    meters->demand_peak = foreman->demand_peak;
    meters->send_lag_max_us = (uint32_t)(crew->send_lag_ns_max / 1000u);
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
    struct meters *meters = lane->foreman.crew.meters;
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

static void widen_window(struct lane *lane, uint32_t phase)
{
    if (phase < lane->changed_from)
        lane->changed_from = phase;
    if (phase > lane->changed_to)
        lane->changed_to = phase;
}

/* A phase that is over does not change any more once all that was planned in it has ended: what
 * still waits will be counted in it, too. */
static bool is_settled(const struct counters *counters)
{
    return counters->planned == counters->not_started + counters->started &&
           counters_in_flight(counters) == 0;
}

static void narrow_window(struct lane *lane)
{
    const struct crew *crew = &lane->foreman.crew;
    const struct waiting *unnumbered = backlog_unnumbered(&lane->foreman.backlog);
    uint32_t last = unnumbered != NULL ? unnumbered->phase : crew->phase;
    while (lane->changed_from < last &&
           is_settled(&crew->meters->phases[lane->changed_from].counters))
        lane->changed_from++;
}

static void answer(struct lane *lane)
{
    bool histograms = lane->asked_histograms;
    struct foreman *foreman = &lane->foreman;
    /* Each request of this turn began at a moment of its own, after the turn's: counted up to the
     * turn's, their time in flight would be below 0, and the counter could fall. */
    uint64_t now_ns = clock_now_ns();
    crew_integrate(&foreman->crew, lane->changed_from, lane->changed_to, now_ns);
    put_gauges(lane, now_ns);

    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    copy_answer(lane, histograms);
    lane->answered = true;
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);
    loop_wakeup_send(lane->plan.answered);

    if (histograms)
        narrow_window(lane);
    lane->asked = lane->asked_histograms = false;
    foreman->demand_peak = 0;
    foreman->crew.flags = 0;
    foreman->crew.send_lag_ns_max = 0;
}

static void take_mail(struct lane *lane)
{
    lane->foreman.crew.woken = false;
    CHECK(pthread_mutex_lock(&lane->mutex) == 0);
    struct mail mail = lane->mail;
    lane->mail = (struct mail){0};
    CHECK(pthread_mutex_unlock(&lane->mutex) == 0);

    if (mail.set) {
        foreman_set(&lane->foreman, &mail.setpoint, mail.set_ns);
        widen_window(lane, lane->foreman.crew.phase);
    }
    if (mail.move)
        crew_move(&lane->foreman.crew, &mail.address);
    if (mail.drain)
        foreman_drain(&lane->foreman, mail.drain_ns, mail.deadline_ns);
    lane->ending = mail.end;
    lane->asked |= mail.ask;
    lane->asked_histograms |= mail.histograms;
}

/* The thread */

/* One wake-up: what came, then what is late, then orders, then what is due. */
static void turn(struct lane *lane, uint64_t planned_ns)
{
    struct foreman *foreman = &lane->foreman;
    foreman_tell(foreman);
    if (planned_ns != ENGINE_NEVER && foreman->looked_ns >= planned_ns + LANE_STILL_NS)
        foreman->crew.flags |= BEAT_STOOD_STILL;
    if (foreman->crew.woken)
        take_mail(lane);
    foreman_look(foreman);
    if (lane->asked)
        answer(lane); /* last, so that it holds all that this turn did */
}

static void *run(void *context)
{
    struct lane *lane = context;
    struct foreman *foreman = &lane->foreman;
    struct crew *crew = &foreman->crew;
    /* Else the kernel may round a wait up by 50 us to save power. */
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    foreman->now_ns = lane->answered_ns = clock_now_ns();
    while (!lane->ending) {
        uint64_t planned_ns = later(foreman_next(foreman), foreman->now_ns);
        uint64_t wait_ns = planned_ns == ENGINE_NEVER ? ENGINE_NEVER : planned_ns - foreman->now_ns;
        crew->driver->wait(crew->engine, wait_ns);
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
        .reach = lane->plan.reach,
        .workload = lane->plan.workload,
        .configuration = lane->plan.configuration,
        .driver = lane->plan.driver,
        .capacity = lane->plan.capacity,
        .numbers = lane->plan.numbers,
        .seed = lane->plan.assignment->seed + lane->plan.index,
        .meters = lane->plan.meters,
    };
    if (!foreman_init(&lane->foreman, &crew_plan, lane->plan.stagger, error))
        return false;
    const struct assignment *assignment = lane->plan.assignment;
    lane->answer =
        meters_create(assignment->phases, assignment->request_count, assignment->latency_digest);
    if (lane->answer == NULL)
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
    lane->foreman.crew.driver->wake(lane->foreman.crew.engine);
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
    foreman_done(&lane->foreman);
    meters_destroy(lane->answer);
    CHECK(pthread_mutex_destroy(&lane->mutex) == 0);
    free(lane);
}

void lane_set(struct lane *lane, const struct pool_setpoint *setpoint, uint64_t at_ns)
{
    atomic_store_explicit(&lane->foreman.granted_ns, setpoint->lease_end_ns, memory_order_relaxed);
    struct mail *mail = open_mail(lane);
    mail->set = true;
    mail->setpoint = *setpoint;
    mail->set_ns = at_ns;
    send_mail(lane);
}

void lane_move(struct lane *lane, const struct address *address)
{
    struct mail *mail = open_mail(lane);
    mail->move = true;
    mail->address = *address;
    send_mail(lane);
}

void lane_drain(struct lane *lane, uint64_t at_ns, uint64_t deadline_ns)
{
    atomic_store_explicit(&lane->foreman.granted_ns, 0, memory_order_relaxed);
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
