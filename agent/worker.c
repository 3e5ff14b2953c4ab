#include "agent/worker.h"

#include "agent/worker_count.h"
#include "common/base/check.h"
#include "proto/beat.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static_assert(offsetof(struct worker, connection) == 0, "a connection is the head of its worker");

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Lists: a worker is always in exactly one, that of its state. */

static void list_remove(struct worker_list *list, struct worker *worker)
{
    *(worker->previous != NULL ? &worker->previous->next : &list->first) = worker->next;
    *(worker->next != NULL ? &worker->next->previous : &list->last) = worker->previous;
    list->count--;
}

static void list_append(struct worker_list *list, struct worker *worker)
{
    worker->previous = list->last;
    worker->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = worker;
    list->last = worker;
    list->count++;
}

static void list_prepend(struct worker_list *list, struct worker *worker)
{
    worker->previous = NULL;
    worker->next = list->first;
    *(list->first != NULL ? &list->first->previous : &list->last) = worker;
    list->first = worker;
    list->count++;
}

static void become(struct crew *crew, struct worker *worker, enum worker_state state)
{
    list_remove(&crew->lists[worker->state], worker);
    worker->state = state;
    if (state == WORKER_IDLE || state == WORKER_SPARE)
        list_prepend(&crew->lists[state], worker);
    else
        list_append(&crew->lists[state],
                    worker); /* so by start: BUSY and CONNECTING are deadlines */
}

static struct ending failed(enum failure failure)
{
    return (struct ending){.how = ENDING_FAILED, .failure = failure};
}

static struct ending failed_with(const struct feed_result *result)
{
    return (struct ending){
        .how = ENDING_FAILED, .failure = result->failure, .status = result->status};
}

/* A connection's life */

static void hang_up(struct crew *crew, struct worker *worker)
{
    patience_end(&crew->patience, &worker->patience);
    if (worker->connection.open)
        crew->driver->close(crew->engine, &worker->connection);
}

/* Whoever has lost its connection and request goes back to the lane: as idle where connections come
 * with their requests (but not to be tried again at once in vain), else as spare. */
static void part(struct crew *crew, struct worker *worker, enum parting parting,
                 struct ending ending)
{
    CHECK(!worker->connection.open);
    CHECK(!worker->has_request);
    if (crew->ahead || worker->misses > 0) {
        become(crew, worker, WORKER_SPARE);
        crew->calls->parted(crew->owner, worker, parting, ending);
    } else {
        become(crew, worker, WORKER_IDLE);
        crew->calls->ready(crew->owner, worker);
    }
}

/* Whether the connection has carried as much as it may, or is as old as it may be. */
static bool is_worn(const struct crew *crew, const struct worker *worker, uint64_t now_ns)
{
    return (crew->requests_max > 0 && worker->carried >= crew->requests_max) ||
           (crew->lifetime_ns > 0 && now_ns >= worker->connect_ns + crew->lifetime_ns);
}

/* The request is over; `reusable`: its connection is not. */
static void finish(struct crew *crew, struct worker *worker, struct ending ending, bool reusable)
{
    count_end(crew, worker, ending);
    if (reusable && worker->connection.open && !worker->request.close_after &&
        !is_worn(crew, worker, crew->read_ns)) {
        become(crew, worker, WORKER_IDLE);
        crew->calls->ready(crew->owner, worker);
        return;
    }
    hang_up(crew, worker);
    part(crew, worker, PARTING_REQUEST, ending);
}

/* A connect ahead of any request came to nothing. */
static void miss(struct crew *crew, struct worker *worker, struct ending ending)
{
    hang_up(crew, worker);
    worker->misses++;
    part(crew, worker, PARTING_MISSED, ending);
}

/* An idle connection is gone; it came to nothing when it had carried no request. */
static void lose_idle(struct crew *crew, struct worker *worker, enum failure failure)
{
    hang_up(crew, worker);
    worker->misses += worker->carried == 0;
    part(crew, worker, PARTING_IDLE, failed(failure));
}

static void connect_failed(struct crew *crew, struct worker *worker, int error)
{
    struct ending ending = failed(count_failure(error, FAILURE_CONNECT_FAILED));
    if (ending.failure == FAILURE_LOCAL_PORTS)
        crew->flags |= BEAT_LOCAL_PORTS;
    if (ending.failure == FAILURE_FD_LIMIT)
        crew->flags |= BEAT_FD_LIMIT;
    if (!worker->has_request) {
        miss(crew, worker, ending);
        return;
    }
    worker->misses++;
    finish(crew, worker, ending, false);
}

