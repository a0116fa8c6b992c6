use std::{str::FromStr as _, sync::Arc};

use headgate_dns::{RecordType, ZoneFile};

use super::*;
use crate::zones::{DomainRecord, Naming, OperatorZone, ProjectDomain};

fn absolute(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

fn operator() -> Naming {
    Naming {
        zone: Some(OperatorZone {
            origin: absolute("edge.example.org."),
            nameservers: vec![absolute("ns1.edge.example.org."), absolute("ns.example.net.")],
            contact: absolute("hostmaster.edge.example.org."),
            issuer: None,
        }),
        addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
    }
}

fn domain(project: &str, host: &str) -> ProjectDomain {
    ProjectDomain {
        host: host.parse().unwrap(),
        project: project.parse().unwrap(),
        records: Vec::new(),
        aliased: Vec::new(),
    }
}

fn record(owner: &str, kind: RecordType, data: &str) -> DomainRecord {
    DomainRecord {
        owner: absolute(owner),
        ttl: 300,
        data: RData::try_from_str(kind, data).unwrap(),
    }
}

fn names(naming: Naming, hosts: &[&str], domains: Vec<ProjectDomain>) -> Names {
    let shops = |host: &&str| (host.parse().unwrap(), "shop".parse().unwrap());
    let hosts = hosts.iter().map(shops).collect();
    Names { naming: Arc::new(naming), hosts, domains }
}

/// The zone as a file, columns apart by spaces.
fn file(drafts: &[Draft], origin: &str) -> String {
    let draft = drafts.iter().find(|draft| draft.origin == absolute(origin));
    let draft = draft.unwrap_or_else(|| panic!("no {origin}"));
    ZoneFile(&draft.build(Serial::new(7)).unwrap()).to_string().replace('\t', " ")
}

fn origins(drafts: &[Draft]) -> Vec<String> {
    drafts.iter().map(|draft| draft.origin.to_string()).collect()
}

fn without_problems(names: &Names) -> Vec<Draft> {
    let (drafts, problems) = draft(names);
    assert_eq!(problems, []);
    drafts
}

#[test]
fn the_operators_zone_has_its_servers_and_the_hosts_of_projects() {
    let naming = operator();
    let hosts = ["shop.edge.example.org", "api.shop.edge.example.org", "*.shop.edge.example.org"];
    let drafts = without_problems(&names(naming, &hosts, Vec::new()));
    assert_eq!(
        file(&drafts, "edge.example.org."),
        "\
edge.example.org. 60 IN SOA ns1.edge.example.org. hostmaster.edge.example.org. 7 14400 3600 1209600 300
edge.example.org. 300 IN A 192.0.2.1
edge.example.org. 3600 IN NS ns.example.net.
edge.example.org. 3600 IN NS ns1.edge.example.org.
edge.example.org. 300 IN AAAA 2001:db8::1
*.edge.example.org. 300 IN A 192.0.2.1
*.edge.example.org. 300 IN AAAA 2001:db8::1
ns1.edge.example.org. 3600 IN A 192.0.2.1
ns1.edge.example.org. 3600 IN AAAA 2001:db8::1
shop.edge.example.org. 300 IN A 192.0.2.1
shop.edge.example.org. 300 IN AAAA 2001:db8::1
*.shop.edge.example.org. 300 IN A 192.0.2.1
*.shop.edge.example.org. 300 IN AAAA 2001:db8::1
api.shop.edge.example.org. 300 IN A 192.0.2.1
api.shop.edge.example.org. 300 IN AAAA 2001:db8::1
"
    );
}

#[test]
fn only_the_authority_that_is_used_may_certify_the_operators_zone() {
    let mut naming = operator();
    naming.zone.as_mut().unwrap().issuer = Some("letsencrypt.org");
    let drafts = without_problems(&names(naming, &[], Vec::new()));
    let text = file(&drafts, "edge.example.org.");
    assert!(text.contains("edge.example.org. 3600 IN CAA 0 issue \"letsencrypt.org\"\n"), "{text}");
}

#[test]
fn a_projects_domains_are_one_zone_where_one_is_below_the_other() {
    let domains = vec![
        domain("shop", "example.com"),
        domain("shop", "*.api.example.com"),
        domain("shop", "www.example.com"),
        domain("shop", "shop.test"),
    ];
    let drafts = without_problems(&names(operator(), &[], domains));
    assert_eq!(origins(&drafts), ["example.com.", "edge.example.org.", "shop.test."]);
    let text = file(&drafts, "example.com.");
    assert!(
        text.starts_with(
            "example.com. 60 IN SOA ns1.edge.example.org. hostmaster.edge.example.org. 7 "
        ),
        "{text}"
    );
    for line in [
        "example.com. 3600 IN NS ns1.edge.example.org.\n",
        "example.com. 300 IN A 192.0.2.1\n",
        "www.example.com. 300 IN AAAA 2001:db8::1\n",
        "*.api.example.com. 300 IN A 192.0.2.1\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("\napi.example.com."), "only what is served has an address: {text}");
}

#[test]
fn without_a_zone_of_the_operator_each_domain_has_servers_of_its_own() {
    let naming = Naming { zone: None, addresses: vec!["192.0.2.1".parse().unwrap()] };
    let drafts = without_problems(&names(naming, &[], vec![domain("shop", "example.com")]));
    let text = file(&drafts, "example.com.");
    assert!(text.contains("IN SOA ns1.example.com. hostmaster.example.com. "), "{text}");
    assert!(text.contains("ns2.example.com. 3600 IN A 192.0.2.1\n"), "{text}");
}

#[test]
fn domains_in_the_operators_zone_are_part_of_it() {
    let domains = vec![
        domain("shop", "www.edge.example.org"),
        domain("shop", "shop.edge.example.org"),
        domain("blog", "deep.www.edge.example.org"),
    ];
    let drafts = without_problems(&names(operator(), &["shop.edge.example.org"], domains));
    assert_eq!(origins(&drafts), ["edge.example.org."]);
    let text = file(&drafts, "edge.example.org.");
    assert_eq!(text.matches("\nshop.edge.example.org. 300 IN A ").count(), 1, "{text}");
    assert!(text.contains("deep.www.edge.example.org. 300 IN A "), "{text}");
}

#[test]
fn zones_delegate_to_those_of_others_below_them() {
    let domains = vec![
        domain("one", "example.org"),
        domain("one", "a.b.example.org"),
        domain("two", "b.example.org"),
    ];
    let drafts = without_problems(&names(operator(), &[], domains));
    assert_eq!(
        origins(&drafts),
        ["example.org.", "b.example.org.", "a.b.example.org.", "edge.example.org."]
    );
    let text = file(&drafts, "example.org.");
    for line in [
        "b.example.org. 3600 IN NS ns.example.net.\n",
        "edge.example.org. 3600 IN NS ns1.edge.example.org.\n",
        "ns1.edge.example.org. 3600 IN A 192.0.2.1\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("\na.b.example.org."), "that is the next zone's affair: {text}");
    assert!(file(&drafts, "b.example.org.").contains("\na.b.example.org. 3600 IN NS "));

    let alone = Naming { zone: None, ..operator() };
    let domains = vec![domain("one", "example.org"), domain("two", "b.example.org")];
    let text = file(&without_problems(&names(alone, &[], domains)), "example.org.");
    assert!(text.contains("ns1.b.example.org. 3600 IN A 192.0.2.1\n"), "glue: {text}");
}

#[test]
fn records_stand_beside_the_addresses_or_in_their_place() {
    let mut apex = domain("shop", "example.com");
    apex.records = vec![
        record("example.com.", RecordType::MX, "10 mail.example.com."),
        record("mail.example.com.", RecordType::A, "198.51.100.9"),
        record("www.example.com.", RecordType::CNAME, "pages.example.net."),
    ];
    let drafts =
        without_problems(&names(operator(), &[], vec![apex, domain("shop", "www.example.com")]));
    let text = file(&drafts, "example.com.");
    assert!(text.contains("example.com. 300 IN MX 10 mail.example.com.\n"), "{text}");
    assert!(text.contains("example.com. 300 IN A 192.0.2.1\n"), "{text}");
    assert!(text.contains("www.example.com. 300 IN CNAME pages.example.net.\n"), "{text}");
}

#[test]
fn a_domain_with_a_fault_takes_no_other_zone_along() {
    let mut wrong = domain("two", "b.example");
    wrong.records = vec![
        record("x.b.example.", RecordType::CNAME, "one.example."),
        record("x.b.example.", RecordType::TXT, "beside it"),
    ];
    let (drafts, problems) =
        draft(&names(operator(), &[], vec![domain("one", "a.example"), wrong]));
    assert_eq!(origins(&drafts), ["a.example.", "edge.example.org."]);
    assert_eq!(problems.len(), 1);
    assert_eq!(
        (&*problems[0].zone, problems[0].project.as_ref().unwrap().as_str()),
        ("b.example.", "two")
    );
    assert!(problems[0].text.starts_with("x.b.example.: an alias (CNAME)"), "{problems:?}");
}

#[test]
fn in_the_operators_zone_a_fault_costs_its_project_alone() {
    let mut wrong = domain("two", "b.edge.example.org");
    wrong.records = vec![
        record("x.b.edge.example.org.", RecordType::CNAME, "one.example."),
        record("x.b.edge.example.org.", RecordType::TXT, "beside it"),
    ];
    let mut right = domain("one", "a.edge.example.org");
    right.records = vec![record("a.edge.example.org.", RecordType::TXT, "here")];
    let (drafts, problems) =
        draft(&names(operator(), &["one.edge.example.org"], vec![right, wrong]));
    assert_eq!(problems.len(), 1);
    let text = file(&drafts, "edge.example.org.");
    assert!(text.contains("a.edge.example.org. 300 IN TXT \"here\"\n"), "{text}");
    assert!(!text.contains("\nb.edge.example.org."), "{text}");
}

#[test]
fn a_record_in_a_zone_of_another_project_is_left_out_and_told() {
    let mut greedy = domain("one", "example.com");
    greedy.records = vec![record("b.example.com.", RecordType::TXT, "mine")];
    let (drafts, problems) =
        draft(&names(operator(), &[], vec![greedy, domain("two", "b.example.com")]));
    assert_eq!(drafts.len(), 3);
    assert!(
        problems[0].text.contains("lies in the zone b.example.com. of another project"),
        "{problems:?}"
    );
}

/// The lines of a zone with this owner.
fn at<'z>(zone: &'z str, owner: &str) -> Vec<&'z str> {
    zone.lines().filter(|line| line.split(' ').next() == Some(owner)).collect()
}

/// What a project called `greedy` is told; nobody else is told anything.
fn texts(problems: &[ZoneProblem]) -> Vec<&str> {
    let greedy = |problem: &ZoneProblem| {
        problem.project.as_ref().is_some_and(|project| project.as_str() == "greedy")
    };
    assert!(problems.iter().all(greedy), "{problems:?}");
    problems.iter().map(|problem| &*problem.text).collect()
}

#[test]
fn in_the_operators_zone_nobody_has_the_names_of_the_node_or_of_other_projects() {
    let mut apex = domain("greedy", "edge.example.org");
    apex.records = vec![
        record("edge.example.org.", RecordType::MX, "10 mail.example.net."),
        record("mail.edge.example.org.", RecordType::A, "198.51.100.66"),
        record("ns1.edge.example.org.", RecordType::A, "198.51.100.66"),
        record("*.edge.example.org.", RecordType::A, "198.51.100.66"),
        record("shop.edge.example.org.", RecordType::A, "198.51.100.66"),
        record("_dmarc.shop.edge.example.org.", RecordType::TXT, "mine"),
        record("deep.shop.edge.example.org.", RecordType::NS, "ns.example.com."),
    ];
    apex.aliased = vec![absolute("blog.edge.example.org.")];
    let mut server = domain("greedy", "ns1.edge.example.org");
    server.records = vec![DomainRecord {
        ttl: 3600,
        ..record("ns1.edge.example.org.", RecordType::A, "198.51.100.67")
    }];
    let blog = domain("blog", "blog.edge.example.org");
    let hosts = ["shop.edge.example.org", "*.shop.edge.example.org"];
    let (drafts, problems) = draft(&names(operator(), &hosts, vec![apex, server, blog]));
    let zone = file(&drafts, "edge.example.org.");
    assert_eq!(zone.matches("198.51.100.6").count(), 1, "{zone}");
    assert_eq!(
        at(&zone, "mail.edge.example.org."),
        ["mail.edge.example.org. 300 IN A 198.51.100.66"]
    );
    assert!(zone.contains("edge.example.org. 300 IN MX 10 mail.example.net.\n"), "{zone}");
    for host in ["shop.edge.example.org.", "blog.edge.example.org.", "ns1.edge.example.org."] {
        assert_eq!(at(&zone, host).len(), 2, "{host} has its addresses: {zone}");
    }
    assert_eq!(at(&zone, "_dmarc.shop.edge.example.org.").len(), 0);
    let told = texts(&problems);
    assert_eq!(told.len(), 6, "{told:?}");
    let has = |text: &str| told.iter().any(|told| told.contains(text));
    assert!(has(
        "the A record at ns1.edge.example.org. is left out: the name belongs to the node itself"
    ));
    assert!(has("the name belongs to the project shop"));
}

#[test]
fn nobody_gives_names_of_others_to_another_server() {
    let mut greedy = domain("greedy", "team.edge.example.org");
    greedy.records = vec![
        record("x.team.edge.example.org.", RecordType::NS, "ns.example.com."),
        record("y.team.edge.example.org.", RecordType::NS, "ns.example.com."),
    ];
    let below = domain("shop", "shop.x.team.edge.example.org");
    let (drafts, problems) = draft(&names(operator(), &[], vec![greedy, below]));
    let zone = file(&drafts, "edge.example.org.");
    assert_eq!(at(&zone, "shop.x.team.edge.example.org.").len(), 2, "{zone}");
    assert_eq!(at(&zone, "x.team.edge.example.org.").len(), 0, "{zone}");
    assert_eq!(
        at(&zone, "y.team.edge.example.org.").len(),
        1,
        "what is its own it may give: {zone}"
    );
    let [text] = texts(&problems)[..] else { panic!("{problems:?}") };
    assert!(
        text.contains("shop.x.team.edge.example.org. below it belongs to the project shop"),
        "{text}"
    );
}

/// The claims do not overlap: nobody is asked for `example.com` by way of `*.example.com`.
#[test]
fn a_name_and_its_wildcard_are_one_zone_whosever_they_are() {
    let mut apex = domain("shop", "example.com");
    apex.records = vec![
        record("example.com.", RecordType::MX, "10 mail.example.net."),
        record("_dmarc.example.com.", RecordType::TXT, "v=DMARC1"),
    ];
    let domains = vec![domain("greedy", "*.example.com"), apex];
    for domains in [domains.clone(), domains.into_iter().rev().collect()] {
        let drafts = without_problems(&names(operator(), &[], domains));
        assert_eq!(origins(&drafts), ["example.com.", "edge.example.org."]);
        let zone = file(&drafts, "example.com.");
        assert_eq!(at(&zone, "example.com.").len(), 6, "{zone}");
        assert_eq!(at(&zone, "*.example.com.").len(), 2, "{zone}");
        assert_eq!(at(&zone, "_dmarc.example.com.").len(), 1, "{zone}");
    }
}

/// Whoever has a domain below a name that was given away has a zone, and takes nothing from the one above.
#[test]
fn a_domain_below_a_delegation_costs_the_zone_above_nothing() {
    let mut above = domain("shop", "example.com");
    above.records = vec![record("dev.example.com.", RecordType::NS, "ns.example.net.")];
    let domains =
        vec![above, domain("shop", "own.dev.example.com"), domain("greedy", "x.dev.example.com")];
    let drafts = without_problems(&names(operator(), &[], domains));
    let zone = file(&drafts, "example.com.");
    assert_eq!(at(&zone, "dev.example.com."), ["dev.example.com. 300 IN NS ns.example.net."]);
    assert!(!zone.contains("own.dev") && !zone.contains("x.dev"), "{zone}");
    assert_eq!(origins(&drafts).len(), 3);
}

#[test]
fn the_addresses_of_name_servers_are_the_nodes_in_a_projects_zone_too() {
    let mut greedy = domain("greedy", "example.com");
    greedy.records = vec![record("ns1.example.com.", RecordType::A, "198.51.100.66")];
    let alone = Naming { zone: None, ..operator() };
    let (drafts, problems) = draft(&names(alone, &[], vec![greedy]));
    let zone = file(&drafts, "example.com.");
    assert_eq!(at(&zone, "ns1.example.com.").len(), 2, "{zone}");
    assert_eq!(texts(&problems).len(), 1);
}

#[test]
fn who_certifies_the_operators_zone_is_not_for_a_project_to_widen() {
    let mut naming = operator();
    naming.zone.as_mut().unwrap().issuer = Some("letsencrypt.org");
    let mut apex = domain("greedy", "edge.example.org");
    apex.records = vec![record("edge.example.org.", RecordType::CAA, "0 issue \"ca.example\"")];
    let (drafts, problems) = draft(&names(naming, &[], vec![apex]));
    let zone = file(&drafts, "edge.example.org.");
    assert_eq!(zone.matches(" IN CAA ").count(), 1, "{zone}");
    assert_eq!(texts(&problems).len(), 1);
}

#[test]
fn faults_of_two_projects_cost_a_third_nothing() {
    let faulty = |project: &str| {
        let mut domain = domain(project, &format!("{project}.edge.example.org"));
        let x = format!("x.{project}.edge.example.org.");
        domain.records =
            vec![record(&x, RecordType::CNAME, "a.example."), record(&x, RecordType::TXT, "y")];
        domain
    };
    let mut right = domain("right", "right.edge.example.org");
    right.records = vec![record("right.edge.example.org.", RecordType::TXT, "here")];
    let (drafts, problems) =
        draft(&names(operator(), &[], vec![faulty("one"), right, faulty("two")]));
    assert_eq!(problems.len(), 2);
    let zone = file(&drafts, "edge.example.org.");
    assert_eq!(at(&zone, "right.edge.example.org.").len(), 3, "{zone}");
    assert_eq!(drafts[0].projects.len(), 1);
}
