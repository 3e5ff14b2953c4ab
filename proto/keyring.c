#include "proto/keyring.h"

#include "common/base/check.h"
#include "common/base/harmless.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S UINT64_C(86400)

struct keyring {
    size_t count, capacity;
    struct keyring_entry *entries; /* [capacity], by key; owned */
};

static int compare_keys(const void *one, const void *other)
{
    return strcmp(((const struct keyring_entry *)one)->key,
                  ((const struct keyring_entry *)other)->key);
}

static bool keyring_add(struct keyring *keyring, const struct keyring_entry *entry,
                        struct error *error)
{
    if (keyring->count == keyring->capacity) {
        size_t capacity = keyring->capacity > 0 ? 2 * keyring->capacity : 16;
        struct keyring_entry *larger =
            reallocarray(keyring->entries, capacity, sizeof *keyring->entries);
        if (larger == NULL)
            return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for so many keys");
        keyring->entries = larger;
        keyring->capacity = capacity;
    }
    keyring->entries[keyring->count++] = *entry;
    return true;
}

/* Reads `count` digits. False: they are none. */
static bool read_digits(const char *text, size_t count, uint32_t *number)
{
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (uint32_t)(text[i] - '0');
    }
    return true;
}

static uint32_t days_in_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29u : days[month - 1];
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; `year` from 1970. */
static uint64_t days_to(uint32_t year, uint32_t month, uint32_t day)
{
    uint64_t before = year - 1;
    uint64_t days = 365 * (uint64_t)(year - 1970) + (before / 4 - before / 100 + before / 400) -
                    (1969 / 4 - 1969 / 100 + 1969 / 400);
    for (uint32_t i = 1; i < month; i++)
        days += days_in_month(year, i);
    return days + day - 1;
}

