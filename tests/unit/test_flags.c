#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a command of three flags and up to two words has taken. */
struct taken {
    const char *duration;
    const char *headers[4];
    size_t header_count;
    bool quiet;
    const char *words[2];
    size_t word_count;
    struct error error;
};

static bool take_duration(void *context, const char *value, struct error *error)
{
    uint64_t duration_ns;
    ((struct taken *)context)->duration = value;
    return units_read_duration(value, &duration_ns) ||
           error_set(error, ERROR_USAGE, PLACE_NONE, "'%s' is no duration", value);
}

static bool take_header(void *context, const char *value, struct error *error)
{
    (void)error;
    struct taken *taken = context;
    CHECK(taken->header_count < COUNT(taken->headers));
    taken->headers[taken->header_count++] = value;
    return true;
}

static bool take_quiet(void *context, const char *value, struct error *error)
{
    (void)error;
    assert_string_equal(value, "");
    ((struct taken *)context)->quiet = true;
    return true;
}

static const struct flag rows[] = {
    {"duration", 'd', "DURATION", "30s", "how long it measures", take_duration, false},
    {"extra-header", 'H', "'NAME: VALUE'", NULL, "a header to send", take_header, true},
    {"quiet", 'q', NULL, NULL, "say nothing while it runs", take_quiet, false},
};

static const struct flags command = {
    .command = "try",
    .usage = "clobber try PLAN.yaml [OTHER] [FLAGS]",
    .about = "Tries a plan.",
    .example = "clobber try soak.yaml -d 5m",
    .rows = rows,
    .count = COUNT(rows),
    .words_min = 1,
    .words_max = 2,
};

#define READ(taken, ...)                                                                           \
    read_all(taken, (char *[]){__VA_ARGS__}, COUNT(((const char *[]){__VA_ARGS__})))

static enum flags_outcome read_all(struct taken *taken, char **arguments, size_t count)
{
    *taken = (struct taken){0};
    return flags_read(&command, (int)count, arguments, taken, taken->words, &taken->word_count,
                      &taken->error);
}

static int clear_environment(void **state)
{
    (void)state;
    unsetenv("CLOBBER_DURATION");
    unsetenv("CLOBBER_EXTRA_HEADER");
    unsetenv("CLOBBER_QUIET");
    unsetenv("POSIXLY_CORRECT");
    return 0;
}

static void every_gnu_form_of_a_value_is_taken(void **state)
{
    (void)state;
    struct taken taken;
    char *const forms[][2] = {{"--duration", "5s"}, {"-d", "5s"}, {"--dur", "5s"}};
    for (size_t i = 0; i < COUNT(forms); i++) {
        assert_int_equal(READ(&taken, "plan", forms[i][0], forms[i][1]), FLAGS_OK);
        assert_string_equal(taken.duration, "5s");
    }
    assert_int_equal(READ(&taken, "--duration=5s", "plan"), FLAGS_OK);
    assert_string_equal(taken.duration, "5s");
    assert_int_equal(READ(&taken, "-qd5s", "plan"), FLAGS_OK);
    assert_string_equal(taken.duration, "5s");
    assert_true(taken.quiet);
}

static void words_keep_their_order_among_the_flags(void **state)
{
    (void)state;
    struct taken taken;

    assert_int_equal(READ(&taken, "one", "-q", "-"), FLAGS_OK);

    assert_int_equal(taken.word_count, 2);
    assert_string_equal(taken.words[0], "one");
    assert_string_equal(taken.words[1], "-");
    assert_true(taken.quiet);
}

static void flags_behind_a_word_are_flags_under_posixly_correct_too(void **state)
{
    (void)state;
    struct taken taken;
    setenv("POSIXLY_CORRECT", "1", 1);

    assert_int_equal(READ(&taken, "one", "-q"), FLAGS_OK);

    assert_true(taken.quiet);
}

static void all_behind_two_dashes_is_words(void **state)
{
    (void)state;
    struct taken taken;

    assert_int_equal(READ(&taken, "-q", "--", "--duration", "-x"), FLAGS_OK);

    assert_int_equal(taken.word_count, 2);
    assert_string_equal(taken.words[0], "--duration");
    assert_null(taken.duration);
}

