//! The tables, and each operation as one transaction over them.
//!
//! `history` holds every record as JSON, so that a field can be added without a migration; `current`
//! points into it, and `pins` keeps it from pointing elsewhere. All change in one transaction.

use headgate_types::{Branch, ProjectName};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;

use super::{Pin, RecordsError, RevisionRecord};

/// What this code writes and reads. Raise it with a migration whenever a table changes its meaning.
///
/// Before 2 there were no pins, and the current record was always the newest: what such a version would
/// make of a pinned branch is to deploy over it.
const SCHEMA: u64 = 2;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// (project, branch) → (sequence of the first acceptance, sequence of the current record)
const CURRENT: TableDefinition<'_, (&str, &str), (u64, u64)> = TableDefinition::new("current");
/// (project, branch, sequence) → record
const HISTORY: TableDefinition<'_, (&str, &str, u64), &[u8]> = TableDefinition::new("history");
/// (project, branch) → pin
const PINS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("pins");

/// Creates the tables that are missing, and refuses a file written by a later version.
pub(super) fn migrate(database: &Database) -> Result<(), RecordsError> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("schema")?.map(|version| version.value());
        match found {
            Some(found) if found > SCHEMA => {
                return Err(RecordsError::NewerSchema { found, known: SCHEMA });
            }
            Some(SCHEMA) => return Ok(()),
            Some(_) | None => meta.insert("schema", SCHEMA)?,
        };
        transaction.open_table(CURRENT)?;
        transaction.open_table(HISTORY)?;
        transaction.open_table(PINS)?;
    }
    Ok(transaction.commit()?)
}

pub(super) fn accept(
    database: &Database,
    mut record: RevisionRecord,
    keep: usize,
) -> Result<RevisionRecord, RecordsError> {
    let transaction = database.begin_write()?;
    {
        let (project, branch) = (record.revision.project.as_str(), record.revision.branch.as_str());
        if transaction.open_table(PINS)?.get((project, branch))?.is_some() {
            let (project, branch) = (project.to_owned(), branch.to_owned());
            return Err(RecordsError::Pinned { project, branch });
        }
        let mut meta = transaction.open_table(META)?;
        record.sequence = meta.get("sequence")?.map_or(0, |last| last.value()) + 1;
        meta.insert("sequence", record.sequence)?;

        let mut current = transaction.open_table(CURRENT)?;
        let first = current.get((project, branch))?.map(|known| known.value().0);
        let first = first.unwrap_or(record.sequence);
        current.insert((project, branch), (first, record.sequence))?;

        let mut history = transaction.open_table(HISTORY)?;
        let json = serde_json::to_vec(&record).expect("a record has only string keys");
        history.insert((project, branch, record.sequence), json.as_slice())?;
        let mut sequences = Vec::new();
        for entry in history.range((project, branch, 0)..=(project, branch, u64::MAX))? {
            sequences.push(entry?.0.value().2);
        }
        for old in &sequences[..sequences.len().saturating_sub(keep)] {
            history.remove((project, branch, *old))?;
        }
    }
    transaction.commit()?;
    Ok(record)
}

/// Makes a kept record the current one, pinned or not.
pub(super) fn select(
    database: &Database,
    record: &RevisionRecord,
    pin: Option<&Pin>,
) -> Result<(), RecordsError> {
    let (project, branch) = (record.revision.project.as_str(), record.revision.branch.as_str());
    let transaction = database.begin_write()?;
    {
        let mut current = transaction.open_table(CURRENT)?;
        let first = current.get((project, branch))?.map(|known| known.value().0);
        let kept = transaction.open_table(HISTORY)?;
        let kept = kept.get((project, branch, record.sequence))?.is_some();
        let (Some(first), true) = (first, kept) else {
            let (project, branch) = (project.to_owned(), branch.to_owned());
            return Err(RecordsError::NotKept { project, branch });
        };
        current.insert((project, branch), (first, record.sequence))?;
        let mut pins = transaction.open_table(PINS)?;
        match pin {
            Some(pin) => {
                let json = serde_json::to_vec(pin).expect("a pin has only string keys");
                pins.insert((project, branch), json.as_slice())?;
            }
            None => {
                pins.remove((project, branch))?;
            }
        }
    }
    Ok(transaction.commit()?)
}

pub(super) fn pins(database: &Database) -> Result<Vec<Pin>, RecordsError> {
    let table = database.begin_read()?.open_table(PINS)?;
    let mut pins = Vec::new();
    for entry in table.iter()? {
        let (key, json) = entry?;
        let (project, branch) = key.value();
        pins.push(decode(project, branch, json.value())?);
    }
    Ok(pins)
}

pub(super) fn current(database: &Database) -> Result<Vec<RevisionRecord>, RecordsError> {
    let transaction = database.begin_read()?;
    let history = transaction.open_table(HISTORY)?;
    let mut found = Vec::new();
    for entry in transaction.open_table(CURRENT)?.iter()? {
        let (key, value) = entry?;
        let ((project, branch), (first, sequence)) = (key.value(), value.value());
        let Some(json) = history.get((project, branch, sequence))? else {
            let (project, branch) = (project.to_owned(), branch.to_owned());
            return Err(RecordsError::Damaged { project, branch, source: None });
        };
        found.push((first, decode(project, branch, json.value())?));
    }
    found.sort_unstable_by_key(|(first, _)| *first);
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

pub(super) fn history(
    database: &Database,
    project: &ProjectName,
    branch: &Branch,
) -> Result<Vec<RevisionRecord>, RecordsError> {
    let (project, branch) = (project.as_str(), branch.as_str());
    let table = database.begin_read()?.open_table(HISTORY)?;
    let range = table.range((project, branch, 0)..=(project, branch, u64::MAX))?;
    range.rev().map(|entry| decode(project, branch, entry?.1.value())).collect()
}

pub(super) fn all(database: &Database) -> Result<Vec<RevisionRecord>, RecordsError> {
    let table = database.begin_read()?.open_table(HISTORY)?;
    let mut records = Vec::new();
    for entry in table.iter()? {
        let (key, json) = entry?;
        let (project, branch, _) = key.value();
        records.push(decode(project, branch, json.value())?);
    }
    Ok(records)
}

pub(super) fn remove(database: &Database, project: &ProjectName) -> Result<(), RecordsError> {
    let transaction = database.begin_write()?;
    transaction.open_table(CURRENT)?.retain(|(name, _), _| name != project.as_str())?;
    transaction.open_table(HISTORY)?.retain(|(name, _, _), _| name != project.as_str())?;
    transaction.open_table(PINS)?.retain(|(name, _), _| name != project.as_str())?;
    Ok(transaction.commit()?)
}

fn decode<T: DeserializeOwned>(
    project: &str,
    branch: &str,
    json: &[u8],
) -> Result<T, RecordsError> {
    serde_json::from_slice(json).map_err(|source| RecordsError::Damaged {
        project: project.to_owned(),
        branch: branch.to_owned(),
        source: Some(source),
    })
}
