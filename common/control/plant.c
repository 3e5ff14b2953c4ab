#include "common/control/plant.h"

#include "common/base/check.h"
#include "common/control/heap.h"
#include "common/control/random.h"

#include <math.h>
#include <stdlib.h>

#define SERVERS_MAX 4096u
#define PAUSES_MAX  256u

struct plant {
    const struct plant_config *config;
    struct random random;
    struct heap servers; /* when each is free again */
    struct span pauses[PAUSES_MAX];
    uint32_t pause_count, pause_passed;
};

static void plan_pauses(struct plant *plant, const struct plant_change *change)
{
    double at_s = change->from_s + change->every_s * random_uniform(&plant->random);
    while (at_s < change->to_s && plant->pause_count < PAUSES_MAX) {
        plant->pauses[plant->pause_count++] =
            (struct span){.start_s = at_s, .end_s = at_s + change->factor};
        at_s += change->every_s * (0.6 + 0.8 * random_uniform(&plant->random));
    }
}

struct plant *plant_create(const struct plant_config *config, uint64_t seed)
{
    struct plant *plant = calloc(1, sizeof *plant);
    CHECK(plant != NULL);
    plant->config = config;
    plant->random.state = seed;
    plant->servers.count_max = SERVERS_MAX;
    plant->servers.items = calloc(SERVERS_MAX, sizeof *plant->servers.items);
    CHECK(plant->servers.items != NULL);
    for (uint32_t i = 0; i < config->servers; i++)
        heap_push(&plant->servers, (struct span){0});
    for (uint32_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        if (config->changes[i].kind == PLANT_PAUSES)
            plan_pauses(plant, &config->changes[i]);
    }
    return plant;
}

void plant_destroy(struct plant *plant)
{
    if (plant == NULL)
        return;
    free(plant->servers.items);
    free(plant);
}

static double factor(const struct plant *plant, enum plant_change_kind kind, double at_s)
{
    double product = 1.0;
    for (uint32_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        const struct plant_change *change = &plant->config->changes[i];
        if (change->kind != kind || at_s < change->from_s || at_s >= change->to_s)
            continue;
        double passed = (at_s - change->from_s) / (change->to_s - change->from_s);
        product *= kind == PLANT_WARM_UP ? change->factor + (1.0 - change->factor) * passed
                                         : change->factor;
    }
    return product;
}

/** Servers come free and go away when they are free. */
static void set_servers(struct plant *plant, double at_s)
{
    uint32_t wanted = (uint32_t)lround(plant->config->servers * factor(plant, PLANT_SERVERS, at_s));
    while (plant->servers.count > wanted)
        heap_pop(&plant->servers);
    while (plant->servers.count < wanted)
        heap_push(&plant->servers, (struct span){.end_s = at_s});
}

/** When service from `start_s` for `length_s` ends if the pauses come in between. */
static double serve_through_pauses(struct plant *plant, double start_s, double length_s)
{
    while (plant->pause_passed < plant->pause_count &&
           plant->pauses[plant->pause_passed].end_s + 5.0 < start_s)
        plant->pause_passed++;
    double end_s = start_s + length_s;
    for (uint32_t i = plant->pause_passed; i < plant->pause_count; i++) {
        const struct span *pause = &plant->pauses[i];
        if (pause->start_s >= end_s)
            break;
        if (pause->end_s > start_s)
            end_s += pause->end_s - fmax(pause->start_s, start_s);
    }
    return end_s;
}

double plant_serve(struct plant *plant, double at_s)
{
    const struct plant_config *config = plant->config;
    double delay_s = config->delay_s * factor(plant, PLANT_LATENCY, at_s);
    double arrival_s = at_s + delay_s * (1.0 + 0.05 * fabs(random_normal(&plant->random)));
    set_servers(plant, at_s);
    double start_s = fmax(heap_pop(&plant->servers).end_s, arrival_s);
    double spread = config->spread;
    double length_s = config->service_s / factor(plant, PLANT_WARM_UP, at_s) *
                      exp(spread * random_normal(&plant->random) - 0.5 * spread * spread);
    double end_s = serve_through_pauses(plant, start_s, length_s);
    heap_push(&plant->servers, (struct span){.end_s = end_s});
    return end_s;
}
