/* Any bytes as a file of keys, secret or public: no read past the end, what is read reads back, and
 * a sentence about a secret file shows nothing of it. */
#include "common/base/check.h"
#include "proto/key.h"

#include <string.h>

static void read_secret(const char *text, size_t count)
{
    struct key_pair pair = {0}, again;
    struct error error = {0};
    char file[KEY_FILE_BYTES_MAX];
    if (!key_read_secret_file(text, count, "a.key", &pair, &error)) {
        CHECK(error.kind == ERROR_USAGE);
        for (size_t i = 0; i + 40 <= count; i++) {
            char key[KEY_TEXT_BYTES];
            CHECK(!key_read(text + i, 40, key) || strstr(error.message, key) == NULL);
        }
        return;
    }
    key_secret_file(&pair, "a", file);
    CHECK(key_read_secret_file(file, strlen(file), "a.key", &again, &error));
    CHECK(memcmp(&pair, &again, sizeof pair) == 0);
}

static void read_public(const char *text, size_t count)
{
    struct key_pair pair = {0};
    struct error error = {0};
    char file[KEY_FILE_BYTES_MAX], again[KEY_TEXT_BYTES];
    if (!key_read_public_file(text, count, "a.pub", pair.public_key, &error)) {
        CHECK(error.kind == ERROR_USAGE);
        return;
    }
    key_public_file(&pair, "a", file);
    CHECK(key_read_public_file(file, strlen(file), "a.pub", again, &error));
    CHECK(strcmp(again, pair.public_key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count >= KEY_FILE_BYTES_MAX) /* such files are not read */
        return 0;
    read_secret((const char *)bytes, count);
    read_public((const char *)bytes, count);
    return 0;
}
