#include "coordinator/children.h"

#include "common/base/check.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* A group of its own keeps the terminal's Ctrl-C from the children: the coordinator drains them. */
static bool children_spawn(pid_t *pid, char **arguments, struct error *error)
{
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    int failed = posix_spawn(pid, "/proc/self/exe", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot start an agent: %s",
                         strerror(failed));
    return true;
}

static bool children_folder(struct children *children, struct error *error)
{
    const char *under = getenv("XDG_RUNTIME_DIR");
    if (under == NULL || strlen(under) > 32 || access(under, W_OK) != 0)
        under = "/tmp";
    snprintf(children->folder, sizeof children->folder, "%.32s/clobber-XXXXXX", under);
    if (mkdtemp(children->folder) == NULL)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot make this folder: %s",
                         children->folder, strerror(errno));
    snprintf(children->endpoint, sizeof children->endpoint, "ipc://%s/coordinator",
             children->folder);
    return true;
}

static bool children_start_one(struct children *children, const struct children_plan *plan,
                               struct error *error)
{
    char name[32];
    char lanes[16];
    snprintf(name, sizeof name, "local-%u", children->count + 1);
    snprintf(lanes, sizeof lanes, "%u", plan->lanes);
    const char *own[] = {"clobber", "agent", "--connect", children->endpoint,
                         "--name",  name,    "--allow",   plan->allow,
                         "--lanes", lanes,   "--once",    "--embedded"};
    char *arguments[COUNT(own) + CHILDREN_PASSED_MAX + 1] = {NULL};
    size_t count = 0;
    CHECK(plan->passed_count <= CHILDREN_PASSED_MAX);
    for (size_t i = 0; i < COUNT(own); i++)
        arguments[count++] = (char *)(uintptr_t)own[i];
    for (uint32_t i = 0; i < plan->passed_count; i++)
        arguments[count++] = (char *)(uintptr_t)plan->passed[i];
    if (!children_spawn(&children->pids[children->count], arguments, error))
        return false;
    children->count++;
    children->alive++;
    return true;
}

bool children_start(struct children *children, const struct children_plan *plan,
                    struct error *error)
{
    *children = (struct children){.needed = true};
    if (!children_folder(children, error))
        return false;
    children->pids = calloc(plan->count, sizeof *children->pids);
    if (children->pids == NULL) {
        children_stop(children);
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for %u agents", plan->count);
    }
    while (children->count < plan->count) {
        if (!children_start_one(children, plan, error)) {
            children_stop(children);
            return false;
        }
    }
    return true;
}

bool children_reap(struct children *children, struct error *error)
{
    CHECK(children->count == 0 || children->pids != NULL);
    bool well = true;
    for (uint32_t i = 0; i < children->count; i++) {
        int status = 0;
        if (children->pids[i] == 0 || waitpid(children->pids[i], &status, WNOHANG) <= 0)
            continue;
        children->pids[i] = 0;
        children->alive--;
        if (!children->needed || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
            continue;
        well = WIFSIGNALED(status)
                   ? error_set(error, ERROR_SYSTEM, PLACE_NONE, "agent local-%u was ended by %s",
                               i + 1, strsignal(WTERMSIG(status)))
                   : error_set(error, ERROR_SYSTEM, PLACE_NONE, "agent local-%u ended with exit %d",
                               i + 1, WEXITSTATUS(status));
    }
    return well;
}

/* To those that live. */
static void children_kill(const struct children *children, int signal)
{
    CHECK(children->count == 0 || children->pids != NULL);
    for (uint32_t i = 0; i < children->count; i++)
        if (children->pids[i] != 0)
            kill(children->pids[i], signal);
}

void children_stop(struct children *children)
{
    children->needed = false;
    /* One that never heard of the run would wait for it; the others are on their way out. */
    children_kill(children, SIGTERM);
    for (int waits = 0; children->alive > 0 && waits < 200; waits++) {
        children_reap(children, NULL);
        if (children->alive > 0)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    children_kill(children, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        continue; /* the killed are gone at once; this process has no other children */
    free(children->pids);
    char socket[128];
    snprintf(socket, sizeof socket, "%s/coordinator", children->folder);
    unlink(socket);
    rmdir(children->folder);
    *children = (struct children){0};
}
