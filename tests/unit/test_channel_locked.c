#include "proto/channel.h"
#include "proto/channel_proof.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/units.h"
#include "tests/support/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* A wait is for an event, and this only bounds it: only a failing test ever waits so long. */
#define PATIENCE_NS (60 * NS_PER_S)
#define LOOK_MS     5

/* A coordinator that lists one agent of two. */
struct fleet {
    struct key_pair coordinator_keys, listed, stranger;
    struct keyring *keyring;
    struct channel *coordinator;
};

static struct keyring *keyring_of(const char *text)
{
    struct error error = {0};
    struct keyring *keyring = keyring_read(text, strlen(text), "keys", &error);
    if (keyring == NULL)
        fail_msg("%s", error.message);
    return keyring;
}

static void open_fleet(struct fleet *fleet)
{
    char text[128];
    struct error error = {0};
    assert_true(channel_new_keys(&fleet->coordinator_keys, &error));
    assert_true(channel_new_keys(&fleet->listed, &error));
    assert_true(channel_new_keys(&fleet->stranger, &error));
    snprintf(text, sizeof text, "north %s\n", fleet->listed.public_key);
    fleet->keyring = keyring_of(text);
    fleet->coordinator =
        channel_bind_locked("tcp://127.0.0.1:0", &fleet->coordinator_keys, fleet->keyring, &error);
    if (fleet->coordinator == NULL)
        fail_msg("%s", error.message);
}

static void close_fleet(struct fleet *fleet)
{
    channel_close(fleet->coordinator);
    keyring_destroy(fleet->keyring);
}

static struct channel *agent_with(const struct fleet *fleet, const struct key_pair *own,
                                  const char *server_key)
{
    struct error error = {0};
    struct channel *agent =
        channel_connect_locked(channel_endpoint(fleet->coordinator), own, server_key, &error);
    if (agent == NULL)
        fail_msg("%s", error.message);
    return agent;
}

/* One more turn of both sides. */
static void turn(struct fleet *fleet, struct channel *agent)
{
    struct message hello = messages_example(MESSAGE_HELLO), message;
    struct peer_id from;
    channel_receive(agent, &from, &message, NULL);
    channel_send(agent, NULL, &hello);
    poll(&(struct pollfd){.fd = channel_descriptor(fleet->coordinator), .events = POLLIN}, 1,
         LOOK_MS);
}

/* The first thing that the coordinator hears while the agent says HELLO. */
static enum channel_outcome hear(struct fleet *fleet, struct channel *agent, struct peer_id *from,
                                 struct message *message)
{
    for (uint64_t end_ns = clock_now_ns() + PATIENCE_NS; clock_now_ns() < end_ns;) {
        enum channel_outcome outcome = channel_receive(fleet->coordinator, from, message, NULL);
        if (outcome != CHANNEL_EMPTY)
            return outcome;
        turn(fleet, agent);
    }
    fail_msg("nothing came");
    return CHANNEL_EMPTY;
}

/* What the agent learns of its connection; the coordinator hears nothing meanwhile. */
static enum channel_handshake knock(struct fleet *fleet, struct channel *agent)
{
    for (uint64_t end_ns = clock_now_ns() + PATIENCE_NS; clock_now_ns() < end_ns;) {
        struct peer_id from;
        struct message message;
        enum channel_handshake news = channel_handshake(agent);
        if (news != CHANNEL_NO_NEWS)
            return news;
        assert_int_equal(channel_receive(fleet->coordinator, &from, &message, NULL), CHANNEL_EMPTY);
        turn(fleet, agent);
    }
    fail_msg("no news");
    return CHANNEL_NO_NEWS;
}

static void a_listed_key_comes_in_under_its_own_name(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    open_fleet(&fleet);
    struct channel *agent = agent_with(&fleet, &fleet.listed, fleet.coordinator_keys.public_key);
    struct peer_id from;
    struct message message;

    assert_int_equal(hear(&fleet, agent, &from, &message), CHANNEL_MESSAGE);

    assert_string_equal(from.key, fleet.listed.public_key);
    assert_string_equal(message.as.hello.name, "north"); /* it said eu-1 */
    assert_int_equal(channel_strangers(fleet.coordinator).count, 0);
    assert_int_equal(channel_handshake(agent), CHANNEL_LET_IN);
    assert_int_equal(channel_handshake(agent), CHANNEL_NO_NEWS);
    channel_close(agent);
    close_fleet(&fleet);
}

