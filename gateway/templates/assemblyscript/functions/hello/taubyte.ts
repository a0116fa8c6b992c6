// What functions use of Taubyte's ABI: functions of the module "taubyte/sdk".
//
// All take the event's number first and return an error number, 0 if all is well. Strings are passed as a
// pointer and a length, results are written where a pointer says.

// @ts-ignore: decorator
@external("taubyte/sdk", "getHttpEventQueryValueByNameSize")
declare function queryValueSize(event: u32, size: usize, name: usize, nameSize: u32): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "getHttpEventQueryValueByName")
declare function queryValue(event: u32, name: usize, nameSize: u32, value: usize, size: u32): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "readHttpEventBody")
declare function readBody(event: u32, bytes: usize, size: u32, count: usize): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpHeaderAdd")
declare function headerAdd(event: u32, key: usize, keySize: u32, value: usize, valueSize: u32): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpWrite")
declare function write(event: u32, bytes: usize, size: u32, count: usize): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpFlush")
declare function flush(event: u32): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpRetCode")
declare function retCode(event: u32, code: u32): u32;

const END_OF_BODY: u32 = 8;

// Where the gateway writes numbers for us.
const number = memory.data(4);

export class Request {
  private bodyEnded: bool = false;

  constructor(private event: u32) {}

  // A parameter of the path, else the first of that name in the query, else nothing.
  parameter(name: string): string {
    const key = String.UTF8.encode(name);
    const at = changetype<usize>(key);
    if (queryValueSize(this.event, number, at, key.byteLength) != 0) return "";
    const value = new ArrayBuffer(load<u32>(number));
    const errno = queryValue(this.event, at, key.byteLength, changetype<usize>(value), value.byteLength);
    return errno == 0 ? String.UTF8.decode(value) : "";
  }

  // The next bytes of the body, as they arrive, to where `bytes` points. Returns how many, 0 at the end, and
  // -1 if the body cannot be read.
  read(bytes: usize, size: u32): i32 {
    while (!this.bodyEnded) {
      store<u32>(number, 0);
      const errno = readBody(this.event, bytes, size, number);
      if (errno != 0 && errno != END_OF_BODY) return -1;
      // The last bytes may come together with the end.
      this.bodyEnded = errno == END_OF_BODY;
      const count = load<u32>(number);
      if (count > 0) return count;
    }
    return 0;
  }

  head(code: u32, contentType: string): u32 {
    const key = String.UTF8.encode("content-type");
    const value = String.UTF8.encode(contentType);
    headerAdd(this.event, changetype<usize>(key), key.byteLength, changetype<usize>(value), value.byteLength);
    return retCode(this.event, code);
  }

  write(bytes: usize, size: u32): u32 {
    return write(this.event, bytes, size, number);
  }

  // Sends what is written so far.
  flush(): u32 {
    return flush(this.event);
  }

  answer(code: u32, contentType: string, text: string): u32 {
    const body = String.UTF8.encode(text);
    this.head(code, contentType);
    return this.write(changetype<usize>(body), body.byteLength);
  }
}
