//! `headgate check` and `headgate schema`: what is said of a project's files.

use std::{fs, path::Path};

use crate::harness::{Ended, Home, finish, fixture};

#[test]
fn check_passes_a_good_project_and_a_plain_site_and_writes_nothing() {
    let home = Home::new();
    for name in ["shop", "site"] {
        let check = home.run(&["check", &fixture(name)]);
        assert_eq!(check.code, Some(0), "{name}: {check:?}");
        assert_eq!(check.stderr, "", "{name}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn check_shows_every_problem_with_its_place_and_exits_with_1() {
    let check = Home::new().run(&["check", &fixture("broken")]);
    assert_eq!(check.code, Some(1));
    assert!(check.stdout.contains("functions/undefined_domain.yaml:8:11"), "{}", check.stdout);
    assert!(check.stdout.contains("functions/bad_duration.yaml:11:12"), "{}", check.stdout);
    let summary = check.stdout.trim_end().lines().last().unwrap();
    assert!(summary.contains(" errors"), "{summary}");
    assert!(!check.stdout.contains('\x1b'), "no colours into a pipe");
}

#[test]
fn check_speaks_json() {
    let home = Home::new();
    let broken = home.run(&["check", &fixture("broken"), "--output", "json"]);
    assert_eq!(broken.code, Some(1));
    let json = broken.json();
    let diagnostics = json["diagnostics"].as_array().unwrap();
    let errors = diagnostics.iter().filter(|d| d["severity"] == "error").count();
    assert!(errors > 1);
    assert_eq!(json["errors"], errors);
    assert!(diagnostics.iter().all(|d| d["code"].is_string() && d["message"].is_string()));
    let good = home.run(&["--output", "json", "check", &fixture("site")]);
    assert_eq!(good.json()["errors"], 0);
}

#[test]
fn check_speaks_sarif_with_paths_from_the_repositorys_top() {
    let home = Home::new();
    let shop = home.path().join("work/shop");
    fs::create_dir_all(shop.join("functions")).unwrap();
    for file in ["config.yaml", "functions/bad_duration.yaml"] {
        fs::copy(Path::new(&fixture("broken")).join(file), shop.join(file)).unwrap();
    }
    let sarif = |from: &Path, dir: &str| {
        let mut command = home.command(&["check", dir, "--output", "sarif"]);
        finish(command.current_dir(from).spawn().unwrap())
    };
    let broken = sarif(&shop, ".");
    assert_eq!(broken.code, Some(1));
    let run = broken.json()["runs"][0].clone();
    let results = run["results"].as_array().unwrap();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let duration = results.iter().find(|result| result["ruleId"] == "invalid-duration").unwrap();
    let rule = &rules[usize::try_from(duration["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!(rule["id"], "invalid-duration");
    assert!(rule["help"]["text"].as_str().unwrap().contains("1h15m"));
    let physical = &duration["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "functions/bad_duration.yaml");
    let region = &physical["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&11.into(), &12.into()));
    let has = |ended: &Ended, uri: &str| ended.stdout.contains(&format!(r#""uri":"{uri}""#));
    let above = sarif(&shop.join(".."), "shop");
    assert!(has(&above, "shop/functions/bad_duration.yaml"), "{above:?}");
    // In a repository it does not matter where the command runs.
    fs::create_dir(home.path().join(".git")).unwrap();
    for (from, dir) in
        [(&*shop, "."), (&shop.join(".."), "shop"), (Path::new("/"), shop.to_str().unwrap())]
    {
        let ended = sarif(from, dir);
        assert!(has(&ended, "work/shop/functions/bad_duration.yaml"), "{ended:?}");
    }
    let status = home.run(&["status", "--output", "sarif"]);
    assert_eq!((status.code, status.stdout.as_str()), (Some(2), ""));
    assert!(status.stderr.contains("only `headgate check` writes SARIF"), "{}", status.stderr);
}

#[test]
fn check_of_a_folder_that_is_no_project_does_not_read_it() {
    let home = Home::new();
    // Deeper than any project: whoever lists it says so.
    let deep = (0..40).map(|_| "deeper").collect::<Vec<_>>().join("/");
    fs::create_dir_all(home.path().join("elsewhere").join(&deep)).unwrap();
    fs::create_dir_all(home.path().join("elsewhere/shop")).unwrap();
    fs::write(home.path().join("elsewhere/shop/config.yaml"), "name: shop\n").unwrap();
    let ended = home.run(&["check", "elsewhere"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("error[no-project]: there is no project here"), "{ended:?}");
    assert!(ended.stdout.contains("did you mean one of its folders? `shop`"), "{ended:?}");
    fs::write(home.path().join("elsewhere/config.yaml"), "name: all\n").unwrap();
    let listed = home.run(&["check", "elsewhere"]);
    assert!(listed.stderr.contains("more than 32 folders deep"), "{listed:?}");
}

#[test]
fn check_passes_a_repository_that_holds_configuration_alone() {
    let home = Home::new();
    let project = home.path().join("config");
    for (path, text) in [
        ("config.yaml", "id: QmP\nname: p\n"),
        ("domains/main.yaml", "id: QmD\nfqdn: a.example\n"),
        (
            "functions/ping.yaml",
            "id: QmF\ntrigger: {type: http, method: get, paths: [/ping]}\ndomains: [main]\n\
             source: .\nexecution: {timeout: 1s, memory: 32GB, call: ping}\n",
        ),
    ] {
        let file = project.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let check = home.run(&["check", project.to_str().unwrap()]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("warning[code-elsewhere]"), "{}", check.stdout);
    assert!(check.stdout.contains("warning[capped-limit]"), "{}", check.stdout);
}

#[test]
fn check_of_no_folder_is_an_error_on_stderr() {
    let check = Home::new().run(&["check", "nowhere"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(1), ""));
    assert!(
        check.stderr.starts_with("error: cannot open the project folder nowhere\n"),
        "{check:?}"
    );
    assert!(check.stderr.contains("  because: "), "{check:?}");
}

#[test]
fn schema_prints_one_kind_or_all_and_writes_a_file_for_each() {
    let home = Home::new();
    let function = home.run(&["schema", "function"]);
    assert_eq!(function.code, Some(0), "{function:?}");
    assert!(function.json()["properties"]["trigger"]["properties"]["paths"].is_object());
    let all = home.run(&["schema"]).json();
    assert!(all["definitions"]["storage"]["properties"]["streaming"].is_object());
    let folder = home.path().join("schemas");
    let written = home.run(&["schema", "--all", folder.to_str().unwrap()]);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert_eq!(fs::read_to_string(folder.join("function.json")).unwrap(), function.stdout);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 12);
    let unknown = home.run(&["schema", "funktion"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("function"), "{}", unknown.stderr);
}
