#include "tests/sim/world.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "tests/sim/promises.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS      (TICK_MS * NS_PER_MS)
#define BEGIN_NS     (1000 * NS_PER_S)
#define REJOIN_NS    (1 * NS_PER_S)  /* as agent/agent.c */
#define OVERTIME_NS  (25 * NS_PER_S) /* a drain, its grace, a frozen coordinator */
#define AFTERLIFE_NS (10 * NS_PER_S) /* after the end, and a lease: nothing runs by then */
#define NUMBERS_MAX  1000000u        /* more than any run gives out */
#define NEVER        UINT64_MAX

void world_break(struct world *world, const char *format, ...)
{
    if (world->result->broken[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->result->broken, sizeof world->result->broken, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void tell(const struct world *world,
                                                       const char *format, ...)
{
    if (world->trace == NULL)
        return;
    fprintf(world->trace, "%10.4f ", (double)(world->now_ns - BEGIN_NS) / 1e9);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(world->trace, format, arguments);
    va_end(arguments);
    fputc('\n', world->trace);
}

/* Takes a moment and what happened in it into the hash, eight bytes at a time: FNV-1a with a turn,
 * as its multiplication alone never carries a high bit down. */
static void note(struct world *world, const void *bytes, size_t byte_count)
{
    uint64_t hash = world->result->hash ^ world->now_ns;
    for (size_t at = 0; at < byte_count; at += sizeof hash) {
        size_t left = byte_count - at;
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)bytes + at, left < sizeof word ? left : sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    world->result->hash = hash;
}

uint64_t world_local_ns(const struct world *world, uint32_t host, uint64_t now_ns)
{
    const struct fate_host *machine = &world->fate.hosts[host];
    int64_t since_ns = (int64_t)(now_ns - BEGIN_NS);
    return now_ns + machine->clock_ns + (uint64_t)(since_ns * machine->drift_ppm / 1000000);
}

/* The first moment at which that clock shows `local_ns`. */
static uint64_t true_ns(const struct world *world, uint32_t host, uint64_t local_ns)
{
    const struct fate_host *machine = &world->fate.hosts[host];
    double since_ns = (double)(int64_t)(local_ns - machine->clock_ns - BEGIN_NS) /
                      (1.0 + (double)machine->drift_ppm / 1e6);
    uint64_t at_ns = BEGIN_NS + (uint64_t)(since_ns > 0.0 ? since_ns : 0.0);
    while (world_local_ns(world, host, at_ns) < local_ns)
        at_ns += NS_PER_MS / 100;
    return at_ns;
}

static uint64_t local_now(const struct world *world, uint32_t host)
{
    return world_local_ns(world, host, world->now_ns);
}

/* Messages as bytes. An address is a life and its connection. */

static uint64_t address_of(const struct life *life)
{
    return (uint64_t)life->number << 32 | life->connection;
}

static struct life *life_at(const struct world *world, uint64_t address)
{
    CHECK(address >> 32 < world->life_count);
    return world->lives[address >> 32];
}

static void put(struct world *world, const struct life *life, enum way way, uint64_t address,
                const struct message *message)
{
    static uint8_t bytes[MESSAGE_BYTES_MAX];
    size_t byte_count = message_encode(message, bytes, sizeof bytes);
    CHECK(byte_count > 0);
    note(world, &address, sizeof address);
    note(world, bytes, byte_count);
    network_send(world->network, world->now_ns, life->host, way, address, bytes, byte_count);
}

static void send_up(void *context, const struct life *life, const struct message *message)
{
    struct world *world = context;
    tell(world, "life %u says %s %llu", life->number, message_word(message->type),
         (unsigned long long)message->seq);
    put(world, life, WAY_UP, address_of(life), message);
}

static void send_down(struct world *world, const struct session_action *action)
{
    uint64_t address;
    memcpy(&address, action->peer.bytes, sizeof address);
    struct life *life = life_at(world, address);
    const struct message *message = action->message;
    tell(world, "coordinator says %s %llu to life %u", message_word(message->type),
         (unsigned long long)message->seq, life->number);
    if (message->type == MESSAGE_SETPOINT)
        tell(world, "    %llu milliworkers, %llu milli/s",
             (unsigned long long)message->as.setpoint.concurrency_milli,
             (unsigned long long)message->as.setpoint.rate_milli);
    if (message->type == MESSAGE_WELCOME && life->row == LIFE_NO_ROW)
        life->row = world->rows++;
    put(world, life, WAY_DOWN, address, message);
}

/* The bytes must outlive what is decoded. */
static struct message read_packet(const struct packet *packet)
{
    struct message message;
    struct error error = {0};
    bool good = message_decode(packet->bytes, packet->byte_count, &message, &error);
    if (!good)
        fprintf(stderr, "%s\n", error.message);
    CHECK(good);
    return message;
}

static void keep(struct inbox *inbox, const struct packet *packet)
{
    if (inbox->count == inbox->capacity) {
        inbox->capacity = inbox->capacity == 0 ? 64 : 2 * inbox->capacity;
        inbox->packets = reallocarray(inbox->packets, inbox->capacity, sizeof *inbox->packets);
        CHECK(inbox->packets != NULL);
    }
    inbox->packets[inbox->count++] = *packet;
}

static void inbox_clear(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->count; i++)
        free(inbox->packets[i].bytes);
    inbox->count = 0;
}

/* The coordinator. */

static void session_performs(void *context, const struct session_action *action)
{
    struct world *world = context;
    switch (action->kind) {
    case SESSION_SEND:
        send_down(world, action);
        break;
    case SESSION_SHOW:
        if (action->tick->state == SESSION_DRAINING && world->shown.state < SESSION_DRAINING)
            world->lost_at_drain = action->tick->agents_lost;
        promises_check_shown(world, &action->tick->total);
        world->shown = *action->tick;
        note(world, &world->shown.total, sizeof world->shown.total);
        if (world->load_began_ns == 0 && world->shown.state > SESSION_CONNECTING &&
            world->shown.state < SESSION_DRAINING)
            world->load_began_ns = world->now_ns;
        promises_check_tick(world);
        break;
    case SESSION_KEEP:
    case SESSION_SAVE:
        break;
    case SESSION_EVENT:
        tell(world, "event %s: %s", action->event->kind, action->event->sentence);
        note(world, action->event->sentence, strlen(action->event->sentence));
        break;
    case SESSION_END:
        tell(world, "coordinator ends");
        world->ended = true;
        world->ended_ns = world->now_ns;
        break;
    }
}

static void step_session(struct world *world, struct session_event event)
{
    session_step(world->session, world->now_ns, &event, session_performs, world);
}

static void session_hears(struct world *world, const struct packet *packet)
{
    struct message message = read_packet(packet);
    struct life *life = life_at(world, packet->address);
    note(world, &packet->number, sizeof packet->number);
    struct peer_id peer = {.length = sizeof packet->address};
    memcpy(peer.bytes, &packet->address, sizeof packet->address);
    if (message.type == MESSAGE_BEAT)
        life_is_heard(life, message.seq);
    uint64_t told_t = message.type == MESSAGE_HELLO  ? message.as.hello.t_agent
                      : message.type == MESSAGE_BEAT ? message.as.beat.t_agent
                                                     : 0;
    if (told_t > life->heard_t)
        life->heard_t = told_t;
    step_session(
        world, (struct session_event){.kind = SESSION_MESSAGE, .peer = &peer, .message = &message});
}

static bool is_frozen(const struct world *world, uint64_t until_ns)
{
    return world->now_ns < until_ns;
}

static void tick_coordinator(struct world *world)
{
    for (size_t i = 0; i < world->inbox.count && !world->ended; i++)
        session_hears(world, &world->inbox.packets[i]);
    inbox_clear(&world->inbox);
    step_session(world, (struct session_event){.kind = SESSION_TICK});
    world->tick_ns = world->ended ? NEVER : world->now_ns + TICK_NS;
}

/* Agents. */

static void begin_life(struct world *world, uint32_t index)
{
    struct host *host = &world->hosts[index];
    CHECK(world->life_count < LIVES_MAX);
    struct life *life = life_create(&world->fate, index, world->life_count, &world->numbers,
                                    local_now(world, index), send_up, world);
    CHECK(life != NULL);
    tell(world, "life %u begins on host %u", life->number, index);
    world->lives[world->life_count++] = life;
    host->life = life;
    host->born_ns = NEVER;
}

/* Its process is gone, and what waited for it. */
static void bury(struct world *world, struct host *host, uint64_t again_ns)
{
    counters_add(&world->past, &host->life->remains.counters);
    host->life = NULL;
    inbox_clear(&host->inbox);
    host->frozen_until_ns = 0;
    host->gone = again_ns == NEVER;
    host->born_ns = again_ns;
}

static void end_life(struct world *world, struct host *host, uint64_t again_ns)
{
    life_end(host->life);
    bury(world, host, again_ns);
}

/* The flight recorder, as agent/recorder.c has it: in files there. */

static void recorder_hears(struct host *host, const struct message *message)
{
    for (uint32_t i = 0; i < host->orphan_count; i++)
        orphan_hear(host->orphans[i], message);
}

static void recorder_says(struct world *world, struct host *host)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < host->orphan_count; i++) {
        struct orphan *orphan = host->orphans[i];
        struct message message;
        while (orphan_say(orphan, local_now(world, host->life->host), &message))
            send_up(world, host->life, &message);
        if (orphan_is_heard(orphan)) {
            orphan_destroy(orphan);
            world->result->recovered++;
        } else {
            host->orphans[kept++] = orphan;
        }
    }
    host->orphan_count = kept;
}

