#include "agent/tls.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX    64u /* of a lane: as many connections as begin at about one time */
#define PROTOCOLS_BYTES 64u /* the list as it travels: "h2" and "http/1.1" take 12 */

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    char name[NAME_BYTES_MAX + 1]; /* to ask for; "": an address, which is never asked for */
    bool resumption;
};

/* A ring: the oldest makes room. */
struct tls_cache {
    SSL_SESSION *sessions[SESSIONS_MAX];
    uint32_t newest, count;
};

struct tls_link {
    SSL *ssl;
    struct tls_flow *flow;   /* of the call that is under way */
    struct tls_cache *cache; /* borrowed; NULL: nothing is resumed */
    enum failure failure;
    bool failed;
    bool shaken;  /* the handshake was done: OpenSSL forgets that when something fails */
    bool trusted; /* the target has said something after the handshake */
};

/* Bytes between OpenSSL and the flow */

static int flow_read(BIO *bio, char *bytes, int capacity)
{
    struct tls_flow *flow = ((struct tls_link *)BIO_get_data(bio))->flow;
    BIO_clear_retry_flags(bio);
    if (flow->in_count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t count = flow->in_count < (size_t)capacity ? flow->in_count : (size_t)capacity;
    memcpy(bytes, flow->in, count);
    flow->in += count;
    flow->in_count -= count;
    return (int)count;
}

/* What does not fit is an error: the room was made for all that one call may have to say. */
static int flow_write(BIO *bio, const char *bytes, int count)
{
    struct tls_flow *flow = ((struct tls_link *)BIO_get_data(bio))->flow;
    BIO_clear_retry_flags(bio);
    if ((size_t)count > flow->out_capacity - flow->out_count)
        return -1;
    memcpy(flow->out + flow->out_count, bytes, (size_t)count);
    flow->out_count += (size_t)count;
    return count;
}

static long flow_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int flow_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *flow_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flow");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read(method, flow_read);
    BIO_meth_set_write(method, flow_write);
    BIO_meth_set_ctrl(method, flow_control);
    BIO_meth_set_create(method, flow_create);
    return method;
}

/* Sessions */

/* OpenSSL gives a session that may be resumed; returns 1 when it is taken. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_link *link = SSL_get_app_data(ssl);
    struct tls_cache *cache = link->cache;
    if (cache == NULL)
        return 0;
    cache->newest = (cache->newest + 1) % SESSIONS_MAX;
    if (cache->count == SESSIONS_MAX)
        SSL_SESSION_free(cache->sessions[cache->newest]);
    else
        cache->count++;
    cache->sessions[cache->newest] = session;
    return 1;
}

static void begin_with_session(struct tls_link *link)
{
    struct tls_cache *cache = link->cache;
    if (cache == NULL || cache->count == 0)
        return;
    SSL_SESSION *session = cache->sessions[cache->newest];
    SSL_set_session(link->ssl, session); /* shares it */
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION &&
        SSL_SESSION_is_resumable(session))
        return;
    SSL_SESSION_free(session);
    cache->newest = (cache->newest + SESSIONS_MAX - 1) % SESSIONS_MAX;
    cache->count--;
}

struct tls_cache *tls_cache_create(void)
{
    return calloc(1, sizeof(struct tls_cache));
}

void tls_cache_destroy(struct tls_cache *cache)
{
    if (cache == NULL)
        return;
    for (; cache->count > 0; cache->count--) {
        SSL_SESSION_free(cache->sessions[cache->newest]);
        cache->newest = (cache->newest + SESSIONS_MAX - 1) % SESSIONS_MAX;
    }
    free(cache);
}

/* The context */

/* `what` and OpenSSL's own reason, which is a fixed text. */
static bool refused(const char *what, struct error *error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    error_set(error, ERROR_PLAN, PLACE_NONE, "%s: %s", what,
              reason != NULL ? reason : "not what it should be");
    ERR_clear_error();
    return false;
}

static BIO *open_pem(struct assignment_bytes pem)
{
    CHECK(pem.count <= ASSIGNMENT_BYTES_MAX);
    return BIO_new_mem_buf(pem.bytes, (int)pem.count);
}

