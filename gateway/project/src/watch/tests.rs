use std::{fs, os::unix::fs::symlink};

use super::*;

/// Far longer than any change takes to be noticed; only a failing test waits for it.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long nothing has to come until we believe that nothing comes.
const SILENCE: Duration = Duration::from_millis(500);

struct Fixture {
    dir: tempfile::TempDir,
    changes: Receiver<()>,
    _watch: FolderWatch,
}

impl Fixture {
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        Self::with(prepare, FolderWatch::new)
    }

    fn with(
        prepare: impl FnOnce(&Path),
        watch: impl FnOnce(&Path, Box<dyn FnMut() + Send>) -> Result<FolderWatch, WatchFolderError>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let (sender, changes) = sync_channel(100);
        let changed = Box::new(move || {
            let _full = sender.try_send(());
        });
        let watch = watch(dir.path(), changed).unwrap();
        Self { dir, changes, _watch: watch }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Waits for a change and for the calm after it.
    fn expect_change(&self, what: &str) {
        self.changes.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("not noticed: {what}"));
        while self.changes.recv_timeout(MAX_WAIT).is_ok() {}
    }

    fn expect_silence(&self, what: &str) {
        self.expect_nothing_for(SILENCE, what);
    }

    fn expect_nothing_for(&self, time: Duration, what: &str) {
        assert!(self.changes.recv_timeout(time).is_err(), "woken by {what}");
    }
}

/// One set of checks, whether the kernel tells us or we look.
fn check_notices(fixture: &Fixture) {
    fs::write(fixture.path("a/file"), "changed, and of another length").unwrap();
    fixture.expect_change("a write");
    fs::write(fixture.path("a/new"), "1").unwrap();
    fixture.expect_change("a new file");
    fs::write(fixture.path("a/.file.tmp"), "saved as editors do").unwrap();
    fs::rename(fixture.path("a/.file.tmp"), fixture.path("a/file")).unwrap();
    fixture.expect_change("a file renamed over another");
    fs::remove_file(fixture.path("a/new")).unwrap();
    fixture.expect_change("a removed file");
    fs::create_dir_all(fixture.path("b/c")).unwrap();
    fs::write(fixture.path("b/c/file"), "1").unwrap();
    fixture.expect_change("a new folder with a file");
    fs::write(fixture.path("b/c/other"), "1").unwrap();
    fixture.expect_change("another file in a new folder");
    fs::rename(fixture.path("b"), fixture.path("d")).unwrap();
    fixture.expect_change("a renamed folder");
    fs::write(fixture.path("d/c/file"), "22").unwrap();
    fixture.expect_change("a write in a renamed folder");
}

fn one_file(dir: &Path) {
    fs::create_dir(dir.join("a")).unwrap();
    fs::write(dir.join("a/file"), "1").unwrap();
}

#[test]
fn changes_are_noticed() {
    check_notices(&Fixture::new(one_file));
}

#[test]
fn changes_are_noticed_by_looking() {
    let often = Duration::from_millis(20);
    let fixture = Fixture::with(one_file, |dir, changed| FolderWatch::looking(dir, often, changed));
    check_notices(&fixture);
    fixture.expect_silence("nothing");
}

#[test]
fn a_folder_removed_and_made_again_is_still_watched() {
    let fixture = Fixture::new(one_file);
    fs::remove_dir_all(fixture.path("a")).unwrap();
    fs::create_dir(fixture.path("a")).unwrap();
    fixture.expect_change("a folder made again");
    fs::write(fixture.path("a/file"), "1").unwrap();
    fixture.expect_change("a file in a folder made again");
}

