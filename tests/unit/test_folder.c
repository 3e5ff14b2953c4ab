#include "coordinator/folder.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WALL_NS UINT64_C(1767348900000000000) /* 2026-01-02T10:15:00Z */

/* Each test stands in a new empty folder of its own. */
static int stand_in_a_new_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/clobber-unit-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    return chdir(folder);
}

static int leave_it(void **state)
{
    (void)state;
    char here[256];
    char command[300];
    CHECK(getcwd(here, sizeof here) != NULL);
    CHECK(strncmp(here, "/tmp/clobber-unit-", 18) == 0);
    snprintf(command, sizeof command, "rm -rf %s", here);
    return chdir("/") != 0 || system(command) != 0;
}

static bool write_text(const void *subject, FILE *stream, struct error *error)
{
    (void)error;
    return fputs(subject, stream) != EOF;
}

static bool write_then_fail(const void *subject, FILE *stream, struct error *error)
{
    fputs(subject, stream);
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no");
}

static void assert_holds(const char *path, const char *wanted)
{
    char text[64] = "";
    FILE *stream = fopen(path, "re");
    assert_non_null(stream);
    size_t length = fread(text, 1, sizeof text - 1, stream);
    text[length] = '\0';
    fclose(stream);
    assert_string_equal(text, wanted);
}

static void folders_are_named_by_plan_and_time_and_never_shared(void **state)
{
    (void)state;
    char path[FOLDER_PATH_BYTES];

    assert_true(folder_create(NULL, "check out/../x", WALL_NS, path, NULL));
    assert_string_equal(path, "runs/check-out-..-x-20260102-101500");

    assert_true(folder_create(NULL, "check out/../x", WALL_NS, path, NULL));
    assert_string_equal(path, "runs/check-out-..-x-20260102-101500-2");
}

static void a_folder_asked_for_is_made_with_those_above_it(void **state)
{
    (void)state;
    char path[FOLDER_PATH_BYTES];

    assert_true(folder_create("a/b/c", "n", WALL_NS, path, NULL));

    assert_string_equal(path, "a/b/c");
    assert_int_equal(access("a/b/c", W_OK), 0);
}

static void a_folder_that_holds_a_run_is_refused(void **state)
{
    (void)state;
    char path[FOLDER_PATH_BYTES];
    struct error error = {0};
    assert_true(folder_create("a", "n", WALL_NS, path, NULL));
    assert_true(folder_replace("a", "run.jsonl", write_text, "{}\n", NULL));

    assert_false(folder_create("a", "n", WALL_NS, path, &error));

    assert_int_equal(error.kind, ERROR_USAGE);
    assert_string_equal(error.message, "a holds a run already; give a folder that does not");
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    struct error error = {0};
    assert_true(folder_replace(".", "f", write_text, "first", NULL));
    assert_true(folder_replace(".", "f", write_text, "second", NULL));

    assert_false(folder_replace(".", "f", write_then_fail, "torn", &error));

    assert_holds("f", "second");
    assert_int_equal(access("f.part", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_are_named_by_plan_and_time_and_never_shared,
                                        stand_in_a_new_folder, leave_it),
        cmocka_unit_test_setup_teardown(a_folder_asked_for_is_made_with_those_above_it,
                                        stand_in_a_new_folder, leave_it),
        cmocka_unit_test_setup_teardown(a_folder_that_holds_a_run_is_refused, stand_in_a_new_folder,
                                        leave_it),
        cmocka_unit_test_setup_teardown(a_file_is_replaced_whole_or_not_at_all,
                                        stand_in_a_new_folder, leave_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
