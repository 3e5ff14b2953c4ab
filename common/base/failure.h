/** The classes of failure that a request can end in: one word each, the same on the wire, in the
 *  record, in the result and on the screen. A time-out is counted apart and has no class. */
#ifndef CLOBBER_BASE_FAILURE_H
#define CLOBBER_BASE_FAILURE_H

enum failure {
    FAILURE_CONNECT_REFUSED, /* the target sent RST to our SYN */
    FAILURE_CONNECT_FAILED,  /* any other reason a connection was not made: unreachable, ... */
    FAILURE_LOCAL_PORTS, /* EADDRNOTAVAIL: this machine has no port left; not the target's fault */
    FAILURE_FD_LIMIT,    /* EMFILE, ENFILE: this process has no descriptor left */
    FAILURE_RESET,       /* connection reset while a request was in flight */
    FAILURE_CLOSED,      /* closed by the target before the answer was whole */
    FAILURE_MALFORMED,   /* the answer breaks the protocol */
    FAILURE_TOO_LARGE,   /* header block, line or count past its bound */
    FAILURE_UNEXPECTED,  /* bytes that nobody asked for, an answer before its request */
    FAILURE_STATUS, /* an HTTP status not expected (by default 400 and up); shown as http_NNN */
    FAILURE_EXPECTATION,     /* the answer is whole but not what the plan expects */
    FAILURE_SEND,            /* the kernel refused to send, for a reason other than those above */
    FAILURE_TLS_ISSUER,      /* the target's certificate is from nobody that is trusted */
    FAILURE_TLS_EXPIRED,     /* ... or its time is over */
    FAILURE_TLS_NAME,        /* ... or it is somebody else's */
    FAILURE_TLS_CERTIFICATE, /* ... or it is refused for any other reason */
    FAILURE_TLS_HANDSHAKE,   /* no handshake came about, for a reason other than those above */
    FAILURE_TLS_RECORD,      /* a connection broke TLS once it was made */
    FAILURE_COUNT
};

/** The word for `failure`, e.g. "connect_refused". Static. */
const char *failure_word(enum failure failure);
/** What to tell people of a class that ends a run before it began and whose word does not say it
 *  all, as a sentence without its full stop; NULL: the word is enough. Static. */
const char *failure_sentence(enum failure failure);

#endif