/* The addresses of this machine take turns. */
static void choose_source(struct crew *crew)
{
    if (crew->source_count == 0)
        return;
    crew->source_next = (crew->source_next + 1) % crew->source_count;
    crew->route.from =
        sources_pick(crew->sources, crew->route.to.as.any.sa_family, crew->source_next);
}

static void begin_connect(struct crew *crew, struct worker *worker, uint64_t now_ns)
{
    worker->connect_ns = now_ns;
    worker->greeted_ns = 0;
    worker->carried = 0;
    worker->error = 0;
    choose_source(crew);
    patience_begin(&crew->patience, &worker->patience, PATIENCE_CONNECT, now_ns);
    if (!crew->driver->connect(crew->engine, &worker->connection, &crew->route, &worker->error))
        become(crew, worker,
               WORKER_SETTLING); /* never inside this call: a chain of them has no end */
}

static void note_sent(struct crew *crew, struct worker *worker, size_t count)
{
    worker->sent += count;
    count_phase(crew, worker)->counters.bytes_sent += count;
    if (worker->sent == worker->request.byte_count && !worker->request.expects_answer)
        become(crew, worker, WORKER_SETTLING);
}

static void send_request(struct crew *crew, struct worker *worker, uint64_t now_ns)
{
    if (worker->request.expects_answer)
        patience_begin(&crew->patience, &worker->patience, PATIENCE_FIRST_BYTE, now_ns);
    if (worker->carried++ > 0 || worker->connection.joined)
        count_phase(crew, worker)->counters.connections_reused++;
    worker->misses = 0;
    ssize_t count = crew->driver->send(crew->engine, &worker->connection, worker->request.bytes,
                                       worker->request.byte_count);
    if (count < 0)
        finish(crew, worker, failed(count_failure((int)-count, FAILURE_SEND)), false);
    else
        note_sent(crew, worker, (size_t)count);
}

/* What the engine tells */

static struct phase_meter *phase_of_connect(struct crew *crew, const struct worker *worker)
{
    return &crew->meters->phases[worker->has_request ? worker->phase : crew->phase];
}

static void count_connection(struct crew *crew, const struct worker *worker)
{
    struct phase_meter *phase = phase_of_connect(crew, worker);
    phase->counters.connections_opened++;
    histogram_record(&phase->kinds[SAMPLE_CONNECT], crew->read_ns - worker->connect_ns);
}

static void on_greeting(void *context, struct connection *connection)
{
    struct crew *crew = context;
    struct worker *worker = (struct worker *)connection;
    count_connection(crew, worker);
    worker->greeted_ns = crew->read_ns;
}

static void on_connected(void *context, struct connection *connection, int error)
{
    struct crew *crew = context;
    struct worker *worker = (struct worker *)connection;
    if (error != 0) {
        connect_failed(crew, worker, error);
        return;
    }
    patience_end(&crew->patience, &worker->patience);
    if (worker->greeted_ns > 0)
        histogram_record(&phase_of_connect(crew, worker)->kinds[SAMPLE_TLS],
                         crew->read_ns - worker->greeted_ns);
    else if (!connection->joined)
        count_connection(crew, worker);
    if (!worker->has_request) {
        become(crew, worker, WORKER_IDLE);
        crew->calls->ready(crew->owner, worker);
    } else if (worker->request.byte_count == 0 && !worker->request.expects_answer) {
        worker->misses = 0;
        finish(crew, worker, (struct ending){.how = ENDING_OK}, true);
    } else {
        send_request(crew, worker, crew->read_ns);
    }
}

static void on_renewed(void *context, struct connection *connection)
{
    struct crew *crew = context;
    count_phase(crew, (struct worker *)connection)->counters.connections_opened++;
}

static void on_sent(void *context, struct connection *connection, size_t count)
{
    note_sent(context, (struct worker *)connection, count);
}

static void feed(struct crew *crew, struct worker *worker, const uint8_t *bytes, size_t count)
{
    struct feed_result result = {0};
    enum feed_outcome outcome =
        crew->workload->feed(crew->configuration, &worker->answer, bytes, count, &result);
    if (outcome == FEED_MORE)
        return;
    struct ending ending = {.how = ENDING_OK, .status = result.status};
    bool reusable = outcome == FEED_DONE && result.reusable;
    worker->following = outcome == FEED_DONE && result.followed && result.consumed == count;
    if (outcome == FEED_FAILED || !result.ok)
        ending = failed_with(&result);
    if (outcome == FEED_DONE && result.consumed < count) {
        ending = failed(FAILURE_UNEXPECTED); /* it said more than it was asked */
        reusable = false;
    }
    /* An early answer to a long request is an answer, but what was not sent would go astray. */
    if (worker->sent < worker->request.byte_count)
        reusable = false;
    finish(crew, worker, ending, reusable);
}

