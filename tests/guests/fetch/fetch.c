// Contract: calls others by `http/client` and looks names up by `dns`. Each export answers 200, lists with a newline
// behind each string; what fails is answered 502 "<call> <errno>\n".
//
// | export    | query                  | answer                                                                |
// |-----------|------------------------|-----------------------------------------------------------------------|
// | `fetch`   | `url`, `auth`          | a GET with an Authorization of `auth`: x-seen of the answer, then body  |
// | `submit`  | `url`                  | a POST of this request's body, whose memory is overwritten before it is done |
// | `fields`  |                        | what the functions of header fields make of a few                     |
// | `bomb`    | `url`                  | calls `url` twice with `url` as its query, one after the other        |
// | `hoard`   |                        | sets ever larger bodies until one is refused: "refused\n"             |
// | `lookup`  | `kind`, `name`, `server` | kind t, a, c or m; `server` is asked if there is one                 |

#include "taubyte.h"

enum { GET = 1, POST = 2, PIECE = 4096, NOTHING_MORE = 8 };

static char url[1024], text[1024], piece[PIECE], body[65536];
static unsigned client, request, failed;

static void write_bytes(unsigned event, const char *bytes, unsigned size) {
    unsigned count;
    eventHttpWrite(event, bytes, size, &count);
}

static unsigned length(const char *string) {
    unsigned size = 0;
    while (string[size]) size++;
    return size;
}

static void number(unsigned event, unsigned value) {
    char digits[12], *digit = digits + sizeof digits;
    do *--digit = '0' + value % 10;
    while (value /= 10);
    write_bytes(event, digit, digits + sizeof digits - digit);
}

// False, and told, unless the errno is zero. The first failure is the answer.
static int well(unsigned event, const char *call, unsigned errno) {
    if (errno == 0) return 1;
    if (failed) return 0;
    failed = 1;
    eventHttpRetCode(event, 502);
    write_bytes(event, call, length(call));
    write_bytes(event, " ", 1);
    number(event, errno);
    write_bytes(event, "\n", 1);
    return 0;
}

static unsigned query(unsigned event, const char *name, char *value) {
    unsigned size = 0;
    getHttpEventQueryValueByNameSize(event, &size, name, length(name));
    if (size == 0 || size >= sizeof url) return 0;
    getHttpEventQueryValueByName(event, name, length(name), value, size);
    return size;
}

static void list(unsigned event, char *strings, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        if (strings[i] == 0) strings[i] = '\n';
    write_bytes(event, strings, size);
}

static int prepare(unsigned event, unsigned method) {
    unsigned size = query(event, "url", url);
    return well(event, "newHttpClient", newHttpClient(&client))
        && well(event, "newHttpRequest", newHttpRequest(client, &request))
        && well(event, "setHttpRequestURL", setHttpRequestURL(client, request, url, size))
        && well(event, "setHttpRequestMethod", setHttpRequestMethod(client, request, method));
}

static unsigned perform(unsigned event) {
    unsigned size, errno, count;
    if (!well(event, "doHttpRequest", doHttpRequest(client, request))) return 0;
    if (getHttpResponseHeaderSize(client, request, STRING("x-seen"), &size) == 0 && size > 0
        && size <= sizeof text) {
        getHttpResponseHeader(client, request, STRING("x-seen"), text);
        list(event, text, size);
    }
    while ((errno = readHttpResponseBody(client, request, piece, PIECE, &count)) == 0)
        write_bytes(event, piece, count);
    if (errno != NOTHING_MORE) return well(event, "readHttpResponseBody", errno);
    well(event, "closeHttpResponseBody", closeHttpResponseBody(client, request));
    return eventHttpRetCode(event, failed ? 502 : 200);
}

EXPORT(fetch)(unsigned event) {
    if (!prepare(event, GET)) return 0;
    unsigned size = query(event, "auth", text);
    text[size] = 0;
    if (size > 0)
        well(event, "setHttpRequestHeader",
             setHttpRequestHeader(client, request, STRING("authorization"), text, size + 1));
    return perform(event);
}

EXPORT(submit)(unsigned event) {
    unsigned size = 0, count;
    while (size < sizeof body && readHttpEventBody(event, body + size, sizeof body - size, &count) == 0)
        size += count;
    if (!prepare(event, POST)) return 0;
    well(event, "setHttpRequestBody", setHttpRequestBody(client, request, body, size));
    for (unsigned i = 0; i < size; i++) *(volatile char *)(body + i) = '!';
    return perform(event);
}

