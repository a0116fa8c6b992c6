//! The tables, and each operation as one transaction over them.
//!
//! `history` holds every record as JSON, so that a field can be added without a migration; `current`
//! points into it. Both change in one transaction.

use std::collections::HashSet;

use headgate_types::{Branch, Digest, ProjectName};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{RecordsError, RevisionRecord};

/// What this code writes and reads. Raise it with a migration whenever a table changes its meaning.
const SCHEMA: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// (project, branch) → (sequence of the first acceptance, sequence of the current record)
const CURRENT: TableDefinition<'_, (&str, &str), (u64, u64)> = TableDefinition::new("current");
/// (project, branch, sequence) → record
const HISTORY: TableDefinition<'_, (&str, &str, u64), &[u8]> = TableDefinition::new("history");

/// Creates the tables in a new file, and refuses one written by a later version.
pub(super) fn migrate(database: &Database) -> Result<(), RecordsError> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("schema")?.map(|version| version.value());
        match found {
            Some(found) if found > SCHEMA => {
                return Err(RecordsError::NewerSchema { found, known: SCHEMA });
            }
            Some(_) => return Ok(()),
            None => meta.insert("schema", SCHEMA)?,
        };
        transaction.open_table(CURRENT)?;
        transaction.open_table(HISTORY)?;
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
        let mut meta = transaction.open_table(META)?;
        record.sequence = meta.get("sequence")?.map_or(0, |last| last.value()) + 1;
        meta.insert("sequence", record.sequence)?;

        let (project, branch) = (record.revision.project.as_str(), record.revision.branch.as_str());
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

pub(super) fn manifests(database: &Database) -> Result<HashSet<Digest>, RecordsError> {
    Ok(all(database)?.into_iter().map(|record| record.manifest).collect())
}

pub(super) fn remove(database: &Database, project: &ProjectName) -> Result<(), RecordsError> {
    let transaction = database.begin_write()?;
    transaction.open_table(CURRENT)?.retain(|(name, _), _| name != project.as_str())?;
    transaction.open_table(HISTORY)?.retain(|(name, _, _), _| name != project.as_str())?;
    Ok(transaction.commit()?)
}

fn decode(project: &str, branch: &str, json: &[u8]) -> Result<RevisionRecord, RecordsError> {
    serde_json::from_slice(json).map_err(|source| RecordsError::Damaged {
        project: project.to_owned(),
        branch: branch.to_owned(),
        source: Some(source),
    })
}
