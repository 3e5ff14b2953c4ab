#include "agent/foreman.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"

#define FOREMAN_TICK_NS      (TICK_MS * NS_PER_MS)
#define FOREMAN_REST_NS      (100 * NS_PER_MS)  /* after a connect in vain; doubles */
#define FOREMAN_REST_NS_MAX  (1000 * NS_PER_MS) /* a target that is back is found so soon */
#define FOREMAN_FRACTION_MIN 0.001              /* a smaller part of a worker cannot be ordered */

/* Hired in one turn at most, some 50 us each: whoever connects ten thousand must still hear what
 * has come, and hear of its next lease before this one ends. */
#define FOREMAN_HIRES_MAX 128u

/* Starting requests */

static struct counters *counters_now(struct foreman *foreman)
{
    return &foreman->crew.meters->phases[foreman->crew.phase].counters;
}

static bool may_start(const struct foreman *foreman, uint64_t now_ns)
{
    return !foreman->stopped && now_ns < foreman->lease_end_ns &&
           now_ns < atomic_load_explicit(&foreman->granted_ns, memory_order_relaxed);
}

/* It will not be started. Where indexes are counted out, what never got one is not missing: its
 * index falls due later, or elsewhere. */
static void give_up(struct foreman *foreman, const struct waiting *request)
{
    struct counters *counters = &foreman->crew.meters->phases[request->phase].counters;
    if (request->unnumbered && foreman->counted)
        return;
    counters->planned += request->unnumbered;
    counters->not_started++;
}

static void give_up_one(struct foreman *foreman)
{
    struct waiting request = backlog_pop(&foreman->backlog);
    give_up(foreman, &request);
}

/* Drops what is too old; whether the oldest that is left may start. */
static bool backlog_ready(struct foreman *foreman, uint64_t now_ns)
{
    enum backlog_verdict verdict;
    while ((verdict = backlog_judge(&foreman->backlog, now_ns)) == BACKLOG_DROP)
        give_up_one(foreman);
    return verdict == BACKLOG_START;
}

static struct waiting take_oldest(struct foreman *foreman, uint64_t now_ns)
{
    struct waiting request = backlog_pop(&foreman->backlog);
    backlog_started(&foreman->backlog, &request, now_ns);
    return request;
}

/* Open arrivals: what waits goes to idle workers, the one that worked last first. */
static void serve(struct foreman *foreman)
{
    struct worker *worker;
    while (foreman->backlog.count > 0) {
        uint64_t now_ns = clock_now_ns();
        if (!may_start(foreman, now_ns) || !backlog_ready(foreman, now_ns))
            return;
        if ((worker = foreman->crew.lists[WORKER_IDLE].first) == NULL)
            return;
        struct waiting request = take_oldest(foreman, now_ns);
        staffing_started(&foreman->staffing, now_ns, foreman->crew.in_flight);
        crew_start(&foreman->crew, worker, &request, now_ns);
    }
}

/* Closed arrivals: a request falls due when a worker takes it. False: there is no index for it. */
static bool due_now(struct foreman *foreman, uint64_t now_ns, struct waiting *request)
{
    *request = (struct waiting){.due_ns = now_ns, .phase = foreman->crew.phase};
    if (foreman->numbers != NULL && !numbers_take(foreman->numbers, &request->index))
        return false;
    counters_now(foreman)->planned++;
    return true;
}

/* Closed arrivals that are to keep to a rate start by turns, and it is the pacer's to say when the
 * next one comes. Turns that nobody took in time are kept, but no more than a burst. */
static void collect_turns(struct foreman *foreman, uint64_t until_ns)
{
    while (pacer_due(&foreman->pacer, until_ns) != PACER_NEVER)
        foreman->turns += foreman->turns < foreman->burst;
}

static bool take_turn(struct foreman *foreman, uint64_t now_ns)
{
    if (foreman->pacer.rate_milli == 0)
        return true;
    collect_turns(foreman, now_ns);
    if (foreman->turns == 0)
        return false;
    foreman->turns--;
    return true;
}

