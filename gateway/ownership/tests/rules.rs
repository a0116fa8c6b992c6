//! What shows that a host is a project's, and what does not: against tokens another implementation signed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use headgate_ownership::{
    Claim, Found, Ownership, OwnershipKey, Proof, Record, Rules, Taubyte, TaubyteError, Value,
};
use headgate_types::{HostPattern, ProjectName, Timestamp};
use proptest::prelude::*;
use serde::Deserialize;

/// Made by `vectors/make.py`.
#[derive(Deserialize)]
struct Vectors {
    now: u64,
    host: String,
    project: String,
    public_key: String,
    good: BTreeMap<String, String>,
    refused: BTreeMap<String, String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/taubyte.json")).unwrap()
}

impl Vectors {
    fn rules(&self) -> Rules {
        let generated = Some(r"[a-z0-9-]+\.g\.example\.net");
        let taubyte = Taubyte::new(self.public_key.as_bytes(), generated).unwrap();
        Rules::Ask { key: OwnershipKey::new(&[7; 32]), taubyte: Some(taubyte) }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now * 1000)
    }

    /// Where Taubyte's record stands.
    fn name(&self) -> String {
        format!("{}.{}", &self.project[..8], self.host)
    }

    fn judge(&self, strings: &[String]) -> Ownership {
        let name = self.name();
        let owned = Owned::new(&self.host, "shop", &self.project);
        self.rules().judge(owned.claim(), &[Found { name: &name, strings }], self.now())
    }
}

struct Owned {
    host: HostPattern,
    project: ProjectName,
    id: String,
}

impl Owned {
    fn new(host: &str, project: &str, id: &str) -> Self {
        let (host, project) = (host.parse().unwrap(), project.parse().unwrap());
        Self { host, project, id: id.to_owned() }
    }

    fn claim(&self) -> Claim<'_> {
        Claim { host: &self.host, project: &self.project, project_id: &self.id }
    }
}

fn own_rules(secret: u8) -> Rules {
    Rules::Ask { key: OwnershipKey::new(&[secret; 32]), taubyte: None }
}

fn text(record: &Record) -> String {
    match &record.value {
        Value::Text(text) => text.clone(),
        Value::From(_) => panic!("somebody else makes {record:?}"),
    }
}

fn is_pending(ownership: &Ownership) -> bool {
    matches!(ownership, Ownership::Pending { .. })
}

const NOON: Timestamp = Timestamp::from_millis(1_767_268_800_000);

#[test]
fn what_the_cloud_signed_for_this_host_and_project_verifies_it() {
    let vectors = vectors();
    assert_eq!(vectors.good.len(), 3);
    for (what, token) in &vectors.good {
        let by_taubyte = Ownership::Verified { by: Proof::Taubyte };
        assert_eq!(vectors.judge(std::slice::from_ref(token)), by_taubyte, "{what}");
        let beside = ["v=spf1 -all".to_owned(), token.clone()];
        assert_eq!(vectors.judge(&beside), by_taubyte, "{what}, beside another record");
    }
}

#[test]
fn nothing_else_does() {
    let vectors = vectors();
    assert!(vectors.refused.len() > 15);
    for (what, token) in &vectors.refused {
        assert!(is_pending(&vectors.judge(std::slice::from_ref(token))), "{what}");
    }
    let all: Vec<_> = vectors.refused.into_values().collect();
    assert!(is_pending(&self::vectors().judge(&all)), "nor do all of them together");
}

#[test]
fn a_good_token_counts_under_its_own_name_and_for_its_own_project_only() {
    let vectors = vectors();
    let (strings, rules) = (vec![vectors.good["plain"].clone()], vectors.rules());
    let judge = |name: &str, host: &str, id: &str| {
        let owned = Owned::new(host, "shop", id);
        rules.judge(owned.claim(), &[Found { name, strings: &strings }], vectors.now())
    };
    let (host, project) = (vectors.host.as_str(), vectors.project.as_str());
    assert!(!is_pending(&judge(&vectors.name(), host, project)));
    assert!(is_pending(&judge(host, host, project)), "under another name");
    assert!(is_pending(&judge(&format!("_headgate.{host}"), host, project)));
    let other = format!("{}X", &project[..project.len() - 1]);
    assert!(is_pending(&judge(&vectors.name(), host, &other)), "an id that begins alike");
    let wildcard = judge(&vectors.name(), &format!("*.{host}"), project);
    assert!(is_pending(&wildcard), "a token for a host is none for what is below it");
    assert!(is_pending(&judge(&vectors.name(), host, "")), "a project without an id");
}

#[test]
fn a_token_that_expires_is_good_until_then() {
    let vectors = vectors();
    let strings = [vectors.good["not expired"].clone()];
    let (name, owned) = (vectors.name(), Owned::new(&vectors.host, "shop", &vectors.project));
    let at = |seconds: u64| {
        let now = Timestamp::from_millis(seconds * 1000);
        vectors.rules().judge(owned.claim(), &[Found { name: &name, strings: &strings }], now)
    };
    assert!(!is_pending(&at(vectors.now + 3599)));
    assert!(is_pending(&at(vectors.now + 3600)));
}

