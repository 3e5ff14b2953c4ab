#include "agent/engine_shared.h"

#include "common/base/check.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct seat_list {
    struct seat *first, *last;
    uint32_t count;
};

struct carrier {
    struct connection connection; /* first: the engine below hands it back to us */
    struct engine *engine;
    struct carrier *previous, *next; /* those with room before those without */
    struct carrier *next_noted;
    bool noted;
    bool unflushed;                   /* the protocol may have something to send */
    void *talk;                       /* NULL: not connected */
    struct seat_list pending, seated; /* arriving and waiting; idle and asked */
    uint32_t seats_max;
    bool ready, leaving, broken;
    bool counted;        /* a worker was told that it made this connection */
    int error;           /* of a send, to be told */
    uint64_t flush;      /* how often something was pulled */
    size_t sending_left; /* of what was pulled last */
    uint8_t bytes[CARRIER_BYTES];
};

struct engine {
    const struct engine_listener *listener;
    void *context;
    const struct shared_settings *settings;
    struct engine *below;
    struct route route; /* the newest */
    struct carrier *first, *last;
    struct carrier *noted;   /* those that something is to be done about */
    uint32_t seats_expected; /* on one that is not ready: as the last one had it */
};

/* Lists */

static void seat_append(struct seat_list *list, struct seat *seat)
{
    seat->previous = list->last;
    seat->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = seat;
    list->last = seat;
    list->count++;
}

static void seat_remove(struct seat_list *list, struct seat *seat)
{
    *(seat->previous != NULL ? &seat->previous->next : &list->first) = seat->next;
    *(seat->next != NULL ? &seat->next->previous : &list->last) = seat->previous;
    list->count--;
}

static struct seat_list *list_of(struct seat *seat)
{
    bool pending = seat->state == SEAT_ARRIVING || seat->state == SEAT_WAITING;
    return pending ? &seat->carrier->pending : &seat->carrier->seated;
}

static void carrier_unlink(struct carrier *carrier)
{
    struct engine *engine = carrier->engine;
    *(carrier->previous != NULL ? &carrier->previous->next : &engine->first) = carrier->next;
    *(carrier->next != NULL ? &carrier->next->previous : &engine->last) = carrier->previous;
}

static void carrier_link(struct carrier *carrier, bool front)
{
    struct engine *engine = carrier->engine;
    carrier->previous = front ? NULL : engine->last;
    carrier->next = front ? engine->first : NULL;
    *(carrier->previous != NULL ? &carrier->previous->next : &engine->first) = carrier;
    *(carrier->next != NULL ? &carrier->next->previous : &engine->last) = carrier;
}

/* Something is to be done about `carrier` when the lane waits or tells. */
static void note(struct carrier *carrier)
{
    carrier->unflushed = true;
    if (carrier->noted)
        return;
    carrier->noted = true;
    carrier->next_noted = carrier->engine->noted;
    carrier->engine->noted = carrier;
}

static bool has_room(const struct carrier *carrier)
{
    uint32_t most = carrier->ready ? carrier->seats_max : carrier->engine->seats_expected;
    return !carrier->leaving && !carrier->broken &&
           carrier->pending.count + carrier->seated.count < most;
}

static void sort_in(struct carrier *carrier)
{
    carrier_unlink(carrier);
    carrier_link(carrier, has_room(carrier));
}

/* Seats */

static void detach(struct seat *seat)
{
    struct carrier *carrier = seat->carrier;
    seat_remove(list_of(seat), seat);
    seat->carrier = NULL;
    sort_in(carrier);
    note(carrier); /* perhaps that was the last one */
}

