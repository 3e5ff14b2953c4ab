#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/recorder.h"
#include "common/base/units.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct recording_shape shape = {.lanes = 1, .phases = 1, .requests = 1};
static const struct recording_owner dead = {.run_id = {7}, .incarnation = {1}};
static const struct recording_owner alive = {.run_id = {7}, .incarnation = {2}};

static struct recorder *open_in(const char *folder)
{
    struct error error = {0};
    struct recorder *recorder = recorder_open(folder, "agent 1/2", &error);
    if (recorder == NULL)
        fail_msg("%s", error.message);
    return recorder;
}

static struct recording *begin(struct recorder *recorder, const struct recording_owner *owner)
{
    struct error error = {0};
    struct recording *recording = recorder_begin(recorder, &shape, owner, &error);
    if (recording == NULL)
        fail_msg("%s", error.message);
    return recording;
}

/* An incarnation that started a request and was killed. */
static void live_and_die(const char *folder, const struct recording_owner *owner)
{
    struct recorder *recorder = open_in(folder);
    struct meters *meters =
        meters_create_at(recording_lane(begin(recorder, owner), 0), 1, 1, false);
    meters->phases[0].t_from = 5;
    meters->phases[0].counters.planned = meters->phases[0].counters.started = 1;
    meters_destroy(meters);
    recorder_close(recorder);
}

/* The name of the only file in `folder`; "": it is empty. */
static void only_file(const char *folder, char *path, size_t path_bytes)
{
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    path[0] = '\0';
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        assert_string_equal(path, "");
        snprintf(path, path_bytes, "%s/%s", folder, entry->d_name);
    }
    closedir(stream);
}

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/clobber-test-XXXXXX");
    *state = folder;
    return folder != NULL && mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[512];
    only_file(*state, path, sizeof path);
    if (path[0] != '\0' && unlink(path) != 0)
        rmdir(path);
    rmdir(*state);
    free(*state);
    return 0;
}

static struct message refusal(void)
{
    struct message message = {.type = MESSAGE_REFUSE, .epoch = 1};
    memcpy(message.run_id, dead.run_id, ID_BYTES);
    return message;
}

static void what_a_killed_agent_did_is_delivered_and_then_forgotten(void **state)
{
    live_and_die(*state, &dead);
    struct recorder *recorder = open_in(*state);
    struct message message = refusal();
    char path[512];

    assert_int_equal(recorder_orphans(recorder), 1);
    recorder_hear(recorder, &message);
    assert_true(recorder_say(recorder, NS_PER_S, &message));
    assert_int_equal(message.type, MESSAGE_FINAL);
    assert_memory_equal(message.incarnation, dead.incarnation, ID_BYTES);
    assert_int_equal(message.as.final.counters.started, 1);

    struct message ack = refusal();
    ack.type = MESSAGE_FINAL_ACK;
    memcpy(ack.incarnation, dead.incarnation, ID_BYTES);
    ack.as.final_ack = (struct final_ack){.seq = message.seq, .started = 1};
    recorder_hear(recorder, &ack);

    assert_false(recorder_say(recorder, 9 * NS_PER_S, &message));
    only_file(*state, path, sizeof path);
    assert_string_equal(path, "");
    recorder_close(recorder);
}

static void the_recording_of_one_who_lives_is_nobody_elses(void **state)
{
    struct recorder *living = open_in(*state);
    begin(living, &alive);
    struct recorder *other = open_in(*state);
    struct message message = refusal();

    assert_int_equal(recorder_orphans(other), 0);
    recorder_hear(other, &message);
    assert_false(recorder_say(other, NS_PER_S, &message));

    recorder_close(other);
    recorder_end(living, true);
    recorder_close(living);
}

static void an_incarnation_that_was_not_heard_is_the_next_ones_orphan(void **state)
{
    struct recorder *recorder = open_in(*state);
    begin(recorder, &dead);

    recorder_end(recorder, false);

    assert_int_equal(recorder_orphans(recorder), 1);
    recorder_close(recorder);
}

static void one_that_was_heard_leaves_nothing(void **state)
{
    struct recorder *recorder = open_in(*state);
    char path[512];
    begin(recorder, &dead);

    recorder_end(recorder, true);

    only_file(*state, path, sizeof path);
    assert_string_equal(path, "");
    recorder_close(recorder);
}

static void a_recording_is_readable_by_its_owner_alone(void **state)
{
    char path[512];
    struct stat status;
    live_and_die(*state, &dead);
    only_file(*state, path, sizeof path);

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0640), 0);

    struct recorder *recorder = open_in(*state);
    assert_int_equal(recorder_orphans(recorder), 0);
    recorder_close(recorder);
}

static void a_recording_that_nobody_asked_for_in_a_week_goes(void **state)
{
    char path[512];
    live_and_die(*state, &dead);
    only_file(*state, path, sizeof path);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct timespec times[2] = {now, now};
    times[0].tv_sec = times[1].tv_sec = now.tv_sec - 8 * 24 * 3600;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    struct recorder *recorder = open_in(*state);

    assert_int_equal(recorder_orphans(recorder), 0);

    only_file(*state, path, sizeof path);
    assert_string_equal(path, "");
    recorder_close(recorder);
}

static void what_is_no_recording_is_nobodys_word(void **state)
{
    char path[512];
    live_and_die(*state, &dead);
    only_file(*state, path, sizeof path);
    assert_int_equal(truncate(path, 200), 0);
    struct recorder *recorder = open_in(*state);
    struct message message = refusal();

    recorder_orphans(recorder);
    recorder_hear(recorder, &message);

    assert_false(recorder_say(recorder, NS_PER_S, &message));
    recorder_close(recorder);
}

static void a_folder_that_others_can_write_in_is_refused(void **state)
{
    struct error error = {0};
    assert_int_equal(chmod(*state, 0777), 0);

    assert_null(recorder_open(*state, "a", &error));

    assert_int_equal(error.kind, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, "others can write"));
}

static void a_plan_too_large_for_it_is_refused_with_its_size(void **state)
{
    struct recorder *recorder = open_in(*state);
    struct error error = {0};
    struct recording_shape large = {
        .lanes = LANES_MAX, .phases = STAGES_MAX + 1, .requests = REQUEST_NAMES_MAX};

    assert_null(recorder_begin(recorder, &large, &dead, &error));

    assert_int_equal(error.kind, ERROR_LIMIT);
    recorder_close(recorder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_killed_agent_did_is_delivered_and_then_forgotten),
        TEST(the_recording_of_one_who_lives_is_nobody_elses),
        TEST(an_incarnation_that_was_not_heard_is_the_next_ones_orphan),
        TEST(one_that_was_heard_leaves_nothing),
        TEST(a_recording_is_readable_by_its_owner_alone),
        TEST(a_recording_that_nobody_asked_for_in_a_week_goes),
        TEST(what_is_no_recording_is_nobodys_word),
        TEST(a_folder_that_others_can_write_in_is_refused),
        TEST(a_plan_too_large_for_it_is_refused_with_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
