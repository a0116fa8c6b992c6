//! What is told of hosts, and who gets one when projects compete for it.

use headgate_types::Branch;

use super::*;
use crate::{
    deploy::Outcome,
    lab::{Events, Lab, revision, site},
    node_config::{FollowedProject, GitCredentials, OtherRepositories, OwnershipRule, Source},
    snapshot::Aliases,
};

fn project(name: &str, ownership: OwnershipRule) -> FollowedProject {
    FollowedProject {
        name: name.parse().unwrap(),
        source: Source::Folder("/lab".into()),
        branch: Branch::new("main"),
        poll: Duration::from_secs(5),
        credentials: GitCredentials::default(),
        others: OtherRepositories::default(),
        ownership,
    }
}

/// A port where no name server listens.
fn asking(lab: &Lab) -> Domains {
    let parts = AskingParts {
        grants: lab.grants.clone(),
        resolver: Resolver::afresh(Some("127.0.0.1:9".parse().unwrap())),
        clock: lab.clock.clone(),
        reporter: Arc::new(Events::default()),
    };
    Domains::asking(lab.folder.path(), lab.publisher().clone(), parts).unwrap()
}

#[tokio::test]
async fn every_host_is_told_with_what_its_owner_enters() {
    let lab = Lab::following(&["one", "two"]);
    lab.deploy(revision("one", "1"), site(&["x.org", "*.x.org"], &[])).await;
    lab.deploy(revision("two", "1"), site(&["a.org"], &[])).await;
    let domains = asking(&lab);
    let rows = domains.domains();
    let hosts: Vec<_> = rows.iter().map(|row| (&*row.host, row.project.as_str())).collect();
    assert_eq!(hosts, [("*.x.org", "one"), ("a.org", "two"), ("x.org", "one")]);
    assert!(rows.iter().all(|row| !row.checked && !row.enforced && row.served));
    let enter = |row: &DomainRow| match &row.ownership {
        Ownership::Pending { enter } => enter[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(enter(&rows[0]).name, "_headgate.x.org");
    assert_ne!(enter(&rows[0]).value, enter(&rows[2]).value);

    assert_eq!(asking(&lab).domains(), rows, "what was entered stays good after a restart");
    let trusting = Domains::trusting(lab.publisher().clone()).domains();
    assert!(trusting.iter().all(|row| row.ownership == Ownership::Trusted));
}

/// What a look at DNS would bring about.
fn learn(domains: &Domains, host: &str, project: &str, seen: Seen) {
    let asking = domains.asking.as_ref().unwrap();
    let claims = domains.claims(asking);
    let key = claims
        .iter()
        .find(|key| key.host == host.parse().unwrap() && key.project == project.parse().unwrap());
    asking.learn(key.unwrap(), None, seen);
}

fn shown() -> Seen {
    Seen::Shown(Proof::Token)
}

fn holder(lab: &Lab, host: &str) -> Option<String> {
    let holders = lab.publisher().holders();
    let holder = holders.get(&host.parse::<HostPattern>().unwrap());
    let served = lab.publisher().cell().load();
    let routed = served.hosts().contains(&host.parse().unwrap());
    assert_eq!(routed, holder.is_some(), "{host}: what is held is routed, and nothing else");
    holder.map(ToString::to_string)
}

#[tokio::test]
async fn whoever_squats_on_a_host_does_not_block_its_owner() {
    let lab = Lab::following(&["squatter", "owner"]);
    lab.grants.ask(&["squatter", "owner"].map(|name| project(name, OwnershipRule::Verify)));
    let domains = asking(&lab);
    lab.deploy(revision("squatter", "1"), site(&["x.org", "*.y.org"], &[])).await;
    assert_eq!(holder(&lab, "x.org"), None, "nobody has said so yet");
    let accepted = lab.deploy(revision("owner", "1"), site(&["x.org", "a.y.org"], &[])).await;
    assert!(matches!(accepted, Outcome::Accepted { .. }), "a pending claim keeps nobody away");
    assert_eq!(holder(&lab, "x.org"), None);

    learn(&domains, "x.org", "owner", shown());
    domains.grant(domains.asking.as_ref().unwrap()).await;
    assert_eq!(holder(&lab, "x.org").as_deref(), Some("owner"));
    assert_eq!(holder(&lab, "*.y.org"), None);
    let row = |project: &str| {
        let rows = domains.domains();
        rows.into_iter().find(|r| r.host == "x.org" && r.project.as_str() == project).unwrap()
    };
    assert!(row("owner").served && !row("squatter").served);
    assert_eq!(row("squatter").said.as_deref(), Some("it is served for the project owner"));
    let again = lab.deploy(revision("squatter", "2"), site(&["x.org"], &[("a", b"b")])).await;
    assert!(matches!(again, Outcome::Refused(_)), "now it is taken");

    // Even if the owner gives it to both, who was first stays.
    lab.clock.advance(Duration::from_secs(1));
    learn(&domains, "x.org", "squatter", shown());
    domains.grant(domains.asking.as_ref().unwrap()).await;
    assert_eq!(holder(&lab, "x.org").as_deref(), Some("owner"));

    // A restart without a network finds it as it was.
    lab.grants.verify(HashMap::new());
    lab.publisher().regrant().unwrap();
    assert_eq!(holder(&lab, "x.org"), None);
    let _restarted = asking(&lab);
    lab.publisher().regrant().unwrap();
    assert_eq!(holder(&lab, "x.org").as_deref(), Some("owner"));
}

#[tokio::test]
async fn a_host_whose_record_is_gone_for_good_is_free_again() {
    let lab = Lab::following(&["one", "two"]);
    lab.grants.ask(&["one", "two"].map(|name| project(name, OwnershipRule::Verify)));
    let domains = asking(&lab);
    let grant = async || domains.grant(domains.asking.as_ref().unwrap()).await;
    lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await;
    learn(&domains, "x.org", "one", shown());
    grant().await;
    let mut hosts = lab.publisher().hosts();
    hosts.mark_unchanged();
    let absent = || Seen::Absent("there is no such record".to_owned());
    learn(&domains, "x.org", "one", absent());
    lab.clock.advance(GRACE - Duration::from_secs(1));
    learn(&domains, "x.org", "one", absent());
    grant().await;
    assert_eq!(holder(&lab, "x.org").as_deref(), Some("one"), "for three days");
    assert!(!hosts.has_changed().unwrap());
    lab.clock.advance(Duration::from_secs(1));
    learn(&domains, "x.org", "one", absent());
    grant().await;
    assert_eq!(holder(&lab, "x.org"), None);
    assert!(hosts.has_changed().unwrap(), "whoever waits for it is told");
}

#[tokio::test]
async fn a_trusted_project_serves_beside_those_that_are_asked() {
    let lab = Lab::following(&["trusted", "asked"]);
    lab.grants
        .ask(&[project("trusted", OwnershipRule::Trust), project("asked", OwnershipRule::Verify)]);
    lab.deploy(revision("asked", "1"), site(&["x.org"], &[])).await;
    lab.deploy(revision("trusted", "1"), site(&["x.org"], &[])).await;
    assert_eq!(holder(&lab, "x.org").as_deref(), Some("trusted"));
    lab.grants.ask(&[]);
    lab.publisher().regrant().unwrap();
    assert_eq!(holder(&lab, "x.org").as_deref(), Some("asked"), "which was there first");
}

#[tokio::test]
async fn what_a_project_has_in_the_operators_zone_is_its_own_without_a_record() {
    let zone = Aliases::Zone(Arc::new("edge.org".parse().unwrap()));
    let lab = Lab::with_aliases(&["shop"], zone);
    lab.grants.ask(&[project("shop", OwnershipRule::Verify)]);
    let domains = asking(&lab);
    let hosts = ["shop.edge.org", "*.shop.edge.org", "myshop.edge.org", "shop.org"];
    lab.deploy(revision("shop", "1"), site(&hosts, &[])).await;
    let rows = domains.domains();
    let given = |row: &&DomainRow| row.ownership == Ownership::Verified { by: Proof::Generated };
    let given: Vec<_> = rows.iter().filter(given).map(|row| &*row.host).collect();
    assert_eq!(given, ["*.shop.edge.org", "shop.edge.org"]);
    assert!(rows.iter().all(|row| row.served == given.contains(&&*row.host)), "{rows:?}");
    assert_eq!(
        domains.claims(domains.asking.as_ref().unwrap()).len(),
        2,
        "nobody is asked for them"
    );
}
