//! Compiled guests, shared between nodes.
//!
//! The fixture's JavaScript guest has thirteen megabytes and compiles for half a minute in a debug build.
//! Natives are files named by the guest's digest and the engine's compatibility hash, and never changed, so
//! what one node compiled can be linked into the state folder of the next: tests start as a node does whose
//! state is warm. They are kept in the target folder, where `cargo clean` finds them.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Only the owner may write here, as the executor demands.
const PRIVATE: u32 = 0o700;

/// The shared folder.
pub(crate) struct Natives(PathBuf);

impl Natives {
    pub(crate) fn open(target: &Path) -> Self {
        let folder = target.join("natives");
        private_folder(&folder);
        Self(folder)
    }

    /// Compiles the guests of the fixtures by `compile`, unless some test did so with this binary before.
    /// Other tests, in this process or another, wait for it.
    pub(crate) async fn warm(&self, binary: &Path, compile: impl AsyncFnOnce()) {
        let lock = File::create(self.0.join("lock")).expect("the target folder is writable");
        lock.lock().expect("files can be locked");
        let binary = fs::metadata(binary).expect("the binary is there");
        let marker = self.0.join(format!("warm-{}-{}", binary.mtime(), binary.mtime_nsec()));
        if !marker.exists() {
            compile().await;
            self.forget_markers();
            File::create(marker).expect("the target folder is writable");
        }
    }

    /// Of binaries that were built before.
    fn forget_markers(&self) {
        for file in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with("warm-") {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// Gives a node that is about to start what is there.
    pub(crate) fn lend(&self, state: &Path) {
        let natives = state.join("native");
        private_folder(&natives);
        link_all(&self.0, &natives);
    }

    /// Keeps what a node compiled.
    pub(crate) fn collect(&self, state: &Path) {
        link_all(&state.join("native"), &self.0);
    }
}

fn private_folder(folder: &Path) {
    let made = DirBuilder::new().recursive(true).mode(PRIVATE).create(folder);
    made.unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
}

fn link_all(from: &Path, to: &Path) {
    let Ok(files) = fs::read_dir(from) else { return };
    for file in files.flatten().filter(|file| is_native(&file.path())) {
        match fs::hard_link(file.path(), to.join(file.file_name())) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Slower, and as good.
            Err(_) => {
                let _ = fs::copy(file.path(), to.join(file.file_name()));
            }
        }
    }
}

fn is_native(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cwasm")
}
