#include "common/control/maximize_table.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

void level_add(struct maximize_level *level, double in_flight, double throughput)
{
    level->samples += 1.0;
    level->in_flight += (in_flight - level->in_flight) / level->samples;
    level->throughput += (throughput - level->throughput) / level->samples;
}

double level_slope(const struct maximize_level *low, const struct maximize_level *high)
{
    return (high->throughput - low->throughput) / (high->in_flight - low->in_flight);
}

double table_variance(const struct maximize_table *table, const struct maximize_level *level)
{
    return table->noise / fmax(level->samples, LEVEL_GLIMPSED);
}

double table_error(const struct maximize_table *table, const struct maximize_level *one,
                   const struct maximize_level *other)
{
    return sqrt(table_variance(table, one) + table_variance(table, other));
}

static void merge(struct maximize_level *old, struct maximize_level level)
{
    double share = level.samples / (level.samples + old->samples);
    old->in_flight += share * (level.in_flight - old->in_flight);
    old->throughput += share * (level.throughput - old->throughput);
    old->samples += level.samples;
}

void table_put(struct maximize_table *table, struct maximize_level level)
{
    struct maximize_level *levels = table->levels;
    uint32_t at = 0;
    while (at < table->count && levels[at].in_flight < level.in_flight - LEVEL_SAME)
        at++;
    if (at < table->count && fabs(levels[at].in_flight - level.in_flight) <= LEVEL_SAME) {
        merge(&levels[at], level);
        return;
    }
    if (table->count == MAXIMIZE_LEVELS_MAX) { /* the fewest workers are the farthest away */
        at -= at > 0;
        table->count--;
        memmove(&levels[0], &levels[1], table->count * sizeof levels[0]);
    }
    memmove(&levels[at + 1], &levels[at], (table->count - at) * sizeof levels[0]);
    levels[at] = level;
    table->count++;
}

/** Of lucky levels, known by few samples, one sigma is not believed. */
static double sure(const struct maximize_table *table, const struct maximize_level *level)
{
    return level->throughput - sqrt(table_variance(table, level));
}

uint32_t table_best(const struct maximize_table *table)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < table->count; i++) {
        if (sure(table, &table->levels[i]) > sure(table, &table->levels[best]))
            best = i;
    }
    return best;
}

const struct maximize_level *table_top(const struct maximize_table *table)
{
    return table->count > 0 ? &table->levels[table->count - 1] : NULL;
}

bool table_has_queue(const struct maximize_table *table, const struct maximize_level *level,
                     double margin)
{
    return table->latency_known && level->in_flight - level->throughput > table->latency + margin;
}

void table_forget(struct maximize_table *table)
{
    table->count = 0;
    table->again = true;
    table->latency_ended = 0.0;
}
