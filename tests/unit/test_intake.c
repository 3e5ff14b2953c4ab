#include "agent/intake.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/control/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS           NS_PER_MS
#define FIRST_BYTES  (5u * DATA_PART_BYTES + 7u)
#define SECOND_BYTES 100u

/* Two files as they lie at the coordinator, and an assignment that means them. */
struct world {
    uint8_t *blocks[2];
    uint8_t digests[2][32];
    struct assignment assignment;
    struct intake *intake;
    uint64_t now_ns;
};

static int begin(void **state)
{
    static const char *const names[] = {"users", "items"};
    static const size_t bytes[] = {FIRST_BYTES, SECOND_BYTES};
    struct world *world = calloc(1, sizeof *world);
    struct random random = {.state = 1};
    struct error error = {0};
    assert_non_null(world);
    for (size_t i = 0; i < 2; i++) {
        world->blocks[i] = malloc(bytes[i]);
        assert_non_null(world->blocks[i]);
        for (size_t j = 0; j < bytes[i]; j++)
            world->blocks[i][j] = (uint8_t)random_next(&random);
        assignment_digest(world->blocks[i], bytes[i], world->digests[i]);
        world->assignment.data[i] = (struct assignment_data){
            .name = {(const uint8_t *)names[i], strlen(names[i])},
            .byte_count = bytes[i],
            .digest = {world->digests[i], 32},
        };
    }
    world->assignment.data_count = 2;
    world->now_ns = 1000 * NS_PER_S;
    world->intake = intake_create(&world->assignment, &error);
    assert_non_null(world->intake);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    intake_destroy(world->intake);
    free(world->blocks[0]);
    free(world->blocks[1]);
    free(world);
    return 0;
}

/* What a coordinator answers. */
static struct data_part answer(const struct world *world, const struct fetch *fetch)
{
    struct data_part part;
    size_t i = strcmp(fetch->name, "users") == 0 ? 0 : 1;
    CHECK(data_part_of(world->blocks[i], (size_t)world->assignment.data[i].byte_count, fetch->part,
                       &part));
    snprintf(part.name, sizeof part.name, "%s", fetch->name);
    return part;
}

static void assert_whole(const struct world *world)
{
    assert_true(intake_is_whole(world->intake));
    for (uint32_t i = 0; i < 2; i++)
        assert_memory_equal(intake_block(world->intake, i), world->blocks[i],
                            world->assignment.data[i].byte_count);
}

static void a_few_parts_are_under_way_and_no_more(void **state)
{
    struct world *world = *state;
    struct fetch fetch;
    for (uint32_t i = 0; i < DATA_PARTS_ASKED; i++) {
        assert_true(intake_ask(world->intake, world->now_ns, &fetch));
        assert_string_equal(fetch.name, "users");
        assert_int_equal(fetch.part, i);
    }
    assert_false(intake_ask(world->intake, world->now_ns, &fetch));

    struct data_part part = answer(world, &(struct fetch){"users", 1});
    assert_true(intake_take(world->intake, &part, NULL));

    assert_true(intake_ask(world->intake, world->now_ns, &fetch));
    assert_int_equal(fetch.part, DATA_PARTS_ASKED);
    assert_false(intake_ask(world->intake, world->now_ns, &fetch));
}

static void a_part_that_does_not_come_is_asked_for_again(void **state)
{
    struct world *world = *state;
    struct fetch fetch;
    while (intake_ask(world->intake, world->now_ns, &fetch)) {
    }
    assert_false(intake_ask(world->intake, world->now_ns + 499 * MS, &fetch));
    assert_true(intake_ask(world->intake, world->now_ns + 500 * MS, &fetch));
    assert_int_equal(fetch.part, 0);
}

static void parts_come_in_any_order_and_twice(void **state)
{
    struct world *world = *state;
    struct fetch fetches[DATA_PARTS_ASKED];
    uint32_t count;
    do {
        for (count = 0;
             count < DATA_PARTS_ASKED && intake_ask(world->intake, world->now_ns, &fetches[count]);)
            count++;
        for (uint32_t i = count; i-- > 0;) {
            struct data_part part = answer(world, &fetches[i]);
            assert_true(intake_take(world->intake, &part, NULL));
            assert_true(intake_take(world->intake, &part, NULL));
        }
    } while (count > 0);

    assert_whole(world);
}

