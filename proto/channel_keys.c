#include "proto/channel_keys.h"

#include "common/base/harmless.h"
#include "common/base/secret_file.h"
#include "proto/channel.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool path_of(const char *folder, const char *name, const char *ending, char *path,
                    struct error *error)
{
    int length = snprintf(path, PATH_MAX, "%s/%s.%s", folder, name, ending);
    return (length > 0 && length < PATH_MAX) ||
           error_set(error, ERROR_USAGE, PLACE_NONE, "the folder's name is too long");
}

static bool make_folder(const char *folder, struct error *error)
{
    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return true;
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot make the folder %s: %s", folder,
                     strerror(errno));
}

bool channel_keys_make(const char *folder, const char *name, struct key_pair *pair,
                       struct error *error)
{
    char secret[PATH_MAX], open[PATH_MAX], text[KEY_FILE_BYTES_MAX], shown[4 * PATH_MAX];
    if (!key_name_is_fine(name, strlen(name)))
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%.200s' is no name of a key; give letters, digits, - _ and dots, %u at "
                         "most",
                         harmless_text(name, shown, sizeof shown), KEY_NAME_BYTES_MAX);
    if (!make_folder(folder, error) || !path_of(folder, name, "key", secret, error) ||
        !path_of(folder, name, "pub", open, error) || !channel_new_keys(pair, error))
        return false;
    if (!secret_file_write(secret, 0600, key_secret_file(pair, name, text), error))
        return false;
    if (secret_file_write(open, 0644, key_public_file(pair, name, text), error))
        return true;
    unlink(secret); /* made a moment ago; without its other half it is of no use */
    return false;
}

bool channel_keys_own(const char *path, struct key_pair *pair, struct error *error)
{
    char text[KEY_FILE_BYTES_MAX];
    size_t length;
    bool read = secret_file_read(path, SECRET_READ, text, sizeof text, &length, error) &&
                key_read_secret_file(text, length, path, pair, error);
    explicit_bzero(text, sizeof text);
    return read;
}

struct keyring *channel_keys_list(const char *path, struct error *error)
{
    size_t length;
    struct keyring *keyring = NULL;
    char *text = malloc(KEYRING_BYTES_MAX);
    if (text == NULL)
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for keys");
    else if (secret_file_read(path, SECRET_WRITE, text, KEYRING_BYTES_MAX, &length, error))
        keyring = keyring_read(text, length, path, error);
    free(text);
    return keyring;
}

bool channel_keys_server(const char *word, char *key, struct error *error)
{
    char text[KEY_FILE_BYTES_MAX];
    size_t length;
    return key_read(word, strlen(word), key) ||
           (secret_file_read(word, SECRET_WRITE, text, sizeof text, &length, error) &&
            key_read_public_file(text, length, word, key, error));
}
