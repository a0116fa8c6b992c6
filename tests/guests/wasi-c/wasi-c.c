// Contract: `greeting` answers 200 text/plain with the environment variable GREETING, or 500
// "GREETING is not set"; either way it writes one line to stdout, which is the function's log.
//
// A reactor against wasi-libc: `_initialize` runs once, WASI preview 1 brings environment and stdout.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "taubyte.h"

EXPORT(greeting)(unsigned event) {
    const char *greeting = getenv("GREETING");
    const char *body = greeting ? greeting : "GREETING is not set";
    unsigned count;

    printf("greeting with \"%s\"\n", body);
    fflush(stdout);

    eventHttpHeaderAdd(event, STRING("content-type"), STRING("text/plain"));
    eventHttpWrite(event, body, strlen(body), &count);
    return eventHttpRetCode(event, greeting ? 200 : 500);
}
