// Contract: `tax` is nothing. What an application may have in place of the project's `tax`.

#include "taubyte.h"

EXPORT(tax)(unsigned net) {
    return 0;
}
