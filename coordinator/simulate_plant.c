#include "coordinator/simulate_plant.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/limits.h"
#include "common/base/units.h"

#include <math.h>
#include <string.h>

#define PART_BYTES      128u
#define DURATION_S_MAX  3600.0   /* nobody waits longer for an answer */
#define SERVERS_MAX     1000000u /* as many as there can be requests in flight at an agent */
#define SPREAD_MAX      3.0      /* a log-normal of it is 90 times its mean once in a thousand */
#define FACTOR_MAX      1000.0
#define COEFFICIENT_MAX 1.0 /* of the scalability law: above it one worker alone is the best */

/** One KEY=VALUE, its parts cut out: VALUE[@FROM-TO]. */
struct part {
    char key[PART_BYTES], value[PART_BYTES];
    bool windowed;
    double from_s, to_s;
};

typedef bool part_take(struct simulate_plant *plant, const struct part *part, struct error *error);

struct key {
    const char *name;
    const char *example;
    const char *help; /* one line, no full stop */
    part_take *take;
    part_take *take_window; /* for a value with @FROM-TO; NULL: none may stand there */
    bool window_only;
};

static bool wrong(const struct part *part, const char *allowed, struct error *error)
{
    char value[4 * PART_BYTES];
    return error_set(error, ERROR_USAGE, PLACE_NONE, "%s is '%s'; give %s", part->key,
                     harmless_text(part->value, value, sizeof value), allowed);
}

static bool read_seconds(const char *text, double *seconds)
{
    uint64_t duration_ns;
    if (!units_read_duration(text, &duration_ns) || (double)duration_ns / 1e9 > DURATION_S_MAX)
        return false;
    *seconds = (double)duration_ns / 1e9;
    return true;
}

static bool read_factor(const char *text, double *factor)
{
    return text[0] == 'x' && units_read_number(text + 1, factor) && *factor <= FACTOR_MAX;
}

static bool take_seconds(const struct part *part, double *seconds, struct error *error)
{
    return read_seconds(part->value, seconds) ||
           wrong(part, "a duration with its unit up to an hour, as 5ms", error);
}

static bool take_share(const struct part *part, double *share, struct error *error)
{
    return units_read_share(part->value, share) || wrong(part, "a share, as 0.1%", error);
}

static bool take_delay(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    return take_seconds(part, &plant->fleet.plant.delay_s, error);
}

static bool take_service(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    double seconds;
    if (!read_seconds(part->value, &seconds) || seconds <= 0.0)
        return wrong(part, "a duration above 0 with its unit, as 4ms", error);
    plant->fleet.plant.service_s = seconds;
    return true;
}

static bool take_servers(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    uint64_t count;
    if (!units_read_count(part->value, &count) || count < 1 || count > SERVERS_MAX)
        return wrong(part, "a whole number from 1 to 1000000, or a change as x0.5@30s-40s", error);
    plant->fleet.plant.servers = (uint32_t)count;
    return true;
}

static bool take_spread(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    double spread;
    if (!units_read_number(part->value, &spread) || spread > SPREAD_MAX)
        return wrong(part, "a number from 0 to 3, as 0.3", error);
    plant->fleet.plant.spread = spread;
    return true;
}

/* "400/s:0.015:0.00008" */
static bool take_usl(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    static const char allowed[] =
        "RATE:CONTENTION:COHERENCY with both coefficients from 0 to 1, as 400/s:0.015:0.00008";
    char text[PART_BYTES];
    snprintf(text, sizeof text, "%s", part->value);
    char *rest = text;
    const char *rate = strsep(&rest, ":");
    const char *contention = strsep(&rest, ":");
    struct plant_config *config = &plant->fleet.plant;
    if (contention == NULL || rest == NULL || !units_read_rate(rate, &config->usl_per_s) ||
        !(config->usl_per_s > 0.0) || config->usl_per_s > RATE_PER_S_MAX ||
        !units_read_number(contention, &config->usl_contention) ||
        config->usl_contention > COEFFICIENT_MAX ||
        !units_read_number(rest, &config->usl_coherency) || config->usl_coherency > COEFFICIENT_MAX)
        return wrong(part, allowed, error);
    return true;
}

static bool take_line(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    uint64_t count;
    if (!units_read_count(part->value, &count) || count > SERVERS_MAX)
        return wrong(part, "a whole number up to 1000000; 0 is no limit", error);
    plant->fleet.plant.line_max = (uint32_t)count;
    return true;
}

static bool take_errors(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    return take_share(part, &plant->fleet.plant.error_share, error);
}

static bool take_noise(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    return take_share(part, &plant->fleet.noise, error);
}

