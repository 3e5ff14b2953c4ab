#include "coordinator/diagnosis.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

const char *diagnosis_word(enum remark_grade grade)
{
    static const char *const words[] = {
        [REMARK_OK] = "ok", [REMARK_WARN] = "warn", [REMARK_FAIL] = "fail"};
    CHECK(grade < COUNT(words));
    return words[grade];
}

double diagnosis_rate(const struct findings *findings)
{
    double cpus = findings->lanes;
    if (findings->cpu_limit_milli > 0)
        cpus = fmin(cpus, findings->cpu_limit_milli / 1e3);
    return cpus * (double)findings->requests_per_cpu_s;
}

bool diagnosis_fails(const struct diagnosis *diagnosis)
{
    for (uint32_t i = 0; i < diagnosis->remark_count; i++)
        if (diagnosis->remarks[i].grade == REMARK_FAIL)
            return true;
    return false;
}

__attribute__((format(printf, 3, 4))) static void remark(struct diagnosis *diagnosis,
                                                         enum remark_grade grade,
                                                         const char *format, ...)
{
    if (diagnosis->remark_count == DIAGNOSIS_REMARKS_MAX) {
        diagnosis->remarks_more++;
        return;
    }
    struct remark *added = &diagnosis->remarks[diagnosis->remark_count++];
    added->grade = grade;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(added->sentence, sizeof added->sentence, format, arguments);
    va_end(arguments);
}

/* The largest value that the goal takes. */
static double goal_most(const struct plan *plan)
{
    double most = plan->schedule.value;
    for (uint32_t i = 0; i < plan->schedule.stage_count; i++)
        most = fmax(most, plan->schedule.stages[i].to);
    return most;
}

static void weigh_rate(struct diagnosis *diagnosis)
{
    char together[UNITS_TEXT_BYTES], wanted[UNITS_TEXT_BYTES];
    units_show_rate(diagnosis->together_per_s, 0, together);
    if (diagnosis->wanted_per_s <= 0.0) {
        remark(diagnosis, REMARK_OK, "together at most %s", together);
        return;
    }
    units_show_rate(diagnosis->wanted_per_s, 0, wanted);
    double share = diagnosis->wanted_per_s / diagnosis->together_per_s;
    enum remark_grade grade = !(share <= 1.0)                ? REMARK_FAIL
                              : share > DIAGNOSIS_SHARE_BUSY ? REMARK_WARN
                                                             : REMARK_OK;
    remark(diagnosis, grade, "together at most %s; the plan asks %s%s", together, wanted,
           grade == REMARK_OK ? "" : ": add agents or cores");
}

static void weigh_room(struct diagnosis *diagnosis)
{
    const struct plan *plan = diagnosis->plan;
    unsigned long long room = diagnosis->room;
    if (plan == NULL)
        return;
    if (plan->goal == GOAL_CONCURRENCY && goal_most(plan) > (double)room)
        remark(diagnosis, REMARK_FAIL,
               "together room for %llu requests in flight; the plan's goal is %.0f", room,
               goal_most(plan));
    else if (plan->concurrency_max > room)
        remark(diagnosis, REMARK_WARN,
               "together room for %llu requests in flight; the plan's ceiling is %u", room,
               plan->concurrency_max);
    else
        remark(diagnosis, REMARK_OK,
               "together room for %llu requests in flight; the plan's ceiling is %u", room,
               plan->concurrency_max);
}

static void examine_timer(struct diagnosis *diagnosis, const struct patient *patient)
{
    const struct findings *found = &patient->findings;
    char late[UNITS_TEXT_BYTES], bound[UNITS_TEXT_BYTES];
    if (found->timer_p99_ns <= DIAGNOSIS_LATE_NS)
        return;
    units_show_latency(found->timer_p99_ns, late);
    units_show_latency(DIAGNOSIS_LATE_NS, bound);
    if (found->governor[0] != '\0' && strcmp(found->governor, "performance") != 0)
        remark(diagnosis, REMARK_WARN,
               "%s: its timer is %s late (p99; %s is fine), with the governor \"%.40s\". Set it: "
               "cpupower frequency-set -g performance",
               patient->name, late, bound, found->governor);
    else
        remark(diagnosis, REMARK_WARN,
               "%s: its timer is %s late (p99; %s is fine): something else runs there",
               patient->name, late, bound);
}

