#include "common/base/harmless.h"

#include "common/base/check.h"

#include <stdint.h>
#include <string.h>

#define ESCAPED_BYTES 4u /* "\xNN" */

/* One character of a text, or one byte that belongs to none. */
struct piece {
    const char *bytes;
    size_t length;
    uint32_t code; /* of a character */
    bool fine;     /* shows as itself */
};

/* The length in bytes of the UTF-8 character at `bytes`, its code point into `code`; 0: it is none.
 * Never looks beyond the zero at the end: that is no byte of a character. */
static size_t read_utf8(const unsigned char *bytes, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = 0;
    if (bytes[0] < 0x80)
        length = 1;
    else if (bytes[0] >= 0xC2 && bytes[0] <= 0xDF)
        length = 2;
    else if (bytes[0] >= 0xE0 && bytes[0] <= 0xEF)
        length = 3;
    else if (bytes[0] >= 0xF0 && bytes[0] <= 0xF4)
        length = 4;
    else
        return 0;

    uint32_t read = length == 1 ? bytes[0] : bytes[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        read = read << 6 | (bytes[i] & 0x3Fu);
    }
    if (read < smallest[length] || read > 0x10FFFF || (read >= 0xD800 && read <= 0xDFFF))
        return 0;
    *code = read;
    return length;
}

/* True for what can move the cursor, hide text or turn its direction. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* What stands at `bytes`, which is not the end. */
static struct piece piece_at(const char *bytes)
{
    struct piece piece = {.bytes = bytes};
    size_t length = read_utf8((const unsigned char *)bytes, &piece.code);
    piece.length = length > 0 ? length : 1;
    piece.fine = length > 0 && !is_unsafe(piece.code);
    return piece;
}

/* Appends the piece, or what shows it. False: no room; nothing was written. */
static bool put(struct piece piece, char *text, size_t text_bytes, size_t *used)
{
    size_t wanted = piece.fine ? piece.length : ESCAPED_BYTES * piece.length;
    if (*used + wanted >= text_bytes)
        return false;
    if (piece.fine)
        memcpy(text + *used, piece.bytes, piece.length);
    for (size_t i = 0; !piece.fine && i < piece.length; i++)
        snprintf(text + *used + ESCAPED_BYTES * i, ESCAPED_BYTES + 1, "\\x%02X",
                 (unsigned char)piece.bytes[i]);
    *used += wanted;
    text[*used] = '\0';
    return true;
}

static bool put_word(const char *word, char *text, size_t text_bytes, size_t *used)
{
    size_t length = strlen(word);
    if (*used + length >= text_bytes)
        return false;
    memcpy(text + *used, word, length + 1);
    *used += length;
    return true;
}

const char *harmless_text(const char *source, char *text, size_t text_bytes)
{
    CHECK(text_bytes > 0);
    size_t used = 0;
    text[0] = '\0';
    while (*source != '\0') {
        struct piece piece = piece_at(source);
        if (!put(piece, text, text_bytes, &used))
            break; /* cut between characters, never within one */
        source += piece.length;
    }
    return text;
}

/* A sign, digits, and nothing that a spreadsheet could compute. */
static bool is_number(const char *source)
{
    source += *source == '-' || *source == '+';
    size_t digits = strspn(source, "0123456789.");
    return digits > 0 && source[digits] == '\0';
}

/* OWASP, "CSV Injection": the first character decides, and a tab or a line's end before it is
 * skipped by some programs. The full-width forms are taken for their ASCII twins by some. */
static bool is_formula(const char *source)
{
    static const char *const wide[] = {"\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D",
                                       "\xEF\xBC\xA0"};
    source += strspn(source, " ");
    if (*source == '\0' || is_number(source))
        return false;
    for (size_t i = 0; i < COUNT(wide); i++)
        if (strncmp(source, wide[i], strlen(wide[i])) == 0)
            return true;
    return strchr("=+-@\t\r\n", *source) != NULL;
}

static bool is_quoted(const char *source)
{
    size_t length = strlen(source);
    return is_formula(source) || strpbrk(source, ",;\"") != NULL || source[0] == ' ' ||
           (length > 0 && source[length - 1] == ' ');
}

const char *harmless_cell(const char *source, char *text, size_t text_bytes)
{
    CHECK(text_bytes >= 4); /* two quotes, an apostrophe and the end */
    if (!is_quoted(source))
        return harmless_text(source, text, text_bytes);
    size_t used = 0;
    text[0] = '\0';
    put_word(is_formula(source) ? "\"'" : "\"", text, text_bytes, &used);
    while (*source != '\0') {
        struct piece piece = piece_at(source);
        bool there = piece.code == '"' && piece.fine ? put_word("\"\"", text, text_bytes - 1, &used)
                                                     : put(piece, text, text_bytes - 1, &used);
        if (!there)
            break;
        source += piece.length;
    }
    put_word("\"", text, text_bytes, &used);
    return text;
}

static const char *entity(struct piece piece)
{
    if (!piece.fine)
        return NULL;
    switch (piece.code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

const char *harmless_html(const char *source, char *text, size_t text_bytes)
{
    CHECK(text_bytes > 0);
    size_t used = 0;
    text[0] = '\0';
    while (*source != '\0') {
        struct piece piece = piece_at(source);
        const char *word = entity(piece);
        if (!(word != NULL ? put_word(word, text, text_bytes, &used)
                           : put(piece, text, text_bytes, &used)))
            break;
        source += piece.length;
    }
    return text;
}

/* Between the strings of JSON these never stand, so they may be escaped wherever they do. Line ends
 * and blanks of a JSON that is printed for people are outside its strings and stay. */
static bool is_escaped_in_script(uint32_t code)
{
    return code == '<' || code == '>' || code == '&' || (is_unsafe(code) && code >= 0x7F);
}

bool harmless_script(FILE *stream, const char *json)
{
    while (*json != '\0') {
        struct piece piece = piece_at(json);
        if (is_escaped_in_script(piece.code) && piece.length <= 3)
            fprintf(stream, "\\u%04x", (unsigned)piece.code);
        else
            fwrite(piece.bytes, 1, piece.length, stream);
        json += piece.length;
    }
    return ferror(stream) == 0;
}
