#include "proto/key.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* A pair of ZeroMQ's own documentation (zmq_curve). */
#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static void z85_is_that_of_zeromq(void **state)
{
    (void)state;
    /* The example of RFC 32 is 8 bytes, "HelloWorld"; four of them make a key. */
    static const uint8_t hello[8] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
    uint8_t bytes[KEY_BYTES];
    char text[KEY_TEXT_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = hello[i % sizeof hello];
    assert_string_equal(key_text(bytes, text), "HelloWorldHelloWorldHelloWorldHelloWorld");
    memset(bytes, 0xFF, sizeof bytes);
    assert_string_equal(key_text(bytes, text), "%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0");
    memset(bytes, 0, sizeof bytes);
    assert_string_equal(key_text(bytes, text), "0000000000000000000000000000000000000000");
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fine;
    } cases[] = {
        {PUBLIC, true},
        {"%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0", true},
        {"%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc1", false}, /* one more than 32 bits hold */
        {"#####%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0", false},
        {"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI", false},   /* 39 */
        {"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hIDD", false}, /* 41 */
        {"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h D", false},
        {"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h\"D", false},
        {"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h\xFF"
         "D",
         false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char key[KEY_TEXT_BYTES] = "before";
        assert_int_equal(key_read(cases[i].text, strlen(cases[i].text), key), cases[i].fine);
        assert_string_equal(key, cases[i].fine ? cases[i].text : "before");
    }
}

static void a_key_has_no_zero_within(void **state)
{
    (void)state;
    char text[KEY_TEXT_BYTES] = PUBLIC, key[KEY_TEXT_BYTES];
    text[7] = '\0';
    assert_false(key_read(text, KEY_TEXT_BYTES - 1, key));
}

static void the_files_of_a_pair_read_back(void **state)
{
    (void)state;
    static const struct key_pair pair = {.public_key = PUBLIC, .secret_key = SECRET};
    struct key_pair read;
    char text[KEY_FILE_BYTES_MAX], key[KEY_TEXT_BYTES];
    struct error error = {0};

    key_secret_file(&pair, "eu-1", text);
    assert_true(key_read_secret_file(text, strlen(text), "eu-1.key", &read, &error));
    assert_string_equal(read.public_key, PUBLIC);
    assert_string_equal(read.secret_key, SECRET);

    key_public_file(&pair, "eu-1", text);
    assert_non_null(strstr(text, "\neu-1 " PUBLIC "\n"));
    assert_null(strstr(text, SECRET));
    assert_true(key_read_public_file(text, strlen(text), "eu-1.pub", key, &error));
    assert_string_equal(key, PUBLIC);
}

struct file_case {
    const char *text;
    const char *sentence; /* NULL: fine */
    uint32_t line, column;
};

static const struct file_case secret_cases[] = {
    {"secret " SECRET "\npublic " PUBLIC "\n", NULL, 0, 0},
    {"public " PUBLIC "\nsecret " SECRET, NULL, 0, 0},
    {"\r\n# x\r\n  secret\t" SECRET "\r\npublic " PUBLIC "\r\n", NULL, 0, 0},
    {"", "does not hold a secret key", 0, 0},
    {"# only\n", "does not hold a secret key", 0, 0},
    {"public " PUBLIC "\n", "does not hold a secret key", 0, 0},
    {"secret " SECRET "\n", "does not hold a secret key", 0, 0},
    {"secret " SECRET "\nsecret " SECRET "\n", "was given in a line before", 2, 1},
    {"\nsecret abc\n", "this is no key", 2, 8},
    {"secret\n", "nothing else", 1, 1},
    {" secret " SECRET " more\n", "nothing else", 1, 2},
    {SECRET "\n", "nothing else", 1, 1},
    {"eu-1 " PUBLIC "\n", "nothing else", 1, 1},
};

static void a_secret_file_is_judged_and_never_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(secret_cases); i++) {
        const struct file_case *row = &secret_cases[i];
        struct key_pair pair = {.public_key = "before"};
        struct error error = {0};
        bool read = key_read_secret_file(row->text, strlen(row->text), "a.key", &pair, &error);
        assert_int_equal(read, row->sentence == NULL);
        if (read)
            continue;
        assert_string_equal(pair.public_key, "before");
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_string_equal(error.place.path, "a.key");
        assert_int_equal(error.place.line, row->line);
        assert_int_equal(error.place.column, row->column);
        assert_non_null(strstr(error.message, row->sentence));
        assert_null(strstr(error.message, SECRET));
    }
}

static void a_public_file_holds_one_key(void **state)
{
    (void)state;
    static const struct file_case cases[] = {
        {"# a\neu-1 " PUBLIC "\n", NULL, 0, 0},
        {"#-1 " PUBLIC "\neu-1 " PUBLIC, NULL, 0, 0},
        {"", "holds no key", 0, 0},
        {"eu-1\n", "expected 'NAME KEY'", 1, 1},
        {PUBLIC "\n", "expected 'NAME KEY'", 1, 1},
        {"eu-1 x\n", "no key", 1, 6},
        {"a " PUBLIC "\nb " PUBLIC "\n", "a second key", 2, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char key[KEY_TEXT_BYTES] = "before";
        struct error error = {0};
        bool read = key_read_public_file(cases[i].text, strlen(cases[i].text), "p", key, &error);
        assert_int_equal(read, cases[i].sentence == NULL);
        assert_string_equal(key, read ? PUBLIC : "before");
        if (read)
            continue;
        assert_int_equal(error.place.line, cases[i].line);
        assert_int_equal(error.place.column, cases[i].column);
        assert_non_null(strstr(error.message, cases[i].sentence));
    }
}

static void a_name_is_one_of_a_file_too(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool fine;
    } cases[] = {
        {"eu-1", true},      {"a", true},    {"A.b_c-9", true}, {"agent-0.agents.default", true},
        {"", false},         {".", false},   {"..", false},     {".ssh", false},
        {"-rf", false},      {"a/b", false}, {"a b", false},    {"a\x1b", false},
        {"\xC3\xA9", false}, {"a:b", false}, {"#a", false},
    };
    char longest[KEY_NAME_BYTES_MAX + 2];
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(key_name_is_fine(cases[i].name, strlen(cases[i].name)), cases[i].fine);
    memset(longest, 'a', sizeof longest);
    assert_true(key_name_is_fine(longest, KEY_NAME_BYTES_MAX));
    assert_false(key_name_is_fine(longest, KEY_NAME_BYTES_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(z85_is_that_of_zeromq),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_key_has_no_zero_within),
        cmocka_unit_test(the_files_of_a_pair_read_back),
        cmocka_unit_test(a_secret_file_is_judged_and_never_shown),
        cmocka_unit_test(a_public_file_holds_one_key),
        cmocka_unit_test(a_name_is_one_of_a_file_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