static void examine_room(struct diagnosis *diagnosis, const struct patient *patient)
{
    const struct findings *found = &patient->findings;
    uint32_t wanted = diagnosis->plan != NULL ? diagnosis->plan->concurrency_max : 0;
    if (found->room >= wanted)
        return;
    uint64_t ours = found->descriptors > found->room ? found->descriptors - found->room : 0;
    uint64_t ports = (uint64_t)found->ports * found->addresses;
    if (found->room == ports)
        remark(diagnosis, REMARK_WARN,
               "%s: %u local ports of %u address%s allow %u workers at once; the plan's ceiling is "
               "%u. Widen net.ipv4.ip_local_port_range, or give it more with --source",
               patient->name, found->ports, found->addresses, found->addresses == 1 ? "" : "es",
               found->room, wanted);
    else
        remark(diagnosis, REMARK_WARN,
               "%s: %llu open files, or its owner, allow %u workers at once; the plan's ceiling is "
               "%u. Raise it: ulimit -n %llu",
               patient->name, (unsigned long long)found->descriptors, found->room, wanted,
               (unsigned long long)wanted + ours);
}

static void examine_cpu(struct diagnosis *diagnosis, const struct patient *patient)
{
    const struct findings *found = &patient->findings;
    if (found->cpu_limit_milli > 0 && found->cpu_limit_milli < 1000u * found->lanes)
        remark(diagnosis, REMARK_WARN,
               "%s: its control group lets it use %.2f CPUs, and it has %u lanes: pauses come "
               "with it. Raise cpu.max, or give --lanes",
               patient->name, found->cpu_limit_milli / 1e3, found->lanes);
    if (found->engine_why[0] != '\0')
        remark(diagnosis, REMARK_WARN, "%s: no io_uring, so epoll, which carries less: %.160s",
               patient->name, found->engine_why);
}

static void examine(struct diagnosis *diagnosis, const struct patient *patient)
{
    if (!patient->examined || patient->findings.requests_per_cpu_s == 0) {
        remark(diagnosis, REMARK_FAIL,
               patient->examined ? "%s: could not measure itself; its own log says why"
                                 : "%s: did not answer; is it older than this clobber?",
               patient->name);
        return;
    }
    examine_room(diagnosis, patient);
    examine_timer(diagnosis, patient);
    examine_cpu(diagnosis, patient);
}

static void compare_clocks(struct diagnosis *diagnosis)
{
    uint64_t worst_ns = 0;
    char text[UNITS_TEXT_BYTES];
    for (uint32_t i = 0; i < diagnosis->patient_count; i++)
        if (diagnosis->patients[i].examined && diagnosis->patients[i].clock_ns > worst_ns)
            worst_ns = diagnosis->patients[i].clock_ns;
    bool quick = worst_ns <= TICK_MS * 1000000u / 2;
    remark(diagnosis, quick ? REMARK_OK : REMARK_WARN, "clocks are known within %s%s",
           units_show_latency(worst_ns, text),
           quick ? "" : "; orders come late over so slow a network");
}

/* The least of each, for both bind somewhere. */
static void find_first_limit(struct diagnosis *diagnosis)
{
    const struct patient *narrow = NULL, *slow = NULL;
    for (uint32_t i = 0; i < diagnosis->patient_count; i++) {
        const struct patient *patient = &diagnosis->patients[i];
        if (!patient->examined)
            continue;
        if (narrow == NULL || patient->findings.room < narrow->findings.room)
            narrow = patient;
        if (slow == NULL || diagnosis_rate(&patient->findings) < diagnosis_rate(&slow->findings))
            slow = patient;
    }
    char rate[UNITS_TEXT_BYTES];
    if (narrow == NULL)
        return;
    units_show_rate(diagnosis_rate(&slow->findings), 0, rate);
    snprintf(diagnosis->first_limit, sizeof diagnosis->first_limit,
             "%.100s at %u workers; %.100s at %s", narrow->name, narrow->findings.room,
             narrow == slow ? "its cores" : slow->name, rate);
}

