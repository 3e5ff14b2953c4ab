#include "agent/cookies.h"

#include "common/base/check.h"

#include <string.h>
#include <strings.h>

/* In the jar, one behind the other: the three lengths, then name, value and path. */
struct lengths {
    uint16_t name, value, path;
};
static_assert(COOKIES_BYTES_MAX <= UINT16_MAX, "a length in the jar is of 16 bits");
/* So a header never takes more bytes than the jar: "=" and "; " in place of three lengths. */
static_assert(sizeof(struct lengths) >= 3, "a cookie is shorter in a header than in the jar");

struct cookie {
    struct cookie_text name, value, path;
    bool deleted;
};

static struct lengths lengths_at(const struct cookie_jar *jar, uint32_t at)
{
    struct lengths lengths;
    memcpy(&lengths, jar->bytes + at, sizeof lengths);
    return lengths;
}

static uint32_t bytes_of(struct lengths lengths)
{
    return (uint32_t)sizeof lengths + lengths.name + lengths.value + lengths.path;
}

static struct cookie cookie_at(const struct cookie_jar *jar, uint32_t at)
{
    struct lengths lengths = lengths_at(jar, at);
    const char *text = (const char *)jar->bytes + at + sizeof lengths;
    return (struct cookie){
        .name = {text, lengths.name},
        .value = {text + lengths.name, lengths.value},
        .path = {text + lengths.name + lengths.value, lengths.path},
    };
}

static bool same(struct cookie_text one, struct cookie_text other)
{
    return one.count == other.count && memcmp(one.text, other.text, one.count) == 0;
}

static bool is_word(struct cookie_text text, const char *word)
{
    return text.count == strlen(word) && strncasecmp(text.text, word, text.count) == 0;
}

static struct cookie_text trim(struct cookie_text text)
{
    while (text.count > 0 && (text.text[0] == ' ' || text.text[0] == '\t')) {
        text.text++;
        text.count--;
    }
    while (text.count > 0 &&
           (text.text[text.count - 1] == ' ' || text.text[text.count - 1] == '\t'))
        text.count--;
    return text;
}

/* Takes what comes before `end`, or all, off `*rest`. */
static struct cookie_text take(struct cookie_text *rest, char end)
{
    const char *at = memchr(rest->text, end, rest->count);
    size_t count = at != NULL ? (size_t)(at - rest->text) : rest->count;
    size_t past = at != NULL ? count + 1 : count;
    struct cookie_text taken = {rest->text, count};
    *rest = (struct cookie_text){rest->text + past, rest->count - past};
    return trim(taken);
}

/* RFC 6265, 5.1.4: up to the last slash, without it unless it is all. */
static struct cookie_text default_path(struct cookie_text path)
{
    size_t count = path.count;
    while (count > 1 && path.text[count - 1] != '/')
        count--;
    return count <= 1 ? (struct cookie_text){"/", 1} : (struct cookie_text){path.text, count - 1};
}

static bool path_matches(struct cookie_text wanted, struct cookie_text path)
{
    if (path.count < wanted.count || memcmp(path.text, wanted.text, wanted.count) != 0)
        return false;
    return path.count == wanted.count || wanted.text[wanted.count - 1] == '/' ||
           path.text[wanted.count] == '/';
}

/* RFC 6265, 5.1.3: the host itself, or one above it. */
static bool domain_matches(struct cookie_text domain, const char *host)
{
    if (domain.count > 0 && domain.text[0] == '.') {
        domain.text++;
        domain.count--;
    }
    size_t count = strlen(host);
    if (domain.count == 0)
        return true; /* as if it were not there */
    if (domain.count > count ||
        strncasecmp(host + count - domain.count, domain.text, domain.count) != 0)
        return false;
    return domain.count == count || host[count - domain.count - 1] == '.';
}

/* A year of four digits from 1970 to 1999 somewhere in a date. */
static bool is_long_ago(struct cookie_text date)
{
    for (size_t i = 0; i + 4 <= date.count; i++) {
        const char *year = date.text + i;
        if (year[0] == '1' && year[1] == '9' && year[2] >= '7' && year[2] <= '9' &&
            year[3] >= '0' && year[3] <= '9')
            return true;
    }
    return false;
}