static bool take_connect(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    return take_seconds(part, &plant->fleet.connect_s, error);
}

static bool take_lane(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    double rate_per_s;
    if (!units_read_rate(part->value, &rate_per_s) || !(rate_per_s > 0.0) ||
        rate_per_s > RATE_PER_S_MAX)
        return wrong(part, "a rate above 0, as 20k/s", error);
    plant->fleet.lane_starts_per_s = rate_per_s;
    return true;
}

static bool take_loss(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    return take_share(part, &plant->beat_loss, error);
}

static bool take_transport(struct simulate_plant *plant, const struct part *part,
                           struct error *error)
{
    uint64_t ticks;
    if (!units_read_count(part->value, &ticks) || ticks > FLEET_TRANSPORT_MAX)
        return wrong(part, "a whole number of ticks from 0 to 10", error);
    plant->transport_ticks = (uint32_t)ticks;
    return true;
}

/* Changes. */

static bool add_change(struct simulate_plant *plant, const struct part *part,
                       enum plant_change_kind kind, double factor, double every_s,
                       struct error *error)
{
    for (uint32_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        struct plant_change *change = &plant->fleet.plant.changes[i];
        if (change->kind != PLANT_SAME)
            continue;
        *change = (struct plant_change){.kind = kind,
                                        .from_s = part->from_s,
                                        .to_s = part->to_s,
                                        .factor = factor,
                                        .every_s = every_s};
        return true;
    }
    return error_set(error, ERROR_USAGE, PLACE_NONE, "%s is one change too many; at most %d",
                     part->key, PLANT_CHANGES_MAX);
}

static bool add_factor(struct simulate_plant *plant, const struct part *part,
                       enum plant_change_kind kind, double least, struct error *error)
{
    double factor;
    if (!read_factor(part->value, &factor) || factor < least)
        return wrong(part, "a factor up to 1000 and its time, as x4@10s-20s", error);
    return add_change(plant, part, kind, factor, 0.0, error);
}

static bool change_latency(struct simulate_plant *plant, const struct part *part,
                           struct error *error)
{
    return add_factor(plant, part, PLANT_LATENCY, 0.0, error);
}

static bool change_servers(struct simulate_plant *plant, const struct part *part,
                           struct error *error)
{
    return add_factor(plant, part, PLANT_SERVERS, 0.0, error);
}

#define SPEED_LEAST 0.001 /* at a speed of 0 nothing would ever end */

static bool change_speed(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    return add_factor(plant, part, PLANT_SPEED, SPEED_LEAST, error);
}

static bool change_warm_up(struct simulate_plant *plant, const struct part *part,
                           struct error *error)
{
    if (isinf(part->to_s))
        return wrong(part, "an end too, as x0.1@0s-20s", error);
    return add_factor(plant, part, PLANT_WARM_UP, SPEED_LEAST, error);
}

/* "80ms/2s" */
static bool change_pauses(struct simulate_plant *plant, const struct part *part,
                          struct error *error)
{
    char text[PART_BYTES];
    snprintf(text, sizeof text, "%s", part->value);
    char *rest = text;
    const char *length = strsep(&rest, "/");
    double length_s;
    double every_s;
    if (rest == NULL || !read_seconds(length, &length_s) || !read_seconds(rest, &every_s) ||
        !(length_s > 0.0) || !(every_s > length_s))
        return wrong(part, "LENGTH/EVERY@FROM-TO, EVERY the longer, as 80ms/2s@5s-", error);
    return add_change(plant, part, PLANT_PAUSES, length_s, every_s, error);
}

static bool take_lost(struct simulate_plant *plant, const struct part *part, struct error *error)
{
    uint64_t count;
    if (!units_read_count(part->value, &count) || count < 1 || count > FLEET_LANES_MAX)
        return wrong(part, "how many agents and when, as 2@20s-25s", error);
    plant->lost_agents = (uint32_t)count;
    plant->lost_from_s = part->from_s;
    plant->lost_to_s = part->to_s;
    return true;
}

