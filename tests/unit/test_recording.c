#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/orphan.h"
#include "agent/recording.h"
#include "common/base/units.h"
#include "tests/support/guard.h"

#include <stdlib.h>
#include <string.h>

static const struct recording_shape shape = {.lanes = 2, .phases = 2, .requests = 2};
static const struct recording_owner owner = {.run_id = {7}, .incarnation = {9}};

/* A recording as two lanes write it. */
struct recorded {
    uint8_t *bytes;
    size_t byte_count;
    struct recording *recording;
    struct meters *lanes[2];
};

static struct recorded record(void)
{
    struct recorded recorded = {.byte_count = recording_bytes(&shape)};
    recorded.bytes = calloc(1, recorded.byte_count);
    assert_non_null(recorded.bytes);
    recorded.recording = recording_begin(recorded.bytes, &shape, &owner);
    for (uint32_t i = 0; i < 2; i++) {
        recorded.lanes[i] = meters_create_at(recording_lane(recorded.recording, i), shape.phases,
                                             shape.requests, false);
        assert_non_null(recorded.lanes[i]);
        recorded.lanes[i]->phases[0].t_from = 1000 + i;
    }
    return recorded;
}

static void discard(struct recorded *recorded)
{
    for (uint32_t i = 0; i < 2; i++)
        meters_destroy(recorded->lanes[i]);
    free(recorded->bytes);
}

static void start_one(struct phase_meter *phase)
{
    phase->counters.planned++;
    phase->counters.started++;
}

static void end_one(struct phase_meter *phase, uint32_t request, uint64_t took_ns)
{
    phase->counters.ok++;
    phase->requests[request].ok++;
    histogram_record(&phase->kinds[SAMPLE_SERVICE], took_ns);
    histogram_record(&phase->kinds[SAMPLE_RESPONSE], took_ns);
    histogram_record(&phase->request_histograms[request], took_ns);
}

static struct meters *read_back(const struct recorded *recorded)
{
    struct error error = {0};
    struct meters *meters = recording_read(recorded->bytes, recorded->byte_count, &error);
    if (meters == NULL)
        fail_msg("%s", error.message);
    return meters;
}

static void a_recording_says_whose_it_is_from_its_head_alone(void **state)
{
    (void)state;
    struct recorded recorded = record();
    struct recording_owner read = {0};
    struct error error = {0};

    assert_true(recording_read_owner(recorded.bytes, RECORDING_HEAD_BYTES, &read, &error));

    assert_memory_equal(&read, &owner, sizeof owner);
    discard(&recorded);
}

static void what_lanes_counted_is_read_back_as_one(void **state)
{
    (void)state;
    struct recorded recorded = record();
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t n = 0; n < 3 + i; n++) {
            start_one(&recorded.lanes[i]->phases[i]);
            end_one(&recorded.lanes[i]->phases[i], i, 1000u * (n + 1));
        }
    recording_pulse(recorded.recording, 77, 88);

    struct meters *meters = read_back(&recorded);

    assert_int_equal(meters->t_agent, 77);
    assert_int_equal(meters->cpu_ns, 88);
    assert_int_equal(meters->phases[0].t_from, 1000);
    assert_int_equal(meters->phases[0].counters.ok, 3);
    assert_int_equal(meters->phases[1].counters.ok, 4);
    assert_int_equal(meters->phases[1].requests[1].ok, 4);
    assert_int_equal(meters->phases[1].kinds[SAMPLE_RESPONSE].total, 4);
    assert_int_equal(meters->phases[1].kinds[SAMPLE_RESPONSE].max_ns, 4000);
    meters_destroy(meters);
    discard(&recorded);
}

static void what_waited_was_not_started_and_what_was_in_flight_stays_so(void **state)
{
    (void)state;
    struct recorded recorded = record();
    struct phase_meter *phase = &recorded.lanes[0]->phases[0];
    start_one(phase);
    phase->counters.planned += 5;

    struct meters *meters = read_back(&recorded);

    const struct counters *counters = &meters->phases[0].counters;
    assert_int_equal(counters->planned, 6);
    assert_int_equal(counters->not_started, 5);
    assert_int_equal(counters->started, 1);
    assert_int_equal(counters_in_flight(counters), 1);
    meters_destroy(meters);
    discard(&recorded);
}

