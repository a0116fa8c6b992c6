//! `NameServer`: DNS for the names of what is served, and what keeps it in step.

mod listen;

use std::{
    future,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use headgate_dns::{
    BindError, Challenges, Cookies, Metrics, QueryLog, RateLimiter, RateLimits, Responder, Secret,
    Server, Sockets, Zones, server::sockets::bind_tcp,
};
use headgate_outbound::{Resolver, policy::address::special};
use headgate_types::{Chain, Clock, DomainName, Generation};
use rustls::ServerConfig;
use tokio::{sync::watch, task, time};
use tokio_util::sync::CancellationToken;
use tracing::error;

pub(crate) use self::listen::ListenError;
use super::listening::may_be_missing;
use crate::{
    node_config::{DnsConfig, NodeConfig},
    proxy::NameQueries,
    publisher::Publisher,
    snapshot::Aliases,
    zones::{AliasTargets, Found, Nameplate, Naming, Pace, Targets, Wanted, ZoneKeeper},
};

/// Cookies outlive one change of the secret by far; RFC 9018 §5 asks for one in a month at least.
const COOKIE_SECRET_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Until what the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Sockets for DNS, bound before anything else is made.
#[derive(Default)]
pub(super) struct NameSockets {
    sockets: Vec<Sockets>,
    tls: Vec<TcpListener>,
    pub(super) tls_addresses: Vec<SocketAddr>,
    /// Those that others had.
    pub(super) taken: Vec<SocketAddr>,
}

impl NameSockets {
    /// Binds what is configured; nothing if the node answers no DNS.
    pub(super) fn bind(config: &NodeConfig) -> Result<Self, ListenError> {
        match &config.dns {
            Some(dns) => Self::bind_all(dns, config.workers),
            None => Ok(Self::default()),
        }
    }

    fn bind_all(dns: &DnsConfig, workers: NonZeroUsize) -> Result<Self, ListenError> {
        let (mut sockets, mut taken, mut tls) = (Vec::new(), Vec::new(), Vec::new());
        for address in &dns.listen.addresses {
            match headgate_dns::bind(*address, workers.get()) {
                Ok(bound) => sockets.push(bound),
                Err(error) if may_be_missing(&dns.listen, *address) => {
                    tracing::info!(%address, error = %Chain(&error), "no DNS on IPv6");
                }
                Err(error) => match ListenError::of(error) {
                    ListenError::InUse(_) if dns.if_free => taken.push(*address),
                    error => return Err(error),
                },
            }
        }
        let mut tls_addresses = Vec::with_capacity(dns.tls.len());
        for address in &dns.tls {
            let bound = bind_tcp(*address).and_then(|socket| Ok((socket.local_addr()?, socket)));
            let transport = "TLS";
            let (bound, socket) = bound
                .map_err(|error| BindError { address: *address, transport, error })
                .map_err(ListenError::of)?;
            tls_addresses.push(bound);
            tls.push(socket);
        }
        Ok(Self { sockets, tls, tls_addresses, taken })
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(Sockets::address).collect()
    }
}

/// What the name server is made of, beside its sockets.
pub(super) struct Parts {
    pub(super) aliases: Aliases,
    pub(super) publisher: Arc<Publisher>,
    pub(super) challenges: Challenges,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A name server that has its zones and does not answer yet.
pub(super) struct NameServer {
    sockets: NameSockets,
    tls: Arc<ServerConfig>,
    pub(super) responder: Arc<Responder>,
    pub(super) keeper: Arc<ZoneKeeper>,
    clock: Arc<dyn Clock>,
    generations: watch::Receiver<Generation>,
    alias_targets: AliasTargets,
    /// What became of them.
    found: watch::Receiver<Arc<Found>>,
}

impl NameServer {
    /// Publishes the zones of what is served already; blocks. `None` if the node answers no DNS.
    pub(super) fn open(
        config: &NodeConfig,
        sockets: NameSockets,
        parts: Parts,
    ) -> anyhow::Result<Option<Self>> {
        let Some(dns) = &config.dns else { return Ok(None) };
        let Parts { aliases, publisher, challenges, metrics, tls, clock } = parts;
        let zones = Zones::new(metrics.clone());
        let generations = publisher.generations();
        let naming = Naming::of(config);
        let (wanted, wanted_by_zones) = watch::channel(Wanted::default());
        let (published, found) = watch::channel(Arc::default());
        let alias_targets = AliasTargets {
            wanted: wanted_by_zones,
            found: published,
            resolver: Arc::new(Resolver::afresh(config.resolver)),
            private: naming.addresses.iter().any(|ip| special(*ip).is_some()),
            pace: Pace::default(),
        };
        let keeper = ZoneKeeper::open(
            &config.state,
            naming,
            aliases,
            publisher,
            Targets { wanted, found: found.clone() },
            zones.clone(),
            clock.clone(),
        )
        .context("preparing the zones")?;
        if let Err(error) = keeper.reconcile() {
            error!(error = %Chain(&error), "serials of zones not kept");
        }
        let responder = Arc::new(Responder {
            zones,
            challenges,
            cookies: Cookies::new(Secret::random()),
            rate_limiter: RateLimiter::new(RateLimits::default()),
            metrics,
            query_log: dns.query_log.map_or_else(QueryLog::off, QueryLog::every),
        });
        let keeper = Arc::new(keeper);
        Ok(Some(Self { sockets, tls, responder, keeper, clock, generations, alias_targets, found }))
    }

    /// The same over HTTPS, at the zone's own name and at those of name servers that its certificates cover. On a
    /// developer's machine every host is the project's.
    pub(super) fn queries(&self, config: &NodeConfig) -> NameQueries {
        let zone = config.zone.as_ref().filter(|_| !config.aids.localhost_hosts);
        let hosts = zone.map_or_else(Vec::new, |zone| {
            let below = |name: &&DomainName| name.parent() == Some(zone.name.as_str());
            let servers = zone.nameservers.iter().filter(below);
            [&zone.name].into_iter().chain(servers).cloned().collect()
        });
        let (responder, clock) = (self.responder.clone(), self.clock.clone());
        NameQueries { hosts, responder, clock }
    }

    /// What the operator is told.
    pub(super) fn nameplate(&self) -> Arc<Nameplate> {
        Arc::new(Nameplate {
            keeper: self.keeper.clone(),
            metrics: self.responder.metrics.clone(),
            listen: self.sockets.addresses(),
            tls: self.sockets.tls_addresses.clone(),
        })
    }

    /// Answers until `stop`.
    ///
    /// # Errors
    /// If a socket ends for another reason.
    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { sockets, tls, responder, keeper, clock, generations, alias_targets, found } =
            self;
        let serving = serve(sockets, tls, responder.clone(), clock, stop.clone());
        let keeping = keep(keeper, generations, found);
        let looking_up = alias_targets.run(stop.clone());
        let rotating = rotate(&responder);
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served,
            () = keeping => {}
            () = looking_up => {}
            () = rotating => {}
            () = stop.cancelled() => {}
        }
        // What was received is still answered.
        serving.await
    }
}