static const struct key keys[] = {
    {"delay", "delay=5ms", "all pass it side by side: the network", take_delay, NULL, false},
    {"service", "service=4ms", "mean time that a server takes; log-normal", take_service, NULL,
     false},
    {"servers", "servers=64", "so many are served at once, the others wait in line", take_servers,
     change_servers, false},
    {"spread", "spread=0.3", "standard deviation of the service, a share of it", take_spread, NULL,
     false},
    {"usl", "usl=400/s:0.015:0.00008",
     "no servers: all share a system that scales so (rate of one, contention, coherency)", take_usl,
     NULL, false},
    {"line", "line=500", "who finds so many waiting fails at once; 0: no limit", take_line, NULL,
     false},
    {"errors", "errors=0.1%", "this share fails after its service", take_errors, NULL, false},
    {"connect", "connect=1ms", "until a new worker can take a request", take_connect, NULL, false},
    {"latency", "latency=x4@10s-20s", "the delay changes for a while; an open end is the run's",
     NULL, change_latency, true},
    {"speed", "speed=x0.5@30s-40s", "the service runs faster or slower for a while", NULL,
     change_speed, true},
    {"warmup", "warmup=x0.1@0s-20s", "its speed grows from that to what it is", NULL,
     change_warm_up, true},
    {"pauses", "pauses=80ms/2s@5s-", "all service stands still so long, about so often", NULL,
     change_pauses, true},
    {"lane", "lane=20k/s", "an agent's CPU can start no more", take_lane, NULL, false},
    {"lost", "lost=2@20s-25s", "the first agents die, and come back as new ones", NULL, take_lost,
     true},
    {"loss", "loss=1%", "this share of all beats never arrives", take_loss, NULL, false},
    {"noise", "noise=1%", "of the latencies and loads that beats tell, a share", take_noise, NULL,
     false},
    {"transport", "transport=1", "beats are so many ticks of 0.1 s older", take_transport, NULL,
     false},
};

void simulate_plant_help(FILE *stream)
{
    for (size_t i = 0; i < COUNT(keys); i++)
        fprintf(stream, "  %-24s %s\n", keys[i].example, keys[i].help);
    fprintf(stream, "  servers=x0.5@30s-40s     some of the servers are gone for a while\n");
}

/** "@10s-20s", "@5s-": the rest of a value. */
static bool read_window(struct part *part, char *text, struct error *error)
{
    char *rest = text;
    const char *from = strsep(&rest, "-");
    uint64_t from_ns;
    uint64_t to_ns = UINT64_MAX;
    bool well = rest != NULL && units_read_duration(from, &from_ns) &&
                (rest[0] == '\0' || units_read_duration(rest, &to_ns)) && from_ns < to_ns;
    if (!well)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s has no such time; give @FROM-TO, TO the later or nothing, as @10s-20s",
                         part->key);
    part->windowed = true;
    part->from_s = (double)from_ns / 1e9;
    part->to_s = rest[0] == '\0' ? INFINITY : (double)to_ns / 1e9;
    return true;
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool no_such_key(const char *name, struct error *error)
{
    const char *names[COUNT(keys)];
    char all[256] = "";
    char shown[4 * PART_BYTES];
    for (size_t i = 0; i < COUNT(keys); i++) {
        names[i] = keys[i].name;
        size_t length = strlen(all);
        snprintf(all + length, sizeof all - length, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    const char *nearest = units_nearest(name, names, COUNT(names));
    harmless_text(name, shown, sizeof shown);
    if (nearest != NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "there is no '%.40s'; did you mean '%s'?",
                         shown, nearest);
    return error_set(error, ERROR_USAGE, PLACE_NONE, "there is no '%.40s'; there are %s", shown,
                     all);
}

static bool read_part(struct simulate_plant *plant, char *text, struct error *error)
{
    struct part part = {0};
    char *value = text;
    const char *name = strsep(&value, "=");
    const struct key *key = find_key(name);
    if (key == NULL)
        return no_such_key(name, error);
    snprintf(part.key, sizeof part.key, "%s", name);
    if (value == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%s has no value; give one, as %s",
                         key->name, key->example);
    char *window = value;
    snprintf(part.value, sizeof part.value, "%s", strsep(&window, "@"));
    if (window != NULL && !read_window(&part, window, error))
        return false;
    if (part.windowed && key->take_window == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%s does not change with time; give %s",
                         key->name, key->example);
    if (!part.windowed && key->window_only)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%s needs a time; give one, as %s",
                         key->name, key->example);
    return part.windowed ? key->take_window(plant, &part, error) : key->take(plant, &part, error);
}

bool simulate_plant_read(struct simulate_plant *plant, const char *text, struct error *error)
{
    while (text[0] != '\0') {
        char part[PART_BYTES];
        size_t length = strcspn(text, ",");
        if (length >= sizeof part)
            return error_set(error, ERROR_USAGE, PLACE_NONE, "'%.40s...' is too long for a plant",
                             text);
        memcpy(part, text, length);
        part[length] = '\0';
        if (!read_part(plant, part, error))
            return false;
        text += length + (text[length] == ',');
    }
    return true;
}

void simulate_plant_init(struct simulate_plant *plant)
{
    struct error error = {0};
    *plant = (struct simulate_plant){0};
    CHECK(simulate_plant_read(plant, SIMULATE_PLANT_DEFAULT, &error));
}
