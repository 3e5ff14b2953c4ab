/* The resolver's own thread, with a name server that says what the test wants. Nothing here sleeps
 * for a while and hopes: await() asks until there is news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/resolver.h"
#include "common/base/check.h"
#include "common/base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#define AWAIT_MS 60000 /* only a failing test ever waits so long */

/* What the name server says: 127.0.0.`last`; 0: nothing. */
static _Atomic uint8_t last;
static _Atomic unsigned asked;

static struct address own_address(uint8_t number)
{
    struct address address = {.bytes = sizeof address.as.v4};
    address.as.v4.sin_family = AF_INET;
    address.as.v4.sin_port = htons(80);
    address.as.v4.sin_addr.s_addr = htonl(0x7f000000u | number);
    return address;
}

/* The linker sends everybody here: --wrap=net_resolve. */
bool __wrap_net_resolve(const char *host, uint16_t port, struct address *addresses, uint32_t *count,
                        struct error *error);
bool __wrap_net_resolve(const char *host, uint16_t port, struct address *addresses, uint32_t *count,
                        struct error *error)
{
    assert_string_equal(host, "shop.test");
    assert_int_equal(port, 80);
    asked++;
    if (last == 0)
        return error_set(error, ERROR_TARGET, PLACE_NONE, "cannot resolve 'shop.test'");
    addresses[0] = own_address(last);
    *count = 1;
    return true;
}

static struct resolver *begin(const struct allow *allow, uint8_t number)
{
    struct assignment assignment = {.workload = "http1", .host = "shop.test", .port = 80};
    assignment.connection.resolve_every_ns = NS_PER_MS;
    struct error error = {0};
    last = number;
    asked = 0;
    struct address address = own_address(number);
    struct resolver *resolver = resolver_create(allow, &assignment, &address, &error);
    assert_non_null(resolver);
    return resolver;
}

static enum resolver_news await(struct resolver *resolver, struct address *address,
                                struct error *error)
{
    enum resolver_news news = RESOLVER_NOTHING;
    for (int i = 0; i < AWAIT_MS && news == RESOLVER_NOTHING; i++) {
        news = resolver_take(resolver, address, error);
        poll(NULL, 0, 1);
    }
    return news;
}

static void await_questions(unsigned count)
{
    for (int i = 0; i < AWAIT_MS && asked < count; i++)
        poll(NULL, 0, 1);
    assert_true(asked >= count);
}

static void a_name_that_stays_is_no_news(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct resolver *resolver = begin(&allow, 1);
    struct address address;
    struct error error = {0};

    await_questions(3);

    assert_int_equal(resolver_take(resolver, &address, &error), RESOLVER_NOTHING);
    resolver_destroy(resolver);
}

static void a_name_that_moves_is_told_once(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct resolver *resolver = begin(&allow, 1);
    struct address address = {0};
    struct error error = {0};
    char text[ADDRESS_TEXT_BYTES];

    last = 2;
    assert_int_equal(await(resolver, &address, &error), RESOLVER_MOVED);

    assert_string_equal(net_address_text(&address, text), "127.0.0.2:80");
    await_questions(asked + 2);
    assert_int_equal(resolver_take(resolver, &address, &error), RESOLVER_NOTHING);
    resolver_destroy(resolver);
}

static void a_name_that_is_gone_is_told_with_its_reason(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct resolver *resolver = begin(&allow, 1);
    struct address address;
    struct error error = {0};

    last = 0;

    assert_int_equal(await(resolver, &address, &error), RESOLVER_FAILED);
    assert_string_equal(error.message, "cannot resolve 'shop.test'");
    resolver_destroy(resolver);
}

static void a_name_that_moves_where_nothing_is_allowed_stays(void **state)
{
    (void)state;
    struct allow allow = {0};
    struct error error = {0};
    assert_true(allow_add(&allow, "127.0.0.1", &error));
    struct resolver *resolver = begin(&allow, 1);
    struct address address;

    last = 2;

    assert_int_equal(await(resolver, &address, &error), RESOLVER_FAILED);
    assert_non_null(strstr(error.message, "owner does not allow"));
    resolver_destroy(resolver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_stays_is_no_news),
        cmocka_unit_test(a_name_that_moves_is_told_once),
        cmocka_unit_test(a_name_that_is_gone_is_told_with_its_reason),
        cmocka_unit_test(a_name_that_moves_where_nothing_is_allowed_stays),
    };
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
