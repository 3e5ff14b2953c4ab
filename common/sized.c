#include "common/sized.h"

#include <string.h>

static size_t size_of(const void *given)
{
    size_t bytes;
    memcpy(&bytes, given, sizeof bytes);
    return bytes;
}

bool sized_fits(const void *given, size_t first_bytes)
{
    return given != NULL && size_of(given) >= first_bytes && size_of(given) <= SIZED_BYTES_MAX;
}

bool sized_take(void *known, size_t known_bytes, const void *given)
{
    size_t given_bytes = size_of(given);
    size_t common_bytes = given_bytes < known_bytes ? given_bytes : known_bytes;
    memset(known, 0, known_bytes);
    memcpy(known, given, common_bytes);
    for (size_t i = common_bytes; i < given_bytes; i++) {
        if (((const unsigned char *)given)[i] != 0)
            return false;
    }
    return true;
}

void sized_give(void *given, const void *known, size_t known_bytes)
{
    size_t given_bytes = size_of(given);
    size_t common_bytes = given_bytes < known_bytes ? given_bytes : known_bytes;
    memset(given, 0, given_bytes);
    memcpy(given, known, common_bytes);
    memcpy(given, &given_bytes, sizeof given_bytes);
}
