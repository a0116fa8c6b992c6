//! `Order`: one certificate's way through a certificate authority, without I/O.
//!
//! ```text
//! Created ─► Authorizing ─► Publishing ─► Announcing ─► Validating
//!    ▲            ▲ │                         │             ▲  │  └──► Explaining ─► failed
//!    │            │ └── nothing is to prove ──┼─────────────┘  ▼
//!    │            └── it would not hear it ───┘             Finalizing ◄─ not ready ─► Processing
//!    └── the order is gone                                     └───► Downloading ◄─────────┘
//! ```
//!
//! Each state stands for one action, each event is what came of it. A fault repeats the action after
//! a while, so every action must be one that can be repeated: asking twice is harmless, and an order
//! that is finalised twice still yields one certificate. Only what `Create` did has to be written
//! down, by whoever executes it, before the next event.

#[cfg(test)]
mod simulation;

use std::time::Duration;

use headgate_types::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    Method, defaults,
    problem::{OrderError, Problem},
};

/// An order and what it waits for.
#[derive(Debug)]
pub struct Order {
    state: State,
    method: Method,
    /// Whether the new order names the certificate it replaces.
    replaces: bool,
    began: Timestamp,
    /// Faults since the last progress.
    faults: u32,
    /// Looks at a state that did not change.
    looks: u32,
    /// Times it began anew, or read its authorizations again.
    turns: u32,
    /// Whether the authority was told to look within this try.
    announced: bool,
    /// Boxed: it is larger than all the rest, which is moved at each step.
    rng: Box<StdRng>,
}

#[derive(Debug, Clone)]
enum State {
    Created,
    Resumed(Url),
    Authorizing(Url),
    Publishing(Url, Vec<Challenge>),
    /// Those that the authority has not been told of; the next one last.
    Announcing(Url, Vec<Challenge>),
    Validating(Url),
    Explaining(Url, Option<Problem>),
    Finalizing(Url),
    Processing(Url),
    Downloading(Url),
}

/// Where the authority keeps the order.
pub type Url = String;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Order the certificate, and write down the URL.
    Create {
        replaces: bool,
    },
    Read(Url),
    ReadAuthorizations(Url),
    /// Have these answered, and nothing else of this order.
    Publish(Vec<Challenge>),
    /// Tell the authority to look.
    Announce(Url, Challenge),
    Finalize(Url),
    Download(Url),
    Wait(Duration),
}

/// What came of an action.
#[derive(Debug, Clone)]
pub enum Event {
    Woke,
    /// Of `Create`, `Read` and `Finalize`.
    Order(OrderReply),
    Authorizations(Vec<Authorization>),
    Published,
    Announced,
    /// The chain as PEM.
    Chain(String),
    Fault(Fault),
}

#[derive(Debug, Clone)]
pub struct OrderReply {
    pub url: Url,
    pub status: OrderStatus,
    pub problem: Option<Problem>,
    pub retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    Pending,
    Ready,
    Processing,
    Valid,
    Invalid,
}

#[derive(Debug, Clone)]
pub struct Authorization {
    pub url: Url,
    /// Without `*.`.
    pub name: String,
    pub status: AuthorizationStatus,
    pub challenges: Vec<Offered>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationStatus {
    Pending,
    Valid,
    /// Invalid, expired, revoked or deactivated.
    Dead,
}

/// A challenge as the authority describes it.
#[derive(Debug, Clone)]
pub struct Offered {
    pub method: Method,
    pub token: String,
    /// Whether it still waits to be told to look.
    pub pending: bool,
    pub problem: Option<Problem>,
}

/// A challenge that we take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub authorization: Url,
    /// Without `*.`.
    pub name: String,
    pub method: Method,
    pub token: String,
    pub pending: bool,
}

/// What an action met instead of its result.
#[derive(Debug, Clone)]
pub enum Fault {
    BadNonce,
    /// No answer, a time-out, a 5xx, or nothing that makes sense.
    Unavailable {
        why: String,
        retry_after: Option<Duration>,
    },
    RateLimited {
        detail: String,
        retry_after: Option<Duration>,
    },
    AccountUnknown,
    /// There is no such order, or it belongs to another account.
    Gone,
    /// Finalised too early, or twice.
    NotReady,
    Refused(Problem),
    /// The challenge could not be published here.
    Publish {
        why: String,
    },
}

/// Where it goes from here.
#[derive(Debug)]
pub enum Step {
    Go(Order, Action),
    Issued { chain: String },
    Failed(Failure),
}

/// The end without a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub error: OrderError,
    /// The authority asked not to be asked before.
    pub not_before: Option<Timestamp>,
    /// Whether the order lives on, to be resumed later.
    pub order_lives: bool,
}

impl Order {
    /// A new order, or one that was begun before and has a URL.
    pub fn begin(
        method: Method,
        url: Option<Url>,
        replaces: bool,
        seed: u64,
        now: Timestamp,
    ) -> (Self, Action) {
        let order = Self {
            state: url.map_or(State::Created, State::Resumed),
            method,
            replaces,
            began: now,
            faults: 0,
            looks: 0,
            turns: 0,
            announced: false,
            rng: Box::new(StdRng::seed_from_u64(seed)),
        };
        let action = order.action();
        (order, action)
    }

