#include "coordinator/diagnosis.h"

#include "common/version.h"
#include "coordinator/json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static json_t *patient_object(const struct patient *patient)
{
    const struct findings *found = &patient->findings;
    json_t *object = json_object();
    json_put(object, "name", json_text(patient->name));
    json_put(object, "examined", json_boolean(patient->examined));
    if (!patient->examined)
        return object;
    json_put(object, "cores", json_count(found->lanes));
    json_put(object, "cpu_limit",
             found->cpu_limit_milli > 0 ? json_number(found->cpu_limit_milli / 1e3) : json_null());
    json_put(object, "requests_per_cpu_s", json_count(found->requests_per_cpu_s));
    json_put(object, "requests_per_s", json_number(diagnosis_rate(found)));
    json_put(object, "timer_p99_ns", json_count(found->timer_p99_ns));
    json_put(object, "files", json_count(found->descriptors));
    json_put(object, "workers", json_count(found->room));
    json_put(object, "ports", json_count(found->ports));
    json_put(object, "addresses", json_count(found->addresses));
    json_put(object, "clock_known_within_ns", json_count(patient->clock_ns));
    json_put(object, "engine", json_text(found->engine));
    json_put(object, "engine_why", json_text(found->engine_why));
    json_put(object, "governor", json_text(found->governor));
    json_put(object, "clock_source", json_text(found->clock));
    return object;
}

static json_t *remarks_array(const struct diagnosis *diagnosis)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < diagnosis->remark_count; i++) {
        json_t *object = json_object();
        json_put(object, "grade", json_text(diagnosis_word(diagnosis->remarks[i].grade)));
        json_put(object, "sentence", json_text(diagnosis->remarks[i].sentence));
        json_array_append_new(array, object);
    }
    return array;
}

bool diagnosis_json(const struct diagnosis *diagnosis, FILE *stream, struct error *error)
{
    json_t *object = json_object(), *agents = json_array();
    for (uint32_t i = 0; i < diagnosis->patient_count; i++)
        json_array_append_new(agents, patient_object(&diagnosis->patients[i]));
    json_put(object, "schema", json_count(1));
    json_put(object, "clobber", json_text(CLOBBER_VERSION));
    json_put(object, "agents", agents);
    json_put(object, "requests_per_s", json_number(diagnosis->together_per_s));
    json_put(object, "workers", json_count(diagnosis->room));
    json_put(object, "wanted_per_s",
             diagnosis->wanted_per_s > 0.0 ? json_number(diagnosis->wanted_per_s) : json_null());
    json_put(object, "remarks", remarks_array(diagnosis));
    json_put(object, "first_limit", json_text(diagnosis->first_limit));
    int failed =
        json_dumpf(object, stream, JSON_ENSURE_ASCII | JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(object);
    if (failed != 0 || fputc('\n', stream) == EOF || fflush(stream) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the findings: %s",
                         strerror(errno));
    return true;
}