static void show(unsigned event, const char *key) {
    unsigned size = 0;
    well(event, "getHttpRequestHeaderSize", getHttpRequestHeaderSize(client, request, key, length(key), &size));
    well(event, "getHttpRequestHeader", getHttpRequestHeader(client, request, key, length(key), text));
    list(event, text, size);
}

EXPORT(fields)(unsigned event) {
    unsigned size = 0, method = 0;
    newHttpClient(&client);
    newHttpRequest(client, &request);
    getHttpRequestMethod(client, request, &method);
    number(event, method);
    write_bytes(event, "\n", 1);
    well(event, "set", setHttpRequestHeader(client, request, STRING("x-one"), LIST("a\0b")));
    well(event, "add", addHttpRequestHeader(client, request, STRING("X-ONE"), LIST("c")));
    well(event, "add", addHttpRequestHeader(client, request, STRING("x-two"), LIST("d")));
    show(event, "x-One");
    getHttpRequestHeaderKeysSize(client, request, &size);
    getHttpRequestHeaderKeys(client, request, text, size);
    list(event, text, size);
    well(event, "set", setHttpRequestHeader(client, request, STRING("x-one"), LIST("e")));
    show(event, "x-one");
    well(event, "delete", deleteHttpRequestHeader(client, request, STRING("x-one")));
    show(event, "x-one");
    return well(event, "delete", deleteHttpRequestHeader(client, request, STRING("x-one")));
}

EXPORT(bomb)(unsigned event) {
    unsigned size = query(event, "url", url), whole = 0;
    if (size == 0 || 2 * size + 5 > sizeof text) return 0;
    for (unsigned i = 0; i < size; i++) text[whole++] = url[i];
    for (unsigned i = 0; i < 5; i++) text[whole++] = "?url="[i];
    for (unsigned i = 0; i < size; i++) text[whole++] = url[i];
    for (unsigned calls = 0; calls < 2; calls++) {
        newHttpClient(&client);
        newHttpRequest(client, &request);
        setHttpRequestURL(client, request, text, whole);
        setHttpRequestMethod(client, request, GET);
        if (doHttpRequest(client, request) == 0) closeHttpResponseBody(client, request);
    }
    return eventHttpRetCode(event, 200);
}

EXPORT(hoard)(unsigned event) {
    newHttpClient(&client);
    for (;;) {
        unsigned errno = newHttpRequest(client, &request);
        if (errno == 0) errno = setHttpRequestBody(client, request, body, sizeof body);
        if (errno != 0) break;
    }
    write_bytes(event, STRING("refused\n"));
    return eventHttpRetCode(event, 200);
}

EXPORT(lookup)(unsigned event) {
    unsigned resolver, size = 0, errno, name_size;
    well(event, "dnsNewResolver", dnsNewResolver(&resolver));
    unsigned server = query(event, "server", text);
    if (server > 0)
        well(event, "dnsRerouteResolver", dnsRerouteResolver(resolver, text, server, STRING("udp")));
    query(event, "kind", text);
    char kind = text[0];
    name_size = query(event, "name", url);
    switch (kind) {
    case 't': errno = dnsLookupTxTSize(resolver, url, name_size, &size); break;
    case 'a': errno = dnsLookupAddressSize(resolver, url, name_size, &size); break;
    case 'c': errno = dnsLookupCNAMESize(resolver, url, name_size, &size); break;
    default: errno = dnsLookupMXSize(resolver, url, name_size, &size);
    }
    if (!well(event, "size", errno) || size > sizeof text) return 0;
    switch (kind) {
    case 't': errno = dnsLookupTxT(resolver, url, name_size, text); break;
    case 'a': errno = dnsLookupAddress(resolver, url, name_size, text); break;
    case 'c': errno = dnsLookupCNAME(resolver, url, name_size, text); break;
    default: errno = dnsLookupMX(resolver, url, name_size, text);
    }
    if (!well(event, "lookup", errno)) return 0;
    list(event, text, size);
    // The answer is given once.
    errno = dnsLookupTxT(resolver, url, name_size, text);
    return well(event, "again", errno == 102 ? 0 : 999);
}
