#include "agent/target_model.h"

#include "common/base/check.h"

#include <math.h>
#include <stdlib.h>

struct service {
    uint64_t done_ns;
    uint64_t order; /* of starting: among those done at once the first to start leaves first */
    uint32_t ticket;
    bool failed;
};

struct waiting {
    uint64_t arrived_ns;
    uint32_t ticket;
};

struct target_model {
    struct target_knobs knobs;
    uint64_t chance; /* state of the random numbers */
    uint64_t order;  /* services started so far */
    uint32_t tickets_max;
    uint32_t in_service; /* services[in_service]: a binary heap, the earliest done at its top */
    uint32_t waiting;    /* line[]: a ring that starts at line_first */
    uint32_t line_first;
    struct service *services;
    struct waiting *line;
};

struct target_model *target_model_create(uint32_t tickets_max, uint64_t seed, struct error *error)
{
    CHECK(tickets_max > 0);
    struct target_model *model = calloc(1, sizeof *model);
    if (model != NULL) {
        model->chance = seed;
        model->tickets_max = tickets_max;
        model->services = calloc(tickets_max, sizeof *model->services);
        model->line = calloc(tickets_max, sizeof *model->line);
        if (model->services != NULL && model->line != NULL)
            return model;
    }
    target_model_destroy(model);
    error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a line of %u requests", tickets_max);
    return NULL;
}

void target_model_destroy(struct target_model *model)
{
    if (model == NULL)
        return;
    free(model->services);
    free(model->line);
    free(model);
}

/* A number from 0 to below 1. SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom
 * number generators", 2014. */
static double chance_next(struct target_model *model)
{
    uint64_t mixed = model->chance += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    return (double)(mixed >> 11) * 0x1p-53;
}

static bool is_earlier(const struct service *one, const struct service *other)
{
    return one->done_ns != other->done_ns ? one->done_ns < other->done_ns
                                          : one->order < other->order;
}

static void services_push(struct target_model *model, struct service service)
{
    CHECK(model->in_service < model->tickets_max);
    uint32_t at = model->in_service++;
    while (at > 0 && is_earlier(&service, &model->services[(at - 1) / 2])) {
        model->services[at] = model->services[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    model->services[at] = service;
}

static struct service services_pop(struct target_model *model)
{
    CHECK(model->in_service > 0);
    struct service *heap = model->services, top = heap[0];
    struct service last = heap[--model->in_service];
    uint32_t count = model->in_service, at = 0;
    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!is_earlier(&heap[child], &last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

static bool has_free_server(const struct target_model *model)
{
    return model->knobs.servers == 0 || model->in_service < model->knobs.servers;
}

/* `present`: all requests here, the one that starts among them. */
static uint64_t service_ns(struct target_model *model, uint32_t present)
{
    const struct target_knobs *knobs = &model->knobs;
    double service = (double)knobs->latency_ns;
    if (knobs->jitter_ns > 0)
        service += (double)knobs->jitter_ns * (2.0 * chance_next(model) - 1.0);
    uint32_t free_of_charge = knobs->servers > 0 ? knobs->servers : 1;
    if (present > free_of_charge)
        service *= 1.0 + knobs->retrograde * (double)(present - free_of_charge);
    return (uint64_t)llround(fmin(fmax(service, 0.0), TARGET_SERVICE_NS_MAX));
}

static void start(struct target_model *model, uint32_t ticket, uint32_t present, uint64_t now_ns)
{
    struct service service = {
        .done_ns = now_ns + service_ns(model, present), .order = model->order++, .ticket = ticket};
    if (model->knobs.error_rate > 0.0)
        service.failed = chance_next(model) < model->knobs.error_rate;
    services_push(model, service);
}

static void move_up(struct target_model *model, uint64_t free_ns)
{
    while (model->waiting > 0 && has_free_server(model)) {
        uint32_t present = model->in_service + model->waiting;
        struct waiting first = model->line[model->line_first];
        model->line_first = (model->line_first + 1) % model->tickets_max;
        model->waiting--;
        /* It may have come after the server became free, but before the caller said so. */
        uint64_t start_ns = first.arrived_ns > free_ns ? first.arrived_ns : free_ns;
        start(model, first.ticket, present, start_ns);
    }
}

void target_model_turn(struct target_model *model, const struct target_knobs *knobs,
                       uint64_t now_ns)
{
    CHECK(knobs->jitter_ns <= knobs->latency_ns);
    model->knobs = *knobs;
    move_up(model, now_ns);
}

enum target_admission target_model_arrive(struct target_model *model, uint32_t ticket,
                                          uint64_t now_ns)
{
    CHECK(ticket < model->tickets_max);
    CHECK(model->in_service + model->waiting < model->tickets_max);
    if (model->waiting == 0 && has_free_server(model)) {
        start(model, ticket, model->in_service + 1, now_ns);
        return TARGET_SERVED;
    }
    if (model->knobs.queue > 0 && model->waiting >= model->knobs.queue)
        return TARGET_REFUSED;
    uint32_t last = (model->line_first + model->waiting++) % model->tickets_max;
    model->line[last] = (struct waiting){.arrived_ns = now_ns, .ticket = ticket};
    return TARGET_SERVED;
}

bool target_model_depart(struct target_model *model, uint64_t now_ns,
                         struct target_departure *departure)
{
    if (model->in_service == 0 || model->services[0].done_ns > now_ns)
        return false;
    struct service done = services_pop(model);
    move_up(model, done.done_ns);
    *departure = (struct target_departure){
        .at_ns = done.done_ns, .ticket = done.ticket, .failed = done.failed};
    return true;
}

uint64_t target_model_next_ns(const struct target_model *model)
{
    return model->in_service > 0 ? model->services[0].done_ns : 0;
}

uint32_t target_model_in_service(const struct target_model *model)
{
    return model->in_service;
}

uint32_t target_model_waiting(const struct target_model *model)
{
    return model->waiting;
}
