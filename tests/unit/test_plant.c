#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/control/plant.h"
#include "common/control/random.h"
#include "tests/unit/near.h"

#include <math.h>
#include <stdlib.h>

/* What a plant was seen to do. */
struct play {
    double ended, failed;
    double latency_s; /* mean */
    double longest_s, shortest_s;
    double inside; /* mean over time */
    double ended_per_s;
};

struct player {
    struct plant *plant;
    struct play play;
    double now_s, present, inside_s, latency_sum_s;
};

static void pass_time(struct player *player, double to_s)
{
    player->inside_s += player->present * (to_s - player->now_s);
    player->now_s = to_s;
}

static void count_end(struct player *player, const struct plant_end *end)
{
    double latency_s = end->end_s - end->start_s;
    player->present--;
    player->play.ended++;
    player->play.failed += !end->ok;
    player->latency_sum_s += latency_s;
    player->play.longest_s = fmax(player->play.longest_s, latency_s);
    player->play.shortest_s = fmin(player->play.shortest_s, latency_s);
}

/* All before `to_s`. Closed: who ends begins again. */
static void play_until(struct player *player, double to_s, bool closed)
{
    while (plant_next_s(player->plant) < to_s) {
        pass_time(player, plant_next_s(player->plant));
        struct plant_end end;
        if (!plant_advance(player->plant, &end))
            continue;
        count_end(player, &end);
        if (closed) {
            plant_begin(player->plant, player->now_s, 1.0, 0);
            player->present++;
        }
    }
    pass_time(player, to_s);
}

static struct play play_end(struct player *player)
{
    struct play play = player->play;
    play.latency_s = player->latency_sum_s / play.ended;
    play.inside = player->inside_s / player->now_s;
    play.ended_per_s = play.ended / player->now_s;
    plant_destroy(player->plant);
    return play;
}

static struct play play_open(const struct plant_config *config, double rate_per_s, double length_s,
                             uint64_t seed)
{
    struct player player = {.plant = plant_create(config, seed), .play.shortest_s = INFINITY};
    struct random random = {.state = seed + 1};
    for (double at_s = 0.0; at_s < length_s; at_s += random_exponential(&random) / rate_per_s) {
        play_until(&player, at_s, false);
        plant_begin(player.plant, at_s, 1.0, 0);
        player.present++;
    }
    return play_end(&player);
}

static struct play play_closed(const struct plant_config *config, uint32_t requests,
                               double length_s)
{
    struct player player = {.plant = plant_create(config, 1), .play.shortest_s = INFINITY};
    for (uint32_t i = 0; i < requests; i++)
        plant_begin(player.plant, 0.0, 1.0, 0);
    player.present = requests;
    play_until(&player, length_s, true);
    return play_end(&player);
}

static void one_server_waits_as_pollaczek_and_khinchine_say(void **state)
{
    (void)state;
    double service_s = 0.01;

    for (double spread = 0.0; spread < 0.7; spread += 0.3) {
        struct plant_config config = {.service_s = service_s, .servers = 1, .spread = spread};
        double rate_per_s = 70.0;
        double busy = rate_per_s * service_s;
        double square = service_s * service_s * exp(spread * spread);
        double expected_s = service_s + rate_per_s * square / (2.0 * (1.0 - busy));

        struct play play = play_open(&config, rate_per_s, 10000.0, 3);

        assert_near(play.latency_s, expected_s, 0.02 * expected_s);
    }
}

static void a_shared_system_of_one_rate_is_processor_sharing(void **state)
{
    (void)state;
    /* Contention 1: the whole rate is usl_per_s whatever is inside. The mean time in a system that
     * shares its processor depends on no spread: Kleinrock, "Queueing Systems", volume 2, 1976. */
    for (double spread = 0.0; spread < 0.7; spread += 0.3) {
        struct plant_config config = {.usl_per_s = 100.0, .usl_contention = 1.0, .spread = spread};

        struct play play = play_open(&config, 70.0, 10000.0, 5);

        assert_near(play.latency_s, 0.01 / (1.0 - 0.7), 0.02 * 0.01 / 0.3);
    }
}

static void throughput_follows_the_scalability_law(void **state)
{
    (void)state;
    struct plant_config config = {
        .usl_per_s = 400.0, .usl_contention = 0.015, .usl_coherency = 0.00008, .spread = 0.3};
    static const uint32_t counts[] = {1, 2, 10, 50, 110, 300, 800};

    for (size_t i = 0; i < COUNT(counts); i++) {
        double n = counts[i];
        double expected_per_s =
            config.usl_per_s * n /
            (1.0 + config.usl_contention * (n - 1.0) + config.usl_coherency * n * (n - 1.0));

        struct play play = play_closed(&config, counts[i], 20.0);

        assert_near(play.ended_per_s, expected_per_s, 0.02 * expected_per_s);
    }
}

