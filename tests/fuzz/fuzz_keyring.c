/* Any bytes as a list of authorized keys: no read past the end, a sentence with its place or a list
 * in which every line's key is found under its name until its date. */
#include "common/base/check.h"
#include "proto/keyring.h"

#include <string.h>

static void look_up(const struct keyring *keyring, const char *text, size_t count)
{
    struct key_line line = {0};
    size_t lines = 0;
    for (size_t at = 0; key_next_line(text, count, &at, &line); lines++) {
        char key[KEY_TEXT_BYTES];
        CHECK(key_read(line.words[1].text, line.words[1].length, key));
        const struct keyring_entry *entry = keyring_find(keyring, key, 0);
        CHECK(entry != NULL); /* no key ends before 1970 */
        CHECK(strlen(entry->name) == line.words[0].length);
        CHECK(memcmp(entry->name, line.words[0].text, line.words[0].length) == 0);
        CHECK((entry->until_s > 0) == (line.word_count == 4));
        CHECK(entry->until_s == 0 || keyring_find(keyring, key, entry->until_s) == NULL);
    }
    CHECK(lines == keyring_count(keyring));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct error error = {0};
    struct keyring *keyring = keyring_read((const char *)bytes, count, "keys", &error);
    if (keyring != NULL)
        look_up(keyring, (const char *)bytes, count);
    else
        CHECK(error.kind == ERROR_USAGE && error.place.path != NULL);
    keyring_destroy(keyring);
    return 0;
}
