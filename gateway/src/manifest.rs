//! `Manifest`: everything a node needs to serve one revision, as one blob.
//!
//! A revision is compiled into a manifest and the blobs it names. From then on neither the repository
//! nor its YAML is read again: a restart, a rollback or another node builds the same snapshot from the
//! same manifest. JSON, because people will look at it when something is odd.

use std::{collections::BTreeMap, fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use headgate_certs::ClientAuthorities;
use headgate_types::{
    ByteSize, Commit, Digest, HostPattern, MethodSet, PathPattern, RecordData, RecordType,
    Revision, Timestamp, record::ParseRecordError,
};
use headgate_website::SiteTable;
use serde::{Deserialize, Serialize};

/// Raised when an older binary could misread a newer manifest. Those that it could not are written as those
/// before.
pub const FORMAT: u32 = 2;

/// Versions that read no later one would let everybody in where only some clients are.
const FORMAT_WITHOUT_CLIENTS: u32 = 1;

/// Of the running binary.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of Headgate that made it; empty for one that did not say. Another version may make
    /// more of the same revision.
    #[serde(default)]
    pub made_by: String,
    pub revision: Revision,
    /// The repositories it was made of, that of the configuration first; none in a manifest of a version
    /// that did not say.
    #[serde(default)]
    pub sources: Vec<SourceEntry>,
    /// The id that the project's `config.yaml` carries; empty if it has none.
    pub project_id: String,
    pub domains: Vec<DomainEntry>,
    pub functions: Vec<FunctionEntry>,
    pub websites: Vec<WebsiteEntry>,
}

/// One commit of one repository, or one state of a folder. Author and subject are short and printable,
/// whoever wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// Its URL without credentials, or the path of a folder.
    pub repository: String,
    pub commit: Commit,
    /// What only Git knows: a folder has no author, and a commit may be too odd to tell.
    pub author: Option<String>,
    /// By the committer's clock.
    pub committed_at: Option<Timestamp>,
    /// The first line of its message.
    pub subject: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DomainEntry {
    /// The resource's name: its file's stem.
    pub name: String,
    pub host: HostPattern,
    #[serde(default)]
    pub https: HttpsEntry,
    /// What the project brings; none where the node comes by one itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateEntry>,
    /// Whose clients alone are let in; none where everybody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientsEntry>,
    /// What its project wants to be answered for names of it; none in a manifest of a version that read
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordEntry>,
}

/// A record in DNS, with its data as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RecordText", into = "RecordText")]
pub struct RecordEntry {
    /// Whole; `*` stands for any depth.
    pub name: HostPattern,
    /// Seconds.
    pub ttl: u32,
    pub data: RecordData,
}

#[derive(Serialize, Deserialize)]
struct RecordText {
    name: HostPattern,
    ttl: u32,
    #[serde(rename = "type")]
    kind: RecordType,
    value: String,
}

impl TryFrom<RecordText> for RecordEntry {
    type Error = ParseRecordError;

    fn try_from(text: RecordText) -> Result<Self, ParseRecordError> {
        let RecordText { name, ttl, kind, value } = text;
        Ok(Self { name, ttl, data: RecordData::parse(kind, &value)? })
    }
}

impl From<RecordEntry> for RecordText {
    fn from(entry: RecordEntry) -> Self {
        let RecordEntry { name, ttl, data } = entry;
        Self { name, ttl, kind: data.kind(), value: data.to_string() }
    }
}

/// A certificate and its private key, as PEM. Blobs are for the node's user alone, and so is this one.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CertificateEntry {
    pub chain: String,
    pub key: String,
}

/// The key never reaches a log.
impl fmt::Debug for CertificateEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateEntry([redacted])")
    }
}

/// Authorities that sign the certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientsEntry {
    /// DER in base64.
    pub authorities: Vec<String>,
}

impl ClientsEntry {
    pub fn of(authorities: &ClientAuthorities) -> Self {
        let authorities = authorities.certificates().map(|der| STANDARD.encode(der)).collect();
        Self { authorities }
    }