/* The end of a list of certificates is an error that is none. */
static bool was_end(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static bool trust(struct tls_context *context, struct assignment_bytes pem, struct error *error)
{
    if (pem.count == 0)
        return SSL_CTX_set_default_verify_paths(context->ssl) == 1 ||
               refused("the authorities that this machine trusts", error);
    BIO *bio = open_pem(pem);
    X509 *certificate = NULL;
    uint32_t count = 0;
    bool added = bio != NULL;
    while (added && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        added = X509_STORE_add_cert(SSL_CTX_get_cert_store(context->ssl), certificate) == 1;
        X509_free(certificate);
        count++;
    }
    BIO_free(bio);
    if (!added || count == 0 || !was_end())
        return refused("http.tls.ca holds no certificates in PEM", error);
    ERR_clear_error();
    return true;
}

/* The client's certificate and those that it is signed by. */
static bool use_certificate(struct tls_context *context, struct assignment_bytes pem,
                            struct error *error)
{
    BIO *bio = open_pem(pem);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool used = certificate != NULL && SSL_CTX_use_certificate(context->ssl, certificate) == 1;
    X509_free(certificate);
    while (used && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        used = SSL_CTX_add_extra_chain_cert(context->ssl, certificate) == 1;
        if (!used)
            X509_free(certificate);
    }
    BIO_free(bio);
    if (!used || !was_end())
        return refused("http.tls.certificate holds no certificate in PEM", error);
    ERR_clear_error();
    return true;
}

/* Nobody is there to be asked. */
static int no_password(char *text, int text_bytes, int writing, void *context)
{
    (void)text;
    (void)text_bytes;
    (void)writing;
    (void)context;
    return -1;
}

static bool use_key(struct tls_context *context, struct assignment_bytes pem, struct error *error)
{
    BIO *bio = open_pem(pem);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    bool used = key != NULL && SSL_CTX_use_PrivateKey(context->ssl, key) == 1;
    EVP_PKEY_free(key);
    if (!used)
        return refused("http.tls.key holds no key in PEM, or one with a password", error);
    return SSL_CTX_check_private_key(context->ssl) == 1 ||
           refused("http.tls.key is not that of http.tls.certificate", error);
}

/* A name is asked for (RFC 6066) and verified, an address verified alone. */
static bool set_name(struct tls_context *context, const char *host, size_t length,
                     struct error *error)
{
    if (length > 0 && host[length - 1] == '.')
        length--; /* the root of DNS is in no certificate */
    char name[NAME_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)length, host);
    X509_VERIFY_PARAM *verify = SSL_CTX_get0_param(context->ssl);
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    uint8_t address[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    if (!is_address)
        memcpy(context->name, name, sizeof name);
    return (is_address ? X509_VERIFY_PARAM_set1_ip_asc(verify, name)
                       : X509_VERIFY_PARAM_set1_host(verify, name, 0)) == 1 ||
           refused("the name to verify", error);
}

static bool offer(struct tls_context *context, const char *const *protocols, struct error *error)
{
    uint8_t list[PROTOCOLS_BYTES];
    size_t length = 0;
    for (; protocols != NULL && *protocols != NULL; protocols++) {
        size_t count = strlen(*protocols);
        CHECK(count >= 1);
        CHECK(count < sizeof list - length);
        list[length] = (uint8_t)count;
        memcpy(list + length + 1, *protocols, count);
        length += count + 1;
    }
    return length == 0 || SSL_CTX_set_alpn_protos(context->ssl, list, (unsigned)length) == 0 ||
           refused("the protocols to offer", error);
}

static void set_modes(struct tls_context *context, const struct assignment_tls *options)
{
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 (options->resumption ? 0 : SSL_OP_NO_TICKET));
    /* Buffers of 34 KiB go back while a connection rests; and what SSL_write() gets is not copied
     * to be compared with what it gets again. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ssl, options->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(ssl, options->resumption ? SSL_SESS_CACHE_CLIENT |
                                                                  SSL_SESS_CACHE_NO_INTERNAL_STORE
                                                            : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(ssl, keep_session);
    context->resumption = options->resumption;
}

static bool set_up(struct tls_context *context, const struct assignment_tls *options,
                   const char *host, const char *const *protocols, struct error *error)
{
    set_modes(context, options);
    bool named = options->server_name.count > 0;
    const char *name = named ? (const char *)options->server_name.bytes : host;
    if (!set_name(context, name, named ? options->server_name.count : strlen(host), error) ||
        !offer(context, protocols, error))
        return false;
    if (options->verify && !trust(context, options->authority, error))
        return false;
    return options->certificate.count == 0 ||
           (use_certificate(context, options->certificate, error) &&
            use_key(context, options->key, error));
}

struct tls_context *tls_context_create(const struct assignment_tls *options, const char *host,
                                       const char *const *protocols, struct error *error)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (context != NULL) {
        context->ssl = SSL_CTX_new(TLS_client_method());
        context->method = flow_method();
    }
    if (context == NULL || context->ssl == NULL || context->method == NULL)
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for TLS");
    else if (set_up(context, options, host, protocols, error))
        return context;
    tls_context_destroy(context);
    return NULL;
}

void tls_context_destroy(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->method);
    free(context);
}

/* Links */

struct tls_link *tls_link_create(const struct tls_context *context, struct tls_cache *cache)
{
    struct tls_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->ssl = SSL_new(context->ssl);
    BIO *bio = link->ssl != NULL ? BIO_new(context->method) : NULL;
    if (bio == NULL) {
        tls_link_destroy(link);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, link);
    SSL_set_bio(link->ssl, bio, bio);
    SSL_set_app_data(link->ssl, link);
    SSL_set_connect_state(link->ssl);
    if (context->name[0] != '\0')
        SSL_set_tlsext_host_name(link->ssl, context->name);
    link->cache = context->resumption ? cache : NULL;
    begin_with_session(link);
    return link;
}

void tls_link_destroy(struct tls_link *link)
{
    if (link == NULL)
        return;
    /* OpenSSL resumes no session whose connection was not shut down; ours ended as it should, or
     * while nobody was there to be told. */
    if (link->ssl != NULL && !link->failed)
        SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(link->ssl);
    free(link);
}

static enum failure class_of_verification(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return FAILURE_TLS_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return FAILURE_TLS_NAME;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return FAILURE_TLS_ISSUER;
    default:
        return FAILURE_TLS_CERTIFICATE;
    }
}

