//! Orders that go well: wildcards, delegated challenges, many at once, bad nonces, bound accounts.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, time::Duration};

use headgate_certs::acme::{ExternalAccount, Prove, Wanted};

use crate::{
    lab::{Lab, by_dns, parse},
    pebble::{BINDING_KEY, Options, installed},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_and_its_apex_are_issued_by_dns_and_outlive_a_restart() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    lab.want([by_dns(&["example.test", "*.example.test"])]);
    let certificate = engine.certificate("*.example.test").await;
    let names = parse(&["example.test", "*.example.test"]);
    assert!(certificate.names().iter().eq(&names));
    assert!(certificate.certified_key().is_some());
    assert_eq!(lab.values(), 0, "answers to challenges are withdrawn");
    assert_eq!((lab.proxy.orders(), lab.proxy.certificates(), lab.proxy.accounts()), (1, 1, 1));
    for entry in walk(lab.folder.path()) {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if entry.is_dir() { 0o700 } else { 0o600 }, "{}", entry.display());
    }
    engine.kill().await;

    let requests = lab.proxy.requests();
    let engine = lab.start();
    let again = engine.certificate("example.test").await;
    assert_eq!(again.not_after(), certificate.not_after());
    assert_eq!(lab.proxy.requests(), requests, "a start asks nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_proved_where_its_challenge_is_delegated_to() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    let owner = "_acme-challenge.custom-test.edge.test".parse().unwrap();
    let delegated = BTreeMap::from([("custom.test".parse().unwrap(), owner)]);
    let names = parse(&["custom.test", "*.custom.test"]);
    lab.want([Wanted { names, prove: Prove::Dns01 { delegated } }]);
    engine.certificate("*.custom.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_of_twenty_wildcards_are_issued_while_one_in_five_nonces_is_refused() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options { bad_nonces: 20, ..Options::default() }).await;
    let engine = lab.start();
    let names: Vec<_> = (0..20).map(|n| format!("n{n}.test")).collect();
    lab.want(names.iter().map(|name| by_dns(&[name, &format!("*.{name}")])));
    for name in &names {
        engine.certificate(name).await;
    }
    assert!(engine.handle.statuses().iter().all(|row| row.failures == 0));
    assert_eq!((lab.proxy.orders(), lab.proxy.certificates(), lab.proxy.accounts()), (20, 20, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_bound_to_the_one_its_owner_has() {
    if !installed() {
        return;
    }
    let mut lab = Lab::new(Options { bound_accounts: true, ..Options::default() }).await;
    let engine = lab.start();
    lab.want([by_dns(&["bound.test"])]);
    let row = engine.status("bound.test", |row| row.failures > 0).await;
    assert!(row.last_error.unwrap().contains("refuses the account"));
    assert!(row.advice.unwrap().contains("external_account"));
    engine.kill().await;

    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let key = BASE64_URL_SAFE_NO_PAD.decode(BINDING_KEY).unwrap();
    lab.external_account = Some(ExternalAccount { id: "kid-1".to_owned(), key: key.into() });
    let engine = lab.start();
    engine.advance(Duration::from_secs(30 * 60));
    engine.certificate("bound.test").await;
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}
