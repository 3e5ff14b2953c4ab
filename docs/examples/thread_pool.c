/* How many threads should call a service that lets 1000 requests a second pass?
 *
 * Each call takes 10 ms. Ten threads make 1000 calls a second; more bring nothing but a longer wait
 * for all. The pool finds that out by itself, and would find another number if the service changed.
 *
 *   cc thread_pool.c $(pkg-config --cflags --libs clobber) -pthread -o thread_pool && ./thread_pool
 */
#include <clobber/pool.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define LIMIT_PER_S 1000
#define SERVICE_NS  10000000
#define SECONDS     9 /* at most */

/* The service: whoever comes too soon is kept waiting. */
struct service {
    pthread_mutex_t lock;
    long long next_ns; /* when the next one may pass */
};

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_until(long long until_ns)
{
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* The work: one request. It may run in many threads at once. 0 says that it went well. */
static int request(void *context)
{
    struct service *service = context;
    long long began_ns = now_ns();
    pthread_mutex_lock(&service->lock);
    long long pass_ns = service->next_ns > began_ns ? service->next_ns : began_ns;
    service->next_ns = pass_ns + 1000000000 / LIMIT_PER_S;
    pthread_mutex_unlock(&service->lock);
    sleep_until(pass_ns + SERVICE_NS);
    return 0;
}

int main(void)
{
    struct service service = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char message[256];
    struct clobber_options options = {
        .bytes = sizeof options,
        .goal = CLOBBER_MAXIMIZE,
        .error_share_max = 1, /* no bound on errors, and none on latency */
        .concurrency_min = 1,
        .concurrency_max = 64,
        .interval_ns = 100000000,
    };
    struct clobber_pool *pool =
        clobber_pool_start(&options, request, &service, message, sizeof message);
    if (pool == NULL) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    struct clobber_pool_view view = {.bytes = sizeof view};
    for (int second = 1; second <= SECONDS && view.status != CLOBBER_SATURATED; second++) {
        sleep_until(now_ns() + 1000000000);
        clobber_pool_look(pool, &view);
        printf("%d s: %4.1f threads, %4.0f requests/s\n", second, view.concurrency,
               view.throughput_per_s);
    }
    clobber_pool_stop(pool);

    if (view.status == CLOBBER_SATURATED)
        printf("there is no more to be had than with %.1f threads\n", view.concurrency);
    /* Found or still at it: nearly all there is, with about as few as it takes. */
    return view.concurrency < 30 && view.throughput_per_s > 0.8 * LIMIT_PER_S ? 0 : 1;
}
