//! Global values in memory, as a gateway keeps them: for tests and for the fuzz target `host_calls`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use headgate_executor::{Global, Globals, GlobalsError};

/// One project's capacity here, in bytes of values.
pub(crate) const CAPACITY: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Values(Mutex<HashMap<String, Bytes>>);

impl Values {
    /// By whose they are and what they are called.
    pub(crate) fn all(&self) -> MutexGuard<'_, HashMap<String, Bytes>> {
        self.0.lock().expect("nobody panics with it")
    }

    fn put_now(&self, name: String, value: Bytes) -> Result<(), GlobalsError> {
        let mut values = self.all();
        let others = values.iter().filter(|(other, _)| **other != name);
        if others.map(|(_, value)| value.len()).sum::<usize>() + value.len() > CAPACITY {
            return Err(GlobalsError::Full { values: usize::MAX, bytes: CAPACITY });
        }
        values.insert(name, value);
        Ok(())
    }
}

fn called(global: &Global<'_>) -> String {
    let Global { project, branch, application, function, name } = global;
    let (application, function) = (application.unwrap_or("*"), function.unwrap_or("*"));
    let name = String::from_utf8_lossy(name);
    format!("{project}@{} {application} {function} {name}", branch.as_str())
}

#[async_trait::async_trait]
impl Globals for Values {
    async fn value(&self, global: &Global<'_>) -> Result<Option<Bytes>, GlobalsError> {
        Ok(self.all().get(&called(global)).cloned())
    }

    async fn put(&self, global: &Global<'_>, value: Bytes) -> Result<(), GlobalsError> {
        // As over a disk, which lets others go on.
        tokio::task::yield_now().await;
        self.put_now(called(global), value)
    }

    async fn value_or_create(&self, global: &Global<'_>) -> Result<Option<Bytes>, GlobalsError> {
        let found = self.value(global).await?;
        if found.is_none() {
            self.put_now(called(global), Bytes::new())?;
        }
        Ok(found)
    }
}
