//! `Challenges`: TXT values that stand for some minutes, beside the zones.
//!
//! A certificate authority asks for `_acme-challenge.` names. Their values come and go with each
//! order, so they overlay the zones instead of making new ones.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};
use hickory_proto::rr::Name;

use crate::{
    defaults,
    name::LowerName,
    zone::record_set::{RecordSet, kinds, push_record},
};

/// The label that all names of challenges begin with.
const LABEL: &[u8] = b"\x0f_acme-challenge";

/// The values there are now. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Challenges {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// What stands, with a number for each value.
    standing: Mutex<Standing>,
    /// The same as it is sent; the sockets read only this.
    published: ArcSwap<ChallengeSet>,
}

#[derive(Default)]
struct Standing {
    last: u64,
    values: Vec<Value>,
}

struct Value {
    number: u64,
    owner: Arc<[u8]>,
    text: String,
}

/// A value that stands until this is dropped.
#[must_use = "the value is withdrawn when this is dropped"]
pub struct Challenge {
    number: u64,
    shared: Arc<Shared>,
}

/// Why a value was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    #[error("challenges stand at names that begin with _acme-challenge")]
    Name,
    #[error("a challenge value has 1 to 255 bytes")]
    Value,
    #[error("as many challenge values stand already as there may be")]
    Full,
}

impl Challenges {
    /// Publishes a value. When this returns, every socket answers with it.
    ///
    /// Several values may stand at one name, the same one twice, and each goes with its own guard.
    /// They are answered where one of the zones is responsible, whatever that zone has there itself.
    pub fn publish(&self, owner: &Name, text: &str) -> Result<Challenge, ChallengeError> {
        let owner = LowerName::from(owner);
        if !owner.as_wire().starts_with(LABEL) {
            return Err(ChallengeError::Name);
        }
        if !(1..=255).contains(&text.len()) {
            return Err(ChallengeError::Value);
        }
        let owner: Arc<[u8]> = owner.as_wire().into();
        let mut standing = self.shared.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let at_owner = standing.values.iter().filter(|value| value.owner == owner).count();
        if standing.values.len() >= defaults::CHALLENGES
            || at_owner >= defaults::CHALLENGES_PER_NAME
        {
            return Err(ChallengeError::Full);
        }
        standing.last += 1;
        let number = standing.last;
        standing.values.push(Value { number, owner, text: text.to_owned() });
        self.shared.published.store(Arc::new(ChallengeSet::of(&standing.values)));
        Ok(Challenge { number, shared: Arc::clone(&self.shared) })
    }

    /// How many values stand.
    pub fn len(&self) -> usize {
        self.shared.standing.lock().unwrap_or_else(PoisonError::into_inner).values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn current(&self) -> Guard<Arc<ChallengeSet>> {
        self.shared.published.load()
    }
}

impl Challenge {
    /// Withdraws the value; the same as dropping this.
    pub fn withdraw(self) {}
}

impl Drop for Challenge {
    fn drop(&mut self) {
        let mut standing = self.shared.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.values.retain(|value| value.number != self.number);
        self.shared.published.store(Arc::new(ChallengeSet::of(&standing.values)));
    }
}

/// Values as they are sent, by owner; for each ancestor of an owner, nothing.
#[derive(Default)]
pub(crate) struct ChallengeSet {
    by_name: HashMap<Box<[u8]>, Vec<u8>>,
}

impl ChallengeSet {
    fn of(values: &[Value]) -> Self {
        let mut by_name: HashMap<Box<[u8]>, Vec<u8>> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for Value { owner, text, .. } in values {
            // A set has no record twice, whoever asked for it.
            if !seen.insert((owner, text)) {
                continue;
            }
            let name = LowerName::read(owner).expect("it was a name when it was published");
            for skipped in 1..name.labels() {
                by_name.entry(name.without(skipped).into()).or_default();
            }
            let length = u8::try_from(text.len()).expect("bounded when it was published");
            let data = [&[length], text.as_bytes()].concat();
            let records = by_name.entry(owner[..].into()).or_default();
            push_record(records, kinds::TXT, defaults::CHALLENGE_TTL, &data);
        }
        Self { by_name }
    }

