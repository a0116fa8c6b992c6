//! Contract: `hello` answers 200 text/plain with the 13 bytes "Hello, world!".
//!
//! The same function as `hello`, in Zig: a core module over Taubyte's ABI without WASI.

extern "taubyte/sdk" fn eventHttpHeaderAdd(event: u32, key: [*]const u8, key_len: usize, value: [*]const u8, value_len: usize) u32;
extern "taubyte/sdk" fn eventHttpWrite(event: u32, bytes: [*]const u8, len: usize, count: *u32) u32;
extern "taubyte/sdk" fn eventHttpRetCode(event: u32, code: u32) u32;

export fn hello(event: u32) u32 {
    const body = "Hello, world!";
    var count: u32 = undefined;
    _ = eventHttpHeaderAdd(event, "content-type", 12, "text/plain", 10);
    _ = eventHttpWrite(event, body, body.len, &count);
    return eventHttpRetCode(event, 200);
}
