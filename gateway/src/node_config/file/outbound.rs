//! `outbound:` of `node.yaml`: what functions may call.

use std::{fmt, str::FromStr};

use headgate_outbound::{Config, Policy, policy::Rule};
use serde::Deserialize;

use super::{Reader, Text};
use crate::node_config::defaults;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OutboundFile {
    allow: Vec<Text>,
    deny: Vec<Text>,
    ports: Option<Vec<Text>>,
    roots: Option<Text>,
}

impl Reader<'_> {
    pub(super) fn outbound(&mut self, file: OutboundFile) -> Config {
        let default = Policy::default();
        let ports = file.ports.map_or(default.ports, |ports| {
            self.list(ports, "write a port such as `443`, or a range such as `1024-65535`")
        });
        Config {
            policy: Policy { allow: self.rules(file.allow), deny: self.rules(file.deny), ports },
            roots: self.secret(file.roots),
        }
    }

    fn rules(&mut self, written: Vec<Text>) -> Vec<Rule> {
        self.list(
            written,
            "write a network (`10.1.0.0/16`), an address (`10.1.2.3`) or a host (`api.internal`, \
             `*.internal`), with a port behind it (`10.1.2.3:8080`) for that port alone",
        )
    }

    fn list<T: FromStr<Err: fmt::Display>>(&mut self, written: Vec<Text>, help: &str) -> Vec<T> {
        if let Some(extra) = written.get(defaults::MOST_OUTBOUND_RULES) {
            self.mistake(
                extra,
                format!("a list here has at most {} entries", defaults::MOST_OUTBOUND_RULES),
                "write fewer and larger networks".to_owned(),
            );
        }
        written.iter().filter_map(|text| self.parsed(text, str::parse, help)).collect()
    }
}
