//! Records of a project's domain, as a zone takes them.

use headgate_dns::{Name, RData, rdata};
use headgate_types::{DomainName, RecordData, record::strings};

use super::{DomainRecord, alias_targets::Found};
use crate::manifest::RecordEntry;

/// The records of a domain as its zone takes them; an ALIAS as the addresses that its target has.
///
/// What the project's reader let pass has nothing that a zone refuses.
pub(super) fn records(entries: &[RecordEntry], targets: &Found) -> Vec<DomainRecord> {
    let mut records = Vec::new();
    for RecordEntry { name, ttl, data } in entries {
        let owner = absolute(&name.to_string());
        let mut add = |data| records.push(DomainRecord { owner: owner.clone(), ttl: *ttl, data });
        match (data, rdata(data)) {
            (RecordData::Alias(target), _) => {
                let addresses = targets.get(target).into_iter().flatten();
                addresses.for_each(|address| add(RData::from(*address)));
            }
            (_, Some(data)) => add(data),
            (_, None) => {}
        }
    }
    records
}

/// The names with an ALIAS, whose addresses are never this node's, and their targets.
pub(super) fn aliases(entries: &[RecordEntry]) -> impl Iterator<Item = (Name, &DomainName)> {
    entries.iter().filter_map(|entry| match &entry.data {
        RecordData::Alias(target) => Some((absolute(&entry.name.to_string()), target)),
        _ => None,
    })
}

/// `None` for an ALIAS, which is no record of DNS.
fn rdata(data: &RecordData) -> Option<RData> {
    Some(match data {
        RecordData::Alias(_) => return None,
        RecordData::A(address) => RData::A((*address).into()),
        RecordData::Aaaa(address) => RData::AAAA((*address).into()),
        RecordData::Caa { critical, tag, value } => RData::CAA(caa(*critical, tag, value)),
        RecordData::Cname(target) => RData::CNAME(rdata::CNAME(host(target))),
        RecordData::Mx { preference, exchange } => {
            RData::MX(rdata::MX::new(*preference, host_or_root(exchange.as_ref())))
        }
        RecordData::Ns(server) => RData::NS(rdata::NS(host(server))),
        RecordData::Srv { priority, weight, port, target } => {
            let target = host_or_root(target.as_ref());
            RData::SRV(rdata::SRV::new(*priority, *weight, *port, target))
        }
        RecordData::Txt(text) => {
            RData::TXT(rdata::TXT::new(strings(text).map(str::to_owned).collect()))
        }
    })
}

fn caa(critical: bool, tag: &str, value: &str) -> rdata::CAA {
    let mut caa = rdata::CAA::new_issue(critical, None, Vec::new());
    tag.clone_into(&mut caa.tag);
    caa.value = value.as_bytes().to_vec();
    caa
}

fn host(name: &DomainName) -> Name {
    absolute(name.as_str())
}

fn host_or_root(name: Option<&DomainName>) -> Name {
    name.map_or_else(Name::root, host)
}

fn absolute(name: &str) -> Name {
    let mut name = Name::from_ascii(name).expect("a domain name is a name in DNS");
    name.set_fqdn(true);
    name
}

#[cfg(test)]
mod tests {
    use headgate_dns::{RecordType, Zone, ZoneBuilder, zone_file::ZoneFile};
    use headgate_project::{LoadOptions, load, tree::MemoryTree};
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
    use serde_json::{Value, json};

    use super::*;

    /// The zone of a domain with these records; `None` if its project is refused.
    fn zone(records: &Value, targets: &Found) -> Option<Zone> {
        let domain = json!({"id": "QmD", "fqdn": "example.test", "records": records});
        let tree = MemoryTree::new([
            ("config.yaml", "id: QmP\nname: shop\n".to_owned()),
            ("domains/main.yaml", domain.to_string()),
        ]);
        let project = load(&tree, &LoadOptions::default()).project?;
        let entries = project.domains[0].records.iter().map(|record| RecordEntry {
            name: record.name.clone(),
            ttl: u32::try_from(record.ttl.as_secs()).unwrap(),
            data: record.data.clone(),
        });
        let entries: Vec<_> = entries.collect();
        let origin = absolute("example.test");
        let mut zone = ZoneBuilder::new(&origin);
        let soa = "ns1.edge.test. dns.edge.test. 1 14400 3600 1209600 300";
        zone.add(&origin, 300, &RData::try_from_str(RecordType::SOA, soa).unwrap());
        zone.add(&origin, 300, &RData::NS(rdata::NS(absolute("ns1.edge.test"))));
        for record in super::records(&entries, targets) {
            zone.add(&record.owner, record.ttl, &record.data);
        }
        Some(zone.build().unwrap_or_else(|error| panic!("{error}: {records}")))
    }