/* A turn, and the request for it. */
static bool take_request(struct foreman *foreman, uint64_t now_ns, struct waiting *request)
{
    if (!take_turn(foreman, now_ns))
        return false;
    if (due_now(foreman, now_ns, request))
        return true;
    foreman->turns += foreman->pacer.rate_milli > 0; /* it was of no use */
    return false;
}

/* False: it may not, it is not its turn, or there is no index for it. */
static bool loop_on(struct foreman *foreman, struct worker *worker)
{
    uint64_t now_ns = clock_now_ns();
    struct waiting request;
    if (!may_start(foreman, now_ns) || !take_request(foreman, now_ns, &request))
        return false;
    crew_start(&foreman->crew, worker, &request, now_ns);
    return true;
}

/* To workers that wait for their turn. */
static void give_turns(struct foreman *foreman)
{
    const struct worker_list *idle = &foreman->crew.lists[WORKER_IDLE];
    while (foreman->pacer.rate_milli > 0 && idle->first != NULL && loop_on(foreman, idle->first))
        ;
}

/* Closed arrivals: the fraction f of a worker is one that after a request of length d waits
 * d (1/f - 1). */
static uint64_t pause_end(const struct foreman *foreman)
{
    double pause_ns = (double)foreman->paced_length_ns * (1.0 / foreman->fraction - 1.0);
    return foreman->paced_done_ns + (uint64_t)pause_ns;
}

/* Closed arrivals: whether the plan has the worker think first. What follows an answer is asked at
 * once, as a browser does. A connection that was lost meanwhile shortens no thought. */
static bool think(struct foreman *foreman, struct worker *worker)
{
    if (foreman->thinking.most_ns == 0 || worker->following)
        return false;
    uint64_t read_ns = foreman->crew.read_ns;
    if (worker->length_ns > 0)
        worker->thinks_ns = read_ns + thinking_draw(&foreman->thinking);
    worker->length_ns = 0;
    if (worker->thinks_ns <= read_ns)
        return false;
    crew_think(&foreman->crew, worker);
    thinking_add(&foreman->thinking, (uint32_t)(worker - foreman->crew.workers), worker->thinks_ns);
    return true;
}

static void work_or_pause(struct foreman *foreman, struct worker *worker)
{
    if (think(foreman, worker))
        return;
    if (foreman->fraction > 0.0 && foreman->paced == NULL)
        foreman->paced = worker;
    if (worker != foreman->paced || worker->length_ns == 0) {
        loop_on(foreman, worker);
        return;
    }
    foreman->paced_done_ns = foreman->crew.read_ns;
    foreman->paced_length_ns = worker->length_ns;
    worker->length_ns = 0;
    crew_pause(&foreman->crew, worker);
}

static void end_pause(struct foreman *foreman)
{
    struct worker *worker = foreman->crew.lists[WORKER_PAUSING].first;
    if (worker == NULL || (foreman->fraction > 0.0 && foreman->now_ns < pause_end(foreman)))
        return;
    crew_resume(&foreman->crew, worker);
    loop_on(foreman, worker);
}

static void end_thoughts(struct foreman *foreman)
{
    uint32_t index;
    while (thinking_take(&foreman->thinking, foreman->now_ns, &index)) {
        struct worker *worker = &foreman->crew.workers[index];
        if (worker->state != WORKER_THINKING || worker->thinks_ns > foreman->now_ns)
            continue; /* it went, and perhaps came back */
        crew_resume(&foreman->crew, worker);
        loop_on(foreman, worker);
    }
}

/* What the crew says */

static uint32_t count_of(const struct foreman *foreman, enum worker_state state)
{
    return foreman->crew.lists[state].count;
}

static void retire(struct foreman *foreman, struct worker *worker)
{
    if (worker == foreman->paced)
        foreman->paced = NULL;
    crew_retire(&foreman->crew, worker);
}

