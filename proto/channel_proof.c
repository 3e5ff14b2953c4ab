#include "proto/channel_proof.h"

#include "common/base/clock.h"
#include "common/base/units.h"
#include "proto/channel.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PROOF_NS (10 * NS_PER_S) /* of a machine that has no time for us */
#define LOOK_MS  5

/* Who knocks. */
enum caller { LISTED, THROWN_AWAY, PLAIN, CALLERS };

struct proof {
    struct channel *coordinator;
    struct channel *callers[CALLERS];
    struct key_pair keys[CALLERS]; /* none for PLAIN */
    bool turned_away[CALLERS];     /* as it says itself */
};

/* The abstract namespace of Unix sockets: no file, no port, and it works in a container without
 * either. The name is random, so that nobody waits there for us. */
static bool proof_endpoint(char *endpoint, size_t endpoint_bytes, struct error *error)
{
    uint64_t dice = 0;
    if (getrandom(&dice, sizeof dice, 0) != (ssize_t)sizeof dice)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no random numbers from the kernel");
    snprintf(endpoint, endpoint_bytes, "ipc://@clobber-%d-%016" PRIx64, (int)getpid(), dice);
    return true;
}

static bool proof_open(struct proof *proof, const struct key_pair *own,
                       const struct keyring *keyring, struct error *error)
{
    char endpoint[64];
    if (!proof_endpoint(endpoint, sizeof endpoint, error))
        return false;
    proof->coordinator = channel_bind_locked(endpoint, own, keyring, error);
    if (proof->coordinator == NULL)
        return false;
    for (int i = 0; i < CALLERS; i++) {
        proof->callers[i] =
            i == PLAIN ? channel_connect(endpoint, error)
                       : channel_connect_locked(endpoint, &proof->keys[i], own->public_key, error);
        if (proof->callers[i] == NULL)
            return false;
    }
    return true;
}

/* Everybody says the same, as often as there is a connection to say it on. */
static void proof_call(struct proof *proof)
{
    static const struct message word = {.type = MESSAGE_BYE, .seq = 1};
    for (int i = 0; i < CALLERS; i++) {
        struct peer_id from;
        struct message message;
        channel_receive(proof->callers[i], &from, &message, NULL); /* lets it notice what is new */
        channel_send(proof->callers[i], NULL, &word);
        enum channel_handshake news = channel_handshake(proof->callers[i]);
        if (news == CHANNEL_KEY_REFUSED || news == CHANNEL_HUNG_UP)
            proof->turned_away[i] = true;
    }
}

/* Hears what came through. False: it is of somebody who may not be here. */
static bool proof_listen(struct proof *proof, bool *came, struct error *error)
{
    struct peer_id from;
    struct message message;
    enum channel_outcome outcome;
    poll(&(struct pollfd){.fd = channel_descriptor(proof->coordinator), .events = POLLIN}, 1,
         LOOK_MS);
    while ((outcome = channel_receive(proof->coordinator, &from, &message, NULL)) !=
           CHANNEL_EMPTY) {
        if (outcome != CHANNEL_MESSAGE || strcmp(from.key, proof->keys[LISTED].public_key) != 0)
            return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                             "the lock does not hold: somebody came in %s, so there is no use in "
                             "keys here; nothing was started",
                             from.key[0] != '\0' ? "with a key that is not listed"
                                                 : "without a key");
        *came = true;
    }
    return true;
}

static bool proof_watch(struct proof *proof, struct error *error)
{
    bool came = false;
    for (uint64_t end_ns = clock_now_ns() + PROOF_NS;
         clock_now_ns() < end_ns && !proof->turned_away[LISTED];) {
        proof_call(proof);
        if (!proof_listen(proof, &came, error))
            return false;
        if (came && proof->turned_away[THROWN_AWAY] && proof->turned_away[PLAIN] &&
            channel_strangers(proof->coordinator).count > 0)
            return true;
    }
    return error_set(
        error, ERROR_SYSTEM, PLACE_NONE, "the lock could not be proven: %s; nothing was started",
        came ? "a key that is not listed was not refused" : "a listed key did not come in");
}

bool channel_prove(const struct key_pair *own, const struct keyring *keyring, struct error *error)
{
    struct proof proof = {0};
    struct keyring_entry entry = {.name = "proof"};
    struct keyring *larger = NULL;
    bool proven = channel_new_keys(&proof.keys[LISTED], error) &&
                  channel_new_keys(&proof.keys[THROWN_AWAY], error);
    if (proven) {
        memcpy(entry.key, proof.keys[LISTED].public_key, sizeof entry.key);
        larger = keyring_with(keyring, &entry, error);
    }
    proven = larger != NULL && proof_open(&proof, own, larger, error) && proof_watch(&proof, error);
    for (int i = 0; i < CALLERS; i++)
        channel_close(proof.callers[i]);
    channel_close(proof.coordinator);
    keyring_destroy(larger);
    explicit_bzero(&proof, sizeof proof);
    return proven;
}
