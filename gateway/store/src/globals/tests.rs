use super::*;

fn put(project: &str, branch: &str, name: &str, value: &'static [u8]) -> Change {
    let space = Space { project: project.parse().unwrap(), branch: Branch::new(branch) };
    let cell = Cell { application: "".into(), function: "".into(), name: name.as_bytes().into() };
    Change::Put { space, cell, value: Bytes::from_static(value) }
}

/// `project@branch name=value`, sorted.
fn listed(globals: &Globals) -> Vec<String> {
    let mut lines: Vec<_> = (globals.all().unwrap().into_iter())
        .map(|Kept { space, cell, value }| {
            let (name, value) =
                (String::from_utf8_lossy(&cell.name), String::from_utf8_lossy(&value));
            format!("{}@{} {name}={value}", space.project, space.branch.as_str())
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn what_was_written_is_there_after_opening_anew_each_space_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let globals = Globals::open(dir.path()).unwrap();
    globals.write(&[put("shop", "main", "n", b"1"), put("shop", "next", "n", b"2")]).unwrap();
    globals.write(&[put("shop", "main", "n", b"3"), put("shops", "main", "n", b"")]).unwrap();
    drop(globals);
    let globals = Globals::open(dir.path()).unwrap();
    assert_eq!(listed(&globals), ["shop@main n=3", "shop@next n=2", "shops@main n="]);

    let Change::Put { space, .. } = put("shop", "main", "", b"") else { unreachable!() };
    globals.write(&[Change::Clear { space }, put("shop", "main", "m", b"4")]).unwrap();
    assert_eq!(listed(&globals), ["shop@main m=4", "shop@next n=2", "shops@main n="]);
}

#[test]
fn applications_and_functions_have_values_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let globals = Globals::open(dir.path()).unwrap();
    let space = Space { project: "shop".parse().unwrap(), branch: Branch::new("main") };
    // None of these may be taken for another, however names are put together.
    let owners = [("", ""), ("a", ""), ("", "a"), ("a", "b"), ("b", "a")];
    let changes: Vec<_> = (owners.into_iter().enumerate())
        .map(|(nth, (application, function))| Change::Put {
            space: space.clone(),
            cell: Cell {
                application: application.into(),
                function: function.into(),
                name: (*b"n").into(),
            },
            value: vec![u8::try_from(nth).unwrap()].into(),
        })
        .collect();
    globals.write(&changes).unwrap();
    assert_eq!(globals.all().unwrap().len(), owners.len());
    for change in changes {
        let Change::Put { space, cell, value } = change else { unreachable!() };
        assert!(globals.all().unwrap().contains(&Kept { space, cell, value }));
    }
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Globals::open(dir.path()).unwrap());
    let path = dir.path().join("globals.redb");
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", table::SCHEMA + 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Globals::open(dir.path()).unwrap_err();
    assert!(matches!(error, GlobalsError::NewerSchema { found: 2, known: 1, .. }), "{error:?}");
}

#[test]
fn a_file_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("globals.redb"), "no database").unwrap();
    let error = Globals::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("globals.redb"), "{error}");
}
