/** One message of each type, all fields filled: for round trips and as seeds of the fuzzer. */
#ifndef CLOBBER_TESTS_MESSAGES_H
#define CLOBBER_TESTS_MESSAGES_H

#include "proto/message.h"

/** The types that this version speaks. */
#define MESSAGES_COUNT 16u
extern const enum message_type messages_types[MESSAGES_COUNT];

/** The example of `type`, one of messages_types; what it points at is static. */
struct message messages_example(enum message_type type);

#endif