static void the_arguments_are_left_as_they_were(void **state)
{
    (void)state;
    struct taken taken;
    char *arguments[] = {"one", "-q", "two", "-d", "5s"};

    assert_int_equal(read_all(&taken, arguments, COUNT(arguments)), FLAGS_OK);

    assert_string_equal(arguments[0], "one");
    assert_string_equal(arguments[2], "two");
    assert_string_equal(arguments[4], "5s");
}

static void a_flag_that_repeats_is_taken_each_time_in_order(void **state)
{
    (void)state;
    struct taken taken;

    assert_int_equal(READ(&taken, "-H", "a: 1", "plan", "--extra-header=b: 2"), FLAGS_OK);

    assert_int_equal(taken.header_count, 2);
    assert_string_equal(taken.headers[0], "a: 1");
    assert_string_equal(taken.headers[1], "b: 2");
}

static void the_environment_stands_in_for_a_flag(void **state)
{
    (void)state;
    struct taken taken;
    setenv("CLOBBER_DURATION", "7s", 1);
    setenv("CLOBBER_EXTRA_HEADER", "a: 1", 1);

    assert_int_equal(READ(&taken, "plan"), FLAGS_OK);

    assert_string_equal(taken.duration, "7s");
    assert_string_equal(taken.headers[0], "a: 1");
}

static void the_command_line_beats_the_environment(void **state)
{
    (void)state;
    struct taken taken;
    setenv("CLOBBER_DURATION", "rubbish that nobody reads", 1);

    assert_int_equal(READ(&taken, "plan", "-d", "5s"), FLAGS_OK);

    assert_string_equal(taken.duration, "5s");
}

static void an_empty_variable_is_none(void **state)
{
    (void)state;
    struct taken taken;
    setenv("CLOBBER_DURATION", "", 1);

    assert_int_equal(READ(&taken, "plan"), FLAGS_OK);

    assert_null(taken.duration);
}

static void a_switch_in_the_environment_counts_unless_it_says_no(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool quiet;
    } cases[] = {{"1", true}, {"true", true}, {"yes", true},
                 {"", false}, {"0", false},   {"false", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct taken taken;
        setenv("CLOBBER_QUIET", cases[i].value, 1);
        assert_int_equal(READ(&taken, "plan"), FLAGS_OK);
        assert_int_equal(taken.quiet, cases[i].quiet);
    }
}

static void a_bad_variable_is_named(void **state)
{
    (void)state;
    struct taken taken;
    setenv("CLOBBER_DURATION", "7", 1);

    assert_int_equal(READ(&taken, "plan"), FLAGS_BAD);

    assert_string_equal(taken.error.message, "CLOBBER_DURATION: '7' is no duration");
}

struct bad_case {
    const char *name;
    char *arguments[4];
    const char *sentence;
};

static const struct bad_case bad_cases[] = {
    {"a_bad_value_names_its_flag", {"plan", "-d", "5"}, "--duration: '5' is no duration"},
    {"a_missing_value_says_what_is_missing",
     {"plan", "--duration"},
     "--duration needs a value: DURATION"},
    {"a_missing_value_of_a_letter_says_what_is_missing",
     {"plan", "-d"},
     "-d needs a value: DURATION"},
    {"a_value_that_nobody_wants_is_refused", {"plan", "--quiet=yes"}, "--quiet takes no value"},
    {"a_value_for_help_is_refused", {"plan", "--help=all"}, "--help takes no value"},
    {"a_flag_given_twice_is_refused",
     {"plan", "-d5s", "--duration=5s"},
     "--duration is given twice"},
    {"a_slip_is_answered_with_the_nearest_flag",
     {"plan", "--duratoin", "5s"},
     "there is no flag '--duratoin'; did you mean --duration?"},
    {"a_slip_with_a_value_is_answered_too",
     {"plan", "--quite=5"},
     "there is no flag '--quite=5'; did you mean --quiet?"},
    {"an_unknown_flag_points_to_help",
     {"plan", "--frobnicate"},
     "there is no flag '--frobnicate'; clobber try --help shows all"},
    {"an_unknown_letter_among_known_ones_is_named",
     {"plan", "-qz"},
     "there is no flag '-z'; clobber try --help shows all"},
    {"a_word_too_many_is_named",
     {"one", "two",
      "thr\x1b"
      "ee"},
     "'thr\\x1Bee' is one word too many; usage: clobber try PLAN.yaml [OTHER] [FLAGS]"},
    {"a_word_too_few_shows_the_usage",
     {"-q"},
     "a word is missing; usage: clobber try PLAN.yaml [OTHER] [FLAGS]"},
};