/* What an answer, or a connect, says about the target. */
static void learn(struct foreman *foreman, struct worker *worker)
{
    if (!foreman->open)
        return;
    uint64_t read_ns = foreman->crew.read_ns;
    if (worker->length_ns > 0)
        staffing_answered(&foreman->staffing, read_ns, worker->length_ns);
    else if (worker->connection.open && worker->carried == 0)
        staffing_connected(&foreman->staffing, read_ns - worker->connect_ns);
    worker->length_ns = 0;
}

static void on_ready(void *owner, struct worker *worker)
{
    struct foreman *foreman = owner;
    learn(foreman, worker);
    if (foreman->draining || crew_count(&foreman->crew) > foreman->cap)
        retire(foreman, worker);
    else if (foreman->open)
        serve(foreman);
    else
        work_or_pause(foreman, worker);
}

/* A worker could not connect: it takes the request that it would have carried, and ends it so. */
static bool blame(struct foreman *foreman, struct worker *worker, struct ending ending)
{
    uint64_t now_ns = clock_now_ns();
    if (!may_start(foreman, now_ns))
        return false;
    struct waiting request;
    if (foreman->open ? !backlog_ready(foreman, now_ns) : !take_request(foreman, now_ns, &request))
        return false;
    if (foreman->open)
        request = take_oldest(foreman, now_ns);
    crew_fail(&foreman->crew, worker, &request, ending);
    return true;
}

static uint64_t rest_ns(uint32_t misses)
{
    uint64_t rest_ns = FOREMAN_REST_NS;
    for (uint32_t i = 1; i < misses && rest_ns < FOREMAN_REST_NS_MAX; i++)
        rest_ns *= 2;
    return rest_ns < FOREMAN_REST_NS_MAX ? rest_ns : FOREMAN_REST_NS_MAX;
}

static void on_parted(void *owner, struct worker *worker, enum parting parting,
                      struct ending ending)
{
    struct foreman *foreman = owner;
    struct crew *crew = &foreman->crew;
    if (parting == PARTING_REQUEST && ending.how != ENDING_TIMED_OUT)
        learn(foreman, worker);
    if (foreman->stopped || foreman->draining || crew_count(crew) >= foreman->cap) {
        retire(foreman, worker);
        return;
    }
    bool blamed = parting == PARTING_MISSED && blame(foreman, worker, ending);
    bool waited_for = (blamed || parting == PARTING_REQUEST) &&
                      backlog_waiting(&foreman->backlog) > count_of(foreman, WORKER_CONNECTING);
    if (worker->misses == 0 || waited_for)
        crew_connect(crew, worker);
    else
        crew_rest(crew, worker, crew->read_ns + rest_ns(worker->misses));
}

static const struct crew_calls crew_calls = {.ready = on_ready, .parted = on_parted};

/* Staff */

/* The lane as its pool sees it. */
static struct staffing_lane staff_of(const struct foreman *foreman)
{
    const struct backlog *backlog = &foreman->backlog;
    return (struct staffing_lane){
        .rate_per_s = (double)foreman->pacer.rate_milli / 1e3,
        .floor = foreman->floor,
        .cap = foreman->cap,
        .in_flight = foreman->crew.in_flight,
        .idle = count_of(foreman, WORKER_IDLE),
        .connecting = count_of(foreman, WORKER_CONNECTING),
        .waiting = backlog_waiting(backlog),
        .own_late = foreman->crew.own_late_count + backlog->own_late_count,
        .due_ns = backlog_waiting(backlog) > 0 ? backlog->items[backlog->head].due_ns : 0,
    };
}

/* One that rests tries again before another is hired. */
static bool call_up_one(struct foreman *foreman)
{
    struct crew *crew = &foreman->crew;
    struct worker *resting = crew->lists[WORKER_RESTING].first;
    if (resting == NULL)
        return crew_count(crew) < foreman->cap && crew_hire(crew);
    crew_connect(crew, resting);
    return true;
}