static void littles_law_holds(void **state)
{
    (void)state;
    static const struct plant_config configs[] = {
        {.delay_s = 0.005, .service_s = 0.004, .servers = 8, .spread = 0.3},
        {.delay_s = 0.005, .usl_per_s = 400.0, .usl_contention = 0.05, .spread = 0.3},
    };

    for (size_t i = 0; i < COUNT(configs); i++) {
        struct play play = play_open(&configs[i], 1500.0, 100.0, 7);

        assert_near(play.inside, play.ended_per_s * play.latency_s, 0.001 * play.inside);
    }
}

static void servers_give_what_they_can_and_no_more(void **state)
{
    (void)state;
    struct plant_config config = {.delay_s = 0.005, .service_s = 0.004, .servers = 8};

    assert_near(play_closed(&config, 4, 100.0).ended_per_s, 4.0 / 0.0092, 0.01 * 4.0 / 0.0092);
    assert_near(play_closed(&config, 100, 100.0).ended_per_s, 2000.0, 5.0);
}

struct change_case {
    const char *name;
    struct plant_change change;
    double share; /* of the throughput without it */
};

static const struct change_case change_cases[] = {
    {"half the servers", {PLANT_SERVERS, 0, 100, 0.5, 0}, 0.5},
    {"twice the speed", {PLANT_SPEED, 0, 100, 2.0, 0}, 2.0},
    {"three times the speed, half the time", {PLANT_SPEED, 50, 100, 3.0, 0}, 2.0},
    {"no servers for a while", {PLANT_SERVERS, 20, 50, 0.0, 0}, 0.7},
    {"a warm-up", {PLANT_WARM_UP, 0, 100, 0.2, 0}, 0.6},
    {"pauses", {PLANT_PAUSES, 0, 100, 0.25, 1.0}, 0.75},
};

/* With so many inside that the delay does not matter, on both kinds of service. */
static void changes_set_the_throughput(void **state)
{
    const struct change_case *test = *state;
    static const struct plant_config configs[] = {
        {.service_s = 0.004, .servers = 8, .spread = 0.3},
        {.usl_per_s = 400.0, .usl_contention = 0.5, .spread = 0.3},
    };

    for (size_t i = 0; i < COUNT(configs); i++) {
        struct plant_config changed = configs[i];
        changed.changes[2] = test->change;

        double without = play_closed(&configs[i], 64, 100.0).ended_per_s;
        double with = play_closed(&changed, 64, 100.0).ended_per_s;

        assert_near(with / without, test->share, 0.03);
    }
}

static void latency_changes_for_those_that_start_in_it(void **state)
{
    (void)state;
    struct plant_config config = {.delay_s = 0.01,
                                  .service_s = 0.0001,
                                  .servers = 100,
                                  .changes = {{PLANT_LATENCY, 10, 20, 4.0, 0}}};

    struct play play = play_closed(&config, 1, 30.0);

    assert_near(play.shortest_s, 0.0101, 0.0001);
    assert_in_range((uint64_t)(play.longest_s * 1e6), 40000, 48000);
}

static void changes_can_be_counted_from_a_later_moment(void **state)
{
    (void)state;
    struct plant_config config = {.delay_s = 0.01,
                                  .service_s = 0.0001,
                                  .servers = 100,
                                  .changes = {{PLANT_LATENCY, 1, 2, 4.0, 0}}};
    struct player player = {.plant = plant_create(&config, 1), .play.shortest_s = INFINITY};
    plant_begin(player.plant, 0.0, 1.0, 0);
    player.present = 1;

    play_until(&player, 0.5, true);
    plant_start_changes(player.plant, 0.5);
    play_until(&player, 1.49, true);
    double longest_before_s = player.play.longest_s;
    play_until(&player, 1.6, true);
    double longest_in_it_s = player.play.longest_s;
    play_end(&player);

    assert_true(longest_before_s < 0.02);
    assert_true(longest_in_it_s > 0.04);
}

