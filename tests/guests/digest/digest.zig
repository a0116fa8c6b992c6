//! Contract: `digest` answers 200 application/json {"algorithm":…,"bytes":N,"hex":"…"} of the body, and the
//! same digest in the header x-digest, written as in RFC 9530: `sha-256=:<base64>:`.
//!
//! The query `algorithm` is sha-256 (if absent), sha-512 or blake3; another is answered 400 {"error":…}. The
//! body is hashed as it arrives and never held. Zig's standard library, freestanding; the template's taubyte.zig.

const std = @import("std");
const taubyte = @import("taubyte");

export fn digest(event: u32) u32 {
    var request: taubyte.Request = .{ .event = event };
    return answer(&request) catch |err| request.answer(500, "text/plain", @errorName(err));
}

fn answer(request: *taubyte.Request) !u32 {
    var buffer: [16]u8 = undefined;
    const name = request.parameter("algorithm", &buffer) catch |err| switch (err) {
        error.TooLong => "?",
        else => return err,
    };
    const algorithm = if (name.len == 0) .@"sha-256" else std.meta.stringToEnum(Algorithm, name) orelse
        return request.answer(400, "application/json", "{\"error\":\"no such algorithm\"}");
    return switch (algorithm) {
        .@"sha-256" => tell(std.crypto.hash.sha2.Sha256, algorithm, request),
        .@"sha-512" => tell(std.crypto.hash.sha2.Sha512, algorithm, request),
        .blake3 => tell(std.crypto.hash.Blake3, algorithm, request),
    };
}

const Algorithm = enum { @"sha-256", @"sha-512", blake3 };

fn tell(Hash: type, algorithm: Algorithm, request: *taubyte.Request) !u32 {
    var hash: Hash = .init(.{});
    var bytes: u64 = 0;
    var chunk: [8192]u8 = undefined;
    while (try request.read(&chunk)) |part| {
        hash.update(part);
        bytes += part.len;
    }
    var sum: [Hash.digest_length]u8 = undefined;
    hash.final(&sum);

    const base64 = std.base64.standard.Encoder;
    var encoded: [base64.calcSize(sum.len)]u8 = undefined;
    var field: [encoded.len + 16]u8 = undefined;
    request.addHeader("x-digest", try std.fmt.bufPrint(&field, "{s}=:{s}:", .{
        @tagName(algorithm),
        base64.encode(&encoded, &sum),
    }));
    var json: [256]u8 = undefined;
    return request.answer(200, "application/json", try std.fmt.bufPrint(
        &json,
        "{{\"algorithm\":\"{s}\",\"bytes\":{d},\"hex\":\"{s}\"}}",
        .{ @tagName(algorithm), bytes, std.fmt.bytesToHex(sum, .lower) },
    ));
}
