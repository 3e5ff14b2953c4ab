#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/allow.h"

#include "common/base/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static struct address address_of(const char *text, uint16_t port)
{
    struct address address = {0};
    if (inet_pton(AF_INET, text, &address.as.v4.sin_addr) == 1) {
        address.as.v4.sin_family = AF_INET;
        address.as.v4.sin_port = htons(port);
        address.bytes = sizeof address.as.v4;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &address.as.v6.sin6_addr), 1);
        address.as.v6.sin6_family = AF_INET6;
        address.as.v6.sin6_port = htons(port);
        address.bytes = sizeof address.as.v6;
    }
    return address;
}

struct check_case {
    const char *name;
    const char *rule; /* NULL: nothing said */
    const char *host;
    const char *address;
    uint16_t port;
    bool allowed;
};

static const struct check_case check_cases[] = {
    {"nothing_said_allows_loopback", NULL, "localhost", "127.0.0.1", 80, true},
    {"nothing_said_allows_all_of_127", NULL, "x", "127.255.255.254", 80, true},
    {"nothing_said_allows_loopback_v6", NULL, "localhost", "::1", 80, true},
    {"nothing_said_allows_mapped_loopback", NULL, "x", "::ffff:127.0.0.1", 80, true},
    {"nothing_said_refuses_a_neighbour", NULL, "x", "10.0.0.1", 80, false},
    {"nothing_said_refuses_any", NULL, "0", "0.0.0.0", 80, false},
    {"nothing_said_refuses_128", NULL, "x", "128.0.0.1", 80, false},

    {"something_said_ends_loopback", "10.0.0.0/8", "localhost", "127.0.0.1", 80, false},
    {"a_network_has_its_first_address", "10.0.0.0/8", "x", "10.0.0.0", 80, true},
    {"a_network_has_its_last_address", "10.0.0.0/8", "x", "10.255.255.255", 1, true},
    {"a_network_ends_before_the_next", "10.0.0.0/8", "x", "11.0.0.0", 80, false},
    {"a_network_begins_after_the_one_before", "10.0.0.0/8", "x", "9.255.255.255", 80, false},
    {"an_odd_prefix_has_its_last_address", "192.0.2.64/27", "x", "192.0.2.95", 80, true},
    {"an_odd_prefix_ends_before_the_next", "192.0.2.64/27", "x", "192.0.2.96", 80, false},
    {"an_odd_prefix_begins_after_the_one_before", "192.0.2.64/27", "x", "192.0.2.63", 80, false},
    {"prefix_0_has_every_v4_address", "0.0.0.0/0", "x", "203.0.113.9", 80, true},
    {"prefix_0_of_v4_has_no_v6_address", "0.0.0.0/0", "x", "2001:db8::1", 80, false},
    {"a_v4_network_has_mapped_addresses", "10.0.0.0/8", "x", "::ffff:10.1.2.3", 80, true},
    {"a_v6_network_has_its_addresses", "2001:db8::/33", "x", "2001:db8:7fff::1", 80, true},
    {"a_v6_network_ends_before_the_next", "2001:db8::/33", "x", "2001:db8:8000::", 80, false},

    {"an_address_allows_itself_at_any_port", "10.0.0.5", "x", "10.0.0.5", 9, true},
    {"an_address_allows_no_neighbour", "10.0.0.5", "x", "10.0.0.4", 9, false},
    {"an_address_with_a_port_allows_that", "10.0.0.5:80", "x", "10.0.0.5", 80, true},
    {"an_address_with_a_port_allows_no_other", "10.0.0.5:80", "x", "10.0.0.5", 81, false},
    {"a_v6_address_with_a_port_allows_that", "[2001:db8::5]:80", "x", "2001:db8::5", 80, true},
    {"a_v6_address_with_a_port_allows_no_other", "[::1]:80", "x", "::1", 81, false},
    {"a_bare_v6_address_is_an_address", "2001:db8::5", "x", "2001:db8::5", 443, true},

    {"a_name_allows_what_it_resolves_to", "shop.example", "shop.example", "10.9.9.9", 80, true},
    {"a_name_is_the_same_in_capitals", "SHOP.example", "shop.EXAMPLE", "10.9.9.9", 80, true},
    {"a_name_is_the_same_with_the_root_dot", "shop.example", "shop.example.", "10.9.9.9", 80, true},
    {"a_name_allows_no_name_under_it", "shop.example", "a.shop.example", "10.9.9.9", 80, false},
    {"a_name_allows_no_longer_name", "shop", "shops", "10.9.9.9", 80, false},
    {"a_name_with_a_port_allows_no_other", "shop:443", "shop", "10.9.9.9", 80, false},

    {"link_local_is_refused_by_default", NULL, "x", "169.254.169.254", 80, false},
    {"link_local_is_refused_under_prefix_0", "0.0.0.0/0", "x", "169.254.0.0", 80, false},
    {"link_local_is_refused_as_an_address", "169.254.1.1", "x", "169.254.1.1", 80, false},
    {"link_local_is_refused_behind_a_name", "meta", "meta", "169.254.169.254", 80, false},
    {"link_local_is_refused_when_mapped", "0.0.0.0/0", "x", "::ffff:169.254.1.1", 80, false},
    {"link_local_begins_after_169_253", "0.0.0.0/0", "x", "169.253.255.255", 80, true},
    {"link_local_ends_before_169_255", "0.0.0.0/0", "x", "169.255.0.0", 80, true},
    {"link_local_v6_is_refused", "::/0", "x", "fe80::1", 80, false},
    {"link_local_v6_is_refused_to_its_end", "::/0", "x", "febf:ffff::", 80, false},
    {"link_local_v6_ends_before_fec0", "::/0", "x", "fec0::1", 80, true},
    {"link_local_is_refused_behind_nat64", "::/0", "x", "64:ff9b::169.254.169.254", 80, false},
    {"link_local_is_refused_behind_a_local_nat64", "::/0", "x", "64:ff9b:1::169.254.169.254", 80,
     false},
    {"link_local_is_refused_when_compatible", "::/0", "x", "::169.254.169.254", 80, false},
    {"link_local_is_refused_behind_6to4", "::/0", "x", "2002:a9fe:a9fe::1", 80, false},
    {"others_are_fine_behind_nat64", "::/0", "x", "64:ff9b::169.255.0.1", 80, true},
    {"others_are_fine_behind_6to4", "::/0", "x", "2002:a9ff:1::1", 80, true},
    {"nat64_ends_after_its_prefix", "::/0", "x", "64:ff9b::1:a9fe:a9fe", 80, true},
    {"the_metadata_of_aws_is_refused_on_ipv6", "::/0", "x", "fd00:ec2::254", 80, false},
    {"the_metadata_of_gcp_is_refused_on_ipv6", "::/0", "x", "fd20:ce::254", 80, false},
    {"a_private_network_beside_them_is_fine", "::/0", "x", "fd00:ec3::254", 80, true},
    {"the_metadata_of_azure_is_refused", "0.0.0.0/0", "x", "168.63.129.16", 80, false},
    {"the_metadata_of_alibaba_is_refused", "100.64.0.0/10", "x", "100.100.100.200", 80, false},
    {"the_metadata_of_oracle_is_refused", "192.0.0.192", "x", "192.0.0.192", 80, false},
    {"the_neighbour_of_a_metadata_service_is_fine", "0.0.0.0/0", "x", "168.63.129.17", 80, true},
    {"the_metadata_of_azure_is_refused_when_mapped", "0.0.0.0/0", "x", "::ffff:168.63.129.16", 80,
     false},
    {"the_metadata_of_alibaba_is_refused_behind_nat64", "::/0", "x", "64:ff9b::100.100.100.200", 80,
     false},
    {"loopback_v6_is_none_of_them", NULL, "x", "::1", 80, true},
};

