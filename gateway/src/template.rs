//! `Template`: whole small projects that serve at once, for `headgate new`.
//!
//! They stand in `gateway/templates` and are part of the binary. A project is made of layers, later ones over
//! earlier ones: `common`, then `function` if it has one, then the template's own folder. Guests are kept
//! packed there (`main.wasm.zst`) and written unpacked; `gateway/templates/build` rebuilds them.

mod create;

use std::collections::BTreeMap;

use headgate_types::ProjectName;
use include_dir::{Dir, DirEntry, include_dir};
use rand::Rng;

pub use self::create::{CreateError, Created, create};

/// One kind of project.
#[derive(Debug)]
pub struct Template {
    pub name: &'static str,
    /// For a list: what it is written in and what comes of it.
    pub about: &'static str,
    guest: Option<Guest>,
}

/// What `functions/hello.yaml` says of a template's guest.
#[derive(Debug)]
struct Guest {
    /// Twice what it took to answer on a busy machine, and more.
    timeout: &'static str,
    /// What its language needs to start, rounded up.
    memory: &'static str,
    kind: GuestKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GuestKind {
    /// Handles requests by itself.
    Component,
    /// Called by the name of its export.
    Core,
}

/// Every template, the simplest first.
pub static ALL: [Template; 7] = [
    Template { name: "static", about: "a website of plain files, no function", guest: None },
    Template {
        name: "rust",
        about: "a page and a function in Rust, a component made with wstd",
        guest: Some(Guest { timeout: "2s", memory: "16MB", kind: GuestKind::Component }),
    },
    Template {
        name: "javascript",
        about: "a page and a function in JavaScript, a component made with componentize-js",
        guest: Some(Guest { timeout: "5s", memory: "128MB", kind: GuestKind::Component }),
    },
    Template {
        name: "go",
        about: "a page and a function in Go, a core module made by the standard toolchain",
        guest: Some(Guest { timeout: "5s", memory: "64MB", kind: GuestKind::Core }),
    },
    Template {
        name: "python",
        about: "a page and a function in Python, a component made with componentize-py",
        guest: Some(Guest { timeout: "10s", memory: "256MB", kind: GuestKind::Component }),
    },
    Template {
        name: "assemblyscript",
        about: "a page and a function in AssemblyScript, a core module of a few kilobytes",
        guest: Some(Guest { timeout: "2s", memory: "4MB", kind: GuestKind::Core }),
    },
    Template {
        name: "zig",
        about: "a page and a function in Zig, a core module of a few kilobytes",
        guest: Some(Guest { timeout: "2s", memory: "2MB", kind: GuestKind::Core }),
    },
];

/// The template of this name.
pub fn find(name: &str) -> Option<&'static Template> {
    ALL.iter().find(|template| template.name == name)
}

/// Their names, as a sentence lists them.
pub fn names() -> String {
    ALL.each_ref().map(|template| template.name).join(", ")
}

/// A file of a project to be.
#[derive(Debug, PartialEq, Eq)]
pub struct NewFile {
    pub content: Vec<u8>,
    /// A script to be run by its path.
    pub executable: bool,
}

impl Template {
    /// The files of a project called `name`, by their paths. Its resources get ids from `rng`.
    pub fn files(&self, name: &ProjectName, rng: &mut impl Rng) -> BTreeMap<String, NewFile> {
        let mut sources = BTreeMap::new();
        collect(folder("common"), &mut sources);
        if self.guest.is_some() {
            collect(folder("function"), &mut sources);
        }
        collect(folder(self.name), &mut sources);
        let section = sources.remove(SECTION).map(text).unwrap_or_default();
        let words = self.words(name, section);
        sources
            .into_iter()
            .map(|(path, content)| match path.strip_suffix(PACKED) {
                Some(unpacked) => (unpacked.to_owned(), NewFile::data(unpack(content))),
                None => {
                    let executable = path.ends_with("/build");
                    let content = with_ids(words.fill(text(content)), rng).into_bytes();
                    (path, NewFile { content, executable })
                }
            })
            .collect()
    }

