//! `ClientAuthorities`: who may sign the certificates that clients of a host have to show.

use std::sync::Arc;

use headgate_types::Timestamp;
use rustls::{
    RootCertStore,
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::provider;

/// At least one certificate, each an authority's. Their order is as it was written.
///
/// Whether their time has come is asked when they are read, and not again: to those who verify chains an
/// authority is a name and a key (RFC 5280 §6.1.1), and the time of what it signed is looked at each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthorities {
    certificates: Vec<CertificateDer<'static>>,
}

/// Why what was given cannot say which clients are let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthoritiesError {
    #[error("there is no certificate in it")]
    NoCertificate,
    #[error("certificate {position} of it cannot be read")]
    Certificate { position: usize },
    #[error("certificate {position} of it, `{subject}`, is no authority's: it may sign no others")]
    NoAuthority { position: usize, subject: String },
    #[error("certificate {position} of it, `{subject}`, has expired: its time was over at {at}")]
    Expired { position: usize, subject: String, at: Timestamp },
    #[error("certificate {position} of it, `{subject}`, is not valid yet: its time begins at {at}")]
    NotYetValid { position: usize, subject: String, at: Timestamp },
}

impl ClientAuthorities {
    /// Reads every certificate in `pem` and judges it. Whatever else is in there is passed over.
    ///
    /// # Errors
    ///
    /// If one of them cannot vouch for clients, because then somebody is not let in who should be.
    pub fn from_pem(pem: &[u8], now: Timestamp) -> Result<Self, ClientAuthoritiesError> {
        let mut certificates = Vec::new();
        for (certificate, position) in CertificateDer::pem_slice_iter(pem).zip(1..) {
            let certificate =
                certificate.map_err(|_| ClientAuthoritiesError::Certificate { position })?;
            judge(&certificate, position, now)?;
            certificates.push(certificate);
        }
        Self::of(certificates)
    }

    /// What was judged before.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn from_der(
        certificates: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, ClientAuthoritiesError> {
        Self::of(certificates.into_iter().map(CertificateDer::from).collect())
    }

    fn of(certificates: Vec<CertificateDer<'static>>) -> Result<Self, ClientAuthoritiesError> {
        if certificates.is_empty() {
            return Err(ClientAuthoritiesError::NoCertificate);
        }
        Ok(Self { certificates })
    }

    /// DER.
    pub fn certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.certificates.iter().map(AsRef::as_ref)
    }

    /// Lets in whoever has a certificate for clients that one of these signed, and nobody else.
    pub(crate) fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, UnusableAuthorities> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.certificates {
            roots.add(certificate.clone())?;
        }
        Ok(WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build()?)
    }
}

/// What was judged by another version of us, perhaps.
#[derive(Debug, thiserror::Error)]
pub enum UnusableAuthorities {
    #[error("an authority for clients cannot be used")]
    Authority(#[from] rustls::Error),
    #[error("clients cannot be verified")]
    Verifier(#[from] VerifierBuilderError),
}

fn judge(
    certificate: &CertificateDer<'_>,
    position: usize,
    now: Timestamp,
) -> Result<(), ClientAuthoritiesError> {
    let unreadable = ClientAuthoritiesError::Certificate { position };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return Err(unreadable);
    };
    let subject = parsed.subject().to_string();
    let signs = parsed.key_usage().ok().flatten().is_none_or(|usage| usage.value.key_cert_sign());
    if !parsed.is_ca() || !signs {
        return Err(ClientAuthoritiesError::NoAuthority { position, subject });
    }
    let at = |time: x509_parser::time::ASN1Time| {
        let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
        Timestamp::from_millis(seconds.saturating_mul(1000))
    };
    let (begins, ends) = (at(parsed.validity().not_before), at(parsed.validity().not_after));
    if now < begins {
        return Err(ClientAuthoritiesError::NotYetValid { position, subject, at: begins });
    }
    if now >= ends {
        return Err(ClientAuthoritiesError::Expired { position, subject, at: ends });
    }
    // What is taken here must be taken when it is served.
    RootCertStore::empty().add(certificate.clone().into_owned()).map_err(|_| unreadable)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headgate_types::{Clock, SystemClock};
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn made(change: impl FnOnce(&mut CertificateParams)) -> String {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "company");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2090, 1, 1));
        change(&mut params);
        params.self_signed(&key).unwrap().pem()
    }

    fn read(pem: &str) -> Result<ClientAuthorities, ClientAuthoritiesError> {
        ClientAuthorities::from_pem(pem.as_bytes(), SystemClock.now())
    }

    #[test]
    fn every_authority_in_the_text_counts() {
        let both = format!("Root of ours:\n{}{}", made(|_| ()), made(|_| ()));
        let authorities = read(&both).unwrap();
        assert_eq!(authorities.certificates().len(), 2);
        authorities.verifier().unwrap();
        let again = authorities.certificates().map(<[u8]>::to_vec);
        assert_eq!(ClientAuthorities::from_der(again).unwrap(), authorities);
    }

    #[test]
    fn what_vouches_for_nobody_is_told_apart() {
        let (good, now) = (made(|_| ()), SystemClock.now());
        let second = |other: String| read(&format!("{good}{other}")).unwrap_err().to_string();
        assert_eq!(read("").unwrap_err(), ClientAuthoritiesError::NoCertificate);
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        assert_eq!(read(&key).unwrap_err(), ClientAuthoritiesError::NoCertificate);
        let cut = second(good.replace("MII", "MIA"));
        assert_eq!(cut, "certificate 2 of it cannot be read");
        let leaf = second(made(|params| params.is_ca = IsCa::NoCa));
        assert!(leaf.starts_with("certificate 2 of it, `CN=company`, is no authority's"), "{leaf}");
        let signs_lists = made(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
        assert!(second(signs_lists).contains("is no authority's"));
        let old = second(made(|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1)));
        assert!(
            old.ends_with("has expired: its time was over at 2021-01-01T00:00:00.000Z"),
            "{old}"
        );
        let early = ClientAuthorities::from_pem(good.as_bytes(), now.before(DAY * 20_000));
        assert!(matches!(early, Err(ClientAuthoritiesError::NotYetValid { position: 1, .. })));
    }
}