/* In TLS 1.3 a target that refuses our certificate says so when the handshake is over for us: until
 * it has said anything else, an alert is its answer to the handshake. */
static enum failure class_of_failure(const struct tls_link *link)
{
    unsigned long code = ERR_peek_error();
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return class_of_verification(SSL_get_verify_result(link->ssl));
    bool alert = ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET;
    return link->shaken && (link->trusted || !alert) ? FAILURE_TLS_RECORD : FAILURE_TLS_HANDSHAKE;
}

/* What a call that gave nothing means. OpenSSL judges by this thread's queue of errors, so none may
 * be left in it. */
static enum tls_outcome judge(struct tls_link *link, int result)
{
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        link->failed = true;
        link->failure = class_of_failure(link);
        ERR_clear_error();
        return TLS_FAILED;
    }
}

enum tls_outcome tls_shake(struct tls_link *link, struct tls_flow *flow)
{
    link->flow = flow;
    int result = SSL_do_handshake(link->ssl);
    link->shaken = result == 1;
    return link->shaken ? TLS_DONE : judge(link, result);
}

enum tls_outcome tls_read(struct tls_link *link, struct tls_flow *flow, uint8_t *plain,
                          size_t *count)
{
    link->flow = flow;
    int result = SSL_read_ex(link->ssl, plain, TLS_PLAIN_BYTES_MAX, count);
    if (result != 1)
        return judge(link, result);
    link->trusted = true;
    return TLS_DONE;
}

enum tls_outcome tls_write(struct tls_link *link, struct tls_flow *flow, const uint8_t *plain,
                           size_t count, size_t *taken)
{
    CHECK(flow->out_capacity - flow->out_count >= TLS_RECORD_BYTES_MAX);
    link->flow = flow;
    int result = SSL_write_ex(link->ssl, plain,
                              count < TLS_PLAIN_BYTES_MAX ? count : TLS_PLAIN_BYTES_MAX, taken);
    return result == 1 ? TLS_DONE : judge(link, result);
}

void tls_end(struct tls_link *link, struct tls_flow *flow)
{
    if (link->failed || !link->shaken)
        return;
    link->flow = flow;
    SSL_shutdown(link->ssl);
    ERR_clear_error();
}

enum failure tls_failure(const struct tls_link *link)
{
    CHECK(link->failed);
    return link->failure;
}

bool tls_speaks(const struct tls_link *link, const char *protocol)
{
    const unsigned char *chosen = NULL;
    unsigned count = 0;
    SSL_get0_alpn_selected(link->ssl, &chosen, &count);
    return count == strlen(protocol) && memcmp(chosen, protocol, count) == 0;
}

bool tls_resumed(const struct tls_link *link)
{
    return SSL_session_reused(link->ssl) == 1;
}