    fn words(&self, name: &ProjectName, section: &str) -> Words {
        let host = name.as_str().to_ascii_lowercase().replace('_', "-");
        let host = host.trim_matches('-');
        let mut words = vec![
            ("{{function}}\n", section.to_owned()),
            ("{{host}}", if host.is_empty() { "project" } else { host }.to_owned()),
            ("{{name}}", name.to_string()),
        ];
        let row = match &self.guest {
            Some(guest) => {
                let call = match guest.kind {
                    GuestKind::Component => "",
                    GuestKind::Core => "  call: hello\n",
                };
                words.push(("{{call}}\n", call.to_owned()));
                words.push(("{{timeout}}", guest.timeout.to_owned()));
                words.push(("{{memory}}", guest.memory.to_owned()));
                FUNCTION_ROW
            }
            None => "",
        };
        words.push(("{{files}}\n", row.to_owned()));
        Words(words)
    }
}

impl NewFile {
    fn data(content: Vec<u8>) -> Self {
        Self { content, executable: false }
    }
}

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// What a template's README says beyond the common one.
const SECTION: &str = "README.part.md";

/// Of a guest's module.
const PACKED: &str = ".zst";

const FUNCTION_ROW: &str = "\
| `functions/hello.yaml`, `functions/hello/` | the function: its source, and beside it `main.wasm`, which is served |
";

/// What stands for the placeholders.
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn fill(&self, text: &str) -> String {
        let fill =
            |text: String, (placeholder, word): &(&str, String)| text.replace(placeholder, word);
        self.0.iter().fold(text.to_owned(), fill)
    }
}

/// Each id is another one, in the form of those that are made for resources without.
fn with_ids(mut text: String, rng: &mut impl Rng) -> String {
    while text.contains(ID) {
        let id: String =
            rng.random::<[u8; 20]>().iter().map(|byte| format!("{byte:02x}")).collect();
        text = text.replacen(ID, &format!("hg-{id}"), 1);
    }
    text
}

const ID: &str = "{{id}}";

fn folder(name: &str) -> &'static Dir<'static> {
    TEMPLATES.get_dir(name).expect("each template has its folder, as a test of all shows")
}

/// The files below a layer's folder, by their paths from there.
fn collect(layer: &'static Dir<'static>, files: &mut BTreeMap<String, &'static [u8]>) {
    let mut folders = vec![layer];
    while let Some(folder) = folders.pop() {
        for entry in folder.entries() {
            match entry {
                DirEntry::Dir(below) => folders.push(below),
                DirEntry::File(file) => {
                    let path = file.path().strip_prefix(layer.path());
                    let path = path.ok().and_then(|path| path.to_str());
                    let path = path.expect("names in a layer are below it and plain");
                    files.insert(path.to_owned(), file.contents());
                }
            }
        }
    }
}

fn text(content: &'static [u8]) -> &'static str {
    str::from_utf8(content).expect("all but packed guests is text, as a test of all shows")
}

fn unpack(content: &[u8]) -> Vec<u8> {
    zstd::decode_all(content).expect("guests are packed by their build, as a test of all shows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_a_whole_project() {
        for template in &ALL {
            let files = template.files(&"my_Shop".parse().unwrap(), &mut rand::rng());
            for path in ["README.md", ".gitignore", "config.yaml", "websites/main/index.html"] {
                assert!(files.contains_key(path), "{} has no {path}", template.name);
            }
            let config = &files["config.yaml"].content;
            assert!(str::from_utf8(config).unwrap().contains("name: my_Shop\n"));
            let domain = &files["domains/main.yaml"].content;
            assert!(str::from_utf8(domain).unwrap().contains("fqdn: my-shop.example.com\n"));
            for (path, file) in &files {
                let text = str::from_utf8(&file.content).unwrap_or_default();
                assert!(!text.contains("{{"), "{} leaves a placeholder in {path}", template.name);
                assert!(!path.contains(SECTION) && !path.ends_with(PACKED), "{path}");
                assert_eq!(file.executable, path == "functions/hello/build", "{path}");
            }
            let guest = files.get("functions/hello/main.wasm").map(|file| &file.content[..4]);
            assert_eq!(guest, template.guest.as_ref().map(|_| &b"\0asm"[..]), "{}", template.name);
        }
    }
}