    /// What follows from an event.
    ///
    /// # Panics
    ///
    /// If the event is not one that the last action can have.
    pub fn on(mut self, event: Event, now: Timestamp) -> Step {
        match event {
            Event::Woke => self.go(),
            Event::Fault(fault) => self.meet(fault, now),
            _ if now.since(self.began) > defaults::ORDER_PATIENCE => {
                failed(OrderError::Slow, None, true)
            }
            event => {
                self.faults = 0;
                self.proceed(event, now)
            }
        }
    }

    fn action(&self) -> Action {
        match &self.state {
            State::Created => Action::Create { replaces: self.replaces },
            State::Resumed(url) | State::Validating(url) | State::Processing(url) => {
                Action::Read(url.clone())
            }
            State::Authorizing(url) | State::Explaining(url, _) => {
                Action::ReadAuthorizations(url.clone())
            }
            State::Publishing(_, challenges) => Action::Publish(challenges.clone()),
            State::Announcing(url, left) => {
                let next = left.last().expect("it is left with the last one").clone();
                Action::Announce(url.clone(), next)
            }
            State::Finalizing(url) => Action::Finalize(url.clone()),
            State::Downloading(url) => Action::Download(url.clone()),
        }
    }

    fn proceed(mut self, event: Event, now: Timestamp) -> Step {
        match (self.state.clone(), event) {
            (_, Event::Order(reply)) => self.read(reply, now),
            (State::Authorizing(url), Event::Authorizations(list)) => self.take(url, &list),
            (State::Explaining(_, known), Event::Authorizations(list)) => {
                failed(explain(&list, self.method, known), None, false)
            }
            (State::Publishing(url, challenges), Event::Published) => {
                let left: Vec<_> = challenges.into_iter().filter(|c| c.pending).collect();
                self.announce(url, left)
            }
            (State::Announcing(url, mut left), Event::Announced) => {
                self.announced = true;
                left.pop();
                self.announce(url, left)
            }
            (State::Downloading(_), Event::Chain(chain)) => Step::Issued { chain },
            (state, event) => panic!("{event:?} cannot follow from {state:?}"),
        }
    }

    /// The order's status decides, wherever it was read.
    fn read(self, reply: OrderReply, now: Timestamp) -> Step {
        let url = reply.url;
        match (reply.status, &self.state) {
            // It died while nobody looked, likely because nobody answered its challenges.
            (OrderStatus::Invalid, State::Resumed(_) | State::Validating(_)) if !self.announced => {
                self.anew()
            }
            (OrderStatus::Invalid, _) => self.enter(State::Explaining(url, reply.problem)),
            (OrderStatus::Valid, _) => self.enter(State::Downloading(url)),
            (OrderStatus::Pending, State::Created | State::Resumed(_)) => {
                self.enter(State::Authorizing(url))
            }
            // Replies may be old: a replica of the authority's need not know yet what another did.
            (OrderStatus::Ready, State::Processing(_) | State::Finalizing(_)) => {
                self.look_again(State::Finalizing(url), reply.retry_after, now)
            }
            (OrderStatus::Ready, _) => self.enter(State::Finalizing(url)),
            (OrderStatus::Pending, State::Finalizing(_) | State::Processing(_)) => {
                self.look_again(State::Validating(url), reply.retry_after, now)
            }
            (OrderStatus::Pending, state) => {
                let state = state.clone();
                self.look_again(state, reply.retry_after, now)
            }
            (OrderStatus::Processing, _) => {
                self.look_again(State::Processing(url), reply.retry_after, now)
            }
        }
    }

    fn take(self, url: Url, list: &[Authorization]) -> Step {
        if list.iter().any(|authorization| authorization.status == AuthorizationStatus::Dead) {
            if !self.announced {
                return self.anew(); // it died of an earlier try
            }
            return failed(explain(list, self.method, None), None, false);
        }
        let open = list.iter().filter(|one| one.status == AuthorizationStatus::Pending);
        let mut challenges = Vec::new();
        for authorization in open {
            let offered = authorization.challenges.iter();
            let Some(offered) = offered.clone().find(|offered| offered.method == self.method)
            else {
                let (name, method) = (authorization.name.clone(), self.method);
                return failed(OrderError::NotOffered { name, method }, None, false);
            };
            challenges.push(Challenge {
                authorization: authorization.url.clone(),
                name: authorization.name.clone(),
                method: offered.method,
                token: offered.token.clone(),
                pending: offered.pending,
            });
        }
        let next = if challenges.is_empty() {
            State::Validating(url)
        } else {
            State::Publishing(url, challenges)
        };
        self.enter(next)
    }

    fn announce(self, url: Url, left: Vec<Challenge>) -> Step {
        if left.is_empty() {
            self.enter(State::Validating(url))
        } else {
            self.enter(State::Announcing(url, left))
        }
    }

