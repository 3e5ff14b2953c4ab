/** The plugins that this agent's owner allows: shared objects, loaded for the life of the process
 *  before its first lane. The only door to dlfcn.h. */
#ifndef CLOBBER_AGENT_PLUGIN_H
#define CLOBBER_AGENT_PLUGIN_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct clobber_plugin;

#define PLUGINS_MAX 16u /* each is named on the command line */

/** Loads the plugin at `path`. False: ERROR_USAGE, what is wrong with it. */
bool plugin_load(const char *path, struct error *error);

/** The one that calls itself `name[name_bytes]`, or NULL. Static. */
const struct clobber_plugin *plugin_find(const char *name, size_t name_bytes);

#endif
