//! Which folders are no part of a project, in a working folder and in a commit alike.
//!
//! Deliberately not `.gitignore`: build output is usually ignored by Git and is exactly what a working
//! folder is served from.

/// A folder holding a file of this name is a cache, as its maker declares (<https://bford.info/cachedir/>).
/// Cargo's `target` carries it, so a site's own folder called `target` is still served.
pub(crate) const CACHE_TAG: &str = "CACHEDIR.TAG";

/// Whether a folder of this name is passed over, with everything in it.
///
/// `.git` is the repository itself and `node_modules` what a build reads. Hidden folders hold the
/// state of editors and tools, and often their secrets; two of them are meant to be published or read:
/// `.well-known` (RFC 8615) and Taubyte's `.taubyte`.
pub fn is_ignored(folder: &str) -> bool {
    match folder {
        ".well-known" | ".taubyte" => false,
        "node_modules" => true,
        name => name.starts_with('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_folders_are_ignored_except_published_ones() {
        for ignored in [".git", ".idea", ".cache", "node_modules"] {
            assert!(is_ignored(ignored), "{ignored}");
        }
        for kept in [".well-known", ".taubyte", "websites", "target", "node_modules2"] {
            assert!(!is_ignored(kept), "{kept}");
        }
    }
}
