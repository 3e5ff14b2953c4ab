/** How long a connect may take, and how long the first byte of an answer: limits beside that of the
 * whole request, which is the crew's own. Pure.
 *
 *  Who waits for the same thing waits equally long, so a list in the order of their beginnings has
 * the first deadline in front: no heap, no timer, and nothing at all where there is no limit. */
#ifndef CLOBBER_AGENT_PATIENCE_H
#define CLOBBER_AGENT_PATIENCE_H

#include <stdint.h>

#define PATIENCE_NEVER UINT64_MAX

enum patience_kind {
    PATIENCE_NONE, /* waits for nothing that has a limit; so a zeroed one */
    PATIENCE_CONNECT,
    PATIENCE_FIRST_BYTE,
    PATIENCE_KINDS
};

/** Inside of whoever waits. Zeroed: does not. */
struct patience_link {
    struct patience_link *previous, *next;
    uint64_t since_ns;
    enum patience_kind kind;
};

/** Zeroed: no limits. */
struct patience {
    uint64_t limits_ns[PATIENCE_KINDS]; /* 0: none */
    struct {
        struct patience_link *first, *last;
    } lists[PATIENCE_KINDS];
};

/** `link` waits for `kind` from `since_ns` on, and no longer for what it waited for before. */
void patience_begin(struct patience *patience, struct patience_link *link, enum patience_kind kind,
                    uint64_t since_ns);
/** What it waited for has come, or will not. */
void patience_end(struct patience *patience, struct patience_link *link);
/** One that by `judged_ns` has waited as long as it may, or NULL. It waits until patience_end(). */
struct patience_link *patience_expired(const struct patience *patience, uint64_t judged_ns);
/** When the next one will have; PATIENCE_NEVER: nobody waits. */
uint64_t patience_deadline(const struct patience *patience);

#endif
