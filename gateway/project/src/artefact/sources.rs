//! What makes WebAssembly of the sources in a folder, for whoever forgot to build or to commit it.

use crate::tree::Tree;

/// How to build what lies in a folder, as far as its files tell: words that follow "build it".
pub(super) fn how_to_build(tree: &dyn Tree, folder: &str) -> String {
    let has = |name: &str| tree.find(&format!("{folder}/{name}")).is_some();
    let ends = |extension: &str| {
        tree.under(folder).iter().any(|entry| entry.path.rsplit('.').next() == Some(extension))
    };
    if has("build") {
        return format!("with `{folder}/build`");
    }
    let command = if has("Cargo.toml") {
        "cargo build --release --target wasm32-wasip2"
    } else if has("package.json") {
        "npm run build"
    } else if has("go.mod") || ends("go") {
        "GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o main.wasm ."
    } else if ends("zig") {
        "zig build-exe -target wasm32-freestanding -fno-entry -rdynamic -femit-bin=main.wasm"
    } else if ends("py") {
        "componentize-py"
    } else {
        return format!("to `{folder}/main.wasm`, as the `build` of each `headgate new` does");
    };
    format!("with `{command}` and leave the result at `{folder}/main.wasm`")
}
