#include "agent/target_knobs.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/limits.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>

static bool take_duration(const char *value, uint64_t *duration_ns)
{
    uint64_t read_ns;
    if (!units_read_duration(value, &read_ns) || read_ns > TARGET_LATENCY_NS_MAX)
        return false;
    *duration_ns = read_ns;
    return true;
}

static bool take_count(const char *value, uint32_t *count)
{
    uint64_t read;
    if (!units_read_count(value, &read) || read > CONCURRENCY_MAX)
        return false;
    *count = (uint32_t)read;
    return true;
}

static bool take_latency(struct target_knobs *knobs, const char *value)
{
    return take_duration(value, &knobs->latency_ns);
}

static bool take_jitter(struct target_knobs *knobs, const char *value)
{
    return take_duration(value, &knobs->jitter_ns);
}

static bool take_servers(struct target_knobs *knobs, const char *value)
{
    return take_count(value, &knobs->servers);
}

static bool take_queue(struct target_knobs *knobs, const char *value)
{
    return take_count(value, &knobs->queue);
}

static bool take_error_rate(struct target_knobs *knobs, const char *value)
{
    return units_read_share(value, &knobs->error_rate);
}

/* Not units_read_share(): a share of the service time may well be above 1. */
static bool take_retrograde(struct target_knobs *knobs, const char *value)
{
    double number;
    if (units_read_share(value, &knobs->retrograde))
        return true;
    if (!units_read_number(value, &number) || !(number <= TARGET_RETROGRADE_MAX))
        return false;
    knobs->retrograde = number;
    return true;
}

static const struct knob {
    const char *name;
    bool (*take)(struct target_knobs *knobs, const char *value);
    const char *wanted;
} rows[] = {
    {"latency", take_latency, "a duration of at most 1h, such as 5ms"},
    {"jitter", take_jitter, "a duration of at most 1h, such as 1ms"},
    {"servers", take_servers, "a number up to 1000000; 0 is no limit"},
    {"queue", take_queue, "a number up to 1000000; 0 is no limit"},
    {"error-rate", take_error_rate, "a share from 0 to 1, such as 0.1%"},
    {"retrograde", take_retrograde, "a share such as 1%, at most 1000"},
};

bool target_knobs_set(struct target_knobs *knobs, const char *name, const char *value,
                      struct error *error)
{
    char shown[64];
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        if (rows[i].take(knobs, value))
            return true;
        return error_set(error, ERROR_USAGE, PLACE_NONE, "'%s' is no value for %s; give %s",
                         harmless_text(value, shown, sizeof shown), name, rows[i].wanted);
    }
    return error_set(error, ERROR_USAGE, PLACE_NONE,
                     "'%s' is no knob; there are latency, jitter, servers, queue, error-rate and "
                     "retrograde",
                     harmless_text(name, shown, sizeof shown));
}

bool target_knobs_check(const struct target_knobs *knobs, uint32_t threads, struct error *error)
{
    CHECK(threads > 0);
    char latency[UNITS_TEXT_BYTES], jitter[UNITS_TEXT_BYTES];
    if (knobs->jitter_ns > knobs->latency_ns)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "jitter %s is more than latency %s, and no service ends before it began",
                         units_show_duration(knobs->jitter_ns, jitter),
                         units_show_duration(knobs->latency_ns, latency));
    bool is_shared = knobs->servers > 0 || knobs->queue > 0 || knobs->retrograde > 0.0;
    if (is_shared && threads > 1)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%u threads share no line; servers, queue and retrograde need threads 1",
                         threads);
    return true;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decodes %XX in place. %00 stays as it is, so that nothing can hide behind the end of the text. */
static void percent_decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++, to++) {
        *to = *from;
        if (*from != '%' || hex_value(from[1]) < 0 || hex_value(from[2]) < 0)
            continue;
        int decoded = hex_value(from[1]) * 16 + hex_value(from[2]);
        if (decoded != 0) {
            *to = (char)decoded;
            from += 2;
        }
    }
    *to = '\0';
}

bool target_knobs_read(struct target_knobs *knobs, const char *form, uint32_t threads,
                       struct error *error)
{
    char text[TARGET_KNOBS_TEXT_BYTES];
    if (strlen(form) >= sizeof text)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the knobs are longer than %zu bytes; all of them fit in fewer",
                         sizeof text - 1);
    memcpy(text, form, strlen(form) + 1);

    struct target_knobs read = *knobs;
    char *rest = NULL;
    for (char *name = strtok_r(text, "&\r\n", &rest); name != NULL;
         name = strtok_r(NULL, "&\r\n", &rest)) {
        char *value = strchr(name, '=');
        if (value != NULL)
            *value++ = '\0';
        percent_decode(name);
        if (value != NULL)
            percent_decode(value);
        if (!target_knobs_set(&read, name, value != NULL ? value : "", error))
            return false;
    }
    if (!target_knobs_check(&read, threads, error))
        return false;
    *knobs = read;
    return true;
}

const char *target_knobs_json(const struct target_knobs *knobs, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes,
             "{\"latency_ns\": %llu, \"jitter_ns\": %llu, \"servers\": %u, \"queue\": %u, "
             "\"error_rate\": %.9g, \"retrograde\": %.9g}\n",
             (unsigned long long)knobs->latency_ns, (unsigned long long)knobs->jitter_ns,
             knobs->servers, knobs->queue, knobs->error_rate, knobs->retrograde);
    return text;
}
