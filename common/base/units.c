#include "common/base/units.h"

#include "common/base/check.h"
#include "common/base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX        18     /* of one number; more do not fit 64 bits */
#define NEAREST_BYTES_MAX 64u    /* a longer word is no slip of the finger */
#define WHOLE_MAX         0x1p63 /* a result from here on is refused: it may not fit an integer */

struct suffix {
    const char *word;
    double times;
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

static bool at_end(const char *at)
{
    skip_blanks(&at);
    return *at == '\0';
}

/* Reads "12" or "12.5". By hand, because strtod knows signs, exponents, "inf", "nan", hexadecimal
 * numbers and the user's decimal comma. One division of two exact numbers, so the nearest double.
 */
static bool read_decimal(const char **at, double *number)
{
    const char *text = *at;
    uint64_t digits = 0;
    double scale = 1.0;
    int count = 0;
    for (; is_digit(*text) && count < DIGITS_MAX; text++, count++)
        digits = digits * 10 + (uint64_t)(*text - '0');
    if (count == 0)
        return false;
    if (*text == '.') {
        text++;
        if (!is_digit(*text))
            return false;
        for (; is_digit(*text) && count < DIGITS_MAX; text++, count++) {
            digits = digits * 10 + (uint64_t)(*text - '0');
            scale *= 10.0;
        }
    }
    if (is_digit(*text))
        return false;
    *number = (double)digits / scale;
    *at = text;
    return true;
}

/* Reads the letters at `*at`, which must be one of the `suffixes[count]`; "" stands for no letters.
 */
static bool read_suffix(const char **at, const struct suffix *suffixes, size_t count, double *times)
{
    size_t length = 0;
    while (isalpha((unsigned char)(*at)[length]))
        length++;
    for (size_t i = 0; i < count; i++) {
        if (strlen(suffixes[i].word) == length && memcmp(suffixes[i].word, *at, length) == 0) {
            *at += length;
            *times = suffixes[i].times;
            return true;
        }
    }
    return false;
}

static const struct suffix duration_suffixes[] = {
    {"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
};
static const struct suffix thousands_suffixes[] = {{"", 1.0}, {"k", 1e3}, {"M", 1e6}};
static const struct suffix per_suffixes[] = {{"s", 1.0}, {"min", 60.0}, {"h", 3600.0}};
static const struct suffix size_suffixes[] = {
    {"", 1.0},   {"B", 1.0},      {"kB", 1e3},     {"MB", 1e6},
    {"GB", 1e9}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
};

bool units_read_duration(const char *text, uint64_t *duration_ns)
{
    skip_blanks(&text);
    double sum_ns = 0.0;
    double unit_ns_before = WHOLE_MAX;
    if (*text == '0' && at_end(text + 1)) {
        *duration_ns = 0;
        return true;
    }
    do {
        double number;
        double unit_ns;
        if (!read_decimal(&text, &number) ||
            !read_suffix(&text, duration_suffixes, COUNT(duration_suffixes), &unit_ns) ||
            unit_ns >= unit_ns_before) {
            return false;
        }
        sum_ns += number * unit_ns;
        unit_ns_before = unit_ns;
    } while (!at_end(text));
    if (sum_ns >= WHOLE_MAX)
        return false;
    *duration_ns = (uint64_t)(sum_ns + 0.5);
    return true;
}

bool units_read_rate(const char *text, double *rate_per_s)
{
    skip_blanks(&text);
    double number;
    double times;
    double per_s;
    if (!read_decimal(&text, &number) ||
        !read_suffix(&text, thousands_suffixes, COUNT(thousands_suffixes), &times) ||
        *text++ != '/' || !read_suffix(&text, per_suffixes, COUNT(per_suffixes), &per_s) ||
        !at_end(text)) {
        return false;
    }
    *rate_per_s = number * times / per_s;
    return true;
}

bool units_read_size(const char *text, uint64_t *size_bytes)
{
    skip_blanks(&text);
    double number;
    double times;
    if (!read_decimal(&text, &number) ||
        !read_suffix(&text, size_suffixes, COUNT(size_suffixes), &times) || !at_end(text)) {
        return false;
    }
    double bytes = number * times;
    if (bytes >= WHOLE_MAX || (double)(uint64_t)bytes != bytes) /* half a byte is a mistake */
        return false;
    *size_bytes = (uint64_t)bytes;
    return true;
}

bool units_read_share(const char *text, double *share)
{
    skip_blanks(&text);
    double number;
    if (!read_decimal(&text, &number))
        return false;
    if (*text == '%') {
        text++;
        number /= 100.0;
    }
    if (number > 1.0 || !at_end(text))
        return false;
    *share = number;
    return true;
}

bool units_read_number(const char *text, double *number)
{
    skip_blanks(&text);
    double read;
    double times;
    if (!read_decimal(&text, &read) ||
        !read_suffix(&text, thousands_suffixes, COUNT(thousands_suffixes), &times) ||
        !at_end(text)) {
        return false;
    }
    *number = read * times;
    return true;
}

bool units_read_count(const char *text, uint64_t *count)
{
    skip_blanks(&text);
    if (!is_digit(*text))
        return false;
    uint64_t sum = 0;
    for (; is_digit(*text); text++) {
        if (__builtin_mul_overflow(sum, UINT64_C(10), &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(*text - '0'), &sum)) {
            return false;
        }
    }
    if (!at_end(text))
        return false;
    *count = sum;
    return true;
}

/* Drops the zeros at the end of "12.50", and the point when nothing is left behind it. */
static void trim_zeros(char *text)
{
    if (strchr(text, '.') == NULL)
        return;
    size_t length = strlen(text);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    text[length] = '\0';
}

/* Writes `number` with at most `decimals`, then `suffix`. */
static const char *show_number(double number, int decimals, const char *suffix, char *text)
{
    char digits[UNITS_TEXT_BYTES - 4]; /* leaves room for the suffix */
    snprintf(digits, sizeof digits, "%.*f", decimals, number);
    trim_zeros(digits);
    snprintf(text, UNITS_TEXT_BYTES, "%s%s", digits, suffix);
    return text;
}

static uint64_t round_to(uint64_t value, uint64_t step)
{
    return value / step * step + (value % step >= (step + 1) / 2 ? step : 0);
}

/* Up to which duration how fine: three digits, two below a millisecond. */
static const struct {
    uint64_t below_ns, step_ns;
    int decimals;
    double unit_ns;
    const char *unit;
} latency_steps[] = {
    {100, 1, 6, 1e6, "ms"},
    {1000, 10, 5, 1e6, "ms"},
    {10000, 100, 4, 1e6, "ms"},
    {100000, 1000, 3, 1e6, "ms"},
    {10 * NS_PER_MS, NS_PER_MS / 100, 2, 1e6, "ms"},
    {100 * NS_PER_MS, NS_PER_MS / 10, 1, 1e6, "ms"},
    {NS_PER_S, NS_PER_MS, 0, 1e6, "ms"},
    {10 * NS_PER_S, NS_PER_S / 100, 2, 1e9, "s"},
    {60 * NS_PER_S, NS_PER_S / 10, 1, 1e9, "s"},
};

const char *units_show_latency(uint64_t duration_ns, char *text)
{
    for (size_t i = 0; i < COUNT(latency_steps); i++) {
        if (duration_ns >= latency_steps[i].below_ns)
            continue;
        uint64_t rounded_ns = round_to(duration_ns, latency_steps[i].step_ns);
        if (rounded_ns >= latency_steps[i].below_ns)
            continue; /* 999.6ms is 1.00s and not 1000ms */
        double number = (double)rounded_ns / latency_steps[i].unit_ns;
        if (rounded_ns < NS_PER_MS)
            return show_number(number, latency_steps[i].decimals, latency_steps[i].unit, text);
        snprintf(text, UNITS_TEXT_BYTES, "%.*f%s", latency_steps[i].decimals, number,
                 latency_steps[i].unit);
        return text;
    }
    unsigned long long seconds = duration_ns / NS_PER_S + (duration_ns % NS_PER_S >= NS_PER_S / 2);
    if (seconds < 3600)
        snprintf(text, UNITS_TEXT_BYTES, "%llum%02llus", seconds / 60, seconds % 60);
    else
        snprintf(text, UNITS_TEXT_BYTES, "%lluh%02llum", seconds / 3600, seconds / 60 % 60);
    return text;
}

/* Writes `duration_ns` as one exact number in the largest unit up to seconds that is not above it.
 */
static void show_below_minutes(uint64_t duration_ns, char *text, size_t text_bytes)
{
    static const char *const words[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    unsigned long long unit_ns = 1;
    for (; unit + 1 < COUNT(words) && duration_ns >= unit_ns * 1000; unit++)
        unit_ns *= 1000;
    char digits[UNITS_TEXT_BYTES];
    snprintf(digits, sizeof digits, "%llu.%0*llu", duration_ns / unit_ns, (int)unit * 3,
             duration_ns % unit_ns);
    trim_zeros(digits);
    snprintf(text, text_bytes, "%s%s", digits, words[unit]);
}

const char *units_show_duration(uint64_t duration_ns, char *text)
{
    if (duration_ns < 120 * NS_PER_S) { /* people write 90s, and then 2m */
        show_below_minutes(duration_ns, text, UNITS_TEXT_BYTES);
        return text;
    }
    unsigned long long minutes = duration_ns / (60 * NS_PER_S);
    uint64_t rest_ns = duration_ns % (60 * NS_PER_S);
    char hours_text[24] = "";
    char minutes_text[8] = "";
    char rest_text[16] = "";
    if (minutes >= 60)
        snprintf(hours_text, sizeof hours_text, "%lluh", minutes / 60);
    if (minutes % 60 > 0)
        snprintf(minutes_text, sizeof minutes_text, "%um", (unsigned)(minutes % 60));
    if (rest_ns > 0)
        show_below_minutes(rest_ns, rest_text, sizeof rest_text);
    snprintf(text, UNITS_TEXT_BYTES, "%s%s%s", hours_text, minutes_text, rest_text);
    return text;
}

const char *units_show_rate(double rate_per_s, int decimals, char *text)
{
    return show_number(rate_per_s, decimals, "/s", text);
}

const char *units_show_share(double share, char *text)
{
    double percent = share * 100.0;
    int decimals = 3;
    if (percent >= 100.0)
        decimals = 0;
    else if (percent >= 10.0 && percent < 99.0)
        decimals = 1;
    else if (percent >= 1.0) /* from 99 % on, what lacks to the whole is the news */
        decimals = 2;
    /* One error in ten million is small, but not none. */
    for (double digit = percent * 1e3; digit > 0.0 && digit < 1.0 && decimals < 12; digit *= 10.0)
        decimals++;
    return show_number(percent, decimals, " %", text);
}

const char *units_show_size(uint64_t size_bytes, char *text)
{
    static const char *const words[] = {"B", "KiB", "MiB", "GiB"};
    unsigned long long number = size_bytes;
    size_t unit = 0;
    while (unit + 1 < COUNT(words) && number > 0 && number % 1024 == 0) {
        number /= 1024;
        unit++;
    }
    snprintf(text, UNITS_TEXT_BYTES, "%llu%s", number, words[unit]);
    return text;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many characters must be put in, taken out or changed to make `b` of `a` (Levenshtein 1965).
 */
static size_t edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    CHECK(a_length <= NEAREST_BYTES_MAX);
    CHECK(b_length <= NEAREST_BYTES_MAX);
    size_t row[NEAREST_BYTES_MAX + 1]; /* from the first i characters of a to the first j of b */
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

const char *units_nearest(const char *word, const char *const *words, size_t count)
{
    size_t length = strlen(word);
    if (length > NEAREST_BYTES_MAX)
        return NULL;
    const char *nearest = NULL;
    size_t bound = length / 3 > 2 ? length / 3 : 2;
    if (bound >= length)
        bound = length > 0 ? length - 1 : 0; /* some character of it must stay */
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) > NEAREST_BYTES_MAX)
            continue;
        size_t distance = edit_distance(word, words[i]);
        if (distance <= bound && (nearest == NULL || distance < bound)) {
            nearest = words[i];
            bound = distance;
        }
    }
    return nearest;
}
