#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/cookies.h"
#include "common/base/check.h"

#include <stdio.h>
#include <string.h>

static struct cookie_text text_of(const char *text)
{
    return (struct cookie_text){text, strlen(text)};
}

#define SETS_MAX 4u

struct cookie_case {
    const char *name;
    const char *sets[SETS_MAX]; /* Set-Cookie values, of answers to requests for /shop/cart */
    const char *path;           /* of the next request */
    const char *sent;           /* its Cookie header */
    bool secure;
};

static const struct cookie_case cookie_cases[] = {
    {"cookie_goes_back", {"a=b"}, "/shop/x", "a=b", false},
    {"cookie_keeps_what_is_inside_its_value", {"a=b=c \"d\""}, "/shop/x", "a=b=c \"d\"", false},
    {"cookie_may_have_an_empty_value", {"a="}, "/shop/x", "a=", false},
    {"cookie_loses_blanks_around_it", {" a = b ;Path=/"}, "/", "a=b", false},
    {"cookies_go_back_in_their_order", {"a=1", "b=2"}, "/shop/x", "a=1; b=2", false},
    {"cookie_is_replaced_by_its_namesake", {"a=1", "b=2", "a=3"}, "/shop/x", "b=2; a=3", false},
    {"cookie_of_another_path_is_another", {"a=1", "a=2; Path=/"}, "/shop/x", "a=1; a=2", false},
    {"cookie_without_a_name_is_none", {"=b", "b", "", ";"}, "/shop/x", "", false},
    {"cookie_is_of_the_folder_it_was_set_in", {"a=b"}, "/shop", "a=b", false},
    {"cookie_is_not_of_the_folder_above", {"a=b"}, "/", "", false},
    {"cookie_is_not_of_a_longer_name", {"a=b"}, "/shopping", "", false},
    {"cookie_of_a_path_is_of_all_below", {"a=b; path=/"}, "/any/where", "a=b", false},
    {"cookie_of_a_path_with_a_slash_is_of_that_alone", {"a=b; Path=/x/"}, "/x", "", false},
    {"cookie_of_a_path_that_is_none_is_of_its_folder", {"a=b; Path=x"}, "/shop/y", "a=b", false},
    {"cookie_is_deleted_by_age_0", {"a=b", "a=c; Max-Age=0"}, "/shop/x", "", false},
    {"cookie_is_deleted_by_age_below_0", {"a=b", "a=c; max-age=-1"}, "/shop/x", "", false},
    {"cookie_of_an_age_lives", {"a=b; Max-Age=60"}, "/shop/x", "a=b", false},
    {"cookie_is_deleted_by_1970",
     {"a=b", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
     "/shop/x",
     "",
     false},
    {"cookie_that_expires_later_lives",
     {"a=b; Expires=Thu, 01 Jan 2099 19:00:00 GMT"},
     "/shop/x",
     "a=b",
     false},
    {"cookie_believes_its_age_rather_than_its_date",
     {"a=b; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
     "/shop/x",
     "a=b",
     false},
    {"cookie_that_is_secure_needs_tls", {"a=b; Secure"}, "/shop/x", "", false},
    {"cookie_that_is_secure_goes_over_tls", {"a=b; Secure; HttpOnly"}, "/shop/x", "a=b", true},
    {"cookie_of_the_host_goes_back", {"a=b; Domain=eu.example.org"}, "/shop/x", "a=b", false},
    {"cookie_of_the_domain_goes_back", {"a=b; Domain=.Example.org"}, "/shop/x", "a=b", false},
    {"cookie_of_another_domain_does_not", {"a=b; Domain=ample.org"}, "/shop/x", "", false},
    {"cookie_of_a_host_below_does_not", {"a=b; Domain=x.eu.example.org"}, "/shop/x", "", false},
};

static void cookie_comes_and_goes(void **state)
{
    const struct cookie_case *row = *state;
    const struct cookie_origin origin = {"eu.example.org", row->secure};
    struct cookie_jar jar = {0};
    char sent[COOKIES_BYTES_MAX + 1];

    for (size_t i = 0; i < SETS_MAX && row->sets[i] != NULL; i++)
        cookies_set(&jar, &origin, text_of("/shop/cart"), text_of(row->sets[i]));
    sent[cookies_write(&jar, text_of(row->path), sent)] = '\0';

    assert_string_equal(sent, row->sent);
}

/* Fills the jar with as many cookies as it takes, and more. */
static void full_jar_lets_the_oldest_go(void **state)
{
    (void)state;
    const struct cookie_origin origin = {"h", false};
    struct cookie_jar jar = {0};
    char sent[COOKIES_BYTES_MAX + 1];
    for (int i = 0; i < 5000; i++) {
        char value[32];
        snprintf(value, sizeof value, "c%d=%d; Path=/", i, i);
        cookies_set(&jar, &origin, text_of("/"), text_of(value));
        assert_true(jar.used <= COOKIES_BYTES_MAX);
    }

    size_t count = cookies_write(&jar, text_of("/"), sent);

    assert_true(count <= COOKIES_BYTES_MAX);
    sent[count] = '\0';
    assert_non_null(strstr(sent, "; c4998=4998; c4999=4999"));
    assert_null(strstr(sent, "c0=0"));
}

static void cookie_as_large_as_the_jar_is_kept_and_a_larger_one_is_not(void **state)
{
    (void)state;
    const struct cookie_origin origin = {"h", false};
    struct cookie_jar jar = {0};
    static char value[COOKIES_BYTES_MAX + 1];
    memset(value, 'v', sizeof value);
    value[1] = '=';
    /* Three lengths of 16 bits, a name of one byte, the path "/". */
    size_t largest = COOKIES_BYTES_MAX - 6 - 1 - 1 + 2;

    cookies_set(&jar, &origin, text_of("/"), (struct cookie_text){value, largest});
    assert_int_equal(jar.used, COOKIES_BYTES_MAX);
    cookies_set(&jar, &origin, text_of("/"), (struct cookie_text){"b=c", 3});
    cookies_set(&jar, &origin, text_of("/"), (struct cookie_text){value, largest + 1});

    char sent[COOKIES_BYTES_MAX];
    size_t count = cookies_write(&jar, text_of("/"), sent);
    assert_int_equal(count, 3);
    assert_memory_equal(sent, "b=c", 3);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(cookie_cases) + 2];
    for (size_t i = 0; i < COUNT(cookie_cases); i++)
        tests[i] = (struct CMUnitTest){.name = cookie_cases[i].name,
                                       .test_func = cookie_comes_and_goes,
                                       .initial_state = (void *)(uintptr_t)&cookie_cases[i]};
    tests[COUNT(cookie_cases)] = (struct CMUnitTest)cmocka_unit_test(full_jar_lets_the_oldest_go);
    tests[COUNT(cookie_cases) + 1] = (struct CMUnitTest)cmocka_unit_test(
        cookie_as_large_as_the_jar_is_kept_and_a_larger_one_is_not);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
