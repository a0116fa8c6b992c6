//! A certificate for the peers; the gateway makes its own.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};

/// The one host of every comparison.
pub const HOST: &str = "bench.test";

/// A self-signed P-256 certificate for [`HOST`], the kind the gateway's own authority makes, in two PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Identity {
    pub fn write(folder: &Path) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![HOST.to_owned()])?.self_signed(&key)?;
        let identity =
            Self { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        std::fs::write(&identity.certificate, certificate.pem())?;
        std::fs::write(&identity.key, key.serialize_pem())?;
        Ok(identity)
    }
}
