/* What a coordinator does for a large fleet, and what that costs it: a real `clobber coordinator`
 * on one core, and a fleet of light agents on the others.
 *
 *   fleet_rig CLOBBER FOLDER AGENTS SECONDS [FLAGS OF THE COORDINATOR]
 *
 * FOLDER takes the plan and the run. One figure a line: its name, and its value. At half of the
 * time all agents lose their connections and come back at once. Exits with 0 when every agent was
 * heard to the end; whether the figures are good is for the reader to say. */
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/net.h"
#include "tests/bench/light_fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RATE_PER_AGENT                                                                             \
    10u /* requests a second: some hundred by the end, so every sample has all cells */
#define GATHER_S   60u   /* for all to be ready */
#define PATIENCE_S 120u  /* and for all to be over; then something hangs */
#define CORE       0     /* the coordinator's */
#define TICKS_MAX  8192u /* almost fourteen minutes */
#define PATH_BYTES 512u
#define TICK_NS    (100 * NS_PER_MS)

struct rig {
    const char *binary, *folder;
    uint32_t agents, seconds;
    char **flags; /* more of them for the coordinator; up to a NULL */
    pid_t coordinator;
    struct loop *loop;
    struct light_fleet *fleet;
    enum { GATHERING, LOADED, FLOODED, AGAIN } stage;
    uint64_t began_ns, from_ns, flooded_ns, end_ns;
    uint64_t cpu_from_ns, beats_from, bytes_empty;
    uint64_t looked_ns, stood_still_ns; /* the longest between two looks */
    bool failed;
};

static bool fail(struct rig *rig, const char *sentence)
{
    fprintf(stderr, "fleet_rig: %s\n", sentence);
    rig->failed = true;
    if (rig->loop != NULL)
        loop_stop(rig->loop);
    return false;
}

/* The coordinator. */

static bool write_plan(struct rig *rig)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/fleet.yaml", rig->folder);
    FILE *plan = fopen(path, "we");
    if (plan == NULL)
        return fail(rig, "cannot write a plan into the folder");
    fprintf(plan,
            "version: 1\nname: fleet\ntarget: http://127.0.0.1:1/\ngoal: {hold: %u/s}\n"
            "duration: %us\nwarmup: 1s\nagents: {expect: %u, min: 1, wait: %us}\n",
            rig->agents * RATE_PER_AGENT, rig->seconds, rig->agents, GATHER_S);
    return fclose(plan) == 0 || fail(rig, "cannot write the plan");
}

/* In the child: its streams into files (open beyond exec), its only core, and what it is. */
static void become_coordinator(const struct rig *rig)
{
    char plan[PATH_BYTES], out[PATH_BYTES], log[PATH_BYTES];
    const char *arguments[64] = {"clobber",           "coordinator", plan, "--bind",
                                 "tcp://127.0.0.1:0", "--out",       out,  "--quiet"};
    size_t count = 8;
    snprintf(plan, sizeof plan, "%s/fleet.yaml", rig->folder);
    snprintf(out, sizeof out, "%s/run", rig->folder);
    snprintf(log, sizeof log, "%s/coordinator.log", rig->folder);
    for (char **flag = rig->flags; *flag != NULL && count < 63; flag++)
        arguments[count++] = *flag;
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(CORE, &core);
    sched_setaffinity(0, sizeof core, &core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen(log, "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)
        _exit(127);
    execv(rig->binary, (char **)(uintptr_t)arguments);
    _exit(127);
}

/* Waits for the line that tells its endpoint. */
static bool start_coordinator(struct rig *rig, char *endpoint, size_t endpoint_bytes)
{
    static const char words[] = "coordinator at ";
    char path[PATH_BYTES], line[PATH_BYTES];
    rig->coordinator = fork();
    if (rig->coordinator == 0)
        become_coordinator(rig);
    if (rig->coordinator < 0)
        return fail(rig, "cannot start the coordinator");
    snprintf(path, sizeof path, "%s/coordinator.log", rig->folder);
    for (unsigned tries = 0; tries < 100 * 20; tries++) {
        usleep(10 * 1000);
        FILE *log = fopen(path, "re");
        char *found = NULL;
        while (log != NULL && found == NULL && fgets(line, sizeof line, log) != NULL)
            found = strchr(line, '\n') != NULL ? strstr(line, words) : NULL;
        if (log != NULL)
            fclose(log);
        if (found == NULL)
            continue;
        found += strlen(words);
        snprintf(endpoint, endpoint_bytes, "%.*s", (int)strcspn(found, ","), found);
        return true;
    }
    return fail(rig, "the coordinator said no endpoint; its log tells why");
}

/* The first number of a file below /proc/PID, as each of these has it. */
static uint64_t read_proc(const struct rig *rig, const char *file, unsigned skip)
{
    char path[PATH_BYTES];
    uint64_t value = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)rig->coordinator, file);
    FILE *stream = fopen(path, "re");
    for (unsigned i = 0; stream != NULL && i <= skip; i++)
        if (fscanf(stream, "%" SCNu64, &value) != 1)
            value = 0;
    if (stream != NULL)
        fclose(stream);
    return value;
}

