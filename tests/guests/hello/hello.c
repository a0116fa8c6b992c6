// Contract: `hello` answers 200 text/plain with the 13 bytes "Hello, world!".
//
// The smallest function there can be: a core module over Taubyte's ABI with neither libc nor WASI.

#include "taubyte.h"

EXPORT(hello)(unsigned event) {
    unsigned count;
    eventHttpHeaderAdd(event, STRING("content-type"), STRING("text/plain"));
    eventHttpWrite(event, STRING("Hello, world!"), &count);
    return eventHttpRetCode(event, 200);
}
