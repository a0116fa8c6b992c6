// Contract: `shrink` answers a picture in binary PGM or PPM (P5, P6; a maximum of 255) by the mean of each
// block of `by` times `by` pixels: 200 image/x-portable-graymap or -pixmap. Columns and rows that fill no
// whole block are left out.
//
// `by` is 2 if the query has none, and from 1 to 64. The query `grey=1` makes a PPM a PGM by the luma of BT.601.
// The body is read in chunks and written row by row, so that a picture of any height takes as much memory as
// the widest row, 8192 pixels. What is no such picture is answered 400 with the reason. A body that ends within
// the picture is, too, unless rows of the answer are written already: then the function traps, so that nobody
// takes them for the whole.

#include "taubyte.h"

enum { CHUNK = 65536, MOST_WIDTH = 8192, MOST_BY = 64, MOST_CHANNELS = 3 };

typedef struct {
    unsigned event, at, size;
    int ended;
} Source;

static unsigned char chunk[CHUNK];
static unsigned sums[MOST_WIDTH * MOST_CHANNELS];
static unsigned char row[MOST_WIDTH * MOST_CHANNELS];

// The next byte, or -1 at the end.
static int next(Source *source) {
    while (source->at == source->size) {
        if (source->ended) return -1;
        source->at = source->size = 0;
        // The last bytes may come together with the end of the body.
        source->ended = readHttpEventBody(source->event, (char *)chunk, CHUNK, &source->size) != 0;
    }
    return chunk[source->at++];
}

// The next number of the head and the one white space behind it, past white space and comments.
static int number(Source *source) {
    int byte = next(source), value = 0;
    while (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '#') {
        if (byte == '#')
            while (byte >= 0 && byte != '\n') byte = next(source);
        else byte = next(source);
    }
    if (byte < '0' || byte > '9') return -1;
    for (; byte >= '0' && byte <= '9'; byte = next(source)) {
        value = value * 10 + byte - '0';
        if (value > 0xffffff) return -1;
    }
    return value;
}

static unsigned text_size(const char *text) {
    unsigned size = 0;
    while (text[size]) size++;
    return size;
}

static void write_text(unsigned event, const char *text) {
    unsigned count;
    eventHttpWrite(event, text, text_size(text), &count);
}

static void write_number(unsigned event, unsigned value) {
    char digits[12], *digit = digits + sizeof digits;
    *--digit = 0;
    do *--digit = '0' + value % 10;
    while (value /= 10);
    write_text(event, digit);
}

static unsigned head(unsigned event, unsigned code, const char *type) {
    eventHttpHeaderAdd(event, STRING("content-type"), type, text_size(type));
    return eventHttpRetCode(event, code);
}

static unsigned refuse(unsigned event, const char *reason) {
    unsigned error = head(event, 400, "text/plain");
    write_text(event, reason);
    return error;
}

// A number of the query, `otherwise` if it is absent, and -1 if it is none.
static int query(unsigned event, const char *name, int otherwise) {
    char text[3];
    unsigned size = 0;
    int value = 0;
    getHttpEventQueryValueByNameSize(event, &size, name, text_size(name));
    if (!size) return otherwise;
    if (size > sizeof text) return -1;
    getHttpEventQueryValueByName(event, name, text_size(name), text, size);
    for (unsigned i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + text[i] - '0';
    }
    return value;
}

// Adds a row of the source to the sums of its blocks. 0 if the body ends within.
static int add_row(Source *source, unsigned width, unsigned by, unsigned channels) {
    for (unsigned x = 0; x < width; x++) {
        for (unsigned channel = 0; channel < channels; channel++) {
            int byte = next(source);
            if (byte < 0) return 0;
            sums[x / by * channels + channel] += byte;
        }
    }
    return 1;
}

// The row of blocks the sums come to, which begin anew.
static void write_row(unsigned event, unsigned columns, unsigned area, unsigned channels, int grey) {
    unsigned size = 0, count;
    for (unsigned column = 0; column < columns; column++) {
        unsigned *sum = sums + column * channels;
        if (grey) {
            row[size++] = (299 * sum[0] + 587 * sum[1] + 114 * sum[2] + 500 * area) / (1000 * area);
            continue;
        }
        for (unsigned channel = 0; channel < channels; channel++) row[size++] = (sum[channel] + area / 2) / area;
    }
    __builtin_memset(sums, 0, sizeof sums);
    eventHttpWrite(event, (char *)row, size, &count);
}

EXPORT(shrink)(unsigned event) {
    Source source = {.event = event};
    int by = query(event, "by", 2), grey = query(event, "grey", 0);
    if (by < 1 || by > MOST_BY) return refuse(event, "by is a number from 1 to 64\n");
    if (grey < 0 || grey > 1) return refuse(event, "grey is 0 or 1\n");

    int magic = next(&source), kind = next(&source);
    if (magic != 'P' || (kind != '5' && kind != '6')) return refuse(event, "the body is neither PGM nor PPM\n");
    unsigned channels = kind == '5' ? 1 : 3;
    grey = grey && channels == 3;
    int width = number(&source), height = number(&source), most = number(&source);
    if (width < by || height < by || width > MOST_WIDTH) return refuse(event, "the picture is too small or too wide\n");
    if (most != 255) return refuse(event, "the maximum is not 255\n");

    unsigned columns = width / by, rows = height / by;
    for (unsigned y = 0; y < rows; y++) {
        for (int line = 0; line < by; line++) {
            if (add_row(&source, width, by, channels)) continue;
            if (y) __builtin_trap();
            return refuse(event, "the body ends within the picture\n");
        }
        if (!y) {
            int pgm = grey || channels == 1;
            head(event, 200, pgm ? "image/x-portable-graymap" : "image/x-portable-pixmap");
            write_text(event, pgm ? "P5\n" : "P6\n");
            write_number(event, columns);
            write_text(event, " ");
            write_number(event, rows);
            write_text(event, "\n255\n");
        }
        write_row(event, columns, by * by, channels, grey);
    }
    return 0;
}
