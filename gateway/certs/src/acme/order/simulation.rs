//! Orders against an authority that misbehaves in every way we know of, and nodes that are killed:
//! thousands of seeds, no network, no time.

use std::{collections::HashSet, time::Duration};

use headgate_types::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::*;
use crate::acme::problem::ProblemKind;

const SEEDS: u64 = 5_000;

/// How it goes wrong, in percent of the calls.
#[derive(Clone, Copy)]
struct Weather {
    bad_nonce: u32,
    /// A 5xx or a time-out before it acted.
    unheard: u32,
    /// It acted, and its answer is lost.
    lost: u32,
    rate_limited: u32,
    /// It answers from a replica that is a step behind.
    stale: u32,
    /// It forgets the order.
    forgets: u32,
    killed: u32,
}

const FAIR: Weather =
    Weather { bad_nonce: 0, unheard: 0, lost: 0, rate_limited: 0, stale: 0, forgets: 0, killed: 0 };
const FOUL: Weather = Weather {
    bad_nonce: 20,
    unheard: 10,
    lost: 10,
    rate_limited: 2,
    stale: 15,
    forgets: 1,
    killed: 0,
};

/// The authority.
struct Authority {
    weather: Weather,
    rng: StdRng,
    orders: Vec<AtAuthority>,
    certificates: usize,
    calls: usize,
}

struct AtAuthority {
    authorizations: Vec<AtAuthorization>,
    status: OrderStatus,
    /// What it was before the last change, for replicas.
    before: OrderStatus,
    /// Looks until it is done with what it does.
    busy: u32,
    forgotten: bool,
}

struct AtAuthorization {
    name: String,
    status: AuthorizationStatus,
    announced: bool,
    problem: Option<Problem>,
}

/// What a node has on disk, and what of it is seen from outside.
#[derive(Default)]
struct Node {
    url: Option<Url>,
    published: HashSet<String>,
}

enum End {
    Issued,
    Failed(Failure),
    Killed,
}

