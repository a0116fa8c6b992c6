//! The part of a name that somebody registered: authorities count certificates by it.

use headgate_types::HostPattern;

/// `example.co.uk` for `*.shop.example.co.uk`; the whole name if it is a public suffix itself.
pub(crate) fn registered_domain(name: &HostPattern) -> String {
    let base = name.base().as_str();
    psl::domain_str(base).unwrap_or(base).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_where_they_were_registered() {
        for (name, registered) in [
            ("example.org", "example.org"),
            ("*.a.b.example.org", "example.org"),
            ("shop.example.co.uk", "example.co.uk"),
            ("alice.github.io", "alice.github.io"),
            ("a.edge.test", "edge.test"),
        ] {
            assert_eq!(registered_domain(&name.parse().unwrap()), registered, "{name}");
        }
    }
}
