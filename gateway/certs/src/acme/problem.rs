//! What goes wrong with an order, in words, and what to do about it.

use std::fmt;

use headgate_types::Timestamp;

use super::Method;

/// Longest text of a certificate authority that is kept; it goes into logs and tables.
const MAX_DETAIL: usize = 300;

/// What a certificate authority says is wrong (RFC 8555 §6.7), as far as it tells people apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// CAA records forbid it to issue.
    Caa,
    /// A name could not be looked up.
    Dns,
    /// Nobody answered at the name's address.
    Connection,
    /// Somebody answered there, but not with what was asked for.
    WrongAnswer,
    /// It does not issue for this name at all.
    RejectedIdentifier,
    /// The account needs its owner: terms to accept, a binding that is missing.
    Account,
    /// The certificate to be replaced has been replaced, or is not known.
    Replaced,
    Other,
}

/// One thing that is wrong, with the authority's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    pub name: Option<String>,
    pub detail: String,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("{0}")]
    Refused(Problem),
    #[error("the certificate authority offers no {method} for {name}")]
    NotOffered { name: String, method: Method },
    #[error("the certificate authority's limit is reached until {until}: {detail}")]
    RateLimited { until: Timestamp, detail: String },
    #[error("the certificate authority does not answer: {why}")]
    Unavailable { why: String },
    #[error("the certificate authority was still busy with the order when patience ended")]
    Slow,
    #[error("the certificate authority does not know this account; it is registered anew")]
    AccountForgotten,
    #[error("the challenge cannot be answered: {why}")]
    Publish { why: String },
    #[error("what was issued cannot be used: {why}")]
    Unusable { why: String },
    #[error("the certificate folder cannot be written: {why}")]
    Store { why: String },
    #[error("another node orders this certificate")]
    Elsewhere,
}

impl Problem {
    /// From a problem document. `name` is what it is about, if it says so.
    pub fn new(urn: Option<&str>, name: Option<String>, detail: &str) -> Self {
        let urn = urn.unwrap_or_default();
        let kind = match urn.rsplit(':').next().unwrap_or_default() {
            "caa" => ProblemKind::Caa,
            "dns" => ProblemKind::Dns,
            "connection" | "tls" => ProblemKind::Connection,
            "incorrectResponse" | "unauthorized" => ProblemKind::WrongAnswer,
            "rejectedIdentifier" | "unsupportedIdentifier" => ProblemKind::RejectedIdentifier,
            "userActionRequired"
            | "externalAccountRequired"
            | "unsupportedContact"
            | "invalidContact" => ProblemKind::Account,
            "alreadyReplaced" => ProblemKind::Replaced,
            _ => ProblemKind::Other,
        };
        Self { kind, name, detail: tidy(detail) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("one of the names");
        match self.kind {
            ProblemKind::Caa => write!(f, "CAA records forbid this authority to issue for {name}")?,
            ProblemKind::Dns if self.detail.contains("NXDOMAIN") => {
                write!(f, "{name} does not exist in DNS")?;
            }
            ProblemKind::Dns => write!(f, "the records of {name} cannot be looked up")?,
            ProblemKind::Connection => write!(f, "the address of {name} does not answer")?,
            ProblemKind::WrongAnswer => write!(f, "{name} is not proved to be ours")?,
            ProblemKind::RejectedIdentifier => write!(f, "this authority issues none for {name}")?,
            ProblemKind::Account => f.write_str("this authority refuses the account")?,
            ProblemKind::Replaced => f.write_str("the certificate was replaced before")?,
            ProblemKind::Other => write!(f, "the order for {name} was refused")?,
        }
        write!(f, ": {}", self.detail)
    }
}

impl OrderError {
    /// What its reader can do about it; nothing if only time helps.
    pub fn advice(&self, method: Method) -> Option<String> {
        let Self::Refused(problem) = self else { return self.advice_without_problem() };
        let name = problem.name.as_deref().unwrap_or("the name");
        let base = name.trim_start_matches("*.");
        let text = match (problem.kind, method) {
            (ProblemKind::Caa, _) => {
                format!("add a CAA record for this authority to {base}, or remove those there are")
            }
            (ProblemKind::Dns | ProblemKind::WrongAnswer, Method::Dns01) => format!(
                "have the NS records of the zone, or a CNAME at _acme-challenge.{base}, lead to \
                 this gateway's name server"
            ),
            (ProblemKind::Dns, _) => {
                format!("create an A or AAAA record for {base} with this gateway's address")
            }
            (ProblemKind::Connection | ProblemKind::WrongAnswer, Method::TlsAlpn01) => {
                format!("point A and AAAA of {base} at this gateway and let port 443 through")
            }
            (ProblemKind::Connection | ProblemKind::WrongAnswer, Method::Http01) => {
                format!("point A and AAAA of {base} at this gateway and let port 80 through")
            }
            (ProblemKind::Connection, Method::Dns01) => {
                "let UDP and TCP port 53 of this gateway through".to_owned()
            }
            (ProblemKind::RejectedIdentifier, _) => format!(
                "use another authority, or supply a certificate: headgate certs import ({base})"
            ),
            (ProblemKind::Account, _) => {
                "look at tls.acme in node.yaml: contact, external_account".to_owned()
            }
            (ProblemKind::Other, Method::TlsAlpn01 | Method::Http01) => {
                format!("see that {base} has an A or AAAA record with this gateway's address")
            }
            (ProblemKind::Replaced | ProblemKind::Other, _) => return None,
        };
        Some(text)
    }

    fn advice_without_problem(&self) -> Option<String> {
        match self {
            Self::NotOffered { .. } => {
                Some("only DNS-01 proves wildcards; serve the zone from this gateway".to_owned())
            }
            Self::Unavailable { .. } => {
                Some("see that the directory's address is right and can be reached".to_owned())
            }
            Self::Store { .. } => Some("see that the state folder can be written".to_owned()),
            _ => None,
        }
    }

    /// A word for a metric.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::NotOffered { .. } => "refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } | Self::Slow => "unavailable",
            Self::AccountForgotten => "account",
            Self::Publish { .. } | Self::Unusable { .. } | Self::Store { .. } => "failed",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// One line, of a bounded length: it comes from the network.
pub(crate) fn tidy(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(MAX_DETAIL).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_reads_what_is_wrong_and_what_to_do() {
        let urn = |kind: &str| format!("urn:ietf:params:acme:error:{kind}");
        let refused = |kind: &str, detail: &str| {
            let name = Some("shop.example.org".to_owned());
            OrderError::Refused(Problem::new(Some(&urn(kind)), name, detail))
        };
        let caa = refused("caa", "CAA record\nprevents issuance");
        assert_eq!(
            caa.to_string(),
            "CAA records forbid this authority to issue for shop.example.org: \
             CAA record prevents issuance"
        );
        assert!(caa.advice(Method::Dns01).unwrap().contains("add a CAA record"));
        let gone = refused("dns", "DNS problem: NXDOMAIN looking up A");
        assert!(gone.to_string().starts_with("shop.example.org does not exist in DNS"));
        assert!(gone.advice(Method::Http01).unwrap().contains("A or AAAA"));
        let elsewhere = refused("unauthorized", "got 404");
        assert!(elsewhere.advice(Method::TlsAlpn01).unwrap().contains("port 443"));
        assert!(elsewhere.advice(Method::Dns01).unwrap().contains("_acme-challenge"));
    }
}
