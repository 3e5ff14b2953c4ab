#include "proto/sha256.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sha256_case {
    const char *name;
    const char *text;
    size_t repeats;
    const char *digest;
};

/* The first four are the examples of FIPS 180-4; those of 55, 56 and 64 bytes stand at the borders
 * of the padding, their digests from coreutils' sha256sum. */
static const struct sha256_case cases[] = {
    {"sha256_of_nothing", "", 1,
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"sha256_of_one_block", "abc", 1,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"sha256_of_two_blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"sha256_of_a_million", "a", 1000000,
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"sha256_of_the_largest_single_tail", "a", 55,
     "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
    {"sha256_of_the_smallest_double_tail", "a", 56,
     "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
    {"sha256_of_a_whole_block", "a", 64,
     "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
};

static void digest_is_as_published(void **state)
{
    const struct sha256_case *row = *state;
    size_t length = strlen(row->text);
    uint8_t *bytes = malloc(length * row->repeats + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < row->repeats; i++)
        memcpy(bytes + i * length, row->text, length);

    uint8_t digest[SHA256_BYTES];
    sha256(bytes, length * row->repeats, digest);

    free(bytes);
    char hex[2 * SHA256_BYTES + 1];
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(hex, row->digest);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(cases)];
    for (size_t i = 0; i < COUNT(cases); i++) {
        tests[i] = (struct CMUnitTest){.name = cases[i].name,
                                       .test_func = digest_is_as_published,
                                       .initial_state = (void *)(uintptr_t)&cases[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
