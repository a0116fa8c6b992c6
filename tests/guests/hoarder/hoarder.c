// Contract: `hoard` takes as much of everything as the host gives it: memory views, queues and bytes in them, files,
// folders, descriptors and bytes in files, fields of the answer, lines of the log, its own memory last. It answers
// 200 with a line "<what> <how much>" for each. With `?keep=1` it does not return but traps, holding all of it.

#include "taubyte.h"

HOST(memoryViewNew)(const char *bytes, unsigned size, unsigned closable, unsigned *id);
HOST(fifoNew)(unsigned read_closer);
HOST(fifoPush)(unsigned id, unsigned byte);
__attribute__((import_module("env"), import_name("_log"))) void log_line(const char *bytes, unsigned size);

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) unsigned name
WASI(path_open)(unsigned folder, unsigned lookup, const char *path, unsigned size, unsigned how,
    unsigned long long rights, unsigned long long inheriting, unsigned flags, unsigned *fd);
WASI(path_create_directory)(unsigned folder, const char *path, unsigned size);
WASI(fd_close)(unsigned fd);
WASI(fd_write)(unsigned fd, const void *buffers, unsigned count, unsigned *written);

enum { ROOT = 3, CREATE = 1, READ_WRITE = 1 << 1 | 1 << 6, PAGE = 65536, SIZE = 4096, ENOUGH = 1 << 20 };

static char block[SIZE];

static unsigned digits(char *to, unsigned number) {
    char turned[10];
    unsigned count = 0, size = 0;
    do turned[count++] = '0' + number % 10;
    while (number /= 10);
    while (count) to[size++] = turned[--count];
    return size;
}

static void report(unsigned event, const char *what, unsigned how_much) {
    char line[64];
    unsigned size = 0, count;
    for (; what[size]; size++) line[size] = what[size];
    line[size++] = ' ';
    size += digits(line + size, how_much);
    line[size++] = '\n';
    eventHttpWrite(event, line, size, &count);
}

static unsigned make(const char *kind, unsigned nth, unsigned *fd) {
    char name[16] = {*kind};
    return path_open(ROOT, 0, name, 1 + digits(name + 1, nth), CREATE, READ_WRITE, 0, 0, fd);
}

EXPORT(hoard)(unsigned event) {
    unsigned n, id, fd = 0, size = 0;
    char name[16] = {'d'};

    for (n = 0; n < ENOUGH && !memoryViewNew(block, SIZE, 0, &id); n++) {}
    report(event, "views", n);

    unsigned first = fifoNew(0);
    for (n = 1; n < ENOUGH && fifoNew(0); n++) {}
    report(event, "queues", n);

    for (n = 0; n < ENOUGH && !make("o", n, &fd); n++) {}
    report(event, "open", n);
    for (unsigned open = ROOT + 1; open < ROOT + 1 + n; open++) fd_close(open);
    for (; n < ENOUGH && !path_create_directory(ROOT, name, 1 + digits(name + 1, n)); n++) {}
    report(event, "files", n);

    make("o", 0, &fd);
    const void *buffer[2] = {block, (void *)SIZE};
    for (n = 0; n < ENOUGH && !fd_write(fd, buffer, 1, &size); n++) {}
    report(event, "blocks", n);
    for (n = 0; n < ENOUGH * 16 && !fifoPush(first, n); n++) {}
    report(event, "queued", n);
    for (n = 0; n < ENOUGH && __builtin_wasm_memory_grow(0, 1) != -1ul; n++) {}
    report(event, "pages", n);

    for (n = 0; n < 1000; n++) log_line(block, SIZE);
    if (getHttpEventQueryValueByNameSize(event, &size, "keep", 4) == 0 && size) __builtin_trap();
    return eventHttpRetCode(event, 200);
}
