#include "coordinator/report_formats.h"

#include "common/base/harmless.h"

#include <inttypes.h>

#define CELL_BYTES (4 * SERIES_NAME_BYTES + 4)

static void put_head(const struct series *series, FILE *stream)
{
    fprintf(stream, "from_s,to_s,goal,throughput_per_s,throughput_per_s_lowest,"
                    "throughput_per_s_highest,workers,workers_lowest,workers_highest,in_flight,"
                    "backlog_highest,ok,failed,timed_out");
    static const char *const kinds[] = {"response", "service"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        fprintf(stream, ",%s_p50_ns,%s_p90_ns,%s_p99_ns,%s_p999_ns,%s_max_ns", kinds[i], kinds[i],
                kinds[i], kinds[i], kinds[i]);
    for (uint32_t i = 0; i < series->class_count; i++) {
        char cell[CELL_BYTES];
        char name[SERIES_NAME_BYTES + 8];
        snprintf(name, sizeof name, "errors_%s", series->classes[i]);
        fprintf(stream, ",%s", harmless_cell(name, cell, sizeof cell));
    }
    fputc('\n', stream);
}

static void put_values(const struct series_bin *bin, FILE *stream)
{
    if (bin->ticks == 0) {
        fprintf(stream, ",,,,,,,,,");
        return;
    }
    fprintf(stream, ",%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f", bin->goal_sum / bin->ticks,
            series_throughput_per_s(bin), bin->throughput.lowest, bin->throughput.highest,
            bin->workers.sum / bin->ticks, bin->workers.lowest, bin->workers.highest,
            bin->in_flight_sum / bin->ticks, bin->backlog_highest);
}

static void put_latency(bool measured, const struct series_latency *latency, FILE *stream)
{
    if (!measured)
        fprintf(stream, ",,,,,");
    else
        fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
                latency->p50_ns, latency->p90_ns, latency->p99_ns, latency->p999_ns,
                latency->max_ns);
}

static void put_bin(const struct series *series, uint32_t index, FILE *stream)
{
    const struct series_bin *bin = &series->bins[index];
    fprintf(stream, "%u,%u", index * series->bin_s, (index + 1) * series->bin_s);
    put_values(bin, stream);
    fprintf(stream, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, bin->ok, bin->failed, bin->timed_out);
    put_latency(bin->measured, &bin->response, stream);
    put_latency(bin->measured, &bin->service, stream);
    for (uint32_t i = 0; i < series->class_count; i++)
        fprintf(stream, ",%" PRIu64, bin->errors[i]);
    fputc('\n', stream);
}

bool report_as_csv(const struct run_record *record, FILE *stream, struct error *error)
{
    put_head(&record->series, stream);
    for (uint32_t i = 0; i < record->series.count; i++)
        put_bin(&record->series, i, stream);
    return !ferror(stream) || error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the series");
}
