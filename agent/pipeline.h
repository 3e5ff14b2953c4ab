/** Redis' pipelining: the requests of several workers follow each other on one connection, and so
 *  do their answers. redis.io/docs/manual/pipelining.
 *
 *  A worker that gives up leaves an answer behind which nobody wants: its connection takes no more
 *  requests then, and ends with those it has. */
#ifndef CLOBBER_AGENT_PIPELINE_H
#define CLOBBER_AGENT_PIPELINE_H

#include "agent/sharing.h"

extern const struct protocol protocol_pipeline;

#endif
