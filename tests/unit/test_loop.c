#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WAKEUPS 3

/* A loop with some wake-ups to watch, and what its callbacks saw */
struct scene {
    struct loop *loop;
    int wakeups[WAKEUPS];
    int calls;
    int ticks;
    uint64_t seen_ns[64];
    int stop_after; /* so many calls, or ticks */
    int signals;    /* a descriptor of loop_signals() */
};

static int make_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct error error = {0};
    CHECK(scene != NULL);
    scene->loop = loop_create(&error);
    for (size_t i = 0; i < WAKEUPS; i++)
        scene->wakeups[i] = loop_wakeup_create(&error);
    *state = scene;
    return scene->loop == NULL;
}

static int free_scene(void **state)
{
    struct scene *scene = *state;
    loop_destroy(scene->loop);
    for (size_t i = 0; i < WAKEUPS; i++)
        close(scene->wakeups[i]);
    free(scene);
    return 0;
}

static void watch(struct scene *scene, int descriptor, uint32_t events, loop_ready *ready)
{
    struct error error = {0};
    if (!loop_watch(scene->loop, descriptor, events, ready, scene, &error))
        fail_msg("%s", error.message);
}

static void count_call(void *context, uint64_t now_ns, uint32_t events)
{
    struct scene *scene = context;
    (void)events;
    scene->seen_ns[scene->calls++] = now_ns;
    assert_int_equal(now_ns, loop_now_ns(scene->loop));
    if (scene->calls == scene->stop_after)
        loop_stop(scene->loop);
}

static void stop_at_tick(void *context, uint64_t now_ns)
{
    struct scene *scene = context;
    (void)now_ns;
    loop_stop(scene->loop);
}

/* Runs the loop until a tick of 1 ms: long enough for all that is ready already. */
static void run_a_moment(struct scene *scene)
{
    loop_every(scene->loop, NS_PER_MS, stop_at_tick, scene);
    loop_run(scene->loop);
}

static void a_ready_descriptor_is_called_with_one_now(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 1;
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);
    uint64_t before_ns = clock_now_ns();
    loop_wakeup_send(scene->wakeups[0]);

    loop_run(scene->loop);

    assert_int_equal(scene->calls, 1);
    assert_in_range(scene->seen_ns[0], before_ns, clock_now_ns());
}

static void a_descriptor_is_called_until_it_is_read(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 3; /* level-triggered: nobody clears it */
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);
    loop_wakeup_send(scene->wakeups[0]);

    loop_run(scene->loop);

    assert_int_equal(scene->calls, 3);
}

static void a_descriptor_that_is_not_ready_is_not_called(void **state)
{
    struct scene *scene = *state;
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);
    loop_wakeup_send(scene->wakeups[0]);
    loop_wakeup_clear(scene->wakeups[0]);

    run_a_moment(scene);

    assert_int_equal(scene->calls, 0);
}

static void unwatch_all(void *context, uint64_t now_ns, uint32_t events)
{
    struct scene *scene = context;
    count_call(context, now_ns, events);
    for (size_t i = 0; i < WAKEUPS; i++)
        loop_unwatch(scene->loop, scene->wakeups[i]);
}

static void unwatching_takes_back_events_that_wait_in_the_same_batch(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < WAKEUPS; i++) {
        watch(scene, scene->wakeups[i], EPOLLIN, unwatch_all);
        loop_wakeup_send(scene->wakeups[i]);
    }

    run_a_moment(scene);

    assert_int_equal(scene->calls, 1);
}

static void never_called(void *context, uint64_t now_ns, uint32_t events)
{
    (void)context;
    (void)now_ns;
    fail_msg("called with events %x of a descriptor that is gone", events);
}

/* Closes the other descriptors, and watches new ones that get their numbers. */
static void replace_others(void *context, uint64_t now_ns, uint32_t events)
{
    struct scene *scene = context;
    struct error error = {0};
    count_call(context, now_ns, events);
    for (size_t i = 0; i < WAKEUPS; i++)
        loop_unwatch(scene->loop, scene->wakeups[i]);
    for (size_t i = 0; i < WAKEUPS; i++) {
        close(scene->wakeups[i]);
        int fresh = loop_wakeup_create(&error);
        assert_int_equal(fresh, scene->wakeups[i]);
        watch(scene, fresh, EPOLLIN, never_called);
    }
}

static void an_event_of_a_closed_descriptor_is_not_given_to_its_successor(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < WAKEUPS; i++) {
        watch(scene, scene->wakeups[i], EPOLLIN, replace_others);
        loop_wakeup_send(scene->wakeups[i]);
    }

    run_a_moment(scene);

    assert_int_equal(scene->calls, 1);
}