/* The shell after each step: agent_end(). */
static void settle_host(struct world *world, struct host *host)
{
    struct life *life = host->life;
    life_settle(life, local_now(world, life->host));
    if (!life->has_end)
        return;
    uint64_t rejoin_ns = life->end.retry_ms * NS_PER_MS;
    if (rejoin_ns < REJOIN_NS)
        rejoin_ns = REJOIN_NS;
    tell(world, "life %u is over: %s", life->number, life->end.sentence);
    promises_check_end(world, life);
    end_life(world, host, life->interrupted ? NEVER : world->now_ns + rejoin_ns);
}

static void host_hears(struct world *world, struct host *host, const struct packet *packet)
{
    struct life *life = host->life;
    if (life->has_end || packet->address != address_of(life))
        return;
    struct message message = read_packet(packet);
    note(world, &packet->number, sizeof packet->number);
    tell(world, "life %u hears %s %llu", life->number, message_word(message.type),
         (unsigned long long)message.seq);
    recorder_hears(host, &message);
    life_hear(life, local_now(world, life->host), &message);
}

static void wake_host(struct world *world, struct host *host)
{
    tell(world, "life %u wakes", host->life->number);
    host->frozen_until_ns = 0;
    life_wake(host->life, local_now(world, host->life->host));
    for (size_t i = 0; i < host->inbox.count; i++)
        host_hears(world, host, &host->inbox.packets[i]);
    inbox_clear(&host->inbox);
    settle_host(world, host);
}

