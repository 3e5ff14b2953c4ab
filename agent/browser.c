#include "agent/browser.h"

#include "common/base/check.h"

#include <string.h>
#include <strings.h>

#define COOKIE      "Cookie: "
#define SET_COOKIE  "set-cookie"
#define LOCATION    "location"
#define FRAME_BYTES 16u /* a method that is longer, the Cookie line's name and end */

/* A request, taken apart. */
struct parts {
    struct cookie_text method, target, version; /* the version with the line's end */
    struct cookie_text headers;                 /* whole lines */
    struct cookie_text body;                    /* with the blank line before it */
};

static struct cookie_text between(const char *from, const char *to)
{
    return (struct cookie_text){from, (size_t)(to - from)};
}

/* Our own coordinator wrote it, but over the wire: what is no request has no parts. */
static bool take_apart(struct assignment_bytes source, struct parts *parts)
{
    const char *begin = (const char *)source.bytes;
    const char *end = begin + source.count;
    const char *target = memchr(begin, ' ', source.count);
    if (target == NULL)
        return false;
    const char *version = memchr(target + 1, ' ', (size_t)(end - target - 1));
    const char *line_end = memmem(begin, source.count, "\r\n", 2);
    const char *head_end = memmem(begin, source.count, "\r\n\r\n", 4);
    if (version == NULL || head_end == NULL || version > line_end)
        return false;
    *parts = (struct parts){
        .method = between(begin, target),
        .target = between(target + 1, version),
        .version = between(version, line_end + 2),
        .headers = between(line_end + 2, head_end + 2),
        .body = between(head_end + 2, end),
    };
    return true;
}

static struct cookie_text without_query(const char *path, size_t count)
{
    const char *query = memchr(path, '?', count);
    return (struct cookie_text){path, query != NULL ? (size_t)(query - path) : count};
}

static uint8_t *put(uint8_t *at, struct cookie_text text)
{
    return (uint8_t *)mempcpy(at, text.text, text.count);
}

static bool speaks_of_body(struct cookie_text line)
{
    static const char prefix[] = "Content-";
    return line.count >= sizeof prefix - 1 &&
           strncasecmp(line.text, prefix, sizeof prefix - 1) == 0;
}

static uint8_t *put_headers(uint8_t *at, struct cookie_text headers, bool with_body)
{
    if (with_body)
        return put(at, headers);
    while (headers.count > 0) {
        const char *end = memmem(headers.text, headers.count, "\r\n", 2);
        CHECK(end != NULL); /* take_apart() */
        struct cookie_text line = between(headers.text, end + 2);
        if (!speaks_of_body(line))
            at = put(at, line);
        headers = between(end + 2, headers.text + headers.count);
    }
    return at;
}

static uint8_t *put_cookies(uint8_t *at, const struct browser *browser)
{
    struct cookie_text path = without_query(browser->path, browser->path_count);
    size_t count = cookies_write(&browser->jar, path, (char *)at + sizeof COOKIE - 1);
    if (count == 0)
        return at;
    memcpy(at, COOKIE, sizeof COOKIE - 1);
    return put(at + sizeof COOKIE - 1 + count, (struct cookie_text){"\r\n", 2});
}

bool browser_used(const struct browser_plan *plan)
{
    return plan->cookies || plan->redirects_max > 0;
}

size_t browser_bytes(const struct browser_plan *plan)
{
    return sizeof(struct browser) + plan->source_bytes_max + REDIRECT_PATH_BYTES_MAX +
           COOKIES_BYTES_MAX + FRAME_BYTES;
}

/* The present path becomes `text`; one that is too long is kept as "/" for the cookies' sake. */
static void set_path(struct browser *browser, struct cookie_text text)
{
    if (text.count > REDIRECT_PATH_BYTES_MAX)
        text = (struct cookie_text){"/", 1};
    memmove(browser->path, text.text, text.count);
    browser->path_count = (uint32_t)text.count;
}

static struct assignment_bytes write_request(struct browser *browser, const struct parts *parts,
                                             struct cookie_text target)
{
    bool keeps = browser->keeps;
    bool as_head = parts->method.count == 4 && memcmp(parts->method.text, "HEAD", 4) == 0;
    struct cookie_text method = keeps || as_head ? parts->method : (struct cookie_text){"GET", 3};
    uint8_t *at = put(browser->bytes, method);
    *at++ = ' ';
    at = put(put(at, target), parts->version);
    at = put_cookies(put_headers(at, parts->headers, keeps), browser);
    at = put(at, keeps ? parts->body : (struct cookie_text){"\r\n", 2});
    return (struct assignment_bytes){browser->bytes, (size_t)(at - browser->bytes)};
}

struct assignment_bytes browser_request(const struct browser_plan *plan, struct browser *browser,
                                        struct assignment_bytes source)
{
    CHECK(source.count <= plan->source_bytes_max);
    browser->source = source;
    browser->hops = 0;
    browser->located = false;
    browser->keeps = true;
    struct parts parts;
    if (!take_apart(source, &parts))
        return source;
    set_path(browser, parts.target);
    return browser->jar.used == 0 ? source : write_request(browser, &parts, parts.target);
}

struct assignment_bytes browser_hop(struct browser *browser)
{
    CHECK(browser->located);
    browser->located = false;
    struct parts parts;
    CHECK(take_apart(browser->source, &parts)); /* as it was when the answer was looked at */
    struct cookie_text target = {browser->next, browser->next_count};
    set_path(browser, target);
    return write_request(browser, &parts, target);
}

void browser_header(const struct browser_plan *plan, struct browser *browser, uint16_t status,
                    const struct header_field *field)
{
    if (plan->cookies && header_field_is(field, SET_COOKIE, sizeof SET_COOKIE - 1)) {
        struct cookie_origin origin = {plan->origin.host,
                                       strcmp(plan->origin.scheme, "https") == 0};
        cookies_set(&browser->jar, &origin, without_query(browser->path, browser->path_count),
                    (struct cookie_text){field->value, field->value_count});
    }
    if (plan->redirects_max > 0 && redirect_status(status) &&
        header_field_is(field, LOCATION, sizeof LOCATION - 1)) {
        size_t count =
            redirect_resolve(&plan->origin, browser->path, browser->path_count, field->value,
                             field->value_count, browser->next, sizeof browser->next);
        browser->next_count = (uint32_t)count;
        browser->located = count > 0;
    }
}

bool browser_follow(const struct browser_plan *plan, struct browser *browser, uint16_t status)
{
    struct parts parts;
    if (!browser->located || !redirect_status(status) || browser->hops == plan->redirects_max ||
        !take_apart(browser->source, &parts))
        return false;
    bool post = parts.method.count == 4 && memcmp(parts.method.text, "POST", 4) == 0;
    /* What became a GET on the way stays one. */
    browser->keeps = browser->keeps && redirect_keeps(status, post);
    browser->hops++;
    return true;
}