static void a_key_that_is_not_listed_is_refused_and_told(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    open_fleet(&fleet);
    struct channel *agent = agent_with(&fleet, &fleet.stranger, fleet.coordinator_keys.public_key);

    assert_int_equal(knock(&fleet, agent), CHANNEL_KEY_REFUSED);

    struct channel_strangers strangers = channel_strangers(fleet.coordinator);
    assert_int_equal(strangers.count, 1);
    assert_string_equal(strangers.key, fleet.stranger.public_key);
    assert_string_equal(strangers.host, "127.0.0.1");
    channel_close(agent);
    close_fleet(&fleet);
}

static void a_coordinator_with_another_key_is_not_obeyed(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    open_fleet(&fleet);
    struct channel *agent = agent_with(&fleet, &fleet.listed, fleet.stranger.public_key);

    assert_int_equal(knock(&fleet, agent), CHANNEL_HUNG_UP);

    assert_int_equal(channel_strangers(fleet.coordinator).count, 0);
    channel_close(agent);
    close_fleet(&fleet);
}

static void an_agent_without_keys_stays_outside(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    struct error error = {0};
    open_fleet(&fleet);
    struct channel *agent = channel_connect(channel_endpoint(fleet.coordinator), &error);
    assert_non_null(agent);

    assert_int_equal(knock(&fleet, agent), CHANNEL_HUNG_UP);

    channel_close(agent);
    close_fleet(&fleet);
}

static void who_was_taken_from_the_list_is_heard_no_more(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    open_fleet(&fleet);
    struct channel *agent = agent_with(&fleet, &fleet.listed, fleet.coordinator_keys.public_key);
    struct peer_id from;
    struct message message;
    assert_int_equal(hear(&fleet, agent, &from, &message), CHANNEL_MESSAGE);
    char text[128];
    snprintf(text, sizeof text, "north %s\n", fleet.stranger.public_key);
    struct keyring *other = keyring_of(text);

    channel_set_keyring(fleet.coordinator, other);

    assert_int_equal(hear(&fleet, agent, &from, &message), CHANNEL_BARRED);
    assert_string_equal(from.key, fleet.listed.public_key);
    struct channel *newcomer =
        agent_with(&fleet, &fleet.stranger, fleet.coordinator_keys.public_key);
    do
        turn(&fleet, newcomer);
    while (hear(&fleet, newcomer, &from, &message) == CHANNEL_BARRED); /* what still waited */
    assert_string_equal(from.key, fleet.stranger.public_key);
    channel_close(newcomer);
    channel_close(agent);
    close_fleet(&fleet);
    keyring_destroy(other);
}

static void the_lock_proves_itself(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    struct error error = {0};
    open_fleet(&fleet);
    if (!channel_prove(&fleet.coordinator_keys, fleet.keyring, &error))
        fail_msg("%s", error.message);
    close_fleet(&fleet);
}

/* A public half that is another's: nobody can talk to us, which is no lock but a wall. */
static void a_pair_that_does_not_belong_together_is_found(void **state)
{
    (void)state;
    struct fleet fleet = {0};
    struct error error = {0};
    open_fleet(&fleet);
    struct key_pair mixed = fleet.coordinator_keys;
    memcpy(mixed.public_key, fleet.stranger.public_key, sizeof mixed.public_key);

    assert_false(channel_prove(&mixed, fleet.keyring, &error));

    assert_int_equal(error.kind, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, "a listed key did not come in"));
    close_fleet(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_key_comes_in_under_its_own_name),
        cmocka_unit_test(a_key_that_is_not_listed_is_refused_and_told),
        cmocka_unit_test(a_coordinator_with_another_key_is_not_obeyed),
        cmocka_unit_test(an_agent_without_keys_stays_outside),
        cmocka_unit_test(who_was_taken_from_the_list_is_heard_no_more),
        cmocka_unit_test(the_lock_proves_itself),
        cmocka_unit_test(a_pair_that_does_not_belong_together_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
