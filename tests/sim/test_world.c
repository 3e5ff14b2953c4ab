#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/world.h"

#define SEEDS 200u

static void run_kept(uint64_t seed, struct world_result *result)
{
    world_run(seed, NULL, result);
    if (result->broken[0] != '\0')
        fail_msg("seed %llu: %s", (unsigned long long)seed, result->broken);
}

/** And they must have been tried: what never happens proves nothing. */
static void every_promise_is_kept_in_any_weather(void **state)
{
    (void)state;
    uint32_t loaded = 0, healed = 0, counted = 0, missing = 0, lives = 0, finals = 0, lost = 0;
    uint32_t recovered = 0;
    uint64_t packets_lost = 0, packets_repeated = 0, lost_max = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world_result result;
        run_kept(seed, &result);
        loaded += result.loaded;
        healed += result.healed;
        counted += result.counted;
        missing += result.missing;
        lives += result.lives;
        finals += result.finals;
        lost += result.lost;
        lost_max += result.lost_max;
        recovered += result.recovered;
        packets_lost += result.packets_lost;
        packets_repeated += result.packets_repeated;
    }

    print_message(
        "%u runs: %u with load, %u healed; %u ended with the last request, %u with some missing; "
        "%u lives, %u final words (%u from recorders), %u lost with at most "
        "%llu requests; %llu packets lost, %llu repeated\n",
        SEEDS, loaded, healed, counted, missing, lives, finals, recovered, lost,
        (unsigned long long)lost_max, (unsigned long long)packets_lost,
        (unsigned long long)packets_repeated);
    assert_true(loaded > SEEDS * 4 / 5);
    assert_true(healed > SEEDS / 2);
    assert_true(counted > SEEDS / 20);
    assert_true(missing > SEEDS / 20);
    assert_true(lives > 3 * SEEDS);
    assert_true(finals > SEEDS);
    assert_true(lost > SEEDS / 2);
    assert_true(recovered > SEEDS / 10);
    assert_true(packets_lost > 50 * SEEDS);
    assert_true(packets_repeated > 10 * SEEDS);
}

static void a_seed_gives_the_same_run_again(void **state)
{
    (void)state;
    struct world_result first;
    struct world_result second;

    run_kept(7, &first);
    run_kept(7, &second);

    assert_memory_equal(&first, &second, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_promise_is_kept_in_any_weather),
        cmocka_unit_test(a_seed_gives_the_same_run_again),
    };
    return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
