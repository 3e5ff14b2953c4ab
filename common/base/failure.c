#include "common/base/failure.h"

#include "common/base/check.h"

static const char *const words[FAILURE_COUNT] = {
    [FAILURE_CONNECT_REFUSED] = "connect_refused",
    [FAILURE_CONNECT_FAILED] = "connect_failed",
    [FAILURE_LOCAL_PORTS] = "local_ports",
    [FAILURE_FD_LIMIT] = "fd_limit",
    [FAILURE_RESET] = "reset",
    [FAILURE_CLOSED] = "closed",
    [FAILURE_MALFORMED] = "malformed",
    [FAILURE_TOO_LARGE] = "too_large",
    [FAILURE_UNEXPECTED] = "unexpected",
    [FAILURE_STATUS] = "status",
    [FAILURE_EXPECTATION] = "expectation",
    [FAILURE_SEND] = "send",
    [FAILURE_TLS_ISSUER] = "tls_issuer",
    [FAILURE_TLS_EXPIRED] = "tls_expired",
    [FAILURE_TLS_NAME] = "tls_name",
    [FAILURE_TLS_CERTIFICATE] = "tls_certificate",
    [FAILURE_TLS_HANDSHAKE] = "tls_handshake",
    [FAILURE_TLS_RECORD] = "tls_record",
};

static const char *const sentences[FAILURE_COUNT] = {
    [FAILURE_TLS_ISSUER] =
        "nobody trusted signed the target's certificate: give http.tls.ca, or -k to verify nothing",
    [FAILURE_TLS_EXPIRED] = "the target's certificate has expired, or is not valid yet",
    [FAILURE_TLS_NAME] = "the target's certificate is for another name: see http.tls.server_name",
    [FAILURE_TLS_CERTIFICATE] = "the target's certificate is refused",
    [FAILURE_TLS_HANDSHAKE] =
        "no TLS with the target: it speaks none, only an older one, or wants a certificate of ours",
};

const char *failure_word(enum failure failure)
{
    CHECK(failure < FAILURE_COUNT);
    return words[failure];
}

const char *failure_sentence(enum failure failure)
{
    CHECK(failure < FAILURE_COUNT);
    return sentences[failure];
}
