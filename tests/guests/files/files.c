// Contract: `files` uses the file system as programs in C do, and answers 200 "all is well", or 500 and the line that
// was not. `fill` fills a file until there is no more, and answers the error's number and how many KiB there were.
//
// A reactor against wasi-libc. Files are there until the request ends; the next one finds none.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "taubyte.h"

static unsigned answer(unsigned event, unsigned code, const char *text) {
    unsigned count;
    eventHttpWrite(event, text, strlen(text), &count);
    return eventHttpRetCode(event, code);
}

#define CHECK(condition)                                                                                   \
    if (!(condition)) {                                                                                    \
        char text[256];                                                                                    \
        snprintf(text, sizeof text, "line %d: %s (errno %d)", __LINE__, #condition, errno);                \
        return answer(event, 500, text);                                                                   \
    }

EXPORT(files)(unsigned event) {
    char line[64];
    struct stat info;

    // Nothing is there, and asking says so.
    CHECK(!fopen("config.json", "r") && errno == ENOENT);
    CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT);
    CHECK(stat("/tmp", &info) < 0 && errno == ENOENT);

    CHECK(mkdir("/tmp", 0700) == 0);
    CHECK(mkdir("/tmp", 0700) < 0 && errno == EEXIST);
    FILE *file = fopen("/tmp/notes.txt", "w+");
    CHECK(file);
    CHECK(fprintf(file, "one\ntwo\n") == 8);
    CHECK(fseek(file, 4, SEEK_SET) == 0);
    CHECK(fgets(line, sizeof line, file) && strcmp(line, "two\n") == 0);
    CHECK(ftell(file) == 8 && !fgets(line, sizeof line, file) && feof(file));
    CHECK(fclose(file) == 0);

    file = fopen("tmp/notes.txt", "a");
    CHECK(file && fputs("three\n", file) >= 0 && fclose(file) == 0);
    CHECK(stat("/tmp/notes.txt", &info) == 0 && info.st_size == 14 && S_ISREG(info.st_mode));
    CHECK(info.st_mtim.tv_sec > 1700000000);
    CHECK(truncate("/tmp/notes.txt", 3) == 0 && stat("/tmp/notes.txt", &info) == 0 && info.st_size == 3);

    int fd = open("/tmp/notes.txt", O_RDWR);
    CHECK(fd > 2 && pwrite(fd, "ON", 2, 0) == 2 && lseek(fd, 1, SEEK_SET) == 1);
    CHECK(read(fd, line, sizeof line) == 2 && memcmp(line, "Ne", 2) == 0);
    CHECK(unlink("/tmp/notes.txt") == 0 && stat("/tmp/notes.txt", &info) < 0);
    CHECK(pread(fd, line, sizeof line, 0) == 3 && memcmp(line, "ONe", 3) == 0); // open, though it has no name
    CHECK(close(fd) == 0 && close(fd) < 0 && errno == EBADF);

    // More names than one call of `readdir` takes, half of them removed while they are read.
    for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "/tmp/a file with a longer name, number %d", i);
        CHECK((fd = open(line, O_CREAT | O_EXCL | O_WRONLY, 0600)) > 2 && close(fd) == 0);
    }
    CHECK(rmdir("/tmp") < 0 && errno == ENOTEMPTY);
    DIR *folder = opendir("/tmp");
    CHECK(folder);
    int found = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        CHECK(entry->d_type == DT_REG);
        snprintf(line, sizeof line, "/tmp/%s", entry->d_name);
        if (found++ % 2) CHECK(unlink(line) == 0);
    }
    CHECK(closedir(folder) == 0 && found == 200);
    CHECK(rename("/tmp", "/var") == 0 && access("/var", F_OK) == 0 && access("/tmp", F_OK) < 0);
    CHECK(symlink("/var", "/link") < 0 && errno == ENOTSUP);

    struct timespec pause = {0, 2000000}, before, after;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK(nanosleep(&pause, NULL) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec >= 2000000);
    before.tv_nsec += 4000000;
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, NULL) == 0);

    printf("a line without a flush\n");
    return answer(event, 200, "all is well");
}

EXPORT(fill)(unsigned event) {
    static char block[1024];
    char text[32];
    int blocks = 0;
    int fd = open("/fill", O_CREAT | O_WRONLY, 0600);
    while (write(fd, block, sizeof block) == sizeof block) blocks++;
    snprintf(text, sizeof text, "%s %d", errno == ENOSPC ? "ENOSPC" : "?", blocks);
    return answer(event, 200, text);
}
