//! What functions call, on its way to the node's client and resolver.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use headgate_executor::{
    CallTimeouts, Found, Lookup, LookupFailed, LookupKind, NameServer, Outbound, OutboundBody,
    OutboundError,
};
use headgate_outbound::{
    Client, Config, Error, LookupError, Policy, RequestBody, RequestBodyError, Resolver, Timeouts,
    Transport,
    policy::{Denied, Rule},
};
use headgate_types::{Chain, Scope};
use http_body_util::BodyExt;

use crate::{loops, node_config::NodeConfig};

/// The executor's `Outbound` over a [`Client`].
#[derive(Debug)]
pub(crate) struct NodeOutbound {
    client: Client,
    resolver: Arc<Resolver>,
}

impl NodeOutbound {
    pub(crate) fn open(
        config: &NodeConfig,
        metrics: headgate_outbound::Metrics,
    ) -> Result<Self, headgate_outbound::OpenError> {
        let mut outbound = config.outbound.clone();
        if config.aids.loopback_calls {
            tracing::info!("functions may call this machine's own addresses, as on no other node");
            outbound.policy.allow.extend(loopback());
        }
        let resolver = Arc::new(Resolver::system());
        Self::with(&outbound, resolver, metrics)
    }

    fn with(
        config: &Config,
        resolver: Arc<Resolver>,
        metrics: headgate_outbound::Metrics,
    ) -> Result<Self, headgate_outbound::OpenError> {
        let client = Client::open(config, resolver.clone(), Arc::new(metrics))?;
        Ok(Self { client, resolver })
    }
}

fn loopback() -> [Rule; 2] {
    ["127.0.0.0/8", "::1"].map(|text| text.parse().expect("these are rules"))
}

#[async_trait::async_trait]
impl Outbound for NodeOutbound {
    async fn send(
        &self,
        scope: &Scope,
        request: http::Request<OutboundBody>,
        timeouts: CallTimeouts,
    ) -> Result<http::Response<OutboundBody>, OutboundError> {
        let mut request =
            request.map(|body| RequestBody::new(body.map_err(|_: OutboundError| RequestBodyError)));
        loops::pass(request.headers_mut());
        let CallTimeouts { connect, first_byte, between_bytes } = timeouts;
        let timeouts = Timeouts { connect, first_byte, between_bytes };
        let response = self.client.send(&scope.project, request, timeouts).await.map_err(told)?;
        Ok(response.map(|body| body.map_err(told).boxed_unsync()))
    }

    async fn look_up(&self, _: &Scope, lookup: &Lookup) -> Result<Found, LookupFailed> {
        let other = match &lookup.server {
            Some(server) => Some(self.name_server(server).await?),
            None => None,
        };
        let resolver = other.as_ref().unwrap_or(&self.resolver);
        let found = match lookup.kind {
            LookupKind::Texts => resolver.txt(&lookup.name).await.map(Found::Texts),
            LookupKind::CanonicalName => {
                resolver.canonical_name(&lookup.name).await.map(|name| Found::Names(vec![name]))
            }
            LookupKind::MailExchanges => resolver.mail_exchanges(&lookup.name).await.map(|found| {
                Found::MailExchanges(found.into_iter().map(|mx| (mx.preference, mx.host)).collect())
            }),
            LookupKind::Names => {
                let ip = named_address(&lookup.name, self.client.policy())?;
                resolver.names_of(ip).await.map(Found::Names)
            }
        };
        found.map_err(failed)
    }
}