#[test]
fn what_is_not_part_of_the_project_wakes_nobody() {
    let fixture = Fixture::new(|dir| {
        one_file(dir);
        for folder in [".git/refs", "node_modules/x", "target/debug", ".idea"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        fs::write(dir.join("target/CACHEDIR.TAG"), "").unwrap();
        fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main").unwrap();
    });
    for file in [".git/index", ".git/refs/main", "node_modules/x/y", "target/debug/z", ".idea/w"] {
        fs::write(fixture.path(file), "1").unwrap();
    }
    fs::read(fixture.path("a/file")).unwrap();
    fixture.expect_silence("tools and reading");
    fs::write(fixture.path(".git/HEAD"), "ref: refs/heads/next").unwrap();
    fixture.expect_change("another branch");
    fs::write(fixture.path(".env"), "A=1").unwrap();
    fixture.expect_change("a hidden file");
}

#[test]
fn what_editors_write_for_themselves_wakes_nobody() {
    let fixture = Fixture::new(one_file);
    for file in ["4913", ".file.swp", "file~", "#file#", "file___jb_tmp___", "file.vsctmp"] {
        fs::write(fixture.path(&format!("a/{file}")), "mine").unwrap();
    }
    symlink("nobody@nowhere.1", fixture.path("a/.#file")).unwrap();
    fs::remove_file(fixture.path("a/4913")).unwrap();
    fixture.expect_silence("an editor's own files");
}

#[test]
fn a_file_saved_by_renaming_is_one_change_however_the_editor_does_it() {
    let fixture = Fixture::new(one_file);
    let (file, at) = (fixture.path("a/file"), |name: &str| fixture.path(&format!("a/{name}")));
    fs::rename(&file, at("file~")).unwrap();
    fs::write(&file, "by vim").unwrap();
    fs::remove_file(at("file~")).unwrap();
    fixture.expect_change("vim's save");
    fs::write(at("file___jb_tmp___"), "by a JetBrains editor").unwrap();
    fs::rename(&file, at("file___jb_old___")).unwrap();
    fs::rename(at("file___jb_tmp___"), &file).unwrap();
    fs::remove_file(at("file___jb_old___")).unwrap();
    fixture.expect_change("a JetBrains editor's save");
    fs::write(at("file.vsctmp"), "by VS Code").unwrap();
    fs::rename(at("file.vsctmp"), &file).unwrap();
    fixture.expect_change("VS Code's atomic save");
    fs::write(at("file"), "in place").unwrap();
    fixture.expect_change("a write in place");
}

#[test]
fn a_folder_moved_away_and_replaced_is_still_watched() {
    let fixture = Fixture::new(|dir| {
        one_file(dir);
        fs::create_dir(dir.join("next")).unwrap();
        fs::write(dir.join("next/file"), "2").unwrap();
    });
    fs::rename(fixture.path("a"), fixture.path("old")).unwrap();
    fs::rename(fixture.path("next"), fixture.path("a")).unwrap();
    fixture.expect_change("a folder replaced");
    for file in ["a/file", "old/file"] {
        fs::write(fixture.path(file), "333").unwrap();
        fixture.expect_change(file);
    }
}

/// A folder `root`, watched, and beside it another one to put in its place.
fn with_another(watched: impl FnOnce(&Path) -> PathBuf) -> (tempfile::TempDir, Fixture) {
    let place = tempfile::tempdir().unwrap();
    for (folder, content) in [("root", "1"), ("next", "22")] {
        fs::create_dir(place.path().join(folder)).unwrap();
        fs::write(place.path().join(folder).join("file"), content).unwrap();
    }
    let dir = watched(place.path());
    let fixture = Fixture::with(|_| {}, |_, changed| FolderWatch::new(&dir, changed));
    (place, fixture)
}

#[test]
fn a_root_moved_away_and_replaced_is_watched_in_its_place() {
    let (place, fixture) = with_another(|place| place.join("root"));
    fs::rename(place.path().join("root"), place.path().join("old")).unwrap();
    fs::rename(place.path().join("next"), place.path().join("root")).unwrap();
    fixture.expect_change("another root");
    fs::write(place.path().join("root/file"), "333").unwrap();
    fixture.expect_change("a write in the new root");
    fs::write(place.path().join("old/file"), "333").unwrap();
    fixture.expect_silence("the old root");

    fs::remove_dir_all(place.path().join("root")).unwrap();
    fixture.expect_change("a root that is gone");
    fs::create_dir(place.path().join("root")).unwrap();
    fixture.expect_change("a root that is back");
    fs::write(place.path().join("root/file"), "1").unwrap();
    fixture.expect_change("a write in the root that is back");
}

#[test]
fn a_link_that_is_turned_to_another_folder_is_followed() {
    let (place, fixture) = with_another(|place| {
        symlink("root", place.join("current")).unwrap();
        place.join("current")
    });
    symlink("next", place.path().join("turned")).unwrap();
    fs::rename(place.path().join("turned"), place.path().join("current")).unwrap();
    fixture.expect_change("a link that leads elsewhere");
    fs::write(place.path().join("next/file"), "333").unwrap();
    fixture.expect_change("a write where it leads now");
}

#[test]
fn while_git_writes_nobody_is_told() {
    let fixture = Fixture::new(|dir| {
        one_file(dir);
        fs::create_dir(dir.join(".git")).unwrap();
    });
    fs::write(fixture.path(".git/index.lock"), "").unwrap();
    for n in 0..10 {
        fs::write(fixture.path("a/file"), "x".repeat(n)).unwrap();
        fixture.expect_nothing_for(Duration::from_millis(60), "a file written by Git");
    }
    fs::rename(fixture.path(".git/index.lock"), fixture.path(".git/index")).unwrap();
    fs::write(fixture.path(".git/HEAD"), "ref: refs/heads/next").unwrap();
    fixture.changes.recv_timeout(DEADLINE).unwrap();
    fixture.expect_silence("the same switch once more");
}

#[test]
fn a_lock_that_git_left_behind_delays_one_change_only() {
    let fixture = Fixture::new(|dir| {
        one_file(dir);
        fs::create_dir(dir.join(".git")).unwrap();
        fs::write(dir.join(".git/index.lock"), "").unwrap();
    });
    fs::write(fixture.path("a/file"), "22").unwrap();
    fixture.expect_change("a change while the lock is there");
    fs::write(fixture.path("a/file"), "333").unwrap();
    let soon = GIT_IDLE / 2;
    assert!(fixture.changes.recv_timeout(soon).is_ok(), "the lock is waited for again");
}

#[test]
fn a_burst_of_writes_is_reported_few_times() {
    let fixture = Fixture::new(one_file);
    for n in 0..500 {
        fs::write(fixture.path(&format!("a/{n}")), "1").unwrap();
    }
    fixture.changes.recv_timeout(DEADLINE).unwrap();
    let mut more = 0;
    while fixture.changes.recv_timeout(SILENCE).is_ok() {
        more += 1;
    }
    assert!(more < 50, "{more} more reports for 500 writes");
}

#[test]
fn more_events_than_fit_are_one_change() {
    let dir = tempfile::tempdir().unwrap();
    let (queue, signals) = sync_channel(1);
    let flags = Arc::<Flags>::default();
    let mut events = Events { queue, flags: Arc::clone(&flags) };
    let folders = WatchedFolders::watch(dir.path(), events.clone()).unwrap();
    for _ in 0..5 {
        events.handle_event(Ok(Event::new(notify::EventKind::Any)));
    }
    let (root, git) = (Root::of(dir.path()), GitLock::of(dir.path()));
    let mut worker = Worker { root, folders, git, signals, flags, changed: || {} };
    let signal = worker.signals.recv().unwrap();
    assert!(worker.take(&signal), "lost events count as a change");
}

#[test]
fn a_folder_that_is_not_there_cannot_be_watched() {
    let refused = FolderWatch::new(Path::new("/nonexistent"), || {});
    assert!(matches!(refused, Err(WatchFolderError::Folder { .. })));
}

#[test]
fn nothing_is_reported_after_the_drop() {
    let fixture = Fixture::new(one_file);
    let Fixture { dir, changes, _watch } = fixture;
    drop(_watch);
    fs::write(dir.path().join("a/file"), "2").unwrap();
    assert_eq!(changes.recv_timeout(DEADLINE), Err(RecvTimeoutError::Disconnected));
}