static uint64_t resident_bytes(const struct rig *rig)
{
    return read_proc(rig, "statm", 1) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* All its threads, those of ZeroMQ too. */
static uint64_t coordinator_cpu_ns(const struct rig *rig)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(rig->coordinator, &clock) != 0 || clock_gettime(clock, &time) != 0)
        return 0;
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

/* What is measured. */

static void print_ms(const char *name, uint64_t ns)
{
    printf("%s %.2f\n", name, (double)ns / 1e6);
}

static void print_spread(const char *name, const uint64_t *ascending_ns, uint32_t count)
{
    char line[64];
    static const struct {
        const char *word;
        double share;
    } rows[] = {{"p50", 0.50}, {"p99", 0.99}, {"max", 1.0}};
    for (size_t i = 0; i < COUNT(rows) && count > 0; i++) {
        uint32_t rank = (uint32_t)ceil(rows[i].share * count);
        snprintf(line, sizeof line, "%s_ms_%s", name, rows[i].word);
        print_ms(line, ascending_ns[rank - 1]);
    }
}

static void begin_measuring(struct rig *rig, uint64_t now_ns)
{
    rig->from_ns = now_ns;
    rig->cpu_from_ns = coordinator_cpu_ns(rig);
    rig->beats_from = light_fleet_counts(rig->fleet).beats;
    light_fleet_measure(rig->fleet);
}

static void end_measuring(struct rig *rig, uint64_t now_ns)
{
    struct light_counts counts = light_fleet_counts(rig->fleet);
    const uint64_t *widths_ns;
    uint32_t ticks = light_fleet_fan_out(rig->fleet, &widths_ns);
    double cpu_ns = (double)(coordinator_cpu_ns(rig) - rig->cpu_from_ns);
    double beats = (double)(counts.beats - rig->beats_from);
    double interval_ns = (double)(now_ns - rig->from_ns);
    double grown = (double)resident_bytes(rig) - (double)rig->bytes_empty;
    double histograms = (double)counts.histogram_bytes;
    printf("empty_kib %.0f\n", (double)rig->bytes_empty / 1024.0);
    printf("beats_per_s %.0f\n", beats / interval_ns * 1e9);
    printf("cpu_percent %.1f\n", 100.0 * cpu_ns / interval_ns);
    printf("cpu_us_per_beat %.2f\n", cpu_ns / fmax(beats, 1.0) / 1e3);
    printf("agent_kib %.1f\n", (grown - histograms) / rig->agents / 1024.0);
    printf("agent_histograms_kib %.1f\n", histograms / rig->agents / 1024.0);
    print_spread("fan_out", widths_ns, ticks);
}

/* The stages, looked at each 10 ms. */
static void look(void *context, uint64_t now_ns)
{
    struct rig *rig = context;
    struct error error = {0};
    struct light_counts counts = light_fleet_counts(rig->fleet);
    uint64_t half_ns = rig->seconds * NS_PER_S / 2;
    if (rig->looked_ns > 0 && now_ns - rig->looked_ns > rig->stood_still_ns)
        rig->stood_still_ns = now_ns - rig->looked_ns;
    rig->looked_ns = now_ns;
    if (now_ns > rig->end_ns) {
        fail(rig, "it takes too long");
        return;
    }
    switch (rig->stage) {
    case GATHERING:
        if (counts.loaded < rig->agents)
            break;
        print_ms("all_loaded_ms", now_ns - rig->began_ns);
        begin_measuring(rig, now_ns);
        rig->stage = LOADED;
        break;
    case LOADED:
        if (now_ns - rig->from_ns < half_ns)
            break;
        end_measuring(rig, now_ns);
        rig->flooded_ns = now_ns;
        rig->stage = FLOODED;
        if (!light_fleet_dial_again(rig->fleet, &error))
            fail(rig, error.message);
        break;
    case FLOODED:
        if (counts.ready == rig->agents) {
            print_ms("all_back_ms", now_ns - rig->flooded_ns);
            rig->stage = AGAIN;
        }
        break;
    case AGAIN:
        break;
    }
    if (counts.over == rig->agents)
        loop_stop(rig->loop);
}

