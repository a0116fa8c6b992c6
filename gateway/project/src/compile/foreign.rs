//! Paths in the spelling of other frameworks, and how Headgate spells them.
//!
//! Such a path is a valid one: `/:name` is answered at exactly `/:name`. Hardly anybody means that, so it
//! is pointed out.

use headgate_types::PathPattern;

/// The path as Headgate spells it, if it looks like a pattern of another framework; it is always one that
/// can be parsed.
pub(super) fn translated(path: &str) -> Option<String> {
    let segments: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    if !segments.iter().any(|segment| parameter(segment).is_some()) {
        return None;
    }
    let last = segments.len() - 1;
    let (mut names, mut ours) = (Vec::new(), String::new());
    for (at, segment) in segments.iter().enumerate() {
        ours.push('/');
        let Some(Parameter { name, rest }) = parameter(segment) else {
            ours.push_str(segment);
            continue;
        };
        let rest = rest && at == last;
        let name = name.unwrap_or(if rest { "path" } else { "name" });
        let count = names.iter().filter(|known| **known == name).count();
        names.push(name);
        let star = if rest { "*" } else { "" };
        let number = if count == 0 { String::new() } else { (count + 1).to_string() };
        ours.push_str(&format!("{{{star}{name}{number}}}"));
    }
    ours.parse::<PathPattern>().ok().map(|_| ours)
}

/// The path before the first segment that looks like a pattern: what a website would say.
pub(super) fn prefix(path: &str) -> Option<String> {
    let segments: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    let plain = segments.iter().position(|segment| parameter(segment).is_some())?;
    Some(format!("/{}", segments[..plain].join("/")))
}

/// Whether part of a segment only is meant to be a pattern, as in `/*.html`. Ours are whole segments.
pub(super) fn takes_part(path: &str) -> bool {
    path.split('/').any(|segment| {
        let stars = segment.trim_matches('*');
        segment.contains('*') && !stars.is_empty() && stars != "." && !is_whole(segment)
    })
}

/// `*rest`, `:rest*` and what is in brackets.
fn is_whole(segment: &str) -> bool {
    segment.strip_prefix('*').is_some_and(is_name)
        || segment.starts_with([':', '{', '<', '['])
        || segment.contains("(.")
        || segment.contains('\\')
}

struct Parameter<'a> {
    name: Option<&'a str>,
    /// It takes all that is left.
    rest: bool,
}

/// What a segment means in Express, Rails, Flask, Next.js, Go, nginx and their likes. Ours are none.
fn parameter(segment: &str) -> Option<Parameter<'_>> {
    let named = |name: &str| is_name(name);
    let one = |name| Some(Parameter { name: Some(name), rest: false });
    let all = |name| Some(Parameter { name, rest: true });
    if let Some(inner) = enclosed(segment, "{", "}") {
        // Ours, but for an expression (`{id:[0-9]+}`), `{path...}` and `{id?}`.
        if let Some(name) = inner.strip_suffix("...").filter(|name| named(name)) {
            return all(Some(name));
        }
        let name = inner.split([':', '?']).next().filter(|name| *name != inner)?;
        return if named(name) { one(name) } else { None };
    }
    if let Some(inner) = enclosed(segment, "<", ">") {
        let (kind, name) = inner.split_once(':').unwrap_or(("", inner));
        return match named(name) {
            true => Some(Parameter { name: Some(name), rest: kind == "path" }),
            false => None,
        };
    }
    if let Some(inner) = enclosed(segment, "[", "]") {
        let (name, rest) = inner.strip_prefix("...").map_or((inner, false), |name| (name, true));
        return named(name).then_some(Parameter { name: Some(name), rest });
    }
    if let Some(name) = segment.strip_prefix(':') {
        let name = name.split(['(', '*', '+', '?']).next().unwrap_or(name);
        return if named(name) { one(name) } else { None };
    }
    if let Some(name) = segment.strip_prefix('*') {
        return match name {
            "" | "*" => all(None),
            name if named(name) => all(Some(name)),
            _ => one("name"),
        };
    }
    let expression = segment.contains("(.") || segment.contains('\\');
    (segment.contains('*') || expression).then_some(Parameter { name: None, rest: true })
}

fn enclosed<'a>(segment: &'a str, open: &str, close: &str) -> Option<&'a str> {
    segment.strip_prefix(open)?.strip_suffix(close)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_has_ours() {
        for (theirs, ours) in [
            ("/:name", "/{name}"),
            ("/users/:id/files", "/users/{id}/files"),
            ("/:id(\\d+)", "/{id}"),
            ("/*", "/{*path}"),
            ("/**", "/{*path}"),
            ("/files/*rest", "/files/{*rest}"),
            ("/a/*/b", "/a/{name}/b"),
            ("/*/x/*", "/{name}/x/{*path}"),
            ("/*/*/x", "/{name}/{name2}/x"),
            ("/*.html", "/{name}"),
            ("/files*", "/{*path}"),
            ("/files/.*", "/files/{*path}"),
            ("/files/(.+)", "/files/{*path}"),
            ("/<name>", "/{name}"),
            ("/<int:id>", "/{id}"),
            ("/f/<path:rest>", "/f/{*rest}"),
            ("/[slug]", "/{slug}"),
            ("/docs/[...slug]", "/docs/{*slug}"),
            ("/{path...}", "/{*path}"),
            ("/{id:[0-9]+}", "/{id}"),
        ] {
            assert_eq!(translated(theirs).as_deref(), Some(ours), "{theirs}");
        }
    }

    #[test]
    fn what_is_only_unusual_is_left_alone() {
        for path in
            ["/", "/a", "/{id}", "/{*rest}", "/a:b", "/wiki/a_(b)", "/$metadata", "/[1]", "a"]
        {
            assert_eq!(translated(path), None, "{path}");
        }
    }

    #[test]
    fn a_pattern_in_part_of_a_segment_is_known() {
        for (path, part) in [
            ("/*.html", true),
            ("/files*", true),
            ("/a-*/b", true),
            ("/files/*", false),
            ("/**", false),
            ("/files/.*", false),
            ("/files/(.*)", false),
            ("/files/*rest", false),
            ("/:rest*", false),
            ("/{id:[0-9]*}", false),
        ] {
            assert_eq!(takes_part(path), part, "{path}");
        }
    }

    #[test]
    fn a_website_says_only_the_beginning() {
        for (theirs, ours) in [("/*", "/"), ("/docs/**", "/docs"), ("/a/:b/c", "/a")] {
            assert_eq!(prefix(theirs).as_deref(), Some(ours), "{theirs}");
        }
        assert_eq!(prefix("/docs"), None);
    }
}
