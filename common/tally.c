#include "common/tally.h"

#include "common/base/check.h"

/* The order of a seqlock without fences, which ThreadSanitizer does not know: who reads a new value
 * (acquire) of those written (release) also sees the odd number before it. */

static uint64_t load(atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_acquire);
}

/* Nobody else writes, so what the owner reads needs no order. */
static void add(atomic_uint_fast64_t *value, uint64_t more)
{
    uint64_t before = atomic_load_explicit(value, memory_order_relaxed);
    atomic_store_explicit(value, before + more, memory_order_release);
}

void tally_begin(struct tally *tally, uint64_t now_ns)
{
    CHECK(now_ns > 0);
    CHECK(atomic_load_explicit(&tally->since_ns, memory_order_relaxed) == 0);
    atomic_store_explicit(&tally->since_ns, now_ns, memory_order_release);
}

void tally_end(struct tally *tally, uint64_t now_ns, bool well)
{
    uint64_t since_ns = atomic_load_explicit(&tally->since_ns, memory_order_relaxed);
    CHECK(since_ns > 0);
    CHECK(now_ns >= since_ns);
    uint64_t latency_ns = now_ns - since_ns;
    add(&tally->sequence, 1);
    add(well ? &tally->completed : &tally->failed, 1);
    if (well)
        add(&tally->completed_ns, latency_ns);
    add(&tally->ended_ns, latency_ns);
    atomic_store_explicit(&tally->since_ns, 0, memory_order_release);
    add(&tally->sequence, 1);
    if (well && tally->cells != NULL)
        atomic_fetch_add_explicit(&tally->cells[histogram_cell(latency_ns) / TALLY_CELL_SHARE], 1,
                                  memory_order_relaxed);
}

/* False when the owner wrote meanwhile. */
static bool read_whole(struct tally *tally, uint64_t now_ns, struct tally_sums *sums)
{
    uint64_t sequence = load(&tally->sequence);
    sums->completed = load(&tally->completed);
    sums->failed = load(&tally->failed);
    sums->completed_ns = load(&tally->completed_ns);
    sums->busy_ns = load(&tally->ended_ns);
    uint64_t since_ns = load(&tally->since_ns);
    if (since_ns > 0 && since_ns < now_ns)
        sums->busy_ns += now_ns - since_ns;
    return sequence % 2 == 0 &&
           atomic_load_explicit(&tally->sequence, memory_order_relaxed) == sequence;
}

void tally_add(struct tally *tally, uint64_t now_ns, struct tally_sums *sums)
{
    struct tally_sums own;
    while (!read_whole(tally, now_ns, &own)) /* the owner writes for a few nanoseconds */
        ;
    sums->completed += own.completed;
    sums->failed += own.failed;
    sums->completed_ns += own.completed_ns;
    sums->busy_ns += own.busy_ns;
}

void tally_add_cells(struct tally *tally, uint32_t *cells)
{
    for (uint32_t i = 0; i < TALLY_CELLS && tally->cells != NULL; i++)
        cells[i] += atomic_load_explicit(&tally->cells[i], memory_order_relaxed);
}

uint64_t tally_quantile(const uint32_t *before, const uint32_t *after, double quantile)
{
    struct histogram histogram = {.max_ns = HISTOGRAM_NS_MAX};
    for (uint32_t i = 0; i < TALLY_CELLS; i++) {
        uint32_t count = after[i] - before[i];
        histogram.cells[i * TALLY_CELL_SHARE + TALLY_CELL_SHARE - 1] = count;
        histogram.total += count;
    }
    return histogram_quantile(&histogram, quantile);
}
