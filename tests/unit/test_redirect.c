#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/redirect.h"
#include "common/base/check.h"
#include "tests/support/guard.h"

#include <string.h>

#define PATH_MAX_BYTES 24u

static const struct place_case {
    const char *name;
    const char *location;
    const char *path; /* NULL: it is not followed */
    const char *scheme, *host;
    uint16_t port;
} place_cases[] = {
    {"path_is_taken_as_it_is", "/x/y?q=1", "/x/y?q=1", "http", "h", 80},
    {"fragment_is_left_out", "/x#part", "/x", "http", "h", 80},
    {"fragment_alone_is_nowhere", "#part", NULL, "http", "h", 80},
    {"nothing_is_nowhere", "", NULL, "http", "h", 80},
    {"url_of_the_target_is_its_path", "http://h/x", "/x", "http", "h", 80},
    {"url_in_any_case_is_its_path", "HTTP://H/x", "/x", "http", "h", 80},
    {"url_without_a_path_is_the_root", "http://h", "/", "http", "h", 80},
    {"url_with_a_query_alone_is_of_the_root", "http://h?q", "/?q", "http", "h", 80},
    {"url_with_the_targets_port", "http://h:8080/", "/", "http", "h", 8080},
    {"url_with_an_empty_port_has_the_usual_one", "http://h:/", "/", "http", "h", 80},
    {"url_of_another_port_is_elsewhere", "http://h:8081/", NULL, "http", "h", 8080},
    {"url_without_a_port_is_elsewhere_than_one_with", "http://h/", NULL, "http", "h", 8080},
    {"url_of_another_host_is_elsewhere", "http://hh/", NULL, "http", "h", 80},
    {"url_with_a_name_before_the_host_is_elsewhere", "http://h@evil/", NULL, "http", "h", 80},
    {"url_of_another_scheme_is_elsewhere", "https://h/", NULL, "http", "h", 80},
    {"url_over_tls_has_another_usual_port", "https://h/x", "/x", "https", "h", 443},
    {"url_back_to_plain_text_is_elsewhere", "http://h:443/x", NULL, "https", "h", 443},
    {"url_of_ipv6", "http://[::1]:81/x", "/x", "http", "::1", 81},
    {"url_of_ipv6_without_an_end", "http://[::1", NULL, "http", "::1", 80},
    {"url_with_a_port_of_letters", "http://h:8x/", NULL, "http", "h", 8},
    {"url_with_a_port_too_long", "http://h:000080/", NULL, "http", "h", 80},
    {"host_without_scheme_is_of_the_same", "//h/x", "/x", "http", "h", 80},
    {"other_host_without_scheme_is_elsewhere", "//x/x", NULL, "http", "h", 80},
    {"other_kind_of_url_is_elsewhere", "mailto:me", NULL, "http", "h", 80},
    {"name_is_beside_the_present_one", "next", "/a/next", "http", "h", 80},
    {"name_with_a_colon_behind_a_slash", "./x:y", "/a/./x:y", "http", "h", 80},
    {"query_is_of_the_present_path", "?p=2", "/a/b?p=2", "http", "h", 80},
    {"blank_cannot_be_sent", "/x y", NULL, "http", "h", 80},
    {"letter_outside_of_ascii_cannot_be_sent", "/\xc3\xa4", NULL, "http", "h", 80},
    {"longest_path", "/23456789012345678901234", "/23456789012345678901234", "http", "h", 80},
    {"one_longer", "/234567890123456789012345", NULL, "http", "h", 80},
};

static void location_is_resolved(void **state)
{
    const struct place_case *row = *state;
    const struct redirect_origin origin = {row->scheme, row->host, row->port};
    const char base[] = "/a/b?old";
    struct guard guard = guard_open(64);
    char path[PATH_MAX_BYTES + 1] = {0};
    size_t length = strlen(row->location);
    const char *location = (const char *)guard_copy(&guard, row->location, length);

    size_t count =
        redirect_resolve(&origin, base, sizeof base - 1, location, length, path, PATH_MAX_BYTES);

    path[count] = '\0';
    assert_string_equal(path, row->path != NULL ? row->path : "");
    guard_close(&guard);
}

static void some_statuses_send_on(void **state)
{
    (void)state;
    for (uint16_t status = 200; status < 600; status++) {
        bool wanted =
            status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
        assert_int_equal(redirect_status(status), wanted);
    }
}

static void method_and_body_are_kept_as_http_says(void **state)
{
    (void)state;
    assert_true(redirect_keeps(307, true));
    assert_true(redirect_keeps(308, true));
    assert_false(redirect_keeps(301, true));
    assert_false(redirect_keeps(302, true));
    assert_true(redirect_keeps(301, false));
    assert_true(redirect_keeps(302, false));
    assert_false(redirect_keeps(303, true));
    assert_false(redirect_keeps(303, false));
}

int main(void)
{
    struct CMUnitTest tests[COUNT(place_cases) + 2];
    for (size_t i = 0; i < COUNT(place_cases); i++)
        tests[i] = (struct CMUnitTest){.name = place_cases[i].name,
                                       .test_func = location_is_resolved,
                                       .initial_state = (void *)(uintptr_t)&place_cases[i]};
    tests[COUNT(place_cases)] = (struct CMUnitTest)cmocka_unit_test(some_statuses_send_on);
    tests[COUNT(place_cases) + 1] =
        (struct CMUnitTest)cmocka_unit_test(method_and_body_are_kept_as_http_says);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