impl Authority {
    fn new(weather: Weather, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self { weather, rng, orders: Vec::new(), certificates: 0, calls: 0 }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// Executes an action, as a driver would over the network.
    fn execute(&mut self, action: &Action, node: &mut Node) -> Event {
        match action {
            Action::Wait(_) => return Event::Woke,
            Action::Publish(challenges) => {
                node.published = challenges.iter().map(|one| one.token.clone()).collect();
                return Event::Published;
            }
            _ => self.calls += 1,
        }
        let weather = self.weather;
        if self.chance(weather.bad_nonce) {
            return Event::Fault(Fault::BadNonce);
        }
        if self.chance(weather.unheard) {
            let retry_after =
                self.chance(30).then(|| Duration::from_secs(self.rng.random_range(0..90)));
            return Event::Fault(Fault::Unavailable { why: "503".to_owned(), retry_after });
        }
        if self.chance(weather.rate_limited) {
            let detail = "too many".to_owned();
            return Event::Fault(Fault::RateLimited { detail, retry_after: None });
        }
        let event = self.act(action, node);
        if self.chance(weather.lost) {
            let why = "connection reset".to_owned();
            return Event::Fault(Fault::Unavailable { why, retry_after: None });
        }
        if let (Action::Create { .. }, Event::Order(reply)) = (action, &event) {
            node.url = Some(reply.url.clone()); // written down with the answer
        }
        event
    }

    fn act(&mut self, action: &Action, node: &Node) -> Event {
        let url = match action {
            Action::Create { replaces: true } => {
                return Event::Fault(Fault::Refused(Problem::new(None, None, "not replaceable")));
            }
            Action::Create { replaces: false } => return self.create(),
            Action::Read(url)
            | Action::ReadAuthorizations(url)
            | Action::Announce(url, _)
            | Action::Finalize(url)
            | Action::Download(url) => url,
            Action::Wait(_) | Action::Publish(_) => unreachable!("they are not calls"),
        };
        let number: usize = url.parse().unwrap();
        let forgets = self.weather.forgets;
        if self.chance(forgets) {
            self.orders[number].forgotten = true;
        }
        if self.orders[number].forgotten {
            return Event::Fault(Fault::Gone);
        }
        self.work(number, node);
        match action {
            Action::Read(_) => self.reply(number),
            Action::ReadAuthorizations(_) => self.authorizations(number),
            Action::Announce(_, challenge) => self.announce(number, challenge),
            Action::Finalize(_) => {
                if self.orders[number].status != OrderStatus::Ready {
                    return Event::Fault(Fault::NotReady);
                }
                self.change(number, OrderStatus::Processing);
                self.reply(number)
            }
            Action::Download(_) if self.orders[number].status == OrderStatus::Valid => {
                Event::Chain(format!("chain of {number}"))
            }
            _ => Event::Fault(Fault::Refused(Problem::new(None, None, "no such thing"))),
        }
    }

    fn create(&mut self) -> Event {
        let authorization = |name: &str| AtAuthorization {
            name: name.to_owned(),
            status: AuthorizationStatus::Pending,
            announced: false,
            problem: None,
        };
        let mut authorizations = vec![authorization("a.test"), authorization("b.test")];
        for one in &mut authorizations {
            if self.chance(20) {
                one.status = AuthorizationStatus::Valid; // it remembers it from before
            }
        }
        let status = OrderStatus::Pending;
        let order =
            AtAuthority { authorizations, status, before: status, busy: 0, forgotten: false };
        self.orders.push(order);
        self.work(self.orders.len() - 1, &Node::default());
        self.reply(self.orders.len() - 1)
    }

    /// What it does on its own, a little at each look.
    fn work(&mut self, number: usize, node: &Node) {
        let order = &mut self.orders[number];
        if order.busy > 0 {
            order.busy -= 1;
            return;
        }
        for (index, one) in order.authorizations.iter_mut().enumerate() {
            if one.announced && one.status == AuthorizationStatus::Pending {
                let seen = node.published.contains(&token(number, index));
                one.status =
                    if seen { AuthorizationStatus::Valid } else { AuthorizationStatus::Dead };
                let urn = Some("urn:ietf:params:acme:error:unauthorized");
                one.problem = (!seen).then(|| Problem::new(urn, None, "no TXT record"));
            }
        }
        let all = |status| move |one: &AtAuthorization| one.status == status;
        let dead = order.authorizations.iter().any(all(AuthorizationStatus::Dead));
        let valid = order.authorizations.iter().all(all(AuthorizationStatus::Valid));
        match order.status {
            OrderStatus::Pending if dead => self.change(number, OrderStatus::Invalid),
            OrderStatus::Pending if valid => self.change(number, OrderStatus::Ready),
            OrderStatus::Processing => {
                self.certificates += 1;
                self.change(number, OrderStatus::Valid);
            }
            _ => {}
        }
    }

    fn change(&mut self, number: usize, status: OrderStatus) {
        let order = &mut self.orders[number];
        order.before = order.status;
        order.status = status;
        order.busy = self.rng.random_range(0..4);
    }

    fn reply(&mut self, number: usize) -> Event {
        let stale = self.weather.stale;
        let stale = self.chance(stale);
        let order = &self.orders[number];
        let status = if stale { order.before } else { order.status };
        let retry_after = self.rng.random_bool(0.3).then_some(Duration::from_secs(3));
        let url = number.to_string();
        Event::Order(OrderReply { url, status, problem: None, retry_after })
    }

    fn authorizations(&mut self, number: usize) -> Event {
        let order = &self.orders[number];
        let list = order.authorizations.iter().enumerate().map(|(index, one)| Authorization {
            url: format!("{number}/{index}"),
            name: one.name.clone(),
            status: one.status,
            challenges: [Method::Http01, Method::Dns01]
                .map(|method| Offered {
                    method,
                    token: token(number, index),
                    pending: !one.announced,
                    problem: one.problem.clone().filter(|_| method == Method::Dns01),
                })
                .into(),
        });
        let mut list: Vec<_> = list.collect();
        list.shuffle(&mut self.rng);
        Event::Authorizations(list)
    }

    fn announce(&mut self, number: usize, challenge: &Challenge) -> Event {
        let index: usize = challenge.authorization.rsplit('/').next().unwrap().parse().unwrap();
        let one = &mut self.orders[number].authorizations[index];
        if one.announced {
            return Event::Fault(Fault::Refused(Problem::new(None, None, "not pending")));
        }
        one.announced = true;
        Event::Announced
    }
}

fn token(number: usize, index: usize) -> String {
    format!("token {index} of {number}")
}

/// One try, by a node that may be killed before or after anything it does.
fn run(authority: &mut Authority, node: &mut Node, seed: u64, now: &mut Timestamp) -> End {
    node.published.clear(); // with the process that published it
    let replaces = seed.is_multiple_of(3);
    let (mut order, mut action) =
        Order::begin(Method::Dns01, node.url.clone(), replaces, seed, *now);
    for _ in 0..10_000 {
        let killed = authority.weather.killed;
        if authority.chance(killed) {
            return End::Killed;
        }
        if let Action::Wait(pause) = action {
            assert!(pause <= Duration::from_secs(90), "{pause:?}");
            *now = now.after(pause);
        }
        let before = node.url.clone();
        let event = authority.execute(&action, node);
        if authority.chance(killed) {
            if authority.rng.random_bool(0.5) {
                node.url = before; // before it could write down
            }
            return End::Killed;
        }
        (order, action) = match order.on(event, *now) {
            Step::Go(order, action) => (order, action),
            Step::Issued { .. } => return End::Issued,
            Step::Failed(failure) => {
                if !failure.order_lives {
                    node.url = None;
                }
                return End::Failed(failure);
            }
        };
    }
    panic!("an order that never ends");
}

#[test]
fn a_fair_authority_issues_at_the_first_try_with_few_calls() {
    for seed in 0..SEEDS {
        let mut authority = Authority::new(FAIR, seed);
        let mut now = Timestamp::from_millis(0);
        let end = run(&mut authority, &mut Node::default(), seed, &mut now);
        assert!(matches!(end, End::Issued), "seed {seed}");
        assert_eq!((authority.orders.len(), authority.certificates), (1, 1), "seed {seed}");
        assert!(authority.calls <= 20, "seed {seed}: {} calls", authority.calls);
    }
}

#[test]
fn a_foul_authority_issues_in_the_end_and_never_twice_for_one_order() {
    let mut firsts = 0;
    for seed in 0..SEEDS {
        let mut authority = Authority::new(FOUL, seed);
        let (mut node, mut now) = (Node::default(), Timestamp::from_millis(0));
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries < 100, "seed {seed}: no certificate after {tries} tries");
            match run(&mut authority, &mut node, seed + tries, &mut now) {
                End::Issued => break,
                End::Killed => unreachable!("nobody kills"),
                End::Failed(failure) => {
                    now = now
                        .after(Duration::from_secs(60))
                        .max(failure.not_before.unwrap_or_default());
                }
            }
        }
        firsts += u64::from(tries == 1);
        // Each order yields one at most; only one that was forgotten can be followed by another.
        let valid = authority.orders.iter().filter(|order| order.status == OrderStatus::Valid);
        let remembered = valid.clone().filter(|order| !order.forgotten).count();
        assert_eq!(authority.certificates, valid.count(), "seed {seed}");
        assert!(remembered <= 1, "seed {seed}: {remembered} certificates");
    }
    assert!(firsts > SEEDS / 2, "{firsts} of {SEEDS} at the first try");
}

