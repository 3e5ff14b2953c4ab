/** A system under test in virtual time, exact to the single request: a delay that all pass side by
 * side, then a line in front of some servers. It can change as real ones do. */
#ifndef CLOBBER_CONTROL_PLANT_H
#define CLOBBER_CONTROL_PLANT_H

#include <stdint.h>

#define PLANT_CHANGES_MAX 3

enum plant_change_kind {
    PLANT_SAME,
    PLANT_LATENCY, /* the delay, times `factor` */
    PLANT_SERVERS, /* how many, times `factor` */
    PLANT_WARM_UP, /* the servers' speed grows in a line from `factor` to 1 */
    PLANT_PAUSES,  /* all servers stand still for `factor` seconds, about every `every_s` */
};

struct plant_change {
    enum plant_change_kind kind;
    double from_s, to_s, factor, every_s;
};

struct plant_config {
    double delay_s;
    double service_s; /* mean; log-normal */
    double spread;    /* the service time's standard deviation, as a share of it, about */
    uint32_t servers;
    struct plant_change changes[PLANT_CHANGES_MAX];
};

struct plant;

/** `config` is borrowed for life. The caller owns it: plant_destroy(). */
struct plant *plant_create(const struct plant_config *config, uint64_t seed);
void plant_destroy(struct plant *plant);

/** One request that starts at `at_s`, never before an earlier call's: when it ends. */
double plant_serve(struct plant *plant, double at_s);

#endif
