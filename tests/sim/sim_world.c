/** Long runs of the simulated world. `sim_world --seeds N [--seed S]`: the worlds of S to S + N -
 * 1, and with --hash one number for all that happened in them; `sim_world --catch N`: the first of
 * so many in which a promise is broken, and there must be one; `sim_world --trace --seed S`: one,
 * with all that happens in it. */
#include "common/base/check.h"
#include "tests/sim/world.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t seed_now; /* for the one that a failed CHECK needs */

static void on_abort(int signal)
{
    (void)signal;
    char text[64];
    int length = snprintf(text, sizeof text, "seed %d aborted\n", (int)seed_now);
    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(2);
}

static bool run(uint64_t seed, FILE *trace, uint64_t *hash)
{
    struct world_result result;
    seed_now = (sig_atomic_t)seed;
    world_run(seed, trace, &result);
    *hash = (*hash << 1 | *hash >> 63) ^ result.hash;
    if (result.broken[0] == '\0')
        return true;
    printf("seed %llu: %s\n", (unsigned long long)seed, result.broken);
    fflush(stdout);
    return false;
}

static int run_all(uint64_t seed, uint64_t seeds, FILE *trace, bool tells_hash)
{
    uint64_t failed = 0;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < seeds; i++)
        failed += !run(seed + i, trace, &hash);
    if (tells_hash)
        printf("hash %016llx\n", (unsigned long long)hash);
    printf("%llu of %llu seeds kept every promise\n", (unsigned long long)(seeds - failed),
           (unsigned long long)seeds);
    return failed == 0 ? 0 : 1;
}

static int catch_one(uint64_t seed, uint64_t seeds)
{
    uint64_t hash = 0;
    for (uint64_t i = 0; i < seeds; i++)
        if (!run(seed + i, NULL, &hash))
            return 0;
    printf("%llu seeds kept every promise: the bug was not caught\n", (unsigned long long)seeds);
    return 1;
}

int main(int count, char **arguments)
{
    uint64_t seed = 1;
    uint64_t seeds = 0;
    bool catches = false;
    bool tells_hash = false;
    FILE *trace = NULL;
    for (int i = 1; i < count; i++) {
        bool valued = i + 1 < count;
        if (strcmp(arguments[i], "--trace") == 0) {
            trace = stdout;
        } else if (strcmp(arguments[i], "--hash") == 0) {
            tells_hash = true;
        } else if (strcmp(arguments[i], "--seed") == 0 && valued) {
            seed = strtoull(arguments[++i], NULL, 10);
        } else if ((strcmp(arguments[i], "--seeds") == 0 || strcmp(arguments[i], "--catch") == 0) &&
                   valued) {
            catches = arguments[i][2] == 'c';
            seeds = strtoull(arguments[++i], NULL, 10);
        }
    }
    if (trace != NULL && seeds == 0)
        seeds = 1;
    if (seeds == 0) {
        fprintf(stderr, "usage: sim_world --seeds N [--hash] | --catch N, [--seed S] [--trace]\n");
        return 2;
    }
    signal(SIGABRT, on_abort);
    return catches ? catch_one(seed, seeds) : run_all(seed, seeds, trace, tells_hash);
}