static void allow_checks(void **state)
{
    const struct check_case *row = *state;
    struct allow allow = {0};
    struct error error = {0};
    if (row->rule != NULL)
        assert_true(allow_add(&allow, row->rule, &error));
    struct address address = address_of(row->address, row->port);

    bool allowed = allow_check(&allow, row->host, &address, &error);

    assert_int_equal(allowed, row->allowed);
    assert_int_equal(error.kind, row->allowed ? ERROR_NONE : ERROR_LIMIT);
    if (!row->allowed)
        assert_non_null(strstr(error.message, "--allow"));
}

struct add_case {
    const char *name;
    const char *text;
    const char *canonical; /* NULL: refused */
};

static const struct add_case add_cases[] = {
    {"reads_a_name", "shop", "shop"},
    {"reads_a_name_and_port", "Shop.Example:65535", "shop.example:65535"},
    {"reads_an_address_and_port", "10.0.0.5:80", "10.0.0.5:80"},
    {"reads_an_address_as_its_own_network", "10.0.0.5/32", "10.0.0.5"},
    {"reads_a_network", "10.0.0.0/8", "10.0.0.0/8"},
    {"reads_the_network_of_all", "0.0.0.0/0", "0.0.0.0/0"},
    {"reads_a_v6_network_in_its_short_form", "2001:0db8:0::/32", "2001:db8::/32"},
    {"reads_a_v6_address_in_brackets", "[::1]", "::1"},
    {"reads_a_v6_address_and_port", "[::1]:8080", "[::1]:8080"},
    {"reads_a_unix_socket", "unix:/run/a,b.sock", "unix:/run/a,b.sock"},
    {"refuses_a_unix_socket_without_a_path", "unix:", NULL},
    {"refuses_a_unix_socket_of_a_relative_path", "unix:app.sock", NULL},
    {"refuses_nothing", "", NULL},
    {"refuses_a_port_alone", ":80", NULL},
    {"refuses_port_0", "shop:0", NULL},
    {"refuses_port_65536", "shop:65536", NULL},
    {"refuses_an_empty_port", "shop:", NULL},
    {"refuses_a_signed_port", "shop:+80", NULL},
    {"refuses_a_port_with_words", "shop:80x", NULL},
    {"refuses_prefix_33", "10.0.0.0/33", NULL},
    {"refuses_prefix_129", "::/129", NULL},
    {"refuses_an_empty_prefix", "10.0.0.0/", NULL},
    {"refuses_a_signed_prefix", "10.0.0.0/+8", NULL},
    {"refuses_bits_beyond_the_prefix", "10.0.0.5/8", NULL},
    {"refuses_a_network_of_a_name", "shop/8", NULL},
    {"refuses_a_network_with_a_port", "10.0.0.0/8:80", NULL},
    {"refuses_an_address_cut_short", "10.0.0", NULL},
    {"refuses_an_octet_above_255", "10.0.0.256", NULL},
    {"refuses_a_bracket_left_open", "[::1", NULL},
    {"refuses_words_after_a_bracket", "[::1]x", NULL},
    {"refuses_a_name_in_brackets", "[shop]", NULL},
    {"refuses_a_url", "http://shop", NULL},
    {"refuses_a_star", "*", NULL},
    {"refuses_blanks", "shop ", NULL},
};

