/* Command `doctor`: asks every agent of a fleet, or one of its own, what its machine can carry. It
 * is a coordinator that answers each HELLO with a question in place of a run. */
#include "coordinator/children.h"
#include "coordinator/diagnosis.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/flags.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "common/command.h"
#include "coordinator/keys.h"
#include "coordinator/leave.h"
#include "proto/channel.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MEASURE_MS  1000u           /* of each agent, all at the same time */
#define ECHOES      8u              /* the quickest of so many tells how exact a clock is */
#define WAIT_NS     (10 * NS_PER_S) /* for the agents, unless told */
#define ANSWER_NS   (5 * NS_PER_S)  /* for a measurement, beside its own length */
#define FAREWELL_NS (200 * NS_PER_MS)
#define GRID_MS     10
#define REPEAT_NS   (500 * NS_PER_MS) /* an echo that was lost is asked for again */

struct doctor_options {
    const char *bind;
    uint32_t expect;
    uint64_t wait_ns;
    struct keys_flags keys;
    const char *json;
    const char *passed[CHILDREN_PASSED_MAX];
    uint32_t passed_count;
};

/* One agent in treatment. */
struct bed {
    struct peer_id peer;
    uint8_t incarnation[ID_BYTES];
    uint32_t echoes;
    uint64_t asked_ns;
};

struct doctor {
    const struct doctor_options *options;
    struct channel *channel;
    struct keys keys;
    struct children children;
    uint8_t run_id[ID_BYTES];
    uint64_t seq;
    uint32_t count, examined;
    struct patient *patients; /* [options->expect]; owned */
    struct bed *beds;         /* likewise */
};

static bool take_bind(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct doctor_options *)context)->bind = value;
    return true;
}

static bool take_expect(void *context, const char *value, struct error *error)
{
    uint64_t count;
    if (!units_read_count(value, &count) || count < 1 || count > AGENTS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is not what it takes: a whole number from 1 to %u", value,
                         AGENTS_MAX);
    ((struct doctor_options *)context)->expect = (uint32_t)count;
    return true;
}

static bool take_wait(void *context, const char *value, struct error *error)
{
    uint64_t *wait_ns = &((struct doctor_options *)context)->wait_ns;
    return (units_read_duration(value, wait_ns) && *wait_ns > 0) ||
           error_set(error, ERROR_USAGE, PLACE_NONE,
                     "'%s' is not a duration; give one with a unit, as 30s", value);
}

static bool take_plaintext(void *context, const char *value, struct error *error)
{
    (void)value;
    (void)error;
    ((struct doctor_options *)context)->keys.plaintext = true;
    return true;
}

static bool take_secret_key(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct doctor_options *)context)->keys.secret_key = value;
    return true;
}

static bool take_authorized_keys(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct doctor_options *)context)->keys.authorized_keys = value;
    return true;
}

static bool take_json(void *context, const char *value, struct error *error)
{
    (void)error;
    ((struct doctor_options *)context)->json = value;
    return true;
}

static bool take_engine(void *context, const char *value, struct error *error)
{
    struct doctor_options *options = context;
    (void)error;
    options->passed[options->passed_count++] = "--engine";
    options->passed[options->passed_count++] = value;
    return true;
}

static const struct flag rows[] = {
    {"bind", 0, "ENDPOINT", NULL, "examine the agents of a fleet, which connect there", take_bind,
     false},
    {"expect-agents", 0, "N", "the plan's agents.expect, else 1", "how many they are", take_expect,
     false},
    {"wait", 0, "DURATION", "10s", "for the agents", take_wait, false},
    {"plaintext", 0, NULL, NULL, "no encryption on a bind that other machines can reach",
     take_plaintext, false},
    {"secret-key", 0, "FILE", NULL, "our own key, of clobber key new; everything is encrypted then",
     take_secret_key, false},
    {"authorized-keys", 0, "FILE", NULL, "who may join: lines NAME KEY [until DATE]",
     take_authorized_keys, false},
    {"engine", 0, "ENGINE", "auto", "without --bind: auto, uring or epoll", take_engine, false},
    {"json", 0, "FILE", NULL, "write the findings there too; - is stdout, and nothing else",
     take_json, false},
};

static const struct flags flags = {
    .command = "doctor",
    .usage = "clobber doctor [PLAN.yaml] [FLAGS]",
    .about = "Measures what this machine, or each agent of a fleet, can carry, and says what of it "
             "would limit a plan.",
    .example = "clobber doctor plan.yaml --bind tcp://127.0.0.1:7420 --expect-agents 4",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 0,
    .words_max = 1,
};