/* "2027-01-31" or "2027-01-31T12:00:00Z" to the first second that is beyond it. */
static bool read_date(const struct key_word *word, uint64_t *until_s)
{
    const char *text = word->text;
    bool timed = word->length == strlen("2027-01-31T12:00:00Z");
    uint32_t year, month, day, hour = 0, minute = 0, second = 0;
    if (!timed && word->length != strlen("2027-01-31"))
        return false;
    if (!read_digits(text, 4, &year) || text[4] != '-' || !read_digits(text + 5, 2, &month) ||
        text[7] != '-' || !read_digits(text + 8, 2, &day) || year < 1970 || month < 1 ||
        month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (timed && (text[10] != 'T' || !read_digits(text + 11, 2, &hour) || text[13] != ':' ||
                  !read_digits(text + 14, 2, &minute) || text[16] != ':' ||
                  !read_digits(text + 17, 2, &second) || text[19] != 'Z' || hour > 23 ||
                  minute > 59 || second > 59))
        return false;
    *until_s = days_to(year, month, day) * DAY_S +
               (timed ? hour * UINT64_C(3600) + minute * UINT64_C(60) + second : DAY_S);
    return true;
}

static bool wrong(const char *path, uint32_t line, uint32_t column, const char *what,
                  const struct key_word *found, struct error *error)
{
    char copy[64] = "", shown[4 * sizeof copy];
    if (found != NULL)
        snprintf(copy, sizeof copy, "%.*s", (int)(found->length < 60 ? found->length : 60),
                 found->text);
    return error_set(error, ERROR_USAGE,
                     (struct place){.path = path, .line = line, .column = column}, "'%s' %s",
                     harmless_text(copy, shown, sizeof shown), what);
}

static bool read_entry(const struct key_line *line, const char *path, struct keyring_entry *entry,
                       struct error *error)
{
    const struct key_word *words = line->words;
    *entry = (struct keyring_entry){.line = line->number};
    if (!key_name_is_fine(words[0].text, words[0].length))
        return wrong(path, line->number, words[0].column,
                     "is no name; give letters, digits, - _ and dots", &words[0], error);
    if (line->word_count != 2 && line->word_count != 4)
        return wrong(path, line->number, words[0].column,
                     "is not followed by what it takes; expected NAME KEY [until DATE]", &words[0],
                     error);
    if (!key_read(words[1].text, words[1].length, entry->key))
        return wrong(path, line->number, words[1].column, "is no key; give 40 characters of z85",
                     &words[1], error);
    if (line->word_count == 4 && (words[2].length != strlen("until") ||
                                  memcmp(words[2].text, "until", words[2].length) != 0))
        return wrong(path, line->number, words[2].column,
                     "cannot stand here; expected NAME KEY [until DATE]", &words[2], error);
    if (line->word_count == 4 && !read_date(&words[3], &entry->until_s))
        return wrong(path, line->number, words[3].column,
                     "is no date; give 2027-01-31 or 2027-01-31T12:00:00Z", &words[3], error);
    memcpy(entry->name, words[0].text, words[0].length);
    return true;
}

static bool refuse_twins(const struct keyring *keyring, const char *path, struct error *error)
{
    for (size_t i = 1; i < keyring->count; i++) {
        const struct keyring_entry *one = &keyring->entries[i - 1], *other = &keyring->entries[i];
        if (strcmp(one->key, other->key) != 0)
            continue;
        uint32_t first = one->line < other->line ? one->line : other->line;
        uint32_t last = one->line < other->line ? other->line : one->line;
        return error_set(error, ERROR_USAGE,
                         (struct place){.path = path, .line = last, .column = 1},
                         "the key of this line stands in line %u too; one key is one name", first);
    }
    return true;
}

static bool read_lines(const char *text, size_t length, const char *path, struct keyring *keyring,
                       struct error *error)
{
    struct key_line line = {0};
    struct keyring_entry entry;
    for (size_t at = 0; key_next_line(text, length, &at, &line);) {
        if (keyring->count == KEYRING_KEYS_MAX)
            return error_set(error, ERROR_USAGE,
                             (struct place){.path = path, .line = line.number, .column = 1},
                             "more than %u keys", KEYRING_KEYS_MAX);
        if (!read_entry(&line, path, &entry, error) || !keyring_add(keyring, &entry, error))
            return false;
    }
    if (keyring->count == 0)
        return error_set(error, ERROR_USAGE, (struct place){.path = path},
                         "it lists no key, so nobody could join; expected lines NAME KEY [until "
                         "DATE]");
    return true;
}

struct keyring *keyring_read(const char *text, size_t length, const char *path, struct error *error)
{
    struct keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for keys");
        return NULL;
    }
    bool well = read_lines(text, length, path, keyring, error);
    if (well)
        qsort(keyring->entries, keyring->count, sizeof *keyring->entries, compare_keys);
    if (!well || !refuse_twins(keyring, path, error)) {
        keyring_destroy(keyring);
        return NULL;
    }
    return keyring;
}

struct keyring *keyring_with(const struct keyring *keyring, const struct keyring_entry *entry,
                             struct error *error)
{
    struct keyring *larger = calloc(1, sizeof *larger);
    bool well = larger != NULL && keyring_add(larger, entry, error);
    for (size_t i = 0; well && i < keyring->count; i++) {
        CHECK(strcmp(keyring->entries[i].key, entry->key) != 0);
        well = keyring_add(larger, &keyring->entries[i], error);
    }
    if (!well) {
        keyring_destroy(larger);
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for keys");
        return NULL;
    }
    qsort(larger->entries, larger->count, sizeof *larger->entries, compare_keys);
    return larger;
}

void keyring_destroy(struct keyring *keyring)
{
    if (keyring == NULL)
        return;
    free(keyring->entries);
    free(keyring);
}

size_t keyring_count(const struct keyring *keyring)
{
    return keyring->count;
}

const struct keyring_entry *keyring_find(const struct keyring *keyring, const char *key,
                                         uint64_t now_s)
{
    struct keyring_entry wanted;
    memcpy(wanted.key, key, sizeof wanted.key);
    const struct keyring_entry *found =
        bsearch(&wanted, keyring->entries, keyring->count, sizeof wanted, compare_keys);
    bool over = found != NULL && found->until_s > 0 && now_s >= found->until_s;
    return over ? NULL : found;
}
