#include "common/base/base64.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The test vectors of RFC 4648, and all bits. */
static const struct {
    const char *bytes, *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xff\xff\xfe", "///+"}};

static void the_vectors_of_the_standard_come_out(void **state)
{
    (void)state;
    char text[32];
    for (size_t i = 0; i < COUNT(vectors); i++) {
        size_t count = strlen(vectors[i].bytes);
        assert_string_equal(base64_encode(vectors[i].bytes, count, text), vectors[i].text);
        assert_int_equal(strlen(text) + 1, BASE64_BYTES(count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_vectors_of_the_standard_come_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