/* From the record: when its ticks were. */

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint32_t read_ticks(const struct rig *rig, uint64_t *at_ns)
{
    static const char words[] = "{\"line\":\"tick\",\"at_ns\":";
    char path[PATH_BYTES];
    char *line = NULL;
    size_t line_bytes = 0;
    uint32_t count = 0;
    snprintf(path, sizeof path, "%s/run/run.jsonl", rig->folder);
    FILE *record = fopen(path, "re");
    while (record != NULL && count < TICKS_MAX && getline(&line, &line_bytes, record) > 0) {
        if (strncmp(line, words, strlen(words)) != 0)
            continue;
        at_ns[count] = strtoull(line + strlen(words), NULL, 10);
        count += at_ns[count] > 0;
    }
    free(line);
    if (record != NULL)
        fclose(record);
    return count;
}

/* Ticks stand on a grid of 100 ms that nobody tells us; but most are hardly late, so the widest gap
 * between the remainders of all is the one that ends at the grid. Moves each to its lateness. */
static void find_lateness(uint64_t *at_ns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        at_ns[i] %= TICK_NS;
    qsort(at_ns, count, sizeof *at_ns, ascending);
    uint64_t grid_ns = at_ns[0];
    uint64_t widest_ns = at_ns[0] + TICK_NS - at_ns[count - 1];
    for (uint32_t i = 1; i < count; i++) {
        if (at_ns[i] - at_ns[i - 1] > widest_ns) {
            widest_ns = at_ns[i] - at_ns[i - 1];
            grid_ns = at_ns[i];
        }
    }
    for (uint32_t i = 0; i < count; i++)
        at_ns[i] = (at_ns[i] + TICK_NS - grid_ns) % TICK_NS;
    qsort(at_ns, count, sizeof *at_ns, ascending);
}

static void print_ticks(const struct rig *rig)
{
    static uint64_t at_ns[TICKS_MAX];
    uint32_t count = read_ticks(rig, at_ns);
    if (count == 0)
        return;
    uint64_t last_ns = at_ns[count - 1];
    printf("ticks %u\n", count);
    printf("ticks_missed %" PRIu64 "\n", (last_ns + TICK_NS / 2) / TICK_NS - count);
    find_lateness(at_ns, count);
    print_spread("tick_late", at_ns, count);
}

/* The whole. */

static bool run(struct rig *rig)
{
    struct error error = {0};
    char endpoint[PATH_BYTES];
    uint64_t descriptors = 2 * (uint64_t)rig->agents + 64; /* its socket's, and its connection's */
    rig->loop = loop_create(&error);
    if (rig->loop == NULL)
        return fail(rig, error.message);
    if (net_raise_descriptors(descriptors) < descriptors)
        return fail(rig, "too few open files for so many agents; raise it: ulimit -n");
    if (!write_plan(rig) || !start_coordinator(rig, endpoint, sizeof endpoint))
        return false;
    rig->bytes_empty = resident_bytes(rig);
    rig->began_ns = clock_now_ns();
    rig->end_ns = rig->began_ns + (GATHER_S + rig->seconds + PATIENCE_S) * NS_PER_S;
    rig->fleet = light_fleet_create(endpoint, rig->agents, rig->loop, &error);
    if (rig->fleet == NULL)
        return fail(rig, error.message);
    loop_every(rig->loop, 10 * NS_PER_MS, look, rig);
    loop_run(rig->loop);
    struct light_counts counts = light_fleet_counts(rig->fleet);
    printf("agents %u\nover %u\nbroken %u\nsamples %" PRIu64 "\nunsent %" PRIu64
           "\nstarted %" PRIu64 "\n",
           rig->agents, counts.over, counts.broken, counts.samples, counts.unsent, counts.started);
    print_ms("stood_still_ms", rig->stood_still_ns);
    return !rig->failed && counts.broken == 0 && rig->stage == AGAIN;
}

/* It ends by itself when all have ended; only one that hangs is killed. */
static bool end_coordinator(struct rig *rig, bool well)
{
    int status = 0;
    if (!well)
        kill(rig->coordinator, SIGKILL);
    while (waitpid(rig->coordinator, &status, 0) < 0 && errno == EINTR)
        continue;
    printf("exit_code %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    struct rig rig = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: fleet_rig CLOBBER FOLDER AGENTS SECONDS [FLAGS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    rig.binary = argv[1];
    rig.folder = argv[2];
    rig.agents = (uint32_t)strtoul(argv[3], NULL, 10);
    rig.seconds = (uint32_t)strtoul(argv[4], NULL, 10);
    rig.flags = argv + 5;
    bool well = run(&rig);
    if (rig.coordinator > 0 && end_coordinator(&rig, !rig.failed))
        print_ticks(&rig);
    light_fleet_destroy(rig.fleet);
    loop_destroy(rig.loop);
    return well ? 0 : 1;
}