void diagnosis_make(struct diagnosis *diagnosis, const struct plan *plan,
                    const struct patient *patients, uint32_t patient_count)
{
    *diagnosis =
        (struct diagnosis){.plan = plan, .patients = patients, .patient_count = patient_count};
    if (plan != NULL && plan->goal == GOAL_HOLD)
        diagnosis->wanted_per_s = goal_most(plan);
    for (uint32_t i = 0; i < patient_count; i++) {
        diagnosis->together_per_s += diagnosis_rate(&patients[i].findings);
        diagnosis->room += patients[i].findings.room;
    }
    weigh_rate(diagnosis);
    weigh_room(diagnosis);
    for (uint32_t i = 0; i < patient_count; i++)
        examine(diagnosis, &patients[i]);
    compare_clocks(diagnosis);
    find_first_limit(diagnosis);
}

static const char *alone_text(const struct diagnosis *diagnosis, double rate_per_s, char *text)
{
    double share = diagnosis->wanted_per_s / rate_per_s;
    char shown[UNITS_TEXT_BYTES];
    if (diagnosis->wanted_per_s <= 0.0)
        text[0] = '\0';
    else if (!(share <= 1.0))
        snprintf(text, 2 * UNITS_TEXT_BYTES, "no");
    else
        snprintf(text, 2 * UNITS_TEXT_BYTES, "yes, at %s of it", units_show_share(share, shown));
    return text;
}

static void print_patient(const struct diagnosis *diagnosis, const struct patient *patient,
                          FILE *stream)
{
    const struct findings *found = &patient->findings;
    char timer[UNITS_TEXT_BYTES], clock[UNITS_TEXT_BYTES], alone[2 * UNITS_TEXT_BYTES];
    double rate_per_s = diagnosis_rate(found);
    if (!patient->examined) {
        fprintf(stream, "%-16.16s  -\n", patient->name);
        return;
    }
    fprintf(stream, "%-16.16s %5u   at most %-9.0f %9s %8llu %8u   ±%-8s %-8s %s\n", patient->name,
            found->lanes, rate_per_s, units_show_latency(found->timer_p99_ns, timer),
            (unsigned long long)found->descriptors, found->ports,
            units_show_latency(patient->clock_ns, clock), found->engine,
            alone_text(diagnosis, rate_per_s, alone));
}

void diagnosis_print(const struct diagnosis *diagnosis, FILE *stream)
{
    char wanted[UNITS_TEXT_BYTES] = "", question[UNITS_TEXT_BYTES + 8] = "";
    if (diagnosis->wanted_per_s > 0.0)
        snprintf(question, sizeof question, "%s alone?",
                 units_show_rate(diagnosis->wanted_per_s, 0, wanted));
    fprintf(stream, "%-16s %5s   %-17s %9s %8s %8s   %-8s %-8s %s\n", "agent", "cores",
            "requests/s", "timer p99", "files", "ports", "clock", "engine", question);
    for (uint32_t i = 0; i < diagnosis->patient_count; i++)
        print_patient(diagnosis, &diagnosis->patients[i], stream);
    fputc('\n', stream);
    for (uint32_t i = 0; i < diagnosis->remark_count; i++)
        fprintf(stream, "%-7s %s\n", diagnosis_word(diagnosis->remarks[i].grade),
                diagnosis->remarks[i].sentence);
    if (diagnosis->remarks_more > 0)
        fprintf(stream, "%-7s and %u more\n", "", diagnosis->remarks_more);
    if (diagnosis->first_limit[0] != '\0')
        fprintf(stream, "\nfirst limit  %s\n", diagnosis->first_limit);
}
