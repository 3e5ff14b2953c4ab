/** What is at the other end of a stream: how wide it is, and what it can show. */
#ifndef CLOBBER_COORDINATOR_TERMINAL_H
#define CLOBBER_COORDINATOR_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct terminal_look {
    uint32_t columns;
    bool ascii; /* no UTF-8 */
    bool color; /* a terminal, whose user has nothing against it */
};

/** `columns`: what counts where there is no terminal. */
struct terminal_look terminal_look(FILE *stream, uint32_t columns);

/** How many columns `text` takes, whose characters are all one wide. */
uint32_t terminal_columns(const char *text);

/** Writes `text` of ours, its drawn characters as others that ASCII has when the look is so. */
void terminal_put(const struct terminal_look *look, const char *text, FILE *stream);

#endif