/* From now on, nothing that is there already is wanted of any descriptor. */
static void want_other_events(void *context, uint64_t now_ns, uint32_t events)
{
    struct scene *scene = context;
    count_call(context, now_ns, events);
    for (size_t i = 0; i < WAKEUPS; i++)
        watch(scene, scene->wakeups[i], EPOLLPRI, never_called);
}

static void changing_the_events_takes_back_those_that_wait_in_the_same_batch(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < WAKEUPS; i++) {
        watch(scene, scene->wakeups[i], EPOLLIN, want_other_events);
        loop_wakeup_send(scene->wakeups[i]);
    }

    run_a_moment(scene);

    assert_int_equal(scene->calls, 1);
}

static void unwatching_twice_or_what_was_never_watched_is_harmless(void **state)
{
    struct scene *scene = *state;
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);

    loop_unwatch(scene->loop, scene->wakeups[0]);
    loop_unwatch(scene->loop, scene->wakeups[0]);
    loop_unwatch(scene->loop, scene->wakeups[1]);
    loop_unwatch(scene->loop, 1000000);

    loop_wakeup_send(scene->wakeups[0]);
    run_a_moment(scene);
    assert_int_equal(scene->calls, 0);
}

static void a_descriptor_can_be_watched_again(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 1;
    watch(scene, scene->wakeups[0], EPOLLIN, never_called);
    loop_unwatch(scene->loop, scene->wakeups[0]);
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);
    loop_wakeup_send(scene->wakeups[0]);

    loop_run(scene->loop);

    assert_int_equal(scene->calls, 1);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
    struct scene *scene = *state;
    struct error error = {0};
    int closed = loop_wakeup_create(&error);
    close(closed);

    assert_false(loop_watch(scene->loop, closed, EPOLLIN, count_call, scene, &error));

    assert_int_equal(error.kind, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, "cannot watch descriptor"));
}

static void many_descriptors_are_watched_at_once(void **state)
{
    struct scene *scene = *state;
    int pipes[60][2];
    for (size_t i = 0; i < COUNT(pipes); i++) {
        assert_int_equal(pipe(pipes[i]), 0); /* past the room that the loop begins with */
        watch(scene, pipes[i][0], EPOLLIN, count_call);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
    }
    scene->stop_after = COUNT(pipes);

    loop_run(scene->loop);

    for (size_t i = 0; i < COUNT(pipes); i++) {
        loop_unwatch(scene->loop, pipes[i][0]);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    assert_int_equal(scene->calls, COUNT(pipes));
}

static void count_tick(void *context, uint64_t now_ns)
{
    struct scene *scene = context;
    assert_int_equal(now_ns, loop_now_ns(scene->loop));
    scene->seen_ns[scene->ticks++] = now_ns;
    if (scene->ticks == scene->stop_after)
        loop_stop(scene->loop);
}

static void a_timer_never_comes_early(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 20;
    uint64_t before_ns = clock_now_ns();
    loop_every(scene->loop, NS_PER_MS, count_tick, scene);

    loop_run(scene->loop);

    for (uint64_t i = 0; i < 20; i++)
        assert_true(scene->seen_ns[i] >= before_ns + (i + 1) * NS_PER_MS);
}

/* Holds the loop up for more than three intervals at its first tick. */
static void dawdle(void *context, uint64_t now_ns)
{
    struct scene *scene = context;
    count_tick(context, now_ns);
    while (scene->ticks == 1 && clock_now_ns() < now_ns + 3 * NS_PER_MS + NS_PER_MS / 2) {
    }
}

static void ticks_that_were_missed_are_not_made_up(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 3;
    uint64_t before_ns = clock_now_ns();
    loop_every(scene->loop, NS_PER_MS, dawdle, scene);
    uint64_t grid_ns = clock_now_ns(); /* the grid begins between the two */

    loop_run(scene->loop);

    /* The first tick after the pause comes at once, the one after it not before the grid's next
     * line. */
    assert_true(scene->seen_ns[1] >= scene->seen_ns[0] + 3 * NS_PER_MS);
    uint64_t lines_passed = (scene->seen_ns[1] - grid_ns) / NS_PER_MS;
    assert_true(scene->seen_ns[2] >= before_ns + (lines_passed + 1) * NS_PER_MS);
}

static void add_timer(void *context, uint64_t now_ns)
{
    struct scene *scene = context;
    (void)now_ns;
    if (scene->calls++ == 0)
        loop_every(scene->loop, NS_PER_MS, count_tick, scene);
}

static void a_timer_can_be_added_by_a_timer(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 2;
    loop_every(scene->loop, NS_PER_MS, add_timer, scene);

    loop_run(scene->loop);

    assert_int_equal(scene->ticks, 2);
}

static void ignore_call(void *context, uint64_t now_ns, uint32_t events)
{
    (void)context;
    (void)now_ns;
    (void)events;
}

static void timers_come_though_a_descriptor_is_always_ready(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 3;
    watch(scene, scene->wakeups[0], EPOLLIN, ignore_call);
    loop_wakeup_send(scene->wakeups[0]);
    loop_every(scene->loop, NS_PER_MS, count_tick, scene);

    loop_run(scene->loop);

    assert_int_equal(scene->ticks, 3);
}

static void stop_ends_the_loop_before_the_next_callback(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 1;
    for (size_t i = 0; i < WAKEUPS; i++) {
        watch(scene, scene->wakeups[i], EPOLLIN, count_call);
        loop_wakeup_send(scene->wakeups[i]);
    }

    loop_run(scene->loop);

    assert_int_equal(scene->calls, 1);
}

static void a_stop_before_the_run_counts_once(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 1;
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);
    loop_wakeup_send(scene->wakeups[0]);

    loop_stop(scene->loop);
    loop_run(scene->loop);
    assert_int_equal(scene->calls, 0);

    loop_run(scene->loop);
    assert_int_equal(scene->calls, 1);
}

