#include "coordinator/sink.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN_NS    (5 * NS_PER_S) /* a line closes so much when nobody watches */
#define TERMINAL_NS NS_PER_S       /* calm: one picture a second */
#define LINE_BYTES  1024u

/* The live line: one that is drawn in place on a terminal, one each 5 s and one an event otherwise.
 */
struct console {
    bool terminal;
    const struct plan *plan; /* borrowed */
    bool rated;              /* the goal is a rate */
    uint64_t window_ns;
    uint64_t opened_ns;                 /* when the present window began */
    uint64_t answers;                   /* ok and failed at that moment */
    uint64_t ticks;                     /* in the window */
    double workers, load, goal;         /* sums over its ticks */
    struct histogram response, service; /* of its samples */
};

/* Whether stderr has room for a line: POLLOUT means PIPE_BUF, which is more. A terminal that was
 * told to pause by Ctrl-S has none, and waiting for it would keep the agents from their orders. */
static bool has_room(void)
{
    struct pollfd waiting = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLOUT) != 0;
}

/* Writing is best effort: a terminal that is gone is no reason to end a run. */
__attribute__((format(printf, 2, 3))) static void say(const struct console *console,
                                                      const char *format, ...)
{
    if (!has_room())
        return;
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (console->terminal)
        fprintf(stderr, "\r\033[2K%s", line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}

static uint64_t answers(const struct counters *total)
{
    return total->ok + counters_failed(total);
}

static double tick_load(const struct tick *tick)
{
    double load = 0.0;
    for (uint32_t i = 0; i < tick->agent_count; i++)
        load = fmax(load, tick->agents[i].load);
    return load;
}

static void window_open(struct console *console, const struct tick *tick)
{
    console->opened_ns = tick->at_ns;
    console->answers = answers(&tick->total);
    console->ticks = 0;
    console->workers = console->load = console->goal = 0.0;
    memset(&console->response, 0, sizeof console->response);
    memset(&console->service, 0, sizeof console->service);
}

/* Histograms come once a second: the first line may be before them. */
static const char *shown_p99(const struct histogram *histogram, char *text)
{
    if (histogram->total == 0)
        return "-";
    return units_show_latency(histogram_quantile(histogram, 0.99), text);
}

/* What there is to say beside the figures; "" when all is as it should be. */
static const char *status_shown(const struct plan *plan, const struct tick *tick, char *text,
                                size_t text_bytes)
{
    const struct threshold *bound = NULL;
    if (tick->status == CONTROL_BOUNDED)
        bound = plan_bound(plan, tick->bound == CONTROL_BY_ERRORS ? METRIC_ERRORS_RATE
                                                                  : METRIC_LATENCY_QUANTILE);
    const char *word = control_status_word(tick->status);
    if (plan_searches(plan) && tick->status == CONTROL_RAMPING)
        word = "searching";
    else if (tick->converged && tick->status == CONTROL_SATURATED)
        word = "converged";
    if (bound != NULL)
        snprintf(text, text_bytes, "  bounded by %s", bound->text);
    else
        snprintf(text, text_bytes, "%s%s", tick->status == CONTROL_STEADY ? "" : "  ",
                 tick->status == CONTROL_STEADY ? "" : word);
    return text;
}

/* How much of it is done, where requests are counted. */
static const char *part_shown(const struct plan *plan, uint64_t ended, char *text,
                              size_t text_bytes)
{
    uint64_t total = plan->requests_total;
    text[0] = '\0';
    if (total > 0)
        snprintf(text, text_bytes, "%.0f %% of %" PRIu64 "  ",
                 floor(100.0 * (double)ended / (double)total), total);
    return text;
}

static void window_line(const struct console *console, const struct tick *tick)
{
    double ticks = (double)console->ticks;
    double seconds = (double)(tick->at_ns - console->opened_ns) / 1e9;
    double rate = (double)(answers(&tick->total) - console->answers) / seconds;
    uint64_t failed = counters_failed(&tick->total) + tick->total.timed_out;
    uint64_t ended = tick->total.ok + failed;
    uint32_t came = tick->agents_ready + tick->agents_lost;
    char response[UNITS_TEXT_BYTES], service[UNITS_TEXT_BYTES], errors[UNITS_TEXT_BYTES];
    char goal[32] = "";
    if (console->goal > 0.0)
        snprintf(goal, sizeof goal, " %.1f %%", 100.0 * rate * ticks / console->goal);
    char agents[64], status[192], part[64];
    snprintf(agents, sizeof agents, tick->agents_lost > 0 ? "%u of %u" : "%u", tick->agents_ready,
             came);
    say(console,
        "%02llu:%02llu  %s%.0f/s%s  %.0f workers  p99 %s  service %s  errors %s  %s agent%s "
        "%.0f %% CPU%s",
        (unsigned long long)(tick->at_ns / NS_PER_S / 60),
        (unsigned long long)(tick->at_ns / NS_PER_S % 60),
        part_shown(console->plan, ended, part, sizeof part), rate, goal, console->workers / ticks,
        shown_p99(&console->response, response), shown_p99(&console->service, service),
        units_show_share(ended > 0 ? (double)failed / (double)ended : 0.0, errors), agents,
        came == 1 ? "" : "s", 100.0 * console->load / ticks,
        status_shown(console->plan, tick, status, sizeof status));
}

static bool console_tick(void *state, const struct tick *tick, struct error *error)
{
    (void)error;
    struct console *console = state;
    if (tick->state != SESSION_WARMING && tick->state != SESSION_RUNNING)
        return true;
    if (console->opened_ns == 0)
        window_open(console, tick);
    console->ticks++;
    console->workers += tick->workers;
    console->load += tick_load(tick);
    console->goal += console->rated ? tick->goal : 0.0;
    if (tick->response != NULL)
        histogram_add(&console->response, tick->response);
    if (tick->service != NULL)
        histogram_add(&console->service, tick->service);
    if (tick->at_ns - console->opened_ns >= console->window_ns) {
        window_line(console, tick);
        window_open(console, tick);
    }
    return true;
}

static bool console_event(void *state, const struct report_event *event, struct error *error)
{
    (void)error;
    struct console *console = state;
    char sentence[4 * SENTENCE_BYTES];
    double at_s = (double)event->at_ns / 1e9;
    say(console, "%02d:%04.1f  %s%s", (int)(at_s / 60.0), fmod(at_s, 60.0),
        harmless_text(event->sentence, sentence, sizeof sentence), console->terminal ? "\n" : "");
    return true;
}

static bool console_finish(void *state, const struct report *report, struct error *error)
{
    (void)report;
    (void)error;
    const struct console *console = state;
    if (console->terminal)
        say(console, "%s", "");
    return true;
}

static void console_head(const struct console *console, const struct plan *plan)
{
    char goal[256], tolerance[UNITS_TEXT_BYTES], name[4 * NAME_BYTES_MAX],
        target[4 * NAME_BYTES_MAX];
    char duration[UNITS_TEXT_BYTES], warmup[UNITS_TEXT_BYTES], total[64] = "";
    plan_goal_text(plan, goal, sizeof goal);
    units_show_share(plan->tolerance, tolerance);
    units_show_duration(plan->schedule.duration_ns, duration);
    units_show_duration(plan->schedule.warmup_ns, warmup);
    if (plan->requests_total > 0)
        snprintf(total, sizeof total, "%" PRIu64 " requests, at most ", plan->requests_total);
    say(console, "%s: %s%s%s, %s, %s%s%s%s%s%s", harmless_text(plan->name, name, sizeof name), goal,
        plan->goal == GOAL_HOLD ? " \u00b1 " : "", plan->goal == GOAL_HOLD ? tolerance : "",
        harmless_text(plan->target, target, sizeof target), total, duration,
        plan->schedule.warmup_ns > 0 ? " (" : "", plan->schedule.warmup_ns > 0 ? warmup : "",
        plan->schedule.warmup_ns > 0 ? " warm-up)" : "", console->terminal ? "\n" : "");
}

bool sink_console_open(struct sink *sink, const struct sink_start *start, bool terminal,
                       struct error *error)
{
    (void)error;
    struct console *console = calloc(1, sizeof *console);
    CHECK_MEMORY(console != NULL);
    console->terminal = terminal;
    console->plan = start->plan;
    console->rated = start->plan->goal == GOAL_HOLD;
    console->window_ns = terminal ? TERMINAL_NS : PLAIN_NS;
    console_head(console, start->plan);
    *sink = (struct sink){.name = "console",
                          .state = console,
                          .tick = console_tick,
                          .event = console_event,
                          .finish = console_finish,
                          .close = free};
    return true;
}
