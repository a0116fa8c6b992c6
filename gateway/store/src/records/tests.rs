use std::os::unix::fs::PermissionsExt;

use headgate_types::Commit;

use super::*;

fn accept(records: &Records, project: &str, branch: &str, commit: &str) -> RevisionRecord {
    let revision = Revision {
        project: project.parse().unwrap(),
        branch: Branch::new(branch),
        commit: Commit::new(commit),
    };
    let manifest = Digest::of(commit.as_bytes());
    records.accept(revision, manifest, Timestamp::from_millis(7)).unwrap()
}

fn commits(records: &[RevisionRecord]) -> Vec<&str> {
    records.iter().map(|record| record.revision.commit.as_str()).collect()
}

#[test]
fn an_accepted_revision_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let accepted = accept(&Records::open(dir.path()).unwrap(), "shop", "main", "c1");
    let records = Records::open(dir.path()).unwrap();
    assert_eq!(records.current().unwrap(), std::slice::from_ref(&accepted));
    assert_eq!(records.all().unwrap(), std::slice::from_ref(&accepted));
    assert_eq!(accept(&records, "shop", "main", "c2").sequence, accepted.sequence + 1);
}

#[test]
fn branches_stay_in_the_order_of_their_first_acceptance() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    accept(&records, "zoo", "main", "z1");
    accept(&records, "shop", "next", "n1");
    accept(&records, "shop", "main", "m1");
    accept(&records, "zoo", "main", "z2");
    assert_eq!(commits(&records.current().unwrap()), ["z2", "n1", "m1"]);

    records.remove(&"zoo".parse().unwrap()).unwrap();
    accept(&records, "zoo", "main", "z3");
    assert_eq!(commits(&records.current().unwrap()), ["n1", "m1", "z3"]);
    let history = records.history(&"zoo".parse().unwrap(), &Branch::new("main")).unwrap();
    assert_eq!(commits(&history), ["z3"], "what was removed is forgotten");
}

#[test]
fn the_last_revisions_of_a_branch_are_kept_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open_keeping(dir.path(), 3).unwrap();
    for commit in ["1", "2", "3", "4", "5"] {
        accept(&records, "shop", "main", commit);
    }
    accept(&records, "shop", "main-2", "other");
    let history = records.history(&"shop".parse().unwrap(), &Branch::new("main")).unwrap();
    assert_eq!(commits(&history), ["5", "4", "3"]);
    assert_eq!(records.all().unwrap().len(), 4);
    let none = records.history(&"shop".parse().unwrap(), &Branch::new("gone")).unwrap();
    assert!(none.is_empty());
}

#[test]
fn going_back_twice_leads_further_back_and_the_newest_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let kept: Vec<_> =
        ["1", "2", "3"].map(|commit| accept(&records, "shop", "main", commit)).into();
    accept(&records, "zoo", "main", "z");
    for back in [1, 0] {
        records.pin(&kept[back], Timestamp::from_millis(9)).unwrap();
        assert_eq!(
            commits(&records.current().unwrap()),
            [kept[back].revision.commit.as_str(), "z"]
        );
    }
    drop(records);
    let records = Records::open(dir.path()).unwrap();
    let (project, branch) = ("shop".parse().unwrap(), Branch::new("main"));
    let pin = Pin { project, branch, pinned_at: Timestamp::from_millis(9) };
    assert_eq!(records.pins().unwrap(), std::slice::from_ref(&pin));
    let history = records.history(&pin.project, &pin.branch).unwrap();
    assert_eq!(commits(&history), ["3", "2", "1"], "going back is no revision");

    records.unpin(&kept[2]).unwrap();
    assert!(records.pins().unwrap().is_empty());
    assert_eq!(commits(&records.current().unwrap()), ["3", "z"]);
}

#[test]
fn a_pinned_branch_accepts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open(dir.path()).unwrap();
    let first = accept(&records, "shop", "main", "1");
    records.pin(&first, Timestamp::from_millis(9)).unwrap();
    let second = Revision { commit: Commit::new("2"), ..first.revision.clone() };
    let refused = records.accept(second, Digest::of(b"2"), Timestamp::from_millis(9)).unwrap_err();
    assert!(matches!(refused, RecordsError::Pinned { .. }), "{refused}");
    assert_eq!(records.current().unwrap(), [first]);
    accept(&records, "shop", "next", "3");
    records.remove(&"shop".parse().unwrap()).unwrap();
    assert!(records.pins().unwrap().is_empty(), "a project that comes back is not pinned");
}

#[test]
fn what_is_no_longer_kept_cannot_be_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::open_keeping(dir.path(), 1).unwrap();
    let first = accept(&records, "shop", "main", "1");
    let second = accept(&records, "shop", "main", "2");
    let refused = records.pin(&first, Timestamp::from_millis(9)).unwrap_err();
    assert!(matches!(refused, RecordsError::NotKept { .. }), "{refused}");
    assert_eq!(records.current().unwrap(), [second]);
    assert!(records.pins().unwrap().is_empty());
}

/// As the version before pins left it.
#[test]
fn records_of_an_earlier_version_are_read_and_can_be_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let first = accept(&Records::open(dir.path()).unwrap(), "shop", "main", "1");
    let database = Database::open(dir.path().join("records.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", 1).unwrap();
    let pins = redb::TableDefinition::<(&str, &str), &[u8]>::new("pins");
    assert!(transaction.delete_table(pins).unwrap());
    transaction.commit().unwrap();
    drop(database);

    let records = Records::open(dir.path()).unwrap();
    assert_eq!(records.current().unwrap(), std::slice::from_ref(&first));
    assert!(records.pins().unwrap().is_empty());
    records.pin(&first, Timestamp::from_millis(9)).unwrap();
    drop(records);
    assert_eq!(Records::open(dir.path()).unwrap().pins().unwrap().len(), 1);
}

#[test]
fn a_second_owner_is_refused_by_naming_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _owner = Records::open(dir.path()).unwrap();
    let refused = Records::open(dir.path()).unwrap_err();
    assert!(matches!(&refused, RecordsError::InUse { folder } if folder == dir.path()));
    let message = refused.to_string();
    assert!(message.contains("another headgate runs with"), "{message}");
    assert!(message.contains(dir.path().to_str().unwrap()), "{message}");
}

#[test]
fn records_of_a_later_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Records::open(dir.path()).unwrap());
    let database = Database::open(dir.path().join("records.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", 99).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = Records::open(dir.path()).unwrap_err();
    assert!(matches!(refused, RecordsError::NewerSchema { found: 99, .. }), "{refused}");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("records.redb"), "hello ".repeat(1000)).unwrap();
    let refused = Records::open(dir.path()).unwrap_err();
    assert!(matches!(refused, RecordsError::Access { .. }), "{refused:?}");
}

#[test]
fn only_the_owner_may_read_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let _records = Records::open(&folder).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("records.redb"))), (0o700, 0o600));
}
