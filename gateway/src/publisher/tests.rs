//! Who gets a host, what is recorded, and what is forgotten.

use std::time::Duration;

use headgate_project::{Diagnostics, diagnostic::codes};
use headgate_routing::{Found, RequestPath};
use headgate_types::SystemClock;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
    server::Acceptor,
};

use super::*;
use crate::{
    deploy::{DeployError, IngestCache, Outcome},
    lab::{Lab, followed, revision, site},
    snapshot::Aliases,
};

fn refusal(outcome: Outcome) -> Diagnostics {
    match outcome {
        Outcome::Refused(diagnostics) => diagnostics,
        Outcome::Accepted { .. } => panic!("accepted"),
    }
}

fn accepted(outcome: Outcome) -> Accepted {
    match outcome {
        Outcome::Accepted { accepted, .. } => accepted,
        Outcome::Refused(diagnostics) => panic!("{}", diagnostics.render_human(false)),
    }
}

#[tokio::test]
async fn patterns_that_overlap_belong_to_one_project() {
    let lab = Lab::following(&["one", "two"]);
    accepted(lab.deploy(revision("one", "1"), site(&["*.x.org", "a.y.org"], &[])).await);
    for (host, theirs) in [("a.x.org", "*.x.org"), ("*.y.org", "a.y.org")] {
        let refused = refusal(lab.deploy(revision("two", "1"), site(&[host], &[])).await);
        let problem = refused.iter().find(|found| found.code == codes::HOST_TAKEN).unwrap();
        assert!(problem.message.contains("`one`"), "names the owner: {}", problem.message);
        assert!(problem.notes.iter().any(|note| note.contains(theirs)), "{:?}", problem.notes);
    }
    let refused = refusal(lab.deploy(revision("two", "1"), site(&["*.x.org"], &[])).await);
    assert_eq!(refused.errors(), 1);
    let beside = site(&["x.org", "a.b.x.org", "y.org", "*.a.y.org"], &[]);
    accepted(lab.deploy(revision("two", "2"), beside).await);
    let own = site(&["*.x.org", "b.x.org"], &[]);
    accepted(lab.deploy(revision("one", "2"), own).await);
}

#[tokio::test]
async fn a_host_in_the_nodes_zone_belongs_to_the_project_that_is_called_so() {
    let zone = Aliases::Zone(Arc::new("z.org".parse().unwrap()));
    let lab = Lab::with_aliases(&["one", "two"], zone);
    for host in ["two.z.org", "a.two.z.org", "*.z.org"] {
        let refused = refusal(lab.deploy(revision("one", "1"), site(&[host], &[])).await);
        let problem = refused.iter().find(|found| found.code == codes::HOST_TAKEN).unwrap();
        assert!(problem.message.contains("`two`"), "{host}: {}", problem.message);
    }
    let own = site(&["one.z.org", "free.z.org"], &[]);
    accepted(lab.deploy(revision("one", "2"), own).await);
    accepted(lab.deploy(revision("two", "1"), site(&["x.org"], &[])).await);
    let of = |host: &str| {
        let path = RequestPath::parse("/").unwrap();
        let snapshot = lab.publisher().cell().load();
        match snapshot.find(host, "GET", &path) {
            Found::Route { target, .. } => target.revision.project.to_string(),
            _ => "nobody".to_owned(),
        }
    };
    assert_eq!(
        (of("two.z.org"), of("one.z.org"), of("x.z.org")),
        ("two".into(), "one".into(), "nobody".into())
    );

    // What was accepted first stays, and can be deployed anew, when a project comes that is called so.
    lab.publisher().reconcile(Some(followed(&["one", "two", "free"]))).unwrap();
    accepted(lab.deploy(revision("free", "1"), site(&["y.org"], &[])).await);
    assert_eq!(of("free.z.org"), "one");
    let again = site(&["one.z.org", "free.z.org"], &[("more.txt", b"more")]);
    accepted(lab.deploy(revision("one", "3"), again).await);
    assert_eq!(of("free.z.org"), "one");
    let certified: Vec<_> =
        lab.publisher().cell().load().hosts().iter().map(ToString::to_string).collect();
    for host in ["free.z.org", "one.z.org", "x.org", "y.org", "z.org", "*.z.org", "*.one.z.org"] {
        assert!(certified.iter().any(|c| c == host), "{host}: {certified:?}");
    }
}

#[tokio::test]
async fn accepting_what_is_current_changes_nothing() {
    let lab = Lab::following(&["one"]);
    let first = accepted(lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await);
    lab.clock.advance(Duration::from_secs(1));
    let again = accepted(lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await);
    assert_eq!(again.record, first.record);
    assert_eq!(again.generation, first.generation);
    assert_eq!(lab.records.all().unwrap().len(), 1);
}

/// What a node leaves behind that could not publish what it had recorded.
fn record_only(lab: &Lab, accepted: &Accepted, commit: &str) -> Manifest {
    let manifest =
        Manifest { revision: revision("one", commit), ..Manifest::clone(&accepted.manifest) };
    let digest = lab.store.put(&manifest.encode()).unwrap();
    lab.records.accept(manifest.revision.clone(), digest, lab.clock.now()).unwrap();
    manifest
}

