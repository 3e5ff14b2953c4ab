#include "coordinator/plan_headers.h"

#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 9110, section 5.6.2: the characters of a token. */
#define TOKEN "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What clobber writes itself: a second word on these would tear requests apart. */
static const struct {
    const char *name;
    const char *instead;
} ours[] = {
    {"Content-Length", "it is counted from the body: leave it out"},
    {"Transfer-Encoding", "bodies are sent whole: leave it out"},
    {"Connection", "give http.keep_alive instead"},
};

bool header_next(const char **at, struct header *header)
{
    if (**at == '\0')
        return false;
    const char *colon = strstr(*at, ": ");
    CHECK(colon != NULL);
    const char *end = strstr(colon, "\r\n");
    CHECK(end != NULL);
    *header = (struct header){.name = *at,
                              .name_bytes = (size_t)(colon - *at),
                              .value = colon + 2,
                              .value_bytes = (size_t)(end - colon) - 2};
    *at = end + 2;
    return true;
}

bool headers_have(const char *headers, const char *name, size_t name_bytes)
{
    struct header header;
    while (header_next(&headers, &header)) {
        if (header.name_bytes == name_bytes && strncasecmp(header.name, name, name_bytes) == 0)
            return true;
    }
    return false;
}

bool header_is_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, TOKEN)] == '\0';
}

const char *header_mistake(const char *name, const char *value, size_t value_bytes)
{
    if (!header_is_name(name))
        return "a name is of letters, digits and !#$%&'*+-.^_`|~";
    for (size_t i = 0; i < COUNT(ours); i++) {
        if (strcasecmp(name, ours[i].name) == 0)
            return ours[i].instead;
    }
    for (size_t i = 0; i < value_bytes; i++) {
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7F)
            return "its value holds a control character: give one line of text";
    }
    if (value_bytes > 0 &&
        (strchr(" \t", value[0]) != NULL || strchr(" \t", value[value_bytes - 1]) != NULL))
        return "its value begins or ends with a blank: take the blank out";
    return NULL;
}

bool headers_add(char **headers, const char *name, const char *value)
{
    char *longer;
    if (asprintf(&longer, "%s%s: %s\r\n", *headers != NULL ? *headers : "", name, value) < 0)
        return false;
    free(*headers);
    *headers = longer;
    return true;
}

char *headers_merge(const char *common, const char *own)
{
    char *merged = malloc(strlen(common) + strlen(own) + 1);
    if (merged == NULL)
        return NULL;
    char *end = merged;
    const char *at = common;
    for (const char *line = at; *line != '\0'; line = at) {
        struct header header;
        header_next(&at, &header);
        if (!headers_have(own, header.name, header.name_bytes))
            end = mempcpy(end, line, (size_t)(at - line));
    }
    memcpy(end, own, strlen(own) + 1);
    return merged;
}
