#include "coordinator/folder.h"

#include "common/base/check.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* Whether `file` is the only one whose name begins so. */
static bool nothing_beside(const char *file)
{
    glob_t found;
    char pattern[64];
    snprintf(pattern, sizeof pattern, "%s*", file);
    CHECK(glob(pattern, 0, NULL, &found) == 0);
    size_t count = found.gl_pathc;
    globfree(&found);
    return count == 1;
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
    assert_true(nothing_beside("f"));
}

static void what_a_killed_run_left_beside_a_file_is_in_nobodys_way(void **state)
{
    (void)state;
    assert_true(folder_replace(".", "f.part", write_text, "half", NULL));

    assert_true(folder_replace(".", "f", write_text, "whole", NULL));

    assert_holds("f", "whole");
}

static void a_pipe_is_written_to_and_stays_a_pipe(void **state)
{
    (void)state;
    char text[8] = "";
    struct stat status;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    int reader = open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);

    assert_true(folder_put("pipe", write_text, "told", NULL));

    assert_int_equal(read(reader, text, sizeof text), 4);
    assert_string_equal(text, "told");
    close(reader);
    assert_int_equal(stat("pipe", &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    assert_true(nothing_beside("pipe"));
}

static void a_path_of_nothing_is_no_folder(void **state)
{
    (void)state;
    char path[FOLDER_PATH_BYTES];
    struct error error = {0};

    assert_false(folder_create("", "n", WALL_NS, path, &error));

    assert_int_equal(error.kind, ERROR_USAGE);
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
        cmocka_unit_test_setup_teardown(what_a_killed_run_left_beside_a_file_is_in_nobodys_way,
                                        stand_in_a_new_folder, leave_it),
        cmocka_unit_test_setup_teardown(a_pipe_is_written_to_and_stays_a_pipe,
                                        stand_in_a_new_folder, leave_it),
        cmocka_unit_test_setup_teardown(a_path_of_nothing_is_no_folder, stand_in_a_new_folder,
                                        leave_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