static struct carrier *open_carrier(struct engine *engine, int *error)
{
    const struct engine_driver *below = engine->settings->below;
    struct carrier *carrier = malloc(sizeof *carrier);
    if (carrier == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    memset(carrier, 0, offsetof(struct carrier, bytes)); /* the buffer costs what is used of it */
    carrier->engine = engine;
    if (!below->connect(engine->below, &carrier->connection, &engine->route, error)) {
        free(carrier);
        return NULL;
    }
    carrier_link(carrier, true);
    return carrier;
}

/* Puts a seat that is arriving or waiting where there is room. False: there is none to be had. */
static bool find_place(struct engine *engine, struct seat *seat, int *error)
{
    struct carrier *carrier = engine->first;
    if (carrier == NULL || !has_room(carrier))
        carrier = open_carrier(engine, error);
    if (carrier == NULL)
        return false;
    seat->carrier = carrier;
    seat_append(&carrier->pending, seat);
    sort_in(carrier);
    note(carrier);
    return true;
}

/* Tells the worker that its seat is gone. */
static void dismiss(struct engine *engine, struct seat *seat, int error, bool unsent)
{
    const struct engine_listener *listener = engine->listener;
    struct connection *connection = seat->connection;
    enum seat_state state = seat->state;
    if (seat->carrier != NULL)
        detach(seat);
    free(seat);
    *connection = (struct connection){0};
    if (state == SEAT_ARRIVING)
        listener->connected(engine->context, connection, error != 0 ? error : ECONNRESET);
    else if (state == SEAT_WAITING || (state == SEAT_ASKED && unsent))
        listener->unsent(engine->context, connection, error != 0 ? error : EPIPE);
    else
        listener->closed(engine->context, connection, error);
}

/* Whether it is sure that the target saw nothing of the seat's request. */
static bool is_unsent(const struct seat *seat, bool flush_unsent)
{
    return !seat->written || (flush_unsent && seat->flush == seat->carrier->flush);
}

/* The carrier is closed below; each of its seats hears of it. `flush_unsent`: nothing of the last
 * flush went out. */
static void break_carrier(struct carrier *carrier, int error, bool flush_unsent)
{
    if (carrier->broken)
        return;
    carrier->broken = true;
    sort_in(carrier);
    note(carrier);
    struct seat *seat;
    while ((seat = carrier->pending.first) != NULL || (seat = carrier->seated.first) != NULL) {
        bool unsent = is_unsent(seat, flush_unsent);
        if (seat->state == SEAT_ASKED && unsent && carrier->leaving)
            seat_refused(seat); /* the target had said so before it left */
        else
            dismiss(carrier->engine, seat, error, unsent);
    }
}

static void shut_carrier(struct carrier *carrier, int error, bool flush_unsent)
{
    if (carrier->connection.open)
        carrier->engine->settings->below->close(carrier->engine->below, &carrier->connection);
    break_carrier(carrier, error, flush_unsent);
}

/* Hands the seat's request to the protocol. Not 0: the error. */
static int ask(struct seat *seat)
{
    struct carrier *carrier = seat->carrier;
    CHECK(carrier->ready);
    seat->state = SEAT_ASKED;
    seat->written = false;
    note(carrier);
    return carrier->engine->settings->protocol->ask(carrier->talk, seat);
}

/* The request goes over another carrier. */
static void move(struct engine *engine, struct seat *seat)
{
    int error = 0;
    detach(seat);
    seat->state = SEAT_WAITING;
    if (!find_place(engine, seat, &error))
        dismiss(engine, seat, error, true);
}

/* What protocols tell */

void carrier_ready(struct carrier *carrier, uint32_t seats)
{
    uint32_t most = carrier->engine->settings->seats_max;
    CHECK(seats >= 1);
    carrier->ready = true;
    carrier->seats_max = seats < most ? seats : most;
    carrier->engine->seats_expected = carrier->seats_max;
    sort_in(carrier);
    note(carrier);
}

void carrier_leave(struct carrier *carrier)
{
    carrier->leaving = true;
    sort_in(carrier);
}

void seat_written(struct seat *seat)
{
    seat->written = true;
    seat->flush = seat->carrier->flush;
}

void seat_answer(struct seat *seat, const uint8_t *bytes, size_t count, bool last)
{
    struct engine *engine = seat->carrier->engine;
    if (last)
        seat->state = SEAT_IDLE;
    if (count > 0)
        engine->listener->received(engine->context, seat->connection, bytes, count);
}

void seat_ended(struct seat *seat, int error)
{
    dismiss(seat->carrier->engine, seat, error, is_unsent(seat, false));
}

void seat_refused(struct seat *seat)
{
    struct engine *engine = seat->carrier->engine;
    if (seat->refusals++ < SHARED_REFUSALS_MAX)
        move(engine, seat);
    else
        dismiss(engine, seat, EPIPE, true);
}

/* What the engine below tells */

static void on_greeting(void *context, struct connection *connection)
{
    struct engine *engine = context;
    struct seat *seat = ((struct carrier *)connection)->pending.first;
    if (engine->listener->greeting != NULL && seat != NULL && seat->state == SEAT_ARRIVING)
        engine->listener->greeting(engine->context, seat->connection);
}

static void on_connected(void *context, struct connection *connection, int error)
{
    struct engine *engine = context;
    struct carrier *carrier = (struct carrier *)connection;
    if (error != 0) {
        break_carrier(carrier, error, true);
        return;
    }
    connection->awaits_sent = true;
    carrier->talk = engine->settings->protocol->begin(carrier, engine->settings);
    if (carrier->talk == NULL)
        shut_carrier(carrier, ENOMEM, true);
    else
        note(carrier);
}

static void on_sent(void *context, struct connection *connection, size_t count)
{
    (void)context;
    struct carrier *carrier = (struct carrier *)connection;
    CHECK(count <= carrier->sending_left);
    carrier->sending_left -= count;
    if (carrier->sending_left == 0)
        note(carrier);
}

static void on_received(void *context, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    struct engine *engine = context;
    struct carrier *carrier = (struct carrier *)connection;
    int error = engine->settings->protocol->received(carrier->talk, bytes, count);
    note(carrier);
    if (error != 0)
        shut_carrier(carrier, error, false);
}

static void on_closed(void *context, struct connection *connection, int error)
{
    (void)context;
    break_carrier((struct carrier *)connection, error, false);
}

static void on_unsent(void *context, struct connection *connection, int error)
{
    (void)context;
    break_carrier((struct carrier *)connection, error, true);
}

static void on_woken(void *context)
{
    struct engine *engine = context;
    engine->listener->woken(engine->context);
}

static const struct engine_listener listener = {
    .greeting = on_greeting,
    .connected = on_connected,
    .sent = on_sent,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
    .woken = on_woken,
};

/* Carriers that were noted */

/* Those who wait for the carrier to be ready, and came before now. */
static void seat_pending(struct carrier *carrier)
{
    struct engine *engine = carrier->engine;
    for (uint32_t left = carrier->pending.count; left > 0 && carrier->pending.first != NULL;
         left--) {
        struct seat *seat = carrier->pending.first;
        int error = 0;
        if (carrier->leaving || carrier->seated.count >= carrier->seats_max) {
            detach(seat);
            if (!find_place(engine, seat, &error))
                dismiss(engine, seat, error, true);
            continue;
        }
        seat_remove(&carrier->pending, seat);
        seat_append(&carrier->seated, seat);
        if (seat->state == SEAT_WAITING) {
            if (!carrier->counted && engine->listener->renewed != NULL)
                engine->listener->renewed(engine->context, seat->connection);
            carrier->counted = true;
            error = ask(seat);
            if (error != 0)
                dismiss(engine, seat, error, true);
            continue;
        }
        seat->state = SEAT_IDLE;
        seat->connection->connecting = false;
        seat->connection->joined = carrier->counted;
        carrier->counted = true;
        engine->listener->connected(engine->context, seat->connection, 0);
    }
}

static bool is_over(const struct carrier *carrier)
{
    return carrier->talk != NULL && carrier->sending_left == 0 &&
           carrier->engine->settings->protocol->over(carrier->talk);
}

/* What is to be told of it. */
static void attend(struct carrier *carrier)
{
    if (carrier->error != 0)
        shut_carrier(carrier, carrier->error, true);
    else if (!carrier->broken && is_over(carrier))
        shut_carrier(carrier, engine_error(FAILURE_MALFORMED), false);
    else if (carrier->ready && !carrier->broken)
        seat_pending(carrier);
}

static void free_carrier(struct carrier *carrier)
{
    const struct shared_settings *settings = carrier->engine->settings;
    if (carrier->connection.open)
        settings->below->close(carrier->engine->below, &carrier->connection);
    if (carrier->talk != NULL)
        settings->protocol->end(carrier->talk);
    carrier_unlink(carrier);
    free(carrier);
}

/* Sends what the protocol has to say, unless what it said before is still going out. */
static void flush(struct carrier *carrier)
{
    const struct shared_settings *settings = carrier->engine->settings;
    carrier->unflushed = false;
    while (carrier->talk != NULL && !carrier->broken && carrier->sending_left == 0) {
        carrier->flush++;
        size_t count = settings->protocol->pull(carrier->talk, carrier->bytes, CARRIER_BYTES);
        CHECK(count <= CARRIER_BYTES);
        if (count == 0)
            return;
        ssize_t taken = settings->below->send(carrier->engine->below, &carrier->connection,
                                              carrier->bytes, count);
        if (taken < 0) {
            carrier->error = (int)-taken; /* told when it is time to tell */
            return;
        }
        carrier->sending_left = count - (size_t)taken;
    }
}

/* Whether there is something to do about it whatever the engine below finds. */
static bool has_news(const struct carrier *carrier)
{
    return carrier->unflushed || carrier->error != 0 ||
           (carrier->ready && carrier->pending.count > 0) || (!carrier->broken && is_over(carrier));
}

/* The verbs */

static void shared_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    while (engine->first != NULL)
        free_carrier(engine->first);
    engine->settings->below->destroy(engine->below);
    free(engine);
}