static void allow_adds(void **state)
{
    const struct add_case *row = *state;
    struct allow allow = {0};
    struct error error = {0};
    char text[ALLOW_TEXT_BYTES];

    bool added = allow_add(&allow, row->text, &error);

    assert_int_equal(added, row->canonical != NULL);
    assert_string_equal(allow_text(&allow, text, sizeof text), added ? row->canonical : "loopback");
    assert_int_equal(error.kind, added ? ERROR_NONE : ERROR_USAGE);
}

static void allow_text_knows_no_order_and_no_repeats(void **state)
{
    (void)state;
    static const char *const one[] = {"shop", "10.0.0.0/8", "shop:80"};
    static const char *const other[] = {"shop:80", "shop", "10.0.0.0/8", "SHOP"};
    struct allow allows[2] = {0};
    for (size_t i = 0; i < COUNT(one); i++)
        assert_true(allow_add(&allows[0], one[i], NULL));
    for (size_t i = 0; i < COUNT(other); i++)
        assert_true(allow_add(&allows[1], other[i], NULL));
    char texts[2][ALLOW_TEXT_BYTES];

    allow_text(&allows[0], texts[0], sizeof texts[0]);
    allow_text(&allows[1], texts[1], sizeof texts[1]);

    assert_string_equal(texts[0], "10.0.0.0/8,shop,shop:80");
    assert_string_equal(texts[1], texts[0]);
}

static void allow_text_has_room_for_the_longest_rules(void **state)
{
    (void)state;
    struct allow allow = {0};
    char rule[300], text[ALLOW_TEXT_BYTES];
    for (uint32_t i = 0; i < ALLOW_RULES_MAX; i++) {
        memset(rule, 'a', 255);
        snprintf(rule + 250, sizeof rule - 250, "%05u:65535", 10000 + i);
        assert_true(allow_add(&allow, rule, NULL));
    }

    allow_text(&allow, text, sizeof text);

    assert_int_equal(strlen(text), ALLOW_RULES_MAX * (255 + 6) + ALLOW_RULES_MAX - 1);
    assert_string_equal(text + strlen(text) - 11, "10063:65535");
}

