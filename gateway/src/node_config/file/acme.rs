//! `tls.acme` of `node.yaml`: the authority that is asked for certificates.

use headgate_project::{
    diagnostic::codes,
    schema::{At, Fields, Text, Written},
};
use http::Uri;

use super::Reader;
use crate::node_config::{AcmeSettings, ExternalAccountFile, Mailbox, defaults};

/// Whether certificates are asked for by ACME.
pub(super) fn is_authority(file: &Fields) -> bool {
    let authority = file.table("tls").text("authority").value();
    authority.is_some_and(|authority| &*authority.value == "acme")
}

impl Reader<'_> {
    pub(super) fn acme(&mut self, file: &Fields) -> Option<AcmeSettings> {
        let tls = file.table("tls");
        if !is_authority(file) {
            if tls.says("acme") {
                self.problem(
                    codes::INVALID_VALUE,
                    tls.place_of("acme"),
                    "`tls.acme` is of no use without its authority",
                    "write `authority: acme` beside it, or remove it",
                );
            }
            return None;
        }
        let acme = tls.table("acme");
        let directory = acme.text("directory").value().and_then(|text| self.directory(&text));
        let contact = acme.texts("contact").value().map_or_else(Vec::new, |texts| texts.value);
        let contact = contact.iter().filter_map(|text| self.mail_address(text)).collect();
        Some(AcmeSettings {
            directory: directory.unwrap_or_else(|| defaults::DIRECTORY.to_owned()),
            contact,
            roots: self.secret(acme.text("roots").value()),
            external_account: self.external_account(&acme),
            profile: acme.text("profile").value().map(|text| text.value.to_string()),
        })
    }

    fn directory(&mut self, text: &At<Text>) -> Option<String> {
        let url: Option<Uri> = text.value.parse().ok();
        let https = url.filter(|url| url.scheme_str() == Some("https") && url.host().is_some());
        if https.is_none() {
            self.mistake(
                text,
                format!("`{}` is not a URL of https", text.value),
                format!(
                    "write the one that the authority names, such as `{}`",
                    defaults::DIRECTORY
                ),
            );
        }
        https.map(|url| url.to_string())
    }

    fn mail_address(&mut self, text: &At<Text>) -> Option<String> {
        let address = text.value.strip_prefix("mailto:").unwrap_or(&text.value);
        if address.parse::<Mailbox>().is_err() {
            let message = format!("`{}` is not a mail address", text.value);
            self.mistake(text, message, "write one such as `hostmaster@example.org`");
            return None;
        }
        Some(address.to_owned())
    }

    fn external_account(&mut self, acme: &Fields) -> Option<ExternalAccountFile> {
        if !acme.says("external_account") {
            return None;
        }
        let account = acme.table("external_account");
        let missing = |key: &&str| matches!(account.text(key), Written::Absent | Written::Blank(_));
        for key in ["id", "key_file"].into_iter().filter(missing) {
            self.problem(
                codes::MISSING_KEY,
                acme.place_of("external_account"),
                format!("`external_account` has no `{key}`"),
                "the authority shows both where it shows the customer's number",
            );
        }
        let key_file = self.secret(account.text("key_file").value());
        let id = account.text("id").value().map(|text| text.value.to_string());
        Some(ExternalAccountFile { id: id?, key_file: key_file? })
    }
}
