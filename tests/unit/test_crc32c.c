#include "proto/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void crc32c_gives_the_check_value_of_the_catalogue(void **state)
{
    (void)state;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
}

/* RFC 3720, B.4. */
static void crc32c_agrees_with_the_examples_of_iscsi(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x46dd794e);
}

static void crc32c_of_nothing_is_zero(void **state)
{
    (void)state;
    assert_int_equal(crc32c(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_check_value_of_the_catalogue),
        cmocka_unit_test(crc32c_agrees_with_the_examples_of_iscsi),
        cmocka_unit_test(crc32c_of_nothing_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
