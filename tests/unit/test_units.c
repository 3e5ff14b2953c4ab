#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/units.h"

#include <stdio.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static const struct {
    const char *text;
    uint64_t duration_ns;
} good_durations[] = {
    {"250ms", 250 * MS},
    {"30s", 30 * S},
    {"1h30m", 5400 * S},
    {"1h30m5s250ms3us7ns", 5405 * S + 250 * MS + 3007},
    {"1.5s", 1500 * MS},
    {"0.1s", 100 * MS},
    {"1.000000001s", S + 1},
    {"2m", 120 * S},
    {"7us", 7000},
    {"7ns", 7},
    {"0", 0},
    {" 0 ", 0},
    {"0s", 0},
    {"  30s\t", 30 * S},
    {"744h", 744 * 3600 * S},
};

static const char *const bad_durations[] = {
    "",         " ",
    "30",       "s",
    "30 s",     "-30s",
    "+30s",     "1e3s",
    "0x10s",    ".5s",
    "5.s",      "30S",
    "30sx",     "30s 5ms",
    "1s1h",     "1s1s",
    "1d",       "inf",
    "nans",     "1,5s",
    "1.2.3s",   "1h30",
    "00",       "30sec",
    "9999999h", "1234567890123456789ns",
};

static void durations_are_read_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_durations); i++) {
        uint64_t duration_ns = 1;
        if (!units_read_duration(good_durations[i].text, &duration_ns))
            fail_msg("'%s' is refused", good_durations[i].text);
        assert_int_equal(duration_ns, good_durations[i].duration_ns);
    }
}

static void bad_durations_are_refused_and_the_result_is_untouched(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_durations); i++) {
        uint64_t duration_ns = 77;
        if (units_read_duration(bad_durations[i], &duration_ns))
            fail_msg("'%s' is read as %llu ns", bad_durations[i], (unsigned long long)duration_ns);
        assert_int_equal(duration_ns, 77);
    }
}

typedef bool read_double(const char *text, double *number);

struct number_case {
    const char *text;
    double number; /* below 0: refused */
};

static void check_numbers(read_double *read, const struct number_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double number = 77.0;
        bool good = read(cases[i].text, &number);
        if (good != (cases[i].number >= 0.0))
            fail_msg("'%s' is %s", cases[i].text, good ? "read" : "refused");
        double wanted = good ? cases[i].number : 77.0;
        if (!(number >= wanted && number <= wanted))
            fail_msg("'%s' is read as %.17g, not %.17g", cases[i].text, number, wanted);
    }
}

static void rates_are_read_per_second(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"5000/s", 5000.0}, {"10k/s", 10000.0}, {"1.5M/s", 1.5e6}, {"300/min", 5.0},
        {"7200/h", 2.0},    {"0.5/s", 0.5},     {" 5/s ", 5.0},    {"0/s", 0.0},
        {"5000", -1.0},     {"5000/", -1.0},    {"/s", -1.0},      {"5000/ms", -1.0},
        {"5K/s", -1.0},     {"5000 /s", -1.0},  {"-5/s", -1.0},    {"5/s/s", -1.0},
        {"1e3/s", -1.0},    {"", -1.0},         {"5k", -1.0},      {"5000/sec", -1.0},
    };
    check_numbers(units_read_rate, cases, COUNT(cases));
}

static void shares_are_read_from_0_to_1(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"0.1%", 0.001}, {"100%", 1.0},    {"0%", 0.0},   {"1", 1.0},    {"0.25", 0.25},
        {" 2% ", 0.02},  {"100.1%", -1.0}, {"1.1", -1.0}, {"2", -1.0},   {"-1%", -1.0},
        {"1%%", -1.0},   {"%", -1.0},      {"", -1.0},    {"1 %", -1.0},
    };
    check_numbers(units_read_share, cases, COUNT(cases));
}

static void numbers_may_have_decimals_and_k_or_M(void **state)
{
    (void)state;
    static const struct number_case cases[] = {
        {"5000", 5000.0},
        {"4999.6", 4999.6},
        {"10k", 1e4},
        {"2M", 2e6},
        {"0", 0.0},
        {"999999999999999999", 1e18},
        {"1000000000000000000", -1.0}, /* 19 digits */
        {"0.10000000000000000000", -1.0},
        {"5m", -1.0},
        {"nan", -1.0},
        {"inf", -1.0},
        {"1e5", -1.0},
        {"", -1.0},
        {"5 000", -1.0},
    };
    check_numbers(units_read_number, cases, COUNT(cases));
}

