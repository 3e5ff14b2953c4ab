#include "agent/patience.h"

#include "common/base/check.h"

#include <stddef.h>

void patience_end(struct patience *patience, struct patience_link *link)
{
    if (link->kind == PATIENCE_NONE)
        return;
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        patience->lists[link->kind].first = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    else
        patience->lists[link->kind].last = link->previous;
    *link = (struct patience_link){0};
}

void patience_begin(struct patience *patience, struct patience_link *link, enum patience_kind kind,
                    uint64_t since_ns)
{
    CHECK(kind > PATIENCE_NONE);
    CHECK(kind < PATIENCE_KINDS);
    patience_end(patience, link);
    if (patience->limits_ns[kind] == 0)
        return;
    *link = (struct patience_link){
        .previous = patience->lists[kind].last, .since_ns = since_ns, .kind = kind};
    if (link->previous != NULL)
        link->previous->next = link;
    else
        patience->lists[kind].first = link;
    patience->lists[kind].last = link;
}

static uint64_t deadline_of(const struct patience *patience, enum patience_kind kind)
{
    const struct patience_link *first = patience->lists[kind].first;
    return first != NULL ? first->since_ns + patience->limits_ns[kind] : PATIENCE_NEVER;
}

struct patience_link *patience_expired(const struct patience *patience, uint64_t judged_ns)
{
    for (enum patience_kind kind = PATIENCE_CONNECT; kind < PATIENCE_KINDS; kind++) {
        if (deadline_of(patience, kind) <= judged_ns)
            return patience->lists[kind].first;
    }
    return NULL;
}

uint64_t patience_deadline(const struct patience *patience)
{
    uint64_t connect_ns = deadline_of(patience, PATIENCE_CONNECT);
    uint64_t first_byte_ns = deadline_of(patience, PATIENCE_FIRST_BYTE);
    return connect_ns < first_byte_ns ? connect_ns : first_byte_ns;
}
