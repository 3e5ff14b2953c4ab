#include "coordinator/plan_command.h"

#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

static const char *const no_memory = "there is no memory for it";

/* The words so far, in RESP. */
struct words {
    FILE *stream;
    size_t count;
};

static void add_word(struct words *words, const char *text, size_t bytes)
{
    fprintf(words->stream, "$%zu\r\n", bytes);
    fwrite(text, 1, bytes, words->stream);
    fputs("\r\n", words->stream);
    words->count++;
}

/* What a backslash and `letter` stand for; 0: nothing. */
static char escaped(char letter)
{
    static const char letters[] = "nrt\"\\";
    static const char meanings[] = "\n\r\t\"\\";
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    if (found == NULL)
        return '\0';
    return meanings[found - letters];
}

/* The word that begins with the quote at `text`; the bytes of it and its quotes, or 0. */
static size_t add_quoted(struct words *words, const char *text, size_t bytes)
{
    char *word = malloc(bytes);
    size_t length = 0, at = 1;
    for (; word != NULL && at < bytes && text[at] != text[0]; at++) {
        word[length] = text[at];
        if (text[at] == '\\' && text[0] == '"') {
            word[length] = escaped(text[at + 1]); /* a NUL ends the text, and is none */
            if (word[length] == '\0')
                break;
            at++;
        }
        length++;
    }
    bool whole = word != NULL && at < bytes && text[at] == text[0] &&
                 (at + 1 == bytes || strchr(BLANKS, text[at + 1]) != NULL);
    if (whole)
        add_word(words, word, length);
    free(word);
    return whole ? at + 1 : 0;
}

/* Up to a blank, but for those within a template. */
static size_t plain_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0' && strchr(BLANKS, text[length]) == NULL) {
        const char *end = strncmp(text + length, "{{", 2) == 0 ? strstr(text + length, "}}") : NULL;
        length = end != NULL ? (size_t)(end - text) + 2 : length + 1;
    }
    return length;
}

static const char *read_text(struct words *words, const char *text, size_t bytes)
{
    size_t at = strspn(text, BLANKS);
    while (at < bytes) {
        size_t length = plain_length(text + at);
        if (text[at] == '"' || text[at] == '\'') {
            length = add_quoted(words, text + at, bytes - at);
            if (length == 0)
                return "a quote in it has no end before a blank, or an escape that is none of "
                       "\\n, \\r, \\t, \\\" and \\\\";
        } else {
            add_word(words, text + at, length);
        }
        at += length;
        at += strspn(text + at, BLANKS);
    }
    return NULL;
}

static const char *read_words(struct words *words, const struct node *node)
{
    if (node->kind == NODE_SCALAR) {
        if (strlen(node->text) != node->text_bytes)
            return "text with a NUL cannot be split into words; give a list";
        return read_text(words, node->text, node->text_bytes);
    }
    for (const struct node *word = node->first; word != NULL; word = word->next) {
        if (word->kind != NODE_SCALAR)
            return "its words are text and numbers, no maps or lists";
        add_word(words, word->text, word->text_bytes);
    }
    return NULL;
}

/* "*2\r\n" before the words. */
static const char *join(size_t count, const char *body, size_t body_bytes, char **bytes,
                        size_t *byte_count)
{
    char head[32];
    size_t head_bytes = (size_t)snprintf(head, sizeof head, "*%zu\r\n", count);
    char *joined = malloc(head_bytes + body_bytes + 1);
    if (joined == NULL)
        return no_memory;
    memcpy(joined, head, head_bytes);
    memcpy(joined + head_bytes, body, body_bytes);
    joined[head_bytes + body_bytes] = '\0';
    *bytes = joined;
    *byte_count = head_bytes + body_bytes;
    return NULL;
}

const char *command_read(const struct node *node, char **bytes, size_t *byte_count)
{
    CHECK(node->kind == NODE_SCALAR || node->kind == NODE_LIST);

    char *body = NULL;
    size_t body_bytes = 0;
    struct words words = {.stream = open_memstream(&body, &body_bytes)};
    if (words.stream == NULL)
        return no_memory;
    const char *mistake = read_words(&words, node);
    if (fclose(words.stream) != 0)
        mistake = no_memory;
    else if (mistake == NULL && words.count == 0)
        mistake = "it has no word";
    if (mistake == NULL)
        mistake = join(words.count, body, body_bytes, bytes, byte_count);
    free(body);
    return mistake;
}

bool command_next(const char **at, const char *end, struct command_word *word)
{
    if (*at < end && **at == '*')
        *at = (const char *)memchr(*at, '\n', (size_t)(end - *at)) + 1;
    if (*at == end)
        return false;
    CHECK(**at == '$');
    char *text;
    word->bytes = strtoul(*at + 1, &text, 10);
    word->text = text + strlen("\r\n");
    *at = word->text + word->bytes + strlen("\r\n");
    CHECK(*at <= end);
    return true;
}