/* Open arrivals: as many connect as the staffing says by now. */
static void call_up(struct foreman *foreman)
{
    struct staffing_lane lane = staff_of(foreman);
    while (staffing_hires_ns(&foreman->staffing, &lane) <= foreman->now_ns && call_up_one(foreman))
        lane = staff_of(foreman);
}

/* One that has nothing to do, the least useful first. */
static struct worker *dispensable(const struct foreman *foreman)
{
    const struct worker_list *lists = foreman->crew.lists;
    if (lists[WORKER_RESTING].first != NULL)
        return lists[WORKER_RESTING].first;
    if (lists[WORKER_PAUSING].first != NULL)
        return lists[WORKER_PAUSING].first;
    if (lists[WORKER_IDLE].first == NULL)
        return lists[WORKER_THINKING].last;
    return lists[WORKER_IDLE].last;
}

/* Workers that have a request go when it has ended (on_ready, on_parted): nothing is cut. */
static void let_go_to(struct foreman *foreman, uint32_t wanted)
{
    struct worker *worker;
    while (crew_count(&foreman->crew) > wanted && (worker = dispensable(foreman)) != NULL)
        retire(foreman, worker);
    while (crew_count(&foreman->crew) > foreman->cap &&
           (worker = foreman->crew.lists[WORKER_CONNECTING].last) != NULL)
        retire(foreman, worker);
}

static void retry_rested(struct foreman *foreman)
{
    struct worker *next;
    for (struct worker *worker = foreman->crew.lists[WORKER_RESTING].first; worker != NULL;
         worker = next) {
        next = worker->next;
        if (worker->retry_ns <= foreman->now_ns)
            crew_connect(&foreman->crew, worker);
    }
}

static void hire(struct foreman *foreman)
{
    uint32_t hired = 0;
    while (hired < FOREMAN_HIRES_MAX && crew_count(&foreman->crew) < foreman->floor &&
           crew_hire(&foreman->crew))
        hired++;
    foreman->hiring = hired == FOREMAN_HIRES_MAX;
}

static void staff(struct foreman *foreman)
{
    bool open = foreman->open;
    let_go_to(foreman, open ? staffing_pool(&foreman->staffing, foreman->floor, foreman->cap)
                            : foreman->cap);
    if (foreman->stopped)
        return;
    retry_rested(foreman);
    hire(foreman);
}

/* Time */

static void see_demand(struct foreman *foreman)
{
    uint32_t demand = foreman->crew.in_flight + backlog_waiting(&foreman->backlog);
    struct staffing_lane lane = staff_of(foreman);
    staffing_see(&foreman->staffing, foreman->now_ns, &lane);
    if (demand > foreman->demand_peak)
        foreman->demand_peak = demand;
}

static void note_numbered(struct foreman *foreman, const struct waiting *request)
{
    foreman->crew.meters->phases[request->phase].counters.planned++;
    foreman->due_ns = request->due_ns;
}

/* It fell due, and takes its index unless others wait for theirs. */
static void number(struct foreman *foreman, struct waiting *request)
{
    if (foreman->numbers != NULL)
        request->unnumbered = foreman->backlog.unnumbered_count > 0 ||
                              !numbers_take(foreman->numbers, &request->index);
    if (!request->unnumbered)
        note_numbered(foreman, request);
}

/* There may be indexes again for those that fell due without. */
static void number_waiting(struct foreman *foreman)
{
    const struct waiting *request;
    uint64_t index;
    while ((request = backlog_unnumbered(&foreman->backlog)) != NULL &&
           numbers_take(foreman->numbers, &index)) {
        note_numbered(foreman, request);
        backlog_number(&foreman->backlog, index,
                       foreman->now_ns >= request->due_ns + STAFFING_OWN_LATE_NS);
    }
}