    #[test]
    fn every_type_stands_in_the_zone_as_it_was_meant() {
        let records = json!([
            {"name": "@", "type": "ALIAS", "value": "pages.example.net", "ttl": "1m"},
            {"name": "@", "type": "CAA", "value": "128 issue \"ca.test; a=b\""},
            {"name": "@", "type": "MX", "value": ["0 .", "10 mail.example.net"]},
            {"name": "*.a", "type": "CNAME", "value": "@"},
            {"name": "b", "type": "NS", "value": "ns.b.example.test"},
            {"name": "ns.b", "type": "AAAA", "value": "2001:db8::53"},
            {"name": "_x._tcp", "type": "SRV", "value": "1 2 3 ."},
            {"name": "t", "type": "TXT", "value": format!("{}\"\\", "x".repeat(255))},
        ]);
        let target = "pages.example.net".parse().unwrap();
        let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
        let zone = zone(&records, &[(target, addresses.into())].into()).unwrap();
        let file = ZoneFile(&zone).to_string();
        for line in [
            "example.test.\t60\tIN\tA\t192.0.2.1",
            "example.test.\t60\tIN\tAAAA\t2001:db8::1",
            "example.test.\t300\tIN\tCAA\t128 issue \"ca.test; a=b\"",
            "example.test.\t300\tIN\tMX\t0 .",
            "example.test.\t300\tIN\tMX\t10 mail.example.net.",
            "*.a.example.test.\t300\tIN\tCNAME\texample.test.",
            "b.example.test.\t300\tIN\tNS\tns.b.example.test.",
            "ns.b.example.test.\t300\tIN\tAAAA\t2001:db8::53",
            "_x._tcp.example.test.\t300\tIN\tSRV\t1 2 3 .",
            &format!("t.example.test.\t300\tIN\tTXT\t\"{}\" \"\\\"\\\\\"", "x".repeat(255)),
        ] {
            assert!(file.lines().any(|known| known == line), "{line}\n{file}");
        }
    }

    /// Few names and all types, so that what cannot stand together meets.
    #[test]
    fn what_a_project_may_say_a_zone_takes() {
        let mut random = StdRng::seed_from_u64(0xA11A5);
        let mut pick = |words: &[&str]| words[random.random_range(0..words.len())].to_owned();
        let (mut taken, mut refused) = (0, 0);
        for round in 0..3000 {
            let mut record = |_| {
                let owner = pick(&["@", "a", "b", "*", "ns", "a.b", "*.b", "ns.b", "a.ns.b", "_x"]);
                let (kind, value) =
                    match pick(&["A", "AAAA", "NS", "NS", "TXT", "CNAME", "ALIAS", "MX", "CAA"])
                        .as_str()
                    {
                        "A" => ("A", "192.0.2.1".to_owned()),
                        "AAAA" => ("AAAA", "2001:db8::1".to_owned()),
                        "NS" => (
                            "NS",
                            pick(&[
                                "ns.b.example.test",
                                "ns.example.test",
                                "a.example.test",
                                "ns.example.net",
                            ]),
                        ),
                        "CNAME" => ("CNAME", pick(&["@", "a.example.test", "x.example.net"])),
                        "ALIAS" => ("ALIAS", pick(&["a.example.test", "x.example.net"])),
                        "MX" => ("MX", pick(&["0 .", "5 a.example.test"])),
                        "CAA" => ("CAA", pick(&["0 issue ca.test", "0 iodef mailto:a@b.test."])),
                        _ => ("TXT", pick(&["x", "y"])),
                    };
                json!({"name": owner, "type": kind, "value": value, "ttl": pick(&["5m", "5m", "5m", "1h"])})
            };
            let records = (0..1 + round % 6).map(&mut record).collect();
            match zone(&records, &Found::new()) {
                Some(_) => taken += 1,
                None => refused += 1,
            }
        }
        assert!(taken > 300 && refused > 300, "{taken} taken, {refused} refused");
    }
}
