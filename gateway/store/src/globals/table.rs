//! The table, and each operation as one transaction over it.

use bytes::Bytes;
use headgate_types::Branch;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Cell, Change, Kept, Space};

/// What this code writes and reads. Raise it with a migration whenever a table changes its meaning.
pub(super) const SCHEMA: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// (project, branch, application, function, name) → value
const VALUES: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("values");

type Key<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [u8]);

/// Creates the tables that are missing. Gives the schema of a file that a later version wrote.
pub(super) fn migrate(database: &Database) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("schema")?.map(|version| version.value());
        match found {
            Some(SCHEMA) => return Ok(None),
            Some(found) if found > SCHEMA => return Ok(Some(found)),
            Some(_) | None => meta.insert("schema", SCHEMA)?,
        };
        transaction.open_table(VALUES)?;
    }
    transaction.commit()?;
    Ok(None)
}

pub(super) fn all(database: &Database) -> Result<Vec<Kept>, redb::Error> {
    let table = database.begin_read()?.open_table(VALUES)?;
    let mut values = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        let (project, branch, application, function, name) = key.value();
        let damaged = || redb::Error::Corrupted(format!("`{project}` is no project's name"));
        let project = project.parse().map_err(|_| damaged())?;
        values.push(Kept {
            space: Space { project, branch: Branch::new(branch) },
            cell: Cell {
                application: application.into(),
                function: function.into(),
                name: name.into(),
            },
            value: Bytes::copy_from_slice(value.value()),
        });
    }
    Ok(values)
}

pub(super) fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(VALUES)?;
        for change in changes {
            match change {
                Change::Put { space, cell, value } => {
                    table.insert(key(space, cell), &**value)?;
                }
                Change::Clear { space } => {
                    let own = (space.project.as_str(), space.branch.as_str());
                    table.retain(|(project, branch, ..), _| (project, branch) != own)?;
                }
            }
        }
    }
    Ok(transaction.commit()?)
}

fn key<'a>(space: &'a Space, cell: &'a Cell) -> Key<'a> {
    (space.project.as_str(), space.branch.as_str(), &cell.application, &cell.function, &cell.name)
}