static void *send_wakeup(void *context)
{
    struct scene *scene = context;
    loop_wakeup_send(scene->wakeups[0]);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    struct scene *scene = *state;
    scene->stop_after = 1;
    watch(scene, scene->wakeups[0], EPOLLIN, count_call);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_wakeup, scene), 0);

    loop_run(scene->loop);

    pthread_join(thread, NULL);
    assert_int_equal(scene->calls, 1);
}

static void many_wakeups_are_one_and_clearing_none_is_fine(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 1000; i++)
        loop_wakeup_send(scene->wakeups[0]);

    loop_wakeup_clear(scene->wakeups[0]);
    loop_wakeup_clear(scene->wakeups[0]);

    watch(scene, scene->wakeups[0], EPOLLIN, never_called);
    run_a_moment(scene);
}

static void take_signal(void *context, uint64_t now_ns, uint32_t events)
{
    struct scene *scene = context;
    count_call(context, now_ns, events);
    assert_int_equal(loop_next_signal(scene->signals), SIGUSR1);
    assert_int_equal(loop_next_signal(scene->signals), 0);
    loop_stop(scene->loop);
}

static void a_signal_arrives_as_an_event(void **state)
{
    struct scene *scene = *state;
    struct error error = {0};
    const int signals[] = {SIGUSR1, SIGUSR2};
    scene->signals = loop_signals(signals, COUNT(signals), &error);
    assert_true(scene->signals >= 0);
    assert_int_equal(loop_next_signal(scene->signals), 0);
    watch(scene, scene->signals, EPOLLIN, take_signal);

    raise(SIGUSR1);
    loop_run(scene->loop);

    assert_int_equal(scene->calls, 1);
    loop_unwatch(scene->loop, scene->signals);
    close(scene->signals);
}

static void destroying_nothing_is_welcome(void **state)
{
    (void)state;
    loop_destroy(NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_scene, free_scene)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_ready_descriptor_is_called_with_one_now),
        TEST(a_descriptor_is_called_until_it_is_read),
        TEST(a_descriptor_that_is_not_ready_is_not_called),
        TEST(unwatching_takes_back_events_that_wait_in_the_same_batch),
        TEST(an_event_of_a_closed_descriptor_is_not_given_to_its_successor),
        TEST(changing_the_events_takes_back_those_that_wait_in_the_same_batch),
        TEST(unwatching_twice_or_what_was_never_watched_is_harmless),
        TEST(a_descriptor_can_be_watched_again),
        TEST(what_cannot_be_watched_is_an_error),
        TEST(many_descriptors_are_watched_at_once),
        TEST(a_timer_never_comes_early),
        TEST(ticks_that_were_missed_are_not_made_up),
        TEST(a_timer_can_be_added_by_a_timer),
        TEST(timers_come_though_a_descriptor_is_always_ready),
        TEST(stop_ends_the_loop_before_the_next_callback),
        TEST(a_stop_before_the_run_counts_once),
        TEST(another_thread_wakes_the_loop),
        TEST(many_wakeups_are_one_and_clearing_none_is_fine),
        TEST(a_signal_arrives_as_an_event),
        cmocka_unit_test(destroying_nothing_is_welcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
