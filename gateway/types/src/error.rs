//! `Chain`: prints an error with all its causes on one line.

use std::{error::Error, fmt};

/// `failed to read blob 12ab: permission denied`: each cause once, from the outside in.
///
/// Error messages in this house never repeat their source, so this is the one place that joins them.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
