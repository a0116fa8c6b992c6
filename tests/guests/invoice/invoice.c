// Contract: `invoice` answers 200 with the gross of 1,000 cents as `libraries/price` has it, stamped twice by
// `libraries/stamp`; `costly` asks for more than the library can count, which traps there.

#include "taubyte.h"

FROM("libraries/price", gross)(unsigned net);
FROM("libraries/stamp", stamp)(unsigned event);

static unsigned answer(unsigned event, unsigned net) {
    char text[] = "gross:       ", *digit = text + sizeof text - 1;
    unsigned cents = gross(net), count;
    do *--digit = '0' + cents % 10;
    while (cents /= 10);
    stamp(event);
    stamp(event);
    eventHttpWrite(event, STRING(text), &count);
    return eventHttpRetCode(event, 200);
}

EXPORT(invoice)(unsigned event) {
    return answer(event, 1000);
}

EXPORT(costly)(unsigned event) {
    return answer(event, 4000000000u);
}
