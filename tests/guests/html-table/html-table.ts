// Contract: `table` answers 200 text/html with the CSV (RFC 4180) it is sent as a table, whose head is the
// first row. Rows end with LF or CRLF, the last one may go without. What has arrived is converted and flushed,
// and never held but for the head.
//
// A CSV that is wrong is answered 400 text/plain with the reason and the line if no part of the table is out
// yet, which is while its head lasts; later the function traps, so that nobody takes the table for whole. Wrong
// are an empty body, a quote that is not closed or stands within a field that has none, and a row of other than
// the head's number of fields. The head may have 8 KiB.
//
// AssemblyScript without a collector, and with the template's taubyte.ts; it allocates for refusals only.

import { Request } from "../../../gateway/templates/assemblyscript/functions/hello/taubyte";

const CHUNK: u32 = 4096;
const HELD: u32 = 8192;
// The longest piece that is written at a time.
const PIECE: u32 = 32;

const chunk = memory.data(4096);
const held = memory.data(8192);

export function table(event: u32): u32 {
  const request = new Request(event);
  const table = new Table(request);
  let size: i32;
  while ((size = request.read(chunk, CHUNK)) > 0) {
    for (let i = 0; i < size; i++) {
      if (!table.add(load<u8>(chunk + i))) return table.refuse(table.wrong);
    }
    table.flush();
  }
  return size < 0 ? table.refuse("the body cannot be read") : table.end();
}

const enum Within {
  START,
  PLAIN,
  QUOTES,
  // A quote within quotes: the end of the field, or the first of two for one.
  QUOTE,
}

class Table {
  // What `add` found.
  wrong: string = "";

  private within: Within = Within.START;
  private line: u32 = 1;
  private fields: u32 = 0;
  private columns: u32 = 0;
  private rowOpen: bool = false;
  private heldSize: u32 = 0;

  constructor(private request: Request) {}

  // Converts one byte; false if it is wrong there.
  add(byte: u8): bool {
    if (this.within == Within.QUOTES) {
      if (byte == 0x0a) this.line++;
      if (byte == 0x22) this.within = Within.QUOTE;
      else this.text(byte);
      return this.fits();
    }
    switch (byte) {
      case 0x0d:
        return true;
      case 0x0a:
        return this.endRow();
      case 0x2c:
        this.open();
        return this.endField();
      case 0x22:
        if (this.within == Within.PLAIN) return this.isWrong("a quote within a field");
        this.open();
        if (this.within == Within.QUOTE) this.text(byte);
        this.within = Within.QUOTES;
        return this.fits();
      default:
        if (this.within == Within.QUOTE) return this.isWrong("text behind a quoted field");
        this.open();
        this.within = Within.PLAIN;
        this.text(byte);
        return this.fits();
    }
  }

  end(): u32 {
    if (this.within == Within.QUOTES) return this.refuse("a quote is not closed");
    if (this.rowOpen && !this.endRow()) return this.refuse(this.wrong);
    if (this.columns == 0) return this.refuse("there are no rows");
    this.put("</tbody>\n</table>\n");
    this.flush();
    return 0;
  }

  // Sends what is converted, if the head is complete.
  flush(): void {
    if (this.columns == 0) return;
    this.request.write(held, this.heldSize);
    this.request.flush();
    this.heldSize = 0;
  }

  refuse(reason: string): u32 {
    if (this.columns > 0) unreachable();
    return this.request.answer(400, "text/plain", `line ${this.line}: ${reason}\n`);
  }

  private isWrong(reason: string): bool {
    this.wrong = reason;
    return false;
  }

  // The tags before a field, unless they are there.
  private open(): void {
    if (this.within != Within.START) return;
    if (!this.rowOpen) {
      this.put(this.columns == 0 ? "<table>\n<thead>\n<tr>" : "<tr>");
      this.rowOpen = true;
    }
    this.put(this.columns == 0 ? "<th>" : "<td>");
  }

  private endField(): bool {
    this.put(this.columns == 0 ? "</th>" : "</td>");
    this.fields++;
    this.within = Within.START;
    return this.fits();
  }

  private endRow(): bool {
    this.open();
    if (!this.endField()) return false;
    const isHead = this.columns == 0;
    if (!isHead && this.fields != this.columns) return this.isWrong("another number of fields than in the head");
    this.put(isHead ? "</tr>\n</thead>\n<tbody>\n" : "</tr>\n");
    if (isHead) {
      this.columns = this.fields;
      this.request.head(200, "text/html; charset=utf-8");
    }
    this.fields = 0;
    this.line++;
    this.rowOpen = false;
    return this.fits();
  }

  // A byte of a field as HTML.
  private text(byte: u8): void {
    if (byte == 0x26) this.put("&amp;");
    else if (byte == 0x3c) this.put("&lt;");
    else if (byte == 0x3e) this.put("&gt;");
    else store<u8>(held + this.heldSize++, byte);
  }

  private put(ascii: string): void {
    for (let i = 0; i < ascii.length; i++) store<u8>(held + this.heldSize++, <u8>ascii.charCodeAt(i));
  }

  // Makes room for whatever comes next; false if the head has no end.
  private fits(): bool {
    if (this.heldSize + 3 * PIECE <= HELD) return true;
    if (this.columns == 0) return this.isWrong("the head is too long");
    this.flush();
    return true;
  }
}