static void is_refused(void **state)
{
    const struct bad_case *row = *state;
    struct taken taken;
    size_t count = 0;
    char *arguments[COUNT(row->arguments)];
    for (; count < COUNT(arguments) && row->arguments[count] != NULL; count++)
        arguments[count] = row->arguments[count];

    assert_int_equal(read_all(&taken, arguments, count), FLAGS_BAD);

    assert_int_equal(taken.error.kind, ERROR_USAGE);
    assert_string_equal(taken.error.message, row->sentence);
}

static void too_many_arguments_are_refused(void **state)
{
    (void)state;
    struct taken taken;
    static char *arguments[600];
    for (size_t i = 0; i < COUNT(arguments); i++)
        arguments[i] = "-q";

    assert_int_equal(read_all(&taken, arguments, COUNT(arguments)), FLAGS_BAD);

    assert_string_equal(taken.error.message, "600 arguments; at most 512 are read");
}

/* Runs --help with stdout turned into a file, and reads that back. */
static void read_help(char *flag, char *text, size_t text_bytes)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int terminal = dup(STDOUT_FILENO);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    struct taken taken;
    enum flags_outcome outcome = READ(&taken, flag, "--this-is-not-read");
    fflush(stdout);
    assert_true(dup2(terminal, STDOUT_FILENO) >= 0);
    close(terminal);
    rewind(file);
    text[fread(text, 1, text_bytes - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(outcome, FLAGS_HELP);
}

static void help_shows_every_flag_with_default_twin_and_an_example(void **state)
{
    (void)state;
    static const char page[] =
        "Tries a plan.\n"
        "\n"
        "Usage: clobber try PLAN.yaml [OTHER] [FLAGS]\n"
        "\n"
        "Flags, each with its twin in the environment:\n"
        "  -d, --duration DURATION           how long it measures\n"
        "                                    CLOBBER_DURATION (default: 30s)\n"
        "  -H, --extra-header 'NAME: VALUE'  a header to send\n"
        "                                    CLOBBER_EXTRA_HEADER\n"
        "  -q, --quiet                       say nothing while it runs\n"
        "                                    CLOBBER_QUIET\n"
        "  -h, --help                        show this page\n"
        "\n"
        "Example:\n"
        "  clobber try soak.yaml -d 5m\n";
    char *const forms[] = {"--help", "-h", "--he"};
    for (size_t i = 0; i < COUNT(forms); i++) {
        char text[2048];
        read_help(forms[i], text, sizeof text);
        assert_string_equal(text, page);
    }
}

#define TEST(function) cmocka_unit_test_setup(function, clear_environment)

int main(void)
{
    static const struct CMUnitTest plain[] = {
        TEST(every_gnu_form_of_a_value_is_taken),
        TEST(words_keep_their_order_among_the_flags),
        TEST(flags_behind_a_word_are_flags_under_posixly_correct_too),
        TEST(all_behind_two_dashes_is_words),
        TEST(the_arguments_are_left_as_they_were),
        TEST(a_flag_that_repeats_is_taken_each_time_in_order),
        TEST(the_environment_stands_in_for_a_flag),
        TEST(the_command_line_beats_the_environment),
        TEST(an_empty_variable_is_none),
        TEST(a_switch_in_the_environment_counts_unless_it_says_no),
        TEST(a_bad_variable_is_named),
        TEST(too_many_arguments_are_refused),
        TEST(help_shows_every_flag_with_default_twin_and_an_example),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(bad_cases)];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(bad_cases); i++)
        tests[COUNT(plain) + i] = (struct CMUnitTest){
            .name = bad_cases[i].name,
            .test_func = is_refused,
            .setup_func = clear_environment,
            .initial_state = (void *)(uintptr_t)&bad_cases[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
