//! What a key or word that is not known was probably meant to be.

use headgate_types::{ByteSize, parse_duration};

use super::{Field, Shape};
use crate::diagnostic::closest;

/// Where the key that was meant is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Near {
    /// In the same table, under this name.
    Here(&'static str),
    /// By its own name, in this group of the table.
    Below(&'static str),
}

/// A key of the table that is a slip away, that others call so, or that is one level further in.
pub(super) fn key(written: &str, table: &[Field]) -> Option<Near> {
    let here = |key: &str| table.iter().map(|field| field.key).find(|known| *known == key);
    let below = |key: &str| {
        let has = |field: &&Field| match field.shape {
            Shape::Table(inner) => inner.iter().any(|field| field.key == key),
            _ => false,
        };
        table.iter().find(has).map(|field| Near::Below(field.key))
    };
    let slip = || closest(written, table.iter().map(|field| field.key)).and_then(here);
    let name = written.to_ascii_lowercase();
    let ours = || {
        let ours = KEYS.iter().filter(|(others, _)| *others == name).map(|(_, ours)| *ours);
        ours.into_iter().find_map(here)
    };
    below(&name).or_else(|| slip().or_else(ours).map(Near::Here))
}

/// One of the words that is a slip away, or that others call so.
pub(super) fn word(written: &str, words: &[&'static str]) -> Option<&'static str> {
    let name = written.to_ascii_lowercase();
    let mut ours = WORDS.iter().filter(|(others, _)| *others == name).map(|(_, ours)| *ours);
    ours.find(|ours| words.contains(ours)).or_else(|| {
        let meant = closest(written, words.iter().copied())?;
        words.iter().copied().find(|word| *word == meant)
    })
}

/// A size whose unit is spelt otherwise: `64 mb`, `64 megabytes`, `64Mi`.
pub(super) fn size(written: &str) -> Option<String> {
    let (number, unit) = parts(written)?;
    let unit = match unit.as_str() {
        "ki" => "KiB".to_owned(),
        "mi" => "MiB".to_owned(),
        "gi" => "GiB".to_owned(),
        unit => match (unit.chars().next()?, unit.ends_with("ib")) {
            ('k', true) => "KiB".to_owned(),
            (prefix, true) => format!("{}iB", prefix.to_ascii_uppercase()),
            ('b', false) => "B".to_owned(),
            (prefix, false) if unit.len() == 2 || unit.contains("byte") => {
                format!("{}B", prefix.to_ascii_uppercase())
            }
            _ => return None,
        },
    };
    let size = format!("{number}{unit}");
    size.parse::<ByteSize>().is_ok().then_some(size)
}

/// A duration whose unit is written out: `10 s`, `10sec`, `2 minutes`.
pub(super) fn duration(written: &str) -> Option<String> {
    let (number, unit) = parts(written)?;
    let unit = match unit.as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hour" | "hours" => "h",
        "ms" | "msec" | "millisecond" | "milliseconds" => "ms",
        _ => return None,
    };
    let duration = format!("{number}{unit}");
    parse_duration(&duration).is_ok().then_some(duration)
}

/// A number and, in lower case, what stands behind it.
fn parts(written: &str) -> Option<(&str, String)> {
    let written = written.trim();
    let end = written.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = written.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    (!number.is_empty() && unit.len() <= LONGEST_UNIT).then_some((number, unit))
}

/// `milliseconds`
const LONGEST_UNIT: usize = 12;

/// What keys are called elsewhere, and here.
const KEYS: [(&str, &str); 26] = [
    ("code", "source"),
    ("content", "value"),
    ("data", "value"),
    ("dns", "records"),
    ("entry", "call"),
    ("entrypoint", "call"),
    ("env", "variables"),
    ("environment", "variables"),
    ("event", "trigger"),
    ("events", "trigger"),
    ("export", "call"),
    ("handler", "call"),
    ("host", "fqdn"),
    ("hostname", "fqdn"),
    ("hosts", "domains"),
    ("host", "name"),
    ("limits", "execution"),
    ("resources", "execution"),
    ("route", "paths"),
    ("routes", "paths"),
    ("ram", "memory"),
    ("tls", "certificate"),
    ("target", "value"),
    ("topic", "channel"),
    ("url", "paths"),
    ("vars", "variables"),
];

/// What words are called elsewhere, and here.
const WORDS: [(&str, &str); 11] = [
    ("acme", "auto"),
    ("aname", "ALIAS"),
    ("automatic", "auto"),
    ("custom", "inline"),
    ("letsencrypt", "auto"),
    ("manual", "inline"),
    ("messaging", "pubsub"),
    ("private", "subnet"),
    ("public", "all"),
    ("queue", "pubsub"),
    ("spf", "TXT"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{DOMAIN, FUNCTION, WEBSITE};

    #[test]
    fn slips_other_names_and_wrong_levels_are_told_apart() {
        let function = FUNCTION.keys;
        assert_eq!(key("domain", function), Some(Near::Here("domains")));
        assert_eq!(key("env", function), Some(Near::Here("variables")));
        assert_eq!(key("memory", function), Some(Near::Below("execution")));
        assert_eq!(key("method", function), Some(Near::Below("trigger")));
        assert_eq!(key("paths", function), Some(Near::Below("trigger")));
        assert_eq!(key("hostname", DOMAIN.keys), Some(Near::Here("fqdn")));
        assert_eq!(key("routes", WEBSITE.keys), Some(Near::Here("paths")));
        assert_eq!(key("runtime", function), None);
    }

    #[test]
    fn words_of_others_find_ours() {
        assert_eq!(word("automatic", &["auto", "inline"]), Some("auto"));
        assert_eq!(word("htp", &["http", "https"]), Some("http"));
        assert_eq!(word("automatic", &["http"]), None);
    }

    #[test]
    fn units_of_others_are_understood() {
        for (written, meant) in [
            ("64 megabytes", Some("64MB")),
            ("64mb", Some("64MB")),
            ("64mib", Some("64MiB")),
            ("64Mi", Some("64MiB")),
            ("64Ki", Some("64KiB")),
            ("1.5 gb", Some("1.5GB")),
            ("5 gigs", None),
            ("many", None),
        ] {
            assert_eq!(size(written).as_deref(), meant, "{written}");
        }
        for (written, meant) in [
            ("10 s", Some("10s")),
            ("10sec", Some("10s")),
            ("2 minutes", Some("2m")),
            ("1 day", None),
            ("soon", None),
        ] {
            assert_eq!(duration(written).as_deref(), meant, "{written}");
        }
    }

    /// Otherwise it would never be found.
    #[test]
    fn others_names_are_lower_case_and_not_ours() {
        for (others, ours) in KEYS.iter().chain(&WORDS) {
            assert!(others != ours && *others == others.to_ascii_lowercase(), "{others}");
        }
    }
}
