#include "common/control/staffing.h"

#include <math.h>

#define RECENT_GAIN  (1.0 / 8.0) /* a memory of eight answers */
#define LEAST_DRIFT  0.02 /* of the way, a tick: a latency without a queue may rise for good */
#define QUEUE_SHARE  1.5  /* of the least latency: longer is a queue, or a target that changed */
#define PACE_SHARE   0.9  /* of what falls due in a tick; less is not noise */
#define SILENT_GAPS  10.0 /* of the schedule: e^-10 is the chance if answers came at random */
#define SILENT_QUICK 0.5  /* of the latency: as soon as that, where no queue can explain it, ... */
#define SILENT_QUEUED                                                                              \
    1.25 /* ... or when all that was in flight at the last answer should be here */

void staffing_started(struct staffing *staffing, uint64_t now_ns, uint32_t in_flight)
{
    if (in_flight == 0)
        staffing->quiet_ns = now_ns;
}

void staffing_answered(struct staffing *staffing, uint64_t now_ns, uint64_t latency_ns)
{
    bool first = staffing->latency_ns <= 0.0;
    double gain = first ? 1.0 : RECENT_GAIN;
    staffing->latency_ns += gain * (fmax((double)latency_ns, 1.0) - staffing->latency_ns);
    if (first || staffing->latency_ns < staffing->latency_ns_least)
        staffing->latency_ns_least = staffing->latency_ns;
    staffing->quiet_ns = now_ns;
    staffing->answered++;
}

void staffing_connected(struct staffing *staffing, uint64_t took_ns)
{
    double gain = staffing->connect_ns <= 0.0 ? 1.0 : RECENT_GAIN;
    staffing->connect_ns += gain * ((double)took_ns - staffing->connect_ns);
}

/** Answers come as fast as ever, or as many as fall due: one more worker is of use. */
static bool is_quick(const struct staffing *staffing)
{
    return staffing->keeps_pace || staffing->latency_ns <= QUEUE_SHARE * staffing->latency_ns_least;
}

/** From when on the target stands still, or has become much slower: until it answers again each
 * request needs a worker of its own, and no queue is the reason. Before the first answer of all
 * nothing speaks for a queue. */
static uint64_t silent_from_ns(const struct staffing *staffing, const struct staffing_lane *lane)
{
    if (lane->in_flight == 0 || lane->own_late > 0)
        return STAFFING_NEVER;
    double wait_ns = (double)STAFFING_PATIENCE_NS;
    if (staffing->latency_ns > 0.0) {
        double share = is_quick(staffing) ? SILENT_QUICK : SILENT_QUEUED;
        wait_ns = fmax(wait_ns, share * staffing->latency_ns);
        wait_ns = fmax(wait_ns, SILENT_GAPS * 1e9 / fmax(lane->rate_per_s, 1e-3));
    }
    return staffing->quiet_ns + (uint64_t)wait_ns;
}

/** What falls due in `span_ns`. */
static double due_in(const struct staffing_lane *lane, double span_ns)
{
    return lane->rate_per_s * span_ns / 1e9;
}

/** What falls due while a worker connects, and while one is patient. */
static double ahead(const struct staffing *staffing, const struct staffing_lane *lane)
{
    return due_in(lane, staffing->connect_ns + (double)STAFFING_PATIENCE_NS);
}

void staffing_see(struct staffing *staffing, uint64_t now_ns, const struct staffing_lane *lane)
{
    if (lane->own_late > 0)
        staffing->calm_ns = now_ns + STAFFING_CALM_NS;
    if (now_ns < staffing->calm_ns)
        return;
    double wanted = lane->in_flight + lane->waiting;
    if (now_ns >= silent_from_ns(staffing, lane))
        wanted += ahead(staffing, lane);
    else
        wanted -= due_in(lane, (double)STAFFING_PATIENCE_NS);
    if (wanted > staffing->peak)
        staffing->peak = (uint32_t)fmin(wanted, UINT32_MAX / 2);
}

void staffing_tick(struct staffing *staffing, double rate_per_s, uint32_t cap)
{
    staffing->peaks[staffing->next] = staffing->peak < cap ? staffing->peak : cap;
    staffing->next = (staffing->next + 1) % STAFFING_TICKS;
    staffing->peak = 0;
    staffing->keeps_pace = staffing->answered >= PACE_SHARE * rate_per_s * STAFFING_TICK_S;
    staffing->answered = 0;
    staffing->latency_ns_least += LEAST_DRIFT * (staffing->latency_ns - staffing->latency_ns_least);
}

uint32_t staffing_pool(const struct staffing *staffing, uint32_t floor, uint32_t cap)
{
    uint32_t pool = floor;
    for (uint32_t i = 0; i < STAFFING_TICKS; i++) {
        if (staffing->peaks[i] > pool)
            pool = staffing->peaks[i];
    }
    return pool < cap ? pool : cap;
}

uint64_t staffing_hires_ns(const struct staffing *staffing, const struct staffing_lane *lane)
{
    uint32_t workers = lane->in_flight + lane->idle + lane->connecting;
    uint64_t at_ns = STAFFING_NEVER;
    if (workers >= lane->cap)
        return at_ns;
    if (lane->idle + lane->connecting < lane->waiting + ahead(staffing, lane))
        at_ns = silent_from_ns(staffing, lane);
    /* What we took late ourselves is no sign that workers are missing: those we have catch up, and
     * one more at a time may help them. */
    uint32_t wanted = lane->own_late > 0 ? 1 : lane->waiting;
    if (lane->waiting > 0 && lane->idle == 0 && lane->connecting < wanted &&
        (workers < lane->floor || is_quick(staffing))) {
        uint64_t patient_ns = lane->due_ns + STAFFING_PATIENCE_NS;
        at_ns = patient_ns < at_ns ? patient_ns : at_ns;
    }
    return at_ns;
}
