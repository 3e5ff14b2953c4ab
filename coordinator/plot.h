/** A run as a picture in text: a sink that keeps what it is shown, and draws it when asked. */
#ifndef CLOBBER_COORDINATOR_PLOT_H
#define CLOBBER_COORDINATOR_PLOT_H

#include "coordinator/plan.h"
#include "coordinator/sink.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct plot;

/** `plan` is borrowed for life. The caller owns the result, which outlives `sink`: plot_destroy().
 */
struct plot *plot_create(const struct plan *plan, struct sink *sink);
void plot_destroy(struct plot *plot);

/** Throughput, concurrency and latency over time, then what happened, in words. */
#define PLOT_COLUMNS     80u
#define PLOT_COLUMNS_MIN 40u
#define PLOT_COLUMNS_MAX 200u
struct plot_look {
    uint32_t columns; /* those beyond the bounds count as the bound */
    bool ascii;       /* no UTF-8 */
};
void plot_draw(const struct plot *plot, const struct plot_look *look, FILE *stream);

#endif
