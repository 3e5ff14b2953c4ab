#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/base/net.h"
#include "tests/support/habits.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* only a failing test ever waits so long for loopback */

static struct address resolve_one(const char *host, uint16_t port)
{
    struct address addresses[ADDRESSES_MAX];
    uint32_t count = 0;
    struct error error = {0};
    if (!net_resolve(host, port, addresses, &count, &error))
        fail_msg("%s", error.message);
    return addresses[0];
}

static int listen_at(const char *host, struct address *address)
{
    struct address any_port = resolve_one(host, 0);
    struct error error = {0};
    int descriptor = net_listen(&any_port, false, 8, &error);
    if (descriptor < 0)
        fail_msg("%s", error.message);
    *address = resolve_one(host, net_port(descriptor));
    return descriptor;
}

static void wait_for(int descriptor, short events)
{
    struct pollfd poller = {.fd = descriptor, .events = events};
    assert_int_equal(poll(&poller, 1, PATIENCE_MS), 1);
}

/* Connects and waits for the outcome: 0 or an errno. */
static int connect_to(const struct address *address)
{
    bool connected = false;
    int descriptor = net_connect(&(struct route){.to = *address}, &connected);
    if (descriptor < 0)
        return -descriptor;
    if (!connected)
        wait_for(descriptor, POLLOUT);
    int result = net_connect_result(descriptor);
    close(descriptor);
    return result;
}

struct text_case {
    const char *name;
    const char *host;
    const char *text;
};

static const struct text_case text_cases[] = {
    {"resolve_takes_ipv4_text", "127.0.0.1", "127.0.0.1:80"},
    {"resolve_takes_ipv6_text", "::1", "[::1]:80"},
    {"resolve_takes_ipv6_text_in_brackets", "[2001:db8::7]", "[2001:db8::7]:80"},
    {"resolve_takes_the_longest_ipv6_text", "1111:2222:3333:4444:5555:6666:7777:8888",
     "[1111:2222:3333:4444:5555:6666:7777:8888]:80"},
};

static void resolves_to(void **state)
{
    const struct text_case *row = *state;
    char text[ADDRESS_TEXT_BYTES];

    struct address address = resolve_one(row->host, 80);

    assert_string_equal(net_address_text(&address, text), row->text);
}

static void resolve_knows_localhost_as_loopback(void **state)
{
    (void)state;
    struct address address = resolve_one("localhost", 80);

    assert_true(net_is_loopback(&address));
}

static void resolve_takes_no_host_for_every_address_of_this_machine(void **state)
{
    (void)state;
    struct address address = resolve_one("", 80);

    assert_false(net_is_loopback(&address));
    if (address.as.any.sa_family == AF_INET)
        assert_int_equal(address.as.v4.sin_addr.s_addr, htonl(INADDR_ANY));
    else
        assert_true(IN6_IS_ADDR_UNSPECIFIED(&address.as.v6.sin6_addr));
}

static void resolve_names_the_host_that_nobody_knows(void **state)
{
    (void)state;
    struct address addresses[ADDRESSES_MAX];
    uint32_t count = 7;
    struct error error = {0};

    assert_false(net_resolve("not a\x1bhost", 80, addresses, &count, &error));

    assert_int_equal(error.kind, ERROR_TARGET);
    assert_non_null(strstr(error.message, "cannot resolve 'not a\\x1Bhost': "));
    assert_int_equal(count, 7);
}

static void resolve_refuses_a_host_that_is_too_long(void **state)
{
    (void)state;
    char host[300];
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    struct address addresses[ADDRESSES_MAX];
    uint32_t count = 0;
    struct error error = {0};

    assert_false(net_resolve(host, 80, addresses, &count, &error));

    assert_non_null(strstr(error.message, "at most 255 characters"));
}

static void split_takes_host_and_port_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"example.org:80", "example.org", 80},
        {"[::1]:443", "::1", 443},
        {":8080", "", 8080},
        {"h:0", "h", 0},
        {"h:65535", "h", 65535},
        {"1234567:1", "1234567", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char host[16];
        uint16_t port = 1;
        struct error error = {0};
        if (!net_split(cases[i].text, host, sizeof host, &port, &error))
            fail_msg("%s", error.message);
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

static void split_refuses_what_is_no_host_and_port(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "localhost",
        "h:",
        "h:x",
        "h:65536",
        "h:-1",
        "h: 80",
        "::1:80",
        "[::1]",
        "[::1:80",
        "a[b:80",
        "h:80/path",
        "h:+8",
        "[a]b]:1",
        "h:99999999999999999999",
        "a-name-of-sixteen:80",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        char host[16] = "untouched";
        uint16_t port = 77;
        struct error error = {0};
        if (net_split(bad[i], host, sizeof host, &port, &error))
            fail_msg("'%s' is taken as '%s' and %u", bad[i], host, port);
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_string_equal(host, "untouched");
        assert_int_equal(port, 77);
    }
}

