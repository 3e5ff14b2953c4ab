#include "coordinator/keys.h"

#include "common/base/log.h"
#include "common/base/net.h"
#include "common/base/secret_file.h"
#include "proto/channel_keys.h"
#include "proto/channel_proof.h"

#include <string.h>

#define DESCRIPTORS_AN_AGENT 3u   /* its connection, one that comes while that one goes, one more */
#define DESCRIPTORS_OF_OURS  256u /* sockets, files, loops, and what libraries open */
#define DESCRIPTORS_OF_STRANGERS                                                                   \
    16384u /* a flood's connections of the 2 s that a handshake may take */

static bool check_flags(const struct keys_flags *flags, const char *endpoint, struct error *error)
{
    bool locked = flags->secret_key != NULL;
    if (locked && flags->authorized_keys == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "--secret-key needs --authorized-keys FILE: who may join");
    if (!locked && flags->authorized_keys != NULL)
        return error_set(
            error, ERROR_USAGE, PLACE_NONE,
            "--authorized-keys needs --secret-key FILE; clobber key new DIR makes one");
    if (locked && flags->plaintext)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "--plaintext and --secret-key say opposite things; give one");
    if (locked || flags->plaintext || channel_endpoint_is_local(endpoint))
        return true;
    return error_set(
        error, ERROR_USAGE, PLACE_NONE,
        "%s can be reached by other machines: give --secret-key and --authorized-keys "
        "(clobber key new DIR makes keys), or say --plaintext to go without encryption",
        endpoint);
}

static struct channel *bind_locked(const struct keys_flags *flags, const char *endpoint,
                                   struct keys *keys, struct error *error)
{
    secret_file_hide_process();
    if (!channel_keys_own(flags->secret_key, &keys->own, error))
        return NULL;
    keys->keyring = channel_keys_list(flags->authorized_keys, error);
    if (keys->keyring == NULL || !channel_prove(&keys->own, keys->keyring, error))
        return NULL;
    return channel_bind_locked(endpoint, &keys->own, keys->keyring, error);
}

/* At EMFILE libzmq's listener turns in circles and says nothing. Beside what the fleet takes there
 * is room, where the machine gives it, for strangers until their handshake's time is up. */
static bool reserve_descriptors(uint32_t agents, struct error *error)
{
    uint64_t fleet = DESCRIPTORS_AN_AGENT * (uint64_t)agents + DESCRIPTORS_OF_OURS;
    uint64_t allowed = net_raise_descriptors(fleet + DESCRIPTORS_OF_STRANGERS);
    if (allowed >= fleet)
        return true;
    return error_set(error, ERROR_LIMIT, PLACE_NONE,
                     "%u agents take %llu open files, and this process may have %llu; raise it: "
                     "ulimit -n %llu",
                     agents, (unsigned long long)fleet, (unsigned long long)allowed,
                     (unsigned long long)fleet);
}

struct channel *keys_bind(const struct keys_flags *flags, const char *endpoint, uint32_t agents,
                          struct keys *keys, struct error *error)
{
    *keys = (struct keys){0};
    if (!check_flags(flags, endpoint, error) || !reserve_descriptors(agents, error))
        return NULL;
    if (flags->secret_key != NULL)
        return bind_locked(flags, endpoint, keys, error);
    struct channel *channel = channel_bind(endpoint, error);
    if (channel != NULL && !channel_endpoint_is_local(endpoint))
        log_line(
            LOG_WARNING,
            "--plaintext: whoever reaches %s can read all that agents are told, and pose as one",
            channel_endpoint(channel));
    return channel;
}

void keys_done(struct keys *keys)
{
    keyring_destroy(keys->keyring);
    explicit_bzero(keys, sizeof *keys);
}

bool keys_reload(const struct keys_flags *flags, struct keys *keys, struct channel *channel,
                 struct error *error)
{
    struct keyring *keyring = channel_keys_list(flags->authorized_keys, error);
    if (keyring == NULL)
        return false;
    channel_set_keyring(channel, keyring);
    keyring_destroy(keys->keyring);
    keys->keyring = keyring;
    return true;
}