static void doctor_say(struct doctor *doctor, uint32_t i, struct message *message)
{
    memcpy(message->run_id, doctor->run_id, ID_BYTES);
    memcpy(message->incarnation, doctor->beds[i].incarnation, ID_BYTES);
    message->epoch = 1;
    message->seq = ++doctor->seq;
    channel_send(doctor->channel, &doctor->beds[i].peer, message);
}

/* The agent is free for a run. */
static void doctor_dismiss(struct doctor *doctor, uint32_t i)
{
    struct message leave = {.type = MESSAGE_REFUSE,
                            .as.refuse = {.code = REFUSE_RUN_OVER, .retry_ms = 1000}};
    snprintf(leave.as.refuse.sentence, sizeof leave.as.refuse.sentence,
             "examined by clobber doctor");
    doctor_say(doctor, i, &leave);
}

/* First the echoes, then the measurement. */
static void doctor_ask(struct doctor *doctor, uint32_t i, uint64_t now_ns)
{
    struct message message = {.type = MESSAGE_EXAMINE, .as.examine = {.t = now_ns}};
    if (doctor->beds[i].echoes == ECHOES)
        message.as.examine.measure_ms = MEASURE_MS;
    doctor->beds[i].asked_ns = now_ns;
    doctor_say(doctor, i, &message);
}

static bool doctor_find(const struct doctor *doctor, const uint8_t *incarnation, uint32_t *found)
{
    for (*found = 0; *found < doctor->count; (*found)++)
        if (memcmp(doctor->beds[*found].incarnation, incarnation, ID_BYTES) == 0)
            return true;
    return false;
}

/* HELLO is repeated: one that was asked and has not answered is asked again. */
static void doctor_meet(struct doctor *doctor, const struct peer_id *peer,
                        const struct message *message, uint64_t now_ns)
{
    uint32_t i;
    if (!doctor_find(doctor, message->incarnation, &i)) {
        if (doctor->count == doctor->options->expect)
            return;
        i = doctor->count++;
        doctor->beds[i] = (struct bed){.peer = *peer};
        memcpy(doctor->beds[i].incarnation, message->incarnation, ID_BYTES);
        harmless_text(message->as.hello.name, doctor->patients[i].name,
                      sizeof doctor->patients[i].name);
        doctor_ask(doctor, i, now_ns);
        return;
    }
    if (doctor->patients[i].examined)
        doctor_dismiss(doctor, i);
    else if (doctor->beds[i].echoes < ECHOES && now_ns - doctor->beds[i].asked_ns > REPEAT_NS)
        doctor_ask(doctor, i, now_ns);
}

static void doctor_hear(struct doctor *doctor, const struct message *message, uint64_t now_ns)
{
    uint32_t i;
    const struct findings *findings = &message->as.findings;
    if (!doctor_find(doctor, message->incarnation, &i) || doctor->patients[i].examined ||
        findings->echo_t != doctor->beds[i].asked_ns)
        return;
    struct patient *patient = &doctor->patients[i];
    if (findings->measured) {
        patient->findings = *findings;
        patient->examined = true;
        doctor->examined++;
        doctor_dismiss(doctor, i);
        return;
    }
    uint64_t within_ns = (now_ns - findings->echo_t) / 2;
    if (doctor->beds[i].echoes++ == 0 || within_ns < patient->clock_ns)
        patient->clock_ns = within_ns;
    doctor_ask(doctor, i, now_ns);
}

static void doctor_listen(struct doctor *doctor)
{
    struct peer_id from;
    struct message message;
    struct error error = {0};
    enum channel_outcome outcome;
    while ((outcome = channel_receive(doctor->channel, &from, &message, &error)) != CHANNEL_EMPTY) {
        uint64_t now_ns = clock_now_ns();
        if (outcome == CHANNEL_MESSAGE && message.type == MESSAGE_HELLO)
            doctor_meet(doctor, &from, &message, now_ns);
        else if (outcome == CHANNEL_MESSAGE && message.type == MESSAGE_FINDINGS)
            doctor_hear(doctor, &message, now_ns);
    }
}

/* Until all who are expected have been examined, or those who came have had their time. */
static void doctor_examine(struct doctor *doctor)
{
    uint64_t come_ns = clock_now_ns() + doctor->options->wait_ns;
    uint64_t end_ns = come_ns + MEASURE_MS * NS_PER_MS + ANSWER_NS;
    while (doctor->examined < doctor->options->expect) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= end_ns || (now_ns >= come_ns && doctor->examined == doctor->count))
            return;
        poll(&(struct pollfd){.fd = channel_descriptor(doctor->channel), .events = POLLIN}, 1,
             GRID_MS);
        doctor_listen(doctor);
    }
}