static void pauses_catch_whoever_is_in_service(void **state)
{
    (void)state;
    static const struct plant_config configs[] = {
        {.service_s = 0.004, .servers = 8, .changes = {{PLANT_PAUSES, 5, 25, 0.2, 2.0}}},
        {.usl_per_s = 250.0, .changes = {{PLANT_PAUSES, 5, 25, 0.2, 2.0}}},
    };

    for (size_t i = 0; i < COUNT(configs); i++) {
        struct play play = play_closed(&configs[i], 1, 30.0);

        assert_near(play.longest_s, 0.204, 1e-9);
        assert_near(play.shortest_s, 0.004, 1e-9);
        assert_near(30.0 - play.ended * 0.004, 0.2 * 10.0, 0.2 * 3.0);
    }
}

static void who_finds_a_full_line_fails_after_the_delay(void **state)
{
    (void)state;
    static const struct plant_config configs[] = {
        {.delay_s = 0.001, .service_s = 1.0, .servers = 2, .line_max = 3},
        {.delay_s = 0.001, .usl_per_s = 1.0, .usl_contention = 1.0, .line_max = 5},
    };

    for (size_t i = 0; i < COUNT(configs); i++) {
        for (uint32_t requests = 4; requests <= 7; requests++) {
            struct plant *plant = plant_create(&configs[i], 1);
            for (uint32_t k = 0; k < requests; k++)
                plant_begin(plant, 0.0, 1.0, k);

            uint32_t failed = 0;
            uint32_t ended = 0;
            while (plant_next_s(plant) < INFINITY) {
                struct plant_end end;
                if (!plant_advance(plant, &end))
                    continue;
                ended++;
                failed += !end.ok;
                assert_true(end.ok ? end.end_s >= 1.0 : end.end_s < 0.002);
            }
            plant_destroy(plant);

            assert_int_equal(ended, requests);
            assert_int_equal(failed, requests > 5 ? requests - 5 : 0);
        }
    }
}

static void a_share_fails_after_its_full_length(void **state)
{
    (void)state;
    struct plant_config config = {.service_s = 0.01, .servers = 64, .error_share = 0.1};

    struct play play = play_open(&config, 500.0, 100.0, 9);

    assert_near(play.failed / play.ended, 0.1, 0.01);
    assert_near(play.shortest_s, 0.01, 1e-9);
}

static void a_lanes_factor_lengthens_its_delay_alone(void **state)
{
    (void)state;
    struct plant_config config = {.delay_s = 0.01, .service_s = 0.001, .servers = 2};
    struct plant *plant = plant_create(&config, 1);
    plant_begin(plant, 0.0, 3.0, 5);

    struct plant_end end;
    while (!plant_advance(plant, &end))
        continue;
    plant_destroy(plant);

    assert_int_equal(end.tag, 5);
    assert_near(end.end_s, 0.031, 0.005);
}

static void a_seed_gives_one_run_and_another_seed_another(void **state)
{
    (void)state;
    struct plant_config config = {.delay_s = 0.005,
                                  .usl_per_s = 400.0,
                                  .usl_contention = 0.015,
                                  .spread = 0.3,
                                  .error_share = 0.01,
                                  .changes = {{PLANT_PAUSES, 0, 10, 0.1, 1.0}}};

    struct play first = play_open(&config, 1000.0, 10.0, 1);
    struct play second = play_open(&config, 1000.0, 10.0, 1);
    struct play other = play_open(&config, 1000.0, 10.0, 2);

    assert_memory_equal(&first, &second, sizeof first);
    assert_memory_not_equal(&first, &other, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_waits_as_pollaczek_and_khinchine_say),
        cmocka_unit_test(a_shared_system_of_one_rate_is_processor_sharing),
        cmocka_unit_test(throughput_follows_the_scalability_law),
        cmocka_unit_test(littles_law_holds),
        cmocka_unit_test(servers_give_what_they_can_and_no_more),
        cmocka_unit_test(latency_changes_for_those_that_start_in_it),
        cmocka_unit_test(changes_can_be_counted_from_a_later_moment),
        cmocka_unit_test(pauses_catch_whoever_is_in_service),
        cmocka_unit_test(who_finds_a_full_line_fails_after_the_delay),
        cmocka_unit_test(a_share_fails_after_its_full_length),
        cmocka_unit_test(a_lanes_factor_lengthens_its_delay_alone),
        cmocka_unit_test(a_seed_gives_one_run_and_another_seed_another),
    };
    struct CMUnitTest changes[COUNT(change_cases)];
    for (size_t i = 0; i < COUNT(change_cases); i++)
        changes[i] = (struct CMUnitTest){.name = change_cases[i].name,
                                         .test_func = changes_set_the_throughput,
                                         .initial_state = (void *)(uintptr_t)&change_cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(changes, NULL, NULL);
}
