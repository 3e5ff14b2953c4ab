#include "common/control/law_while.h"

#include "common/base/check.h"
#include "common/control/controller.h"

#include <math.h>
#include <string.h>

#define AIM_SHARE    0.95   /* of the bound: room for a quantile's noise */
#define GAIN_BELOW   0.6    /* of the workers that the distance to the aim is worth, ... */
#define GAIN_BEYOND  0.9    /* ... once beyond the bound */
#define FOLLOW_UP    0.25   /* of the way to the target, a tick, ... */
#define FOLLOW_DOWN  0.7    /* ... once beyond the bound */
#define CLIMB_TICKS  2u     /* older ones were seen with far fewer workers */
#define CLIMB_SHARE  0.81   /* of the bound; below it a climb is not to be slowed, ... */
#define CLIMB_FACTOR 1.3    /* ... to less than this */
#define FAR_BEYOND   1.15   /* of the bound, ... */
#define FAR_TICKS    3u     /* ... so often in a row, is no pause of the target */
#define ENDED_FEW    300.0  /* in the window: too few for a quantile; the least of them is taken */
#define CAP_MOST     1.4    /* of what is in flight, and four workers: no wind-up */
#define CAP_LEAST    0.35   /* of what is in flight: never all at once */
#define ERRORS_STEP  0.95   /* of what is in flight, while there are too many errors */
#define BURST        1.1    /* times the workers of the last tick */
#define ERRORS_NEAR  0.97   /* of where there were too many: from here on, ... */
#define ERRORS_CREEP 1.0002 /* ... 2 % in ten seconds, for the target may have changed */
#define ERRORS_RELAX 1.0008 /* a tick: 5 % in six seconds */
#define ALONE        1.0    /* worker: a request alone in flight waits for none of ours */
#define QUIET_TICKS  7u     /* the window, and two on the way there and back */

/** What the last few ticks say together. */
struct view {
    double quantile_s, in_flight, throughput_per_s, error_share;
};

static double middle(const struct while_tick *ticks, uint32_t count)
{
    double sorted[WHILE_RECENT] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = i;
        for (; j > 0 && sorted[j - 1] > ticks[i].quantile_s; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = ticks[i].quantile_s;
    }
    return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]);
}

static struct view look(const struct law_while *law, double bound_s, bool climbing)
{
    const struct while_tick *recent = law->recent;
    uint32_t count = climbing && law->recent_count > CLIMB_TICKS ? CLIMB_TICKS : law->recent_count;
    struct view view = {0};
    double ended = 0.0;
    double failed = 0.0;
    double least_s = INFINITY;
    for (uint32_t i = 0; i < count; i++) {
        view.in_flight += recent[i].in_flight / count;
        view.throughput_per_s += recent[i].throughput_per_s / count;
        ended += recent[i].ended;
        failed += recent[i].failed;
        least_s = fmin(least_s, recent[i].quantile_s);
    }
    view.error_share = failed / fmax(ended, 1.0);
    view.quantile_s = ended < ENDED_FEW ? least_s : middle(recent, count);
    if (count >= FAR_TICKS) { /* a jump is followed before it fills half the window */
        double all_s = INFINITY;
        for (uint32_t i = 0; i < FAR_TICKS; i++)
            all_s = fmin(all_s, recent[i].quantile_s);
        if (all_s > FAR_BEYOND * bound_s && all_s > view.quantile_s) {
            view.quantile_s = all_s;
            view.in_flight = recent[0].in_flight;
            view.throughput_per_s = recent[0].throughput_per_s;
        }
    }
    return view;
}

