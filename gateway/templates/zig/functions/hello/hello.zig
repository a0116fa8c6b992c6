//! GET /api/hello?name=Ada and GET /api/hello/Ada answer {"message": "Hello, Ada"}.

const std = @import("std");
const taubyte = @import("taubyte.zig");

/// The YAML names this function at `call`. The gateway calls it with the event's number, once per instance.
export fn hello(event: u32) u32 {
    const request: taubyte.Request = .{ .event = event };
    answer(request) catch |err| return request.answer(500, "text/plain", @errorName(err));
    return 0;
}

fn answer(request: taubyte.Request) !void {
    var name_buffer: [256]u8 = undefined;
    const given = try request.parameter("name", &name_buffer);
    const name = if (given.len > 0) given else "world";

    var message_buffer: [300]u8 = undefined;
    const message = try std.fmt.bufPrint(&message_buffer, "Hello, {s}", .{name});

    var json_buffer: [2048]u8 = undefined;
    var json: std.Io.Writer = .fixed(&json_buffer);
    try std.json.Stringify.value(.{ .message = message }, .{}, &json);
    _ = request.answer(200, "application/json", json.buffered());
}
