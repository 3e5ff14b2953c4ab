/* A program with an event loop of its own asks ten times a second how many jobs to run at once.
 *
 * It wants to end 1000 jobs a second. A job takes 20 ms, and after two seconds 40 ms: then it takes
 * twice as many at once. No thread: epoll, and a timer for each job, which stands for a socket.
 *
 *   cc event_loop.c $(pkg-config --cflags --libs clobber) -o event_loop && ./event_loop
 */
#include <clobber/clobber.h>

#include <math.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX    200
#define INTERVAL_NS 100000000
#define STEPS       60

struct job {
    int timer;
    long long since_ns; /* 0: it does not run */
};

static struct job jobs[JOBS_MAX];
static int running;

/* Of the interval so far. in_flight_mean is still the sum of the time that jobs ran. */
static struct clobber_sample sample;
static long long interval_ns; /* when it began */
static long long changed_ns;  /* when `running` last changed */

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void set_timer(int timer, long first_ns, long repeat_ns)
{
    struct itimerspec times = {{.tv_nsec = repeat_ns}, {.tv_nsec = first_ns}};
    timerfd_settime(timer, 0, &times, NULL);
}

static void count_running(long long now, int change)
{
    sample.in_flight_mean += running * (double)(now - changed_ns);
    changed_ns = now;
    running += change;
}

static void start_jobs(int concurrency, long service_ns)
{
    long long now = now_ns();
    for (int i = 0; i < JOBS_MAX && running < concurrency; i++) {
        if (jobs[i].since_ns > 0)
            continue;
        count_running(now, +1);
        jobs[i].since_ns = now;
        set_timer(jobs[i].timer, service_ns, 0);
    }
}

static void end_job(struct job *job)
{
    long long now = now_ns();
    double latency_ns = (double)(now - job->since_ns);
    count_running(now, -1);
    job->since_ns = 0;
    sample.completed++;
    sample.latency_ns_mean += (latency_ns - sample.latency_ns_mean) / (double)sample.completed;
}

/* An interval is over: says what was seen, and is told what to do in the next one. */
static struct clobber_advice ask(struct clobber_tuner *tuner)
{
    struct clobber_advice advice = {.bytes = sizeof advice};
    long long now = now_ns();
    count_running(now, 0);
    sample.bytes = sizeof sample;
    sample.interval_ns = (uint64_t)(now - interval_ns);
    sample.in_flight_mean /= (double)(now - interval_ns);
    sample.generator_load = -1; /* unknown */
    clobber_tuner_step(tuner, &sample, &advice);
    sample = (struct clobber_sample){0};
    interval_ns = now;
    return advice;
}

static int watched_timer(int loop, uint32_t index)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event);
    return timer;
}

int main(void)
{
    char message[256];
    struct clobber_options options = {.bytes = sizeof options,
                                      .goal = CLOBBER_HOLD,
                                      .target_per_s = 1000,
                                      .concurrency_max = JOBS_MAX,
                                      .interval_ns = INTERVAL_NS};
    struct clobber_tuner *tuner = clobber_tuner_create(&options, message, sizeof message);
    if (tuner == NULL) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    int loop = epoll_create1(0);
    for (uint32_t i = 0; i < JOBS_MAX; i++)
        jobs[i].timer = watched_timer(loop, i);
    int clock = watched_timer(loop, JOBS_MAX);
    set_timer(clock, INTERVAL_NS, INTERVAL_NS);
    interval_ns = changed_ns = now_ns();

    struct clobber_advice advice = {.bytes = sizeof advice};
    clobber_tuner_step(tuner, NULL, &advice); /* where to start */
    for (int step = 0; step < STEPS;) {
        /* Of 20 or 40 jobs, whole ones are near enough. */
        start_jobs((int)lround(advice.concurrency), step < 20 ? 20000000 : 40000000);
        struct epoll_event event;
        uint64_t expired;
        if (epoll_wait(loop, &event, 1, -1) < 1)
            continue;
        int timer = event.data.u32 == JOBS_MAX ? clock : jobs[event.data.u32].timer;
        if (read(timer, &expired, sizeof expired) < 0)
            continue;
        if (timer != clock) {
            end_job(&jobs[event.data.u32]);
            continue;
        }
        int ended = (int)sample.completed;
        advice = ask(tuner);
        if (++step % 5 == 0)
            printf("%.1f s: %3d jobs ended in 0.1 s, run %.1f at once\n", step / 10.0, ended,
                   advice.concurrency);
    }
    clobber_tuner_destroy(tuner);
    printf(advice.status == CLOBBER_STEADY ? "held\n" : "not held\n");
    return advice.status == CLOBBER_STEADY ? 0 : 1;
}