    fn meet(mut self, fault: Fault, now: Timestamp) -> Step {
        self.faults += 1;
        match (fault, self.state.clone()) {
            (Fault::BadNonce, _) if self.faults <= defaults::NONCE_TRIES => self.go(),
            (Fault::BadNonce, _) => self.postpone("no nonce of it is good".to_owned(), None, now),
            (Fault::Unavailable { why, retry_after }, _) => self.postpone(why, retry_after, now),
            (Fault::RateLimited { detail, retry_after }, _) => {
                let until = now.after(retry_after.unwrap_or(defaults::RATE_LIMITED));
                failed(OrderError::RateLimited { until, detail }, Some(until), true)
            }
            (Fault::AccountUnknown, _) => failed(OrderError::AccountForgotten, None, false),
            (Fault::Gone, State::Created) => {
                self.postpone("it has no such resource".to_owned(), None, now)
            }
            (Fault::Gone, _) => self.anew(),
            (Fault::NotReady, State::Finalizing(url)) => {
                self.look_again(State::Processing(url), None, now)
            }
            (Fault::NotReady, _) => self.postpone("it is not ready".to_owned(), None, now),
            // It was announced before, or is decided already: its authorization tells.
            (Fault::Refused(problem), State::Announcing(url, _)) => {
                self.turns += 1;
                if self.turns > defaults::ORDER_TURNS {
                    return failed(OrderError::Refused(problem), None, false);
                }
                self.look_again(State::Authorizing(url), None, now)
            }
            (Fault::Refused(_), State::Resumed(_)) => self.anew(),
            // What it replaces is a courtesy, not a reason to go without a certificate.
            (Fault::Refused(_), State::Created) if self.replaces => {
                self.replaces = false;
                self.go()
            }
            (Fault::Refused(problem), _) => failed(OrderError::Refused(problem), None, false),
            (Fault::Publish { why }, _) => failed(OrderError::Publish { why }, None, true),
        }
    }

    /// Tries again in a moment, or leaves it to another day.
    fn postpone(mut self, why: String, retry_after: Option<Duration>, now: Timestamp) -> Step {
        let pause = retry_after
            .unwrap_or_else(|| defaults::FAULT_PAUSE * 2u32.saturating_pow(self.faults - 1));
        let patient = now.after(pause).since(self.began) < defaults::ORDER_PATIENCE;
        if self.faults <= defaults::FAULT_TRIES && pause <= defaults::LONGEST_PAUSE && patient {
            let pause = pause + self.jitter(pause / 4);
            return Step::Go(self, Action::Wait(pause));
        }
        let not_before = retry_after.map(|pause| now.after(pause));
        failed(OrderError::Unavailable { why }, not_before, true)
    }

    fn look_again(mut self, state: State, retry_after: Option<Duration>, now: Timestamp) -> Step {
        self.looks += 1;
        self.state = state;
        let growing = defaults::FIRST_LOOK.saturating_mul(2u32.saturating_pow(self.looks - 1));
        let pause = retry_after.unwrap_or_else(|| growing.min(defaults::LONGEST_LOOK));
        if now.after(pause).since(self.began) > defaults::ORDER_PATIENCE {
            return failed(OrderError::Slow, retry_after.map(|pause| now.after(pause)), true);
        }
        let pause = pause + self.jitter(pause / 4);
        Step::Go(self, Action::Wait(pause))
    }

    fn anew(mut self) -> Step {
        self.turns += 1;
        if self.turns > defaults::ORDER_TURNS {
            let why = "it keeps losing the order".to_owned();
            return failed(OrderError::Unavailable { why }, None, false);
        }
        self.enter(State::Created)
    }

    fn enter(mut self, state: State) -> Step {
        self.state = state;
        self.looks = 0;
        self.go()
    }

    fn go(self) -> Step {
        let action = self.action();
        Step::Go(self, action)
    }

    fn jitter(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.rng.random::<f64>())
    }
}

fn failed(error: OrderError, not_before: Option<Timestamp>, order_lives: bool) -> Step {
    Step::Failed(Failure { error, not_before, order_lives })
}

/// What the authorizations say was wrong; what the order itself says if they say nothing.
fn explain(list: &[Authorization], method: Method, known: Option<Problem>) -> OrderError {
    let told = list.iter().find_map(|authorization| {
        let of_ours = |offered: &&Offered| offered.method == method;
        let offered = authorization.challenges.iter();
        let problem = offered
            .clone()
            .filter(of_ours)
            .chain(offered)
            .find_map(|offered| offered.problem.clone())?;
        Some(Problem { name: Some(authorization.name.clone()), ..problem })
    });
    let dead = list.iter().find(|one| one.status == AuthorizationStatus::Dead);
    let silent = || {
        let name = dead.map(|authorization| authorization.name.clone());
        Problem::new(None, name, "the authority gives no reason")
    };
    OrderError::Refused(told.or(known).unwrap_or_else(silent))
}
