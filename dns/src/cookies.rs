//! `Cookies`: proof that a client receives what is sent to its address (RFC 7873, RFC 9018).

use std::{
    fmt,
    hash::Hasher as _,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use headgate_types::clock::Timestamp;
use siphasher::sip::SipHasher24;

use crate::defaults;

/// Makes and knows server cookies. Nothing is kept of the clients.
pub struct Cookies {
    secrets: ArcSwap<Secrets>,
    rotating: Mutex<()>,
}

/// The secret new cookies are made with, and the one before it, whose cookies are still good.
#[derive(Clone, Copy)]
struct Secrets {
    current: Secret,
    previous: Option<Secret>,
}

/// A key of SipHash-2-4. Nodes that share an address share it.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

/// What a client's server cookie is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// We made it for this address not long ago.
    Good,
    /// Good, and old enough to be replaced.
    Ageing,
    Bad,
}

/// The interoperable format, four bytes of it reserved.
const VERSION: [u8; 4] = [1, 0, 0, 0];

impl Cookies {
    pub fn new(secret: Secret) -> Self {
        let secrets = Secrets { current: secret, previous: None };
        Self { secrets: ArcSwap::from_pointee(secrets), rotating: Mutex::new(()) }
    }

    /// Makes cookies with `secret` from now on, and takes those of the secret before it.
    pub fn rotate(&self, secret: Secret) {
        let _one_at_a_time = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = Some(self.secrets.load().current);
        self.secrets.store(Arc::new(Secrets { current: secret, previous }));
    }

    pub fn make(&self, client: [u8; 8], address: IpAddr, now: Timestamp) -> [u8; 16] {
        self.secrets.load().current.cookie(client, address, seconds(now))
    }

    pub fn judge(
        &self,
        client: [u8; 8],
        server: [u8; 16],
        address: IpAddr,
        now: Timestamp,
    ) -> Standing {
        let [_, _, _, _, a, b, c, d, ..] = server;
        let made = u32::from_be_bytes([a, b, c, d]);
        // Serial arithmetic, as the timestamp wraps in 2106 (RFC 9018 §4.3).
        let age = seconds(now).wrapping_sub(made).cast_signed();
        if age > whole_seconds(defaults::COOKIE_LIFE)
            || age < -whole_seconds(defaults::COOKIE_AHEAD)
        {
            return Standing::Bad;
        }
        let secrets = self.secrets.load();
        let made_with = |secret: &Secret| same(&secret.cookie(client, address, made), &server);
        match made_with(&secrets.current) {
            true if age <= whole_seconds(defaults::COOKIE_RENEWAL) => Standing::Good,
            true => Standing::Ageing,
            false if secrets.previous.as_ref().is_some_and(made_with) => Standing::Ageing,
            false => Standing::Bad,
        }
    }
}

impl Secret {
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub fn random() -> Self {
        Self(rand::random())
    }

    fn cookie(&self, client: [u8; 8], address: IpAddr, made: u32) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&client);
        hasher.write(&VERSION);
        hasher.write(&made.to_be_bytes());
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        let mut cookie = [0; 16];
        cookie[..4].copy_from_slice(&VERSION);
        cookie[4..8].copy_from_slice(&made.to_be_bytes());
        // The algorithm's own byte order, as the test vectors of RFC 9018 have it.
        cookie[8..].copy_from_slice(&hasher.finish().to_le_bytes());
        cookie
    }
}

/// In a time that does not tell how much of it agrees.
fn same(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

fn seconds(now: Timestamp) -> u32 {
    // The timestamp is the lower half of the seconds by definition.
    u32::try_from(now.as_millis() / 1000 % (1 << 32)).expect("taken modulo 2^32")
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).expect("an hour or so")
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [u8; 8] = *b"\x24\x64\xc4\xab\xcf\x10\xc9\x57";
    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 100));

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// RFC 9018 appendix A.1.
    #[test]
    fn a_cookie_is_what_other_servers_make() {
        let secret = *b"\xe5\xe9\x73\xe5\xa6\xb2\xa4\x3f\x48\xe7\xdc\x84\x9e\x37\xbf\xcf";
        let cookies = Cookies::new(Secret::new(secret));
        let wanted = *b"\x01\0\0\0\x5c\xf7\x9f\x11\x1f\x81\x30\xc3\xee\xe2\x94\x80";
        assert_eq!(cookies.make(CLIENT, ADDRESS, at(0x5cf7_9f11)), wanted);
    }

    #[test]
    fn a_cookie_is_good_for_its_client_and_its_hour() {
        let cookies = Cookies::new(Secret::random());
        let made = cookies.make(CLIENT, ADDRESS, at(10_000));
        let judged = |seconds| cookies.judge(CLIENT, made, ADDRESS, at(seconds));
        assert_eq!(judged(10_000), Standing::Good);
        assert_eq!(judged(9_700), Standing::Good);
        assert_eq!(judged(9_699), Standing::Bad);
        assert_eq!(judged(11_801), Standing::Ageing);
        assert_eq!(judged(13_600), Standing::Ageing);
        assert_eq!(judged(13_601), Standing::Bad);

        let other = "198.51.100.101".parse().unwrap();
        assert_eq!(cookies.judge(CLIENT, made, other, at(10_000)), Standing::Bad);
        assert_eq!(cookies.judge([0; 8], made, ADDRESS, at(10_000)), Standing::Bad);
    }

    #[test]
    fn a_cookie_outlives_one_rotation() {
        let cookies = Cookies::new(Secret::random());
        let made = cookies.make(CLIENT, ADDRESS, at(10_000));
        cookies.rotate(Secret::random());
        assert_eq!(cookies.judge(CLIENT, made, ADDRESS, at(10_001)), Standing::Ageing);
        cookies.rotate(Secret::random());
        assert_eq!(cookies.judge(CLIENT, made, ADDRESS, at(10_001)), Standing::Bad);
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new([7; 16])), "[redacted]");
    }
}