/* Takes from the pacer what is due by `until_ns`, and never what falls due past the lease. */
static void fall_due(struct foreman *foreman, uint64_t until_ns)
{
    if (until_ns > foreman->lease_end_ns)
        until_ns = foreman->lease_end_ns;
    if (!foreman->open) {
        collect_turns(foreman, until_ns);
        return;
    }
    uint64_t due_ns;
    while ((due_ns = pacer_due(&foreman->pacer, until_ns)) != PACER_NEVER) {
        struct waiting request = {
            .due_ns = due_ns,
            .phase = foreman->crew.phase,
            .own_late = foreman->now_ns >= due_ns + STAFFING_OWN_LATE_NS,
        };
        number(foreman, &request);
        if (backlog_push(&foreman->backlog, &request))
            serve(foreman);
        else
            give_up(foreman, &request);
    }
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* From `at_ns` on nothing falls due and nothing starts. */
static void stop(struct foreman *foreman, uint64_t at_ns)
{
    foreman->lease_end_ns = at_ns < foreman->lease_end_ns ? at_ns : foreman->lease_end_ns;
    fall_due(foreman, foreman->lease_end_ns);
    pacer_set(&foreman->pacer, later(foreman->lease_end_ns, foreman->pacer.origin_ns), 0);
    while (foreman->backlog.count > 0)
        give_up_one(foreman);
    foreman->stopped = true;
}

static void tick(struct foreman *foreman)
{
    if (!foreman->stopped && !foreman->open)
        fall_due(foreman, foreman->now_ns);
    staffing_tick(&foreman->staffing, (double)foreman->pacer.rate_milli / 1e3, foreman->cap);
    staff(foreman);
    serve(foreman); /* or at least drops what has grown too old */
    foreman->tick_ns += FOREMAN_TICK_NS;
    if (foreman->tick_ns <= foreman->now_ns)
        foreman->tick_ns = foreman->now_ns + FOREMAN_TICK_NS;
}

/* Levels */

static void enter_phase(struct foreman *foreman, uint32_t phase, uint64_t at_ns)
{
    struct phase_meter *phases = foreman->crew.meters->phases;
    CHECK(phase < foreman->crew.meters->phase_count);
    if (phases[phase].t_from != 0 && phase == foreman->crew.phase)
        return;
    if (phases[foreman->crew.phase].t_from != 0)
        phases[foreman->crew.phase].t_to = at_ns;
    if (phases[phase].t_from == 0)
        phases[phase].t_from = at_ns;
    phases[phase].t_to = 0; /* a coordinator that began anew may name it again */
    foreman->crew.phase = phase;
}

static void set_level(struct foreman *foreman, const struct pool_setpoint *setpoint)
{
    uint32_t whole = (uint32_t)(setpoint->concurrency_milli / 1000u);
    double fraction = (double)(setpoint->concurrency_milli % 1000u) / 1000.0;
    if (foreman->open) {
        /* A part of a worker carries nothing at a rate, so it is a whole one or none. */
        foreman->cap = whole == 0 && fraction > 0.0 ? 1 : whole;
        foreman->floor = (uint32_t)((setpoint->floor_milli + 999u) / 1000u);
        if (foreman->floor > foreman->cap)
            foreman->floor = foreman->cap;
        return;
    }
    foreman->fraction = fraction < FOREMAN_FRACTION_MIN ? 0.0 : fraction;
    foreman->cap = foreman->floor = whole + (foreman->fraction > 0.0);
    if (foreman->fraction == 0.0) {
        end_pause(foreman);
        foreman->paced = NULL;
    }
}

static void start_idle(struct foreman *foreman)
{
    if (foreman->open) {
        serve(foreman);
        return;
    }
    struct worker *next;
    for (struct worker *worker = foreman->crew.lists[WORKER_IDLE].first; worker != NULL;
         worker = next) {
        next = worker->next;
        work_or_pause(foreman, worker);
    }
}

void foreman_set(struct foreman *foreman, const struct pool_setpoint *setpoint, uint64_t at_ns)
{
    if (foreman->draining)
        return;
    if (foreman->tick_ns == ENGINE_NEVER) {
        foreman->tick_ns = foreman->now_ns + FOREMAN_TICK_NS;
        pacer_start(&foreman->pacer, at_ns, foreman->stagger);
        if (foreman->scattered)
            pacer_scatter(&foreman->pacer, foreman->seed);
    }
    /* What fell due before is of the old rate and phase; if the old lease had ended by then, what
     * fell due between then and now did so for nobody. */
    bool ends = foreman->lease_end_ns <= at_ns || setpoint->lease_end_ns <= foreman->now_ns;
    if (!foreman->stopped && ends)
        stop(foreman, at_ns);
    if (!foreman->stopped)
        fall_due(foreman, at_ns);
    enter_phase(foreman, setpoint->phase, at_ns);
    foreman->lease_end_ns = setpoint->lease_end_ns;
    foreman->stopped = foreman->lease_end_ns <= foreman->now_ns;
    pacer_set(&foreman->pacer, later(at_ns, foreman->pacer.origin_ns),
              foreman->stopped ? 0 : setpoint->rate_milli);
    foreman->burst = setpoint->burst;
    if (foreman->turns > foreman->burst)
        foreman->turns = foreman->burst;
    backlog_set(&foreman->backlog, setpoint->rate_milli, setpoint->drop_age_ns, at_ns);
    set_level(foreman, setpoint);
    number_waiting(foreman);
    staff(foreman);
    start_idle(foreman);
}

/* When a lane has done all there was, its phase ended with that: what came after was waiting for
 * the others, and for word of it. */
static uint64_t phase_end(const struct foreman *foreman, uint64_t at_ns)
{
    bool done = foreman->counted && foreman->crew.in_flight == 0 && numbers_dry(foreman->numbers);
    uint64_t from_ns = foreman->crew.meters->phases[foreman->crew.phase].t_from;
    uint64_t last_ns = foreman->open ? foreman->due_ns : foreman->crew.done_ns;
    return done ? later(last_ns, from_ns) : at_ns;
}

void foreman_drain(struct foreman *foreman, uint64_t at_ns, uint64_t deadline_ns)
{
    if (!foreman->draining) {
        if (!foreman->stopped)
            stop(foreman, at_ns);
        if (foreman->crew.meters->phases[foreman->crew.phase].t_from != 0)
            foreman->crew.meters->phases[foreman->crew.phase].t_to = phase_end(foreman, at_ns);
        foreman->draining = true;
        foreman->deadline_ns = deadline_ns;
        foreman->cap = foreman->floor = 0;
        let_go_to(foreman, 0);
    } else if (deadline_ns < foreman->deadline_ns) {
        foreman->deadline_ns = deadline_ns;
    }
}

/* What comes next */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t foreman_next(const struct foreman *foreman)
{
    uint64_t wake_ns = crew_deadline(&foreman->crew);
    if (foreman->draining)
        return foreman->drained ? ENGINE_NEVER : sooner(wake_ns, foreman->deadline_ns);
    wake_ns = sooner(wake_ns, foreman->tick_ns);
    if (foreman->stopped)
        return wake_ns;
    if (foreman->hiring)
        return foreman->now_ns;
    wake_ns = sooner(wake_ns, foreman->lease_end_ns);
    if (foreman->open || count_of(foreman, WORKER_IDLE) > 0)
        wake_ns = sooner(wake_ns, pacer_next(&foreman->pacer));
    if (backlog_waiting(&foreman->backlog) > 0 && count_of(foreman, WORKER_IDLE) > 0)
        wake_ns = sooner(wake_ns, backlog_opens(&foreman->backlog));
    if (foreman->open && crew_count(&foreman->crew) < foreman->cap) {
        struct staffing_lane lane = staff_of(foreman);
        wake_ns = sooner(wake_ns, staffing_hires_ns(&foreman->staffing, &lane));
    }
    if (count_of(foreman, WORKER_PAUSING) > 0)
        wake_ns = sooner(wake_ns, pause_end(foreman));
    wake_ns = sooner(wake_ns, thinking_next(&foreman->thinking));
    return wake_ns;
}

static void judge_deadlines(struct foreman *foreman, bool all_read)
{
    if (all_read) {
        foreman->crowded_looks = 0;
        crew_expire(&foreman->crew, foreman->looked_ns);
        return;
    }
    if (foreman->crowded_looks++ == 0)
        foreman->crowded_ns = foreman->looked_ns;
    if (foreman->crowded_looks * ENGINE_EVENTS_MAX > crew_count(&foreman->crew)) {
        foreman->crowded_looks = 0;
        crew_expire(&foreman->crew, foreman->crowded_ns);
    }
}

static void drain(struct foreman *foreman)
{
    if (foreman->drained)
        return;
    if (foreman->now_ns >= foreman->deadline_ns)
        crew_cut(&foreman->crew);
    let_go_to(foreman, 0);
    foreman->drained = foreman->crew.in_flight == 0;
}

void foreman_look(struct foreman *foreman)
{
    if (!foreman->stopped && foreman->now_ns >= foreman->lease_end_ns)
        stop(foreman, foreman->lease_end_ns);
    if (!foreman->stopped && foreman->open)
        fall_due(foreman, foreman->now_ns);
    if (!foreman->stopped && !foreman->open)
        give_turns(foreman);
    if (!foreman->stopped)
        serve(foreman); /* the gate may have opened */
    if (!foreman->stopped && foreman->open)
        call_up(foreman);
    if (!foreman->stopped && !foreman->draining && foreman->hiring)
        hire(foreman);
    see_demand(foreman);
    end_pause(foreman);
    end_thoughts(foreman);
    if (foreman->now_ns >= foreman->tick_ns && !foreman->draining)
        tick(foreman);
    if (foreman->draining)
        drain(foreman);
}

void foreman_tell(struct foreman *foreman)
{
    struct crew *crew = &foreman->crew;
    foreman->looked_ns = crew->read_ns = clock_now_ns();
    bool all_read = crew->driver->tell(crew->engine);
    foreman->now_ns = clock_now_ns();
    crew->read_ns = foreman->now_ns;
    crew_settle(crew);
    judge_deadlines(foreman, all_read);
}

bool foreman_init(struct foreman *foreman, const struct crew_plan *plan, double stagger,
                  struct error *error)
{
    *foreman = (struct foreman){
        .open = plan->assignment->open_arrivals,
        .scattered = plan->assignment->open_arrivals && plan->assignment->scatter.used,
        .numbers = plan->numbers,
        .counted = plan->numbers != NULL && plan->assignment->numbering.total > 0,
        .stagger = stagger,
        /* Lanes and agents must not draw the same: they begin at moments of their own. */
        .seed = plan->seed + (uint64_t)(stagger * (double)UINT32_MAX),
        .tick_ns = ENGINE_NEVER,
        .stopped = true,
    };
    if (!crew_init(&foreman->crew, plan, &crew_calls, foreman, error))
        return false;
    const struct assignment_http *http = &plan->assignment->http;
    if (!thinking_init(&foreman->thinking, http->think_least_ns, http->think_most_ns, plan->seed,
                       plan->capacity))
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for %u workers that think",
                         plan->capacity);
    if (!backlog_init(&foreman->backlog, BACKLOG_MAX))
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a backlog of %u requests",
                         BACKLOG_MAX);
    return true;
}

void foreman_done(struct foreman *foreman)
{
    crew_done(&foreman->crew);
    backlog_done(&foreman->backlog);
    thinking_done(&foreman->thinking);
}
