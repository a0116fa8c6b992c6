//! `Resolver`: names looked up by the name servers of the system, or by one that is named.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{
        ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
        ResolverOpts,
    },
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
    system_conf::read_system_conf,
};
use tokio::sync::Semaphore;

use crate::defaults;

/// Looks names up, within bounds of time and number. Share it by `Arc`.
#[derive(Debug)]
pub struct Resolver {
    inner: TokioResolver,
    turns: Semaphore,
}

/// How a name server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// A host that takes mail for a domain, less preferred the higher its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailExchange {
    pub preference: u16,
    /// With its final dot.
    pub host: String,
}

/// A CAA record (RFC 8659).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    pub critical: bool,
    pub tag: String,
    pub value: String,
}

/// The name servers of the system, as `/etc/resolv.conf` says now; that of this machine where it says
/// nothing.
pub fn system_name_servers() -> Vec<SocketAddr> {
    let config = read_system_conf().map(|(config, _)| config);
    let servers = config.iter().flat_map(|config| config.name_servers());
    let mut servers: Vec<_> = servers.map(|server| SocketAddr::new(server.ip, DNS_PORT)).collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
    }
    servers
}

const DNS_PORT: u16 = 53;

/// Why a lookup found nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    #[error("it is not a domain name")]
    Name,
    #[error("it does not exist")]
    NotFound,
    #[error("it has no record of this type")]
    NoRecords,
    #[error("no name server answered in time")]
    Timeout,
    #[error("the name servers answered {rcode}")]
    Rcode { rcode: String },
    #[error("the name servers could not be asked")]
    Failed(#[source] NetError),
}

impl Resolver {
    /// As `/etc/resolv.conf` and `/etc/hosts` say now; they are not read again. Without the former, the name server
    /// of this machine is asked: that is what `resolv.conf(5)` promises.
    pub fn system() -> Self {
        let mut builder = system();
        bounded(builder.options_mut());
        Self::of(builder)
    }

    /// Asks the name server at `server` alone, afresh each time.
    pub fn asking(server: SocketAddr, transport: Transport) -> Self {
        let mut connection = match transport {
            Transport::Udp => ConnectionConfig::udp(),
            Transport::Tcp => ConnectionConfig::tcp(),
        };
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let mut builder = builder(vec![server]);
        let options = builder.options_mut();
        bounded(options);
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        Self::of(builder)
    }

    /// For questions whose answers change while somebody watches: nothing is kept. Asks the name server at
    /// `server`, over TCP where UDP is too small, or those of the system.
    pub fn afresh(server: Option<SocketAddr>) -> Self {
        let mut builder = match server {
            Some(server) => {
                let mut named = NameServerConfig::udp_and_tcp(server.ip());
                named.connections.iter_mut().for_each(|way| way.port = server.port());
                builder(vec![named])
            }
            None => system(),
        };
        let options = builder.options_mut();
        bounded(options);
        options.cache_size = 0;
        Self::of(builder)
    }

    fn of(builder: ResolverBuilder<TokioRuntimeProvider>) -> Self {
        let inner = builder.build().expect("without TLS there is nothing that could fail");
        Self { inner, turns: Semaphore::new(defaults::LOOKUPS) }
    }

