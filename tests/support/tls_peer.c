#include "tests/support/tls_peer.h"

#include "common/base/check.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512u
#define READ_BYTES      16384

struct tls_peer {
    struct tls_peer_plan plan;
    SSL_CTX *context;
    int listener;
    struct address address;
    pthread_t acceptor;
    pthread_t threads[CONNECTIONS_MAX];
    uint32_t thread_count;
    _Atomic uint64_t handshakes, resumed, bytes, goodbyes;
};

/* One connection; TLS reads and writes memory, so that bytes may be cut anywhere. */
struct call {
    struct tls_peer *peer;
    int descriptor;
    SSL *ssl;
    BIO *in, *out;
};

static void pem_text(BIO *bio, char *text)
{
    int count = BIO_read(bio, text, (int)IDENTITY_PEM_BYTES - 1);
    CHECK(count > 0);
    text[count] = '\0';
    BIO_free(bio);
}

struct identity identity_make(const char *name, long begin_s, long end_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key != NULL);
    CHECK(certificate != NULL);
    X509_set_version(certificate, 2);
    static _Atomic long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), begin_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), end_s);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    char names[300];
    snprintf(names, sizeof names, "DNS:%s", name);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    CHECK(extension != NULL);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);

    struct identity identity;
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_X509(bio, certificate) == 1);
    pem_text(bio, identity.certificate);
    bio = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    pem_text(bio, identity.key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return identity;
}

static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    CHECK(certificate != NULL);
    BIO_free(bio);
    return certificate;
}

