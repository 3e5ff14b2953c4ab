#include "common/control/stats.h"

#include "common/base/check.h"

#include <math.h>
#include <stdbool.h>

#define CORRELATION_MAX  0.95 /* a row this smooth has no scatter to learn from */
#define STUDENT_HALVINGS 50u  /* down to the last digits of a double */
#define BIAS_COUNT_MIN   8u   /* the bias is known to the first order in 1/n: not for fewer */

double student_95(uint32_t freedom)
{
    CHECK(freedom >= 1);
    static const double few[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447};
    if (freedom <= COUNT(few))
        return few[freedom - 1];
    /* The Cornish-Fisher expansion around the normal quantile; good to 0.001 from 7 degrees on.
     * Source: Abramowitz and Stegun 26.7.5. */
    double z = 1.959964;
    double n = freedom;
    double z3 = z * z * z;
    double z5 = z3 * z * z;
    double z7 = z5 * z * z;
    return z + (z3 + z) / (4.0 * n) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n * n) +
           (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * n * n * n);
}

/* How much of Student's distribution lies between -t and t.
 * Source: Abramowitz and Stegun 26.7.3 and 26.7.4. */
static double student_between(double t, uint32_t freedom)
{
    double angle = atan(t / sqrt((double)freedom));
    double cosine = cos(angle);
    bool odd = freedom % 2 == 1;
    double term = odd ? cosine : 1.0;
    double sum = freedom > 1 ? term : 0.0;
    for (uint32_t i = odd ? 3 : 2; i < freedom; i += 2) {
        term *= cosine * cosine * (i - 1.0) / i;
        sum += term;
    }
    return odd ? (angle + sin(angle) * sum) * M_2_PI : sin(angle) * sum;
}

double student(uint32_t freedom, double confidence)
{
    CHECK(freedom >= 1);
    CHECK(confidence > 0.0);
    CHECK(confidence < 1.0);
    double low = 0.0;
    double high = 1.0;
    while (student_between(high, freedom) < confidence)
        high *= 2.0;
    for (uint32_t i = 0; i < STUDENT_HALVINGS; i++) {
        double middle = (low + high) / 2.0;
        if (student_between(middle, freedom) < confidence)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Of each value with the one before it; what lies below 0 tells more, not less, and is not trusted.
 */
static double correlation(const double *values, uint32_t count, double mean, double squares)
{
    double products = 0.0;
    for (uint32_t i = 1; i < count; i++)
        products += (values[i] - mean) * (values[i - 1] - mean);
    double seen = products / squares;
    double n = count;
    if (count >= BIAS_COUNT_MIN)
        seen = (n * seen + 1.0) / (n - 4.0); /* r is seen as r - (1 + 4 r) / n */
    return fmax(0.0, fmin(seen, CORRELATION_MAX));
}

struct mean_95 stats_mean_95(const double *values, uint32_t count)
{
    struct mean_95 result = {.half = NAN};
    if (count == 0)
        return result;
    for (uint32_t i = 0; i < count; i++)
        result.mean += values[i] / count;
    double squares = 0.0;
    for (uint32_t i = 0; i < count; i++)
        squares += (values[i] - result.mean) * (values[i] - result.mean);
    if (count < 2)
        return result;
    double n = count;
    if (squares > 0.0) {
        double r = correlation(values, count, result.mean, squares);
        n = fmax(2.0, n * (1.0 - r) / (1.0 + r));
    }
    result.half = student_95((uint32_t)n - 1) * sqrt(squares / (count - 1.0) / n);
    return result;
}
