#include "agent/numbers.h"

#include <stddef.h>

static uint64_t read_now(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* The end comes first in reading and last in writing: who sees it sees the rest of its block, or of
 * one that took the place later. That happens only to a block that is used up, so `position` is
 * passed by then and is not swapped. */
static bool find_index(const struct numbers *numbers, uint64_t position, uint64_t *index)
{
    for (uint32_t i = 0; i < INDEX_BLOCKS_MAX; i++) {
        const struct numbers_block *block = &numbers->blocks[i];
        uint64_t end = atomic_load_explicit(&block->end, memory_order_acquire);
        if (position < end && position >= read_now(&block->start)) {
            *index = position + read_now(&block->shift);
            return true;
        }
    }
    return false;
}

bool numbers_take(struct numbers *numbers, uint64_t *index)
{
    uint64_t position = read_now(&numbers->next);
    for (;;) {
        uint64_t found;
        uint64_t before = position;
        if (find_index(numbers, position, &found)) {
            /* Released, so that the block was read before anybody can see it used up. */
            if (atomic_compare_exchange_weak_explicit(&numbers->next, &position, position + 1,
                                                      memory_order_release, memory_order_relaxed)) {
                *index = found;
                return true;
            }
        } else if ((position = read_now(&numbers->next)) == before) {
            return false;
        }
    }
}

bool numbers_dry(const struct numbers *numbers)
{
    uint64_t index;
    return !find_index(numbers, read_now(&numbers->next), &index);
}

/* Lanes may be taking meanwhile: what they got before the swap is theirs. */
static void give_back(struct numbers *numbers)
{
    uint64_t position =
        atomic_exchange_explicit(&numbers->next, numbers->end, memory_order_relaxed);
    numbers->returned += numbers->end - position;
}

static void put(struct numbers *numbers, struct numbers_block *place, uint64_t from, uint64_t count)
{
    atomic_store_explicit(&place->start, numbers->end, memory_order_relaxed);
    atomic_store_explicit(&place->shift, from - numbers->end, memory_order_relaxed);
    numbers->end += count;
    atomic_store_explicit(&place->end, numbers->end, memory_order_release);
}

void numbers_grant(struct numbers *numbers, uint64_t block, uint64_t from, uint64_t count)
{
    if (block <= numbers->newest)
        return;
    uint64_t position = atomic_load_explicit(&numbers->next, memory_order_acquire);
    struct numbers_block *place = numbers->blocks;
    while (place < numbers->blocks + INDEX_BLOCKS_MAX && read_now(&place->end) > position)
        place++;
    if (count == 0)
        give_back(numbers);
    else if (place < numbers->blocks + INDEX_BLOCKS_MAX)
        put(numbers, place, from, count);
    else
        return;
    numbers->newest = block;
}

struct numbers_account numbers_account(const struct numbers *numbers)
{
    uint64_t position = read_now(&numbers->next);
    return (struct numbers_account){
        .block = numbers->newest,
        .used = position - numbers->returned,
        .left = numbers->end - position,
    };
}
