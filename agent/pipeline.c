#include "agent/pipeline.h"

#include "agent/engine_shared.h"
#include "agent/resp.h"
#include "common/base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct talk {
    struct carrier *carrier;
    struct resp_answer answer; /* of the first seat in the queue */
    uint32_t capacity;         /* a request of each seat */
    uint32_t first, count;     /* the queue, in the order of the requests */
    uint32_t pulled;           /* so many at its head are on their way */
    struct seat *queue[];      /* [capacity]; NULL: nobody waits for that answer any more */
};

static struct seat **place(struct talk *talk, uint32_t index)
{
    return &talk->queue[(talk->first + index) % talk->capacity];
}

static void *pipeline_begin(struct carrier *carrier, const struct shared_settings *settings)
{
    struct talk *talk = calloc(1, sizeof *talk + settings->seats_max * sizeof *talk->queue);
    if (talk == NULL)
        return NULL;
    talk->carrier = carrier;
    talk->capacity = settings->seats_max;
    resp_begin(&talk->answer);
    carrier_ready(carrier, settings->seats_max);
    return talk;
}

static void pipeline_end(void *state)
{
    free(state);
}

static int pipeline_ask(void *state, struct seat *seat)
{
    struct talk *talk = state;
    if (seat->byte_count > CARRIER_BYTES)
        return EMSGSIZE;
    CHECK(talk->count < talk->capacity);
    *place(talk, talk->count++) = seat;
    return 0;
}

static void pipeline_forget(void *state, struct seat *seat, bool answered)
{
    struct talk *talk = state;
    uint32_t index = 0;
    (void)answered;
    while (*place(talk, index) != seat)
        CHECK(++index < talk->count);
    if (index < talk->pulled) {
        *place(talk, index) = NULL;
        carrier_leave(talk->carrier);
        return;
    }
    for (talk->count--; index < talk->count; index++)
        *place(talk, index) = *place(talk, index + 1);
}

/* The head of the queue has its answer. */
static void advance(struct talk *talk)
{
    talk->first = (talk->first + 1) % talk->capacity;
    talk->count--;
    talk->pulled--;
    resp_begin(&talk->answer);
}

static int pipeline_received(void *state, const uint8_t *bytes, size_t count)
{
    struct talk *talk = state;
    enum failure failure = FAILURE_UNEXPECTED;
    for (size_t at = 0, used; at < count; at += used) {
        if (talk->pulled == 0)
            return engine_error(FAILURE_UNEXPECTED);
        struct seat *seat = *place(talk, 0);
        enum resp_outcome outcome =
            resp_feed(&talk->answer, bytes + at, count - at, &used, &failure);
        if (outcome == RESP_FAILED)
            return engine_error(failure);
        bool whole = outcome == RESP_DONE;
        if (whole)
            advance(talk); /* first, for the worker may ask again at once */
        if (seat != NULL)
            seat_answer(seat, bytes + at, used, whole);
    }
    return 0;
}

static size_t pipeline_pull(void *state, uint8_t *bytes, size_t room)
{
    struct talk *talk = state;
    size_t count = 0;
    while (talk->pulled < talk->count) {
        struct seat *seat = *place(talk, talk->pulled);
        if (seat->byte_count > room - count)
            break;
        memcpy(bytes + count, seat->bytes, seat->byte_count);
        count += seat->byte_count;
        talk->pulled++;
        seat_written(seat);
    }
    return count;
}

static bool pipeline_over(void *state)
{
    (void)state;
    return false;
}

const struct protocol protocol_pipeline = {
    .name = "pipeline",
    .begin = pipeline_begin,
    .end = pipeline_end,
    .received = pipeline_received,
    .ask = pipeline_ask,
    .forget = pipeline_forget,
    .pull = pipeline_pull,
    .over = pipeline_over,
};
