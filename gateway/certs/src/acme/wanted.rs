//! `Wanted`: names that are to have a certificate together, and how they are proved.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use headgate_types::{Digest, DomainName, HostPattern};
use serde::{Deserialize, Serialize};

/// One certificate that is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub names: BTreeSet<HostPattern>,
    pub prove: Prove,
}

/// How an authority is shown that the names are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prove {
    /// A TXT record at `_acme-challenge.<name>`, or at another name that a CNAME there leads to:
    /// `delegated` has those, by the name they are for.
    Dns01 { delegated: BTreeMap<DomainName, DomainName> },
    /// The host answers itself, by TLS-ALPN-01, and by HTTP-01 after a failure. No wildcards.
    Host,
}

/// A challenge's type, as the protocol calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    Dns01,
    TlsAlpn01,
    Http01,
}

/// What a certificate is called here: by its set of names, so that a renewal has the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CertificateId(Digest);

impl Wanted {
    pub fn id(&self) -> CertificateId {
        CertificateId::of(&self.names)
    }

    /// The first name, for people.
    pub(crate) fn title(&self) -> String {
        self.names.first().map(ToString::to_string).unwrap_or_default()
    }

    /// Where the TXT record of `name` (without `*.`) is published.
    pub(crate) fn owner(&self, name: &DomainName) -> Option<DomainName> {
        let Prove::Dns01 { delegated } = &self.prove else { return None };
        let own = || format!("_acme-challenge.{name}").parse().ok();
        delegated.get(name).cloned().or_else(own)
    }

    /// How the next try proves it, after so many that failed.
    pub(crate) fn method(&self, failures: u32) -> Method {
        match self.prove {
            Prove::Dns01 { .. } => Method::Dns01,
            // By turns: which of the two ports is open is not ours to know.
            Prove::Host if failures.is_multiple_of(2) => Method::TlsAlpn01,
            Prove::Host => Method::Http01,
        }
    }
}

impl Prove {
    /// By TXT records at `_acme-challenge.` names, none of them elsewhere.
    pub fn dns() -> Self {
        Self::Dns01 { delegated: BTreeMap::new() }
    }
}

impl CertificateId {
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a HostPattern>) -> Self {
        let sorted: BTreeSet<String> = names.into_iter().map(ToString::to_string).collect();
        let lines: Vec<_> = sorted.into_iter().collect();
        Self(Digest::of(lines.join("\n").as_bytes()))
    }

    /// A number from 0 to 1 that is always the same for the same names.
    pub(crate) fn fraction(&self) -> f64 {
        let [a, b, c, d, ..] = *self.0.as_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
    }

    /// Short enough for a file's name, long enough that no two sets meet.
    pub(crate) fn file_stem(&self, first: &HostPattern) -> String {
        let label: String = first.to_string().replace('*', "_").chars().take(100).collect();
        let digest = self.0.to_string();
        format!("{label}-{}", &digest[..16])
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns01 => "DNS-01",
            Self::TlsAlpn01 => "TLS-ALPN-01",
            Self::Http01 => "HTTP-01",
        })
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_short().fmt(f)
    }
}

impl fmt::Debug for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.fmt_short())
    }
}
