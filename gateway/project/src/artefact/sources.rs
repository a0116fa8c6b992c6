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
    let first = |extension: &str| {
        let files = tree.under(folder).iter();
        let names = files.filter_map(|entry| entry.path.rsplit('/').next());
        names.map(str::to_owned).find(|name| name.rsplit('.').next() == Some(extension))
    };
    let command = if has("Cargo.toml") {
        return format!(
            "in `{folder}/`: `rustup target add wasm32-wasip2` once, `cargo build --release --target \
             wasm32-wasip2`, then copy `target/wasm32-wasip2/release/<name>.wasm` to `main.wasm`; for a core \
             module, whose YAML says `call`, the target is `wasm32-unknown-unknown`"
        );
    } else if has("package.json") {
        "npm run build".to_owned()
    } else if has("go.mod") || ends("go") {
        "GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o main.wasm .".to_owned()
    } else if let Some(source) = first("zig") {
        format!(
            "zig build-exe {source} -target wasm32-freestanding -fno-entry -rdynamic -femit-bin=main.wasm"
        )
    } else if let Some(source) = first("py") {
        let module = source.trim_end_matches(".py");
        return format!(
            "build it with componentize-py (`componentize {module} -o main.wasm`; the script \
             `functions/hello/build` of `headgate new DIR --template python` does) and leave the result at \
             `{folder}/main.wasm`"
        );
    } else {
        return format!(
            "compile it to WebAssembly as `{folder}/main.wasm`; `headgate new DIR --template rust` \
             has a script `functions/hello/build` that does"
        );
    };
    format!("in `{folder}/`: `{command}`, and leave the result at `{folder}/main.wasm`")
}
