//! Any bytes unpack to at most the limit, as an artefact and as a packed site.
#![no_main]

use bytes::Bytes;
use headgate_project::unpack::{self, SiteLimits};
use libfuzzer_sys::fuzz_target;

const LIMIT: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(wasm) = unpack::wasm(bytes.clone(), LIMIT) {
        assert!(wasm.len() as u64 <= LIMIT);
    }
    let limits = SiteLimits { files: 100, file: LIMIT, total: 4 * LIMIT };
    if let Ok(files) = unpack::site(bytes, limits) {
        let files: Vec<_> = files.filter_map(Result::ok).collect();
        assert!(files.len() <= 100);
        assert!(files.iter().map(|file| file.content.len() as u64).sum::<u64>() <= 4 * LIMIT);
        assert!(files.iter().all(|file| !file.path.split('/').any(|part| part == "..")));
    }
});