/* What a kill leaves of one request, between any two stores. */
static void began_and_not_planned(struct phase_meter *phase)
{
    phase->counters.started++;
}
static void gave_up_and_not_planned(struct phase_meter *phase)
{
    phase->counters.not_started++;
}
static void unwritten_and_not_ended(struct phase_meter *phase)
{
    phase->counters.unwritten++;
}
static void ended_and_nothing_else(struct phase_meter *phase)
{
    start_one(phase);
    phase->counters.ok++;
}
static void failed_and_nothing_else(struct phase_meter *phase)
{
    start_one(phase);
    phase->counters.failed[FAILURE_CLOSED]++;
}
static void impatient_and_not_timed_out(struct phase_meter *phase)
{
    start_one(phase);
    phase->counters.timed_out_connect++;
}
static void named_and_in_no_histogram(struct phase_meter *phase)
{
    ended_and_nothing_else(phase);
    phase->requests[1].ok++;
}
static void in_one_histogram_of_two(struct phase_meter *phase)
{
    named_and_in_no_histogram(phase);
    histogram_record(&phase->kinds[SAMPLE_SERVICE], 5000);
}
static void in_a_cell_and_not_in_the_total(struct phase_meter *phase)
{
    in_one_histogram_of_two(phase);
    phase->kinds[SAMPLE_RESPONSE].cells[histogram_cell(5000)]++;
}
static void in_the_total_and_not_in_a_cell(struct phase_meter *phase)
{
    in_one_histogram_of_two(phase);
    phase->kinds[SAMPLE_RESPONSE].total++;
}
static void the_shortest_yet_and_no_more(struct phase_meter *phase)
{
    phase->request_histograms[0].min_ns = UINT64_MAX;
}
static void status_failed_and_not_counted(struct phase_meter *phase)
{
    phase->statuses_failed[503 - STATUS_MIN]++;
}

static const struct tear {
    const char *name;
    void (*tear)(struct phase_meter *phase);
} tears[] = {
    {"a_kill_between_start_and_plan_is_mended", began_and_not_planned},
    {"a_kill_while_giving_up_is_mended", gave_up_and_not_planned},
    {"a_kill_before_an_unwritten_one_ended_is_mended", unwritten_and_not_ended},
    {"a_kill_after_the_counter_of_an_answer_is_mended", ended_and_nothing_else},
    {"a_kill_after_the_counter_of_a_failure_is_mended", failed_and_nothing_else},
    {"a_kill_within_a_time_out_is_mended", impatient_and_not_timed_out},
    {"a_kill_before_the_histograms_is_mended", named_and_in_no_histogram},
    {"a_kill_between_the_histograms_is_mended", in_one_histogram_of_two},
    {"a_kill_within_a_histogram_before_its_total_is_mended", in_a_cell_and_not_in_the_total},
    {"a_kill_within_a_histogram_before_its_cell_is_mended", in_the_total_and_not_in_a_cell},
    {"a_kill_within_an_empty_histogram_is_mended", the_shortest_yet_and_no_more},
    {"a_kill_between_two_counts_of_a_status_is_mended", status_failed_and_not_counted},
};

/* Whole, and no request more or less than one. */
static void a_torn_request_is_mended(void **state)
{
    const struct tear *tear = *state;
    struct recorded recorded = record();
    struct phase_meter *phase = &recorded.lanes[1]->phases[0];
    start_one(phase);
    end_one(phase, 0, 3000);

    tear->tear(phase);
    struct meters *meters = read_back(&recorded);

    struct error error = {0};
    const struct phase_meter *mended = &meters->phases[0];
    const struct counters *counters = &mended->counters;
    uint64_t ended = counters->started - counters_in_flight(counters);
    assert_true(counters_check(counters, &error));
    assert_int_equal(counters->planned, counters->started + counters->not_started);
    assert_true(counters->started >= 1);
    assert_true(counters->started <= 2);
    assert_int_equal(mended->kinds[SAMPLE_RESPONSE].total, ended);
    assert_int_equal(mended->kinds[SAMPLE_SERVICE].total, ended);
    assert_int_equal(mended->requests[0].ok + mended->requests[1].ok, counters->ok);
    assert_int_equal(mended->requests[0].failed + mended->requests[1].failed,
                     counters_failed(counters) + counters->timed_out);
    meters_destroy(meters);
    discard(&recorded);
}

