// Contract: a library that imports another one, and can be a function itself.
//
// | export  | what it does                                                                      |
// |---------|-----------------------------------------------------------------------------------|
// | `gross` | an amount in cents with what `libraries/tax` adds; traps above ten million       |
// | `quote` | called with an event, it answers 200 with the gross of the query's `net`, or 400  |

#include "taubyte.h"

enum { DEAREST = 1000000000 };

FROM("libraries/tax", tax)(unsigned net);

EXPORT(gross)(unsigned net) {
    if (net > DEAREST) __builtin_trap();
    return net + tax(net);
}

EXPORT(quote)(unsigned event) {
    char bytes[12], *digit = bytes + sizeof bytes;
    unsigned size, count, net = 0;
    getHttpEventQueryValueByNameSize(event, &size, STRING("net"));
    if (size == 0 || size > 9) return eventHttpRetCode(event, 400);
    getHttpEventQueryValueByName(event, STRING("net"), bytes, size);
    for (unsigned at = 0; at < size; at++) {
        if (bytes[at] < '0' || bytes[at] > '9') return eventHttpRetCode(event, 400);
        net = net * 10 + bytes[at] - '0';
    }
    unsigned cents = gross(net);
    do *--digit = '0' + cents % 10;
    while (cents /= 10);
    eventHttpWrite(event, digit, bytes + sizeof bytes - digit, &count);
    return eventHttpRetCode(event, 200);
}
