#include "agent/worker_count.h"

#include "common/base/check.h"

#include <errno.h>
#include <stdatomic.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

struct phase_meter *count_phase(struct crew *crew, const struct worker *worker)
{
    return &crew->meters->phases[worker->phase];
}

/* The integral of requests in flight over time. An end (at read_ns) may come after a start (at now)
 * that is later by the clock; in arithmetic modulo 2^64 the sum is exact all the same. */
static void occupy(struct crew *crew, uint32_t phase, uint64_t at_ns)
{
    struct occupancy *occupancy = &crew->occupancy[phase];
    crew->meters->phases[phase].counters.in_flight_ns +=
        occupancy->running * (at_ns - occupancy->since_ns);
    occupancy->since_ns = at_ns;
}

void crew_integrate(struct crew *crew, uint32_t first, uint32_t last, uint64_t now_ns)
{
    for (uint32_t phase = first; phase <= last; phase++)
        occupy(crew, phase, now_ns);
}

void count_start(struct crew *crew, struct worker *worker, const struct waiting *request,
                 uint64_t now_ns)
{
    CHECK(!worker->has_request);
    uint64_t lag_ns = now_ns > request->due_ns ? now_ns - request->due_ns : 0;
    worker->has_request = true;
    worker->answered = false;
    worker->sent = 0;
    worker->phase = request->phase;
    worker->own_late = request->own_late;
    worker->due_ns = request->due_ns;
    worker->index = request->index;
    worker->armed_ns = now_ns;
    if (!worker->following)
        worker->kind = crew->numbered ? mix_at(&crew->mix, request->index) : mix_next(&crew->mix);
    crew->in_flight++;
    crew->own_late_count += request->own_late;

    struct phase_meter *phase = count_phase(crew, worker);
    phase->counters.started++;
    phase->counters.send_lag_sum_ns += lag_ns;
    histogram_record(&phase->kinds[SAMPLE_SEND_LAG], lag_ns);
    if (lag_ns > crew->send_lag_ns_max)
        crew->send_lag_ns_max = lag_ns;
    occupy(crew, worker->phase, now_ns);
    crew->occupancy[worker->phase].running++;
}

bool count_reached(const struct worker *worker)
{
    if (worker->request.byte_count == 0)
        return worker->connection.open && !worker->connection.connecting;
    return worker->sent > 0;
}

/* A process may be killed between any two of these. agent/recording.c mends what that leaves, and
 * can because the counters go first: the fence is for the compiler, and costs nothing. */
static void count_outcome(struct phase_meter *phase, uint32_t kind, struct ending ending)
{
    switch (ending.how) {
    case ENDING_OK:
        phase->counters.ok++;
        break;
    case ENDING_FAILED:
        phase->counters.failed[ending.failure]++;
        break;
    case ENDING_TIMED_OUT:
        phase->counters.timed_out++;
        phase->counters.timed_out_connect += ending.waited_for == PATIENCE_CONNECT;
        phase->counters.timed_out_first_byte += ending.waited_for == PATIENCE_FIRST_BYTE;
        break;
    }
    atomic_signal_fence(memory_order_seq_cst);
    if (ending.how == ENDING_OK)
        phase->requests[kind].ok++;
    else
        phase->requests[kind].failed++;
    if (ending.status < STATUS_MIN || ending.status >= STATUS_MIN + STATUS_COUNT)
        return;
    phase->statuses[ending.status - STATUS_MIN]++;
    if (ending.how == ENDING_FAILED && ending.failure == FAILURE_STATUS)
        phase->statuses_failed[ending.status - STATUS_MIN]++;
}

void count_cut(struct crew *crew, struct worker *worker, uint64_t at_ns)
{
    CHECK(worker->has_request);
    worker->has_request = false;
    patience_end(&crew->patience, &worker->patience);
    crew->in_flight--;
    crew->own_late_count -= worker->own_late;
    occupy(crew, worker->phase, at_ns);
    crew->occupancy[worker->phase].running--;
}

void count_end(struct crew *crew, struct worker *worker, struct ending ending)
{
    /* A request that broke in the very look in which it began, began after read_ns. */
    uint64_t done_ns = larger(crew->read_ns, worker->armed_ns);
    uint64_t service_ns = done_ns - worker->armed_ns;
    if (ending.how == ENDING_TIMED_OUT)
        service_ns = larger(service_ns, ending.after_ns); /* crew_fail() takes it over so late */
    uint64_t response_ns = larger(done_ns - worker->due_ns, service_ns);
    struct phase_meter *phase = count_phase(crew, worker);
    phase->counters.unwritten += !count_reached(worker);
    atomic_signal_fence(memory_order_seq_cst);
    count_outcome(phase, worker->kind, ending);
    phase->counters.latency_sum_ns += service_ns;
    histogram_record(&phase->kinds[SAMPLE_SERVICE], service_ns);
    histogram_record(&phase->kinds[SAMPLE_RESPONSE], response_ns);
    histogram_record(&phase->request_histograms[worker->kind], response_ns);
    if (crew->meters->digest != NULL)
        digest_record(crew->meters->digest, response_ns);
    worker->length_ns = service_ns;
    crew->done_ns = done_ns;
    count_cut(crew, worker, done_ns);
}

enum failure count_failure(int error, enum failure other)
{
    if (error >= ENGINE_ERRORS)
        return (enum failure)(error - ENGINE_ERRORS);
    switch (error) {
    case ECONNREFUSED:
        return other == FAILURE_CONNECT_FAILED ? FAILURE_CONNECT_REFUSED : FAILURE_RESET;
    case EADDRNOTAVAIL:
        return FAILURE_LOCAL_PORTS;
    case EMFILE:
    case ENFILE:
        return FAILURE_FD_LIMIT;
    case EPIPE:
        return FAILURE_CLOSED;
    case ECONNRESET:
        return other == FAILURE_CONNECT_FAILED ? other : FAILURE_RESET;
    default:
        return other;
    }
}
