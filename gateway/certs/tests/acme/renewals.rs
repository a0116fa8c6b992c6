//! Time passes: renewals, and what is served meanwhile; the operator's own certificates.

use std::{sync::Arc, time::Duration};

use headgate_certs::acme::{CertificateState, CommandError, NextStep, Origin};
use headgate_types::Clock;

use crate::{
    lab::{Lab, by_dns},
    pebble::{Options, installed},
    proxy::Verdict,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_with_a_third_of_its_life_left_and_the_old_one_served_till_then() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    lab.want([by_dns(&["example.test", "*.example.test"])]);
    let old = engine.certificate("example.test").await;
    let row = engine.status("example.test", |row| row.issuer.is_some()).await;
    let NextStep::Renew { at } = row.next else { panic!("{row:?}") };
    let life = old.not_after().since(old.not_before());
    assert!(old.not_after().since(at) >= life / 3, "{row:?}");
    assert!(old.not_after().since(at) <= life / 2, "{row:?}");

    // Its time has come, and the authority is away.
    lab.proxy.rule(|_, _| Verdict::LoseRequest);
    engine.advance(at.since(lab.clock.now()) + DAY);
    let row = engine.status("example.test", |row| row.failures > 0).await;
    assert_eq!(row.state, CertificateState::Valid);
    assert!(Arc::ptr_eq(&old, &engine.certificate("example.test").await));

    lab.proxy.pass();
    engine.advance(DAY);
    let new = engine.certificate_where("example.test", |one| !std::ptr::eq(one, &*old)).await;
    assert_ne!(new.names().len(), 0);
    assert_eq!(lab.proxy.certificates(), 2);
    engine.status("example.test", |row| row.failures == 0 && row.last_error.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_has_one_renewed_at_once() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    lab.want([by_dns(&["example.test", "*.example.test"]), by_dns(&["other.test"])]);
    let old = engine.certificate("example.test").await;
    engine.certificate("other.test").await;
    assert_eq!(engine.handle.renew("www.example.test".parse().unwrap()).await.unwrap(), 1);
    engine.certificate_where("example.test", |one| !std::ptr::eq(one, &*old)).await;
    assert_eq!(lab.proxy.certificates(), 3);
    let unknown = engine.handle.renew("www.elsewhere.test".parse().unwrap()).await;
    assert!(matches!(unknown, Err(CommandError::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_operators_goes_before_ordered_ones_and_saves_an_order() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = |names: &[&str], days: u32| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params: rcgen::CertificateParams = rcgen::CertificateParams::new(names).unwrap();
        params.not_after = (lab.clock.now().to_system_time() + days * DAY).into();
        params.not_before = (lab.clock.now().to_system_time() - DAY).into();
        params.self_signed(&key).unwrap().pem()
    };
    let pem = params(&["own.test", "*.own.test"], 300) + &key.serialize_pem();
    engine.handle.import(pem.as_bytes()).await.unwrap();
    lab.want([by_dns(&["shop.own.test"])]);
    let row = engine.status("shop.own.test", |row| row.origin.is_some()).await;
    assert_eq!(row.origin, Some(Origin::Imported));
    assert_eq!(lab.proxy.orders(), 0);

    let error = engine.handle.import(params(&["own.test"], 9).as_bytes()).await.unwrap_err();
    assert!(matches!(error, CommandError::Invalid(_)), "{error}");
    let other = rcgen::KeyPair::generate().unwrap();
    let pem = params(&["own.test"], 9) + &other.serialize_pem();
    let error = engine.handle.import(pem.as_bytes()).await.unwrap_err();
    assert!(matches!(error, CommandError::Invalid(_)), "{error}");
    engine.kill().await;

    // It is there after a restart, and followed by an ordered one before it ends.
    let engine = lab.start();
    engine.certificate("*.own.test").await;
    engine.advance(250 * DAY);
    engine.status("shop.own.test", |row| row.next == NextStep::Ordering || row.failures == 0).await;
    let begun = std::time::Instant::now();
    while lab.proxy.certificates() == 0 {
        assert!(begun.elapsed() < crate::lab::PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
