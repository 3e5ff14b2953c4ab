#include "common/base/log.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE_BYTES 1024u /* twice the longest error */
#define LINE_BYTES     4096u /* PIPE_BUF: a longer write is not in one piece */

static enum log_level level_max = LOG_WARNING;

void log_set_level(enum log_level level)
{
    level_max = level;
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const words[] = {"error", "warning", "info", "debug"};
    CHECK(level < COUNT(words));
    if (level > level_max)
        return;

    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);

    char line[LINE_BYTES];
    int head = snprintf(line, sizeof line, "clobber: %s ", words[level]);
    CHECK(head > 0);
    harmless_text(sentence, line + head, sizeof line - (size_t)head - 1);
    size_t length = strlen(line);
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return; /* there is nowhere left to say so */
}
