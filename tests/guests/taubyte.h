// What the guests in C and C++ use of Taubyte's ABI (module `taubyte/sdk`): event id first, errno back, 0 = ok.
#pragma once

// A function of the host, one of another module, and one for others.
#define HOST(name) __attribute__((import_module("taubyte/sdk"), import_name(#name))) unsigned name
#define FROM(module, name) __attribute__((import_module(module), import_name(#name))) unsigned name
#define EXPORT(name) __attribute__((export_name(#name))) unsigned name
#define STRING(literal) literal, sizeof literal - 1

enum { END_OF_BODY = 8 };

HOST(getHttpEventMethodSize)(unsigned event, unsigned *size);
HOST(getHttpEventMethod)(unsigned event, char *bytes, unsigned size);
HOST(getHttpEventQueryValueByNameSize)(unsigned event, unsigned *size, const char *name, unsigned name_size);
HOST(getHttpEventQueryValueByName)(unsigned event, const char *name, unsigned name_size, char *bytes, unsigned size);
HOST(readHttpEventBody)(unsigned event, char *bytes, unsigned size, unsigned *count);
HOST(eventHttpHeaderAdd)(unsigned event, const char *key, unsigned key_size, const char *value, unsigned value_size);
HOST(eventHttpWrite)(unsigned event, const char *bytes, unsigned size, unsigned *count);
HOST(eventHttpFlush)(unsigned event);
HOST(eventHttpRetCode)(unsigned event, unsigned code);
