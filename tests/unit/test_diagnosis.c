#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "coordinator/diagnosis.h"

#include <stdlib.h>
#include <string.h>

static struct diagnosis diagnosis;

static struct patient healthy(const char *name)
{
    struct patient patient = {
        .examined = true,
        .clock_ns = 200000,
        .findings = {.measured = true,
                     .lanes = 4,
                     .requests_per_cpu_s = 15000,
                     .timer_p99_ns = 60000,
                     .descriptors = 65536,
                     .room = 28232,
                     .ports = 28232,
                     .addresses = 1,
                     .engine = "uring"},
    };
    strcpy(patient.name, name);
    return patient;
}

static struct plan hold(double rate_per_s)
{
    return (struct plan){
        .goal = GOAL_HOLD, .schedule = {.value = rate_per_s}, .concurrency_max = 20000};
}

static const struct remark *remark_with(const char *text)
{
    for (uint32_t i = 0; i < diagnosis.remark_count; i++)
        if (strstr(diagnosis.remarks[i].sentence, text) != NULL)
            return &diagnosis.remarks[i];
    return NULL;
}

static void assert_remark(enum remark_grade grade, const char *text)
{
    const struct remark *found = remark_with(text);
    if (found == NULL)
        fail_msg("no remark says '%s'", text);
    assert_int_equal(found->grade, grade);
}

static void a_healthy_fleet_has_nothing_to_mend(void **state)
{
    (void)state;
    struct plan plan = hold(5000);
    struct patient patients[] = {healthy("a1"), healthy("a2")};

    diagnosis_make(&diagnosis, &plan, patients, 2);

    assert_false(diagnosis_fails(&diagnosis));
    for (uint32_t i = 0; i < diagnosis.remark_count; i++)
        assert_int_equal(diagnosis.remarks[i].grade, REMARK_OK);
    assert_remark(REMARK_OK, "together at most 120000/s; the plan asks 5000/s");
    assert_remark(REMARK_OK, "room for 56464 requests in flight");
    assert_remark(REMARK_OK, "clocks are known within");
}

/* What is wrong with one agent, the rate that the plan asks, and what is said of it. */
struct ailment {
    const char *name;
    double rate_per_s;
    struct patient (*patient)(void);
    enum remark_grade grade;
    const char *says;
};

static struct patient well(void)
{
    return healthy("a1");
}

static struct patient with_few_files(void)
{
    struct patient patient = healthy("a1");
    patient.findings.descriptors = 1024;
    patient.findings.room = 952;
    return patient;
}

static struct patient with_few_ports(void)
{
    struct patient patient = healthy("a1");
    patient.findings.ports = patient.findings.room = 1000;
    return patient;
}

static struct patient late(void)
{
    struct patient patient = healthy("a1");
    patient.findings.timer_p99_ns = DIAGNOSIS_LATE_NS + 1;
    strcpy(patient.findings.governor, "powersave");
    return patient;
}

static struct patient just_in_time(void)
{
    struct patient patient = healthy("a1");
    patient.findings.timer_p99_ns = DIAGNOSIS_LATE_NS;
    return patient;
}

static struct patient confined(void)
{
    struct patient patient = healthy("a1");
    patient.findings.cpu_limit_milli = 1500;
    return patient;
}

static struct patient without_uring(void)
{
    struct patient patient = healthy("a1");
    strcpy(patient.findings.engine_why, "io_uring_setup: Operation not permitted");
    return patient;
}

static struct patient silent(void)
{
    struct patient patient = {.name = "a1"};
    return patient;
}

static struct patient far_away(void)
{
    struct patient patient = healthy("a1");
    patient.clock_ns = 60000000;
    return patient;
}

