// Contract: counts its visitors in a global value, as Taubyte's SDK keeps a uint32: big-endian, under `/uint32/<name>`.
// Each export answers 200, or 507 "<call> <errno>\n" if a call failed.
//
// | export  | query   | answer                                                                             |
// |---------|---------|--------------------------------------------------------------------------------------|
// | `visit` | `scope` | one more than was counted before, "3\n"; `scope` is project, application or function |
// | `look`  | `scope` | what was counted; 404 if nobody ever visited                                        |
// | `fill`  | `bytes` | puts a value of so many bytes under `/string/filling`: "kept\n"                     |

#include "taubyte.h"

enum { NO_SUCH_KEY = 29, MOST = 1 << 20 };

static char text[64], filling[MOST];

static void write_text(unsigned event, const char *bytes, unsigned size) {
    unsigned count;
    eventHttpWrite(event, bytes, size, &count);
}

static void write_line(unsigned event, unsigned number) {
    char digits[12], *digit = digits + sizeof digits;
    *--digit = '\n';
    do *--digit = '0' + number % 10;
    while (number /= 10);
    write_text(event, digit, digits + sizeof digits - digit);
}

static unsigned failed(unsigned event, const char *call, unsigned size, unsigned errno) {
    eventHttpRetCode(event, 507);
    write_text(event, call, size);
    write_line(event, errno);
    return 0;
}

// The first letter of a value of the query is all that is asked for; a number whole.
static unsigned query(unsigned event, const char *name, unsigned name_size) {
    unsigned size = 0;
    getHttpEventQueryValueByNameSize(event, &size, name, name_size);
    if (size == 0 || size > sizeof text) return 0;
    return getHttpEventQueryValueByName(event, name, name_size, text, size) ? 0 : size;
}

struct scope { unsigned application, function; };

static struct scope scope(unsigned event) {
    char first = query(event, STRING("scope")) ? text[0] : 'p';
    return (struct scope){first == 'a', first == 'f'};
}

static unsigned decoded(const unsigned char *bytes) {
    return (unsigned)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

EXPORT(visit)(unsigned event) {
    struct scope of = scope(event);
    unsigned size = 0, number = 0, errno;
    unsigned char value[4];
    errno = getOrCreateGlobalValueSize(STRING("/uint32/visitors"), of.application, of.function, &size);
    if (errno) return failed(event, STRING("getOrCreateGlobalValueSize "), errno);
    if (size == sizeof value) {
        errno = getGlobalValue(STRING("/uint32/visitors"), of.application, of.function, (char *)value);
        if (errno) return failed(event, STRING("getGlobalValue "), errno);
        number = decoded(value);
    }
    number++;
    for (unsigned i = 0; i < sizeof value; i++) value[i] = number >> (24 - 8 * i);
    errno = putGlobalValue(STRING("/uint32/visitors"), of.application, of.function, (char *)value, 4, 4);
    if (errno) return failed(event, STRING("putGlobalValue "), errno);
    write_line(event, number);
    return 0;
}

EXPORT(look)(unsigned event) {
    struct scope of = scope(event);
    unsigned size = 0, errno;
    unsigned char value[4] = {0};
    errno = getGlobalValueSize(STRING("/uint32/visitors"), of.application, of.function, &size);
    if (errno == NO_SUCH_KEY) return eventHttpRetCode(event, 404);
    if (errno || size != sizeof value) return failed(event, STRING("getGlobalValueSize "), errno);
    errno = getGlobalValue(STRING("/uint32/visitors"), of.application, of.function, (char *)value);
    if (errno) return failed(event, STRING("getGlobalValue "), errno);
    write_line(event, decoded(value));
    return 0;
}

EXPORT(fill)(unsigned event) {
    unsigned size = query(event, STRING("bytes")), bytes = 0;
    for (unsigned i = 0; i < size; i++) bytes = bytes * 10 + text[i] - '0';
    if (bytes > MOST) return eventHttpRetCode(event, 400);
    unsigned errno = putGlobalValue(STRING("/string/filling"), 0, 0, filling, bytes, bytes);
    if (errno) return failed(event, STRING("putGlobalValue "), errno);
    write_text(event, STRING("kept\n"));
    return 0;
}
