/* Command `key new`: makes pairs of keys for a fleet. */
#include "common/base/check.h"
#include "common/base/flags.h"
#include "common/base/harmless.h"
#include "common/base/secret_file.h"
#include "common/command.h"
#include "coordinator/leave.h"
#include "proto/channel_keys.h"

#include <stdio.h>
#include <string.h>

#define NAME_DEFAULT "agent"
#define NAMES_MAX    256u /* a fleet in one command */

static void explain(FILE *stream)
{
    fprintf(stream, "\nFor each NAME (default: " NAME_DEFAULT
                    "): DIR/NAME.key, the secret half, mode 0600, for --secret-key there;\n"
                    "and DIR/NAME.pub, the public half: a line for the coordinator's "
                    "--authorized-keys, and the\n"
                    "coordinator's own for --server-key at the agents. Nothing is overwritten.\n");
}

static const struct flags flags = {
    .command = "key",
    .usage = "clobber key new DIR [NAME...]",
    .about = "Makes key pairs, with which coordinator and agents know each other and encrypt.",
    .example = "clobber key new keys coordinator eu-1 eu-2",
    .words_min = 2,
    .words_max = 2 + NAMES_MAX,
    .explain = explain,
};

static bool make(const char *folder, const char *name, struct error *error)
{
    struct key_pair pair;
    char shown[1024];
    bool made = channel_keys_make(folder, name, &pair, error);
    if (made)
        printf("%s/%s.key  %s\n", harmless_text(folder, shown, sizeof shown), name,
               pair.public_key);
    explicit_bzero(&pair, sizeof pair);
    return made;
}

static int make_all(const char *const *words, size_t count)
{
    static const char *const only[] = {NAME_DEFAULT};
    struct error error = {0};
    if (strcmp(words[0], "new") != 0) {
        error_set(&error, ERROR_USAGE, PLACE_NONE, "'clobber key' knows one word: new DIR");
        return leave_for(&error);
    }
    const char *const *names = count > 2 ? words + 2 : only;
    size_t name_count = count > 2 ? count - 2 : 1;
    secret_file_hide_process();
    for (size_t i = 0; i < name_count; i++)
        if (!make(words[1], names[i], &error))
            return leave_for(&error);
    return EXIT_MET;
}

int command_key(int count, char **arguments)
{
    struct error error = {0};
    const char *words[2 + NAMES_MAX] = {NULL};
    size_t words_count = 0;
    int code = EXIT_MET;
    if (leave_after(flags_read(&flags, count, arguments, NULL, words, &words_count, &error), &error,
                    &code))
        return code;
    return make_all(words, words_count);
}
