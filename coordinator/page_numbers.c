#include "coordinator/page_numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define THIN     "\u202f" /* no-break, between thousands */
#define NO_BREAK "\u00a0"

/* "12345.6" to "12 345.6". */
static const char *group(const char *digits, char *text)
{
    size_t whole = strcspn(digits, ".");
    size_t used = 0;
    for (size_t i = 0; digits[i] != '\0'; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            used += (size_t)snprintf(text + used, PAGE_NUMBER_BYTES - used, THIN);
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* Three significant digits of `value` above 0, trailing zeros kept. */
static const char *significant(double value, char *text)
{
    char digits[32];
    double rounded;
    snprintf(digits, sizeof digits, "%.2e", value);
    sscanf(digits, "%lf", &rounded);
    int decimals = 2 - (int)floor(log10(rounded));
    snprintf(digits, sizeof digits, "%.*f", decimals > 0 ? decimals : 0, rounded);
    return group(digits, text);
}

const char *page_count(uint64_t count, char *text)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, count);
    return group(digits, text);
}

const char *page_rate(double rate_per_s, char *text)
{
    if (!(rate_per_s > 0.0 && rate_per_s < 1e15))
        return strcpy(text, "0");
    if (rate_per_s >= 100.0)
        return page_count((uint64_t)llround(rate_per_s), text);
    return significant(rate_per_s, text);
}

const char *page_time(uint64_t time_ns, char *text)
{
    static const struct {
        double from_ns, unit_ns;
        const char *unit;
    } units[] = {{1e9, 1e9, "s"}, {1e6, 1e6, "ms"}, {0.0, 1e3, "\u00b5s"}};
    if (time_ns == 0)
        return strcpy(text, "0" NO_BREAK "ms");
    if (time_ns >= UINT64_C(120000000000)) {
        uint64_t seconds = time_ns / UINT64_C(1000000000);
        snprintf(text, PAGE_NUMBER_BYTES, "%" PRIu64 NO_BREAK "min %" PRIu64 NO_BREAK "s",
                 seconds / 60, seconds % 60);
        return text;
    }
    size_t i = 0;
    while ((double)time_ns < units[i].from_ns)
        i++;
    significant((double)time_ns / units[i].unit_ns, text);
    strcat(text, NO_BREAK);
    return strcat(text, units[i].unit);
}

const char *page_length(uint64_t time_ns, char *text)
{
    uint64_t tenths = (time_ns + UINT64_C(50000000)) / UINT64_C(100000000);
    if (tenths == 0 || tenths >= 1200)
        return page_time(time_ns, text);
    snprintf(text, PAGE_NUMBER_BYTES, "%" PRIu64, tenths / 10);
    if (tenths % 10 > 0)
        snprintf(text, PAGE_NUMBER_BYTES, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
    return strcat(text, NO_BREAK "s");
}

const char *page_share(double share, char *text)
{
    double percent = 100.0 * share;
    if (!(percent > 0.0))
        return strcpy(text, "0" NO_BREAK "%");
    if (percent < 0.001)
        return strcpy(text, "<" NO_BREAK "0.001" NO_BREAK "%");
    bool nearly = percent >= 99.0 && percent < 100.0;
    snprintf(text, PAGE_NUMBER_BYTES, "%.*g", nearly ? 4 : 3, percent);
    if (nearly && strcmp(text, "100") == 0)
        strcpy(text, "99.99");
    return strcat(text, NO_BREAK "%");
}

const char *page_clock(uint64_t time_ns, char *text)
{
    uint64_t tenths = (time_ns + UINT64_C(50000000)) / UINT64_C(100000000);
    uint64_t seconds = tenths / 10;
    if (seconds >= 3600)
        snprintf(text, PAGE_NUMBER_BYTES, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600,
                 seconds / 60 % 60, seconds % 60);
    else if (tenths % 10 != 0)
        snprintf(text, PAGE_NUMBER_BYTES, "%02" PRIu64 ":%02" PRIu64 ".%" PRIu64, seconds / 60,
                 seconds % 60, tenths % 10);
    else
        snprintf(text, PAGE_NUMBER_BYTES, "%02" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
    return text;
}