#[tokio::test]
async fn a_recorded_revision_has_its_hosts_before_it_is_published() {
    let lab = Lab::following(&["one", "two"]);
    let elsewhere = Lab::following(&["one"]);
    let revision_one = revision("one", "1");
    let one = accepted(elsewhere.deploy(revision_one.clone(), site(&["x.org"], &[])).await);
    record_only(&lab, &one, "1");
    let refused = refusal(lab.deploy(revision("two", "1"), site(&["x.org"], &[])).await);
    assert!(refused.iter().any(|found| found.code == codes::HOST_TAKEN));

    accepted(lab.deploy(revision_one, site(&["x.org"], &[])).await);
    assert_eq!(lab.records.all().unwrap().len(), 1, "the repetition is no second revision");
    assert_eq!(lab.publisher().cell().load().revisions.len(), 1, "and now it is served");
}

#[tokio::test]
async fn a_revision_whose_blobs_are_gone_is_not_recorded() {
    let lab = Lab::following(&["one"]);
    let first = accepted(lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await);
    let mut manifest =
        Manifest { revision: revision("one", "2"), ..Manifest::clone(&first.manifest) };
    let gone = Digest::of(b"gone");
    let page = manifest.websites[0].files.iter().next().unwrap().1.clone();
    let lost = headgate_website::SiteFile { digest: gone, ..page };
    manifest.websites[0].files.insert("lost.html", lost);
    let project = headgate_project::load(&site(&["x.org"], &[]), &Default::default());
    let refused = lab.publisher().accept(manifest, &project.project.unwrap()).unwrap_err();
    assert!(matches!(refused, PublishError::Incomplete { digest } if digest == gone));
    assert_eq!(lab.records.all().unwrap(), [first.record]);
}

#[tokio::test]
async fn what_a_branch_serves_is_looked_after_once_in_a_while_and_when_something_was_lost() {
    let lab = Lab::following(&["one"]);
    let first = accepted(lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await);
    let (publisher, store) = (lab.publisher(), &lab.store);
    publisher.confirm(&first.manifest).unwrap();
    let digest = first.manifest.blobs().next().unwrap();
    while store.contains(&digest) {
        store.sweep(&HashSet::new(), Timestamp::from_millis(u64::MAX)).unwrap();
    }
    publisher.confirm(&first.manifest).expect("it was looked at a moment ago");
    store.read(&digest).unwrap_err();
    let lost = publisher.confirm(&first.manifest).unwrap_err();
    assert!(matches!(lost, PublishError::Incomplete { .. }), "{lost:?}");
}

#[tokio::test]
async fn what_is_no_longer_followed_is_forgotten_and_its_hosts_are_free() {
    let lab = Lab::following(&["one", "two"]);
    accepted(lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await);
    let mut hosts = lab.publisher().hosts();
    accepted(lab.deploy(revision("one", "2"), site(&["x.org"], &[("a", b"b")])).await);
    assert!(!hosts.has_changed().unwrap(), "the hosts are the same");
    lab.publisher().reconcile(Some(followed(&["two"]))).unwrap();
    assert!(hosts.has_changed().unwrap());
    hosts.mark_unchanged();
    assert!(lab.records.all().unwrap().is_empty());
    assert!(lab.publisher().serving(&"one".parse().unwrap(), &Branch::new("main")).is_none());
    accepted(lab.deploy(revision("two", "1"), site(&["*.org"], &[])).await);
    assert!(hosts.has_changed().unwrap());

    let (late, mut cache) = (site(&["x.net"], &[]), IngestCache::default());
    let refused = lab.deploy_cached(revision("one", "3"), late, &mut cache).await.unwrap_err();
    assert!(matches!(refused, DeployError::Publish(PublishError::NotFollowed)));
    assert_eq!(lab.records.all().unwrap().len(), 1, "a late deploy brings nothing back");
}

#[tokio::test]
async fn certificates_are_renewed_without_a_deploy() {
    const AGE: Duration = Duration::from_secs(61 * 24 * 60 * 60); // of 90 days, and renewed after 60
    let lab = Lab::following(&["one"]);
    // The client goes by the machine's clock, and both certificates have to be valid for it.
    lab.clock.set(SystemClock.now().before(AGE));
    accepted(lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await);
    let first = certificate_shown(&lab, "x.org");
    lab.publisher().renew().unwrap();
    assert!(certificate_shown(&lab, "x.org") == first, "it is young");
    lab.clock.advance(AGE);
    lab.publisher().renew().unwrap();
    assert!(certificate_shown(&lab, "x.org") != first);
}

/// What a client gets to see that trusts this node.
fn certificate_shown(lab: &Lab, host: &str) -> Vec<u8> {
    let root = lab.folder.path().join("ca/root.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(headgate_certs::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = host.to_owned().try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let (mut hello, mut flight, mut acceptor) = (Vec::new(), Vec::new(), Acceptor::default());
    client.write_tls(&mut hello).unwrap();
    acceptor.read_tls(&mut &*hello).unwrap();
    let accepted = acceptor.accept().map_err(|(error, _)| error).unwrap().unwrap();
    let pick = lab.publisher().parts.certificates.pick_config().unwrap();
    let config = pick.pick(&accepted.client_hello()).unwrap().config;
    let mut server = accepted.into_connection(config).map_err(|(error, _)| error).unwrap();
    while server.wants_write() {
        server.write_tls(&mut flight).unwrap();
    }
    let mut flight = &*flight;
    while !flight.is_empty() {
        client.read_tls(&mut flight).unwrap();
        client.process_new_packets().unwrap();
    }
    client.peer_certificates().unwrap()[0].to_vec()
}
