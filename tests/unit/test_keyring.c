#include "proto/keyring.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ONE   "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define TWO   "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define THREE "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define NOW_S UINT64_C(1800000000) /* 2027-01-15 08:00:00 UTC */

static struct keyring *read_text(const char *text, struct error *error)
{
    return keyring_read(text, strlen(text), "keys", error);
}

static struct keyring *read_fine(const char *text)
{
    struct error error = {0};
    struct keyring *keyring = read_text(text, &error);
    if (keyring == NULL)
        fail_msg("%s", error.message);
    return keyring;
}

static void a_key_is_found_by_itself_and_has_its_name(void **state)
{
    (void)state;
    struct keyring *keyring = read_fine("# the fleet\n\neu-1 " ONE "\neu-2 " TWO "\r\n");

    assert_int_equal(keyring_count(keyring), 2);
    assert_string_equal(keyring_find(keyring, ONE, NOW_S)->name, "eu-1");
    assert_string_equal(keyring_find(keyring, TWO, NOW_S)->name, "eu-2");
    assert_null(keyring_find(keyring, THREE, NOW_S));
    keyring_destroy(keyring);
}

static void a_name_may_have_several_keys(void **state)
{
    (void)state;
    struct keyring *keyring = read_fine("eu-1 " ONE " until 2027-01-31\neu-1 " TWO "\n");
    assert_string_equal(keyring_find(keyring, ONE, NOW_S)->name, "eu-1");
    assert_string_equal(keyring_find(keyring, TWO, NOW_S)->name, "eu-1");
    keyring_destroy(keyring);
}

static void a_key_ends_with_its_date(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        uint64_t until_s; /* as date -u -d DATE +%s says of the first second beyond */
    } cases[] = {
        {"2027-01-15", 1800057600},
        {"2027-01-15T08:00:00Z", 1800000000},
        {"2027-01-15T23:59:59Z", 1800057599},
        {"1970-01-01", 86400},
        {"2000-02-29", 951868800},
        {"2028-02-29", 1835481600},
        {"2100-02-28", 4107542400},
        {"9999-12-31", 253402300800},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "a %s until %s\n", ONE, cases[i].date);
        struct keyring *keyring = read_fine(text);
        assert_non_null(keyring_find(keyring, ONE, cases[i].until_s - 1));
        assert_null(keyring_find(keyring, ONE, cases[i].until_s));
        keyring_destroy(keyring);
    }
}

/* The days of a leap year, of a century and of one in 400, against the C library. */
static void every_day_is_counted(void **state)
{
    (void)state;
    for (time_t day = 0; day < 150 * 366; day++) {
        struct tm date;
        time_t begin = day * 86400;
        char text[256];
        assert_non_null(gmtime_r(&begin, &date));
        snprintf(text, sizeof text, "a %s until %04d-%02d-%02d\n", ONE, date.tm_year + 1900,
                 date.tm_mon + 1, date.tm_mday);
        struct keyring *keyring = read_fine(text);
        assert_int_equal(keyring_find(keyring, ONE, 0)->until_s, (uint64_t)begin + 86400);
        keyring_destroy(keyring);
    }
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
        uint32_t line, column;
    } cases[] = {
        {"", "lists no key", 0, 0},
        {"# nobody\n", "lists no key", 0, 0},
        {"eu-1\n", "expected NAME KEY [until DATE]", 1, 1},
        {"eu-1 " ONE "\n  /etc " TWO "\n", "'/etc' is no name", 2, 3},
        {"eu-1 abc\n", "'abc' is no key", 1, 6},
        {"eu-1 \x1b[2J\n", "'\\x1B[2J' is no key", 1, 6},
        {"eu-1 " ONE " until\n", "expected NAME KEY [until DATE]", 1, 1},
        {"eu-1 " ONE " for 2027-01-31\n", "'for' cannot stand here", 1, 47},
        {"eu-1 " ONE " until 2027-01-31 x\n", "expected NAME KEY [until DATE]", 1, 1},
        {"eu-1 " ONE " until soon\n", "'soon' is no date", 1, 53},
        {"eu-1 " ONE " until 2027-02-29\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2100-02-29\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-13-01\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-00-01\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-01-00\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 1969-12-31\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-01-31T24:00:00Z\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-01-31T12:60:00Z\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-01-31T12:00:60Z\n", "is no date", 1, 53},
        {"eu-1 " ONE " until 2027-01-31T12:00:00+\n", "is no date", 1, 53},
        {"a " ONE "\nb " TWO "\nc " ONE "\n", "stands in line 1 too", 3, 1},
        {"a " ONE "\na " ONE "\n", "stands in line 1 too", 2, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        assert_null(read_text(cases[i].text, &error));
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_string_equal(error.place.path, "keys");
        if (strstr(error.message, cases[i].sentence) == NULL)
            fail_msg("'%s' does not say '%s'", error.message, cases[i].sentence);
        assert_int_equal(error.place.line, cases[i].line);
        assert_int_equal(error.place.column, cases[i].column);
    }
}

static void one_key_more_leaves_the_others(void **state)
{
    (void)state;
    struct error error = {0};
    struct keyring *keyring = read_fine("a " TWO "\nb " ONE " until 2027-01-01\n");
    struct keyring *larger =
        keyring_with(keyring, &(struct keyring_entry){.key = THREE, .name = "c"}, &error);

    assert_int_equal(keyring_count(larger), 3);
    assert_string_equal(keyring_find(larger, THREE, NOW_S)->name, "c");
    assert_string_equal(keyring_find(larger, TWO, NOW_S)->name, "a");
    assert_null(keyring_find(larger, ONE, NOW_S));
    assert_null(keyring_find(keyring, THREE, NOW_S));
    keyring_destroy(keyring);
    keyring_destroy(larger);
}

/* A key that counts, as z85: five digits of `number` and nothing else. */
static void put_line(char *text, uint32_t number)
{
    uint8_t bytes[KEY_BYTES] = {0};
    char key[KEY_TEXT_BYTES];
    memcpy(bytes, &number, sizeof number);
    sprintf(text, "a%u %s\n", number, key_text(bytes, key));
}

static void as_many_keys_as_there_may_be_are_read_and_no_more(void **state)
{
    (void)state;
    char *text = calloc(KEYRING_KEYS_MAX + 1, 64);
    assert_non_null(text);
    size_t length = 0, before_last = 0;
    for (uint32_t i = 0; i <= KEYRING_KEYS_MAX; i++) {
        before_last = length;
        put_line(text + length, i);
        length += strlen(text + length);
    }
    struct error error = {0};
    assert_null(keyring_read(text, length, "keys", &error));
    assert_int_equal(error.place.line, KEYRING_KEYS_MAX + 1);
    assert_non_null(strstr(error.message, "more than 16384 keys"));
    struct keyring *keyring = keyring_read(text, before_last, "keys", &error);
    assert_int_equal(keyring_count(keyring), KEYRING_KEYS_MAX);
    keyring_destroy(keyring);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_by_itself_and_has_its_name),
        cmocka_unit_test(a_name_may_have_several_keys),
        cmocka_unit_test(a_key_ends_with_its_date),
        cmocka_unit_test(every_day_is_counted),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(one_key_more_leaves_the_others),
        cmocka_unit_test(as_many_keys_as_there_may_be_are_read_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