/* Beyond what one request can leave. */
static void two_ended_and_nothing_else(struct phase_meter *phase)
{
    ended_and_nothing_else(phase);
    ended_and_nothing_else(phase);
}
static void more_ended_than_began(struct phase_meter *phase)
{
    phase->counters.ok += 2;
}
static void a_count_beyond_all_bounds(struct phase_meter *phase)
{
    phase->counters.planned = COUNTERS_COUNT_MAX + 1;
}
static void a_cell_beyond_all_bounds(struct phase_meter *phase)
{
    phase->kinds[SAMPLE_CONNECT].cells[9] = UINT64_MAX;
}
static void a_total_of_its_own(struct phase_meter *phase)
{
    phase->kinds[SAMPLE_CONNECT].total = 2;
}
static void a_name_that_counts_more(struct phase_meter *phase)
{
    phase->requests[1].ok++;
}
static void a_status_beyond_all_bounds(struct phase_meter *phase)
{
    phase->statuses[3] = UINT64_MAX;
}
static void a_name_beyond_all_bounds(struct phase_meter *phase)
{
    phase->requests[0].ok = UINT64_MAX;
    phase->requests[1].ok = 2;
}

static const struct tear lies[] = {
    {"a_recording_in_which_two_requests_are_torn_is_refused", two_ended_and_nothing_else},
    {"a_recording_of_more_answers_than_requests_is_refused", more_ended_than_began},
    {"a_recording_of_an_endless_count_is_refused", a_count_beyond_all_bounds},
    {"a_recording_of_an_endless_cell_is_refused", a_cell_beyond_all_bounds},
    {"a_recording_of_a_histogram_that_does_not_add_up_is_refused", a_total_of_its_own},
    {"a_recording_of_a_name_that_counts_more_is_refused", a_name_that_counts_more},
    {"a_recording_of_an_endless_status_is_refused", a_status_beyond_all_bounds},
    {"a_recording_of_names_whose_sum_wraps_is_refused", a_name_beyond_all_bounds},
};

static void a_lie_is_refused(void **state)
{
    const struct tear *lie = *state;
    struct recorded recorded = record();
    struct error error = {0};

    lie->tear(&recorded.lanes[0]->phases[1]);

    assert_null(recording_read(recorded.bytes, recorded.byte_count, &error));
    assert_int_equal(error.kind, ERROR_PROTOCOL);
    discard(&recorded);
}

static void a_recording_of_another_size_is_refused(void **state)
{
    (void)state;
    struct recorded recorded = record();
    struct guard guard = guard_open(recorded.byte_count + 8);
    size_t sizes[] = {0, 1, RECORDING_HEAD_BYTES - 1, RECORDING_HEAD_BYTES,
                      recorded.byte_count - 1};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct error error = {0};
        uint8_t *bytes = guard_copy(&guard, recorded.bytes, sizes[i]);
        assert_null(recording_read(bytes, sizes[i], &error));
        assert_int_equal(error.kind, ERROR_PROTOCOL);
    }

    guard_close(&guard);
    discard(&recorded);
}

static void a_damaged_head_is_refused_whatever_the_damage(void **state)
{
    (void)state;
    struct recorded recorded = record();
    size_t head_bytes = 8 + 6 * 4 + 2 * ID_BYTES + 4;

    for (size_t i = 0; i < head_bytes; i++) {
        struct error error = {0};
        recorded.bytes[i] ^= 0x40;
        assert_null(recording_read(recorded.bytes, recorded.byte_count, &error));
        recorded.bytes[i] ^= 0x40;
    }

    struct meters *meters = read_back(&recorded);
    meters_destroy(meters);
    discard(&recorded);
}

/* Orphans. */

static struct orphan *make_orphan(void)
{
    struct recorded recorded = record();
    start_one(&recorded.lanes[0]->phases[0]);
    end_one(&recorded.lanes[0]->phases[0], 0, 3000);
    recorded.lanes[0]->phases[1].t_from = 5000;
    start_one(&recorded.lanes[0]->phases[1]);
    recording_pulse(recorded.recording, 6000, 1);
    struct orphan *orphan = orphan_create(&owner, read_back(&recorded));
    assert_non_null(orphan);
    discard(&recorded);
    return orphan;
}

