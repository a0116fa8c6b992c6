//! `RateLimiter`: how many answers a network gets over UDP, where its address may be forged.
//!
//! What a reflector's victim receives is bounded by counting answers by the network they go to.
//! Equal answers are bounded in number, because no resolver asks the same again before its TTL is
//! over; all together are bounded in what they are larger than the queries, because that is what an
//! attacker gains by them. Clients with a cookie and those that come by TCP have shown
//! that their address is theirs, and are not counted.
//!
//! The table has a fixed size and no owner of time: `now` is an argument.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use headgate_types::clock::Timestamp;

use crate::{answer::Answered, defaults};

/// How many answers a network gets.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// Equal ones, each second.
    pub equal_answers: u32,
    /// Bytes that all together are larger than their queries, each second.
    pub excess_bytes: u32,
    /// Whether loopback addresses are limited too. Off by default: nobody forges them from outside.
    pub limit_loopback: bool,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            equal_answers: defaults::EQUAL_ANSWERS_PER_SECOND,
            excess_bytes: defaults::EXCESS_BYTES_PER_SECOND,
            limit_loopback: false,
        }
    }
}

/// What may be done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Say only that there is an answer by other ways.
    Slip,
    Drop,
}

/// Counts answers by the networks they go to.
#[derive(Debug)]
pub struct RateLimiter {
    limits: RateLimits,
    keys: RandomState,
    sets: Box<[Mutex<[Account; WAYS]>]>,
}

/// Places at which an account may stand; the least used gives way.
const WAYS: usize = 4;

/// How much of a budget is used: the time at which it would be whole again.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    tag: u32,
    refused: u32,
    whole_at: u64,
}

const MICROS: u64 = 1_000_000;

impl RateLimiter {
    pub fn new(limits: RateLimits) -> Self {
        let sets = (0..defaults::RATE_ACCOUNTS / WAYS).map(|_| Mutex::default()).collect();
        Self { limits, keys: RandomState::new(), sets }
    }

    /// Counts one answer. `origin` names the zone it is from; `excess` is what it is larger than its
    /// query.
    pub fn judge(
        &self,
        client: IpAddr,
        origin: &[u8],
        answered: Answered,
        excess: usize,
        now: Timestamp,
    ) -> Verdict {
        if client.is_loopback() && !self.limits.limit_loopback {
            return Verdict::Send;
        }
        let network = network(client);
        let equal = self.keys.hash_one((network, origin, answered));
        match self.charge(equal, 1, self.limits.equal_answers, now) {
            Verdict::Send => {
                let all = self.keys.hash_one(network);
                self.charge(all, excess, self.limits.excess_bytes, now)
            }
            refused => refused,
        }
    }

    /// Takes `amount` from a budget of so much a second.
    fn charge(&self, key: u64, amount: usize, per_second: u32, now: Timestamp) -> Verdict {
        let now = now.as_millis() * 1000;
        let amount = u64::try_from(amount).expect("a message is small");
        let cost = amount * MICROS / u64::from(per_second.max(1));
        let most = MICROS * u64::from(defaults::ANSWER_BURST_SECONDS);
        let sets = u64::try_from(self.sets.len()).expect("a table fits into memory");
        let set = usize::try_from(key % sets).expect("an index of the table");
        let tag = u32::try_from(key >> 32).expect("the upper half");

        let mut set = self.sets[set].lock().unwrap_or_else(PoisonError::into_inner);
        let account = match set.iter().position(|account| account.tag == tag) {
            Some(own) => &mut set[own],
            None => {
                let least = set.iter_mut().min_by_key(|account| account.whole_at);
                let least = least.expect("a set has places");
                *least = Account { tag, ..Account::default() };
                least
            }
        };
        let used = account.whole_at.saturating_sub(now);
        // More than was ever lent: the clock was set back.
        let used = if used > most { 0 } else { used };
        if used + cost > most {
            account.refused = account.refused.wrapping_add(1);
            let slips = account.refused.is_multiple_of(defaults::SLIP);
            return if slips { Verdict::Slip } else { Verdict::Drop };
        }
        account.whole_at = now + used + cost;
        Verdict::Send
    }
}

/// The network an address belongs to, the rest of the bits zero.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => {
            let mask = u32::MAX << (32 - defaults::IPV4_NETWORK_PREFIX);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - defaults::IPV6_NETWORK_PREFIX);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Answered = Answered::Records(7);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    fn limiter() -> RateLimiter {
        RateLimiter::new(RateLimits { equal_answers: 10, excess_bytes: 500, limit_loopback: true })
    }

    fn sent(limiter: &RateLimiter, client: &str, answered: Answered, now: Timestamp) -> usize {
        let client = client.parse().unwrap();
        let judge = || limiter.judge(client, b"\x07example\0", answered, 10, now);
        (0..1000).filter(|_| judge() == Verdict::Send).count()
    }

    #[test]
    fn a_network_gets_equal_answers_at_the_rate() {
        let limiter = limiter();
        assert_eq!(sent(&limiter, "192.0.2.1", NAME, at(0)), 20);
        assert_eq!(sent(&limiter, "192.0.2.200", NAME, at(0)), 0, "the same network");
        assert_eq!(sent(&limiter, "192.0.3.1", NAME, at(0)), 20, "another network");
        assert_eq!(sent(&limiter, "192.0.2.1", NAME, at(1000)), 10);
        assert_eq!(sent(&limiter, "192.0.2.1", NAME, at(60_000)), 20);
    }

    #[test]
    fn ipv6_networks_are_sites() {
        let limiter = limiter();
        assert_eq!(sent(&limiter, "2001:db8:0:1::1", NAME, at(0)), 20);
        assert_eq!(sent(&limiter, "2001:db8:0:2::1", NAME, at(0)), 0);
        assert_eq!(sent(&limiter, "2001:db8:0:100::1", NAME, at(0)), 20);
    }

    #[test]
    fn different_answers_share_the_budget_of_bytes() {
        let limiter = limiter();
        let names =
            (0..100).map(|node| sent(&limiter, "192.0.2.1", Answered::Records(node), at(0)));
        assert_eq!(names.sum::<usize>(), 100);
    }

    #[test]
    fn every_second_refused_answer_slips() {
        let limiter = limiter();
        assert_eq!(sent(&limiter, "192.0.2.1", NAME, at(0)), 20);
        let client = "192.0.2.1".parse().unwrap();
        let verdicts: Vec<_> =
            (0..4).map(|_| limiter.judge(client, b"\x07example\0", NAME, 10, at(0))).collect();
        // The 980 refusals above were an even number.
        assert_eq!(verdicts, [Verdict::Drop, Verdict::Slip, Verdict::Drop, Verdict::Slip]);
    }

    #[test]
    fn a_clock_that_is_set_back_blocks_nobody() {
        let limiter = limiter();
        assert_eq!(sent(&limiter, "192.0.2.1", NAME, at(3_600_000)), 20);
        assert_eq!(sent(&limiter, "192.0.2.1", NAME, at(0)), 20);
    }

    #[test]
    fn a_flood_from_everywhere_takes_no_more_memory_and_errs_on_answering() {
        let limiter = limiter();
        let places = limiter.sets.len();
        for network in 0..1_000_000_u32 {
            let client = Ipv4Addr::from_bits(network << 8).into();
            assert_eq!(limiter.judge(client, b"\0", Answered::Error, 10, at(0)), Verdict::Send);
        }
        assert_eq!(limiter.sets.len(), places);
        assert!(size_of::<Account>() == 16);
    }
}
