//! The certificates that domains bring along: read, and judged as a client would.
//!
//! One that cannot be used is a warning, for the domain is served all the same. Taubyte's own projects hold
//! placeholders, because nothing there ever read them.

use headgate_certs::Supplied;
use headgate_project::{
    Certificate, Diagnostic, Domain, Place, diagnostic::codes, tree::ReadError,
};
use headgate_types::{Chain, HostPattern};

use super::Ingest;
use crate::{deploy::DeployError, manifest::CertificateEntry};

/// A chain of four certificates with large keys has 10 KiB.
const LARGEST_PEM: u64 = 64 << 10;
/// Names shown of a certificate that is for others.
const MOST_NAMES: usize = 5;

const HINT: &str =
    "give both parts anew, or write `type: auto` instead of the lines below `certificate:`";

/// What stands behind a key that is to hold PEM or a path of it.
pub(super) enum Pem {
    Text(String),
    /// With what is wrong with the file.
    Neither(String),
}

impl Ingest<'_> {
    /// `None` where there is none to be used.
    pub(super) fn certificate(
        &mut self,
        domain: &Domain,
    ) -> Result<Option<CertificateEntry>, DeployError> {
        let Certificate::Inline { chain, key, place } = &domain.certificate else {
            return Ok(None);
        };
        let chain = self.pem(chain, "certificate.cert", place)?;
        let key = self.pem(key, "certificate.key", place)?;
        let (Some(chain), Some(key)) = (chain, key) else { return Ok(None) };
        let supplied = match Supplied::from_pem(chain.as_bytes(), key.as_bytes()) {
            Ok(supplied) => supplied,
            Err(error) => {
                self.unusable(place, &format!("this certificate cannot be used: {error}"), HINT);
                return Ok(None);
            }
        };
        let problem = self.problem(&supplied, &domain.host);
        if let Some((text, hint)) = &problem {
            self.unusable(place, text, hint);
        }
        // Its time may still come, or that of a clock that is wrong; what it names stays what it is.
        Ok(supplied.covers(&domain.host).then_some(CertificateEntry { chain, key }))
    }

    fn problem(&self, supplied: &Supplied, host: &HostPattern) -> Option<(String, String)> {
        if !supplied.covers(host) {
            let names = supplied.names().iter().take(MOST_NAMES);
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            let text =
                format!("this certificate is not for `{host}`, but for {}", names.join(", "));
            return Some((text, "get one that names the host of the domain".to_owned()));
        }
        if supplied.is_valid_at(self.now) {
            return None;
        }
        let (text, at) = match self.now < supplied.not_before() {
            true => ("this certificate is not valid yet", supplied.not_before()),
            false => ("this certificate has expired", supplied.not_after()),
        };
        Some((format!("{text}: its time is {at}"), HINT.to_owned()))
    }

    /// PEM as it is written, or what the file of that path says.
    fn pem(
        &mut self,
        written: &str,
        key: &str,
        place: &Place,
    ) -> Result<Option<String>, DeployError> {
        let what = match self.read_pem(written)? {
            Pem::Text(text) => return Ok(Some(text)),
            Pem::Neither(what) => what,
        };
        // What was meant as a key may stand here, so it is not repeated.
        let text = format!("`{key}` is neither PEM nor the path of such a file, which {what}");
        self.unusable(place, &text, HINT);
        Ok(None)
    }

    pub(super) fn read_pem(&self, written: &str) -> Result<Pem, DeployError> {
        if written.contains("-----BEGIN ") {
            return Ok(Pem::Text(written.to_owned()));
        }
        let path = written.trim().trim_start_matches("./");
        match self.tree.read(path, LARGEST_PEM) {
            Ok(bytes) => Ok(match String::from_utf8(bytes.into()) {
                Ok(text) => Pem::Text(text),
                Err(_) => Pem::Neither("is no PEM file".to_owned()),
            }),
            Err(ReadError::Changed { .. }) => Err(DeployError::SourceChanged),
            Err(error) => Ok(Pem::Neither(format!("cannot be read: {}", Chain(&error)))),
        }
    }

    fn unusable(&mut self, place: &Place, text: &str, hint: &str) {
        let warning = Diagnostic::warning(codes::UNUSABLE_CERTIFICATE, text.to_owned())
            .at(place.clone())
            .note("the node shows one of its own; nothing else about the domain changes");
        self.done.diagnostics.push(warning.hint(hint.to_owned()));
    }
}
