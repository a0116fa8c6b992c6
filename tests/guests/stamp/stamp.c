// Contract: `stamp` adds a header `x-stamp` with how often it was called in this request: 1, 2, ….
//
// A library that speaks to the host itself: it has the event of the function that calls it, and a memory of its own.

#include "taubyte.h"

EXPORT(stamp)(unsigned event) {
    static char calls = '0';
    calls++;
    return eventHttpHeaderAdd(event, STRING("x-stamp"), &calls, 1);
}
