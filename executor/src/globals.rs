//! What functions of a project keep for each other beyond their requests: values by name.
//!
//! Where they are kept, and how much of them, is the affair of whoever implements [`Globals`]; what one request may
//! do with them is bounded here.

use bytes::Bytes;
use headgate_types::{Branch, ProjectName};

/// The values of projects, as guests are granted them. Each call is complete or without effect, whatever others do
/// with the same value meanwhile; what is read is what was put last.
#[async_trait::async_trait]
pub trait Globals: Send + Sync + 'static {
    async fn value(&self, global: &Global<'_>) -> Result<Option<Bytes>, GlobalsError>;

    /// Keeps a value in place of what was there. Once this returns it outlives the process. Whether it does after an
    /// error is open, unless that is [`GlobalsError::Full`].
    async fn put(&self, global: &Global<'_>, value: Bytes) -> Result<(), GlobalsError>;

    /// The value; where there is none an empty one is from now on, and `None` is answered.
    async fn value_or_create(&self, global: &Global<'_>) -> Result<Option<Bytes>, GlobalsError>;
}

/// A value's name, and whose it is. The same name of others is another value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Global<'a> {
    pub project: &'a ProjectName,
    pub branch: &'a Branch,
    /// `None`: of no application in particular.
    pub application: Option<&'a str>,
    /// The id of a function; `None`: of no function in particular.
    pub function: Option<&'a str>,
    /// At most [`GLOBAL_NAME`](crate::defaults::GLOBAL_NAME) bytes, mostly text.
    pub name: &'a [u8],
}

/// Why a value was not read or not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobalsError {
    #[error("nobody keeps values here")]
    Nobody,
    #[error(
        "a project may keep {values} values of {bytes} bytes in all, names included, and this is one too much; put \
         shorter ones in place of those that are no longer needed"
    )]
    Full { values: usize, bytes: usize },
    #[error("{reason}")]
    Unavailable { reason: String },
}

/// A node, or a part of one, where nothing outlives a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGlobals;

#[async_trait::async_trait]
impl Globals for NoGlobals {
    async fn value(&self, _: &Global<'_>) -> Result<Option<Bytes>, GlobalsError> {
        Err(GlobalsError::Nobody)
    }

    async fn put(&self, _: &Global<'_>, _: Bytes) -> Result<(), GlobalsError> {
        Err(GlobalsError::Nobody)
    }

    async fn value_or_create(&self, _: &Global<'_>) -> Result<Option<Bytes>, GlobalsError> {
        Err(GlobalsError::Nobody)
    }
}