async fn serve(
    sockets: NameSockets,
    config: Arc<ServerConfig>,
    responder: Arc<Responder>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let NameSockets { sockets, tls, .. } = sockets;
    if sockets.is_empty() && tls.is_empty() {
        stop.cancelled().await;
        return Ok(());
    }
    let (mut udp, mut tcp) = (Vec::new(), Vec::new());
    for address in sockets {
        udp.extend(address.udp);
        tcp.extend(address.tcp);
    }
    let server = Server { responder, clock, udp, tcp, tls: Some((tls, config)) };
    server.run(stop.clone()).await.context("answering DNS")?;
    anyhow::ensure!(stop.is_cancelled(), "the DNS sockets ended by themselves");
    Ok(())
}

/// Publishes zones anew whenever something else is served, or the target of an ALIAS has moved. Ends only with the
/// publisher.
async fn keep(
    keeper: Arc<ZoneKeeper>,
    mut generations: watch::Receiver<Generation>,
    mut found: watch::Receiver<Arc<Found>>,
) {
    let mut failed = false;
    loop {
        let again = async {
            match failed {
                true => time::sleep(RETRY).await,
                false => future::pending().await,
            }
        };
        tokio::select! {
            changed = generations.changed() => if changed.is_err() {
                return future::pending().await;
            },
            Ok(()) = found.changed() => {}
            () = again => {}
        }
        let keeper = keeper.clone();
        let reconciled = task::spawn_blocking(move || keeper.reconcile()).await;
        failed = !matches!(reconciled, Ok(Ok(())));
        match reconciled {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(error = %Chain(&error), "serials of zones not kept"),
            Err(error) => error!(%error, "making zones panicked"),
        }
    }
}

async fn rotate(responder: &Responder) {
    loop {
        time::sleep(COOKIE_SECRET_LIFE).await;
        responder.cookies.rotate(Secret::random());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_config::Listen;

    fn bind(address: SocketAddr, if_free: bool) -> Result<NameSockets, ListenError> {
        let listen = Listen::exactly(vec![address]);
        let dns = DnsConfig { listen, tls: Vec::new(), if_free, query_log: None };
        NameSockets::bind_all(&dns, NonZeroUsize::MIN)
    }

    #[test]
    fn an_address_that_is_taken_is_left_out_where_dns_is_a_help() {
        let first = bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let [address] = first.addresses()[..] else { panic!("one address") };
        let second = bind(address, true).unwrap();
        assert_eq!((second.addresses(), second.taken), (Vec::new(), vec![address]));
        assert!(matches!(bind(address, false), Err(ListenError::InUse(a)) if a == address));
    }
}
