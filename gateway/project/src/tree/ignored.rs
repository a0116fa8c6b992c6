//! Which folders are no part of a project, in a working folder and in a commit alike; and which files
//! editors leave in a working folder for a moment.
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

/// Whether a file of this name is an editor's own: a swap, lock or backup file, or what it writes before it
/// renames. They come and go while somebody types, and none is meant to be published.
///
/// Only working folders are asked: what stands in a commit was put there on purpose.
pub(crate) fn is_left_by_editor(file: &str) -> bool {
    let hidden = file.starts_with('.');
    let vim_swap = || {
        let (stem, extension) = file.rsplit_once('.').unwrap_or_default();
        hidden && !stem.is_empty() && matches!(extension.as_bytes(), [b's', b'w', b'a'..=b'z'])
    };
    // Vim writes this file to see whether it may.
    file == "4913"
        || file.ends_with('~')
        || vim_swap()
        // Emacs: what is not saved yet, and its lock, which is a link.
        || (file.len() > 2 && file.starts_with('#') && file.ends_with('#'))
        || file.starts_with(".#")
        || ["___jb_tmp___", "___jb_old___", "___jb_bak___"].iter().any(|end| file.ends_with(end))
        || file.ends_with(".vsctmp")
        || (hidden && file.ends_with(".kate-swp"))
        || file.starts_with(".goutputstream-")
        || file == ".DS_Store"
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
    #[test]
    fn files_of_editors_are_told_from_those_of_people() {
        for left in [
            "4913",
            "index.html~",
            ".index.html.swp",
            ".index.html.swo",
            "#index.html#",
            ".#index.html",
            "index.html___jb_tmp___",
            "index.html___jb_old___",
            "index.html.vsctmp",
            ".index.html.kate-swp",
            ".goutputstream-X1Y2Z3",
        ] {
            assert!(is_left_by_editor(left), "{left}");
        }
        for kept in ["index.html", ".env", "a.swp", ".swp", "#", "##", "49130", "a~b", ".htaccess"]
        {
            assert!(!is_left_by_editor(kept), "{kept}");
        }
    }
}