#[test]
fn killed_anywhere_it_goes_on_and_loses_one_order_a_kill_at_most() {
    for seed in 0..SEEDS {
        let weather = Weather { killed: 4, bad_nonce: 10, stale: 10, ..FAIR };
        let mut authority = Authority::new(weather, seed);
        let (mut node, mut now) = (Node::default(), Timestamp::from_millis(0));
        let (mut kills, mut failures) = (0, 0);
        loop {
            match run(&mut authority, &mut node, seed + kills as u64, &mut now) {
                End::Issued => break,
                End::Killed => kills += 1,
                // Killed while it was looked at, the authority found nobody to answer.
                End::Failed(failure) => {
                    failures += 1;
                    assert!(failures <= kills, "seed {seed}: {failure:?}");
                }
            }
        }
        assert_eq!(authority.certificates, 1, "seed {seed} after {kills} kills");
        assert!(authority.orders.len() <= 1 + kills, "seed {seed}: {kills} kills");
    }
}

#[test]
fn a_refusal_is_told_with_the_name_and_the_reason() {
    let mut authority = Authority::new(FAIR, 7);
    let mut now = Timestamp::from_millis(0);
    let (mut order, mut action) = Order::begin(Method::Dns01, None, false, 7, now);
    let mut node = Node::default();
    let failure = loop {
        // Nothing is published, whatever it asks for.
        let event = authority.execute(&action, &mut node);
        node.published.clear();
        if let Action::Wait(pause) = action {
            now = now.after(pause);
        }
        (order, action) = match order.on(event, now) {
            Step::Go(order, action) => (order, action),
            Step::Issued { .. } => panic!("nothing was proved"),
            Step::Failed(failure) => break failure,
        };
    };
    let OrderError::Refused(problem) = &failure.error else { panic!("{failure:?}") };
    assert_eq!(problem.kind, ProblemKind::WrongAnswer);
    assert!(problem.name.as_deref().is_some_and(|name| name.ends_with(".test")));
    assert!(!failure.order_lives);
}

#[test]
fn a_forgotten_account_ends_the_try_and_the_order() {
    let now = Timestamp::from_millis(0);
    let (order, _) = Order::begin(Method::Dns01, Some("1".to_owned()), false, 1, now);
    let Step::Failed(failure) = order.on(Event::Fault(Fault::AccountUnknown), now) else {
        panic!("it goes on")
    };
    assert_eq!((failure.error, failure.order_lives), (OrderError::AccountForgotten, false));
}

#[test]
fn a_rate_limit_is_kept_to_the_second_and_the_order_lives() {
    let now = Timestamp::from_millis(1000);
    let (order, _) = Order::begin(Method::Dns01, Some("1".to_owned()), false, 1, now);
    let retry_after = Some(Duration::from_secs(7200));
    let fault = Fault::RateLimited { detail: "too many new orders".to_owned(), retry_after };
    let Step::Failed(failure) = order.on(Event::Fault(fault), now) else { panic!("it goes on") };
    assert_eq!(failure.not_before, Some(now.after(Duration::from_secs(7200))));
    assert!(failure.order_lives);
}
