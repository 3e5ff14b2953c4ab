/** Three parsers of HTTP/1 answers behind one face: ours, and two that others wrote. */
#ifndef CLOBBER_TESTS_ORACLES_H
#define CLOBBER_TESTS_ORACLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum judgement { JUDGED_MORE, JUDGED_DONE, JUDGED_FAILED };

/** What became of some bytes. */
struct opinion {
    enum judgement judgement;
    bool until_close; /* MORE: the close of the connection would end it well */
    size_t stopped;   /* FAILED: behind the byte that could not be (ours) */
    const char *why;  /* FAILED: in the parser's own word (theirs) */
    /* DONE: the same answer ends at the same byte, says the same, and leaves the same connection.
     */
    size_t consumed;
    uint16_t status;
    bool reusable;
};

/** The opinion of one parser on `bytes[count]`, fed in pieces that end at `split` and at the end
 *  (0: in one piece); `head`: the request was a HEAD. */
typedef struct opinion ask(const uint8_t *bytes, size_t count, size_t split, bool head);

ask ask_clobber, ask_http_parser, ask_llhttp;

/** Whether two opinions say the same. */
bool opinions_agree(const struct opinion *one, const struct opinion *other);

#endif
