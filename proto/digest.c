#include "proto/digest.h"

#include "common/base/check.h"
#include "proto/sparse.h"

void digest_add(struct digest *digest, const struct digest *other)
{
    digest->total += other->total;
    for (uint32_t i = 0; i < DIGEST_CELLS; i++)
        digest->cells[i] += other->cells[i];
}

void digest_add_since(struct digest *digest, const struct digest *newer, const struct digest *older)
{
    digest->total += newer->total - older->total;
    for (uint32_t i = 0; i < DIGEST_CELLS; i++)
        digest->cells[i] += newer->cells[i] - older->cells[i];
}

bool digest_is_monotone(const struct digest *newer, const struct digest *older)
{
    for (uint32_t i = 0; i < DIGEST_CELLS; i++)
        if (newer->cells[i] < older->cells[i])
            return false;
    return true;
}

/* Where the value of `rank` (from 1) lies in cell `index`, whose first has rank `before` + 1. */
static double within_cell(const struct digest *digest, uint32_t index, uint64_t before, double rank)
{
    double low = (double)histogram_cell_low(index << DIGEST_SHIFT);
    double high = (double)histogram_cell_high(((index + 1) << DIGEST_SHIFT) - 1) + 1.0;
    double place = (rank - (double)before - 0.5) / (double)digest->cells[index];
    return low + place * (high - low);
}

double digest_quantile(const struct digest *digest, double quantile)
{
    CHECK(quantile >= 0.0);
    CHECK(quantile <= 1.0);
    if (digest->total == 0)
        return 0.0;
    /* The rank is as in histogram_quantile(), but that fractions count: interpolated, they help. */
    double rank = quantile * (double)digest->total;
    rank = rank > 1.0 ? rank : 1.0;
    uint64_t before = 0;
    uint32_t index = 0;
    while ((double)(before + digest->cells[index]) < rank && index < DIGEST_CELLS - 1)
        before += digest->cells[index++];
    return within_cell(digest, index, before, rank);
}

size_t digest_encode(const struct digest *digest, uint8_t *bytes, size_t capacity)
{
    struct sparse_writer row = {.bytes = bytes, .capacity = capacity};
    sparse_put(&row, digest->total);
    sparse_put_cells(&row, digest->cells, DIGEST_CELLS, digest->total);
    CHECK(row.length <= DIGEST_BYTES_MAX);
    return row.overflow ? 0 : row.length;
}

bool digest_decode(const uint8_t *bytes, size_t byte_count, struct digest *digest,
                   struct error *error)
{
    struct sparse_reader row = {.what = "digest", .bytes = bytes, .length = byte_count};
    struct digest read = {0};
    if (!sparse_get(&row, "total", &read.total, error) ||
        !sparse_get_cells(&row, read.cells, DIGEST_CELLS, read.total, error))
        return false;
    *digest = read;
    return true;
}
