//! The authorities whose clients a domain lets in: read, and judged before they let anybody in.
//!
//! Unlike with a certificate that a domain brings, whatever is wrong here is an error: the host would be served
//! to nobody, or to everybody.

use headgate_certs::ClientAuthorities;
use headgate_project::{ClientCa, Diagnostic, Domain, diagnostic::codes};

use super::{Ingest, certificate::Pem};
use crate::{deploy::DeployError, manifest::ClientsEntry};

const HINT: &str = "name a PEM file in the repository that holds the certificates of authorities, such as \
                    `client_ca: certs/clients.pem`";

impl Ingest<'_> {
    /// `None` where everybody is let in, or where an error was told.
    pub(super) fn clients(&mut self, domain: &Domain) -> Result<Option<ClientsEntry>, DeployError> {
        let Some(client_ca) = &domain.client_ca else { return Ok(None) };
        let problem = match self.read_pem(&client_ca.source)? {
            Pem::Text(pem) => match ClientAuthorities::from_pem(pem.as_bytes(), self.now) {
                Ok(authorities) => return Ok(Some(ClientsEntry::of(&authorities))),
                Err(error) => format!("`client_ca` cannot be used: {error}"),
            },
            Pem::Neither(why) => {
                format!("`client_ca` is neither PEM nor the path of such a file, which {why}")
            }
        };
        self.refuse_clients(client_ca, problem);
        Ok(None)
    }

    fn refuse_clients(&mut self, client_ca: &ClientCa, problem: String) {
        let error = Diagnostic::error(codes::UNUSABLE_CLIENT_CA, problem)
            .at(client_ca.place.clone())
            .hint(HINT);
        self.done.diagnostics.push(error);
    }
}