impl NodeOutbound {
    /// A resolver that asks the server a guest named, if the policy lets it.
    async fn name_server(&self, server: &NameServer) -> Result<Arc<Resolver>, LookupFailed> {
        let addresses = match server.address.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.addresses_of(&server.address).await?,
        };
        let mut refused = failed(LookupError::NotFound);
        for address in addresses {
            match self.client.policy().check_name_server(address) {
                Ok(()) => {
                    let transport = if server.tcp { Transport::Tcp } else { Transport::Udp };
                    return Ok(Arc::new(Resolver::asking(address, transport)));
                }
                Err(why) => refused = denied(why),
            }
        }
        Err(refused)
    }

    async fn addresses_of(&self, place: &str) -> Result<Vec<SocketAddr>, LookupFailed> {
        let no_place = || LookupFailed { reason: "its name server is not `host:port`".to_owned() };
        let (host, port) = place.rsplit_once(':').ok_or_else(no_place)?;
        let port = port.parse().map_err(|_| no_place())?;
        let addresses = self.resolver.addresses(host).await.map_err(failed)?;
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

/// The names of addresses that may not be called tell what stands in the owner's network, so they are not told.
fn named_address(text: &str, policy: &Policy) -> Result<IpAddr, LookupFailed> {
    let ip: IpAddr = text.parse().map_err(|_| failed(LookupError::Name))?;
    match policy.check(text, SocketAddr::new(ip, 443)) {
        Err(why @ (Denied::Address { .. } | Denied::Rule { .. })) => Err(denied(why)),
        Ok(()) | Err(Denied::Port { .. }) => Ok(ip),
    }
}

fn denied(why: Denied) -> LookupFailed {
    LookupFailed { reason: format!("denied: {why}") }
}

fn failed(error: LookupError) -> LookupFailed {
    LookupFailed { reason: Chain(&error).to_string() }
}

/// An error as guests and their logs are told it.
fn told(error: Error) -> OutboundError {
    match error {
        Error::Denied(denied @ Denied::Port { .. }) => {
            OutboundError::Denied { reason: owners_word(&denied) }
        }
        Error::Denied(denied) => OutboundError::AddressDenied { reason: owners_word(&denied) },
        Error::Scheme => OutboundError::Denied { reason: error.to_string() },
        Error::Url => OutboundError::Url,
        Error::Tunnel => OutboundError::Method,
        Error::Lookup(LookupError::Timeout) => OutboundError::NameTimeout,
        Error::Lookup(error) => OutboundError::Name { rcode: rcode(&error) },
        Error::Busy => OutboundError::Busy,
        Error::Refused => OutboundError::Refused,
        Error::Connect(error) => OutboundError::Unreachable { reason: error.to_string() },
        Error::ConnectTimeout => OutboundError::ConnectTimeout,
        Error::Certificate(reason) => OutboundError::Certificate { reason },
        Error::TlsAlert { number } => OutboundError::TlsAlert { number },
        Error::Tls(error) => OutboundError::Tls { reason: error.to_string() },
        Error::HeadTimeout | Error::BodyTimeout => OutboundError::Timeout,
        Error::HeadTooLarge => OutboundError::HeadTooLarge,
        Error::Closed => OutboundError::Closed,
        Error::RequestBody(_) => OutboundError::RequestBody,
        Error::Protocol(error) => OutboundError::Protocol { reason: Chain(&*error).to_string() },
        error => OutboundError::Protocol { reason: error.to_string() },
    }
}

/// Who reads this in a function's log can do nothing about it, but knows whom to ask.
fn owners_word(denied: &Denied) -> String {
    format!("{denied} (`outbound` in the node's configuration decides)")
}

/// A lookup's failure in the words of DNS.
fn rcode(error: &LookupError) -> String {
    match error {
        LookupError::NotFound => "NXDOMAIN".to_owned(),
        LookupError::NoRecords => "NOERROR, no address".to_owned(),
        LookupError::Rcode { rcode } => rcode.clone(),
        LookupError::Name => "not a domain name".to_owned(),
        error => Chain(error).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn names_in_the_owners_network_are_not_told() {
        let policy = Policy::default();
        assert!(named_address("1.1.1.1", &policy).is_ok());
        for (text, reason) in [
            ("10.0.0.1", "denied: 10.0.0.1 is a private address"),
            ("::ffff:10.0.0.1", "denied: 10.0.0.1 is a private address"),
            ("x.test", "it is not a domain name"),
        ] {
            assert_eq!(named_address(text, &policy).unwrap_err().reason, reason);
        }
    }

    #[tokio::test]
    async fn a_name_server_that_may_not_be_asked_is_not() {
        let metrics = headgate_outbound::Metrics::new(&mut Registry::default());
        let resolver = Arc::new(Resolver::system());
        let outbound = NodeOutbound::with(&Config::default(), resolver, metrics).unwrap();
        for (address, reason) in [
            ("127.0.0.1:53", "denied: 127.0.0.1 is this machine's own address"),
            ("localhost:53", "is this machine's own address"),
            ("1.1.1.1:25", "denied: port 25 is none that guests may use"),
            ("nonsense", "its name server is not `host:port`"),
        ] {
            let server = NameServer { address: address.to_owned(), tcp: false };
            let refused = outbound.name_server(&server).await.unwrap_err();
            assert!(refused.reason.contains(reason), "{refused}");
        }
    }

    #[test]
    fn an_error_says_what_the_guest_and_its_author_need() {
        let port = told(Error::Denied(Denied::Port { port: 25 }));
        let expected = "denied: port 25 is none that guests may use (`outbound` in the node's \
                        configuration decides)";
        assert_eq!(port.to_string(), expected);
        assert_eq!(told(Error::Lookup(LookupError::Timeout)), OutboundError::NameTimeout);
        let unknown = told(Error::Lookup(LookupError::NotFound));
        assert_eq!(unknown.to_string(), "its name was not found (NXDOMAIN)");
    }
}
