#include "coordinator/terminal.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The last of those that are set counts, as with setlocale(3). */
static bool speaks_utf8(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "UTF8") != NULL;
    }
    return false;
}

static bool takes_color(int fd)
{
    const char *terminal = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    return isatty(fd) && (no_color == NULL || no_color[0] == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

struct terminal_look terminal_look(FILE *stream, uint32_t columns)
{
    int fd = fileno(stream);
    struct winsize size;
    bool known = isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return (struct terminal_look){.columns = known ? size.ws_col : columns,
                                  .ascii = !speaks_utf8(),
                                  .color = takes_color(fd)};
}

uint32_t terminal_columns(const char *text)
{
    uint32_t columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80; /* not a character's later bytes */
    return columns;
}

void terminal_put(const struct terminal_look *look, const char *text, FILE *stream)
{
    static const struct {
        const char *drawn, *plain;
    } twins[] = {{"−", "-"},  {"●", "o"},  {"├", "|"}, {"┤", "|"}, {"─", "-"},
                 {"│", ":"},  {"·", "."},  {"▶", ">"}, {"◀", "<"}, {"×", "x"},
                 {"→", "->"}, {"±", "+-"}, {"▁", "."}, {"▂", ":"}, {"▃", "-"},
                 {"▄", "="},  {"▅", "+"},  {"▆", "*"}, {"▇", "#"}, {"█", "@"}};
    while (*text != '\0') {
        size_t i = 0;
        while (look->ascii && i < COUNT(twins) &&
               strncmp(text, twins[i].drawn, strlen(twins[i].drawn)) != 0)
            i++;
        if (look->ascii && i < COUNT(twins)) {
            fputs(twins[i].plain, stream);
            text += strlen(twins[i].drawn);
        } else {
            fputc(*text++, stream);
        }
    }
}
