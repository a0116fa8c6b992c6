// Contract: one export for each way in which a core function may misbehave, over Taubyte's ABI.
//
// | export         | what it does                                        | expected           |
// |----------------|-----------------------------------------------------|--------------------|
// | `spin`         | loops for ever                                      | 504 at the deadline |
// | `bomb`         | grows its memory until refused, touches it, traps   | 502                |
// | `recurse`      | calls itself until the stack ends                   | 502                |
// | `trap`         | `unreachable`                                       | 502                |
// | `quiet`        | returns without a word                              | 200, empty         |
// | `bad_pointers` | hands the host pointers and sizes beyond its memory | 200, a line "<call> <errno>" for each |
// | `flush`        | "a", flush, "b", flush                              | 200 "ab"           |
// | `body_echo`    | the request's body, read in steps of 1 KiB          | 200, the same bytes |

#include "taubyte.h"

enum { PAGE = 65536 };

static void write_text(unsigned event, const char *text) {
    unsigned size = 0, count;
    while (text[size]) size++;
    eventHttpWrite(event, text, size, &count);
}

static void report(unsigned event, const char *call, unsigned errno) {
    char digits[12], *digit = digits + sizeof digits;
    *--digit = 0;
    *--digit = '\n';
    do *--digit = '0' + errno % 10;
    while (errno /= 10);
    write_text(event, call);
    write_text(event, " ");
    write_text(event, digit);
}

EXPORT(spin)(unsigned event) {
    for (;;) __asm__ volatile("" ::: "memory");
}

EXPORT(bomb)(unsigned event) {
    for (;;) {
        unsigned long page = __builtin_wasm_memory_grow(0, 16);
        if (page == -1ul) __builtin_trap();
        for (int i = 0; i < 16; i++) *(volatile char *)((page + i) * PAGE) = 1;
    }
}

// Not a tail call, and without a frame in memory, so that it is the engine's stack which ends.
__attribute__((noinline)) static unsigned deeper(unsigned depth) {
    unsigned below = deeper(depth + 1);
    __asm__ volatile("" : "+r"(below));
    return below ^ depth;
}

EXPORT(recurse)(unsigned event) {
    return deeper(event);
}

EXPORT(trap)(unsigned event) {
    __builtin_trap();
}

EXPORT(quiet)(unsigned event) {
    return 0;
}

EXPORT(bad_pointers)(unsigned event) {
    char *const nowhere = (char *)0xffffffff;
    unsigned *const nowhere_too = (unsigned *)0xfffffffc; // its last byte is the address space's last
    char byte = 0;
    unsigned count;

    unsigned write_pointer = eventHttpWrite(event, nowhere, 1, &count);
    unsigned write_size = eventHttpWrite(event, &byte, 0xffffffff, &count);
    unsigned write_wrap = eventHttpWrite(event, nowhere, 0xffffffff, &count);
    unsigned write_count = eventHttpWrite(event, &byte, 0, nowhere_too);
    unsigned method_size = getHttpEventMethodSize(event, nowhere_too);
    unsigned size = 0;
    getHttpEventMethodSize(event, &size);
    unsigned method = getHttpEventMethod(event, nowhere, size);
    unsigned read_pointer = readHttpEventBody(event, nowhere, 1024, &count);
    unsigned read_size = readHttpEventBody(event, &byte, 0xffffffff, &count);
    unsigned read_count = readHttpEventBody(event, &byte, 1, nowhere_too);
    unsigned header_key = eventHttpHeaderAdd(event, nowhere, 4, STRING("value"));
    unsigned header_value = eventHttpHeaderAdd(event, STRING("x-key"), &byte, 0xffffffff);
    unsigned no_event = eventHttpRetCode(event + 12345, 200);

    eventHttpHeaderAdd(event, STRING("content-type"), STRING("text/plain"));
    report(event, "eventHttpWrite:pointer", write_pointer);
    report(event, "eventHttpWrite:size", write_size);
    report(event, "eventHttpWrite:wrap", write_wrap);
    report(event, "eventHttpWrite:count", write_count);
    report(event, "getHttpEventMethodSize:size", method_size);
    report(event, "getHttpEventMethod:pointer", method);
    report(event, "readHttpEventBody:pointer", read_pointer);
    report(event, "readHttpEventBody:size", read_size);
    report(event, "readHttpEventBody:count", read_count);
    report(event, "eventHttpHeaderAdd:key", header_key);
    report(event, "eventHttpHeaderAdd:value", header_value);
    report(event, "eventHttpRetCode:event", no_event);
    return eventHttpRetCode(event, 200);
}

EXPORT(flush)(unsigned event) {
    write_text(event, "a");
    eventHttpFlush(event);
    write_text(event, "b");
    return eventHttpFlush(event);
}

EXPORT(body_echo)(unsigned event) {
    char step[1024];
    unsigned errno, count, written;
    do {
        errno = readHttpEventBody(event, step, sizeof step, &count);
        if (errno && errno != END_OF_BODY) return eventHttpRetCode(event, 500);
        // The last bytes may come together with the end of the body.
        if (count) eventHttpWrite(event, step, count, &written);
    } while (errno != END_OF_BODY);
    return 0;
}