static void loopback_is_known_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.255.255.255", true},
        {"126.255.255.255", false},
        {"128.0.0.1", false},
        {"::1", true},
        {"::2", false},
        {"::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.1", false},
        {"0.0.0.0", false},
        {"::", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address address = resolve_one(cases[i].host, 1);
        if (net_is_loopback(&address) != cases[i].loopback)
            fail_msg("%s", cases[i].host);
    }
}

static void a_connection_reaches_the_listener(void **state)
{
    (void)state;
    struct address address;
    int listener = listen_at("127.0.0.1", &address);

    assert_int_equal(connect_to(&address), 0);

    wait_for(listener, POLLIN);
    close(listener);
}

static void sockets_do_not_block_nor_outlive_exec_and_send_at_once(void **state)
{
    (void)state;
    struct address address;
    int listener = listen_at("127.0.0.1", &address);
    bool connected = false;
    int descriptor = net_connect(&(struct route){.to = address}, &connected);
    assert_true(descriptor >= 0);

    int no_delay = 0;
    socklen_t bytes = sizeof no_delay;
    assert_int_equal(getsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &no_delay, &bytes), 0);
    assert_true(no_delay != 0);
    const int both[] = {listener, descriptor};
    for (size_t i = 0; i < COUNT(both); i++) {
        assert_true((fcntl(both[i], F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(both[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    close(descriptor);
    close(listener);
}

static void nobody_listening_is_a_refused_connection(void **state)
{
    (void)state;
    int nobody = -1;
    struct address address = habits_nobody(&nobody);

    assert_int_equal(connect_to(&address), ECONNREFUSED);
    close(nobody);
}

/* A port of those that the kernel gives to outgoing connections, with nobody at it: one that it has
 * just given, and got back by a reset. */
static struct address outgoing_address(void)
{
    struct address address;
    int listener = listen_at("127.0.0.1", &address);
    bool connected = false;
    int descriptor = net_connect(&(struct route){.to = address}, &connected);
    assert_true(descriptor >= 0);
    struct address own = resolve_one("127.0.0.1", net_port(descriptor));
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(descriptor);
    close(listener);
    return own;
}

static void a_socket_never_meets_itself(void **state)
{
    (void)state;
    struct address address = outgoing_address();

    /* The kernel walks through half of its 28,000 ports, so it comes by this one at least once. It
     * may give it to somebody else's listener meanwhile, and then there is one to meet. */
    for (int i = 0; i < 30000; i++) {
        bool connected = false;
        int descriptor = net_connect(&(struct route){.to = address}, &connected);
        if (descriptor < 0) {
            assert_int_equal(descriptor, -ECONNREFUSED);
            continue;
        }
        assert_int_not_equal(net_port(descriptor), ntohs(address.as.v4.sin_port));
        close(descriptor);
    }
}

static void a_port_that_is_taken_is_named(void **state)
{
    (void)state;
    struct address address;
    int listener = listen_at("127.0.0.1", &address);
    struct error error = {0};
    char text[ADDRESS_TEXT_BYTES];

    assert_int_equal(net_listen(&address, false, 8, &error), -1);

    assert_int_equal(error.kind, ERROR_SYSTEM);
    assert_non_null(strstr(error.message, net_address_text(&address, text)));
    assert_non_null(strstr(error.message, strerror(EADDRINUSE)));
    close(listener);
}

static void a_shared_port_can_be_listened_at_twice(void **state)
{
    (void)state;
    struct address any_port = resolve_one("127.0.0.1", 0);
    struct error error = {0};
    int first = net_listen(&any_port, true, 8, &error);
    assert_true(first >= 0);
    struct address address = resolve_one("127.0.0.1", net_port(first));

    int second = net_listen(&address, true, 8, &error);

    assert_true(second >= 0);
    close(first);
    close(second);
}

static void a_connection_leaves_from_the_address_that_it_is_told(void **state)
{
    (void)state;
    struct route route = {.from = resolve_one("127.0.0.9", 0)};
    int listener = listen_at("127.0.0.1", &route.to);
    bool connected = false;
    int descriptor = net_connect(&route, &connected);
    assert_true(descriptor >= 0);

    wait_for(listener, POLLIN);
    struct address peer = {.bytes = sizeof peer.as};
    int accepted = accept(listener, &peer.as.any, &peer.bytes);

    assert_true(accepted >= 0);
    assert_int_equal(ntohl(peer.as.v4.sin_addr.s_addr), 0x7f000009);
    close(accepted);
    close(descriptor);
    close(listener);
}

static void an_address_that_is_not_ours_is_known_as_such(void **state)
{
    (void)state;
    struct address own = resolve_one("127.0.0.1", 0);
    struct address strange = resolve_one("192.0.2.1", 0); /* RFC 5737: nobody's */
    struct route route = {.to = resolve_one("127.0.0.1", 1), .from = strange};
    bool connected = false;

    assert_true(net_is_own(&own));
    assert_false(net_is_own(&strange));
    assert_int_equal(net_connect(&route, &connected), -EADDRNOTAVAIL);
}

static void a_unix_socket_is_a_target_like_any_other(void **state)
{
    (void)state;
    char folder[] = "/tmp/clobber-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64], text[ADDRESS_TEXT_BYTES], expected[ADDRESS_TEXT_BYTES];
    snprintf(path, sizeof path, "%s/socket", folder);
    struct address address;
    struct error error = {0};

    assert_true(net_local_address(path, &address, &error));
    assert_int_equal(connect_to(&address), ENOENT);
    int listener = net_listen(&address, false, 8, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(connect_to(&address), 0);
    close(listener);
    assert_int_equal(connect_to(&address), ECONNREFUSED);
    snprintf(expected, sizeof expected, "unix:%s", path);
    assert_string_equal(net_address_text(&address, text), expected);
    assert_false(net_is_loopback(&address));

    unlink(path);
    rmdir(folder);
}

static void the_path_of_a_unix_socket_has_its_bound(void **state)
{
    (void)state;
    char path[109];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[108] = '\0';
    struct address address;
    struct error error = {0};

    assert_false(net_local_address(path, &address, &error));
    assert_int_equal(error.kind, ERROR_TARGET);
    assert_non_null(strstr(error.message, "has 1 to 107 bytes; this one has 108"));
    path[107] = '\0';
    assert_true(net_local_address(path, &address, &error));
    assert_false(net_local_address("", &address, &error));
}

static void no_descriptor_left_is_told_as_errno(void **state)
{
    (void)state;
    struct address address = resolve_one("127.0.0.1", 1);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool connected = false;

    int descriptor = net_connect(&(struct route){.to = address}, &connected);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(descriptor, -EMFILE);
}

static void descriptors_are_raised_up_to_what_is_wanted(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = 100, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);

    assert_int_equal(net_raise_descriptors(150), 150);
    assert_int_equal(net_raise_descriptors(120), 150); /* never lowered */

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(resolve_knows_localhost_as_loopback),
        cmocka_unit_test(resolve_takes_no_host_for_every_address_of_this_machine),
        cmocka_unit_test(resolve_names_the_host_that_nobody_knows),
        cmocka_unit_test(resolve_refuses_a_host_that_is_too_long),
        cmocka_unit_test(split_takes_host_and_port_apart),
        cmocka_unit_test(split_refuses_what_is_no_host_and_port),
        cmocka_unit_test(loopback_is_known_in_every_form),
        cmocka_unit_test(a_connection_reaches_the_listener),
        cmocka_unit_test(sockets_do_not_block_nor_outlive_exec_and_send_at_once),
        cmocka_unit_test(nobody_listening_is_a_refused_connection),
        cmocka_unit_test(a_socket_never_meets_itself),
        cmocka_unit_test(a_port_that_is_taken_is_named),
        cmocka_unit_test(a_shared_port_can_be_listened_at_twice),
        cmocka_unit_test(a_connection_leaves_from_the_address_that_it_is_told),
        cmocka_unit_test(an_address_that_is_not_ours_is_known_as_such),
        cmocka_unit_test(a_unix_socket_is_a_target_like_any_other),
        cmocka_unit_test(the_path_of_a_unix_socket_has_its_bound),
        cmocka_unit_test(no_descriptor_left_is_told_as_errno),
        cmocka_unit_test(descriptors_are_raised_up_to_what_is_wanted),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(text_cases)];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(text_cases); i++)
        tests[COUNT(plain) + i] = (struct CMUnitTest){
            .name = text_cases[i].name,
            .test_func = resolves_to,
            .initial_state = (void *)(uintptr_t)&text_cases[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