static void allow_add_refuses_one_rule_too_many(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct error error = {0};
    for (uint32_t i = 0; i < ALLOW_RULES_MAX; i++)
        assert_true(allow_add(&allow, "shop", &error));

    bool added = allow_add(&allow, "shop", &error);

    assert_false(added);
    assert_int_equal(allow.count, ALLOW_RULES_MAX);
    assert_int_equal(error.kind, ERROR_USAGE);
}

static void allow_add_refuses_a_name_longer_than_255_bytes(void **state)
{
    (void)state;
    struct allow allow = {0};
    char name[257];
    memset(name, 'a', sizeof name);
    name[256] = '\0';

    assert_false(allow_add(&allow, name, NULL));
    assert_true(allow_add(&allow, name + 1, NULL));
}

static void allow_add_offers_the_network_that_was_meant(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct error error = {0};

    assert_false(allow_add(&allow, "10.1.2.3/16", &error));

    assert_non_null(strstr(error.message, "10.1.0.0/16"));
}

static void allow_check_names_the_flag_that_would_allow_it(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct error error = {0};
    struct address address = address_of("10.1.2.3", 8080);

    assert_false(allow_check(&allow, "shop\x1b[2J", &address, &error));

    assert_non_null(strstr(error.message, "--allow 10.1.2.3:8080"));
    assert_null(strchr(error.message, '\x1b'));
    assert_true(allow_add(&allow, "10.1.2.3:8080", &error));
    assert_true(allow_check(&allow, "shop", &address, &error));
}

static struct address socket_of(const char *path)
{
    struct address address;
    struct error error = {0};
    assert_true(net_local_address(path, &address, &error));
    return address;
}

static void a_unix_socket_is_never_implied(void **state)
{
    (void)state;
    static const char *const rules[] = {"0.0.0.0/0", "localhost", "unix:/run/a",
                                        "unix:/run/app.socks"};
    struct address address = socket_of("/run/app.sock");
    struct allow allow = {0};
    struct error error = {0};
    assert_false(allow_check(&allow, "/run/app.sock", &address, &error));
    assert_string_equal(error.message,
                        "target unix:/run/app.sock is not allowed by this agent's owner; --allow "
                        "unix:/run/app.sock would");
    for (size_t i = 0; i < COUNT(rules); i++)
        assert_true(allow_add(&allow, rules[i], &error));
    assert_false(allow_check(&allow, "localhost", &address, &error));

    assert_true(allow_add(&allow, "unix:/run/app.sock", &error));
    assert_true(allow_check(&allow, "localhost", &address, &error));
}

static void a_rule_for_a_unix_socket_allows_no_address(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct error error = {0};
    struct address loopback = address_of("127.0.0.1", 80);
    assert_true(allow_add(&allow, "unix:/run/app.sock", &error));
    assert_false(allow_check(&allow, "/run/app.sock", &loopback, &error));
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(a_unix_socket_is_never_implied),
        cmocka_unit_test(a_rule_for_a_unix_socket_allows_no_address),
        cmocka_unit_test(allow_text_knows_no_order_and_no_repeats),
        cmocka_unit_test(allow_text_has_room_for_the_longest_rules),
        cmocka_unit_test(allow_add_refuses_one_rule_too_many),
        cmocka_unit_test(allow_add_refuses_a_name_longer_than_255_bytes),
        cmocka_unit_test(allow_add_offers_the_network_that_was_meant),
        cmocka_unit_test(allow_check_names_the_flag_that_would_allow_it),
    };
    struct CMUnitTest checks[COUNT(check_cases)], adds[COUNT(add_cases)];
    for (size_t i = 0; i < COUNT(check_cases); i++)
        checks[i] = (struct CMUnitTest){.name = check_cases[i].name,
                                        .test_func = allow_checks,
                                        .initial_state = (void *)(uintptr_t)&check_cases[i]};
    for (size_t i = 0; i < COUNT(add_cases); i++)
        adds[i] = (struct CMUnitTest){.name = add_cases[i].name,
                                      .test_func = allow_adds,
                                      .initial_state = (void *)(uintptr_t)&add_cases[i]};
    int failed = cmocka_run_group_tests_name("allow", plain, NULL, NULL);
    failed += cmocka_run_group_tests_name("allow_check", checks, NULL, NULL);
    failed += cmocka_run_group_tests_name("allow_add", adds, NULL, NULL);
    return failed == 0 ? 0 : 1;
}