static void on_received(void *context, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    struct crew *crew = context;
    struct worker *worker = (struct worker *)connection;
    if (!worker->has_request) {
        lose_idle(crew, worker, FAILURE_UNEXPECTED);
        return;
    }
    struct phase_meter *phase = count_phase(crew, worker);
    phase->counters.bytes_received += count;
    if (!worker->answered) {
        worker->answered = true;
        patience_end(&crew->patience, &worker->patience);
        /* What nobody asked for may have come before the request that now gets it for an answer. */
        histogram_record(&phase->kinds[SAMPLE_FIRST_BYTE],
                         larger(crew->read_ns, worker->armed_ns) - worker->armed_ns);
    }
    if (worker->state == WORKER_SETTLING)
        return; /* no answer was expected, and it ends as it is */
    feed(crew, worker, bytes, count);
}

/* The target closed its side: whole if the end of the connection was to be the end of the answer.
 */
static void answer_ended(struct crew *crew, struct worker *worker)
{
    struct feed_result result = {0};
    enum feed_outcome outcome = crew->workload->end(crew->configuration, &worker->answer, &result);
    struct ending ending = {.how = ENDING_OK, .status = result.status};
    worker->following = outcome == FEED_DONE && result.followed;
    if (outcome == FEED_MORE)
        ending = failed(FAILURE_CLOSED);
    else if (outcome == FEED_FAILED || !result.ok)
        ending = failed_with(&result);
    finish(crew, worker, ending, false);
}

static void on_closed(void *context, struct connection *connection, int error)
{
    struct crew *crew = context;
    struct worker *worker = (struct worker *)connection;
    if (!worker->has_request)
        lose_idle(crew, worker, FAILURE_CLOSED);
    else if (worker->state == WORKER_SETTLING)
        return; /* its end is known already */
    else if (error != 0)
        finish(crew, worker, failed(count_failure(error, FAILURE_RESET)), false);
    else
        answer_ended(crew, worker);
}

static void on_unsent(void *context, struct connection *connection, int error)
{
    struct crew *crew = context;
    struct worker *worker = (struct worker *)connection;
    if (!worker->has_request) { /* answered before it was asked */
        lose_idle(crew, worker, FAILURE_CLOSED);
        return;
    }
    count_phase(crew, worker)->counters.bytes_sent -= worker->sent;
    worker->sent = 0;
    if (worker->state != WORKER_SETTLING)
        finish(crew, worker, failed(count_failure(error, FAILURE_SEND)), false);
}

static void on_woken(void *context)
{
    struct crew *crew = context;
    crew->woken = true;
}

static const struct engine_listener listener = {
    .greeting = on_greeting,
    .connected = on_connected,
    .renewed = on_renewed,
    .sent = on_sent,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
    .woken = on_woken,
};

/* What the lane tells */

static void *room_of(const struct crew *crew, const struct worker *worker)
{
    return crew->room_bytes > 0 ? crew->rooms + (size_t)(worker - crew->workers) * crew->room_bytes
                                : NULL;
}

uint32_t crew_count(const struct crew *crew)
{
    return crew->used - crew->lists[WORKER_SPARE].count;
}

bool crew_hire(struct crew *crew)
{
    struct worker *worker = crew->lists[WORKER_SPARE].first;
    if (worker == NULL) {
        if (crew->used == crew->capacity)
            return false;
        worker = &crew->workers[crew->used++]; /* WORKER_SPARE is 0, as calloc left it */
        list_prepend(&crew->lists[WORKER_SPARE], worker);
    }
    worker->length_ns = 0;
    worker->misses = 0;
    worker->thinks_ns = 0;
    worker->following = false;
    if (crew->room_bytes > 0)
        memset(room_of(crew, worker), 0, crew->room_bytes);
    crew_connect(crew, worker);
    return true;
}

void crew_connect(struct crew *crew, struct worker *worker)
{
    CHECK(worker->state == WORKER_SPARE || worker->state == WORKER_RESTING);
    CHECK(!worker->connection.open);
    if (!crew->ahead) {
        become(crew, worker, WORKER_IDLE);
        crew->calls->ready(crew->owner, worker);
        return;
    }
    become(crew, worker, WORKER_CONNECTING);
    worker->armed_ns = crew->read_ns;
    begin_connect(crew, worker, crew->read_ns);
}

