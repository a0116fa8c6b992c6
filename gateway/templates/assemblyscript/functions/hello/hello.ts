// GET /api/hello?name=Ada and GET /api/hello/Ada answer {"message": "Hello, Ada"}.

import { Request } from "./taubyte";

// The YAML names this function at `call`. The gateway calls it with the event's number, once per instance.
export function hello(event: u32): u32 {
  const request = new Request(event);
  let name = request.parameter("name");
  if (name.length == 0) name = "world";
  return request.answer(200, "application/json", `{"message":${quoted("Hello, " + name)}}`);
}

// A string as JSON writes it.
function quoted(text: string): string {
  let json = '"';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit == 0x22 || unit == 0x5c) json += "\\" + text.charAt(i);
    else if (unit < 0x20) json += "\\u00" + (unit < 0x10 ? "0" : "") + unit.toString(16);
    else json += text.charAt(i);
  }
  return json + '"';
}