static void follow_latency(struct law_while *law, double bound_s, bool climbing, struct view view)
{
    bool beyond = view.quantile_s > bound_s;
    double worth = (AIM_SHARE * bound_s - view.quantile_s) * view.throughput_per_s;
    double target = view.in_flight + (beyond ? GAIN_BEYOND : GAIN_BELOW) * worth;
    target = fmax(target, CAP_LEAST * view.in_flight);
    double cap = law->latency_cap > 0.0 ? law->latency_cap : target;
    if (beyond)
        cap = fmin(cap, view.in_flight);
    if (climbing && !beyond) {
        cap = view.in_flight + worth;
        if (view.quantile_s < CLIMB_SHARE * bound_s)
            cap = fmax(cap, CLIMB_FACTOR * view.in_flight + 1.0);
    } else if (climbing) {
        cap = target;
    } else {
        cap += (beyond ? FOLLOW_DOWN : FOLLOW_UP) * (target - cap);
    }
    if (!climbing)
        cap = fmin(cap, CAP_MOST * view.in_flight + 4.0);
    law->latency_cap = fmax(fmax(cap, CAP_LEAST * view.in_flight), ALONE);
}

/** After a cut its own ticks have to fill the window, or the errors from before would cut again. */
static void follow_errors(struct law_while *law, double share_max, struct view view)
{
    if (law->quiet_ticks > 0)
        law->quiet_ticks--;
    if (view.error_share > share_max && law->quiet_ticks == 0) {
        /* Where a full line refuses the rest, that rest is what is too much. */
        double keep = fmin(ERRORS_STEP, fmax(1.0 - view.error_share, CAP_LEAST));
        double lower = keep * view.in_flight;
        law->error_cap = law->error_cap > 0.0 ? fmin(law->error_cap, lower) : lower;
        law->errors_from = view.in_flight;
        law->quiet_ticks = QUIET_TICKS;
    } else if (view.error_share <= share_max) {
        bool far = law->error_cap < ERRORS_NEAR * law->errors_from;
        law->error_cap *= far ? ERRORS_RELAX : ERRORS_CREEP;
    }
}

static bool is_near(const struct observation *seen, double least)
{
    return seen->in_flight_mean <= 1.05 * least;
}

void law_while_step(struct law_while *law, struct while_bounds bounds, double least, bool climbing,
                    const struct observation *seen)
{
    CHECK(least > 0.0);
    double ended = (double)(seen->completed + seen->failed);
    if (ended <= 0.0 || seen->in_flight_mean <= 0.0 || seen->throughput_per_s <= 0.0)
        return;
    /* Workers that come all at once may find no room where one after the other would. */
    bool burst = law->recent_count > 0 && seen->in_flight_mean > BURST * law->recent[0].in_flight;
    memmove(&law->recent[1], &law->recent[0], sizeof law->recent - sizeof law->recent[0]);
    law->recent[0] = (struct while_tick){.quantile_s = seen->latency_ns_quantile / 1e9,
                                         .in_flight = seen->in_flight_mean,
                                         .throughput_per_s = seen->throughput_per_s,
                                         .ended = ended,
                                         .failed = burst ? 0.0 : (double)seen->failed};
    if (law->recent_count < WHILE_RECENT)
        law->recent_count++;
    struct view view = look(law, bounds.latency_s, climbing);
    if (bounds.latency_s > 0.0)
        follow_latency(law, bounds.latency_s, climbing, view);
    if (bounds.error_share_max < 1.0)
        follow_errors(law, bounds.error_share_max, view);
    bool too_slow = bounds.latency_s > 0.0 && view.quantile_s > bounds.latency_s;
    bool too_many_errors = view.error_share > bounds.error_share_max;
    bool hopeless = (too_slow && is_near(seen, fmax(least, ALONE))) ||
                    (too_many_errors && is_near(seen, least));
    law->violated_ticks = hopeless ? law->violated_ticks + 1 : 0;
}

double law_while_cap(const struct law_while *law, double least, double most)
{
    double cap = most;
    if (law->latency_cap > 0.0)
        cap = fmin(cap, law->latency_cap);
    if (law->error_cap > 0.0)
        cap = fmin(cap, law->error_cap);
    return fmax(cap, least);
}

bool law_while_is_by_errors(const struct law_while *law)
{
    return law->error_cap > 0.0 && (law->latency_cap <= 0.0 || law->error_cap < law->latency_cap);
}