static void sizes_are_read_in_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size_bytes;
    } cases[] = {
        {"64KiB", 65536}, {"1MiB", 1048576}, {"2GiB", UINT64_C(2) << 30},
        {"64kB", 64000},  {"1MB", 1000000},  {"1GB", 1000000000},
        {"17", 17},       {"17B", 17},       {"1.5KiB", 1536},
        {"0", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t size_bytes = 1;
        assert_true(units_read_size(cases[i].text, &size_bytes));
        assert_int_equal(size_bytes, cases[i].size_bytes);
    }
    static const char *const bad[] = {"",    "KiB",   "1KB",  "1kib",   "1.5B",
                                      "-1B", "1 KiB", "1TiB", "0.3KiB", "99999999999GiB"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t size_bytes = 77;
        if (units_read_size(bad[i], &size_bytes))
            fail_msg("'%s' is read", bad[i]);
        assert_int_equal(size_bytes, 77);
    }
}

static void counts_are_read_up_to_the_last_number(void **state)
{
    (void)state;
    uint64_t count = 0;

    assert_true(units_read_count("18446744073709551615", &count));
    assert_true(count == UINT64_MAX);
    assert_true(units_read_count(" 007 ", &count));
    assert_int_equal(count, 7);

    static const char *const bad[] = {
        "",    " ", "18446744073709551616", "99999999999999999999", "-1", "+1", "1.0", "1k",
        "1 2", "x"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (units_read_count(bad[i], &count))
            fail_msg("'%s' is read", bad[i]);
    }
    assert_int_equal(count, 7);
}

static void latencies_show_three_digits_in_the_unit_of_the_screens(void **state)
{
    (void)state;
    static const struct {
        uint64_t duration_ns;
        const char *text;
    } cases[] = {
        {0, "0ms"},
        {1, "0.000001ms"},
        {400, "0.0004ms"},
        {12345, "0.012ms"},
        {110000, "0.11ms"},
        {200000, "0.2ms"},
        {230000, "0.23ms"},
        {994999, "0.99ms"},
        {995000, "1.00ms"},
        {7306000, "7.31ms"},
        {9995000, "10.0ms"},
        {10800000, "10.8ms"},
        {40200000, "40.2ms"},
        {121 * MS, "121ms"},
        {999499999, "999ms"},
        {999500000, "1.00s"},
        {1090 * MS, "1.09s"},
        {9995 * MS, "10.0s"},
        {59949 * MS, "59.9s"},
        {59950 * MS, "1m00s"},
        {125 * S, "2m05s"},
        {3599 * S, "59m59s"},
        {3600 * S, "1h00m"},
        {4380 * S, "1h13m"},
        {UINT64_MAX, "5124095h34m"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[UNITS_TEXT_BYTES];
        assert_string_equal(units_show_latency(cases[i].duration_ns, text), cases[i].text);
    }
}

static void durations_show_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t duration_ns;
        const char *text;
    } cases[] = {
        {0, "0ns"},
        {999, "999ns"},
        {1500, "1.5us"},
        {250 * MS, "250ms"},
        {1500 * MS, "1.5s"},
        {S + 1, "1.000000001s"},
        {60 * S, "60s"},
        {90 * S, "90s"},
        {120 * S, "2m"},
        {150 * S, "2m30s"},
        {300 * S, "5m"},
        {5400 * S, "1h30m"},
        {3600 * S, "1h"},
        {3601 * S, "1h1s"},
        {744 * 3600 * S, "744h"},
        {120 * S + 1, "2m1ns"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[UNITS_TEXT_BYTES];
        assert_string_equal(units_show_duration(cases[i].duration_ns, text), cases[i].text);
    }
}

