#include "coordinator/plan_tls.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES (ERROR_MESSAGE_BYTES - 64)

static struct place place_of(const struct node *root, const char *word)
{
    const struct node *map = node_find(node_find(root, "http"), "tls");
    const struct node *node = node_find(map, word);
    return node != NULL ? node->place : PLACE_NONE;
}

/* Whether it is PEM is told here, where the file is; what it holds, the agent finds that uses it.
 */
static bool load_pem(const struct reading *reading, const char *file, size_t bytes_max, char **pem,
                     struct error *error)
{
    size_t bytes = 0;
    if (reading->files == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "%s: there are no files here", file);
    if (!reading->files->load(reading->files->context, file, bytes_max, pem, &bytes, error))
        return false;
    if (strlen(*pem) == bytes && strstr(*pem, "-----BEGIN ") != NULL)
        return true;
    return error_set(error, ERROR_PLAN, PLACE_NONE, "%s is no PEM: it has no -----BEGIN", file);
}

static void load(struct reading *reading, const struct node *root, const char *word,
                 const char *file, size_t bytes_max, char **pem)
{
    struct error error = {0};
    char text[SENTENCE_BYTES];
    if (file == NULL || load_pem(reading, file, bytes_max, pem, &error))
        return;
    plan_errors_add(reading->errors, error.kind, place_of(root, word), "http.tls.%s: %s", word,
                    error_text(&error, text, sizeof text));
}

void plan_tls_load(struct reading *reading, const struct node *root)
{
    struct plan_tls *tls = &reading->plan->tls_options;
    if (tls->certificate_file != NULL && tls->key_file == NULL)
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "certificate"),
                        "http.tls.certificate without http.tls.key; give both, or neither");
    if (tls->key_file != NULL && tls->certificate_file == NULL)
        plan_errors_add(reading->errors, ERROR_PLAN, place_of(root, "key"),
                        "http.tls.key without http.tls.certificate; give both, or neither");
    if (tls->authority_file != NULL && !tls->verify)
        plan_errors_add(
            reading->errors, ERROR_PLAN, place_of(root, "ca"),
            "http.tls.ca and verify: false; whom to trust matters only to who verifies");
    load(reading, root, "ca", tls->authority_file, CA_BYTES_MAX, &tls->authority);
    load(reading, root, "certificate", tls->certificate_file, PEM_BYTES_MAX, &tls->certificate);
    load(reading, root, "key", tls->key_file, PEM_BYTES_MAX, &tls->key);
}