static const struct ailment ailments[] = {
    {"a_rate_that_fits_is_fine", 36000, well, REMARK_OK, "the plan asks 36000/s"},
    {"a_rate_that_leaves_no_air_is_warned_of", 36001, well, REMARK_WARN, "add agents or cores"},
    {"a_rate_beyond_all_fails", 60001, well, REMARK_FAIL, "the plan asks 60001/s: add agents"},
    {"few_files_are_named_with_the_number_needed", 100, with_few_files, REMARK_WARN,
     "a1: 1024 open files, or its owner, allow 952 workers at once; the plan's ceiling is 20000. "
     "Raise it: ulimit -n 20072"},
    {"few_ports_are_named", 100, with_few_ports, REMARK_WARN,
     "a1: 1000 local ports of 1 address allow 1000 workers at once"},
    {"a_late_timer_is_named_with_its_governor", 100, late, REMARK_WARN,
     "with the governor \"powersave\""},
    {"a_timer_just_in_time_is_fine", 100, just_in_time, REMARK_OK, "clocks are known"},
    {"a_control_group_bounds_the_rate", 22501, confined, REMARK_FAIL, "together at most 22500/s"},
    {"a_control_group_is_named", 100, confined, REMARK_WARN, "1.50 CPUs, and it has 4 lanes"},
    {"a_want_of_io_uring_is_named_with_its_reason", 100, without_uring, REMARK_WARN,
     "so epoll, which carries less: io_uring_setup: Operation not permitted"},
    {"who_does_not_answer_fails", 100, silent, REMARK_FAIL, "a1: did not answer"},
    {"a_slow_network_is_warned_of", 100, far_away, REMARK_WARN, "so slow a network"},
};

static void ailment_is_named(void **state)
{
    const struct ailment *row = *state;
    struct plan plan = hold(row->rate_per_s);
    struct patient patient = row->patient();

    diagnosis_make(&diagnosis, &plan, &patient, 1);

    assert_remark(row->grade, row->says);
    if (row->grade == REMARK_FAIL)
        assert_true(diagnosis_fails(&diagnosis));
}

static void a_concurrency_without_room_fails(void **state)
{
    (void)state;
    struct plan plan = {
        .goal = GOAL_CONCURRENCY, .schedule = {.value = 953}, .concurrency_max = 20000};
    struct patient patient = with_few_files();

    diagnosis_make(&diagnosis, &plan, &patient, 1);
    assert_remark(REMARK_FAIL, "together room for 952 requests in flight; the plan's goal is 953");
    plan.schedule.value = 952;
    diagnosis_make(&diagnosis, &plan, &patient, 1);
    assert_false(diagnosis_fails(&diagnosis));
}

static void the_narrowest_and_the_slowest_are_the_first_limits(void **state)
{
    (void)state;
    struct patient patients[] = {healthy("a1"), with_few_files(), confined()};
    strcpy(patients[1].name, "a2");
    strcpy(patients[2].name, "a3");

    diagnosis_make(&diagnosis, NULL, patients, 3);

    assert_string_equal(diagnosis.first_limit, "a2 at 952 workers; a3 at 22500/s");
}

static void too_many_remarks_are_counted(void **state)
{
    (void)state;
    struct patient *patients = calloc(2 * DIAGNOSIS_REMARKS_MAX, sizeof *patients);
    CHECK(patients != NULL);

    diagnosis_make(&diagnosis, NULL, patients, 2 * DIAGNOSIS_REMARKS_MAX);

    assert_int_equal(diagnosis.remark_count, DIAGNOSIS_REMARKS_MAX);
    assert_int_equal(diagnosis.remarks_more, DIAGNOSIS_REMARKS_MAX + 2);
    assert_string_equal(diagnosis.first_limit, "");
    free(patients);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(a_healthy_fleet_has_nothing_to_mend),
        cmocka_unit_test(a_concurrency_without_room_fails),
        cmocka_unit_test(the_narrowest_and_the_slowest_are_the_first_limits),
        cmocka_unit_test(too_many_remarks_are_counted),
    };
    struct CMUnitTest tests[COUNT(ailments) + COUNT(plain)];
    for (size_t i = 0; i < COUNT(ailments); i++)
        tests[i] = (struct CMUnitTest){.name = ailments[i].name,
                                       .test_func = ailment_is_named,
                                       .initial_state = (void *)(uintptr_t)&ailments[i]};
    memcpy(tests + COUNT(ailments), plain, sizeof plain);
    return cmocka_run_group_tests_name("diagnosis", tests, NULL, NULL);
}
