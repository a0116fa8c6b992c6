//! How large the parts of a revision may be, each with its reason.

use headgate_project::unpack::SiteLimits;

/// The largest guests in use, Python with its interpreter, have 40 MB.
pub(super) const MAX_ARTEFACT: u64 = 128 << 20;

/// Videos belong into object storage; everything a page itself is made of is far smaller.
pub(super) const MAX_SITE_FILE: u64 = 256 << 20;

/// A packed site, held in memory while it is unpacked.
pub(super) const MAX_ARCHIVE: u64 = 512 << 20;

/// What may come out of one: as many files as a tree may have, and four times what went in.
pub(super) const SITE: SiteLimits =
    SiteLimits { files: 100_000, file: MAX_SITE_FILE, total: 2 << 30 };