static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_bytes,
                           const unsigned char *offered, unsigned offered_bytes, void *context)
{
    (void)ssl;
    (void)context;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;
    if (SSL_select_next_proto(&found, chosen_bytes, ours, sizeof ours - 1, offered,
                              offered_bytes) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_context(const struct tls_peer_plan *plan)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    CHECK(context != NULL);
    X509 *certificate = read_certificate(plan->identity->certificate);
    CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
    X509_free(certificate);
    BIO *bio = BIO_new_mem_buf(plan->identity->key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
    EVP_PKEY_free(key);
    BIO_free(bio);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_session_id_context(context, (const uint8_t *)"peer", 4);
    if (plan->tls12)
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    if (plan->client != NULL) {
        certificate = read_certificate(plan->client->certificate);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
        X509_free(certificate);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

static bool send_all(const struct call *call, const uint8_t *bytes, size_t count)
{
    size_t piece = call->peer->plan.piece_bytes;
    while (count > 0) {
        size_t now = piece > 0 && piece < count ? piece : count;
        ssize_t sent = send(call->descriptor, bytes, now, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool flush(const struct call *call)
{
    uint8_t bytes[READ_BYTES];
    int count;
    while ((count = BIO_read(call->out, bytes, sizeof bytes)) > 0) {
        if (!send_all(call, bytes, (size_t)count))
            return false;
    }
    return true;
}

/* Sends what there is, then reads more. */
static bool turn(const struct call *call)
{
    uint8_t bytes[READ_BYTES];
    ssize_t count = flush(call) ? recv(call->descriptor, bytes, sizeof bytes, 0) : -1;
    return count > 0 && BIO_write(call->in, bytes, (int)count) == count;
}

static bool shake(const struct call *call)
{
    int result;
    while ((result = SSL_do_handshake(call->ssl)) != 1) {
        if (SSL_get_error(call->ssl, result) != SSL_ERROR_WANT_READ || !turn(call)) {
            flush(call);
            return false;
        }
    }
    call->peer->resumed += (uint64_t)SSL_session_reused(call->ssl);
    call->peer->handshakes++;
    return flush(call);
}

static void say(const struct call *call, const uint8_t *bytes, int count)
{
    CHECK(SSL_write(call->ssl, bytes, count) == count);
    flush(call);
}

static void say_megabyte(const struct call *call)
{
    uint8_t *bytes = malloc(TLS_MEGABYTE_BYTES);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < TLS_MEGABYTE_BYTES; i++)
        bytes[i] = tls_peer_byte(i);
    say(call, bytes, TLS_MEGABYTE_BYTES);
    free(bytes);
}

/* False: that was all. */
static bool answer(const struct call *call, const uint8_t *bytes, int count)
{
    switch (call->peer->plan.habit) {
    case TLS_MEGABYTE:
        for (int i = 0; i < count; i++)
            say_megabyte(call);
        return true;
    case TLS_COUNT:
        if (memchr(bytes, '.', (size_t)count) != NULL)
            say(call, (const uint8_t *)"!", 1);
        return true;
    case TLS_ECHO_END:
        say(call, bytes, count);
        SSL_shutdown(call->ssl);
        flush(call);
        return false;
    case TLS_ECHO_CUT:
        say(call, bytes, count);
        return false;
    case TLS_ECHO_RUBBISH:
        say(call, bytes, count);
        send_all(call, (const uint8_t *)"no TLS at all", 13);
        return true;
    default:
        say(call, bytes, count);
        return true;
    }
}

static void converse(const struct call *call)
{
    uint8_t bytes[READ_BYTES];
    for (;;) {
        int count = SSL_read(call->ssl, bytes, sizeof bytes);
        if (count > 0) {
            call->peer->bytes += (uint64_t)count;
            if (!answer(call, bytes, count))
                return;
        } else if (SSL_get_error(call->ssl, count) == SSL_ERROR_ZERO_RETURN) {
            call->peer->goodbyes++;
            return;
        } else if (SSL_get_error(call->ssl, count) != SSL_ERROR_WANT_READ || !turn(call)) {
            return;
        }
    }
}

/* Until the other end hangs up, so that it is never reset. */
static void speak_no_tls(const struct call *call)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40}; /* fatal: handshake_failure */
    static const char rubbish[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    uint8_t bytes[READ_BYTES];
    if (call->peer->plan.habit == TLS_ALERT_AT_ONCE)
        send_all(call, alert, sizeof alert);
    if (call->peer->plan.habit == TLS_RUBBISH_AT_ONCE)
        send_all(call, (const uint8_t *)rubbish, sizeof rubbish - 1);
    shutdown(call->descriptor, SHUT_WR);
    while (recv(call->descriptor, bytes, sizeof bytes, 0) > 0)
        ;
}

static void *serve(void *context)
{
    struct call *call = context;
    if (call->peer->plan.habit >= TLS_RUBBISH_AT_ONCE)
        speak_no_tls(call);
    else if (shake(call))
        converse(call);
    shutdown(call->descriptor, SHUT_WR);
    close(call->descriptor);
    SSL_free(call->ssl);
    free(call);
    return NULL;
}

static void *accept_all(void *context)
{
    struct tls_peer *peer = context;
    struct pollfd ready = {.fd = peer->listener, .events = POLLIN};
    for (;;) {
        int descriptor = poll(&ready, 1, -1) == 1 ? accept(peer->listener, NULL, NULL) : -1;
        if (descriptor < 0 && errno == EAGAIN)
            continue;
        if (descriptor < 0)
            return NULL; /* shut down */
        struct call *call = calloc(1, sizeof *call);
        CHECK(call != NULL);
        CHECK(peer->thread_count < CONNECTIONS_MAX);
        *call = (struct call){peer, descriptor, SSL_new(peer->context), BIO_new(BIO_s_mem()),
                              BIO_new(BIO_s_mem())};
        SSL_set_bio(call->ssl, call->in, call->out);
        SSL_set_accept_state(call->ssl);
        CHECK(pthread_create(&peer->threads[peer->thread_count++], NULL, serve, call) == 0);
    }
}

struct tls_peer *tls_peer_start(const struct tls_peer_plan *plan)
{
    struct tls_peer *peer = calloc(1, sizeof *peer);
    CHECK(peer != NULL);
    struct address addresses[ADDRESSES_MAX];
    uint32_t count;
    struct error error = {0};
    peer->plan = *plan;
    peer->context = make_context(plan);
    CHECK(net_resolve("127.0.0.1", 0, addresses, &count, &error));
    peer->listener = net_listen(&addresses[0], false, (int)CONNECTIONS_MAX, &error);
    CHECK(peer->listener >= 0);
    CHECK(net_resolve("127.0.0.1", net_port(peer->listener), addresses, &count, &error));
    peer->address = addresses[0];
    CHECK(pthread_create(&peer->acceptor, NULL, accept_all, peer) == 0);
    return peer;
}

void tls_peer_stop(struct tls_peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    CHECK(pthread_join(peer->acceptor, NULL) == 0);
    for (uint32_t i = 0; i < peer->thread_count; i++)
        CHECK(pthread_join(peer->threads[i], NULL) == 0);
    close(peer->listener);
    SSL_CTX_free(peer->context);
    free(peer);
}

struct address tls_peer_address(const struct tls_peer *peer)
{
    return peer->address;
}

uint64_t tls_peer_handshakes(const struct tls_peer *peer)
{
    return peer->handshakes;
}

uint64_t tls_peer_resumed(const struct tls_peer *peer)
{
    return peer->resumed;
}

uint64_t tls_peer_bytes(const struct tls_peer *peer)
{
    return peer->bytes;
}

uint64_t tls_peer_goodbyes(const struct tls_peer *peer)
{
    return peer->goodbyes;
}
