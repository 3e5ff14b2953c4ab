#include "proto/channel_keys.h"

#include "common/base/check.h"
#include "common/base/secret_file.h"
#include "tests/support/skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[32];
    char secret[64], open[64];
    struct key_pair pair;
};

static int keys_made(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct error error = {0};
    CHECK(fixture != NULL);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/clobber-keys-XXXXXX");
    CHECK(mkdtemp(fixture->folder) != NULL);
    CHECK(rmdir(fixture->folder) == 0); /* made again, as a missing one is */
    snprintf(fixture->secret, sizeof fixture->secret, "%s/eu-1.key", fixture->folder);
    snprintf(fixture->open, sizeof fixture->open, "%s/eu-1.pub", fixture->folder);
    CHECK(channel_keys_make(fixture->folder, "eu-1", &fixture->pair, &error));
    *state = fixture;
    return 0;
}

static int keys_removed(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->secret);
    unlink(fixture->open);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    return (unsigned)file.st_mode & 0777u;
}

static void new_keys_are_for_their_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mode_of(fixture->folder), 0700);
    assert_int_equal(mode_of(fixture->secret), 0600);
    assert_int_equal(mode_of(fixture->open), 0644);
}

static void new_keys_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct key_pair pair;
    char server[KEY_TEXT_BYTES];
    struct error error = {0};
    assert_true(channel_keys_own(fixture->secret, &pair, &error));
    assert_string_equal(pair.public_key, fixture->pair.public_key);
    assert_string_equal(pair.secret_key, fixture->pair.secret_key);
    assert_true(channel_keys_server(fixture->open, server, &error));
    assert_string_equal(server, pair.public_key);
    assert_true(channel_keys_server(pair.public_key, server, &error));
    assert_string_equal(server, pair.public_key);
    struct keyring *keyring = channel_keys_list(fixture->open, &error);
    assert_string_equal(keyring_find(keyring, pair.public_key, 0)->name, "eu-1");
    keyring_destroy(keyring);
}

static void keys_are_never_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct key_pair pair;
    struct error error = {0};

    assert_false(channel_keys_make(fixture->folder, "eu-1", &pair, &error));

    assert_non_null(strstr(error.message, "eu-1.key is there already"));
    assert_true(channel_keys_own(fixture->secret, &pair, &error));
    assert_string_equal(pair.secret_key, fixture->pair.secret_key);
}

static void half_a_pair_is_not_left_behind(void **state)
{
    struct fixture *fixture = *state;
    struct key_pair pair;
    struct error error = {0};
    assert_int_equal(unlink(fixture->secret), 0); /* the public half stays */

    assert_false(channel_keys_make(fixture->folder, "eu-1", &pair, &error));

    assert_non_null(strstr(error.message, "eu-1.pub is there already"));
    assert_int_equal(access(fixture->secret, F_OK), -1);
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        mode_t mode;
        const char *sentence; /* NULL: fine */
    } cases[] = {
        {0600, NULL},
        {0400, NULL},
        {0700, NULL},
        {0644, "can be read by others (mode 0644); type: chmod 600 "},
        {0640, "can be read by others (mode 0640)"},
        {0601, "can be read by others (mode 0601)"},
        {0620, "can be read by others (mode 0620)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct key_pair pair;
        struct error error = {0};
        assert_int_equal(chmod(fixture->secret, cases[i].mode), 0);
        bool read = channel_keys_own(fixture->secret, &pair, &error);
        assert_int_equal(read, cases[i].sentence == NULL);
        if (read)
            continue;
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_non_null(strstr(error.message, cases[i].sentence));
        assert_non_null(strstr(error.message, fixture->secret));
    }
}

static void a_list_that_others_can_change_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    assert_int_equal(chmod(fixture->open, 0664), 0);
    assert_null(channel_keys_list(fixture->open, &error));
    assert_non_null(strstr(error.message, "chmod go-w"));
}

static void a_secret_of_another_user_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct key_pair pair;
    struct error error = {0};
    if (geteuid() != 0)
        skip_for("only root can give a file away");
    assert_int_equal(chown(fixture->secret, 65534, 65534), 0);
    assert_false(channel_keys_own(fixture->secret, &pair, &error));
    assert_non_null(strstr(error.message, "belongs to user 65534, and this is user 0"));
}

static void what_is_no_file_or_too_large_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct key_pair pair;
    struct error error = {0};
    assert_false(channel_keys_own(fixture->folder, &pair, &error));
    assert_non_null(strstr(error.message, "is not a file"));
    assert_false(channel_keys_own("/nowhere/a.key", &pair, &error));
    assert_non_null(strstr(error.message, "cannot read /nowhere/a.key: No such file"));
    assert_int_equal(truncate(fixture->secret, KEY_FILE_BYTES_MAX), 0);
    assert_false(channel_keys_own(fixture->secret, &pair, &error));
    assert_non_null(strstr(error.message, "is larger than 4095 bytes"));
}

static void a_name_that_is_a_path_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct key_pair pair;
    struct error error = {0};
    assert_false(channel_keys_make(fixture->folder, "../eu-2", &pair, &error));
    assert_non_null(strstr(error.message, "'../eu-2' is no name of a key"));
}

int main(void)
{
#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, keys_made, keys_removed)
    const struct CMUnitTest tests[] = {
        WITH_KEYS(new_keys_are_for_their_owner_alone),
        WITH_KEYS(new_keys_read_back),
        WITH_KEYS(keys_are_never_overwritten),
        WITH_KEYS(half_a_pair_is_not_left_behind),
        WITH_KEYS(a_secret_that_others_can_read_is_refused),
        WITH_KEYS(a_list_that_others_can_change_is_refused),
        WITH_KEYS(a_secret_of_another_user_is_refused),
        WITH_KEYS(what_is_no_file_or_too_large_is_refused),
        WITH_KEYS(a_name_that_is_a_path_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