/* 0, or less. */
static bool is_over(struct cookie_text age)
{
    if (age.count > 0 && age.text[0] == '-')
        return true;
    for (size_t i = 0; i < age.count; i++) {
        if (age.text[i] != '0')
            return false;
    }
    return age.count > 0;
}

/* The attributes behind the first ";". False: the cookie is not for this origin. */
static bool read_attributes(struct cookie *cookie, const struct cookie_origin *origin,
                            struct cookie_text rest)
{
    bool aged = false; /* Max-Age beats Expires */
    while (rest.count > 0) {
        struct cookie_text value = take(&rest, ';');
        struct cookie_text name = take(&value, '=');
        value = trim(value);
        if (is_word(name, "secure") && !origin->secure)
            return false;
        if (is_word(name, "domain") && !domain_matches(value, origin->host))
            return false;
        if (is_word(name, "path") && value.count > 0 && value.text[0] == '/')
            cookie->path = value;
        if (is_word(name, "expires") && !aged)
            cookie->deleted = is_long_ago(value);
        if (is_word(name, "max-age")) {
            cookie->deleted = is_over(value);
            aged = true;
        }
    }
    return true;
}

static void remove_at(struct cookie_jar *jar, uint32_t at)
{
    uint32_t count = bytes_of(lengths_at(jar, at));
    CHECK(jar->used - at >= count);
    memmove(jar->bytes + at, jar->bytes + at + count, jar->used - at - count);
    jar->used -= count;
}

static void remove_namesake(struct cookie_jar *jar, const struct cookie *cookie)
{
    for (uint32_t at = 0; at < jar->used; at += bytes_of(lengths_at(jar, at))) {
        struct cookie other = cookie_at(jar, at);
        if (same(other.name, cookie->name) && same(other.path, cookie->path)) {
            remove_at(jar, at);
            return;
        }
    }
}

static uint8_t *put(uint8_t *at, struct cookie_text text)
{
    return (uint8_t *)mempcpy(at, text.text, text.count);
}

static void add(struct cookie_jar *jar, const struct cookie *cookie)
{
    size_t count =
        sizeof(struct lengths) + cookie->name.count + cookie->value.count + cookie->path.count;
    if (count > COOKIES_BYTES_MAX)
        return;
    while (COOKIES_BYTES_MAX - jar->used < count)
        remove_at(jar, 0);
    struct lengths lengths = {(uint16_t)cookie->name.count, (uint16_t)cookie->value.count,
                              (uint16_t)cookie->path.count};
    uint8_t *at = (uint8_t *)mempcpy(jar->bytes + jar->used, &lengths, sizeof lengths);
    put(put(put(at, cookie->name), cookie->value), cookie->path);
    jar->used += (uint32_t)count;
}

void cookies_set(struct cookie_jar *jar, const struct cookie_origin *origin,
                 struct cookie_text path, struct cookie_text value)
{
    struct cookie_text rest = value;
    struct cookie_text pair = take(&rest, ';');
    if (memchr(pair.text, '=', pair.count) == NULL)
        return;
    struct cookie cookie = {.path = default_path(path)};
    cookie.name = take(&pair, '=');
    cookie.value = trim(pair);
    if (cookie.name.count == 0 || !read_attributes(&cookie, origin, rest))
        return;
    remove_namesake(jar, &cookie);
    if (!cookie.deleted)
        add(jar, &cookie);
}

size_t cookies_write(const struct cookie_jar *jar, struct cookie_text path, char *text)
{
    uint8_t *end = (uint8_t *)text;
    for (uint32_t at = 0; at < jar->used; at += bytes_of(lengths_at(jar, at))) {
        struct cookie cookie = cookie_at(jar, at);
        if (!path_matches(cookie.path, path))
            continue;
        if (end != (uint8_t *)text)
            end = put(end, (struct cookie_text){"; ", 2});
        end = put(put(put(end, cookie.name), (struct cookie_text){"=", 1}), cookie.value);
    }
    return (size_t)(end - (uint8_t *)text);
}
