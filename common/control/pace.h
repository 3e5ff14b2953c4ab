/** Closed arrivals that hold a rate: how far workers may run ahead of it. The law (law_hold.h) says
 *  how many there are; until it has seen that they are too many, this is what bounds them. They
 * rest then. docs/control.md, "Closed arrivals". */
#ifndef CLOBBER_CONTROL_PACE_H
#define CLOBBER_CONTROL_PACE_H

/* Times the rate, after so many requests at once. Together they must let pass what a steady number
 * of workers does by chance, or the rate is cut where it should only be capped: of service times at
 * random, 1.02 or a burst of 10 cut off 2 to 4 %. */
#define PACE_ABOVE 1.05
#define PACE_BURST 20u

#endif
