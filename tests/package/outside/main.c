/* Somebody else's program. Its own names are some that the library uses within. */
#include <clobber/pool.h>

#include <stdio.h>

int estimator_add(void);
int estimator_add(void)
{
    return 0;
}

static int work(void *context)
{
    return *(int *)context;
}

int main(void)
{
    int answer = estimator_add();
    char message[256];
    struct clobber_options options = {.bytes = sizeof options,
                                      .goal = CLOBBER_HOLD,
                                      .target_per_s = 200,
                                      .concurrency_max = 4,
                                      .interval_ns = 20000000};
    struct clobber_pool *pool =
        clobber_pool_start(&options, work, &answer, message, sizeof message);
    if (pool == NULL) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    struct clobber_pool_view view = {.bytes = sizeof view};
    while (view.completed == 0)
        clobber_pool_look(pool, &view);
    clobber_pool_stop(pool);
    return view.failed > 0;
}
