//! What functions use of Taubyte's ABI: functions of the module `taubyte/sdk`.
//!
//! All take the event's number first and return an error number, 0 if all is well. Results are written where
//! a pointer says.

extern "taubyte/sdk" fn getHttpEventQueryValueByNameSize(event: u32, size: *u32, name: [*]const u8, name_len: usize) u32;
extern "taubyte/sdk" fn getHttpEventQueryValueByName(event: u32, name: [*]const u8, name_len: usize, value: [*]u8, len: usize) u32;
extern "taubyte/sdk" fn readHttpEventBody(event: u32, bytes: [*]u8, len: usize, count: *u32) u32;
extern "taubyte/sdk" fn eventHttpHeaderAdd(event: u32, key: [*]const u8, key_len: usize, value: [*]const u8, value_len: usize) u32;
extern "taubyte/sdk" fn eventHttpWrite(event: u32, bytes: [*]const u8, len: usize, count: *u32) u32;
extern "taubyte/sdk" fn eventHttpRetCode(event: u32, code: u32) u32;

const end_of_body = 8;

pub const Request = struct {
    event: u32,
    body_ended: bool = false,

    /// A parameter of the path, else the first of that name in the query, else nothing.
    pub fn parameter(self: Request, name: []const u8, buffer: []u8) error{ TooLong, HostFailed }![]const u8 {
        var len: u32 = 0;
        if (getHttpEventQueryValueByNameSize(self.event, &len, name.ptr, name.len) != 0) return error.HostFailed;
        if (len > buffer.len) return error.TooLong;
        if (getHttpEventQueryValueByName(self.event, name.ptr, name.len, buffer.ptr, buffer.len) != 0) return error.HostFailed;
        return buffer[0..len];
    }

    /// The next bytes of the body, as they arrive; null at its end.
    pub fn read(self: *Request, buffer: []u8) error{HostFailed}!?[]const u8 {
        while (!self.body_ended) {
            var count: u32 = 0;
            const errno = readHttpEventBody(self.event, buffer.ptr, buffer.len, &count);
            if (errno != 0 and errno != end_of_body) return error.HostFailed;
            // The last bytes may come together with the end.
            self.body_ended = errno == end_of_body;
            if (count > 0) return buffer[0..count];
        }
        return null;
    }

    pub fn addHeader(self: Request, name: []const u8, value: []const u8) void {
        _ = eventHttpHeaderAdd(self.event, name.ptr, name.len, value.ptr, value.len);
    }

    pub fn answer(self: Request, code: u32, content_type: []const u8, body: []const u8) u32 {
        var count: u32 = undefined;
        self.addHeader("content-type", content_type);
        _ = eventHttpRetCode(self.event, code);
        return eventHttpWrite(self.event, body.ptr, body.len, &count);
    }
};
