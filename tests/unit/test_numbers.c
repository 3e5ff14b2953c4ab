#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/numbers.h"

static uint64_t taken(struct numbers *numbers)
{
    uint64_t index = UINT64_MAX;
    assert_true(numbers_take(numbers, &index));
    return index;
}

static void assert_none(struct numbers *numbers)
{
    uint64_t index = 77;
    assert_false(numbers_take(numbers, &index));
    assert_int_equal(index, 77);
}

static void assert_account(const struct numbers *numbers, uint64_t block, uint64_t used,
                           uint64_t left)
{
    struct numbers_account account = numbers_account(numbers);
    assert_int_equal(account.block, block);
    assert_int_equal(account.used, used);
    assert_int_equal(account.left, left);
}

static void there_is_none_before_the_first_block(void **state)
{
    (void)state;
    struct numbers numbers = {0};

    assert_none(&numbers);
    assert_account(&numbers, 0, 0, 0);
}

static void blocks_are_used_in_their_order_and_to_their_end(void **state)
{
    (void)state;
    struct numbers numbers = {0};

    numbers_grant(&numbers, 1, 100, 2);
    numbers_grant(&numbers, 2, 7, 1);

    assert_account(&numbers, 2, 0, 3);
    assert_int_equal(taken(&numbers), 100);
    assert_int_equal(taken(&numbers), 101);
    assert_int_equal(taken(&numbers), 7);
    assert_none(&numbers);
    assert_account(&numbers, 2, 3, 0);
}

static void a_block_that_is_said_again_is_no_second_one(void **state)
{
    (void)state;
    struct numbers numbers = {0};

    numbers_grant(&numbers, 1, 0, 2);
    numbers_grant(&numbers, 2, 10, 2);
    numbers_grant(&numbers, 1, 0, 2);
    numbers_grant(&numbers, 2, 10, 2);

    assert_account(&numbers, 2, 0, 4);
}

static void a_block_for_which_there_is_no_place_is_taken_up_later(void **state)
{
    (void)state;
    struct numbers numbers = {0};
    for (uint64_t block = 1; block <= INDEX_BLOCKS_MAX; block++)
        numbers_grant(&numbers, block, 10 * block, 1);

    numbers_grant(&numbers, INDEX_BLOCKS_MAX + 1, 500, 3);
    assert_account(&numbers, INDEX_BLOCKS_MAX, 0, INDEX_BLOCKS_MAX);

    assert_int_equal(taken(&numbers), 10);
    numbers_grant(&numbers, INDEX_BLOCKS_MAX + 1, 500, 3);
    assert_account(&numbers, INDEX_BLOCKS_MAX + 1, 1, INDEX_BLOCKS_MAX - 1 + 3);
    for (uint64_t block = 2; block <= INDEX_BLOCKS_MAX; block++)
        assert_int_equal(taken(&numbers), 10 * block);
    assert_int_equal(taken(&numbers), 500);
}

static void an_empty_block_gives_back_all_that_is_left(void **state)
{
    (void)state;
    struct numbers numbers = {0};
    numbers_grant(&numbers, 1, 0, 5);
    numbers_grant(&numbers, 2, 50, 5);
    taken(&numbers);
    taken(&numbers);

    numbers_grant(&numbers, 3, 0, 0);

    assert_none(&numbers);
    assert_account(&numbers, 3, 2, 0);
    numbers_grant(&numbers, 4, 3, 1); /* of those that it gave back */
    assert_account(&numbers, 4, 2, 1);
    assert_int_equal(taken(&numbers), 3);
    assert_account(&numbers, 4, 3, 0);
}

static void the_last_indexes_of_all_can_be_granted(void **state)
{
    (void)state;
    struct numbers numbers = {0};

    numbers_grant(&numbers, UINT64_MAX, UINT64_MAX - 1, 1);

    assert_int_equal(taken(&numbers), UINT64_MAX - 1);
    assert_none(&numbers);
}

/* Several lanes take while blocks come and are taken back: none is lost, none comes twice. */

#define LANES 4u
#define TOTAL 200000u
#define BLOCK 97u

struct lane_of_test {
    struct numbers *numbers;
    uint8_t *seen;
    _Atomic bool *over;
    uint64_t count;
};

static void *take_all(void *context)
{
    struct lane_of_test *lane = context;
    uint64_t index;
    for (bool last = false;;) {
        if (numbers_take(lane->numbers, &index)) {
            lane->seen[index]++;
            lane->count++;
        } else if (last) {
            return NULL;
        } else {
            last = atomic_load(lane->over);
        }
    }
}

/* As the coordinator does: what comes back is granted again. */
static void grant_all(struct numbers *numbers)
{
    uint64_t block = 0, from = 0, count = 0, before = 0;
    for (uint64_t next = 0; next < TOTAL || count > 0;) {
        struct numbers_account account = numbers_account(numbers);
        if (account.block < block || account.left > BLOCK / 2)
            continue;
        if (count > 0 && block % 5 == 0) { /* the newest, and all before it are used up */
            numbers_grant(numbers, ++block, 0, 0);
            uint64_t used = numbers_account(numbers).used - before;
            before += used;
            from += used;
            count -= used;
        } else {
            while (numbers_account(numbers).left > 0)
                ;
            before = numbers_account(numbers).used;
            from = next;
            count = BLOCK < TOTAL - next ? BLOCK : TOTAL - next;
            next += count;
        }
        if (count > 0)
            numbers_grant(numbers, ++block, from, count);
    }
}

static void lanes_take_each_index_once(void **state)
{
    (void)state;
    static uint8_t seen[TOTAL];
    memset(seen, 0, sizeof seen);
    struct numbers numbers = {0};
    _Atomic bool over = false;
    struct lane_of_test lanes[LANES];
    pthread_t threads[LANES];
    for (uint32_t i = 0; i < LANES; i++) {
        lanes[i] = (struct lane_of_test){&numbers, seen, &over, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &lanes[i]), 0);
    }

    grant_all(&numbers);
    atomic_store(&over, true);

    uint64_t count = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        pthread_join(threads[i], NULL);
        count += lanes[i].count;
    }
    assert_int_equal(count, TOTAL);
    for (uint32_t i = 0; i < TOTAL; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(numbers_account(&numbers).used, TOTAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_none_before_the_first_block),
        cmocka_unit_test(blocks_are_used_in_their_order_and_to_their_end),
        cmocka_unit_test(a_block_that_is_said_again_is_no_second_one),
        cmocka_unit_test(a_block_for_which_there_is_no_place_is_taken_up_later),
        cmocka_unit_test(an_empty_block_gives_back_all_that_is_left),
        cmocka_unit_test(the_last_indexes_of_all_can_be_granted),
        cmocka_unit_test(lanes_take_each_index_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
