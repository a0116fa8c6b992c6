//! The sockets of HTTP and HTTPS, bound before anything else is made.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;
use headgate_edge::BindOptions;

use crate::node_config::{Listen, NodeConfig};

/// The addresses that were asked for, with the ports that were given.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    pub(super) http: Vec<SocketAddr>,
    pub(super) https: Vec<SocketAddr>,
    pub(super) dns: Vec<SocketAddr>,
    pub(super) dns_over_tls: Vec<SocketAddr>,
    pub(super) dns_taken: Vec<SocketAddr>,
}

/// Binds every address; the flag says whether TLS is spoken there.
pub(super) fn bind(config: &NodeConfig) -> anyhow::Result<(Vec<(TcpListener, bool)>, Bound)> {
    let options = BindOptions { sockets: config.workers.get(), ..BindOptions::default() };
    let mut listeners = Vec::new();
    let mut bound = Bound::default();
    let groups = [(&config.http, false, &mut bound.http), (&config.https, true, &mut bound.https)];
    for (listen, secure, addresses) in groups {
        for address in &listen.addresses {
            match headgate_edge::bind(*address, &options) {
                Ok(group) => {
                    let address = group.first().map(TcpListener::local_addr);
                    addresses
                        .extend(address.transpose().context("asking a socket for its address")?);
                    listeners.extend(group.into_iter().map(|socket| (socket, secure)));
                }
                Err(error) if may_be_missing(listen, *address) => {
                    tracing::info!(%address, %error, "not listening on IPv6");
                }
                Err(error) => return Err(error).with_context(|| format!("listening on {address}")),
            }
        }
    }
    Ok((listeners, bound))
}

/// A machine without IPv6 does without our own default for it, but not without what was asked for.
pub(super) fn may_be_missing(listen: &Listen, address: SocketAddr) -> bool {
    !listen.required && address.is_ipv6() && std::fs::metadata("/proc/net/if_inet6").is_err()
}
