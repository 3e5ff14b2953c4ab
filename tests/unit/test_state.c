#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/state.h"
#include "coordinator/store.h"
#include "tests/support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A state of two messages. */
static struct state_bytes make_state(void)
{
    struct state_bytes state = {0};
    struct message message = {.type = MESSAGE_BYE, .seq = 1};
    state_begin(&state, &(struct state_head){.boot = "here", .run_id = {5}, .saved_ns = 6});
    state_add(&state, 70, &message);
    message.seq = 2;
    state_add(&state, 80, &message);
    assert_false(state.failed);
    return state;
}

struct taken {
    uint32_t count;
    uint64_t moments[4], seqs[4];
};

static bool take(void *context, uint64_t moment_ns, const struct message *message,
                 struct error *error)
{
    struct taken *taken = context;
    (void)error;
    assert_true(taken->count < 4);
    taken->moments[taken->count] = moment_ns;
    taken->seqs[taken->count++] = message->seq;
    return true;
}

static void a_state_is_read_back_in_its_order(void **state)
{
    (void)state;
    struct state_bytes bytes = make_state();
    struct state_head head;
    struct taken taken = {0};
    struct error error = {0};

    assert_true(state_read_head(bytes.bytes, bytes.count, &head, &error));
    assert_true(state_read(bytes.bytes, bytes.count, take, &taken, &error));

    assert_string_equal(head.boot, "here");
    assert_int_equal(head.run_id[0], 5);
    assert_int_equal(head.saved_ns, 6);
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.moments[1], 80);
    assert_int_equal(taken.seqs[1], 2);
    state_bytes_done(&bytes);
}

static void a_state_that_breaks_off_holds_what_is_whole(void **state)
{
    (void)state;
    struct state_bytes bytes = make_state();
    struct guard guard = guard_open(bytes.count);
    uint32_t counts[3] = {0};

    for (size_t count = 0; count <= bytes.count; count++) {
        struct state_head head;
        struct taken taken = {0};
        struct error error = {0};
        const uint8_t *cut = guard_copy(&guard, bytes.bytes, count);
        if (!state_read_head(cut, count, &head, &error))
            continue;
        assert_true(state_read(cut, count, take, &taken, &error));
        assert_true(taken.count <= 2);
        counts[taken.count]++;
    }

    assert_true(counts[0] > 0);
    assert_true(counts[1] > 0);
    assert_int_equal(counts[2], 1);
    guard_close(&guard);
    state_bytes_done(&bytes);
}

static void a_damaged_message_and_all_behind_it_are_not_believed(void **state)
{
    (void)state;
    struct state_bytes bytes = make_state();
    struct state_head head;
    struct taken taken = {0};
    struct error error = {0};

    bytes.bytes[bytes.count / 2 + 20] ^= 1;

    assert_true(state_read_head(bytes.bytes, bytes.count, &head, &error));
    state_read(bytes.bytes, bytes.count, take, &taken, &error);
    assert_true(taken.count < 2);
    state_bytes_done(&bytes);
}

static void a_damaged_head_is_refused(void **state)
{
    (void)state;
    struct state_bytes bytes = make_state();
    struct state_head head;

    for (size_t i = 0; i < 8 + sizeof head; i++) {
        struct error error = {0};
        bytes.bytes[i] ^= 1;
        assert_false(state_read_head(bytes.bytes, bytes.count, &head, &error));
        assert_int_equal(error.kind, ERROR_PROTOCOL);
        bytes.bytes[i] ^= 1;
    }

    state_bytes_done(&bytes);
}

/* The files. */

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/clobber-test-XXXXXX");
    *state = folder;
    return folder != NULL && mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[128];
    snprintf(path, sizeof path, "%s/epoch", (char *)*state);
    unlink(path);
    rmdir(*state);
    free(*state);
    return 0;
}

static struct store *open_store(const char *folder)
{
    struct error error = {0};
    struct store *store = store_open(folder, &error);
    if (store == NULL)
        fail_msg("%s", error.message);
    return store;
}

static void the_epoch_grows_with_every_start(void **state)
{
    for (uint64_t start = 1; start <= 3; start++) {
        struct error error = {0};
        uint64_t epoch = 0;
        struct store *store = open_store(*state);
        assert_true(store_next_epoch(store, &epoch, &error));
        assert_int_equal(epoch, start);
        store_close(store, false);
    }
}

static void an_epoch_that_cannot_be_read_is_no_first_one(void **state)
{
    char path[128];
    snprintf(path, sizeof path, "%s/epoch", (char *)*state);
    static const char *const texts[] = {"", "x\n", "0\n", "-1\n", "99999999999999999999\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error error = {0};
        uint64_t epoch = 0;
        FILE *stream = fopen(path, "we");
        assert_non_null(stream);
        fputs(texts[i], stream);
        fclose(stream);
        struct store *store = open_store(*state);
        assert_false(store_next_epoch(store, &epoch, &error));
        assert_non_null(strstr(error.message, "says no epoch"));
        store_close(store, false);
    }
}

static void a_run_is_one_coordinators(void **state)
{
    struct error error = {0};
    struct store *first = open_store(*state);

    assert_null(store_open(*state, &error));
    assert_int_equal(error.kind, ERROR_USAGE);
    store_close(first, false);

    store_close(open_store(*state), false);
}

static void a_folder_without_a_state_is_not_taken_up(void **state)
{
    struct error error = {0};
    struct store_past past;
    struct store *store = open_store(*state);

    assert_false(store_read(store, &past, &error));

    assert_non_null(strstr(error.message, "agents.state"));
    store_close(store, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_read_back_in_its_order),
        cmocka_unit_test(a_state_that_breaks_off_holds_what_is_whole),
        cmocka_unit_test(a_damaged_message_and_all_behind_it_are_not_believed),
        cmocka_unit_test(a_damaged_head_is_refused),
        TEST(the_epoch_grows_with_every_start),
        TEST(an_epoch_that_cannot_be_read_is_no_first_one),
        TEST(a_run_is_one_coordinators),
        TEST(a_folder_without_a_state_is_not_taken_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
