//! Hosts that prove themselves: TLS-ALPN-01 and HTTP-01, asked at real little servers.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use headgate_certs::acme::{AlpnChallenges, HttpTokens, Prove, Wanted};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::LazyConfigAcceptor;

use crate::{
    lab::{Lab, parse},
    pebble::{Options, installed},
};

fn host(name: &str) -> Wanted {
    Wanted { names: parse(&[name]), prove: Prove::Host }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_proved_in_a_handshake_of_its_own() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let _tls = serve_tls(lab.pebble().config().tls, lab.alpn.clone()).await;
    let engine = lab.start();
    lab.want([host("shop.test"), host("other.test")]);
    let row = engine.status("shop.test", |row| row.failures > 0 || row.issuer.is_some()).await;
    assert_eq!(row.last_error, None);
    engine.certificate("shop.test").await;
    engine.certificate("other.test").await;
    assert!(engine.handle.statuses().iter().all(|row| row.failures == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_tls_port_is_closed_is_proved_by_http_at_the_next_try() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let _http = serve_http(lab.pebble().config().http, lab.tokens.clone()).await;
    let engine = lab.start();
    lab.want([host("shop.test")]);
    let row = engine.status("shop.test", |row| row.failures == 1).await;
    let error = row.last_error.unwrap();
    assert!(error.contains("shop.test") && error.contains("Failed to connect"), "{error}");
    assert!(row.advice.unwrap().contains("let port 443 through"));
    engine.advance(Duration::from_secs(2 * 60));
    engine.certificate("shop.test").await;
    let row = engine.status("shop.test", |row| row.failures == 0).await;
    assert_eq!(row.last_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_exist_is_told_so() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    lab.want([host("nowhere.test")]);
    let row = engine.status("nowhere.test", |row| row.failures > 0).await;
    let error = row.last_error.unwrap();
    assert!(row.advice.is_some_and(|advice| advice.contains("A or AAAA")), "{error}");
    assert_eq!(lab.proxy.certificates(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_not_ours_is_told_where_to_lead() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let engine = lab.start();
    lab.want([crate::lab::by_dns(&["*.elsewhere.example"])]);
    let row = engine.status("*.elsewhere.example", |row| row.failures > 0).await;
    let advice = row.advice.unwrap();
    assert!(advice.contains("_acme-challenge.elsewhere.example"), "{advice}");
}

/// Handshakes as the edge makes them: the settings are chosen by what the client says first.
pub(crate) async fn serve_tls(port: u16, challenges: AlpnChallenges) -> JoinHandle<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let challenges = challenges.clone();
            tokio::spawn(async move {
                let acceptor = LazyConfigAcceptor::new(Default::default(), stream);
                let Ok(start) = acceptor.await else { return };
                let Some(config) = challenges.pick(&start.client_hello()) else { return };
                if let Ok(mut tls) = start.into_stream(Arc::clone(&config)).await {
                    let _ = tls.shutdown().await;
                }
            });
        }
    })
}

/// One request a connection, answered from the tokens.
async fn serve_http(port: u16, tokens: HttpTokens) -> JoinHandle<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let tokens = tokens.clone();
            tokio::spawn(async move {
                let mut bytes = vec![0; 4096];
                let read = stream.read(&mut bytes).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default();
                let (status, body) =
                    tokens.answer(path).map_or((404, String::new()), |body| (200, body));
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
            });
        }
    })
}
