use super::*;
use crate::acme::{problem::Problem, wanted::Prove};

fn wanted(name: &str) -> Wanted {
    Wanted { names: [name.parse().unwrap()].into(), prove: Prove::dns() }
}

fn book(limits: Limits) -> Book {
    Book::new(limits, Ledger::default(), Vec::new(), 1)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

fn failure(error: OrderError) -> Failure {
    Failure { error, not_before: None, order_lives: false }
}

fn names(tasks: &[Task]) -> Vec<String> {
    tasks.iter().map(|task| task.wanted.title()).collect()
}

#[test]
fn a_lost_folder_is_ordered_a_few_at_a_time_and_what_is_new_goes_before() {
    let mut book = book(Limits::default());
    let mut all: Vec<_> = (0..1000).map(|n| wanted(&format!("h{n}.test"))).collect();
    book.adopt(&all, at(0));
    let first = book.take_due(at(0));
    assert_eq!(first.len(), defaults::CONCURRENCY);
    assert!(book.take_due(at(0)).is_empty());
    all.push(wanted("new.test"));
    book.adopt(&all, at(1));
    book.failed(first[0].id, Method::Dns01, &failure(OrderError::Slow), at(1));
    assert_eq!(names(&book.take_due(at(1))), ["new.test"]);
}

#[test]
fn an_accounts_limit_holds_the_rest_back_and_is_told() {
    let mut book = book(Limits::of("https://acme-v02.api.letsencrypt.org/directory"));
    let all: Vec<_> = (0..400).map(|n| wanted(&format!("a.h{n}.test"))).collect();
    book.adopt(&all, at(0));
    let mut begun = 0;
    loop {
        let tasks = book.take_due(at(begun));
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            begun += 1;
            let refused = Problem::new(None, None, "no");
            let error = OrderError::Refused(refused);
            book.failed(task.id, Method::Dns01, &failure(error), at(begun));
        }
    }
    assert_eq!(begun, 300);
    assert_eq!(book.uses(at(begun))[0].used, 300);
    let held_back = |row: &CertificateStatus| row.next.to_string().contains("limit of new orders");
    assert!(book.statuses(at(begun)).iter().any(held_back));
}

#[test]
fn while_the_authority_is_away_one_order_at_a_time_looks() {
    let mut book = book(Limits::default());
    let all: Vec<_> = (0..20).map(|n| wanted(&format!("h{n}.test"))).collect();
    book.adopt(&all, at(0));
    for task in book.take_due(at(0)) {
        let away = OrderError::Unavailable { why: "down".to_owned() };
        book.failed(task.id, Method::Dns01, &failure(away), at(1));
    }
    assert!(book.take_due(at(2)).is_empty());
    let later = at(3600);
    assert_eq!(book.take_due(later).len(), 1);
    assert!(book.take_due(later).is_empty());
}

#[test]
fn failures_outlive_a_restart_and_the_operator_overrules_them() {
    let mut book = book(Limits::default());
    book.adopt(&[wanted("a.test")], at(0));
    let task = book.take_due(at(0)).remove(0);
    let refused = OrderError::Refused(Problem::new(None, None, "no"));
    book.failed(task.id, Method::Dns01, &failure(refused), at(0));
    let text = serde_json::to_string(book.ledger()).unwrap();
    let ledger = serde_json::from_str(&text).unwrap();
    let mut again = Book::new(Limits::default(), ledger, Vec::new(), 2);
    again.adopt(&[wanted("a.test")], at(10));
    assert!(again.take_due(at(10)).is_empty());
    assert_eq!(again.statuses(at(10))[0].failures, 1);
    assert_eq!(again.force(&"a.test".parse().unwrap()), 1);
    assert_eq!(names(&again.take_due(at(10))), ["a.test"]);
}

#[test]
fn an_account_that_is_forgotten_again_and_again_is_not_asked_without_pause() {
    let mut book = book(Limits::default());
    book.adopt(&[wanted("a.test")], at(0));
    for _ in 0..2 {
        let task = book.take_due(at(0)).remove(0);
        let forgotten = failure(OrderError::AccountForgotten);
        book.failed(task.id, Method::Dns01, &forgotten, at(0));
    }
    assert!(book.take_due(at(30)).is_empty());
}