static void tick_host(struct world *world, uint32_t index)
{
    struct host *host = &world->hosts[index];
    if (host->life == NULL)
        begin_life(world, index);
    else if (host->frozen_until_ns > 0)
        wake_host(world, host);
    if (host->life == NULL)
        return;
    life_tick(host->life, local_now(world, index));
    recorder_says(world, host);
    settle_host(world, host);
}

/* UINT64_MAX: never. */
static uint64_t next_tick_ns(const struct world *world, uint32_t index)
{
    const struct host *host = &world->hosts[index];
    if (host->gone)
        return NEVER;
    if (host->life == NULL)
        return host->born_ns;
    if (host->frozen_until_ns > 0)
        return host->frozen_until_ns;
    uint64_t at_ns = true_ns(world, index, host->life->beat_ns);
    return at_ns > world->now_ns ? at_ns : world->now_ns;
}

static void deliver(struct world *world)
{
    struct packet packet = network_take(world->network);
    struct host *host = &world->hosts[packet.link];
    bool frozen = packet.way == WAY_UP ? is_frozen(world, world->frozen_until_ns)
                                       : host->life != NULL && host->frozen_until_ns > 0;
    if (frozen) {
        keep(packet.way == WAY_UP ? &world->inbox : &host->inbox, &packet);
        return;
    }
    if (packet.way == WAY_UP && !world->ended) {
        session_hears(world, &packet);
    } else if (packet.way == WAY_DOWN && host->life != NULL) {
        host_hears(world, host, &packet);
        settle_host(world, host);
    }
    free(packet.bytes);
}

