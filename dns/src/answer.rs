//! `answer`: from a question to the sections of its response (RFC 1034 §4.3.2).
//!
//! Every record set passes through `Answering::put`, so that is where online signing would add its
//! signatures and, at `Answering::negative`, its proofs.

use crate::{
    challenges::ChallengeSet,
    defaults,
    message::{
        Rcode, flags,
        query::Question,
        writer::{Full, Owner, Section, Writer},
    },
    name::LowerName,
    zone::{Lookup, RecordSet, Zone, record_set::kinds},
};

/// What kind of response it became, as far as clients are limited by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answered {
    /// Records of the name that was asked for, by the node they stand at: all names a wildcard
    /// stands for are one.
    Records(u32),
    NoData,
    NameError,
    Delegation(u32),
    /// Nothing of a zone: an error of the client's.
    Error,
}

/// Writes what `zone` and the challenges say about a question.
pub(crate) fn answer<'m>(
    zone: &'m Zone,
    challenges: &'m ChallengeSet,
    question: &'m Question<'m>,
    writer: &mut Writer<'_, 'm>,
) -> Answered {
    writer.set(flags::AUTHORITATIVE);
    let mut answering = Answering { zone, writer };
    let answered = answering.walk(challenges, question);
    answered.unwrap_or_else(|Truncated(answered)| {
        writer.set(flags::TRUNCATED);
        answered
    })
}

struct Answering<'w, 'b, 'm> {
    zone: &'m Zone,
    writer: &'w mut Writer<'b, 'm>,
}

/// Something that belongs into the response did not fit.
struct Truncated(Answered);

impl<'m> Answering<'_, '_, 'm> {
    /// Follows aliases within the zone. Where one leads out of it, the resolver goes on with whoever
    /// is asked for that name: it would not believe us (RFC 2181 §5.4.1).
    fn walk(
        &mut self,
        challenges: &'m ChallengeSet,
        question: &'m Question<'m>,
    ) -> Result<Answered, Truncated> {
        let mut name = question.name;
        let mut owner = Owner::Question;
        let mut first = None;
        let mut seen = [&[][..]; defaults::ALIASES];
        for visited in 0..=defaults::ALIASES {
            let is_text = matches!(question.kind, kinds::TXT | kinds::ANY);
            if is_text && let Some(set) = challenges.at(&name) {
                return self.records(owner, &set, first);
            }
            match self.zone.lookup(&name, question.kind) {
                Lookup::Answer(set) => return self.records(owner, &set, first),
                Lookup::Delegation(set) => return self.delegation(&set, first),
                Lookup::NoData => return self.negative(Rcode::NoError, first),
                // A resolver that believed in nothing here would not ask for what is below
                // (RFC 8020).
                Lookup::NameError if challenges.reaches(&name) => {
                    return self.negative(Rcode::NoError, first);
                }
                Lookup::NameError => return self.negative(Rcode::NxDomain, first),
                Lookup::Alias(set) => {
                    let answered = *first.get_or_insert(Answered::Records(set.node));
                    if visited == defaults::ALIASES || is_among(&seen[..visited], &name) {
                        return Ok(answered);
                    }
                    self.put(Section::Answer, owner, &set, None)
                        .map_err(|Full| Truncated(answered))?;
                    let (wire, target) = set.alias().expect("a lookup takes CNAME for an alias");
                    if target == name || !target.is_within(self.zone.origin()) {
                        return Ok(answered);
                    }
                    seen[visited] = match owner {
                        Owner::Name(name) => name,
                        Owner::Question | Owner::Within(..) => question.name_wire(),
                    };
                    (name, owner) = (target, Owner::Name(wire));
                }
            }
        }
        Ok(first.unwrap_or(Answered::NameError))
    }

    fn records(
        &mut self,
        owner: Owner<'m>,
        set: &RecordSet<'m>,
        first: Option<Answered>,
    ) -> Result<Answered, Truncated> {
        let answered = first.unwrap_or(Answered::Records(set.node));
        self.put(Section::Answer, owner, set, None).map_err(|Full| Truncated(answered))?;
        // These are a kindness: whoever lacks them asks for them.
        let _ = self.put_additional(set, false);
        Ok(answered)
    }

    fn delegation(
        &mut self,
        set: &RecordSet<'m>,
        first: Option<Answered>,
    ) -> Result<Answered, Truncated> {
        let answered = first.unwrap_or(Answered::Delegation(set.node));
        if first.is_none() {
            self.writer.clear(flags::AUTHORITATIVE);
        }
        let (owner, origin) = self.zone.place(set);
        self.put(Section::Authority, Owner::Within(owner, origin), set, None)
            .and_then(|()| self.put_additional(set, true))
            .map_err(|Full| Truncated(answered))?;
        Ok(answered)
    }

    /// Says that there is nothing, and for how long that holds (RFC 2308 §3). After an alias the
    /// code is that of the last name (RFC 6604).
    fn negative(&mut self, rcode: Rcode, first: Option<Answered>) -> Result<Answered, Truncated> {
        self.writer.set_rcode(rcode);
        let answered = first.unwrap_or(match rcode {
            Rcode::NxDomain => Answered::NameError,
            _ => Answered::NoData,
        });
        let zone = self.zone;
        let ttl = Some(zone.negative_ttl());
        self.put(Section::Authority, Owner::Name(zone.origin().as_wire()), &zone.soa(), ttl)
            .map_err(|Full| Truncated(answered))?;
        Ok(answered)
    }

    /// Addresses for the hosts that `set` names; with `glue`, those without which it leads nowhere
    /// must fit (RFC 9471).
    fn put_additional(&mut self, set: &RecordSet<'m>, glue: bool) -> Result<(), Full> {
        let zone = self.zone;
        let origin = zone.origin().as_wire();
        for addresses in zone.additional(set) {
            let owner = Owner::Within(addresses.owner, origin);
            let put = self.put(Section::Additional, owner, &addresses.set, None);
            if glue && addresses.needed {
                put?;
            }
        }
        Ok(())
    }

    /// The one place where a record set enters a response. Which of its records a client gets could
    /// depend on where it is and on which nodes are well: then the set is chosen here.
    fn put(
        &mut self,
        section: Section,
        owner: Owner<'m>,
        set: &RecordSet<'m>,
        ttl: Option<u32>,
    ) -> Result<(), Full> {
        self.writer.put(section, owner, set, ttl)
    }
}

/// Whether aliases have led to this name before.
fn is_among(seen: &[&[u8]], name: &LowerName) -> bool {
    seen.iter().any(|seen| seen.eq_ignore_ascii_case(name.as_wire()))
}