static void hear_of_run(struct orphan *orphan, uint64_t epoch)
{
    struct message message = {.type = MESSAGE_REFUSE, .epoch = epoch};
    memcpy(message.run_id, owner.run_id, ID_BYTES);
    orphan_hear(orphan, &message);
}

static void an_orphan_waits_for_its_run(void **state)
{
    (void)state;
    struct orphan *orphan = make_orphan();
    struct message message = {.type = MESSAGE_WELCOME, .run_id = {8}};

    orphan_hear(orphan, &message);

    assert_false(orphan_say(orphan, NS_PER_S, &message));
    assert_false(orphan_is_heard(orphan));
    orphan_destroy(orphan);
}

static void an_orphan_says_its_phases_again_until_they_are_acknowledged(void **state)
{
    (void)state;
    struct orphan *orphan = make_orphan();
    struct message said[2];
    struct message none;

    hear_of_run(orphan, 3);
    assert_true(orphan_say(orphan, NS_PER_S, &said[0]));
    assert_true(orphan_say(orphan, NS_PER_S, &said[1]));
    assert_false(orphan_say(orphan, NS_PER_S, &none));
    assert_false(orphan_say(orphan, NS_PER_S + 1, &none));
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(said[i].type, MESSAGE_FINAL);
        assert_int_equal(said[i].epoch, 3);
        assert_memory_equal(said[i].incarnation, owner.incarnation, ID_BYTES);
        assert_int_equal(said[i].as.final.reason, FINAL_KILLED);
        assert_int_equal(said[i].as.final.sample.phase, i);
        assert_int_equal(said[i].as.final.counters.started, 2);
    }

    struct message ack = {.type = MESSAGE_FINAL_ACK,
                          .as.final_ack = {.seq = said[0].seq, .started = 1, .ok = 1}};
    memcpy(ack.run_id, owner.run_id, ID_BYTES);
    orphan_hear(orphan, &ack); /* to another incarnation */
    assert_true(orphan_say(orphan, 2 * NS_PER_S, &none));
    assert_int_equal(none.seq, said[0].seq);
    while (orphan_say(orphan, 2 * NS_PER_S, &none))
        continue;
    memcpy(ack.incarnation, owner.incarnation, ID_BYTES);
    orphan_hear(orphan, &ack);
    assert_false(orphan_is_heard(orphan));
    assert_true(orphan_say(orphan, 3 * NS_PER_S, &none));
    assert_int_equal(none.seq, said[1].seq);
    ack.as.final_ack = (struct final_ack){.seq = said[1].seq, .started = 1, .ok = 0};
    orphan_hear(orphan, &ack);
    assert_true(orphan_is_heard(orphan));
    orphan_destroy(orphan);
}

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(a_recording_says_whose_it_is_from_its_head_alone),
        cmocka_unit_test(what_lanes_counted_is_read_back_as_one),
        cmocka_unit_test(what_waited_was_not_started_and_what_was_in_flight_stays_so),
        cmocka_unit_test(a_recording_of_another_size_is_refused),
        cmocka_unit_test(a_damaged_head_is_refused_whatever_the_damage),
        cmocka_unit_test(an_orphan_waits_for_its_run),
        cmocka_unit_test(an_orphan_says_its_phases_again_until_they_are_acknowledged),
    };
    struct CMUnitTest tests[COUNT_OF(plain) + COUNT_OF(tears) + COUNT_OF(lies)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        tests[count++] = plain[i];
    for (size_t i = 0; i < COUNT_OF(tears); i++)
        tests[count++] = (struct CMUnitTest){.name = tears[i].name,
                                             .test_func = a_torn_request_is_mended,
                                             .initial_state = (void *)(uintptr_t)&tears[i]};
    for (size_t i = 0; i < COUNT_OF(lies); i++)
        tests[count++] = (struct CMUnitTest){.name = lies[i].name,
                                             .test_func = a_lie_is_refused,
                                             .initial_state = (void *)(uintptr_t)&lies[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
