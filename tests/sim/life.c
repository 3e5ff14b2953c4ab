#include "tests/sim/life.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS      (TICK_MS * NS_PER_MS)
#define BEAT_LEAD_NS (20 * NS_PER_MS)

struct life *life_create(const struct fate *fate, uint32_t host, uint32_t number,
                         struct load_numbers *numbers, uint64_t now_ns, life_send *send,
                         void *context)
{
    const struct fate_host *machine = &fate->hosts[host];
    struct member_config config = {.build = "sim",
                                   .cores = 1,
                                   .max_concurrency = machine->max_concurrency,
                                   .max_rate_milli = machine->max_rate_milli};
    struct life *life = calloc(1, sizeof *life);
    if (life == NULL)
        return NULL;
    snprintf(config.name, sizeof config.name, "host-%u", machine->name);
    life->fate = fate;
    life->host = host;
    life->number = number;
    life->numbers = numbers;
    life->send = send;
    life->context = context;
    life->beat_ns = now_ns;
    life->row = LIFE_NO_ROW;
    snprintf((char *)life->incarnation, ID_BYTES, "life %u", number);
    life->member = member_create(&config, life->incarnation);
    if (life->member == NULL) {
        free(life);
        return NULL;
    }
    return life;
}

void life_destroy(struct life *life)
{
    if (life == NULL)
        return;
    member_destroy(life->member);
    load_destroy(life->load);
    free(life);
}

struct remains life_remains(const struct life *life)
{
    if (life->load == NULL)
        return life->remains;
    const struct meters *meters = load_meters(life->load);
    struct remains remains = {.counters = meters_total(meters),
                              .reached = load_reached(life->load)};
    for (uint32_t i = 1; i < meters->phase_count; i++) {
        const struct histogram *response = &meters->phases[i].kinds[SAMPLE_RESPONSE];
        counters_add(&remains.measured, &meters->phases[i].counters);
        remains.answers += response->total;
        remains.answer_sum_ns += response->sum_ns;
    }
    return remains;
}

void life_end(struct life *life)
{
    life->remains = life_remains(life);
    load_destroy(life->load);
    member_destroy(life->member);
    life->load = NULL;
    life->member = NULL;
}

struct orphan *life_kill(struct life *life)
{
    struct recording_owner owner;
    struct meters *recorded = life->load != NULL ? load_recorded(life->load) : NULL;
    life_end(life);
    if (recorded == NULL)
        return NULL;
    life->killed = true;
    life->remains.counters = meters_total(recorded);
    memcpy(owner.run_id, life->run_id, ID_BYTES);
    memcpy(owner.incarnation, life->incarnation, ID_BYTES);
    return orphan_create(&owner, recorded);
}

static void remember_beat(struct life *life, uint64_t seq)
{
    life->said[seq % LIFE_BEATS].seq = seq;
    life->said[seq % LIFE_BEATS].started =
        life->load != NULL ? meters_total(load_meters(life->load)).started : 0;
}

void life_is_heard(struct life *life, uint64_t seq)
{
    bool known = life->said[seq % LIFE_BEATS].seq == seq;
    if (known && life->said[seq % LIFE_BEATS].started > life->heard_started)
        life->heard_started = life->said[seq % LIFE_BEATS].started;
}

static void perform(void *context, const struct member_action *action)
{
    struct life *life = context;
    switch (action->kind) {
    case MEMBER_SEND:
        if (action->message.type == MESSAGE_BEAT)
            remember_beat(life, action->message.seq);
        life->send(life->context, life, &action->message);
        break;
    case MEMBER_CONFIGURE:
        life->assignment = action->assignment;
        memcpy(life->run_id, action->message.run_id, ID_BYTES);
        break;
    case MEMBER_EXAMINE:
        break; /* no coordinator of the simulation asks */
    case MEMBER_SET:
        life->setpoint = action->setpoint;
        life->has_setpoint = true;
        break;
    case MEMBER_DRAIN:
        life->has_setpoint = false;
        load_drain(life->load, action->deadline_ns);
        break;
    case MEMBER_ABORT:
        life->has_setpoint = false;
        load_drain(life->load, 0);
        break;
    case MEMBER_END:
        life->end = *action;
        life->has_end = true;
        break;
    }
}

static void step(struct life *life, uint64_t now_ns, const struct member_event *event)
{
    if (life->load != NULL)
        load_advance(life->load, now_ns);
    member_step(life->member, now_ns, event, perform, life);
}

static void align(struct life *life, uint64_t now_ns)
{
    uint64_t wanted_ns = now_ns + TICK_NS - BEAT_LEAD_NS;
    uint64_t latest_ns = life->beaten_ns + TICK_NS + BEAT_LEAD_NS;
    life->beat_ns = wanted_ns < latest_ns ? wanted_ns : latest_ns;
}

static void configure(struct life *life, uint64_t now_ns)
{
    const struct assignment *assignment = life->assignment;
    life->assignment = NULL;
    if (assignment == NULL || life->has_end)
        return;
    const struct plan_data *data = life->fate->plan.data;
    for (uint32_t i = 0; i < life->fate->plan.data_count; i++)
        CHECK(memcmp(assignment->data[i].block, data[i].block, data[i].block_bytes) == 0);
    struct load_plan plan = {.phases = assignment->phases,
                             .service_ns = life->fate->service_ns,
                             .seed = life->fate->seed ^ (UINT64_C(1) << 32 | life->number),
                             .numbers = assignment->numbering.used ? life->numbers : NULL,
                             .counted = assignment->numbering.total > 0};
    life->load = load_create(&plan, now_ns);
    CHECK(life->load != NULL);
    step(life, now_ns, &(struct member_event){.kind = MEMBER_CONFIGURED});
}

void life_settle(struct life *life, uint64_t now_ns)
{
    configure(life, now_ns);
    if (life->has_end || !life->has_setpoint)
        return;
    load_advance(life->load, now_ns);
    load_set(life->load, &life->setpoint);
    life->has_setpoint = false;
    align(life, now_ns);
}

void life_hear(struct life *life, uint64_t now_ns, const struct message *message)
{
    step(life, now_ns, &(struct member_event){.kind = MEMBER_MESSAGE, .message = message});
}

void life_tick(struct life *life, uint64_t now_ns)
{
    struct member_event event = {.kind = MEMBER_TICK};
    life->beaten_ns = now_ns;
    life->beat_ns = now_ns + TICK_NS;
    if (life->load != NULL) {
        load_advance(life->load, now_ns);
        event.meters = load_read(life->load);
    }
    step(life, now_ns, &event);
    life_settle(life, now_ns);
}

void life_wake(struct life *life, uint64_t now_ns)
{
    if (life->load != NULL)
        load_wake(life->load, now_ns);
}

void life_interrupt(struct life *life, uint64_t now_ns)
{
    life->interrupted = true;
    step(life, now_ns, &(struct member_event){.kind = MEMBER_INTERRUPT});
    life_settle(life, now_ns);
}
