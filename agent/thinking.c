#include "agent/thinking.h"

/* Another stream of numbers than the mix has, from the same seed. */
#define SEED_SALT UINT64_C(0x7468696e6b)

bool thinking_init(struct thinking *thinking, uint64_t least_ns, uint64_t most_ns, uint64_t seed,
                   uint32_t workers)
{
    *thinking = (struct thinking){
        .least_ns = least_ns, .most_ns = most_ns, .random = {.state = seed ^ SEED_SALT}};
    if (most_ns == 0)
        return true;
    thinking->ends.items = calloc(workers, sizeof *thinking->ends.items);
    thinking->ends.count_max = thinking->ends.items != NULL ? workers : 0;
    return thinking->ends.items != NULL;
}

void thinking_done(struct thinking *thinking)
{
    free(thinking->ends.items);
}

uint64_t thinking_draw(struct thinking *thinking)
{
    uint64_t width_ns = thinking->most_ns - thinking->least_ns;
    return thinking->least_ns + (uint64_t)(random_uniform(&thinking->random) * (double)width_ns);
}

void thinking_add(struct thinking *thinking, uint32_t index, uint64_t end_ns)
{
    heap_push(&thinking->ends, (double)end_ns, index);
}

uint64_t thinking_next(const struct thinking *thinking)
{
    return thinking->ends.count > 0 ? (uint64_t)heap_first(&thinking->ends) : UINT64_MAX;
}

bool thinking_take(struct thinking *thinking, uint64_t now_ns, uint32_t *index)
{
    if (thinking_next(thinking) > now_ns)
        return false;
    *index = heap_pop(&thinking->ends).index;
    return true;
}
