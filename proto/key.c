#include "proto/key.h"

#include "common/base/check.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define GROUP_BYTES      4u
#define GROUP_CHARACTERS 5u
#define KEY_CHARACTERS   (KEY_TEXT_BYTES - 1)

/* ZeroMQ RFC 32: base 85, the most significant digit first. */
static const char digits[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(sizeof digits == 85 + 1, "z85 has 85 digits");
static_assert(KEY_BYTES / GROUP_BYTES * GROUP_CHARACTERS == KEY_CHARACTERS,
              "a key in whole groups");

const char *key_text(const uint8_t *bytes, char *text)
{
    for (size_t group = 0; group < KEY_BYTES / GROUP_BYTES; group++) {
        uint32_t number = 0;
        for (size_t i = 0; i < GROUP_BYTES; i++)
            number = number << 8 | bytes[group * GROUP_BYTES + i];
        for (size_t i = GROUP_CHARACTERS; i-- > 0; number /= 85)
            text[group * GROUP_CHARACTERS + i] = digits[number % 85];
    }
    text[KEY_CHARACTERS] = '\0';
    return text;
}

/* Five digits can say more than 32 bits hold; such groups are no z85. */
static bool is_group(const char *text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < GROUP_CHARACTERS; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return false;
        number = number * 85 + (uint64_t)(digit - digits);
    }
    return number <= UINT32_MAX;
}

bool key_read(const char *text, size_t length, char *key)
{
    if (length != KEY_CHARACTERS)
        return false;
    for (size_t i = 0; i < KEY_CHARACTERS; i += GROUP_CHARACTERS)
        if (!is_group(text + i))
            return false;
    memcpy(key, text, KEY_CHARACTERS);
    key[KEY_CHARACTERS] = '\0';
    return true;
}

bool key_name_is_fine(const char *name, size_t length)
{
    if (length == 0 || length > KEY_NAME_BYTES_MAX || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        char letter = name[i];
        bool fine = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                    (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
                    letter == '.';
        if (!fine)
            return false;
    }
    return true;
}

const char *key_secret_file(const struct key_pair *pair, const char *name, char *text)
{
    int length = snprintf(text, KEY_FILE_BYTES_MAX,
                          "# clobber: the secret key of %s; nobody else may read this file\n"
                          "secret %s\npublic %s\n",
                          name, pair->secret_key, pair->public_key);
    CHECK(length > 0 && (size_t)length < KEY_FILE_BYTES_MAX);
    return text;
}

const char *key_public_file(const struct key_pair *pair, const char *name, char *text)
{
    int length = snprintf(text, KEY_FILE_BYTES_MAX,
                          "# clobber: a public key; a line for --authorized-keys, a file for "
                          "--server-key\n%s %s\n",
                          name, pair->public_key);
    CHECK(length > 0 && (size_t)length < KEY_FILE_BYTES_MAX);
    return text;
}

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\r';
}

/* The words of `text[length]`, a line; more than there is room for are not looked at. */
static void read_words(const char *text, size_t length, struct key_line *line)
{
    size_t at = 0;
    line->word_count = 0;
    while (line->word_count < COUNT(line->words)) {
        while (at < length && is_blank(text[at]))
            at++;
        size_t begin = at;
        while (at < length && !is_blank(text[at]))
            at++;
        if (at == begin)
            return;
        line->words[line->word_count++] = (struct key_word){
            .text = text + begin, .length = at - begin, .column = (uint32_t)begin + 1};
    }
}

bool key_next_line(const char *text, size_t length, size_t *at, struct key_line *line)
{
    while (*at < length) {
        const char *begin = text + *at;
        const char *end = memchr(begin, '\n', length - *at);
        size_t bytes = end != NULL ? (size_t)(end - begin) : length - *at;
        *at += bytes + (end != NULL);
        line->number++;
        read_words(begin, bytes, line);
        if (line->word_count > 0 && line->words[0].text[0] != '#')
            return true;
    }
    return false;
}

static bool wrong(const char *path, const struct key_line *line, uint32_t word, const char *what,
                  struct error *error)
{
    uint32_t column = word < line->word_count ? line->words[word].column : 1;
    return error_set(error, ERROR_USAGE,
                     (struct place){.path = path, .line = line->number, .column = column}, "%s",
                     what);
}

static bool is_word(const struct key_word *word, const char *text)
{
    return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

/* What is shown of a secret file is never what stands in it. */
bool key_read_secret_file(const char *text, size_t length, const char *path, struct key_pair *pair,
                          struct error *error)
{
    struct key_pair read = {0};
    struct key_line line = {0};
    for (size_t at = 0; key_next_line(text, length, &at, &line);) {
        char *key = is_word(&line.words[0], "secret")   ? read.secret_key
                    : is_word(&line.words[0], "public") ? read.public_key
                                                        : NULL;
        if (key == NULL || line.word_count != 2)
            return wrong(path, &line, 0, "expected 'secret KEY' or 'public KEY', nothing else",
                         error);
        if (key[0] != '\0')
            return wrong(path, &line, 0, "this key was given in a line before", error);
        if (!key_read(line.words[1].text, line.words[1].length, key))
            return wrong(path, &line, 1, "this is no key: 40 characters of z85", error);
    }
    if (read.secret_key[0] == '\0' || read.public_key[0] == '\0')
        return error_set(error, ERROR_USAGE, (struct place){.path = path},
                         "it does not hold a secret key and its public one; clobber key new DIR "
                         "makes such a file");
    *pair = read;
    return true;
}

bool key_read_public_file(const char *text, size_t length, const char *path, char *key,
                          struct error *error)
{
    struct key_line line = {0};
    size_t at = 0;
    char read[KEY_TEXT_BYTES];
    if (!key_next_line(text, length, &at, &line))
        return error_set(error, ERROR_USAGE, (struct place){.path = path},
                         "it holds no key; expected one line 'NAME KEY'");
    if (line.word_count != 2)
        return wrong(path, &line, 0, "expected 'NAME KEY'", error);
    if (!key_read(line.words[1].text, line.words[1].length, read))
        return wrong(path, &line, 1, "this is no key: 40 characters of z85", error);
    if (key_next_line(text, length, &at, &line))
        return wrong(path, &line, 0, "a second key; expected one line 'NAME KEY'", error);
    memcpy(key, read, sizeof read);
    return true;
}
