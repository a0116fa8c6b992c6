//! Ids for resources that were written without one.

use headgate_types::Digest;

/// `hg-` and 40 hex digits, made of names alone: the same in every commit and on every node, and
/// another one only after a renaming. No name contains the separator.
pub(crate) fn derive(project: &str, application: Option<&str>, group: &str, name: &str) -> String {
    let application = application.unwrap_or_default();
    let names = ["headgate-id-1", project, application, group, name].join("\0");
    let digest = Digest::of(names.as_bytes()).to_string();
    format!("hg-{}", &digest[..ID_DIGITS])
}

/// 160 bits: no two names of any project will ever meet.
const ID_DIGITS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_every_name_and_on_nothing_else() {
        let id = derive("shop", None, "functions", "ping");
        assert_eq!(id, "hg-d1a37e1c0cc066bf3d19811cbf0d56b5984a895d");
        for other in [
            derive("shop", Some("ping"), "functions", ""),
            derive("shop", Some("app"), "functions", "ping"),
            derive("shop", None, "websites", "ping"),
            derive("shop2", None, "functions", "ping"),
        ] {
            assert_ne!(id, other);
        }
    }
}
