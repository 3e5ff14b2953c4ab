/** A binary heap of moments, the earliest on top: Williams, "Algorithm 232: Heapsort", 1964. */
#ifndef CLOBBER_CONTROL_HEAP_H
#define CLOBBER_CONTROL_HEAP_H

#include "common/base/check.h"

#include <stdbool.h>
#include <stdint.h>

/** Something that will be over at `end_s`. */
struct span {
    double start_s, end_s;
    bool paced; /* by the worker that rests between its requests */
};

struct heap {
    struct span *items;
    uint32_t count, count_max;
};

static inline void heap_push(struct heap *heap, struct span item)
{
    CHECK(heap->count < heap->count_max);
    uint32_t i = heap->count++;
    for (; i > 0 && heap->items[(i - 1) / 2].end_s > item.end_s; i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = item;
}

static inline struct span heap_pop(struct heap *heap)
{
    CHECK(heap->count > 0);
    struct span top = heap->items[0];
    struct span last = heap->items[--heap->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < heap->count && heap->items[child + 1].end_s < heap->items[child].end_s)
            child++;
        if (child >= heap->count || heap->items[child].end_s >= last.end_s)
            break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    heap->items[i] = last;
    return top;
}

#endif
