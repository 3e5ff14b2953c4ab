/** A system under test in virtual time, exact to the single request: a delay that all pass side by
 *  side, then one of two kinds of service, which can change as real ones do:
 *  - some servers with a line in front of them;
 *  - a system that all requests share, whose rate depends on how many are inside (Gunther,
 * "Guerrilla Capacity Planning", 2007: the universal scalability law). */
#ifndef CLOBBER_CONTROL_PLANT_H
#define CLOBBER_CONTROL_PLANT_H

#include <stdbool.h>
#include <stdint.h>

#define PLANT_CHANGES_MAX 4

enum plant_change_kind {
    PLANT_SAME,
    PLANT_LATENCY, /* the delay of requests that start in it, times `factor` */
    PLANT_SERVERS, /* how many, times `factor`; shared: the whole rate */
    PLANT_SPEED,   /* of the service, times `factor` */
    PLANT_WARM_UP, /* the speed grows in a line from `factor` to 1 */
    PLANT_PAUSES,  /* all service stands still for `factor` seconds, about every `every_s` */
    PLANT_SPELLS,  /* the speed times `factor`, for half of about every `every_s` */
};

struct plant_change {
    enum plant_change_kind kind;
    double from_s, to_s, factor, every_s;
};

struct plant_config {
    double delay_s;
    double service_s; /* servers: mean; log-normal */
    double spread;    /* the service's standard deviation, as a share of its mean, about */
    uint32_t servers;
    /* Above 0: shared, no servers. n requests inside are served at usl_per_s n / (1 +
     * usl_contention (n - 1) + usl_coherency n (n - 1)), each at the same part of it. */
    double usl_per_s, usl_contention, usl_coherency;
    /* A request that finds so many waiting (shared: inside) fails after its delay. 0: no limit. */
    uint32_t line_max;
    double error_share; /* fail at random, after their full length */
    struct plant_change changes[PLANT_CHANGES_MAX];
};

struct plant;

/** `config` is borrowed for life. The caller owns it: plant_destroy(). */
struct plant *plant_create(const struct plant_config *config, uint64_t seed);
void plant_destroy(struct plant *plant);

/** The changes count from `at_s` on, which is now, and not from 0. */
void plant_start_changes(struct plant *plant, double at_s);

/** A request starts at `at_s`, when all that happens before has been taken with plant_advance().
 *  Its delay is `delay_factor` times the plant's; `tag` comes back with its end. */
void plant_begin(struct plant *plant, double at_s, double delay_factor, uint32_t tag);

/** When something happens next in it; INFINITY: nothing more. */
double plant_next_s(const struct plant *plant);

/** A request that is over. */
struct plant_end {
    double start_s, end_s;
    uint32_t tag;
    bool ok;
};

/** What happens next happens. Returns whether it was the end of a request, then `end`. */
bool plant_advance(struct plant *plant, struct plant_end *end);

#endif
