#include "answers.h"

#include "common/base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MUTATIONS_MAX 3u

static uint32_t below(struct random *random, uint32_t count)
{
    return (uint32_t)(random_next(random) % count);
}

static void put_bytes(struct answer *answer, const void *bytes, size_t count)
{
    CHECK(count <= ANSWER_BYTES_MAX - answer->count);
    memcpy(answer->bytes + answer->count, bytes, count);
    answer->count += count;
}

static void put(struct answer *answer, const char *text)
{
    put_bytes(answer, text, strlen(text));
}

#define ONE_OF(random, texts) ((texts)[below(random, COUNT(texts))])

static void put_headers(struct answer *answer, struct random *random)
{
    static const char *const headers[] = {
        "Server: x\r\n",
        "Date: Mon, 24 Nov 2025 09:00:00 GMT\r\n",
        "Content-Type: text/plain\r\n",
        "X-Empty:\r\n",
        "X:  blanks around it\t \r\n",
        "ETag: \"\xc3\xa9\ta\"\r\n",
        "Set-Cookie: a=b; Path=/\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "Connection: te, Close\r\n",
        "Connection: , close\t\r\n",
        "connect: no\r\n",
        "Contents: 7\r\n",
        "Trailer: X\r\n",
        "Vary: *\r\n",
        "Transfer-Encoding: chunked\r\n",
    };
    for (uint32_t left = below(random, 4); left > 0; left--)
        put(answer, ONE_OF(random, headers));
}

static void put_chunks(struct answer *answer, struct random *random)
{
    static const char *const chunks[] = {
        "1\r\n.\r\n",    "5\r\nhello\r\n", "A\r\n0123456789\r\n", "2;a=b;c=\"d\"\r\nok\r\n",
        "002\r\nok\r\n", "1;x\r\n!\r\n",
    };
    static const char *const ends[] = {
        "0\r\n\r\n", "0\r\n\r\n", "0\r\n\r\n", "00;x\r\n\r\n", "0\r\nX: y\r\nServer: z\r\n\r\n",
    };
    put(answer, below(random, 2) == 0 ? "Transfer-Encoding: chunked\r\n\r\n"
                                      : "transfer-encoding: Chunked\r\n\r\n");
    for (uint32_t left = below(random, 4); left > 0; left--)
        put(answer, ONE_OF(random, chunks));
    put(answer, ONE_OF(random, ends));
}

static void put_body(struct answer *answer, struct random *random)
{
    static const char *const bodies[] = {
        "Content-Length: 0\r\n\r\n",    "Content-Length: 5\r\n\r\nhello",
        "content-length:3\r\n\r\nabc",  "Content-Length: \t12 \r\n\r\nHTTP/1.1 200",
        "Content-Length: 1\t\r\n\r\n.", "Content-Length: 007\r\n\r\n\r\n0\r\n\r\n",
        "\r\nuntil the close",
    };
    if (below(random, 2) == 0)
        put_chunks(answer, random);
    else
        put(answer, ONE_OF(random, bodies));
}

static void draw_good(struct answer *answer, struct random *random)
{
    static const char *const status_lines[] = {
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 404 Not Found\r\n",
        "HTTP/1.1 301 Moved\r\n",
        "HTTP/1.1 503 \r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.1 299\r\n",
    };
    static const char *const interim[] = {
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n",
        "HTTP/1.1 103 Early\r\nTransfer-Encoding: gzip\r\n\r\n",
    };
    answer->count = 0;
    if (below(random, 8) == 0)
        put(answer, ONE_OF(random, interim));
    put(answer, ONE_OF(random, status_lines));
    put_headers(answer, random);
    put_body(answer, random);
    if (below(random, 8) == 0)
        put(answer, "HTTP/1.1 200 OK\r\n\r\n");
}

/* Takes `cut` bytes at `at` out and puts `text` in their place. */
static void splice(struct answer *answer, size_t at, size_t cut, const char *text)
{
    size_t length = strlen(text);
    size_t behind = answer->count - at - cut;
    CHECK(answer->count - cut + length <= ANSWER_BYTES_MAX);
    memmove(answer->bytes + at + length, answer->bytes + at + cut, behind);
    memcpy(answer->bytes + at, text, length);
    answer->count += length - cut;
}

static void mutate(struct answer *answer, struct random *random)
{
    static const char *const odd[] = {
        "\r",
        "\n",
        "\r\n",
        " ",
        "\t",
        ":",
        ",",
        ";",
        "0",
        "1",
        "f",
        "-",
        "+",
        "\x7f",
        "\x01",
        "\xff",
        "\r\n ",
        "chunked",
        "close",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "ffffffffffffffff",
        "99999999999999999999",
        "HTTP/1.1 101 Switching\r\n",
        "Upgrade: x\r\n",
        "Connection: upgrade\r\n",
        "Proxy-Connection: close\r\n",
    };
    size_t at = below(random, (uint32_t)answer->count);
    size_t left = answer->count - at;
    uint32_t cut = below(random, 4);
    switch (below(random, 4)) {
    case 0: /* another byte */
        answer->bytes[at] ^= (uint8_t)(1u << below(random, 8));
        break;
    case 1: /* some less */
        if (cut < left && cut < answer->count)
            splice(answer, at, cut, "");
        break;
    case 2:
        splice(answer, at, 0, ONE_OF(random, odd));
        break;
    default:
        splice(answer, at, 1, ONE_OF(random, odd));
        break;
    }
}

void answer_draw(struct answer *answer, struct random *random)
{
    draw_good(answer, random);
    if (below(random, 3) == 0)
        return;
    for (uint32_t left = 1 + below(random, MUTATIONS_MAX); left > 0; left--)
        mutate(answer, random);
}
