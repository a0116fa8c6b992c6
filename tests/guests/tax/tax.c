// Contract: `tax` is 19 % of an amount in cents, rounded down. A library: it knows nothing of requests.

#include "taubyte.h"

EXPORT(tax)(unsigned net) {
    return (unsigned)((unsigned long long)net * 19 / 100);
}
