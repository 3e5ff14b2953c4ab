#include "common/base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file as it is open, not as it was before: a name can change what it stands for. */
static bool is_guarded(const char *path, const struct stat *file, enum secret_guard guard,
                       struct error *error)
{
    unsigned own = (unsigned)geteuid();
    unsigned mode = (unsigned)file->st_mode & 0777u;
    /* As systemd and Kubernetes hand keys to who is not root: root's own, for a group that root
     * chose to read, and for nobody else. */
    bool kept = guard == SECRET_READ && (mode & 037u) == 0;
    bool given = (guard == SECRET_GIVEN || kept) && file->st_uid == 0 && own != 0;
    if (!S_ISREG(file->st_mode))
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%s is not a file", path);
    if (file->st_uid != own && !given && (guard != SECRET_WRITE || file->st_uid != 0))
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s belongs to user %u, and this is user %u; type: chown %u %s", path,
                         (unsigned)file->st_uid, own, own, path);
    if (guard != SECRET_WRITE && !given && (mode & 077u) != 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s can be read by others (mode %04o); type: chmod 600 %s", path, mode,
                         path);
    if ((mode & 022u) != 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s can be changed by others (mode %04o); type: chmod go-w %s", path, mode,
                         path);
    return true;
}

/* All of it, or -1: the last read() failed. A file of more bytes gives `text_bytes`. */
static ssize_t read_all(int descriptor, char *text, size_t text_bytes)
{
    size_t count = 0;
    while (count < text_bytes) {
        ssize_t got = read(descriptor, text + count, text_bytes - count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        count += (size_t)got;
    }
    return (ssize_t)count;
}

bool secret_file_read(const char *path, enum secret_guard guard, char *text, size_t text_bytes,
                      size_t *length, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "cannot read %s: %s", path,
                         strerror(errno));
    struct stat file;
    bool well = fstat(descriptor, &file) == 0
                    ? is_guarded(path, &file, guard, error)
                    : error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: %s", path, strerror(errno));
    ssize_t count = well ? read_all(descriptor, text, text_bytes) : 0;
    if (count < 0)
        well =
            error_set(error, ERROR_USAGE, PLACE_NONE, "cannot read %s: %s", path, strerror(errno));
    close(descriptor);
    if (well && (size_t)count >= text_bytes)
        well = error_set(error, ERROR_USAGE, PLACE_NONE, "%s is larger than %zu bytes", path,
                         text_bytes - 1);
    if (!well)
        return false;
    text[count] = '\0';
    *length = (size_t)count;
    return true;
}

static bool write_all(int descriptor, const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        ssize_t wrote = write(descriptor, text + at, length - at);
        if (wrote < 0 && errno != EINTR)
            return false;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return fsync(descriptor) == 0;
}

bool secret_file_write(const char *path, unsigned mode, const char *text, struct error *error)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (descriptor < 0 && errno == EEXIST)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s is there already and stays as it is; give another name or folder",
                         path);
    if (descriptor < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write %s: %s", path,
                         strerror(errno));
    bool well = fchmod(descriptor, (mode_t)mode) == 0 && write_all(descriptor, text);
    int code = errno;
    if (close(descriptor) != 0 && well) {
        well = false;
        code = errno;
    }
    if (well)
        return true;
    unlink(path); /* ours, and half of a key is none */
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write %s: %s", path, strerror(code));
}

void secret_file_hide_process(void)
{
    prctl(PR_SET_DUMPABLE, 0);
}
