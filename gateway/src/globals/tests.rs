//! Values in memory and on their way to the disk.

use headgate_store::globals::Change;
use headgate_types::{Branch, ProjectName};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    memory::{CAPACITY, VALUES},
    *,
};

struct Owner {
    project: ProjectName,
    branch: Branch,
}

impl Owner {
    fn new(project: &str, branch: &str) -> Self {
        Self { project: project.parse().unwrap(), branch: Branch::new(branch) }
    }

    fn global<'a>(&'a self, name: &'a str) -> Global<'a> {
        let (project, branch) = (&self.project, &self.branch);
        Global { project, branch, application: None, function: None, name: name.as_bytes() }
    }

    fn space(&self) -> Space {
        Space { project: self.project.clone(), branch: self.branch.clone() }
    }
}

fn open(folder: &Path) -> (Arc<NodeGlobals>, GlobalsWriter) {
    NodeGlobals::open(folder, Metrics::register(&mut Registry::default())).unwrap()
}

/// A node's values and their writer, in a folder that outlives them.
struct Running {
    globals: Arc<NodeGlobals>,
    stop: CancellationToken,
    writer: JoinHandle<()>,
}

impl Running {
    fn open(folder: &Path) -> Self {
        let (globals, writer) = open(folder);
        let stop = CancellationToken::new();
        let writer = tokio::spawn(writer.run(stop.clone()));
        Self { globals, stop, writer }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.writer.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_put_answered_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Owner::new("shop", "main");
    let running = Running::open(folder.path());
    for n in 0..3u8 {
        running.globals.put(&shop.global("n"), vec![n].into()).await.unwrap();
    }
    assert_eq!(running.globals.value_or_create(&shop.global("new")).await, Ok(None));
    // As after a kill: nothing is written any more, and nobody is told.
    running.writer.abort();
    _ = running.writer.await;
    drop(running.globals);

    let (globals, _writer) = open(folder.path());
    assert_eq!(globals.value(&shop.global("n")).await, Ok(Some(vec![2].into())));
    assert_eq!(globals.value_or_create(&shop.global("new")).await, Ok(Some(Bytes::new())));
    assert_eq!(globals.value(&shop.global("other")).await, Ok(None));
}

#[tokio::test]
async fn projects_branches_applications_and_functions_do_not_see_each_others_values() {
    let globals = NodeGlobals::in_memory();
    let owners = [("shop", "main"), ("shop", "next"), ("shops", "main")]
        .map(|(project, branch)| Owner::new(project, branch));
    let all = owners.iter().flat_map(|owner| {
        [(None, None), (Some("a"), None), (None, Some("a")), (Some("a"), Some("a"))]
            .map(|(application, function)| Global { application, function, ..owner.global("name") })
    });
    for (nth, global) in (0..).zip(all.clone()) {
        assert_eq!(globals.value(&global).await, Ok(None), "{global:?}");
        globals.put(&global, vec![nth].into()).await.unwrap();
    }
    for (nth, global) in (0..).zip(all) {
        assert_eq!(globals.value(&global).await, Ok(Some(vec![nth].into())), "{global:?}");
    }
}

#[tokio::test]
async fn a_flood_of_puts_is_few_batches() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Owner::new("shop", "main");
    let Running { globals, stop, writer } = Running::open(folder.path());
    let puts = (0..200u8).map(|n| {
        let (globals, shop) = (&globals, &shop);
        async move { globals.put(&shop.global(&n.to_string()), Bytes::new()).await.unwrap() }
    });
    futures::future::join_all(puts).await;
    let batches = globals.written.borrow().durable;
    assert!((1..=2).contains(&batches), "{batches}");
    Running { globals, stop, writer }.stop().await;
    let (globals, _writer) = open(folder.path());
    for n in 0..200u8 {
        assert_eq!(globals.value(&shop.global(&n.to_string())).await, Ok(Some(Bytes::new())));
    }
}

#[tokio::test]
async fn a_full_project_keeps_what_it_has_and_leaves_others_their_room() {
    let globals = NodeGlobals::in_memory();
    let (shop, other) = (Owner::new("shop", "main"), Owner::new("other", "main"));
    let full = Err(GlobalsError::Full { values: VALUES, bytes: CAPACITY });
    let large = Bytes::from(vec![1; CAPACITY - 1]);
    globals.put(&shop.global("a"), large.clone()).await.unwrap();
    // Names count as well.
    assert_eq!(globals.put(&shop.global("b"), Bytes::new()).await, full);
    assert_eq!(globals.value_or_create(&shop.global("b")).await.map(drop), full);
    assert_eq!(globals.put(&shop.global("a"), vec![1; CAPACITY].into()).await, full);
    assert_eq!(globals.value(&shop.global("a")).await, Ok(Some(large.clone())));
    globals.put(&other.global("a"), large).await.unwrap();

    globals.put(&shop.global("a"), Bytes::new()).await.unwrap();
    for n in 1..VALUES {
        globals.put(&shop.global(&n.to_string()), Bytes::new()).await.unwrap();
    }
    assert_eq!(globals.put(&shop.global("b"), Bytes::new()).await, full);
    globals.put(&shop.global("a"), Bytes::from_static(b"still")).await.unwrap();
}

#[tokio::test]
async fn values_of_a_forgotten_project_are_gone_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, other) = (Owner::new("shop", "main"), Owner::new("other", "main"));
    let running = Running::open(folder.path());
    for owner in [&shop, &other] {
        running.globals.put(&owner.global("n"), Bytes::from_static(b"1")).await.unwrap();
    }
    running.globals.retain(&HashSet::from([other.space()]));
    assert_eq!(running.globals.value(&shop.global("n")).await, Ok(None));
    running.stop().await;
    let running = Running::open(folder.path());
    assert_eq!(running.globals.value(&shop.global("n")).await, Ok(None));
    assert!(running.globals.value(&other.global("n")).await.unwrap().is_some());
    running.stop().await;
}

#[test]
fn a_batch_that_was_not_written_is_part_of_the_next() {
    let mut memory = Memory::default();
    let (shop, other) = (Owner::new("shop", "main"), Owner::new("other", "main"));
    let cell = |name: &str| place(&shop.global(name)).1;
    let put = |memory: &mut Memory, name: &str, value: &'static [u8]| {
        memory.put(shop.space(), cell(name), Bytes::from_static(value)).unwrap()
    };
    put(&mut memory, "lost", b"1");
    memory.retain(&HashSet::from([other.space()]));
    assert_eq!(put(&mut memory, "a", b"1"), 1);
    let first = memory.next_batch().unwrap();
    assert_eq!(put(&mut memory, "b", b"2"), 2);
    assert_eq!(put(&mut memory, "a", b"3"), 2);
    memory.take_back(first);

    let next = memory.next_batch().unwrap();
    assert_eq!(next.number, 2);
    let written: Vec<_> = (next.changes.iter())
        .map(|change| match change {
            Change::Clear { .. } => "cleared".to_owned(),
            Change::Put { cell, value, .. } => {
                let name = String::from_utf8_lossy(&cell.name);
                format!("{name}={}", String::from_utf8_lossy(value))
            }
        })
        .collect();
    assert_eq!(written[0], "cleared", "before anything is put");
    assert_eq!(written[1..].iter().collect::<HashSet<_>>().len(), 2);
    assert!(written.contains(&"a=3".to_owned()) && written.contains(&"b=2".to_owned()));
    assert!(memory.next_batch().is_none());
}