void crew_rest(struct crew *crew, struct worker *worker, uint64_t retry_ns)
{
    CHECK(worker->state == WORKER_SPARE);
    become(crew, worker, WORKER_RESTING);
    worker->retry_ns = retry_ns;
}

void crew_retire(struct crew *crew, struct worker *worker)
{
    CHECK(!worker->has_request);
    hang_up(crew, worker);
    become(crew, worker, WORKER_SPARE);
}

void crew_pause(struct crew *crew, struct worker *worker)
{
    CHECK(worker->state == WORKER_IDLE);
    become(crew, worker, WORKER_PAUSING);
}

void crew_resume(struct crew *crew, struct worker *worker)
{
    CHECK(worker->state == WORKER_PAUSING || worker->state == WORKER_THINKING);
    become(crew, worker, WORKER_IDLE);
}

void crew_think(struct crew *crew, struct worker *worker)
{
    CHECK(worker->state == WORKER_IDLE);
    become(crew, worker, WORKER_THINKING);
}

void crew_start(struct crew *crew, struct worker *worker, const struct waiting *request,
                uint64_t now_ns)
{
    CHECK(worker->state == WORKER_IDLE);
    count_start(crew, worker, request, now_ns);
    struct workload_turn turn = {worker->kind, worker->index, room_of(crew, worker),
                                 worker->following};
    worker->following = false;
    crew->workload->begin(crew->configuration, &turn, &worker->answer, &worker->request);
    become(crew, worker, WORKER_BUSY);
    if (worker->connection.open && !worker->request.close_after && !is_worn(crew, worker, now_ns)) {
        send_request(crew, worker, now_ns);
        return;
    }
    /* One made ahead is not the one that this request is to make; one may have grown old idle. */
    hang_up(crew, worker);
    begin_connect(crew, worker, now_ns);
}

void crew_fail(struct crew *crew, struct worker *worker, const struct waiting *request,
               struct ending ending)
{
    CHECK(worker->state == WORKER_SPARE);
    count_start(crew, worker, request, larger(crew->read_ns, request->due_ns));
    worker->request = (struct workload_request){.bytes = NULL}; /* nothing of it was sent */
    worker->following = false;
    count_end(crew, worker, ending);
}

void crew_settle(struct crew *crew)
{
    /* Those that settle anew in here wait for the next turn, else a chain would keep the lane. */
    for (uint32_t left = crew->lists[WORKER_SETTLING].count; left > 0; left--) {
        struct worker *worker = crew->lists[WORKER_SETTLING].first;
        if (worker->error != 0)
            connect_failed(crew, worker, worker->error);
        else
            finish(crew, worker, (struct ending){.how = ENDING_OK}, true);
    }
}

/* A connect, or a first byte, took longer than it may. */
static void lose_patience(struct crew *crew, struct patience_link *link)
{
    struct worker *worker = (struct worker *)((char *)link - offsetof(struct worker, patience));
    struct ending ending = {.how = ENDING_TIMED_OUT,
                            .after_ns = crew->patience.limits_ns[link->kind],
                            .waited_for = link->kind};
    if (worker->has_request)
        finish(crew, worker, ending, false);
    else
        miss(crew, worker, ending);
}

void crew_expire(struct crew *crew, uint64_t judged_ns)
{
    const struct ending timed_out = {.how = ENDING_TIMED_OUT, .after_ns = crew->timeout_ns};
    struct worker *worker;
    struct patience_link *link;
    while ((link = patience_expired(&crew->patience, judged_ns)) != NULL)
        lose_patience(crew, link);
    while ((worker = crew->lists[WORKER_BUSY].first) != NULL &&
           worker->armed_ns + crew->timeout_ns <= judged_ns) {
        finish(crew, worker, timed_out, false);
    }
    while ((worker = crew->lists[WORKER_CONNECTING].first) != NULL &&
           worker->armed_ns + crew->timeout_ns <= judged_ns) {
        miss(crew, worker, timed_out);
    }
}

uint64_t crew_deadline(const struct crew *crew)
{
    if (crew->lists[WORKER_SETTLING].count > 0)
        return 0;
    uint64_t first_ns = patience_deadline(&crew->patience);
    const struct worker *busy = crew->lists[WORKER_BUSY].first;
    const struct worker *connecting = crew->lists[WORKER_CONNECTING].first;
    if (busy != NULL && busy->armed_ns + crew->timeout_ns < first_ns)
        first_ns = busy->armed_ns + crew->timeout_ns;
    if (connecting != NULL && connecting->armed_ns + crew->timeout_ns < first_ns)
        first_ns = connecting->armed_ns + crew->timeout_ns;
    return first_ns;
}

