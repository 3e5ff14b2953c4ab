/** Seeded random numbers for the simulation: the same on every machine. */
#ifndef CLOBBER_CONTROL_RANDOM_H
#define CLOBBER_CONTROL_RANDOM_H

#include <math.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/** SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** Above 0, below 1. */
static inline double random_uniform(struct random *random)
{
    return ((double)(random_next(random) >> 11) + 0.5) * 0x1p-53;
}

/** Mean 1. */
static inline double random_exponential(struct random *random)
{
    return -log(random_uniform(random));
}

/** Mean 0, variance 1: Box and Muller, "A note on the generation of random normal deviates", 1958.
 */
static inline double random_normal(struct random *random)
{
    double radius = sqrt(2.0 * random_exponential(random));
    return radius * cos(6.283185307179586 * random_uniform(random));
}

#endif
