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
    assert_eq!(records.manifests().unwrap(), HashSet::from([accepted.manifest]));
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
    assert_eq!(records.manifests().unwrap().len(), 4);
    let none = records.history(&"shop".parse().unwrap(), &Branch::new("gone")).unwrap();
    assert!(none.is_empty());
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