/* Half of all is lost, on either way; a third comes twice, and late: it comes all the same. */
static void files_come_whole_through_loss_repetition_and_delay(void **state)
{
    struct world *world = *state;
    struct random random = {.state = 42};
    struct fetch late[64];
    uint32_t late_count = 0, asked = 0;
    while (!intake_is_whole(world->intake)) {
        struct fetch fetch;
        while (intake_ask(world->intake, world->now_ns, &fetch)) {
            asked++;
            if (random_uniform(&random) < 0.3 && late_count < COUNT(late))
                late[late_count++] = fetch;
            if (random_uniform(&random) < 0.25) {
                struct data_part part = answer(world, &fetch);
                assert_true(intake_take(world->intake, &part, NULL));
            }
        }
        if (late_count > 0 && random_uniform(&random) < 0.1) {
            struct data_part part = answer(world, &late[--late_count]);
            assert_true(intake_take(world->intake, &part, NULL));
        }
        world->now_ns += 100 * MS;
        assert_true(world->now_ns < 1100 * NS_PER_S);
    }
    assert_whole(world);
    assert_true(asked > 7); /* as many as there are */
}

static void what_was_not_asked_for_is_passed_over(void **state)
{
    struct world *world = *state;
    struct fetch fetch;
    while (intake_ask(world->intake, world->now_ns, &fetch)) {
    }
    struct data_part part = answer(world, &(struct fetch){"items", 0});
    assert_true(intake_take(world->intake, &part, NULL));
    part = answer(world, &(struct fetch){"users", 0});
    part.byte_count--;
    assert_true(intake_take(world->intake, &part, NULL));
    part = answer(world, &(struct fetch){"users", 0});
    part.parts++;
    assert_true(intake_take(world->intake, &part, NULL));

    assert_false(intake_ask(world->intake, world->now_ns, &fetch)); /* none of these is here */
}

static void a_file_with_another_digest_is_refused(void **state)
{
    struct world *world = *state;
    struct error error = {0};
    struct fetch fetch;
    bool good = true;
    world->blocks[0][FIRST_BYTES - 1] ^= 1;
    for (int i = 0; i < 6 && good; i++) {
        assert_true(intake_ask(world->intake, world->now_ns, &fetch));
        struct data_part part = answer(world, &fetch);
        good = intake_take(world->intake, &part, &error);
        assert_int_equal(good, i < 5);
    }
    assert_string_equal(error.message, "data file users came with another digest than the plan's");
}

static void files_are_together_as_large_as_the_limit_and_no_more(void **state)
{
    (void)state;
    struct assignment assignment = {.data_count = 5};
    struct error error = {0};
    for (uint32_t i = 0; i < 5; i++)
        assignment.data[i] = (struct assignment_data){.name = {(const uint8_t *)"abcde" + i, 1},
                                                      .byte_count = i < 4 ? DATA_BYTES_MAX : 1};

    assert_null(intake_create(&assignment, &error));

    assert_int_equal(error.kind, ERROR_LIMIT);
    assert_string_equal(error.message, "the data files take 268435457 bytes together; an agent "
                                       "carries at most 268435456");
    assignment.data_count = 4;
    struct intake *intake = intake_create(&assignment, &error);
    assert_non_null(intake);
    intake_destroy(intake);
    intake_destroy(NULL);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_few_parts_are_under_way_and_no_more),
        IN_WORLD(a_part_that_does_not_come_is_asked_for_again),
        IN_WORLD(parts_come_in_any_order_and_twice),
        IN_WORLD(files_come_whole_through_loss_repetition_and_delay),
        IN_WORLD(what_was_not_asked_for_is_passed_over),
        IN_WORLD(a_file_with_another_digest_is_refused),
        cmocka_unit_test(files_are_together_as_large_as_the_limit_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
