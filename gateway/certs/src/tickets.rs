//! `Tickets`: what a client hands back to resume its session, sealed with keys that come and go.
//!
//! ```text
//! ticket = key name (16) │ nonce (12) │ sealed session │ tag (16)
//!
//! key     0 ────── seals ────── 12 h ────── opens ────── 24 h, then it is forgotten
//! ```
//!
//! The keys lie in a file of mode 0600, so that a restart or an upgrade costs no client its session. Who
//! steals an old copy of it gains nothing: no key is accepted once its day is over. Sealing and opening touch memory
//! only; [`Tickets::rotate`] alone writes, and somebody calls it now and then.

mod file;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand,
};
use headgate_types::{Clock, Timestamp};
use rustls::server::ProducesTickets;
use tracing::warn;

use crate::defaults::{TICKET_BYTES, TICKET_CLOCK_SLACK, TICKET_KEY_LIFE, TICKET_ROTATION};

const NAME_LEN: usize = 16;
const SECRET_LEN: usize = 32;

/// The machine has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("there is no randomness for ticket keys")]
pub struct NoRandomness;

/// The ticket keys of a node.
#[derive(Debug)]
pub struct Tickets {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    /// The newest first: it seals, all of them open.
    keys: ArcSwap<Vec<TicketKey>>,
    /// Held while keys are changed.
    rotating: Mutex<()>,
}

impl Tickets {
    /// With the keys in the file at `path` that are still good, and a new one if none is. What is no file
    /// of keys counts as none: tickets are a convenience, and no reason not to start.
    ///
    /// # Errors
    ///
    /// If the machine has no randomness.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>, NoRandomness> {
        let kept = file::read(path).unwrap_or_else(|error| {
            warn!(path = %path.display(), %error, "ticket keys not read, clients begin anew");
            Vec::new()
        });
        let keys = ArcSwap::from_pointee(kept);
        let tickets = Self { path: path.to_owned(), clock, keys, rotating: Mutex::default() };
        tickets.rotate()?;
        Ok(Arc::new(tickets))
    }

    /// Does what is due: makes the next key, forgets those whose time is over, and writes the file if
    /// anything changed. Writes to the disk.
    ///
    /// # Errors
    ///
    /// If the machine has no randomness. A file that cannot be written is only reported: what is lost is
    /// that sessions survive a restart.
    pub fn rotate(&self) -> Result<(), NoRandomness> {
        // Nothing is half done when the lock is poisoned: keys are swapped whole.
        let _rotating = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let before = self.keys.load_full();
        let mut next: Vec<_> = before.iter().filter(|key| key.opens_at(now)).cloned().collect();
        if next.first().is_none_or(|newest| now.since(newest.made_at) >= TICKET_ROTATION) {
            next.insert(0, TicketKey::generate(now)?);
        }
        if next.iter().map(|key| key.name).eq(before.iter().map(|key| key.name)) {
            return Ok(());
        }
        if let Err(error) = file::write(&self.path, &next) {
            warn!(path = %self.path.display(), %error, "ticket keys not written");
        }
        self.keys.store(Arc::new(next));
        Ok(())
    }

    /// Tickets for one policy among several of a node: whoever got one under another policy shakes hands
    /// in full. Without it, a session begun before a domain demanded client certificates would go on.
    pub fn scoped(self: &Arc<Self>, scope: impl Into<Box<[u8]>>) -> Arc<dyn ProducesTickets> {
        Arc::new(Scoped { tickets: self.clone(), scope: scope.into() })
    }

    fn seal(&self, scope: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let now = self.clock.now();
        let keys = self.keys.load();
        // A node that slept or could not rotate hands out no tickets that nobody will open.
        let key = keys.first().filter(|key| key.opens_at(now))?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(NAME_LEN + NONCE_LEN + plain.len() + 16);
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = &mut ticket[NAME_LEN + NONCE_LEN..];
        let tag = key.key.seal_in_place_separate_tag(nonce, Aad::from(scope), sealed).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn open_ticket(&self, scope: &[u8], ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > TICKET_BYTES {
            return None;
        }
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let now = self.clock.now();
        let keys = self.keys.load();
        let key = keys.iter().find(|key| key.name == *name).filter(|key| key.opens_at(now))?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.key.open_in_place(nonce, Aad::from(scope), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

/// The tickets of one policy.
#[derive(Debug)]
struct Scoped {
    tickets: Arc<Tickets>,
    scope: Box<[u8]>,
}

impl ProducesTickets for Scoped {
    fn enabled(&self) -> bool {
        true
    }

    /// What clients are told, so the least that holds for every ticket.
    fn lifetime(&self) -> u32 {
        let seconds = (TICKET_KEY_LIFE - TICKET_ROTATION).as_secs();
        seconds.try_into().unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.seal(&self.scope, plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.tickets.open_ticket(&self.scope, ticket)
    }
}

/// AES-256-GCM-SIV: nonces are drawn at random, and one that comes twice betrays no more than that.
#[derive(Clone)]
struct TicketKey {
    name: [u8; NAME_LEN],
    made_at: Timestamp,
    /// To be written again beside the next key.
    secret: [u8; SECRET_LEN],
    key: Arc<LessSafeKey>,
}

impl TicketKey {
    fn generate(now: Timestamp) -> Result<Self, NoRandomness> {
        let (mut name, mut secret) = ([0; NAME_LEN], [0; SECRET_LEN]);
        rand::fill(&mut name).and_then(|()| rand::fill(&mut secret)).map_err(|_| NoRandomness)?;
        Ok(Self::new(name, now, secret))
    }

    fn new(name: [u8; NAME_LEN], made_at: Timestamp, secret: [u8; SECRET_LEN]) -> Self {
        let key =
            UnboundKey::new(&AES_256_GCM_SIV, &secret).expect("32 bytes are a key of AES-256");
        Self { name, made_at, secret, key: Arc::new(LessSafeKey::new(key)) }
    }

    /// Whether its day is neither over nor, but for a clock that was set, still to come.
    fn opens_at(&self, now: Timestamp) -> bool {
        now.since(self.made_at) < TICKET_KEY_LIFE && self.made_at.since(now) <= TICKET_CLOCK_SLACK
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey").field("made_at", &self.made_at).finish_non_exhaustive()
    }
}

/// How often whoever owns [`Tickets`] has them rotated: often enough that a key is replaced on time, even
/// on a machine that slept.
pub const ROTATE_EVERY: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;
