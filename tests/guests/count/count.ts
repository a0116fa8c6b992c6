// Contract: `count` answers 200 application/json {"words":N,"bytes":M}, N and M of the request's body.
//
// A word is a run of bytes without ASCII white space. The body is read in chunks and never held
// whole. A body that cannot be read is answered 500 {"error":"errno E"}.
//
// Needs no import but Taubyte's ABI: it is built with `--use abort=`, which drops `env.abort`.

// @ts-ignore: decorator
@external("taubyte/sdk", "readHttpEventBody")
declare function readHttpEventBody(event: u32, bytes: usize, size: u32, count: usize): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpHeaderAdd")
declare function eventHttpHeaderAdd(event: u32, key: usize, keySize: u32, value: usize, valueSize: u32): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpWrite")
declare function eventHttpWrite(event: u32, bytes: usize, size: u32, count: usize): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpRetCode")
declare function eventHttpRetCode(event: u32, code: u32): u32;

const END_OF_BODY: u32 = 8;
const CHUNK: u32 = 4096;

const chunk = memory.data(4096);
const transferred = memory.data(4);

export function count(event: u32): u32 {
  let words: u32 = 0;
  let bytes: u32 = 0;
  let inWord = false;
  let errno: u32;
  do {
    errno = readHttpEventBody(event, chunk, CHUNK, transferred);
    if (errno && errno != END_OF_BODY) return respond(event, 500, `{"error":"errno ${errno}"}`);

    // The last bytes may come together with the end of the body.
    const size = load<u32>(transferred);
    for (let i: u32 = 0; i < size; i++) {
      const letter = !isSpace(load<u8>(chunk + i));
      if (letter && !inWord) words++;
      inWord = letter;
    }
    bytes += size;
  } while (errno != END_OF_BODY);
  return respond(event, 200, `{"words":${words},"bytes":${bytes}}`);
}

function isSpace(byte: u8): bool {
  return byte == 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function respond(event: u32, code: u32, json: string): u32 {
  const key = String.UTF8.encode("content-type");
  const value = String.UTF8.encode("application/json");
  const body = String.UTF8.encode(json);
  eventHttpHeaderAdd(event, changetype<usize>(key), key.byteLength, changetype<usize>(value), value.byteLength);
  eventHttpWrite(event, changetype<usize>(body), body.byteLength, transferred);
  return eventHttpRetCode(event, code);
}