void crew_move(struct crew *crew, const struct address *address)
{
    crew->route = (struct route){.to = *address};
    crew->source_count = 0;
    crew->source_next = 0;
    if (crew->sources != NULL)
        crew->source_count = sources_count(crew->sources, address->as.any.sa_family);
}

void crew_cut(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->used; i++) {
        struct worker *worker = &crew->workers[i];
        if (worker->has_request && count_reached(worker))
            count_cut(crew, worker, larger(crew->read_ns, worker->armed_ns));
        else if (worker->has_request)
            count_end(crew, worker, failed(FAILURE_CONNECT_FAILED));
        crew_retire(crew, worker);
    }
}

/* Whether any kind of request is sent on a connection that was there before. */
static bool connects_ahead(const struct crew_plan *plan)
{
    for (uint32_t kind = 0; kind < plan->assignment->request_count; kind++) {
        if (plan->workload->reuses(plan->configuration, kind))
            return true;
    }
    return false;
}

static void begin_mix(struct crew *crew, const struct crew_plan *plan)
{
    uint32_t weights[REQUEST_NAMES_MAX];
    for (uint32_t i = 0; i < plan->assignment->request_count; i++)
        weights[i] = plan->assignment->requests[i].weight;
    mix_init(&crew->mix, weights, plan->assignment->request_count, plan->seed);
    mix_number(&crew->mix, plan->assignment->seed);
}

/* A whole number of the most demanding type, so that every room is aligned; pages that nobody
 * touches cost nothing. */
static bool take_rooms(struct crew *crew)
{
    if (crew->workload->room_bytes == NULL)
        return true;
    const size_t unit = _Alignof(max_align_t);
    size_t wanted = crew->workload->room_bytes(crew->configuration);
    crew->room_bytes = (wanted + unit - 1) / unit * unit;
    if (crew->room_bytes > 0)
        crew->rooms = calloc(crew->capacity, crew->room_bytes);
    return crew->room_bytes == 0 || crew->rooms != NULL;
}

static struct patience patience_for(const struct assignment_connection *connection)
{
    struct patience patience = {0};
    patience.limits_ns[PATIENCE_CONNECT] = connection->connect_timeout_ns;
    patience.limits_ns[PATIENCE_FIRST_BYTE] = connection->first_byte_timeout_ns;
    return patience;
}

/* Each lane begins somewhere else, by its seed. */
static void take_sources(struct crew *crew, const struct crew_plan *plan)
{
    crew->sources = plan->reach->sources;
    crew_move(crew, &plan->reach->address);
    if (crew->source_count > 0)
        crew->source_next = (uint32_t)(plan->seed % crew->source_count);
}

bool crew_init(struct crew *crew, const struct crew_plan *plan, const struct crew_calls *calls,
               void *owner, struct error *error)
{
    CHECK(plan->capacity >= 1);
    const struct assignment *assignment = plan->assignment;
    *crew = (struct crew){
        .calls = calls,
        .owner = owner,
        .driver = plan->driver,
        .workload = plan->workload,
        .configuration = plan->configuration,
        .timeout_ns = assignment->timeout_ns,
        .patience = patience_for(&assignment->connection),
        .lifetime_ns = assignment->connection.lifetime_ns,
        .requests_max = assignment->connection.requests_max,
        .ahead = connects_ahead(plan),
        .numbered = plan->numbers != NULL,
        .capacity = plan->capacity,
    };
    begin_mix(crew, plan);
    take_sources(crew, plan);
    crew->meters = plan->meters != NULL
                       ? meters_create_at(plan->meters, assignment->phases,
                                          assignment->request_count, assignment->latency_digest)
                       : meters_create(assignment->phases, assignment->request_count,
                                       assignment->latency_digest);
    crew->occupancy = calloc(assignment->phases, sizeof *crew->occupancy);
    crew->workers = calloc(plan->capacity, sizeof *crew->workers);
    if (crew->meters == NULL || crew->occupancy == NULL || crew->workers == NULL ||
        !take_rooms(crew))
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for %u workers",
                         plan->capacity);
    crew->engine = crew->driver->create(crew->driver, &listener, crew, error);
    return crew->engine != NULL;
}

void crew_done(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->used; i++)
        hang_up(crew, &crew->workers[i]);
    if (crew->driver != NULL)
        crew->driver->destroy(crew->engine);
    free(crew->rooms);
    free(crew->workers);
    free(crew->occupancy);
    meters_destroy(crew->meters);
}
