// Builds main.wasm, the component that is served, from hello.js: `npm install`, then `npm run build`.

import { readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

// The interfaces of WASI 0.2. They are the same in each 0.2 version, and the compiler knows this one.
const written = "node_modules/@spinframework/wasi-http-proxy/wit/wasi-http@0.2.3.wit";
const wasi = (await readFile(written, "utf8")).replaceAll("@0.2.3", "@0.2.10");
const [, packages] = wasi.split(/(?=^package wasi:io@)/m);

const { component } = await componentize({
  sourcePath: "hello.js",
  witWorld: `package local:hello;
world hello { export wasi:http/incoming-handler@0.2.10; }
${packages}`,
  worldName: "hello",
});
await writeFile("main.wasm", component);
console.log(`main.wasm: ${(component.length / 1e6).toFixed(1)} MB`);