static void a_duration_shown_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t duration_ns = (seed >> 16) % (31 * 24 * 3600 * S) >> (seed % 50);
        char text[UNITS_TEXT_BYTES];
        uint64_t read_ns = 0;
        units_show_duration(duration_ns, text);
        if (!units_read_duration(text, &read_ns) || read_ns != duration_ns)
            fail_msg("%llu ns shows as '%s' and reads as %llu ns", (unsigned long long)duration_ns,
                     text, (unsigned long long)read_ns);
    }
}

static void rates_show_at_most_the_decimals_asked_for(void **state)
{
    (void)state;
    char text[UNITS_TEXT_BYTES];
    assert_string_equal(units_show_rate(5000.0, 1, text), "5000/s");
    assert_string_equal(units_show_rate(4999.6, 1, text), "4999.6/s");
    assert_string_equal(units_show_rate(4999.96, 1, text), "5000/s");
    assert_string_equal(units_show_rate(4999.6, 0, text), "5000/s");
    assert_string_equal(units_show_rate(0.5, 3, text), "0.5/s");
    assert_string_equal(units_show_rate(0.0, 1, text), "0/s");
}

static void shares_show_the_digits_that_matter(void **state)
{
    (void)state;
    static const struct {
        double share;
        const char *text;
    } cases[] = {
        {0.0, "0 %"},
        {0.00054, "0.054 %"},
        {0.0006507, "0.065 %"},
        {0.12, "12 %"},
        {0.333, "33.3 %"},
        {0.01234, "1.23 %"},
        {0.98996, "99 %"},
        {0.99992, "99.99 %"},
        {1.0, "100 %"},
        {1.25, "125 %"},
        {0.00001, "0.001 %"},
        {0.0000004, "0.00004 %"},
        {3e-10, "0.00000003 %"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[UNITS_TEXT_BYTES];
        assert_string_equal(units_show_share(cases[i].share, text), cases[i].text);
    }
}

static void sizes_show_in_the_largest_whole_unit(void **state)
{
    (void)state;
    char text[UNITS_TEXT_BYTES];
    assert_string_equal(units_show_size(0, text), "0B");
    assert_string_equal(units_show_size(1000, text), "1000B");
    assert_string_equal(units_show_size(65536, text), "64KiB");
    assert_string_equal(units_show_size(65537, text), "65537B");
    assert_string_equal(units_show_size(UINT64_C(3) << 20, text), "3MiB");
    assert_string_equal(units_show_size(UINT64_C(4096) << 30, text), "4096GiB");
}

static void the_nearest_word_is_found_for_a_slip(void **state)
{
    (void)state;
    static const char *const words[] = {"run", "coordinator", "agent", "target", "validate"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"rnu", "run"},
        {"runn", "run"},
        {"agnet", "agent"},
        {"cordinator", "coordinator"},
        {"koordinater", "coordinator"},
        {"run", "run"},
        {"targets", "target"},
        {"xyzzy", NULL},
        {"", NULL},
        {"xy", NULL},
        {"serve", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *nearest = units_nearest(cases[i].word, words, COUNT(words));
        if (cases[i].nearest == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].nearest);
    }
}

static void nothing_is_near_an_endless_word(void **state)
{
    (void)state;
    static const char *const words[] = {"run"};
    char word[1000];
    memset(word, 'r', sizeof word);
    word[sizeof word - 1] = '\0';

    assert_null(units_nearest(word, words, 1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_exactly),
        cmocka_unit_test(bad_durations_are_refused_and_the_result_is_untouched),
        cmocka_unit_test(rates_are_read_per_second),
        cmocka_unit_test(shares_are_read_from_0_to_1),
        cmocka_unit_test(numbers_may_have_decimals_and_k_or_M),
        cmocka_unit_test(sizes_are_read_in_bytes),
        cmocka_unit_test(counts_are_read_up_to_the_last_number),
        cmocka_unit_test(latencies_show_three_digits_in_the_unit_of_the_screens),
        cmocka_unit_test(durations_show_as_people_write_them),
        cmocka_unit_test(a_duration_shown_reads_back_the_same),
        cmocka_unit_test(rates_show_at_most_the_decimals_asked_for),
        cmocka_unit_test(shares_show_the_digits_that_matter),
        cmocka_unit_test(sizes_show_in_the_largest_whole_unit),
        cmocka_unit_test(the_nearest_word_is_found_for_a_slip),
        cmocka_unit_test(nothing_is_near_an_endless_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
