//! `Admission`: how many connections there may be, in all and for each client, and how fast new
//! ones come.
//!
//! One table behind one lock, entered on accept and on close only. It deliberately knows no
//! requests; those are bounded per route elsewhere.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use crate::{
    budget::{Bucket, Budget},
    defaults,
    refusal::Refusal,
};

/// How many connections there may be.
#[derive(Debug, Clone)]
pub struct AdmissionLimits {
    /// In all.
    pub connections: usize,
    /// For one client: an IPv4 address or an IPv6 /64.
    pub per_client: usize,
    /// New ones of one client.
    pub new_per_client: Budget,
    /// Whether loopback addresses are bound by the limits per client. Off by default: behind a
    /// tunnel or a proxy on the same machine every client has the same loopback address.
    pub limit_loopback: bool,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            connections: connections_by_descriptors(),
            per_client: defaults::CONNECTIONS_PER_CLIENT,
            new_per_client: defaults::NEW_PER_CLIENT,
            limit_loopback: false,
        }
    }
}

/// The share of the process's descriptor limit that client connections may take.
fn connections_by_descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit
        .map(|limit| limit.saturating_mul(defaults::CONNECTIONS_PERCENT) / 100)
        .and_then(|connections| usize::try_from(connections).ok())
        .map_or(defaults::CONNECTIONS_CAP, |connections| connections.min(defaults::CONNECTIONS_CAP))
}

/// Who is connected.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: usize,
    clients: HashMap<IpAddr, Client>,
}

#[derive(Debug)]
struct Client {
    open: usize,
    new: Bucket,
}

/// One connection's place. It is free again when this is dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    client: Option<IpAddr>,
}

impl Admission {
    pub fn new(limits: AdmissionLimits) -> Arc<Self> {
        Arc::new(Self { limits, table: Mutex::default() })
    }

    /// Connections admitted and not ended.
    pub fn open(&self) -> usize {
        self.table().open
    }

    /// Admits one more connection of the client at `address`, or says which limit it meets.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Admitted, Refusal> {
        let key = self.key(address);
        let mut table = self.table();
        if table.open >= self.limits.connections {
            return Err(Refusal::Connections);
        }
        if let Some(key) = key {
            table.make_room(&self.limits, now);
            let client = table.clients.entry(key).or_insert_with(|| Client {
                open: 0,
                new: Bucket::new(&self.limits.new_per_client, now),
            });
            if client.open >= self.limits.per_client {
                return Err(Refusal::ClientConnections);
            }
            if !client.new.take(&self.limits.new_per_client, || now) {
                return Err(Refusal::ClientRate);
            }
            client.open += 1;
        }
        table.open += 1;
        Ok(Admitted { admission: Arc::clone(self), client: key })
    }

    /// What stands for the client; `None` if it is not limited.
    fn key(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if address.is_loopback() && !self.limits.limit_loopback {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => {
                let mask = u128::MAX << (128 - defaults::IPV6_CLIENT_PREFIX);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // The counts are changed together without a panic in between, so a poisoned table is still
        // right.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Keeps the table bounded: clients without a connection are remembered for their rate alone.
    /// Under a flood of addresses their rates are forgotten sooner; the clients that are connected
    /// stay.
    fn make_room(&mut self, limits: &AdmissionLimits, now: Instant) {
        if self.clients.len() < self.open + defaults::REMEMBERED_CLIENTS {
            return;
        }
        let budget = &limits.new_per_client;
        self.clients.retain(|_, client| client.open > 0 || !client.new.is_rested(budget, now));
        if self.clients.len() >= self.open + defaults::REMEMBERED_CLIENTS {
            self.clients.retain(|_, client| client.open > 0);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut table = self.admission.table();
        table.open -= 1;
        if let Some(client) = self.client.and_then(|key| table.clients.get_mut(&key)) {
            client.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admission(connections: usize, per_client: usize, burst: u32) -> Arc<Admission> {
        Admission::new(AdmissionLimits {
            connections,
            per_client,
            new_per_client: Budget { burst, refill: 1, per: Duration::from_secs(1) },
            limit_loopback: false,
        })
    }

    fn refusal(result: Result<Admitted, Refusal>) -> Option<Refusal> {
        result.err()
    }

    #[test]
    fn places_are_limited_in_all_and_come_back() {
        let (admission, now) = (admission(2, 9, 9), Instant::now());
        let admit = |last| admission.admit(IpAddr::from([192, 0, 2, last]), now);
        let (first, _second) = (admit(1).unwrap(), admit(2).unwrap());
        assert_eq!(refusal(admit(3)), Some(Refusal::Connections));
        drop(first);
        assert_eq!(admission.open(), 1);
        assert!(admit(3).is_ok());
    }

    #[test]
    fn one_client_has_its_own_limits() {
        let (admission, now) = (admission(99, 2, 3), Instant::now());
        let one = IpAddr::from([192, 0, 2, 1]);
        let held = [admission.admit(one, now).unwrap(), admission.admit(one, now).unwrap()];
        assert_eq!(refusal(admission.admit(one, now)), Some(Refusal::ClientConnections));
        assert!(admission.admit(IpAddr::from([192, 0, 2, 2]), now).is_ok());
        drop(held);
        assert!(admission.admit(one, now).is_ok());
        assert_eq!(refusal(admission.admit(one, now)), Some(Refusal::ClientRate));
        assert!(admission.admit(one, now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let (admission, now) = (admission(99, 1, 9), Instant::now());
        let admit = |text: &str| admission.admit(text.parse().unwrap(), now);
        let _held = admit("2001:db8::1").unwrap();
        assert_eq!(refusal(admit("2001:db8::2")), Some(Refusal::ClientConnections));
        assert!(admit("2001:db8:0:1::1").is_ok());
        let _mapped = admit("::ffff:192.0.2.1").unwrap();
        assert_eq!(refusal(admit("192.0.2.1")), Some(Refusal::ClientConnections));
    }

    #[test]
    fn loopback_is_only_counted_in_all() {
        let (admission, now) = (admission(3, 1, 1), Instant::now());
        let admit = || admission.admit(IpAddr::from([127, 0, 0, 1]), now);
        let _held = [admit().unwrap(), admit().unwrap(), admit().unwrap()];
        assert_eq!(refusal(admit()), Some(Refusal::Connections));
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_who_is_connected() {
        let (admission, now) = (admission(usize::MAX, 1, 2), Instant::now());
        let connected = IpAddr::from([192, 0, 2, 1]);
        let _held = admission.admit(connected, now).unwrap();
        for n in 0..(defaults::REMEMBERED_CLIENTS as u32 * 2) {
            drop(admission.admit(IpAddr::from(n.to_be_bytes()), now));
        }
        assert!(admission.table().clients.len() <= defaults::REMEMBERED_CLIENTS + 2);
        assert_eq!(refusal(admission.admit(connected, now)), Some(Refusal::ClientConnections));
    }
}
