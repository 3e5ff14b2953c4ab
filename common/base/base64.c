#include "common/base/base64.h"

#include <stdint.h>

char *base64_encode(const void *bytes, size_t count, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *source = bytes;
    char *at = text;
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t three = (uint32_t)source[i] << 16;
        three |= left > 1 ? (uint32_t)source[i + 1] << 8 : 0;
        three |= left > 2 ? source[i + 2] : 0;
        *at++ = digits[three >> 18];
        *at++ = digits[three >> 12 & 63];
        *at++ = '=';
        if (left > 1)
            at[-1] = digits[three >> 6 & 63];
        *at++ = '=';
        if (left > 2)
            at[-1] = digits[three & 63];
    }
    *at = '\0';
    return text;
}
