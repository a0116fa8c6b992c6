// Contract: `read_letter` asks `libraries/letter` for a letter and its postmark, and answers with both, read piece by
// piece out of the other module's memory; 500 if anything was not as agreed.

#include "taubyte.h"

HOST(memoryViewOpen)(unsigned id, unsigned *closable, unsigned *size);
HOST(memoryViewRead)(unsigned id, unsigned offset, unsigned count, char *bytes, unsigned *read);
__attribute__((import_module("taubyte/sdk"), import_name("memoryViewClose"))) void memoryViewClose(unsigned id);
HOST(fifoPop)(unsigned id, char *byte);
HOST(fifoIsCloser)(unsigned id, unsigned *closer);
__attribute__((import_module("taubyte/sdk"), import_name("fifoClose"))) void fifoClose(unsigned id);
FROM("libraries/letter", letter)(void);
FROM("libraries/letter", postmark)(void);

enum { NO_VIEW = 111, NO_FIFO = 115, OUT_OF_MEMORY = 3 };

EXPORT(read_letter)(unsigned event) {
    char piece[10];
    unsigned closable = 0, size = 0, read = 0, written, closer = 0;

    unsigned view = letter();
    if (memoryViewOpen(view, &closable, &size) || !closable) return eventHttpRetCode(event, 500);
    for (unsigned offset = 0; offset < size; offset += read) {
        if (memoryViewRead(view, offset, sizeof piece, piece, &read)) return eventHttpRetCode(event, 500);
        eventHttpWrite(event, piece, read, &written);
    }
    if (memoryViewRead(view, size, 1, piece, &read) != OUT_OF_MEMORY) return eventHttpRetCode(event, 500);
    memoryViewClose(view);
    if (memoryViewOpen(view, &closable, &size) != NO_VIEW) return eventHttpRetCode(event, 500);

    unsigned fifo = postmark();
    if (fifoIsCloser(fifo, &closer) || !closer) return eventHttpRetCode(event, 500);
    while (fifoPop(fifo, piece) == 0) eventHttpWrite(event, piece, 1, &written);
    if (fifoPop(fifo, piece) != END_OF_BODY) return eventHttpRetCode(event, 500);
    fifoClose(fifo);
    return eventHttpRetCode(event, fifoPop(fifo, piece) == NO_FIFO ? 200 : 500);
}
