//! `outbound:` of `node.yaml`: what functions may call.

use std::{fmt, str::FromStr};

use headgate_outbound::{
    Config, Policy,
    policy::{Ports, Rule},
};
use headgate_project::schema::Fields;

use super::Reader;
use crate::node_config::defaults;

impl Reader<'_> {
    pub(super) fn outbound(&mut self, file: &Fields) -> Config {
        let (allow, deny) = (self.rules(file, "allow"), self.rules(file, "deny"));
        let help = "write a port such as `443`, or a range such as `1024-65535`";
        let ports = self.values::<Ports>(file, "ports", help);
        let ports = ports.unwrap_or_else(|| Policy::default().ports);
        let roots = self.secret(file.text("roots").value());
        Config { policy: Policy { allow, deny, ports }, roots }
    }

    fn rules(&mut self, file: &Fields, key: &str) -> Vec<Rule> {
        let help = "write a network (`10.1.0.0/16`), an address (`10.1.2.3`) or a host (`api.internal`, \
                    `*.internal`), with a port behind it (`10.1.2.3:8080`) for that port alone";
        self.values(file, key, help).unwrap_or_default()
    }

    /// The items of a list, each parsed where it stands; `None` if there is no list.
    fn values<T: FromStr<Err: fmt::Display>>(
        &mut self,
        file: &Fields,
        key: &str,
        help: &str,
    ) -> Option<Vec<T>> {
        let written = file.list(key).value()?.value;
        if let Some(extra) = written.get(defaults::MOST_OUTBOUND_RULES) {
            let message =
                format!("a list here has at most {} entries", defaults::MOST_OUTBOUND_RULES);
            self.mistake(extra, message, "write fewer and larger networks");
        }
        let mut values = Vec::with_capacity(written.len());
        for text in written {
            match text.value.parse() {
                Ok(value) => values.push(value),
                Err(error) => self.mistake(&text, format!("`{}`: {error}", text.value), help),
            }
        }
        Some(values)
    }
}
