#include "agent/backlog.h"

#include "common/base/check.h"

#include <stdlib.h>

/* Nanoseconds at a rate of one thousandth of a request per second. */
#define NS_MILLI UINT64_C(1000000000000)

bool backlog_init(struct backlog *backlog, uint32_t capacity)
{
    CHECK(capacity >= 1);
    *backlog = (struct backlog){.capacity = capacity, .rate_milli = 1};
    backlog->items = calloc(capacity, sizeof *backlog->items);
    return backlog->items != NULL;
}

void backlog_done(struct backlog *backlog)
{
    free(backlog->items);
    *backlog = (struct backlog){0};
}

void backlog_set(struct backlog *backlog, uint64_t rate_milli, uint64_t drop_age_ns,
                 uint64_t now_ns)
{
    backlog->drop_age_ns = drop_age_ns;
    if (rate_milli == 0)
        return;
    if (backlog->allowed_ns > now_ns) {
        /* Else one request at 1/s would hold the gate shut for a second at 1000/s. */
        double early_ns = (double)(backlog->allowed_ns - now_ns);
        early_ns *= (double)backlog->rate_milli / (double)rate_milli;
        backlog->allowed_ns = now_ns + (uint64_t)early_ns;
    }
    backlog->rate_milli = rate_milli;
}

bool backlog_push(struct backlog *backlog, const struct waiting *request)
{
    if (backlog->count == backlog->capacity)
        return false;
    backlog->items[(backlog->head + backlog->count) % backlog->capacity] = *request;
    backlog->count++;
    backlog->own_late_count += request->own_late;
    backlog->unnumbered_count += request->unnumbered;
    return true;
}

struct waiting backlog_pop(struct backlog *backlog)
{
    CHECK(backlog->count > 0);
    struct waiting request = backlog->items[backlog->head];
    backlog->head = (backlog->head + 1) % backlog->capacity;
    backlog->count--;
    backlog->own_late_count -= request.own_late;
    backlog->unnumbered_count -= request.unnumbered;
    if (backlog->count == 0)
        backlog->head = 0; /* so that a short line stays in a few pages of the long ring */
    return request;
}

uint32_t backlog_waiting(const struct backlog *backlog)
{
    return backlog->count - backlog->unnumbered_count;
}

static struct waiting *first_unnumbered(const struct backlog *backlog)
{
    return &backlog->items[(backlog->head + backlog_waiting(backlog)) % backlog->capacity];
}

const struct waiting *backlog_unnumbered(const struct backlog *backlog)
{
    return backlog->unnumbered_count > 0 ? first_unnumbered(backlog) : NULL;
}

void backlog_number(struct backlog *backlog, uint64_t index, bool own_late)
{
    CHECK(backlog->unnumbered_count > 0);
    struct waiting *request = first_unnumbered(backlog);
    backlog->own_late_count += own_late && !request->own_late;
    request->own_late = request->own_late || own_late;
    request->index = index;
    request->unnumbered = false;
    backlog->unnumbered_count--;
}

enum backlog_verdict backlog_judge(const struct backlog *backlog, uint64_t now_ns)
{
    if (backlog->count == 0)
        return BACKLOG_EMPTY;
    uint64_t due_ns = backlog->items[backlog->head].due_ns;
    uint64_t age_ns = now_ns > due_ns ? now_ns - due_ns : 0;
    /* At a low rate a bound in time alone would drop the only request of a second. */
    if (age_ns > backlog->drop_age_ns && age_ns > 2 * NS_MILLI / backlog->rate_milli)
        return BACKLOG_DROP;
    if (backlog->items[backlog->head].unnumbered)
        return BACKLOG_UNNUMBERED;
    if (age_ns > BACKLOG_LATE_NS && now_ns < backlog_opens(backlog))
        return BACKLOG_HOLD;
    return BACKLOG_START;
}

void backlog_started(struct backlog *backlog, const struct waiting *request, uint64_t now_ns)
{
    if (now_ns <= request->due_ns + BACKLOG_LATE_NS)
        return;
    if (backlog->allowed_ns < now_ns)
        backlog->allowed_ns = now_ns;
    backlog->allowed_ns += NS_MILLI * 10 / (backlog->rate_milli * 11);
}

uint64_t backlog_opens(const struct backlog *backlog)
{
    uint64_t burst_ns = BACKLOG_BURST * NS_MILLI / backlog->rate_milli;
    return backlog->allowed_ns > burst_ns ? backlog->allowed_ns - burst_ns : 0;
}