    /// What is demanded of clients, by name: the same authorities in the same order.
    pub fn policy(&self) -> Digest {
        Digest::of(self.authorities.join("\n").as_bytes())
    }

    /// `None` for what is no base64, or nothing.
    pub fn authorities(&self) -> Option<ClientAuthorities> {
        let decoded = self.authorities.iter().map(|der| STANDARD.decode(der));
        ClientAuthorities::from_der(decoded.collect::<Result<Vec<_>, _>>().ok()?).ok()
    }
}

/// What a domain says about HTTPS; both are on unless it opts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpsEntry {
    /// Requests in the clear are sent to HTTPS.
    pub redirect: bool,
    /// Browsers are told to ask for HTTPS alone.
    pub hsts: bool,
}

impl Default for HttpsEntry {
    fn default() -> Self {
        Self { redirect: true, hsts: true }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FunctionEntry {
    pub application: Option<String>,
    pub name: String,
    pub id: String,
    /// Names of the domains it answers under; `hosts` are their patterns.
    pub domains: Vec<String>,
    pub hosts: Vec<HostPattern>,
    pub paths: Vec<PathPattern>,
    pub methods: MethodSet,
    pub artefact: Digest,
    /// The modules it is linked with, each after what it imports from; none in a manifest of a version that
    /// linked none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<LinkedEntry>,
    pub entry: EntryPoint,
    #[serde(with = "millis")]
    pub deadline: Duration,
    pub memory: ByteSize,
    pub variables: BTreeMap<String, String>,
}

/// A module that a function imports from, or that one of those does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedEntry {
    /// As it is imported: `libraries/words`.
    pub module: String,
    pub artefact: Digest,
}

/// How a guest is called, which also says what kind of guest it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryPoint {
    /// A component: its `wasi:http` export.
    Component,
    /// A core module: this export, called with the event's number.
    Core(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WebsiteEntry {
    pub application: Option<String>,
    pub name: String,
    pub id: String,
    pub domains: Vec<String>,
    pub hosts: Vec<HostPattern>,
    /// Path prefixes it is served under; `/` for a whole host.
    pub prefixes: Vec<Box<str>>,
    pub files: SiteTable,
}

impl Manifest {
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has only string keys and finite numbers")
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(bytes)?;
        if !(FORMAT_WITHOUT_CLIENTS..=FORMAT).contains(&head.format) {
            return Err(DecodeError::Format(head.format));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The format in which these domains are written.
    pub fn format_of(domains: &[DomainEntry]) -> u32 {
        let closed = domains.iter().any(|domain| domain.clients.is_some());
        if closed { FORMAT } else { FORMAT_WITHOUT_CLIENTS }
    }

    /// Every blob the revision needs; what a sweep must keep and what another node must fetch.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> + '_ {
        let files = self.websites.iter().flat_map(|website| website.files.digests());
        self.artefacts().chain(files)
    }

    /// The WebAssembly its functions run, linked modules included. One may come more than once.
    pub fn artefacts(&self) -> impl Iterator<Item = Digest> + '_ {
        self.functions.iter().flat_map(|function| {
            let linked = function.linked.iter().map(|linked| linked.artefact);
            std::iter::once(function.artefact).chain(linked)
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the manifest has format {0}, this version of headgate reads formats to {FORMAT}")]
    Format(u32),
    #[error("the manifest is damaged")]
    Damaged(#[from] serde_json::Error),
}

/// Durations as whole milliseconds; guests' deadlines are no finer.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use headgate_types::Branch;
    use serde_json::Value;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            made_by: VERSION.to_owned(),
            revision: Revision {
                project: "shop".parse().unwrap(),
                branch: Branch::new("main"),
                commit: Commit::new("1a2b3c4d"),
            },
            sources: vec![SourceEntry {
                repository: "https://git.example.com/shop.git".to_owned(),
                commit: Commit::new("1a2b3c4d"),
                author: Some("Ada".to_owned()),
                committed_at: Some(Timestamp::from_millis(7000)),
                subject: Some("Say hello".to_owned()),
            }],
            project_id: "Qm".to_owned(),
            domains: vec![DomainEntry {
                name: "shop".to_owned(),
                host: "*.shop.example.com".parse().unwrap(),
                https: HttpsEntry::default(),
                certificate: Some(CertificateEntry {
                    chain: "CHAIN".to_owned(),
                    key: "SECRET".to_owned(),
                }),
                clients: Some(ClientsEntry { authorities: vec!["AAAA".to_owned()] }),
                records: [
                    (RecordType::Mx, "10 mail.example.net"),
                    (RecordType::Txt, "v=spf1 \\ \"-all\""),
                ]
                .map(|(kind, value)| RecordEntry {
                    name: "*.shop.example.com".parse().unwrap(),
                    ttl: 300,
                    data: RecordData::parse(kind, value).unwrap(),
                })
                .into(),
            }],
            functions: vec![FunctionEntry {
                application: None,
                name: "hello".to_owned(),
                id: "Qf".to_owned(),
                domains: vec!["shop".to_owned()],
                hosts: vec!["shop.example.com".parse().unwrap()],
                paths: vec!["/users/{id}".parse().unwrap()],
                methods: MethodSet::GET_HEAD,
                artefact: Digest::of(b"wasm"),
                linked: vec![LinkedEntry {
                    module: "libraries/words".to_owned(),
                    artefact: Digest::of(b"words"),
                }],
                entry: EntryPoint::Core("hello".to_owned()),
                deadline: Duration::from_millis(1500),
                memory: ByteSize::from_mib(32),
                variables: [("KEY".to_owned(), "value".to_owned())].into(),
            }],
            websites: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let decoded = Manifest::decode(&manifest().encode()).unwrap();
        assert_eq!(decoded.encode(), manifest().encode());
        assert_eq!(decoded.sources, manifest().sources);
        assert_eq!(decoded.domains[0].certificate, manifest().domains[0].certificate);
        assert_eq!(decoded.domains[0].clients, manifest().domains[0].clients);
        assert!(!format!("{decoded:?}").contains("SECRET"));
        assert_eq!(decoded.domains[0].records, manifest().domains[0].records);
        assert_eq!(decoded.functions[0].deadline, Duration::from_millis(1500));
        assert_eq!(decoded.functions[0].linked, manifest().functions[0].linked);
        let blobs = [Digest::of(b"wasm"), Digest::of(b"words")];
        assert_eq!(decoded.blobs().collect::<Vec<_>>(), blobs, "a sweep keeps these");
    }

    #[test]
    fn a_manifest_that_names_neither_sources_nor_linked_modules_nor_records_is_read() {
        let mut older: Value = serde_json::from_slice(&manifest().encode()).unwrap();
        older.as_object_mut().unwrap().remove("sources");
        older["functions"][0].as_object_mut().unwrap().remove("linked");
        older["domains"][0].as_object_mut().unwrap().remove("records");
        let older = Manifest::decode(older.to_string().as_bytes()).unwrap();
        assert!(older.sources.is_empty() && older.functions[0].linked.is_empty());
        assert!(older.domains[0].records.is_empty());
    }

    #[test]
    fn a_record_without_sense_is_damage() {
        let mut odd: Value = serde_json::from_slice(&manifest().encode()).unwrap();
        assert_eq!(odd["domains"][0]["records"][0]["value"], "10 mail.example.net.");
        odd["domains"][0]["records"][0]["value"] = "mail.example.net".into();
        let error = Manifest::decode(odd.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Damaged(_)));
    }

    #[test]
    fn a_manifest_of_another_format_is_not_guessed_at() {
        let newer = Manifest { format: FORMAT + 1, ..manifest() };
        let error = Manifest::decode(&newer.encode()).unwrap_err();
        assert!(matches!(error, DecodeError::Format(format) if format == FORMAT + 1));
        assert!(matches!(Manifest::decode(b"{"), Err(DecodeError::Damaged(_))));
        assert_eq!(Manifest::format_of(&newer.domains), FORMAT);
        assert_eq!(Manifest::format_of(&[]), 1);
    }
}