/* What a connection still holds unread when it ends, libzmq drops: agents get their leave first. */
static void doctor_farewell(struct doctor *doctor)
{
    uint64_t end_ns = clock_now_ns() + FAREWELL_NS;
    while (clock_now_ns() < end_ns) {
        poll(&(struct pollfd){.fd = channel_descriptor(doctor->channel), .events = POLLIN}, 1,
             GRID_MS);
        doctor_listen(doctor);
    }
}

static uint32_t cores(void)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    int count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return count < 1 ? 1 : count > (int)LANES_MAX ? LANES_MAX : (uint32_t)count;
}

static bool doctor_open(struct doctor *doctor, struct error *error)
{
    const struct doctor_options *options = doctor->options;
    doctor->patients = calloc(options->expect, sizeof *doctor->patients);
    doctor->beds = calloc(options->expect, sizeof *doctor->beds);
    if (doctor->patients == NULL || doctor->beds == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for %u agents",
                         options->expect);
    if (getrandom(doctor->run_id, sizeof doctor->run_id, 0) != (ssize_t)sizeof doctor->run_id)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no random numbers from the kernel");
    if (options->bind == NULL) {
        const struct children_plan plan = {.count = options->expect,
                                           .lanes = cores(),
                                           .allow = "localhost",
                                           .passed = options->passed,
                                           .passed_count = options->passed_count};
        if (!children_start(&doctor->children, &plan, error))
            return false;
        doctor->channel = channel_bind(doctor->children.endpoint, error);
        return doctor->channel != NULL;
    }
    doctor->channel =
        keys_bind(&options->keys, options->bind, options->expect, &doctor->keys, error);
    if (doctor->channel != NULL)
        fprintf(stderr, "doctor at %s, waiting for %u agent%s\n", channel_endpoint(doctor->channel),
                options->expect, options->expect == 1 ? "" : "s");
    return doctor->channel != NULL;
}

static bool write_json(const struct diagnosis *diagnosis, const char *path, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return diagnosis_json(diagnosis, stdout, error);
    FILE *stream = fopen(path, "we");
    if (stream == NULL)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write %s: %s", path,
                         strerror(errno));
    bool written = diagnosis_json(diagnosis, stream, error);
    return fclose(stream) == 0 && written;
}

static int doctor_report(const struct doctor *doctor, const struct plan *plan)
{
    static struct diagnosis diagnosis; /* large for a stack */
    struct error error = {0};
    const char *json = doctor->options->json;
    if (doctor->count == 0) {
        error_set(&error, ERROR_SYSTEM, PLACE_NONE, "no agent came to be examined");
        return leave_for(&error);
    }
    diagnosis_make(&diagnosis, plan, doctor->patients, doctor->count);
    if (json == NULL || strcmp(json, "-") != 0)
        diagnosis_print(&diagnosis, stdout);
    if (json != NULL && !write_json(&diagnosis, json, &error))
        return leave_for(&error);
    return diagnosis_fails(&diagnosis) ? EXIT_MISSED : EXIT_MET;
}

static int doctor_visit(struct doctor_options *options, const struct plan *plan)
{
    if (options->expect == 0)
        options->expect = options->bind != NULL && plan != NULL ? plan->agents_expect : 1;
    if (options->wait_ns == 0)
        options->wait_ns = WAIT_NS;
    struct doctor doctor = {.options = options};
    struct error error = {0};
    int code;
    if (doctor_open(&doctor, &error)) {
        doctor_examine(&doctor);
        doctor_farewell(&doctor);
        code = doctor_report(&doctor, plan);
    } else {
        code = leave_for(&error);
    }
    if (doctor.channel != NULL)
        channel_close(doctor.channel);
    keys_done(&doctor.keys);
    if (doctor.children.pids != NULL)
        children_stop(&doctor.children);
    free(doctor.patients);
    free(doctor.beds);
    return code;
}

int command_doctor(int count, char **arguments)
{
    struct doctor_options options = {0};
    struct error error = {0};
    const char *words[1] = {NULL};
    size_t words_count = 0;
    int code = EXIT_MET;
    if (leave_after(flags_read(&flags, count, arguments, &options, words, &words_count, &error),
                    &error, &code))
        return code;
    struct plan_errors errors = {0};
    struct plan *plan = words_count > 0 ? plan_load(words[0], &errors) : NULL;
    if (words_count > 0 && plan == NULL)
        return leave_for_plan(&errors);
    code = doctor_visit(&options, plan);
    plan_destroy(plan);
    return code;
}
