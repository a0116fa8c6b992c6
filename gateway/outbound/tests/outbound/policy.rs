//! Who is denied is not connected to, however it is spelled and whatever its name says.

use headgate_outbound::{Error, Resolver, Timeouts, policy::Denied};
use hickory_resolver::proto::rr::RecordType;
use http::{Method, Request};

use crate::lab::{
    NameServer, SHOP, Upstream, a, client, client_with, get, hello, policy, send, send_of, text,
};

#[tokio::test]
async fn loopback_is_denied_in_every_spelling() {
    let upstream = Upstream::start(|_| async { hello() }).await;
    let client = client_with(policy(&[]), Resolver::system());
    let port = upstream.address.port();
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
    ] {
        let error = send(&client, &format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Denied(Denied::Address { .. })), "{host}: {error:?}");
    }
    // To us these are names, and no such name exists.
    for host in ["0x7f.1", "2130706433", "017700000001", "127.1"] {
        let error = send(&client, &format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(matches!(error, Error::Lookup(_) | Error::Denied(_)), "{host}: {error:?}");
    }
    assert_eq!(upstream.connections.made(), 0);
}

#[tokio::test]
async fn what_the_owner_allows_is_called() {
    let upstream = Upstream::start(|_| async { hello() }).await;
    let port = upstream.address.port();
    let client = client_with(policy(&[&format!("127.0.0.1:{port}")]), Resolver::system());
    let response = send(&client, &upstream.url("/")).await.unwrap();
    assert_eq!(text(response).await, "hello");
    let error = send(&client, &format!("http://127.0.0.2:{port}/")).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert_eq!(upstream.connections.made(), 1);
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_connected_to() {
    let upstream = Upstream::start(|request| async move {
        assert_eq!(request.headers()["host"].to_str().unwrap().split(':').next(), Some("x.test"));
        hello()
    })
    .await;
    let url = format!("http://x.test:{}/", upstream.address.port());
    // Each lookup gives another answer, as an attacker's name server would.
    let names = NameServer::start([(
        "x.test.",
        RecordType::A,
        vec![vec![a("x.test.", "127.0.0.2")], vec![a("x.test.", "127.0.0.1")]],
    )])
    .await;
    let client = client_with(policy(&["127.0.0.2"]), names.resolver());
    let response = send(&client, &url).await.unwrap();
    assert_eq!(text(response).await, "hello");
    assert_eq!(names.times_asked("x.test.", RecordType::A), 1, "nothing looks it up again");

    // Another project's connection is a new one, so the name is looked up and judged anew.
    let error = send_of(&client, "other", &url).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert_eq!(upstream.connections.made(), 1);
}

#[tokio::test]
async fn of_many_addresses_only_those_that_may_be_called_are() {
    let upstream = Upstream::start(|_| async { hello() }).await;
    let both = vec![a("x.test.", "127.0.0.1"), a("x.test.", "127.0.0.2")];
    let names = NameServer::start([("x.test.", RecordType::A, vec![both])]).await;
    let url = format!("http://x.test:{}/", upstream.address.port());
    let client = client_with(policy(&["127.0.0.2"]), names.resolver());
    assert_eq!(text(send(&client, &url).await.unwrap()).await, "hello");

    let by_name = client_with(policy(&["x.test"]), names.resolver());
    assert_eq!(text(send(&by_name, &url).await.unwrap()).await, "hello");
}

#[tokio::test]
async fn what_is_no_call_over_http_is_refused() {
    let client = client();
    for url in ["ftp://127.0.0.1/", "/only/a/path"] {
        assert!(matches!(send(&client, url).await.unwrap_err(), Error::Scheme), "{url}");
    }
    let error = send(&client, "http://user:secret@127.0.0.1/").await.unwrap_err();
    assert!(matches!(error, Error::Url));
    assert!(!error.to_string().contains("secret"));
    let mut tunnel: Request<_> = get("http://127.0.0.1:1/");
    *tunnel.method_mut() = Method::CONNECT;
    let sent = client.send(&SHOP, tunnel, Timeouts::default());
    assert!(matches!(sent.await.unwrap_err(), Error::Tunnel));
}