#[test]
fn generated_hosts_carry_the_end_of_the_projects_id() {
    let vectors = vectors();
    let judge = |host: &str, id: &str| {
        let owned = Owned::new(host, "shop", id);
        vectors.rules().judge(owned.claim(), &[], NOON)
    };
    let generated = Ownership::Verified { by: Proof::Generated };
    assert_eq!(judge("abcd-dx1hylme0.g.example.net", &vectors.project), generated);
    for (host, id) in [
        ("abcd-00000000.g.example.net", vectors.project.as_str()),
        ("abcd-dx1hylme0.example.net", vectors.project.as_str()),
        ("abcd-dx1hylme0.g.example.net.evil.org", vectors.project.as_str()),
        ("*.dx1hylme.g.example.net", vectors.project.as_str()),
        ("abcd-hylme.g.example.net", "hylme"),
        ("abcd.g.example.net", ""),
        ("abcd-x.g.example.net", "ünïcödé-id-ünïcödé"),
    ] {
        assert!(is_pending(&judge(host, id)), "{host} for {id}");
    }
}

#[test]
fn our_own_record_is_entered_as_told_and_then_verifies() {
    let rules = own_rules(1);
    for host in ["shop.example.com", "*.shop.example.com"] {
        let owned = Owned::new(host, "shop", "Qm1");
        let Ownership::Pending { enter } = rules.judge(owned.claim(), &[], NOON) else {
            panic!("{host} is verified by nothing");
        };
        let [record] = &enter[..] else { panic!("{enter:?}") };
        assert_eq!(record.name, "_headgate.shop.example.com");
        let strings = ["something else".to_owned(), text(record)];
        let found = [Found { name: "_HEADGATE.shop.example.com", strings: &strings }];
        let verified = rules.judge(owned.claim(), &found, NOON);
        assert_eq!(verified, Ownership::Verified { by: Proof::Token }, "DNS knows no case");
    }
}

#[test]
fn our_own_token_is_the_same_on_every_node_with_the_key() {
    let owned = Owned::new("shop.example.com", "shop", "Qm1");
    let record = own_rules(1).wanted(owned.claim()).remove(0);
    // Owners have it in their zones: a change of this value asks all of them to enter another.
    assert_eq!(text(&record), FROZEN);
}

/// Made by another implementation of HMAC and base58.
const FROZEN: &str = "headgate-v1=CBrCF5yUt4M9Anm8848e5tD88Uy7VtmFYvNtbdeAd2Yt";

#[test]
fn our_own_token_is_of_no_use_to_anyone_else() {
    let owned = Owned::new("shop.example.com", "shop", "Qm1");
    let strings = [text(&own_rules(1).wanted(owned.claim())[0])];
    let judge = |rules: &Rules, host: &str, project: &str, id: &str| {
        let owned = Owned::new(host, project, id);
        let found = [Found { name: "_headgate.shop.example.com", strings: &strings }];
        rules.judge(owned.claim(), &found, NOON)
    };
    let rules = own_rules(1);
    assert!(!is_pending(&judge(&rules, "shop.example.com", "shop", "Qm1")));
    assert!(is_pending(&judge(&rules, "shop.example.com", "blog", "Qm1")));
    assert!(is_pending(&judge(&rules, "shop.example.com", "shop", "Qm2")));
    assert!(is_pending(&judge(&rules, "*.shop.example.com", "shop", "Qm1")));
    assert!(is_pending(&judge(&rules, "blog.example.com", "shop", "Qm1")));
    assert!(is_pending(&judge(&own_rules(2), "shop.example.com", "shop", "Qm1")));
    for wrong in [&strings[0][..strings[0].len() - 1], "headgate-v1=", "headgate-v1=0OIl", ""] {
        let strings = [wrong.to_owned()];
        let found = [Found { name: "_headgate.shop.example.com", strings: &strings }];
        assert!(is_pending(&rules.judge(owned.claim(), &found, NOON)), "{wrong:?}");
    }
}

#[test]
fn in_development_everything_is_trusted() {
    let owned = Owned::new("shop.example.com", "shop", "");
    assert_eq!(Rules::TrustAll.judge(owned.claim(), &[], NOON), Ownership::Trusted);
    assert!(Rules::TrustAll.wanted(owned.claim()).is_empty());
}

#[test]
fn a_key_that_is_none_is_refused() {
    let vectors = vectors();
    let secret = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for key in ["", "key", secret] {
        let refused = Taubyte::new(key.as_bytes(), None).unwrap_err();
        assert!(matches!(refused, TaubyteError::Key(_)), "{refused:?}");
    }
    let refused = Taubyte::new(vectors.public_key.as_bytes(), Some("(")).unwrap_err();
    assert!(matches!(refused, TaubyteError::Pattern(_)), "{refused:?}");
    let shown = format!("{:?} {:?}", vectors.rules(), OwnershipKey::new(&[7; 32]));
    assert!(shown.contains("[redacted]") && !shown.contains("7, 7"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_of_a_stranger_verifies_or_panics(text in "\\PC{0,300}", id in "\\PC{0,60}") {
        let vectors = vectors();
        let strings = [text.clone(), format!("headgate-v1={text}"), format!("{text}.{text}.{text}")];
        let owned = Owned::new(&vectors.host, "shop", &id);
        let wanted = vectors.rules().wanted(owned.claim());
        let found: Vec<_> = wanted
            .iter()
            .map(|record| Found { name: &record.name, strings: &strings })
            .collect();
        prop_assert!(is_pending(&vectors.rules().judge(owned.claim(), &found, vectors.now())));
    }
}
