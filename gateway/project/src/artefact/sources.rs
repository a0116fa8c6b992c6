//! What makes WebAssembly of the sources in a folder, for whoever forgot to build or to commit it.

use crate::tree::Tree;

/// How to build what lies in a folder, as far as its files tell.
pub(super) fn how_to_build(tree: &dyn Tree, folder: &str) -> String {
    let has = |name: &str| tree.find(&format!("{folder}/{name}")).is_some();
    let ends = |extension: &str| {
        tree.under(folder).iter().any(|entry| entry.path.rsplit('.').next() == Some(extension))
    };
    if has("build") {
        return format!("run `{folder}/build`");
    }
    if has("Cargo.toml") {
        return format!(
            "in `{folder}/`: `cargo build --release --target wasm32-wasip2`, then copy \
             `target/wasm32-wasip2/release/<name>.wasm` to `main.wasm`"
        );
    }
    let command = if has("package.json") {
        "npm run build"
    } else if has("go.mod") || ends("go") {
        "GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o main.wasm ."
    } else if ends("zig") {
        "zig build-exe -target wasm32-freestanding -fno-entry -rdynamic -femit-bin=main.wasm"
    } else if ends("py") {
        "componentize-py"
    } else {
        return format!(
            "compile it to WebAssembly as `{folder}/main.wasm`; `headgate new DIR --template rust` \
             has a script `functions/hello/build` that does"
        );
    };
    format!("build it with `{command}` and leave the result at `{folder}/main.wasm`")
}
