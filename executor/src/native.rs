//! Native artefacts on disk: compiled guests, named by digest and by the engine that may load them.
//!
//! Loading one maps a file and runs it, so this folder is as precious as the binary itself. It belongs to this
//! process's user alone, files appear complete or not at all, and none is ever changed in place.
//! The one unsafe block of the house stands at the end of this file.

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use headgate_types::{Digest, Timestamp};
use wasmtime::{Engine, Module, Precompiled, component::Component};

use crate::start_up::StartUp;

/// Bits of a mode that let others than the owner in.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

const NATIVE: &str = "cwasm";
/// One line on what is done about an artefact's start-up.
const NOTE: &str = "start";

/// The folder of native artefacts of one engine.
#[derive(Debug)]
pub(crate) struct Natives {
    folder: PathBuf,
    engine: Engine,
    /// Changes with wasmtime's version, the machine's features and every setting that shapes code.
    compatibility: u64,
}

/// A loaded artefact.
pub(crate) enum Native {
    Component(Component),
    Core(Module),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("there is no native artefact")]
    Absent,
    #[error("the native artefact is not usable")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The engine does not take it: another one made it, or it wants more than an instance can have.
    #[error("the native artefact is refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Natives {
    /// Makes the folder, or checks that nobody else could have written to it.
    pub(crate) fn open(folder: &Path, engine: Engine) -> io::Result<Self> {
        match fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(folder)?;
        if !found.is_dir() || found.uid() != own_uid() || found.mode() & OTHERS_WRITE != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "others may write to the folder of native artefacts, so its files cannot be trusted",
            ));
        }
        if found.mode() & OTHERS != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { folder: folder.to_owned(), engine, compatibility: hasher.finish() })
    }

    /// Maps the artefact of `digest`. About 0.2 ms, without reading what is not needed yet.
    pub(crate) fn load(&self, digest: Digest) -> Result<Native, LoadError> {
        let path = self.path(digest);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(LoadError::Absent),
            Err(error) => return Err(LoadError::Broken(error.into())),
            Ok(found)
                if !found.is_file() || found.uid() != own_uid() || found.mode() & OTHERS != 0 =>
            {
                return Err(LoadError::Broken("others could have written it".into()));
            }
            Ok(_) => {}
        }
        self.map(&path).map_err(|error| match error.root_cause().is::<io::Error>() {
            true => LoadError::Broken(error.into()),
            false => LoadError::Refused(error.into()),
        })
    }

    pub(crate) fn contains(&self, digest: Digest) -> bool {
        self.path(digest).exists()
    }

    /// Compiles and stores. Blocking, and long: seconds for guests that carry an interpreter.
    pub(crate) fn compile(&self, wasm: &[u8], kind: Precompiled) -> wasmtime::Result<Vec<u8>> {
        match kind {
            Precompiled::Component => self.engine.precompile_component(wasm),
            Precompiled::Module => self.engine.precompile_module(wasm),
        }
    }

    /// Writes beside, syncs, renames, syncs the folder: after a crash the file is whole or absent.
    pub(crate) fn store(&self, digest: Digest, native: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(native)?;
        file.as_file().sync_all()?;
        file.persist(self.path(digest))?;
        fs::File::open(&self.folder)?.sync_all()
    }

    /// Keeps beside an artefact what is done about its start-up. Not synced: what is lost is found out again.
    pub(crate) fn note(&self, digest: Digest, start_up: &StartUp) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        write!(file, "{start_up}")?;
        file.persist(self.note_path(digest))?;
        Ok(())
    }

    /// What was noted of an artefact.
    pub(crate) fn start_up(&self, digest: Digest) -> Option<StartUp> {
        fs::read_to_string(self.note_path(digest)).ok()?.parse().ok()
    }

    /// Removes every artefact that is neither kept nor was written at `older_than` or later. Those of other
    /// versions and settings go too: nothing will ever load them again.
    pub(crate) fn retain(&self, keep: &HashSet<Digest>, older_than: Timestamp) -> io::Result<()> {
        let both = |digest: &Digest| [self.path(*digest), self.note_path(*digest)];
        let kept: HashSet<PathBuf> = keep.iter().flat_map(both).collect();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            let native = path.extension().is_some_and(|known| known == NATIVE || known == NOTE);
            if native
                && !kept.contains(&path)
                && entry.metadata()?.modified()? < older_than.to_system_time()
            {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Forgets an artefact. Instances that still run keep their mapping.
    pub(crate) fn remove(&self, digest: Digest) -> io::Result<()> {
        for path in [self.path(digest), self.note_path(digest)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{:016x}.{NATIVE}", self.compatibility))
    }

    fn note_path(&self, digest: Digest) -> PathBuf {
        self.path(digest).with_extension(NOTE)
    }

    #[expect(unsafe_code, reason = "the one place that loads native code")]
    fn map(&self, path: &Path) -> wasmtime::Result<Native> {
        let kind = Engine::detect_precompiled_file(path)?;
        // SAFETY: the file was written by `store` from what this engine's compiler produced: the folder is ours
        // alone (checked in `open`), the file has our owner and no other's permissions (checked in `load`), and
        // it is replaced by renaming, never changed while mapped. A file of another version, of other settings
        // or cut short is refused by wasmtime's own header checks.
        unsafe {
            match kind {
                Some(Precompiled::Component) => {
                    Component::deserialize_file(&self.engine, path).map(Native::Component)
                }
                _ => Module::deserialize_file(&self.engine, path).map(Native::Core),
            }
        }
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
