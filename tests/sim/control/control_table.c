/** Prints how the laws do: every scenario, the median over seeds. `control_table [SEEDS [NAME]]`;
 * with 0 seeds, NAME's ticks. */
#include "tests/sim/control/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_row(const struct scenario *scenario, uint64_t seeds)
{
    struct outcome o = scenario_median(scenario, seeds);
    printf(
        "| %-28s | %5.2f / %5.2f | %3.0f / %3.0f | %5.2f | %3.0f | %3.0f | %5.2f / %5.1f | %5.1f "
        "| %4.0f | %4.1f | %4.1f | %6.1f | %s |\n",
        scenario->name, o.late_percent, o.not_started_percent, o.settle_ticks, o.recovery_ticks,
        o.workers_ratio, o.detect_ticks, o.false_saturated_ticks, o.saturated_ratio,
        o.saturated_percent, o.peak_ratio, o.overshoot_percent, o.error_percent, o.chatter_percent,
        o.final_in_flight, control_status_word(o.final_status));
}

int main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 20;
    const char *name = argc > 2 ? argv[2] : NULL;
    if (seeds == 0 || seeds > 64) {
        if (name == NULL || scenario_find(name) == NULL)
            return 2;
        scenario_trace(scenario_find(name), argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
        return 0;
    }
    printf(
        "| scenario | late / not started %% | settle / recovery | workers / ideal | detect | false "
        "| saturated: workers / ideal, %% of capacity | peak / ideal | overshoot %% | error %% | "
        "chatter %% | in flight at the end | status |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    const struct scenario *scenario = scenario_at(0);
    for (size_t i = 1; scenario != NULL; scenario = scenario_at(i++)) {
        if (name == NULL || strncmp(scenario->name, name, strlen(name)) == 0)
            print_row(scenario, seeds);
    }
    return 0;
}
