#include "common/control/schedule.h"

#include "common/base/check.h"

/** The straight line that holds at some moment, from one corner to the next. */
struct line {
    uint64_t from_ns, to_ns;
    double from, to;
};

static double line_value(const struct line *line, uint64_t at_ns)
{
    CHECK(at_ns >= line->from_ns);
    if (at_ns >= line->to_ns)
        return line->to;
    double share = (double)(at_ns - line->from_ns) / (double)(line->to_ns - line->from_ns);
    return line->from + share * (line->to - line->from);
}

/** The line of stage `index`, given the one before it. */
static struct line line_next(const struct schedule *schedule, const struct line *before,
                             uint32_t index)
{
    const struct stage *stage = &schedule->stages[index];
    return (struct line){.from_ns = before->to_ns,
                         .to_ns = before->to_ns + stage->duration_ns,
                         .from = before->to,
                         .to = stage->to};
}

double schedule_value(const struct schedule *schedule, uint64_t at_ns)
{
    CHECK(schedule->stage_count <= STAGES_MAX);
    if (schedule->stage_count == 0)
        return schedule->value;
    struct line line = {0};
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        line = line_next(schedule, &line, i);
        if (at_ns < line.to_ns)
            return line_value(&line, at_ns);
    }
    return line.to;
}

double schedule_mean(const struct schedule *schedule, uint64_t from_ns, uint64_t to_ns)
{
    CHECK(schedule->stage_count <= STAGES_MAX);
    CHECK(from_ns <= to_ns);
    if (schedule->stage_count == 0 || from_ns == to_ns)
        return schedule_value(schedule, from_ns);
    double area = 0.0; /* value x ns */
    struct line line = {0};
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        line = line_next(schedule, &line, i);
        uint64_t left = from_ns > line.from_ns ? from_ns : line.from_ns;
        uint64_t right = to_ns < line.to_ns ? to_ns : line.to_ns;
        if (left < right) /* the trapezium is exact, the value being a straight line here */
            area +=
                0.5 * (line_value(&line, left) + line_value(&line, right)) * (double)(right - left);
    }
    if (to_ns > line.to_ns) { /* beyond the end the last value goes on */
        uint64_t left = from_ns > line.to_ns ? from_ns : line.to_ns;
        area += line.to * (double)(to_ns - left);
    }
    return area / (double)(to_ns - from_ns);
}

uint32_t schedule_phase_count(const struct schedule *schedule)
{
    CHECK(schedule->stage_count <= STAGES_MAX);
    return schedule->stage_count == 0 ? 2 : schedule->stage_count + 1;
}

uint32_t schedule_phase(const struct schedule *schedule, uint64_t at_ns)
{
    uint32_t last = schedule_phase_count(schedule) - 1;
    for (uint32_t phase = 0; phase < last; phase++) {
        uint64_t from_ns = 0;
        uint64_t to_ns = 0;
        schedule_phase_span(schedule, phase, &from_ns, &to_ns);
        if (at_ns >= from_ns && at_ns < to_ns)
            return phase;
    }
    return last; /* whatever falls due at the end or beyond it */
}

void schedule_phase_span(const struct schedule *schedule, uint32_t phase, uint64_t *from_ns,
                         uint64_t *to_ns)
{
    CHECK(phase < schedule_phase_count(schedule));
    uint64_t from = 0;
    uint64_t to = schedule->duration_ns;
    if (phase == 0) {
        to = schedule->warmup_ns;
    } else {
        if (schedule->stage_count > 0) {
            for (uint32_t i = 0; i + 1 < phase; i++)
                from += schedule->stages[i].duration_ns;
            to = from + schedule->stages[phase - 1].duration_ns;
        }
        from = from > schedule->warmup_ns ? from : schedule->warmup_ns;
    }
    *from_ns = from;
    *to_ns = to > from ? to : from;
}
