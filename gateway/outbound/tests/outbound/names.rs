//! Names are looked up by the name server that is asked.

use std::net::{IpAddr, Ipv4Addr};

use headgate_outbound::{LookupError, MailExchange, Resolver, Transport};
use hickory_resolver::proto::rr::{
    RData, RecordType,
    rdata::{CNAME, MX, PTR, TXT},
};
use tokio::net::UdpSocket;

use crate::lab::{NameServer, a, record};

fn txt(name: &str, parts: &[&str]) -> hickory_resolver::proto::rr::Record {
    record(name, RData::TXT(TXT::new(parts.iter().map(|part| (*part).to_owned()).collect())))
}

fn name(text: &str) -> hickory_resolver::proto::rr::Name {
    text.parse().unwrap()
}

#[tokio::test]
async fn every_kind_of_record_is_found() {
    let alias = record("www.x.test.", RData::CNAME(CNAME(name("x.test."))));
    let names = NameServer::start([
        ("x.test.", RecordType::A, vec![vec![a("x.test.", "192.0.2.1")]]),
        (
            "x.test.",
            RecordType::TXT,
            vec![vec![txt("x.test.", &["one"]), txt("x.test.", &["long ", "text"])]],
        ),
        (
            "x.test.",
            RecordType::MX,
            vec![vec![
                record("x.test.", RData::MX(MX::new(20, name("b.x.test.")))),
                record("x.test.", RData::MX(MX::new(10, name("a.x.test.")))),
            ]],
        ),
        ("www.x.test.", RecordType::A, vec![vec![alias, a("x.test.", "192.0.2.1")]]),
        (
            "1.2.0.192.in-addr.arpa.",
            RecordType::PTR,
            vec![vec![record("1.2.0.192.in-addr.arpa.", RData::PTR(PTR(name("x.test."))))]],
        ),
    ])
    .await;
    let resolver = names.resolver();
    let ip = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(resolver.addresses("x.test").await.unwrap(), [ip]);
    let mut texts = resolver.txt("x.test").await.unwrap();
    texts.sort();
    assert_eq!(texts, [b"long text".to_vec(), b"one".to_vec()]);
    assert_eq!(
        resolver.mail_exchanges("x.test").await.unwrap(),
        [(10, "a.x.test."), (20, "b.x.test.")]
            .map(|(preference, host)| MailExchange { preference, host: host.to_owned() })
    );
    assert_eq!(resolver.canonical_name("www.x.test").await.unwrap(), "x.test.");
    assert_eq!(resolver.canonical_name("x.test").await.unwrap(), "x.test.");
    assert_eq!(resolver.names_of(ip).await.unwrap(), ["x.test."]);

    assert!(matches!(resolver.txt("none.test").await.unwrap_err(), LookupError::NotFound));
    assert!(matches!(resolver.txt("www.x.test").await.unwrap_err(), LookupError::NoRecords));
    assert!(matches!(resolver.txt("a..b").await.unwrap_err(), LookupError::Name));
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_given_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::asking(silent.local_addr().unwrap(), Transport::Udp);
    assert!(matches!(resolver.txt("x.test").await.unwrap_err(), LookupError::Timeout));
}
