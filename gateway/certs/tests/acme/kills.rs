//! Killed at every request of an order, before and after the authority acted on it, and started
//! again.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use headgate_certs::acme::{
    AcmeConfig, AcmeServices, AlpnChallenges, HttpTokens, Limits, Metrics, Prove, Renewals,
    SoleNode, Wanted,
};
use headgate_dns::Challenges;
use headgate_types::{HostPattern, SystemClock};
use prometheus_client::registry::Registry;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    hosts::serve_tls,
    lab::{DnsZone, Lab, PATIENCE, by_dns, parse},
    pebble::{Options, installed},
    proxy::Verdict,
};

/// What the process that is killed is told by its environment.
const CHILD: [&str; 5] = ["NAME", "DIRECTORY", "ROOTS", "FOLDER", "TLS_PORT"];

const KILLS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_request_it_goes_on_without_a_second_certificate() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let mut kills = 0;
    // As far as an order goes: the whole of one has some twenty requests.
    for request in 0.. {
        let mut reached = false;
        for answered in [false, true] {
            let name = format!("k{request}{}.test", if answered { "a" } else { "b" });
            let (orders, certificates) = (lab.proxy.orders(), lab.proxy.certificates());
            let (told, mut killed) = mpsc::channel(1);
            lab.proxy.rule(move |_, number| {
                let told = told.clone();
                if number == request { Verdict::Kill { answered, told } } else { Verdict::Pass }
            });
            let engine = lab.start();
            lab.want([by_dns(&[&name, &format!("*.{name}")])]);
            tokio::select! {
                Some(()) = killed.recv() => reached = true,
                _ = engine.certificate(&name) => {}
            }
            engine.kill().await;
            lab.proxy.pass();

            let engine = lab.start();
            engine.certificate(&name).await;
            engine.kill().await;
            kills += usize::from(reached);
            assert_eq!(lab.proxy.certificates() - certificates, 1, "{answered} {request}");
            let orders = lab.proxy.orders() - orders;
            assert!(orders <= 2, "{orders} orders at {request}, answered {answered}");
        }
        if !reached {
            break;
        }
    }
    assert!(kills >= 20, "only {kills} kills");
    assert_eq!(lab.proxy.accounts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_at_random_instants_cost_an_order_each_at_most_and_no_certificate() {
    if !installed() {
        return;
    }
    let lab = Lab::new(Options::default()).await;
    let mut chance = StdRng::seed_from_u64(50);
    let (mut kills, mut issued) = (0, 0);
    while kills < KILLS {
        let name = format!("h{issued}.kill.test");
        let mut child = child(&lab, &name);
        let life = Duration::from_millis(chance.random_range(30..700));
        tokio::time::sleep(life).await;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            issued += 1;
            continue;
        }
        child.kill().unwrap(); // SIGKILL: it cannot tidy up
        child.wait().unwrap();
        kills += 1;
    }
    let name = format!("h{issued}.kill.test");
    let mut last = child(&lab, &name);
    assert!(last.wait().unwrap().success());
    issued += 1;
    assert_eq!(lab.proxy.certificates(), issued, "of {issued} names after {kills} kills");
    assert!(lab.proxy.orders() <= issued + kills, "{} orders", lab.proxy.orders());
    assert_eq!(lab.proxy.accounts(), 1);
    // What is on disk is whole: all of them are there.
    let engine = lab.start();
    lab.want((0..issued).map(|n| by_dns(&[&format!("h{n}.kill.test")])));
    for number in 0..issued {
        engine.certificate(&format!("h{number}.kill.test")).await;
    }
}

/// This binary again, as a process that obtains one certificate.
fn child(lab: &Lab, name: &str) -> Child {
    let config = lab.config();
    let values = [
        name.to_owned(),
        config.directory,
        config.roots.unwrap().display().to_string(),
        config.folder.display().to_string(),
        lab.pebble().config().tls.to_string(),
    ];
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "kills::a_process_to_be_killed", "--nocapture"])
        .envs(CHILD.map(|name| format!("HEADGATE_{name}")).into_iter().zip(values))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing unless the test above started it.
#[tokio::test]
async fn a_process_to_be_killed() {
    let Ok(values) = CHILD
        .map(|name| env::var(format!("HEADGATE_{name}")))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
    else {
        return;
    };
    let [name, directory, roots, folder, port] = values.try_into().unwrap();
    let alpn = AlpnChallenges::default();
    let _tls = serve_tls(port.parse().unwrap(), alpn.clone()).await;
    let wanted = Wanted { names: parse(&[&name]), prove: Prove::Host };
    let (_sender, wanted) = watch::channel(Arc::from([wanted]));
    let config = AcmeConfig {
        directory,
        contact: Vec::new(),
        roots: Some(roots.into()),
        external_account: None,
        profile: None,
        limits: Limits::default(),
        folder: folder.into(),
    };
    let services = AcmeServices {
        clock: Arc::new(SystemClock),
        zone: Arc::new(DnsZone(Challenges::default())),
        tokens: HttpTokens::default(),
        alpn,
        lease: Arc::new(SoleNode),
        metrics: Metrics::register(&mut Registry::default()),
    };
    let (renewals, handle) = Renewals::open(config, services, wanted).unwrap();
    tokio::spawn(renewals.run(CancellationToken::new()));
    let name: HostPattern = name.parse().unwrap();
    let mut certificates = handle.certificates();
    let there = certificates.wait_for(|all| all.get(&name).is_some());
    tokio::time::timeout(PATIENCE, there).await.unwrap().unwrap();
}
