//! Native artefacts on disk: compiled guests, named by digest and by the engine that made and may load them.
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

use crate::{engine::Engines, start_up::StartUp};

/// Bits of a mode that let others than the owner in.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

const NATIVE: &str = "cwasm";
/// One line on what is done about an artefact's start-up.
const NOTE: &str = "start";

/// The folder of native artefacts.
#[derive(Debug)]
pub(crate) struct Natives {
    folder: PathBuf,
    /// In the order in which they are tried.
    makers: [Maker; 2],
}

/// An engine and how its artefacts are told from another's.
#[derive(Debug)]
struct Maker {
    engine: Engine,
    /// Changes with wasmtime's version, the machine's features and every setting that shapes code.
    compatibility: u64,
}

/// What an engine made.
pub(crate) struct Made {
    native: Vec<u8>,
    maker: usize,
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
    pub(crate) fn open(folder: &Path, engines: &Engines) -> io::Result<Self> {
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
        let makers = engines.all().map(|engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            Maker { engine: engine.clone(), compatibility: hasher.finish() }
        });
        Ok(Self { folder: folder.to_owned(), makers })
    }

    /// Maps the artefact of `digest`. About 0.2 ms, without reading what is not needed yet.
    pub(crate) fn load(&self, digest: Digest) -> Result<Native, LoadError> {
        let [first, second] = &self.makers;
        match self.load_of(digest, first) {
            Err(LoadError::Absent) => match self.load_of(digest, second) {
                // Left by another version: this one makes core modules with the first engine.
                Ok(Native::Core(_)) => Err(LoadError::Absent),
                found => found,
            },
            found => found,
        }
    }

    fn load_of(&self, digest: Digest, maker: &Maker) -> Result<Native, LoadError> {
        let path = self.path(digest, maker);
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
        map(&maker.engine, &path).map_err(|error| match error.root_cause().is::<io::Error>() {
            true => LoadError::Broken(error.into()),
            false => LoadError::Refused(error.into()),
        })
    }

    pub(crate) fn contains(&self, digest: Digest) -> bool {
        self.makers.iter().any(|maker| self.path(digest, maker).exists())
    }

    /// Compiles, with the first engine that takes it. Blocking, and long: seconds for guests that carry an
    /// interpreter.
    pub(crate) fn compile(&self, wasm: &[u8], kind: Precompiled) -> wasmtime::Result<Made> {
        let [first, second] = &self.makers;
        let (native, maker) = match kind {
            Precompiled::Module => (first.engine.precompile_module(wasm)?, 0),
            // One that runs calls side by side is not even valid for an engine that does not, which is found out
            // before anything is compiled.
            Precompiled::Component => match first.engine.precompile_component(wasm) {
                Ok(native) => (native, 0),
                Err(_) => (second.engine.precompile_component(wasm)?, 1),
            },
        };
        Ok(Made { native, maker })
    }

    /// Writes beside, syncs, renames, syncs the folder: after a crash the file is whole or absent.
    pub(crate) fn store(&self, digest: Digest, made: &Made) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&made.native)?;
        file.as_file().sync_all()?;
        file.persist(self.path(digest, &self.makers[made.maker]))?;
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
        let kept: HashSet<PathBuf> = keep.iter().flat_map(|digest| self.paths(*digest)).collect();
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
        for path in self.paths(digest) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, digest: Digest, maker: &Maker) -> PathBuf {
        self.folder.join(format!("{digest}-{:016x}.{NATIVE}", maker.compatibility))
    }

    fn note_path(&self, digest: Digest) -> PathBuf {
        self.path(digest, &self.makers[0]).with_extension(NOTE)
    }

    /// All that may be kept of an artefact.
    fn paths(&self, digest: Digest) -> [PathBuf; 3] {
        let [first, second] = &self.makers;
        [self.path(digest, first), self.path(digest, second), self.note_path(digest)]
    }
}

#[expect(unsafe_code, reason = "the one place that loads native code")]
fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Native> {
    let kind = Engine::detect_precompiled_file(path)?;
    // SAFETY: the file was written by `store` from what this engine's compiler produced: the folder is ours
    // alone (checked in `open`), the file has our owner and no other's permissions (checked in `load`), and
    // it is replaced by renaming, never changed while mapped. A file of another version, of other settings
    // or cut short is refused by wasmtime's own header checks.
    unsafe {
        match kind {
            Some(Precompiled::Component) => {
                Component::deserialize_file(engine, path).map(Native::Component)
            }
            _ => Module::deserialize_file(engine, path).map(Native::Core),
        }
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}
