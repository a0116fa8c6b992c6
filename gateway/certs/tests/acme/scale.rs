//! Ten thousand certificates: how long a start takes, and what each costs in memory.

use std::{fs, os::unix::fs::DirBuilderExt, sync::Arc, time::Instant};

use headgate_certs::acme::{
    AcmeConfig, AcmeServices, AlpnChallenges, HttpTokens, Limits, Metrics, Renewals, SoleNode,
};
use headgate_dns::Challenges;
use headgate_types::SystemClock;
use prometheus_client::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::sync::watch;

use crate::lab::{DnsZone, by_dns};

const CERTIFICATES: usize = 10_000;

#[test]
fn ten_thousand_certificates_are_there_soon_and_small() {
    let folder = tempfile::tempdir().unwrap();
    let held = folder.path().join("held");
    fs::DirBuilder::new().mode(0o700).create(&held).unwrap();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::from_params(&ca, &ca_key);
    let key = KeyPair::generate().unwrap();
    let mut wanted = Vec::new();
    for number in 0..CERTIFICATES {
        let names = [format!("h{number}.test"), format!("*.h{number}.test")];
        let leaf = CertificateParams::new(names.to_vec()).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
        let preface = "headgate: {\"directory\":\"https://ca.test/dir\"}\n";
        let text = [preface, &key.serialize_pem(), &leaf, &ca_pem].concat();
        fs::write(held.join(format!("{number}.pem")), text).unwrap();
        wanted.push(by_dns(&[&names[0], &names[1]]));
    }
    let (_sender, receiver) = watch::channel(Arc::from(wanted));
    let config = AcmeConfig {
        directory: "https://ca.test/dir".to_owned(),
        contact: Vec::new(),
        roots: None,
        external_account: None,
        profile: None,
        limits: Limits::default(),
        folder: folder.path().to_owned(),
    };
    let services = AcmeServices {
        clock: Arc::new(SystemClock),
        zone: Arc::new(DnsZone(Challenges::default())),
        tokens: HttpTokens::default(),
        alpn: AlpnChallenges::default(),
        lease: Arc::new(SoleNode),
        metrics: Metrics::register(&mut Registry::default()),
    };
    let (memory, begun) = (resident(), Instant::now());
    let (_renewals, handle) = Renewals::open(config, services, receiver).unwrap();
    let elapsed = begun.elapsed();
    let each = (resident() - memory) / CERTIFICATES;
    let certificates = handle.certificates().borrow().clone();
    assert_eq!(certificates.len(), 2 * CERTIFICATES);

    let memory = resident();
    let begun = Instant::now();
    assert!(certificates.iter().all(|(_, one)| one.certified_key().is_some()));
    let first_use = begun.elapsed() / u32::try_from(CERTIFICATES).unwrap();
    let used = each + (resident() - memory) / CERTIFICATES;
    eprintln!(
        "{CERTIFICATES} certificates: {elapsed:?} and {each} bytes each at start, {used} once used, \
         first use {first_use:?}"
    );
    assert!(used <= 10 * 1024, "{used} bytes each");
    // Unoptimised, parsing takes ten times as long.
    let limit = if cfg!(debug_assertions) { 20 } else { 2 };
    assert!(elapsed.as_secs() < limit, "{elapsed:?}");
}

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
