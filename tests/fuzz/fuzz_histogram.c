/* Any bytes as two histograms of the wire: each is refused with a sentence, or comes back as the
 * same bytes; and what is added up keeps every count and answers every quantile in order. The first
 * byte tells where the second one begins. */
#include "proto/sample.h"

#include "common/base/check.h"
#include "common/base/histogram.h"

#include <string.h>

static bool decode(const uint8_t *bytes, size_t count, struct histogram *histogram)
{
    static uint8_t again[HISTOGRAM_BYTES_MAX];
    struct error error = {0};
    if (!sample_histogram_decode(bytes, count, histogram, &error)) {
        CHECK(error.kind == ERROR_PROTOCOL);
        CHECK(error.message[0] != '\0');
        return false;
    }
    /* Only the shortest form passes. */
    CHECK(sample_histogram_encode(histogram, again, sizeof again) == count);
    CHECK(memcmp(again, bytes, count) == 0);
    return true;
}

static void check_quantiles(const struct histogram *histogram)
{
    static const double quantiles[] = {0.0, 0.5, 0.9, 0.99, 0.999, 1.0};
    uint64_t before_ns = 0;
    for (size_t i = 0; i < COUNT(quantiles); i++) {
        uint64_t value_ns = histogram_quantile(histogram, quantiles[i]);
        CHECK(value_ns >= before_ns);
        before_ns = value_ns;
    }
    CHECK(histogram->total == 0 || before_ns <= histogram->max_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct histogram first, second;
    if (count < 1)
        return 0;
    size_t cut = 1 + bytes[0] % count;
    if (!decode(bytes + 1, cut - 1, &first))
        return 0;
    check_quantiles(&first);
    if (!decode(bytes + cut, count - cut, &second) || first.total > UINT64_MAX - second.total)
        return 0;
    uint64_t total = first.total + second.total;
    histogram_add(&first, &second);
    CHECK(first.total == total);
    check_quantiles(&first);
    return 0;
}
