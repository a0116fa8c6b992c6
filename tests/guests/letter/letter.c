// Contract: a library that writes a letter and hands it over. `letter` answers the id of a view of its own memory in
// which the letter is; `postmark` answers the id of a fifo from which the postmark can be popped.

#include "taubyte.h"

HOST(memoryViewNew)(const char *bytes, unsigned size, unsigned closable, unsigned *id);
HOST(fifoNew)(unsigned read_closer);
HOST(fifoPush)(unsigned id, unsigned byte);

EXPORT(letter)(void) {
    static const char text[] = "Dear neighbour, this was never in your memory.";
    unsigned id;
    return memoryViewNew(text, sizeof text - 1, 1, &id) ? 0 : id;
}

EXPORT(postmark)(void) {
    unsigned id = fifoNew(1);
    for (const char *byte = " Posted."; *byte; byte++) fifoPush(id, *byte);
    return id;
}
