/** A binary heap of moments, the earliest on top: Williams, "Algorithm 232: Heapsort", 1964. It
 *  grows as it must. Zeroed, it is empty; free(items) ends it. */
#ifndef CLOBBER_CONTROL_HEAP_H
#define CLOBBER_CONTROL_HEAP_H

#include "common/base/check.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct heap_item {
    double key;
    uint32_t index; /* of what the key belongs to */
};

struct heap {
    struct heap_item *items;
    uint32_t count, count_max;
};

/** The smallest key, or INFINITY. */
static inline double heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->items[0].key : INFINITY;
}

static inline void heap_push(struct heap *heap, double key, uint32_t index)
{
    if (heap->count == heap->count_max) {
        heap->count_max = heap->count_max > 0 ? 2 * heap->count_max : 256;
        heap->items = realloc(heap->items, heap->count_max * sizeof *heap->items);
        CHECK_MEMORY(heap->items != NULL);
    }
    uint32_t i = heap->count++;
    for (; i > 0 && heap->items[(i - 1) / 2].key > key; i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = (struct heap_item){.key = key, .index = index};
}

static inline struct heap_item heap_pop(struct heap *heap)
{
    CHECK(heap->count > 0);
    struct heap_item top = heap->items[0];
    struct heap_item last = heap->items[--heap->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < heap->count && heap->items[child + 1].key < heap->items[child].key)
            child++;
        if (child >= heap->count || heap->items[child].key >= last.key)
            break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    heap->items[i] = last;
    return top;
}

#endif
