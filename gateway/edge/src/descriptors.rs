//! The process's limit of open files, of which connections are most.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of descriptors to the hard one and gives what holds then; `None` is
/// unlimited.
///
/// For `main`, before the first [`AdmissionLimits::default`](crate::AdmissionLimits), which counts
/// from the soft limit. That is 1024 on most systems for the sake of programs that call `select`;
/// this one does not.
///
/// # Errors
///
/// If the kernel refuses, as it may where the hard limit is unlimited. The limit then stays.
pub fn raise_descriptor_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    }
    Ok(limit.maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = getrlimit(Resource::Nofile);
        let hard = limit.maximum.expect("Linux bounds it by fs.nr_open");
        setrlimit(Resource::Nofile, Rlimit { current: Some(hard - 1), ..limit }).unwrap();
        assert_eq!(raise_descriptor_limit().unwrap(), Some(hard));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(hard));
        assert_eq!(raise_descriptor_limit().unwrap(), Some(hard), "again does no harm");
    }
}
