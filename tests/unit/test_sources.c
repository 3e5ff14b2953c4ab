#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/sources.h"
#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

/* What was said, and the addresses that it means. */
struct source_case {
    const char *name;
    const char *texts[3]; /* NULL ends them */
    int family;
    uint32_t count;
    const char *first, *last;
};

static const struct source_case source_cases[] = {
    {"one_address_is_a_range_of_one", {"10.0.0.7"}, AF_INET, 1, "10.0.0.7:0", "10.0.0.7:0"},
    {"both_ends_of_a_range_count",
     {"10.0.0.254-10.0.1.1"},
     AF_INET,
     4,
     "10.0.0.254:0",
     "10.0.1.1:0"},
    {"every_address_of_a_network_counts", {"10.0.0.8/29"}, AF_INET, 8, "10.0.0.8:0", "10.0.0.15:0"},
    {"a_network_of_one_is_an_address", {"10.0.0.9/32"}, AF_INET, 1, "10.0.0.9:0", "10.0.0.9:0"},
    {"a_whole_prefix_of_16_fits", {"10.7.0.0/16"}, AF_INET, 65536, "10.7.0.0:0", "10.7.255.255:0"},
    {"ipv6_counts_as_ipv4_does",
     {"fd00::fffe-fd00::1:1"},
     AF_INET6,
     4,
     "[fd00::fffe]:0",
     "[fd00::1:1]:0"},
    {"an_ipv6_network_has_its_addresses",
     {"fd00::10/124"},
     AF_INET6,
     16,
     "[fd00::10]:0",
     "[fd00::1f]:0"},
    {"ranges_follow_each_other",
     {"10.0.0.1", "10.0.9.1-10.0.9.2"},
     AF_INET,
     3,
     "10.0.0.1:0",
     "10.0.9.2:0"},
    {"the_other_family_is_passed_over",
     {"10.0.0.1", "fd00::5", "10.0.0.2"},
     AF_INET,
     2,
     "10.0.0.1:0",
     "10.0.0.2:0"},
};

static void sources_are(void **state)
{
    const struct source_case *row = *state;
    struct sources sources = {0};
    struct error error = {0};
    char text[ADDRESS_TEXT_BYTES];
    for (size_t i = 0; i < COUNT(row->texts) && row->texts[i] != NULL; i++)
        assert_true(sources_add(&sources, row->texts[i], &error));

    uint32_t count = sources_count(&sources, row->family);

    assert_int_equal(count, row->count);
    struct address first = sources_pick(&sources, row->family, 0);
    struct address last = sources_pick(&sources, row->family, count - 1);
    assert_string_equal(net_address_text(&first, text), row->first);
    assert_string_equal(net_address_text(&last, text), row->last);
}

static void what_is_no_source_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "localhost",
                                        "10.0.0",
                                        "10.0.0.1:80",
                                        "10.0.0.1/",
                                        "10.0.0.1/33",
                                        "10.0.0.0/15",
                                        "10.0.0.1/24",
                                        "10.0.0.2-",
                                        "10.0.0.2-10.0.0.1",
                                        "10.0.0.1-fd00::1",
                                        "fd00::1-fd01::1",
                                        "10.0.0.0-10.1.0.0",
                                        "fd00::/64",
                                        "[::1]",
                                        "-10.0.0.1"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct sources sources = {0};
        struct error error = {0};
        if (sources_add(&sources, texts[i], &error))
            fail_msg("'%s' was taken", texts[i]);
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_non_null(strstr(error.message, "is no source"));
        assert_int_equal(sources.range_count, 0);
    }
}

static void more_than_the_bounds_are_refused(void **state)
{
    (void)state;
    struct sources sources = {0};
    struct error error = {0};
    assert_true(sources_add(&sources, "10.7.0.0/16", &error));
    assert_false(sources_add(&sources, "10.8.0.1", &error));
    assert_non_null(strstr(error.message, "65537 addresses together; at most 65536"));

    sources = (struct sources){0};
    for (uint32_t i = 0; i < SOURCE_RANGES_MAX; i++)
        assert_true(sources_add(&sources, "10.0.0.1", &error));
    assert_false(sources_add(&sources, "10.0.0.1", &error));
    assert_non_null(strstr(error.message, "more than 16 ranges"));
}

static void nothing_said_is_no_address_of_ours(void **state)
{
    (void)state;
    struct sources sources = {0};
    assert_int_equal(sources_count(&sources, AF_INET), 0);
    assert_int_equal(sources_count(&sources, AF_UNIX), 0);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(what_is_no_source_is_refused),
        cmocka_unit_test(more_than_the_bounds_are_refused),
        cmocka_unit_test(nothing_said_is_no_address_of_ours),
    };
    struct CMUnitTest tests[COUNT(source_cases) + COUNT(plain)];
    for (size_t i = 0; i < COUNT(source_cases); i++)
        tests[i] = (struct CMUnitTest){.name = source_cases[i].name,
                                       .test_func = sources_are,
                                       .initial_state = (void *)(uintptr_t)&source_cases[i]};
    memcpy(tests + COUNT(source_cases), plain, sizeof plain);
    return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