/* Faults. */

static void cut(struct world *world, const struct fault *fault)
{
    uint64_t until_ns = world->now_ns + fault->for_ns;
    struct life *life = world->hosts[fault->host].life;
    if (fault->kind != FAULT_CUT_DOWN)
        network_cut(world->network, fault->host, WAY_UP, until_ns, fault->keeps);
    if (fault->kind != FAULT_CUT_UP)
        network_cut(world->network, fault->host, WAY_DOWN, until_ns, fault->keeps);
    if (fault->reconnects && life != NULL)
        life->connection++;
}

static void freeze(struct world *world, const struct fault *fault)
{
    struct host *host = &world->hosts[fault->host];
    if (host->life == NULL || host->frozen_until_ns > 0)
        return;
    if (host->life->load != NULL)
        load_advance(host->life->load, local_now(world, fault->host));
    host->frozen_until_ns = world->now_ns + fault->for_ns;
}

static void kill_host(struct world *world, const struct fault *fault)
{
    struct host *host = &world->hosts[fault->host];
    if (host->life == NULL)
        return;
    if (host->life->load != NULL && host->frozen_until_ns == 0)
        load_advance(host->life->load, local_now(world, fault->host));
    struct orphan *orphan = life_kill(host->life);
    CHECK(host->orphan_count < ORPHANS_MAX);
    if (orphan != NULL)
        host->orphans[host->orphan_count++] = orphan;
    bury(world, host, fault->for_ever ? NEVER : world->now_ns + fault->for_ns);
}

static void interrupt(struct world *world, const struct fault *fault)
{
    struct host *host = &world->hosts[fault->host];
    if (host->life == NULL || host->frozen_until_ns > 0)
        return;
    life_interrupt(host->life, local_now(world, fault->host));
    settle_host(world, host);
}

static void signal_coordinator(struct world *world, enum session_event_kind kind)
{
    if (!world->ended && !is_frozen(world, world->frozen_until_ns))
        step_session(world, (struct session_event){.kind = kind});
}

static void befall(struct world *world, const struct fault *fault)
{
    note(world, &fault->for_ns, sizeof fault->for_ns);
    tell(world, "fault: %s, host %u, %.3f s", fault_word(fault->kind), fault->host,
         (double)fault->for_ns / 1e9);
    switch (fault->kind) {
    case FAULT_CUT_UP:
    case FAULT_CUT_DOWN:
    case FAULT_CUT_BOTH:
        cut(world, fault);
        break;
    case FAULT_FREEZE:
        freeze(world, fault);
        break;
    case FAULT_KILL:
        kill_host(world, fault);
        break;
    case FAULT_INTERRUPT:
        interrupt(world, fault);
        break;
    case FAULT_FREEZE_COORDINATOR:
        if (!world->ended && !is_frozen(world, world->frozen_until_ns))
            world->tick_ns = world->frozen_until_ns = world->now_ns + fault->for_ns;
        break;
    case FAULT_DRAIN:
        signal_coordinator(world, SESSION_DRAIN);
        break;
    case FAULT_ABORT:
        signal_coordinator(world, SESSION_ABORT);
        break;
    case FAULT_KINDS:
        break;
    }
}

