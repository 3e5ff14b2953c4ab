#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/error.h"
#include "common/base/failure.h"

#include <string.h>

static void error_set_returns_false_and_keeps_kind_place_and_sentence(void **state)
{
    (void)state;
    struct error error = {0};

    bool result = error_set(&error, ERROR_PLAN, (struct place){"soak.yaml", 7, 13},
                            "target is %d requests/s", 0);

    assert_false(result);
    assert_int_equal(error.kind, ERROR_PLAN);
    assert_int_equal(error.place.line, 7);
    assert_string_equal(error.message, "target is 0 requests/s");
}

static void error_set_cuts_a_sentence_that_is_too_long(void **state)
{
    (void)state;
    struct error error = {0};
    char sentence[2 * ERROR_MESSAGE_BYTES];
    memset(sentence, 'x', sizeof sentence);
    sentence[sizeof sentence - 1] = '\0';

    error_set(&error, ERROR_USAGE, PLACE_NONE, "%s", sentence);

    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
}

static void error_set_and_prefix_do_without_an_error_to_fill(void **state)
{
    (void)state;

    assert_false(error_set(NULL, ERROR_USAGE, PLACE_NONE, "nobody reads this"));
    assert_false(error_prefix(NULL, "nor this"));
}

static void error_prefix_puts_the_context_in_front(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, ERROR_SYSTEM, PLACE_NONE, "connect: refused");

    bool result = error_prefix(&error, "agent '%s'", "eu-3");

    assert_false(result);
    assert_string_equal(error.message, "agent 'eu-3': connect: refused");
    assert_int_equal(error.kind, ERROR_SYSTEM);
}

static void error_prefix_cuts_the_end_when_both_are_too_long(void **state)
{
    (void)state;
    struct error error = {0};
    char sentence[ERROR_MESSAGE_BYTES];
    memset(sentence, 'x', sizeof sentence);
    sentence[sizeof sentence - 1] = '\0';
    error_set(&error, ERROR_USAGE, PLACE_NONE, "%s", sentence);

    error_prefix(&error, "here");

    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
    assert_memory_equal(error.message, "here: xxx", 9);
}

struct text_case {
    const char *name;
    struct place place;
    const char *text;
};

static const struct text_case text_cases[] = {
    {"error_text_shows_file_line_and_column", {"a.yaml", 7, 13}, "a.yaml:7:13: it is bad"},
    {"error_text_shows_the_file_alone_when_there_is_no_line",
     {"a.yaml", 0, 0},
     "a.yaml: it is bad"},
    {"error_text_shows_the_sentence_alone_when_there_is_no_place", {NULL, 0, 0}, "it is bad"},
};

static void error_text_is(void **state)
{
    const struct text_case *row = *state;
    struct error error = {0};
    error_set(&error, ERROR_PLAN, row->place, "it is bad");
    char text[64];

    assert_string_equal(error_text(&error, text, sizeof text), row->text);
}

static void error_text_keeps_within_the_room_it_is_given(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, ERROR_PLAN, PLACE_NONE, "it is bad");
    char text[6];

    assert_string_equal(error_text(&error, text, sizeof text), "it is");
}

static void failure_word_differs_for_every_class(void **state)
{
    (void)state;
    for (int a = 0; a < FAILURE_COUNT; a++) {
        const char *word = failure_word((enum failure)a);
        assert_true(strlen(word) > 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(word, failure_word((enum failure)b));
    }
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(error_set_returns_false_and_keeps_kind_place_and_sentence),
        cmocka_unit_test(error_set_cuts_a_sentence_that_is_too_long),
        cmocka_unit_test(error_set_and_prefix_do_without_an_error_to_fill),
        cmocka_unit_test(error_prefix_puts_the_context_in_front),
        cmocka_unit_test(error_prefix_cuts_the_end_when_both_are_too_long),
        cmocka_unit_test(error_text_keeps_within_the_room_it_is_given),
        cmocka_unit_test(failure_word_differs_for_every_class),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(text_cases)];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(text_cases); i++)
        tests[COUNT(plain) + i] = (struct CMUnitTest){
            .name = text_cases[i].name,
            .test_func = error_text_is,
            .initial_state = (void *)(uintptr_t)&text_cases[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