static struct engine *shared_create(const struct engine_driver *self,
                                    const struct engine_listener *upper, void *context,
                                    struct error *error)
{
    const struct shared_settings *settings = self->settings;
    CHECK(settings->seats_max >= 1);
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for shared connections");
        return NULL;
    }
    *engine = (struct engine){.listener = upper,
                              .context = context,
                              .settings = settings,
                              .seats_expected = settings->seats_max};
    engine->below = settings->below->create(settings->below, &listener, engine, error);
    if (engine->below == NULL) {
        free(engine);
        return NULL;
    }
    return engine;
}

static bool shared_connect(struct engine *engine, struct connection *connection,
                           const struct route *route, int *error)
{
    CHECK(!connection->open);
    struct seat *seat = calloc(1, sizeof *seat);
    if (seat == NULL) {
        *error = ENOMEM;
        return false;
    }
    engine->route = *route;
    seat->connection = connection;
    if (!find_place(engine, seat, error)) {
        free(seat);
        return false;
    }
    *connection = (struct connection){.open = true, .connecting = true, .upper = seat};
    return true;
}

/* The protocol is to know of no request of the seat. */
static void forget(struct seat *seat, bool answered)
{
    struct carrier *carrier = seat->carrier;
    if (seat->state != SEAT_ASKED)
        return;
    carrier->engine->settings->protocol->forget(carrier->talk, seat, answered);
    seat->state = SEAT_IDLE;
    note(carrier);
}