static uint64_t next_fault_ns(const struct world *world)
{
    return world->fault_next < world->fate.fault_count
               ? BEGIN_NS + world->fate.faults[world->fault_next].at_ns
               : NEVER;
}

static uint64_t next_weather_ns(const struct world *world)
{
    if (world->calmed)
        return NEVER;
    return BEGIN_NS + (world->calm ? world->fate.calm_to_ns : world->fate.calm_from_ns);
}

static void change_weather(struct world *world)
{
    tell(world, "the calm %s", world->calm ? "ends" : "begins");
    if (world->calm)
        promises_check_healed(world);
    world->calmed = world->calm;
    world->calm = !world->calm;
    network_set_weather(world->network, world->calm ? &world->fate.fair : &world->fate.foul);
}

/* Life of a world. */

static void assign(struct world *world)
{
    static const uint8_t bytes[] = "GET / HTTP/1.1\r\n\r\n";
    const struct plan *plan = &world->fate.plan;
    struct assignment assignment = {
        .workload = "http1",
        .host = "target",
        .port = 80,
        .open_arrivals = true,
        .keep_alive = plan->keep_alive,
        .timeout_ns = plan->timeout_ns,
        .phases = schedule_phase_count(&plan->schedule),
        .duration_ns = plan->schedule.duration_ns,
        .concurrency_max = plan->concurrency_max,
        .numbering = {.used = plan_numbers(plan), .total = plan->requests_total},
        .request_count = 1,
        .requests = {{.name = "all", .weight = 1, .bytes = bytes, .byte_count = sizeof bytes - 1}}};
    struct error error = {0};
    uint8_t digest[DIGEST_BYTES];
    assignment.data_count = plan->data_count;
    if (plan->data_count > 0) {
        assignment_digest(plan->data[0].block, plan->data[0].block_bytes, digest);
        assignment.data[0] = (struct assignment_data){
            .name = {(const uint8_t *)plan->data[0].name, strlen(plan->data[0].name)},
            .byte_count = plan->data[0].block_bytes,
            .digest = {digest, sizeof digest}};
    }
    CHECK(assignment_encode(&assignment, world->assignment, &world->assignment_bytes, &error));
}

static void tell_fate(const struct world *world)
{
    const struct fate *fate = &world->fate;
    tell(world, "seed %llu: %u hosts, %u awaited, lease %u ms, %.0f/s, at most %u workers, %u",
         (unsigned long long)fate->seed, fate->host_count, fate->agents_expect, fate->lease_ms,
         fate->plan.schedule.value, fate->plan.concurrency_max, fate->plan.on_loss);
    for (uint32_t i = 0; i < fate->host_count; i++)
        tell(world, "host %u: named %u, joins at %.3f s, %+lld ppm, at most %u workers", i,
             fate->hosts[i].name, (double)fate->hosts[i].joins_ns / 1e9,
             (long long)fate->hosts[i].drift_ppm, fate->hosts[i].max_concurrency);
}

static void create(struct world *world)
{
    struct session_config config = {.plan = &world->fate.plan,
                                    .assignment = world->assignment,
                                    .run_id = "a simulated run",
                                    .epoch = 1,
                                    .agents_expect = world->fate.agents_expect,
                                    .wait_ns = world->fate.wait_ns,
                                    .lease_ms = world->fate.lease_ms};
    struct error error = {0};
    assign(world);
    config.assignment_bytes = world->assignment_bytes;
    world->now_ns = world->tick_ns = BEGIN_NS;
    world->session = session_create(&config, &error);
    world->network = network_create(world->fate.host_count, world->fate.seed);
    CHECK(world->session != NULL);
    CHECK(world->network != NULL);
    tell_fate(world);
    network_set_weather(world->network, &world->fate.foul);
    uint64_t total = world->fate.plan.requests_total;
    world->numbers.size = total > 0 ? total : NUMBERS_MAX;
    world->numbers.taken = calloc(world->numbers.size, sizeof *world->numbers.taken);
    CHECK(world->numbers.taken != NULL);
    for (uint32_t i = 0; i < world->fate.host_count; i++)
        world->hosts[i].born_ns = BEGIN_NS + world->fate.hosts[i].joins_ns;
}

