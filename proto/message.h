/** The envelope, and a tagged union of all messages. */
#ifndef CLOBBER_PROTO_MESSAGE_H
#define CLOBBER_PROTO_MESSAGE_H

#include "proto/beat.h"
#include "proto/examination.h"
#include "proto/membership.h"
#include "proto/sample.h"
#include "proto/setpoint.h"
#include "proto/transfer.h"

#define ID_BYTES 16u

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_WELCOME = 2,
    MESSAGE_REFUSE = 3,
    MESSAGE_READY = 4,
    MESSAGE_DECLINE = 5,
    MESSAGE_BEAT = 6,
    MESSAGE_SETPOINT = 7,
    MESSAGE_SAMPLE = 8,
    MESSAGE_FINAL = 9,
    MESSAGE_FINAL_ACK = 10,
    MESSAGE_STOP = 11,
    MESSAGE_RESET = 12, /* later: session unknown */
    MESSAGE_BYE = 13,
    MESSAGE_DATA = 14,
    MESSAGE_FETCH = 15,
    MESSAGE_EXAMINE = 16,
    MESSAGE_FINDINGS = 17,
    MESSAGE_TYPES
};

/** The type's word, "HELLO". Static. */
const char *message_word(enum message_type type);

struct message {
    enum message_type type;
    uint8_t run_id[ID_BYTES];      /* zero in a HELLO that knows no run */
    uint8_t incarnation[ID_BYTES]; /* of the agent, both ways */
    uint64_t epoch;
    uint64_t seq; /* grows by one per message of this sender to this peer; a repeated FINAL keeps
                     its own */
    union {
        struct hello hello;
        struct welcome welcome;
        struct refuse refuse;
        struct ready ready;
        struct decline decline;
        struct beat beat;
        struct setpoint setpoint;
        struct sample sample;
        struct final final;
        struct final_ack final_ack;
        struct stop stop;
        struct bye bye;
        struct data_part data;
        struct fetch fetch;
        struct examine examine;
        struct findings findings;
    } as;
};

/** Encodes into `bytes[capacity]`; returns the bytes written, 0 when it does not fit. */
size_t message_encode(const struct message *message, uint8_t *bytes, size_t capacity);
/** Decodes all of `bytes[byte_count]`, in time that grows with them and without the heap; what the
 *  message points at is borrowed from there. RESET is known by name and refused. False:
 *  ERROR_PROTOCOL, result untouched.
 *
 *  Up to WIRE_UNKNOWN_FIELDS_MAX fields at the end that this version does not know are skipped: in
 *  WELCOME when its minor version is newer than ours, in HELLO and REFUSE never (they do not
 *  change); for the others the caller knows the peer's version. A HELLO of another major version
 *  decodes as far as its name, so that it can be refused with a sentence. */
bool message_decode(const uint8_t *bytes, size_t byte_count, struct message *message,
                    struct error *error);

#endif