    /// The addresses of a host, as the system would find them: `/etc/hosts` first, search domains for short names.
    ///
    /// # Errors
    /// See [`LookupError`]; an answer without addresses is one.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let name = Name::from_utf8(host).map_err(|_| LookupError::Name)?;
        let found = self.bounded(self.inner.lookup_ip(name)).await?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() { Err(LookupError::NoRecords) } else { Ok(addresses) }
    }

    /// The addresses of a host as DNS has them, and for how long they may be kept. Neither this machine's
    /// `/etc/hosts` nor its search domains have a say.
    ///
    /// # Errors
    /// See [`LookupError`]; an answer without addresses is one.
    pub async fn addresses_and_ttl(
        &self,
        host: &str,
    ) -> Result<(Vec<IpAddr>, Duration), LookupError> {
        let name = absolute(host)?;
        let lookup = |kind| self.lookup(name.clone(), kind);
        let (v4, v6) = futures::join!(lookup(RecordType::A), lookup(RecordType::AAAA));
        let (mut addresses, mut ttl) = (Vec::new(), u32::MAX);
        let mut failure = None;
        for result in [v4, v6] {
            match result {
                // Along a chain of aliases the shortest TTL counts.
                Ok(found) => found.answers().iter().for_each(|record| {
                    ttl = ttl.min(record.ttl);
                    addresses.extend(record.data.ip_addr());
                }),
                Err(LookupError::NoRecords) => {}
                Err(error) => failure = Some(error),
            }
        }
        match (addresses.is_empty(), failure) {
            // Some name servers fail at AAAA for ever.
            (false, _) => Ok((addresses, Duration::from_secs(ttl.into()))),
            (true, Some(error)) => Err(error),
            (true, None) => Err(LookupError::NoRecords),
        }
    }

    /// The TXT records of `name`, each as one text.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
        let found = self.lookup(absolute(name)?, RecordType::TXT).await?;
        some(found.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        }))
    }

    /// Who takes mail for `name`, the preferred first.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn mail_exchanges(&self, name: &str) -> Result<Vec<MailExchange>, LookupError> {
        let found = self.lookup(absolute(name)?, RecordType::MX).await?;
        let mut exchanges = some(found.answers().iter().filter_map(|record| match &record.data {
            RData::MX(mx) => {
                Some(MailExchange { preference: mx.preference, host: mx.exchange.to_ascii() })
            }
            _ => None,
        }))?;
        exchanges.sort();
        Ok(exchanges)
    }

    /// The name servers of the zone `name`, each with its final dot.
    ///
    /// # Errors
    /// See [`LookupError`]; a name that is no zone is one.
    pub async fn name_servers(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let found = self.lookup(absolute(name)?, RecordType::NS).await?;
        some(found.answers().iter().filter_map(|record| match &record.data {
            RData::NS(host) => Some(host.0.to_ascii()),
            _ => None,
        }))
    }

    /// Where the alias at `name` leads, with its final dot.
    ///
    /// # Errors
    /// See [`LookupError`]; a name that is no alias is one.
    pub async fn alias(&self, name: &str) -> Result<String, LookupError> {
        let name = absolute(name)?;
        let found = self.lookup(name.clone(), RecordType::CNAME).await?;
        let alias = found.answers().iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == name => Some(target.0.to_ascii()),
            _ => None,
        });
        alias.ok_or(LookupError::NoRecords)
    }

    /// Who may issue certificates for `name`: the CAA records of that very name.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn authorizations(&self, name: &str) -> Result<Vec<Authorization>, LookupError> {
        let found = self.lookup(absolute(name)?, RecordType::CAA).await?;
        some(found.answers().iter().filter_map(|record| match &record.data {
            RData::CAA(caa) => Some(Authorization {
                critical: caa.issuer_critical,
                tag: caa.tag.clone(),
                value: String::from_utf8_lossy(&caa.value).into_owned(),
            }),
            _ => None,
        }))
    }

    /// The name at the end of the aliases of `name`, with its final dot. A name without an alias is its own.
    ///
    /// # Errors
    /// See [`LookupError`]; a name without addresses is one.
    pub async fn canonical_name(&self, name: &str) -> Result<String, LookupError> {
        let name = absolute(name)?;
        let found = match self.lookup(name.clone(), RecordType::A).await {
            Err(LookupError::NoRecords) => self.lookup(name.clone(), RecordType::AAAA).await?,
            found => found?,
        };
        let mut canonical = name;
        for _ in found.answers() {
            let alias = found.answers().iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == canonical => Some(&target.0),
                _ => None,
            });
            match alias {
                Some(target) => canonical = target.clone(),
                None => break,
            }
        }
        Ok(canonical.to_ascii())
    }

    /// The names of an address, each with its final dot.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub async fn names_of(&self, ip: IpAddr) -> Result<Vec<String>, LookupError> {
        let found = self.lookup(Name::from(ip), RecordType::PTR).await?;
        some(found.answers().iter().filter_map(|record| match &record.data {
            RData::PTR(name) => Some(name.0.to_ascii()),
            _ => None,
        }))
    }

    async fn lookup(&self, name: Name, kind: RecordType) -> Result<Lookup, LookupError> {
        self.bounded(self.inner.lookup(name, kind)).await
    }

    async fn bounded<T>(
        &self,
        lookup: impl Future<Output = Result<T, NetError>>,
    ) -> Result<T, LookupError> {
        let in_turn = async {
            let _turn = self.turns.acquire().await.expect("this semaphore is never closed");
            lookup.await
        };
        match tokio::time::timeout(defaults::LOOKUP, in_turn).await {
            Ok(result) => result.map_err(LookupError::from),
            Err(_) => Err(LookupError::Timeout),
        }
    }
}

fn system() -> ResolverBuilder<TokioRuntimeProvider> {
    TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "no name servers are configured; asking 127.0.0.1");
        builder(vec![NameServerConfig::udp_and_tcp(IpAddr::from([127, 0, 0, 1]))])
    })
}

fn builder(servers: Vec<NameServerConfig>) -> ResolverBuilder<TokioRuntimeProvider> {
    let config = ResolverConfig::from_name_servers(servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

fn bounded(options: &mut ResolverOpts) {
    options.timeout = defaults::LOOKUP_TRY;
    options.attempts = defaults::LOOKUP_RETRIES;
    options.cache_size = defaults::LOOKUP_CACHE;
    options.positive_max_ttl = Some(defaults::LOOKUP_LONGEST);
    options.negative_max_ttl = Some(defaults::LOOKUP_NEGATIVE);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.max_active_requests = defaults::LOOKUPS;
}

/// `name` as it stands, without the search domains of this machine.
fn absolute(name: &str) -> Result<Name, LookupError> {
    let mut name = Name::from_str(name).map_err(|_| LookupError::Name)?;
    name.set_fqdn(true);
    Ok(name)
}

fn some<T>(records: impl Iterator<Item = T>) -> Result<Vec<T>, LookupError> {
    let records: Vec<T> = records.collect();
    if records.is_empty() { Err(LookupError::NoRecords) } else { Ok(records) }
}

impl From<NetError> for LookupError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Timeout => Self::Timeout,
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => Self::NotFound,
                ResponseCode::NoError => Self::NoRecords,
                rcode => Self::Rcode { rcode: rcode.to_str().to_owned() },
            },
            NetError::Dns(DnsError::ResponseCode(rcode)) => {
                Self::Rcode { rcode: rcode.to_str().to_owned() }
            }
            error => Self::Failed(error),
        }
    }
}
