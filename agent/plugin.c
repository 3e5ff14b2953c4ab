#include "agent/plugin.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <clobber/plugin.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/* Of the process, as what dlopen() brings is: no second copy could exist. As we know them, and zero
 * where a plugin is older. */
static struct clobber_plugin plugins[PLUGINS_MAX];
static uint32_t plugin_count;

/* Why it is of no use, or NULL. */
static const char *mistake_of(const struct clobber_plugin *plugin)
{
    if (plugin->bytes < offsetof(struct clobber_plugin, name))
        return "its `bytes` is not sizeof(struct clobber_plugin)";
    if (plugin->version != CLOBBER_PLUGIN_VERSION)
        return "it is of another version than this clobber; build it again";
    if (plugin->bytes < sizeof *plugin)
        return "its `bytes` is not sizeof(struct clobber_plugin)";
    if (plugin->name == NULL || plugin->name[0] == '\0' || strlen(plugin->name) > NAME_BYTES_MAX ||
        strspn(plugin->name, NAME_LETTERS) != strlen(plugin->name))
        return "its name is no word of letters, digits, '-', '_' and '.'";
    if (plugin->configure == NULL || plugin->release == NULL || plugin->begin == NULL ||
        plugin->feed == NULL)
        return "it lacks one of configure, release, begin and feed";
    if (plugin_find(plugin->name, strlen(plugin->name)) != NULL)
        return "another one has the same name";
    return NULL;
}

bool plugin_load(const char *path, struct error *error)
{
    char whole[PATH_MAX];
    if (plugin_count == PLUGINS_MAX)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "more than %u plugins", PLUGINS_MAX);
    /* A name without a '/' would be looked for where libraries are. */
    snprintf(whole, sizeof whole, strchr(path, '/') != NULL ? "%s" : "./%s", path);
    void *object = dlopen(whole, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "plugin %.100s", dlerror());
    const struct clobber_plugin *plugin = dlsym(object, "clobber_plugin");
    const char *mistake = plugin == NULL ? "it defines no clobber_plugin" : mistake_of(plugin);
    if (mistake != NULL) {
        dlclose(object);
        return error_set(error, ERROR_USAGE, PLACE_NONE, "plugin %.100s: %s", path, mistake);
    }
    plugins[plugin_count++] = *plugin;
    return true;
}

const struct clobber_plugin *plugin_find(const char *name, size_t name_bytes)
{
    for (uint32_t i = 0; i < plugin_count; i++) {
        if (strlen(plugins[i].name) == name_bytes && memcmp(plugins[i].name, name, name_bytes) == 0)
            return &plugins[i];
    }
    return NULL;
}
