// What this function uses of Taubyte's ABI: functions of the module "taubyte/sdk".
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
@external("taubyte/sdk", "eventHttpHeaderAdd")
declare function headerAdd(event: u32, key: usize, keySize: u32, value: usize, valueSize: u32): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpWrite")
declare function write(event: u32, bytes: usize, size: u32, count: usize): u32;
// @ts-ignore: decorator
@external("taubyte/sdk", "eventHttpRetCode")
declare function retCode(event: u32, code: u32): u32;

// Where the gateway writes numbers for us.
const number = memory.data(4);

export class Request {
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

  answer(code: u32, contentType: string, text: string): u32 {
    const key = String.UTF8.encode("content-type");
    const value = String.UTF8.encode(contentType);
    const body = String.UTF8.encode(text);
    headerAdd(this.event, changetype<usize>(key), key.byteLength, changetype<usize>(value), value.byteLength);
    retCode(this.event, code);
    return write(this.event, changetype<usize>(body), body.byteLength, number);
  }
}
