//! Which of the kept revisions somebody means.

use headgate_store::RevisionRecord;
use headgate_types::Commit;

use crate::publisher::Kept;

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// What is current.
    Current,
    /// The one before what is current; asked for again, the one before that.
    Previous,
    /// The one whose commit begins so.
    Commit(String),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChooseError {
    #[error("nothing was accepted yet")]
    Nothing,
    #[error("no revision older than {} is kept", .current.fmt_short())]
    NothingOlder { current: Commit },
    #[error("no kept revision begins with `{prefix}`")]
    Unknown { prefix: String },
    #[error("several kept revisions begin with `{prefix}`")]
    Ambiguous { prefix: String },
}

/// A commit that was deployed twice (by another version of headgate, say) is one revision here: its newest
/// record.
pub(super) fn choose<'a>(
    kept: &'a Kept,
    wanted: &Wanted,
) -> Result<&'a RevisionRecord, ChooseError> {
    let current = kept.current.as_ref().ok_or(ChooseError::Nothing)?;
    let commit = &current.revision.commit;
    match wanted {
        Wanted::Current => {
            let records = &mut kept.records.iter();
            records.find(|record| record.sequence == current.sequence).ok_or(ChooseError::Nothing)
        }
        Wanted::Previous => {
            let older = &mut kept.records.iter().filter(|record| {
                record.sequence < current.sequence && record.revision.commit != *commit
            });
            older.next().ok_or_else(|| ChooseError::NothingOlder { current: commit.clone() })
        }
        Wanted::Commit(prefix) => {
            let matching = matching(kept, prefix);
            let Some(newest) = matching.first() else {
                return Err(ChooseError::Unknown { prefix: prefix.clone() });
            };
            let one = |record: &&RevisionRecord| record.revision.commit == newest.revision.commit;
            match matching.iter().all(one) {
                true => Ok(newest),
                false => Err(ChooseError::Ambiguous { prefix: prefix.clone() }),
            }
        }
    }
}

/// The records whose commit begins so, newest first.
pub(super) fn matching<'a>(kept: &'a Kept, prefix: &str) -> Vec<&'a RevisionRecord> {
    let prefix = prefix.to_ascii_lowercase();
    kept.records.iter().filter(|record| begins(&record.revision.commit, &prefix)).collect()
}

/// Whether a commit may be named by this prefix, which is in lower case. A folder's may be named without
/// `worktree-`, and one of several repositories by the whole commit of its configuration, of which its name
/// has the beginning.
pub(super) fn begins(commit: &Commit, prefix: &str) -> bool {
    let commit = commit.as_str();
    let bare = commit.strip_prefix("worktree-").unwrap_or(commit);
    let configuration = commit.split_once('+').map(|(configuration, _)| configuration);
    let pasted = configuration.is_some_and(|begins| prefix.starts_with(begins));
    commit.starts_with(prefix) || bare.starts_with(prefix) || pasted && !prefix.contains('+')
}

#[cfg(test)]
mod tests {
    use headgate_types::{Branch, Digest, Revision, Timestamp};

    use super::*;

    /// Commits, oldest first, of which the `current`th is served.
    fn kept(commits: &[&str], current: usize) -> Kept {
        let record = |(index, commit): (usize, &&str)| RevisionRecord {
            revision: Revision {
                project: "shop".parse().unwrap(),
                branch: Branch::new("main"),
                commit: Commit::new(commit),
            },
            manifest: Digest::of(commit.as_bytes()),
            accepted_at: Timestamp::from_millis(0),
            sequence: index as u64,
        };
        let records: Vec<_> = commits.iter().enumerate().map(record).rev().collect();
        let current = records.iter().find(|record| record.sequence == current as u64).cloned();
        let Revision { project, branch, .. } = records[0].revision.clone();
        Kept { project, branch, followed: true, records, current, pinned_at: None }
    }

    fn chosen(kept: &Kept, wanted: Wanted) -> Result<u64, ChooseError> {
        choose(kept, &wanted).map(|record| record.sequence)
    }

    #[test]
    fn back_is_what_was_accepted_before_and_never_forth() {
        let commits = ["a1", "b2", "c3"];
        assert_eq!(chosen(&kept(&commits, 2), Wanted::Previous), Ok(1));
        assert_eq!(chosen(&kept(&commits, 1), Wanted::Previous), Ok(0));
        let oldest = ChooseError::NothingOlder { current: Commit::new("a1") };
        assert_eq!(chosen(&kept(&commits, 0), Wanted::Previous), Err(oldest));
        assert_eq!(chosen(&kept(&commits, 1), Wanted::Current), Ok(1));
    }

    #[test]
    fn a_commit_that_was_deployed_twice_is_one_revision() {
        let again = kept(&["a1", "b2", "b2"], 2);
        assert_eq!(chosen(&again, Wanted::Previous), Ok(0));
        assert_eq!(chosen(&again, Wanted::Commit("b".to_owned())), Ok(2));
    }

    #[test]
    fn a_prefix_must_mean_one_commit() {
        let kept = kept(&["abc1", "abd2", "worktree-ef01"], 0);
        let by = |prefix: &str| chosen(&kept, Wanted::Commit(prefix.to_owned()));
        assert_eq!(by("ABD"), Ok(1));
        assert_eq!(by("worktree-ef"), Ok(2));
        assert_eq!(by("ef01"), Ok(2));
        assert_eq!(by("ab"), Err(ChooseError::Ambiguous { prefix: "ab".to_owned() }));
        assert_eq!(by("x"), Err(ChooseError::Unknown { prefix: "x".to_owned() }));
    }

    #[test]
    fn the_whole_commit_of_a_configuration_finds_what_is_called_by_its_beginning() {
        let kept = kept(&["1a2b3c4d5e+9f8e", "2b3c4d5e6f+1111", "2b3c4d5e6f+2222"], 0);
        let by = |prefix: &str| chosen(&kept, Wanted::Commit(prefix.to_owned()));
        assert_eq!(by("1a2b3c4d5e6f7a8b9c0d"), Ok(0));
        assert_eq!(by("1a2b3c4d5e+9f"), Ok(0));
        assert_eq!(by("2b3c4d5e6f+2"), Ok(2));
        let both = "2b3c4d5e6f7a8b".to_owned();
        assert_eq!(by(&both), Err(ChooseError::Ambiguous { prefix: both }));
        let other = "1a2b3c4d5e+0".to_owned();
        assert_eq!(by(&other), Err(ChooseError::Unknown { prefix: other }));
    }

    #[test]
    fn where_nothing_was_accepted_there_is_nothing_to_choose() {
        let nothing = Kept { current: None, ..kept(&["a1"], 0) };
        assert_eq!(chosen(&nothing, Wanted::Previous), Err(ChooseError::Nothing));
    }
}