static ssize_t shared_send(struct engine *engine, struct connection *connection,
                           const uint8_t *bytes, size_t count)
{
    CHECK(connection->open);
    CHECK(!connection->connecting);
    struct seat *seat = connection->upper;
    forget(seat, true); /* it was answered before the target had said its last word */
    seat->bytes = bytes;
    seat->byte_count = count;
    seat->refusals = 0;
    int error = 0;
    if (!seat->carrier->leaving) {
        error = ask(seat);
        if (error != 0)
            seat->state = SEAT_IDLE;
        return error != 0 ? -error : (ssize_t)count;
    }
    detach(seat);
    seat->state = SEAT_WAITING;
    return find_place(engine, seat, &error) ? (ssize_t)count : -error;
}

static void shared_close(struct engine *engine, struct connection *connection)
{
    (void)engine;
    CHECK(connection->open);
    struct seat *seat = connection->upper;
    if (seat->carrier != NULL) {
        forget(seat, false);
        detach(seat);
    }
    free(seat);
    *connection = (struct connection){0};
}

static void shared_wait(struct engine *engine, uint64_t timeout_ns)
{
    for (struct carrier *carrier = engine->noted; carrier != NULL; carrier = carrier->next_noted)
        flush(carrier);
    struct carrier **link = &engine->noted;
    while (*link != NULL) {
        struct carrier *carrier = *link;
        bool empty = carrier->pending.count + carrier->seated.count == 0;
        if (!empty && has_news(carrier)) {
            timeout_ns = 0;
            link = &carrier->next_noted;
            continue;
        }
        *link = carrier->next_noted;
        carrier->noted = false;
        if (empty)
            free_carrier(carrier);
    }
    engine->settings->below->wait(engine->below, timeout_ns);
}

static bool shared_tell(struct engine *engine)
{
    bool all = engine->settings->below->tell(engine->below);
    /* Those that are noted meanwhile wait for the next turn, else a chain would keep the lane. */
    struct carrier *carrier = engine->noted;
    for (struct carrier *next; carrier != NULL; carrier = next) {
        next = carrier->next_noted;
        attend(carrier);
    }
    return all;
}

static void shared_wake(struct engine *engine)
{
    engine->settings->below->wake(engine->below);
}

const struct engine_driver engine_shared = {
    .name = "shared",
    .create = shared_create,
    .destroy = shared_destroy,
    .connect = shared_connect,
    .send = shared_send,
    .close = shared_close,
    .wait = shared_wait,
    .tell = shared_tell,
    .wake = shared_wake,
};
