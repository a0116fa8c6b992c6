//! An authority that is slow, down, overloaded or has forgotten us.

use std::time::Duration;

use headgate_certs::acme::{CertificateStatus, NextStep};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    lab::{Lab, by_dns},
    pebble::{Options, Pebble, installed},
    proxy::Verdict,
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_that_are_lost_are_asked_again() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let mut chance = StdRng::seed_from_u64(1);
    lab.proxy.rule(move |_, _| match chance.random_range(0..15) {
        0 => Verdict::LoseAnswer,
        1 => Verdict::LoseRequest,
        2 => Verdict::Answer(500, &[], "<html>oops</html>".to_owned()),
        3 => Verdict::Answer(503, &[("retry-after", "1")], String::new()),
        4 => Verdict::Delay(Duration::from_millis(500)),
        _ => Verdict::Pass,
    });
    let engine = lab.start();
    lab.want([by_dns(&["example.test", "*.example.test"])]);
    // What one try leaves undone, the next does.
    for _ in 0..20 {
        let ended = |row: &CertificateStatus| row.next != NextStep::Ordering;
        if engine.status("example.test", ended).await.issuer.is_some() {
            break;
        }
        engine.advance(16 * MINUTE);
        tokio::time::sleep(Duration::from_millis(200)).await; // until it is under way again
    }
    engine.certificate("example.test").await;
    assert_eq!(lab.proxy.certificates(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_down_is_told_of_and_found_when_it_is_back() {
    if !installed() {
        return;
    }
    let mut lab = Lab::new(Options::default()).await;
    let config = lab.pebble.take().unwrap().stop();
    let engine = lab.start();
    let names = ["a.test", "b.test", "c.test"];
    lab.want(names.map(|name| by_dns(&[name])));
    let row = engine.status("a.test", |row| row.failures > 0).await;
    assert!(row.last_error.unwrap().contains("does not answer"));
    assert_eq!(row.issuer, None);
    lab.pebble = Some(Pebble::run(config).await);
    engine.advance(30 * MINUTE);
    for name in names {
        engine.certificate(name).await;
    }
    assert_eq!(lab.proxy.certificates(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_authority_forgot_is_registered_anew() {
    if !installed() {
        return;
    }
    let mut lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    lab.want([by_dns(&["first.test"])]);
    engine.certificate("first.test").await;
    lab.pebble = Some(lab.pebble.take().unwrap().restart().await);
    lab.want([by_dns(&["first.test"]), by_dns(&["second.test"])]);
    engine.certificate("second.test").await;
    assert_eq!(lab.proxy.accounts(), 2);
    let row = engine.status("second.test", |row| row.issuer.is_some()).await;
    assert_eq!(row.failures, 0, "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_kept_to_and_seen() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let problem = r#"{"type": "urn:ietf:params:acme:error:rateLimited", "status": 429,
        "detail": "too many new orders recently"}"#;
    lab.proxy.rule(move |path, _| match path {
        "/order-plz" => Verdict::Answer(429, &[("retry-after", "7200")], problem.to_owned()),
        _ => Verdict::Pass,
    });
    let engine = lab.start();
    lab.want([by_dns(&["example.test"])]);
    let row = engine.status("example.test", |row| row.failures == 1).await;
    assert!(row.last_error.unwrap().contains("too many new orders recently"));
    let requests = lab.proxy.requests();
    engine.advance(110 * MINUTE);
    engine.status("example.test", |row| row.next.to_string().contains("order at")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lab.proxy.requests(), requests, "it was asked before its time");
    lab.proxy.pass();
    engine.advance(11 * MINUTE);
    engine.certificate("example.test").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_never_answers_is_left_after_a_while() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    lab.proxy.rule(|path, _| match path {
        "/dir" => Verdict::Answer(200, &[], "<html>hotel wifi</html>".to_owned()),
        _ => Verdict::Pass,
    });
    let engine = lab.start();
    lab.want([by_dns(&["example.test"])]);
    let row = engine.status("example.test", |row| row.failures == 1).await;
    assert!(row.last_error.unwrap().contains("its answer is not ACME's"));
    lab.proxy.pass();
    engine.advance(20 * MINUTE);
    engine.certificate("example.test").await;
}
