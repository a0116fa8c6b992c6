//! `Authority`: a certificate authority that is not the node's, as an operator's or a company's.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// Its files are gone when it is dropped.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files of PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = key();
        let root = params.self_signed(&key).expect("an authority signs itself");
        std::fs::write(folder.path().join("root.pem"), root.pem()).expect("the folder is ours");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// The certificate to trust.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// For a server of these names.
    pub fn server(&self, names: &[&str]) -> Certificate {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let file = names.join(" ");
        let mut params = CertificateParams::new(names).expect("tests use valid names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&file, params)
    }

    /// For a client that is called so.
    pub fn client(&self, name: &str) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(name, params)
    }

    fn issue(&self, file: &str, params: CertificateParams) -> Certificate {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs");
        let path = |kind: &str| self.folder.path().join(format!("{file}.{kind}.pem"));
        let files = Certificate { cert: path("cert"), key: path("key") };
        let write = |path: &Path, text: String| std::fs::write(path, text).expect("it is ours");
        write(&files.cert, certificate.pem());
        write(&files.key, key.serialize_pem());
        files
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("there is randomness")
}
