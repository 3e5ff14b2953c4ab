#include "agent/http2_request.h"

#include "common/base/check.h"

#include <string.h>
#include <strings.h>

/* Of one connection, and forbidden in HTTP/2: RFC 9113, 8.2.2. */
static const char *const dropped[] = {"connection", "keep-alive", "proxy-connection",
                                      "transfer-encoding", "upgrade"};

static bool is_name(const struct http2_field *field, const char *name)
{
    return field->name_bytes == strlen(name) &&
           strncasecmp((const char *)field->name, name, field->name_bytes) == 0;
}

static bool is_dropped(const struct http2_field *field)
{
    for (size_t i = 0; i < COUNT(dropped); i++) {
        if (is_name(field, dropped[i]))
            return true;
    }
    return false;
}

static struct http2_field pseudo(const char *name, const uint8_t *value, size_t value_bytes)
{
    return (struct http2_field){(const uint8_t *)name, value, strlen(name), value_bytes};
}

/* "GET /path HTTP/1.1\r\n"; what it took, or 0. */
static size_t read_first_line(const uint8_t *bytes, size_t count, const char *scheme,
                              struct http2_request *request)
{
    const uint8_t *end = memchr(bytes, '\n', count);
    const uint8_t *method_end = end != NULL ? memchr(bytes, ' ', (size_t)(end - bytes)) : NULL;
    if (method_end == NULL)
        return 0;
    const uint8_t *path = method_end + 1;
    const uint8_t *path_end = memchr(path, ' ', (size_t)(end - path));
    if (path_end == NULL || path_end == path || method_end == bytes)
        return 0;
    request->fields[0] = pseudo(":method", bytes, (size_t)(method_end - bytes));
    request->fields[1] = pseudo(":scheme", (const uint8_t *)scheme, strlen(scheme));
    request->fields[2] = pseudo(":path", path, (size_t)(path_end - path));
    request->fields[3] = pseudo(":authority", NULL, 0);
    request->field_count = HTTP2_PSEUDO_FIELDS;
    return (size_t)(end + 1 - bytes);
}

/* "Name: value" without its end. */
static bool read_field(const uint8_t *line, size_t count, struct http2_field *field)
{
    const uint8_t *colon = memchr(line, ':', count);
    if (colon == NULL || colon == line)
        return false;
    const uint8_t *value = colon + 1;
    const uint8_t *end = line + count;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *field = (struct http2_field){line, value, (size_t)(colon - line), (size_t)(end - value)};
    return true;
}

bool http2_request_read(const uint8_t *bytes, size_t count, const char *scheme,
                        struct http2_request *request)
{
    size_t at = read_first_line(bytes, count, scheme, request);
    while (at > 0 && at < count) {
        const uint8_t *line = bytes + at;
        const uint8_t *end = memchr(line, '\n', count - at);
        if (end == NULL || end == line || end[-1] != '\r')
            return false;
        at += (size_t)(end + 1 - line);
        size_t line_bytes = (size_t)(end - 1 - line);
        if (line_bytes == 0) {
            request->body = bytes + at;
            request->body_bytes = count - at;
            return true;
        }
        struct http2_field field;
        if (request->field_count == HTTP2_FIELDS_MAX || !read_field(line, line_bytes, &field))
            return false;
        if (is_name(&field, "host"))
            request->fields[3] = pseudo(":authority", field.value, field.value_bytes);
        else if (!is_dropped(&field))
            request->fields[request->field_count++] = field;
    }
    return false;
}
