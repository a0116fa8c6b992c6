//! Every default of `node.yaml` and of `headgate dev`, with its reason.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    thread,
    time::Duration,
};

use headgate_types::ByteSize;

use super::{ExecutorConfig, Limits, LogConfig, LogFormat, LogLevel, StoreConfig};

/// Where distributions expect a service's state; systemd's `StateDirectory=headgate` makes it.
pub(super) const STATE: &str = "/var/lib/headgate";

/// The ports browsers use.
pub(super) const HTTP_PORT: u16 = 80;
pub(super) const HTTPS_PORT: u16 = 443;

/// Where name servers listen, for hints.
pub(super) const DNS_PORT: u16 = 53;

/// What the help shows, for hints.
pub(super) const ADMIN_PORT: u16 = 9901;

/// The ports developers expect, open to users without privileges.
pub(super) const DEV_HTTP_PORT: u16 = 8080;
pub(super) const DEV_HTTPS_PORT: u16 = 8443;
/// DNS over TLS (RFC 7858).
pub(super) const DNS_OVER_TLS_PORT: u16 = 853;
/// What people use for DNS without privileges. Multicast DNS has it, too, and wins.
pub(super) const DEV_DNS_PORT: u16 = 5353;
/// RFC 6761 §6.3 keeps it on this machine.
pub(super) const DEV_ZONE: &str = "localhost";

/// Leaves room for a project and a domain of it below the zone, 63 characters each, in the 253 of a name.
pub(super) const LONGEST_ZONE: usize = 125;

/// Branches are called so unless somebody says otherwise.
pub(super) const BRANCH: &str = "main";

/// A push is live within seconds, and a hundred projects ask their host twenty times a second together.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// Asking a local repository costs reading one file.
pub(super) const DEV_POLL: Duration = Duration::from_secs(1);
/// Hosts throttle who asks more often.
pub(super) const SHORTEST_POLL: Duration = Duration::from_millis(100);

/// Whom everybody trusts, at no charge.
pub(super) const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Hardening C6: a drain ends within 30 s. Process managers kill after 90.
pub(super) const DRAIN: Duration = Duration::from_secs(30);
/// A developer who pressed Ctrl-C waits for nobody.
pub(super) const DEV_DRAIN: Duration = Duration::from_secs(2);
/// Longer, and an upgrade looks like a hang.
pub(super) const LONGEST_DRAIN: Duration = Duration::from_secs(3600);

/// A node that names more threads than this was given another number by mistake.
pub(super) const MOST_WORKERS: u64 = 1024;
/// Nobody looks further back, and each one is looked through when blobs are swept.
pub(super) const MOST_KEPT: u64 = 1000;

/// Each is asked for news with every poll of its project. Holds twice: for what `node.yaml` lists, and for
/// what is followed of it, where each branch that the project's configuration names counts.
pub(crate) const MOST_REPOSITORIES: usize = 100;
/// A person writes a dozen; each is compared with every connection a function makes.
pub(super) const MOST_OUTBOUND_RULES: usize = 1000;
/// A person's file has a few kilobytes; this only stops the wrong file from being read whole.
pub(super) const LARGEST_FILE: u64 = 1 << 20;

pub(super) const LOG: LogConfig =
    LogConfig { format: LogFormat::Auto, level: LogLevel::Info, access: true };

/// A developer reads the events; the log adds its warnings and the requests, not the same again.
pub(super) const DEV_LOG: LogConfig =
    LogConfig { format: LogFormat::Auto, level: LogLevel::Warn, access: true };

/// The executor's own: each slot reserves 4 GiB of address space, and nothing else until it is used.
const INSTANCES: u32 = 200;

/// Half of the slots: whatever one project's guests do, the others' go on.
pub(super) const fn project_instances(instances: u32) -> u32 {
    if instances < 2 { 1 } else { instances / 2 }
}

/// A shorter limit would break what is common: thirty seconds is the default of a function.
pub(super) const SHORTEST_DEADLINE_LIMIT: Duration = Duration::from_secs(1);
/// No function can ask for more.
pub(super) const LONGEST_DEADLINE_LIMIT: Duration = Duration::from_secs(3600);

pub(super) const EXECUTOR: ExecutorConfig = ExecutorConfig {
    instances: INSTANCES,
    project_instances: project_instances(INSTANCES),
    // Larger than any guest toolchain needs to start, small enough that one cannot take a machine.
    memory_limit: ByteSize::from_mib(512),
    // Whoever waits longer for an answer has left; a slot that is held for an hour is lost to everybody else.
    deadline_limit: Duration::from_secs(300),
    // Half of the slots: one busy function leaves room for its neighbours.
    concurrency: 100,
    // As many again may wait; longer, and clients are better off being told to come back.
    queue: 1_000,
};

pub(super) const LIMITS: Limits = Limits {
    max_connections: None,
    // Hardening C4.
    per_address_connections: 256,
    per_address_rate: 100,
    // Uploads of photographs and archives pass; a disk image is a mistake. Bodies are streamed, never held.
    request_body: ByteSize::from_mib(100),
};

pub(super) const STORE: StoreConfig =
    // A week of busy days to look back on; unchanged files are stored once.
    StoreConfig { keep_revisions: NonZeroUsize::new(10).expect("ten is not zero") };

/// One thread per core the process may use.
pub(super) fn workers() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Every address of both families.
pub(super) fn everywhere(port: u16) -> [SocketAddr; 2] {
    [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()]
        .map(|ip| SocketAddr::new(ip, port))
}

/// This machine only, in both families: browsers try `localhost` as either.
pub(super) fn loopback(port: u16) -> [SocketAddr; 2] {
    [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]
        .map(|ip| SocketAddr::new(ip, port))
}