static void destroy(struct world *world)
{
    for (uint32_t i = 0; i < world->life_count; i++)
        life_destroy(world->lives[i]);
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        inbox_clear(&world->hosts[i].inbox);
        free(world->hosts[i].inbox.packets);
        for (uint32_t j = 0; j < world->hosts[i].orphan_count; j++)
            orphan_destroy(world->hosts[i].orphans[j]);
    }
    inbox_clear(&world->inbox);
    free(world->inbox.packets);
    free(world->numbers.taken);
    network_destroy(world->network);
    session_destroy(world->session);
    free(world);
}

/* What comes next. Of one moment: the weather, faults, messages, then ticks. */
static void happen(struct world *world)
{
    uint64_t weather_ns = next_weather_ns(world);
    uint64_t fault_ns = next_fault_ns(world);
    uint64_t packet_ns = network_next_ns(world->network);
    uint64_t host_ns = NEVER;
    uint32_t host = 0;
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        uint64_t at_ns = next_tick_ns(world, i);
        if (at_ns < host_ns) {
            host_ns = at_ns;
            host = i;
        }
    }
    uint64_t rest_ns = host_ns < world->tick_ns ? host_ns : world->tick_ns;
    rest_ns = packet_ns < rest_ns ? packet_ns : rest_ns;
    if (weather_ns <= fault_ns && weather_ns <= rest_ns) {
        world->now_ns = weather_ns;
        change_weather(world);
    } else if (fault_ns <= rest_ns) {
        world->now_ns = fault_ns;
        befall(world, &world->fate.faults[world->fault_next++]);
    } else if (packet_ns <= rest_ns) {
        world->now_ns = packet_ns;
        deliver(world);
    } else if (host_ns <= world->tick_ns) {
        world->now_ns = host_ns;
        tick_host(world, host);
    } else {
        world->now_ns = world->tick_ns;
        tick_coordinator(world);
    }
}

/* The last that may still run. */
static void live_on(struct world *world)
{
    for (uint32_t i = 0; i < world->fate.host_count; i++) {
        struct life *life = world->hosts[i].life;
        if (life == NULL || life->load == NULL)
            continue;
        if (world->hosts[i].frozen_until_ns > 0)
            load_wake(life->load, local_now(world, i));
        else
            load_advance(life->load, local_now(world, i));
    }
}

static bool goes_on(const struct world *world)
{
    return world->result->broken[0] == '\0' &&
           (!world->ended ||
            world->now_ns < world->ended_ns + AFTERLIFE_NS + world->fate.lease_ms * NS_PER_MS);
}

void world_run(uint64_t seed, FILE *trace, struct world_result *result)
{
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    *result = (struct world_result){0};
    world->trace = trace;
    world->result = result;
    fate_draw(seed, &world->fate);
    create(world);
    uint64_t latest_ns =
        BEGIN_NS + world->fate.wait_ns + world->fate.plan.schedule.duration_ns + OVERTIME_NS;
    while (goes_on(world)) {
        happen(world);
        promises_check_step(world);
        if (!world->ended && world->now_ns > latest_ns)
            world_break(world, "the run does not end");
    }
    live_on(world);
    if (result->broken[0] == '\0')
        promises_check_report(world);
    struct network_counts counts = network_counts(world->network);
    result->lives = world->life_count;
    result->packets_lost = counts.lost;
    result->packets_repeated = counts.repeated;
    destroy(world);
}