    /// The values at a name.
    pub(crate) fn at(&self, name: &LowerName) -> Option<RecordSet<'_>> {
        let bytes = self.find(name).filter(|bytes| !bytes.is_empty())?;
        let node = u32::MAX;
        Some(RecordSet {
            kind: kinds::TXT,
            ttl: defaults::CHALLENGE_TTL,
            bytes,
            additional: &[],
            node,
        })
    }

    /// Whether a value stands at the name or below it.
    pub(crate) fn reaches(&self, name: &LowerName) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &LowerName) -> Option<&Vec<u8>> {
        if self.by_name.is_empty() {
            return None;
        }
        self.by_name.get(name.as_wire())
    }
}

/// Values are public, but they are many and say nothing to a reader.
impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").field("values", &self.len()).finish()
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_str(text).unwrap()
    }

    fn texts(challenges: &Challenges, at: &str) -> Vec<Vec<u8>> {
        let current = challenges.current();
        let set = current.at(&LowerName::from(&name(at)));
        set.iter().flat_map(RecordSet::records).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn values_stand_together_until_each_is_withdrawn() {
        let challenges = Challenges::default();
        let owner = name("_acme-challenge.example.test.");
        let first = challenges.publish(&owner, "one").unwrap();
        let second = challenges.publish(&owner, "two").unwrap();
        assert_eq!(texts(&challenges, "_acme-challenge.example.test."), [b"\x03one", b"\x03two"]);
        first.withdraw();
        assert_eq!(texts(&challenges, "_acme-challenge.example.test."), [b"\x03two"]);
        drop(second);
        assert!(
            challenges.is_empty() && texts(&challenges, "_acme-challenge.example.test.").is_empty()
        );
    }

    #[test]
    fn a_value_published_twice_is_one_record_and_goes_with_the_second() {
        let challenges = Challenges::default();
        let owner = name("_acme-challenge.example.test.");
        let first = challenges.publish(&owner, "one").unwrap();
        let second = challenges.publish(&owner, "one").unwrap();
        assert_eq!(texts(&challenges, "_acme-challenge.example.test.").len(), 1);
        first.withdraw();
        assert_eq!(texts(&challenges, "_acme-challenge.example.test.").len(), 1);
        second.withdraw();
        assert_eq!(texts(&challenges, "_acme-challenge.example.test.").len(), 0);
    }

    #[test]
    fn names_above_a_value_exist() {
        let challenges = Challenges::default();
        let _value = challenges.publish(&name("_acme-challenge.a.example.test."), "one").unwrap();
        let current = challenges.current();
        assert!(current.reaches(&LowerName::from(&name("A.example.test."))));
        assert!(current.at(&LowerName::from(&name("a.example.test."))).is_none());
        assert!(!current.reaches(&LowerName::from(&name("b.example.test."))));
    }

    #[test]
    fn there_is_a_limit_for_a_name() {
        let challenges = Challenges::default();
        let owner = name("_acme-challenge.example.test.");
        let publish = |number: usize| challenges.publish(&owner, &number.to_string());
        let standing: Vec<_> =
            (0..defaults::CHALLENGES_PER_NAME).map(|number| publish(number).unwrap()).collect();
        assert_eq!(publish(99).unwrap_err(), ChallengeError::Full);
        drop(standing);
        assert!(publish(99).is_ok());
        assert_eq!(
            challenges.publish(&name("www.example.test."), "x").unwrap_err(),
            ChallengeError::Name
        );
        assert_eq!(challenges.publish(&owner, "").unwrap_err(), ChallengeError::Value);
    }
}
