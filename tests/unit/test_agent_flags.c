#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "common/base/check.h"
#include "common/base/clock.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8u

/* Reads the words up to the first NULL. */
static enum flags_outcome read_words(const char *const *words, struct agent_options *options,
                                     struct error *error)
{
    char *arguments[WORDS_MAX + 1] = {NULL};
    int count = 0;
    for (; words[count] != NULL; count++)
        arguments[count] = strdup(words[count]);
    enum flags_outcome outcome = agent_options_read(count, arguments, options, error);
    for (int i = 0; i < count; i++)
        free(arguments[i]);
    return outcome;
}

#define CONNECT "--connect", "tcp://127.0.0.1:7420"

static void agent_options_have_defaults_without_ceilings(void **state)
{
    (void)state;
    struct agent_options options;
    struct error error = {0};

    assert_int_equal(read_words((const char *const[]){CONNECT, NULL}, &options, &error), FLAGS_OK);

    assert_int_equal(options.allow.count, 0);
    assert_int_equal(options.max_concurrency, CONCURRENCY_MAX);
    assert_int_equal(options.max_rate_milli, (uint64_t)(RATE_PER_S_MAX * 1000.0));
    assert_int_equal(options.max_duration_ns, 0);
    assert_in_range(options.lanes, 1, LANES_MAX);
    assert_true(strlen(options.name) > 0);
    assert_false(options.once);
}

static void agent_options_take_the_owners_ceilings(void **state)
{
    (void)state;
    struct agent_options options;
    struct error error = {0};

    assert_int_equal(
        read_words((const char *const[]){CONNECT, "--max-rate=2k/s", "--max-concurrency=64",
                                         "--max-duration=10m", "--allow=10.0.0.0/8",
                                         "--allow=shop.test:443", NULL},
                   &options, &error),
        FLAGS_OK);

    assert_int_equal(options.max_rate_milli, 2000000);
    assert_int_equal(options.max_concurrency, 64);
    assert_int_equal(options.max_duration_ns, 600 * NS_PER_S);
    assert_int_equal(options.allow.count, 2);
}

struct refused_case {
    const char *name;
    const char *words[4]; /* NULL ends them */
    const char *sentence; /* a part of it */
};

static const struct refused_case refused_cases[] = {
    {"agent_refuses_an_unknown_engine", {"--engine", "kqueue"}, "no engine"},
    {"agent_refuses_a_source_that_is_a_name", {"--source", "eth0"}, "is no source"},
    {"agent_refuses_a_key_without_the_coordinators",
     {"--connect=tcp://h:1", "--secret-key", "x"},
     "go together"},
    {"agent_refuses_a_coordinators_key_without_its_own",
     {"--connect=tcp://h:1", "--server-key", "x"},
     "go together"},
    {"agent_refuses_no_lane", {"--lanes", "0"}, "1 to 256"},
    {"agent_refuses_257_lanes", {"--lanes", "257"}, "1 to 256"},
    {"agent_refuses_rate_zero", {"--max-rate", "0"}, "not a rate"},
    {"agent_refuses_a_duration_without_unit", {"--max-duration", "10"}, "not a duration"},
    {"agent_refuses_an_empty_name", {"--name", ""}, "1 to 255"},
    {"agent_refuses_another_transport", {"--connect", "http://x"}, "not an endpoint"},
};

static void words_are_refused(void **state)
{
    const struct refused_case *row = *state;
    struct agent_options options;
    struct error error = {0};

    assert_int_equal(read_words(row->words, &options, &error), FLAGS_BAD);

    assert_int_equal(error.kind, ERROR_USAGE);
    if (strstr(error.message, row->sentence) == NULL)
        fail_msg("the sentence is: %s", error.message);
}

static void agent_refuses_to_guess_its_coordinator(void **state)
{
    (void)state;
    struct agent_options options;
    struct error error = {0};

    assert_int_equal(read_words((const char *const[]){NULL}, &options, &error), FLAGS_BAD);
    assert_non_null(strstr(error.message, "--connect"));
}

int main(void)
{
    static struct CMUnitTest rows[COUNT(refused_cases)];
    for (size_t i = 0; i < COUNT(refused_cases); i++) {
        rows[i] = (struct CMUnitTest){.name = refused_cases[i].name,
                                      .test_func = words_are_refused,
                                      .initial_state = (void *)(uintptr_t)&refused_cases[i]};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_options_have_defaults_without_ceilings),
        cmocka_unit_test(agent_options_take_the_owners_ceilings),
        cmocka_unit_test(agent_refuses_to_guess_its_coordinator),
    };
    int failed = cmocka_run_group_tests_name("refused", rows, NULL, NULL);
    return failed + cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
