//! What Zonemaster, the registries' tester of delegations, says of a zone like an operator's.
//!
//! It asks at port 53 from the root on, so the test runs once more inside a network namespace, in
//! which the root, `test.` and the zone are ours, at addresses that look like anybody's.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    lab::{Lab, zone},
    node::Node,
};

const INSIDE: &str = "HEADGATE_TEST_NAMESPACE";

/// Where the root, the zone above and the two servers of the zone are. Nothing leaves the namespace;
/// Zonemaster takes loopback and documentation addresses for mistakes.
const ROOT: &str = "198.41.0.4";
const ABOVE: &str = "192.36.148.17";
const FIRST: [&str; 2] = ["185.49.140.60", "2a04:b900::1"];
const SECOND: [&str; 2] = ["193.110.128.7", "2001:67c:13cc::1"];

const ROOT_ZONE: &str = "
    @                    SOA    a.root-servers.net. nstld.test. 2026112501 14400 3600 1209600 3600
    @                    NS     a.root-servers.net.
    a.root-servers.net.  A      198.41.0.4
    test.                NS     ns.nic.test.
    ns.nic.test.         A      192.36.148.17
";

const ZONE_ABOVE: &str = "
    @                    SOA    ns.nic.test. hostmaster.nic.test. 2026112501 14400 3600 1209600 3600
    @                    NS     ns.nic.test.
    ns.nic               A      192.36.148.17
    edge                 NS     ns1.edge.test.
    edge                 NS     ns2.edge.test.
    ns1.edge             A      185.49.140.60
    ns1.edge             AAAA   2a04:b900::1
    ns2.edge             A      193.110.128.7
    ns2.edge             AAAA   2001:67c:13cc::1
    nowhere              NS     ns1.edge.test.
    nowhere              NS     ns2.edge.test.
";

const OPERATOR: &str = "
    @      SOA    ns1.edge.test. hostmaster.edge.test. 2026112501 14400 3600 1209600 300
    @      NS     ns1.edge.test.
    @      NS     ns2.edge.test.
    @      MX     10 mail.edge.test.
    @      A      185.49.140.60
    @      AAAA   2a04:b900::1
    @      CAA    0 issue \"letsencrypt.org\"
    @      TXT    \"v=spf1 mx -all\"
    ns1    A      185.49.140.60
    ns1    AAAA   2a04:b900::1
    ns2    A      193.110.128.7
    ns2    AAAA   2001:67c:13cc::1
    mail   A      185.49.140.60
    *      A      185.49.140.60
    *      AAAA   2a04:b900::1
    *.shop A      185.49.140.60
";

/// Names of addresses belong to whoever has the network.
const TOLERATED: [&str; 1] = ["NAMESERVER_IP_WITHOUT_REVERSE"];

#[test]
fn zonemaster_finds_no_error_in_an_operators_zone() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    for program in ["zonemaster-cli", "unshare", "ip"] {
        let there = Command::new(program)
            .arg("--help")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if let Err(error) = there {
            eprintln!("SKIPPED: {program} is not here ({error}); tests/prepare installs it");
            return;
        }
    }
    let namespace = Command::new("unshare").args(["-rn", "true"]).stderr(Stdio::null()).status();
    if !namespace.unwrap().success() {
        eprintln!("SKIPPED: this machine lets nobody make a network namespace");
        return;
    }
    let test = "zonemaster::zonemaster_finds_no_error_in_an_operators_zone";
    let run = Command::new("unshare")
        .args(["-rn".as_ref(), env::current_exe().unwrap().as_os_str()])
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

fn inside() {
    let addresses = [ROOT, ABOVE].into_iter().chain(FIRST).chain(SECOND);
    ip(&["link", "set", "lo", "up"]);
    addresses.clone().for_each(|address| ip(&["addr", "add", address, "dev", "lo", "nodad"]));

    let serve = |address: &str, origin: &str, text: &str| {
        let address =
            if address.contains(':') { format!("[{address}]:53") } else { format!("{address}:53") };
        Node::on(&address, Lab::serving([zone(origin, text).unwrap()]))
    };
    let mut nodes = vec![serve(ROOT, ".", ROOT_ZONE), serve(ABOVE, "test.", ZONE_ABOVE)];
    nodes.extend(FIRST.into_iter().chain(SECOND).map(|at| serve(at, "edge.test.", OPERATOR)));

    let folder = tempfile::tempdir().unwrap();
    let hints = folder.path().join("hints");
    let root = format!(". 3600 NS a.root-servers.net.\na.root-servers.net. 3600 A {ROOT}\n");
    fs::write(&hints, root).unwrap();
    let (found, text) = findings(&hints, "edge.test");
    assert!(found.is_empty(), "{found:#?}\n{text}");
    let (found, text) = findings(&hints, "nowhere.test");
    assert!(found.iter().any(|line| !line.contains("WARNING")), "it finds what is wrong: {text}");
}

/// What Zonemaster finds wrong with a zone, and all that it says.
fn findings(hints: &Path, zone: &str) -> (Vec<String>, String) {
    let run = Command::new("zonemaster-cli")
        .args(["--hints".as_ref(), hints.as_os_str()])
        .args(["--level", "NOTICE", "--raw", "--no-time", "--no-progress", zone])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{text}{}", String::from_utf8_lossy(&run.stderr));
    let found = text
        .lines()
        .filter(|line| ["WARNING", "ERROR", "CRITICAL"].iter().any(|level| line.contains(level)))
        .filter(|line| !TOLERATED.iter().any(|known| line.contains(known)));
    (found.map(str::to_owned).collect(), text)
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}
