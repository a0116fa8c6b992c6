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

// Lists of strings: each with a zero byte behind it.
#define LIST(literal) literal, sizeof literal

HOST(newHttpClient)(unsigned *client);
HOST(newHttpRequest)(unsigned client, unsigned *request);
HOST(setHttpRequestURL)(unsigned client, unsigned request, const char *url, unsigned size);
HOST(setHttpRequestMethod)(unsigned client, unsigned request, unsigned method);
HOST(getHttpRequestMethod)(unsigned client, unsigned request, unsigned *method);
HOST(setHttpRequestBody)(unsigned client, unsigned request, const char *body, unsigned size);
HOST(setHttpRequestHeader)(unsigned client, unsigned request, const char *key, unsigned key_size, const char *values, unsigned values_size);
HOST(addHttpRequestHeader)(unsigned client, unsigned request, const char *key, unsigned key_size, const char *values, unsigned values_size);
HOST(deleteHttpRequestHeader)(unsigned client, unsigned request, const char *key, unsigned key_size);
HOST(getHttpRequestHeaderSize)(unsigned client, unsigned request, const char *key, unsigned key_size, unsigned *size);
HOST(getHttpRequestHeader)(unsigned client, unsigned request, const char *key, unsigned key_size, char *values);
HOST(getHttpRequestHeaderKeysSize)(unsigned client, unsigned request, unsigned *size);
HOST(getHttpRequestHeaderKeys)(unsigned client, unsigned request, char *keys, unsigned size);
HOST(doHttpRequest)(unsigned client, unsigned request);
HOST(getHttpResponseHeaderSize)(unsigned client, unsigned request, const char *key, unsigned key_size, unsigned *size);
HOST(getHttpResponseHeader)(unsigned client, unsigned request, const char *key, unsigned key_size, char *values);
HOST(getHttpResponseHeaderKeysSize)(unsigned client, unsigned request, unsigned *size);
HOST(getHttpResponseHeaderKeys)(unsigned client, unsigned request, char *keys, unsigned size);
HOST(readHttpResponseBody)(unsigned client, unsigned request, char *bytes, unsigned size, unsigned *count);
HOST(closeHttpResponseBody)(unsigned client, unsigned request);

HOST(dnsNewResolver)(unsigned *resolver);
HOST(dnsRerouteResolver)(unsigned resolver, const char *address, unsigned address_size, const char *network, unsigned network_size);
HOST(dnsResetResolver)(unsigned resolver);
HOST(dnsLookupTxTSize)(unsigned resolver, const char *name, unsigned name_size, unsigned *size);
HOST(dnsLookupTxT)(unsigned resolver, const char *name, unsigned name_size, char *texts);
HOST(dnsLookupAddressSize)(unsigned resolver, const char *name, unsigned name_size, unsigned *size);
HOST(dnsLookupAddress)(unsigned resolver, const char *name, unsigned name_size, char *names);
HOST(dnsLookupCNAMESize)(unsigned resolver, const char *name, unsigned name_size, unsigned *size);
HOST(dnsLookupCNAME)(unsigned resolver, const char *name, unsigned name_size, char *canonical);
HOST(dnsLookupMXSize)(unsigned resolver, const char *name, unsigned name_size, unsigned *size);
HOST(dnsLookupMX)(unsigned resolver, const char *name, unsigned name_size, char *exchanges);

HOST(getGlobalValueSize)(const char *name, unsigned name_size, unsigned application, unsigned function, unsigned *size);
HOST(getGlobalValue)(const char *name, unsigned name_size, unsigned application, unsigned function, char *value);
HOST(getOrCreateGlobalValueSize)(const char *name, unsigned name_size, unsigned application, unsigned function, unsigned *size);
HOST(putGlobalValue)(const char *name, unsigned name_size, unsigned application, unsigned function, const char *value, unsigned value_size, unsigned value_capacity);
