#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/capacity.h"
#include "common/base/check.h"

#include <string.h>

struct capacity_case {
    const char *name;
    struct capacity_facts facts;
    uint32_t workers;
    const char *words; /* for 5000 workers */
};

static const struct capacity_case capacity_cases[] = {
    {"the_owner_has_the_last_word",
     {100, 1u << 20, 68, 0, 28232, 1},
     100,
     "--max-concurrency 100 allows no more"},
    {"a_worker_takes_a_descriptor",
     {1000000, 1024, 68, 0, 28232, 1},
     956,
     "1024 open files allow no more; raise it: ulimit -n 5068"},
    {"a_worker_takes_a_port",
     {1000000, 1u << 20, 68, 0, 10, 1},
     10,
     "10 local ports of 1 address allow no more; widen net.ipv4.ip_local_port_range or give more "
     "with --source"},
    {"every_address_has_ports_of_its_own",
     {1000000, 1u << 20, 68, 0, 10, 3},
     30,
     "10 local ports of 3 addresses allow no more; widen net.ipv4.ip_local_port_range or give more "
     "with --source"},
    {"ports_that_are_not_known_are_no_limit",
     {70, 1u << 20, 68, 0, 0, 1},
     70,
     "--max-concurrency 70 allows no more"},
    {"one_worker_is_always_tried",
     {1000000, 20, 68, 0, 28232, 1},
     1,
     "20 open files allow no more; raise it: ulimit -n 5068"},
    {"a_worker_takes_memory_of_the_control_group",
     {1000000, 1u << 20, 68, 64u << 20, 28232, 1},
     2560,
     "the 64 MiB of its control group allow no more; raise the container's limit to 102 MiB"},
    {"one_worker_is_tried_in_any_memory",
     {1000000, 1u << 20, 68, 1u << 20, 28232, 1},
     1,
     "the 1 MiB of its control group allow no more; raise the container's limit to 102 MiB"},
    {"many_ports_do_not_wrap",
     {1000000, 1u << 30, 68, 0, 65535, 65536},
     1000000,
     "--max-concurrency 1000000 allows no more"},
};

static void capacity_is(void **state)
{
    const struct capacity_case *row = *state;
    char text[256];
    assert_int_equal(capacity_of(&row->facts).workers, row->workers);
    assert_string_equal(capacity_words(&row->facts, 5000, text, sizeof text), row->words);
}

struct ports_case {
    const char *name, *range, *reserved;
    uint32_t count;
};

static const struct ports_case ports_cases[] = {
    {"both_ends_of_the_range_count", "32768\t60999", "", 28232},
    {"reserved_ports_are_not_for_us", "40000 40009", "40000,40003-40005", 6},
    {"reserved_ports_outside_do_not_count", "40000 40009", "80,39000-40000,40009-50000", 8},
    {"all_reserved_is_none", "40000 40009", "1-65535", 0},
    {"no_file_is_not_known", "", "", 0},
    {"rubbish_is_not_known", "many few", "", 0},
    {"a_range_upside_down_is_not_known", "60999 32768", "", 0},
    {"rubbish_is_not_reserved", "40000 40009", "x,40001", 10},
};

static void ports_are(void **state)
{
    const struct ports_case *row = *state;
    assert_int_equal(capacity_ports(row->range, row->reserved), row->count);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(capacity_cases) + COUNT(ports_cases)];
    for (size_t i = 0; i < COUNT(capacity_cases); i++)
        tests[i] = (struct CMUnitTest){.name = capacity_cases[i].name,
                                       .test_func = capacity_is,
                                       .initial_state = (void *)(uintptr_t)&capacity_cases[i]};
    for (size_t i = 0; i < COUNT(ports_cases); i++)
        tests[COUNT(capacity_cases) + i] =
            (struct CMUnitTest){.name = ports_cases[i].name,
                                .test_func = ports_are,
                                .initial_state = (void *)(uintptr_t)&ports_cases[i]};
    return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
