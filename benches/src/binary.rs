//! Where the other programs of this workspace are.
//!
//! `cargo run` builds one program only. The gateway and the bare servers lie beside it and are brought up
//! to date first: a stale figure is worse than none.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

/// A program of the workspace, built with the profile of this one.
pub fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let path = folder()?.join(name);
    ensure!(path.is_file(), "{} is missing; benches/run builds it", path.display());
    Ok(path)
}

/// The target folder, where summaries go.
pub fn target() -> anyhow::Result<PathBuf> {
    let folder = folder()?;
    Ok(folder.parent().context("programs lie in a folder of the target folder")?.to_owned())
}

/// Builds every program of the workspace, if cargo started this one; it takes a moment when nothing changed.
pub fn bring_up_to_date() -> anyhow::Result<()> {
    let Some(cargo) = env::var_os("CARGO") else { return Ok(()) };
    let mut build = Command::new(cargo);
    // The whole workspace, so that features are unified as everywhere else.
    build.args(["build", "--workspace", "--bins"]).current_dir(workspace());
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    ensure!(build.status().context("running cargo")?.success(), "the workspace does not build");
    Ok(())
}

/// The repository this program was built from.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace")
}

fn folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("looking for this program")?;
    Ok(program.parent().context("a program lies in a folder")?.to_owned())
}
