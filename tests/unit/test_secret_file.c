#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/secret_file.h"
#include "tests/support/skip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY 65532u /* neither root nor anybody of this machine */

struct owner_case {
    const char *name;
    uid_t owner; /* whose file; it is always of our group */
    mode_t mode;
    bool taken;
};

/* Read by SOMEBODY, whose group is SOMEBODY too. */
static const struct owner_case owner_cases[] = {
    {"our_own_file_is_taken", SOMEBODY, 0600, true},
    {"our_own_file_that_a_group_can_read_is_refused", SOMEBODY, 0640, false},
    {"a_file_that_root_gave_our_group_to_read_is_taken", 0, 0440, true},
    {"a_file_of_root_that_its_group_can_write_is_refused", 0, 0460, false},
    {"a_file_of_root_that_all_can_read_is_refused", 0, 0444, false},
    {"a_file_of_somebody_else_is_refused", SOMEBODY - 1, 0440, false},
};

static void is_judged_by_owner_and_mode(void **state)
{
    const struct owner_case *row = *state;
    if (geteuid() != 0)
        skip_for("only root can give a file away");
    char path[] = "/tmp/clobber-secret-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "secret", 6), 6);
    assert_int_equal(fchown(descriptor, row->owner, SOMEBODY), 0);
    assert_int_equal(fchmod(descriptor, row->mode), 0);
    close(descriptor);
    char text[16];
    size_t length = 0;
    struct error error = {0};

    assert_int_equal(setegid(SOMEBODY), 0);
    assert_int_equal(seteuid(SOMEBODY), 0);
    bool taken = secret_file_read(path, SECRET_READ, text, sizeof text, &length, &error);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);

    unlink(path);
    assert_int_equal(taken, row->taken);
    assert_int_equal(length, row->taken ? 6 : 0);
    assert_int_equal(error.kind, row->taken ? ERROR_NONE : ERROR_USAGE);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(owner_cases)];
    for (size_t i = 0; i < COUNT(owner_cases); i++)
        tests[i] = (struct CMUnitTest){.name = owner_cases[i].name,
                                       .test_func = is_judged_by_owner_and_mode,
                                       .initial_state = (void *)(uintptr_t)&owner_cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
