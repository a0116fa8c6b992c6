//! `Project`: a project folder made for one row, in the layout a user would write.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{guest::Guest, identity::HOST};

/// Every function and website of it answers on one host.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    name: &'static str,
    pub host: &'static str,
}

/// Time and memory of functions that behave: the largest guest here, a JavaScript engine, needs them.
const TIMEOUT: &str = "30s";
const MEMORY: &str = "128MB";

impl Project {
    /// On [`HOST`].
    pub fn new(folder: PathBuf) -> anyhow::Result<Self> {
        Self::on(HOST, folder, "bench")
    }

    pub fn on(host: &'static str, folder: PathBuf, name: &'static str) -> anyhow::Result<Self> {
        let project = Self { folder, name, host };
        project.file("config.yaml", format!("id: {name}-project\nname: {name}\n"))?;
        let domain = format!("id: {name}-domain\nfqdn: {host}\ncertificate:\n  type: auto\n");
        project.file("domains/bench.yaml", domain)?;
        Ok(project)
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A guest as the function `name`, answering at `/name`.
    pub fn function(&self, name: &str, guest: &Guest, wasm: &[u8]) -> anyhow::Result<()> {
        self.function_with(name, guest.call, wasm, TIMEOUT)
    }

    pub fn function_with(
        &self,
        name: &str,
        call: Option<&str>,
        wasm: &[u8],
        timeout: &str,
    ) -> anyhow::Result<()> {
        let call = call.map_or_else(String::new, |call| format!("  call: {call}\n"));
        let yaml = format!(
            "id: bench-function-{name}\n\
             trigger:\n  type: https\n  methods: [GET]\n  paths: [/{name}]\n\
             domains: [bench]\n\
             source: .\n\
             execution:\n  timeout: {timeout}\n  memory: {MEMORY}\n{call}"
        );
        self.file(&format!("functions/{name}.yaml"), yaml)?;
        self.file(&format!("functions/{name}.wasm"), wasm)
    }

    /// A website at `/` whose files lie in `websites/site`.
    pub fn website(&self) -> anyhow::Result<()> {
        let yaml = "id: bench-website\ndomains: [bench]\npaths: [/]\n\
                    source:\n  branch: main\n  github:\n    id: \"1\"\n    fullname: bench/site\n";
        self.file("websites/site.yaml", yaml)
    }

    pub fn site_file(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        self.file(&format!("websites/site/{path}"), content)
    }

    /// Writes a file as an editor or Git does: beside, then renamed, so that nobody ever sees half of it.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let target = self.folder.join(path);
        let folder = target.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)?;
        let beside = self.folder.with_extension("next");
        fs::write(&beside, content)?;
        fs::rename(&beside, &target).with_context(|| format!("writing {}", target.display()))
    }
}
