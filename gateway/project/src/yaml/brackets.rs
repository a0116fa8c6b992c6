//! Where a bracket was opened that nobody closed.
//!
//! The parser stumbles only over what comes next, often lines below. So the text is read once more, just
//! for its brackets; it is only looked at when it is known to be wrong.

/// The last bracket before `error` that is closed nowhere in the text: its place, and what it is.
pub(super) fn unclosed(text: &str, error: usize) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    // The last character that is no blank: what decides whether a value can begin behind it.
    let (mut before, mut blank) = ('\n', true);
    while let Some((at, c)) = chars.next() {
        if let Some(end) = quote {
            if c == '\\' && end == '"' {
                chars.next();
            } else if c == end {
                (quote, before, blank) = (None, c, false);
            }
            continue;
        }
        let begins = match before {
            '[' | '{' | ',' => true,
            ':' | '-' | '?' => blank,
            '\n' => true,
            _ => false,
        };
        match c {
            '#' if blank => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            '\'' | '"' if begins => quote = Some(c),
            '[' | '{' if begins || !open.is_empty() => open.push((at, c)),
            ']' | '}' => {
                let opener = if c == ']' { '[' } else { '{' };
                match open.last() {
                    Some((_, last)) if *last == opener => drop(open.pop()),
                    // Closed by the other kind, which the parser says better.
                    Some(_) => return None,
                    None => {}
                }
            }
            _ => {}
        }
        blank = c.is_whitespace();
        if c == '\n' || !blank {
            before = c;
        }
    }
    open.into_iter().rev().find(|(at, _)| *at < error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(usize, char)> {
        unclosed(text, text.len())
    }

    #[test]
    fn the_one_that_is_left_open_is_found() {
        assert_eq!(found("a: [b, c\nd: .\n"), Some((3, '[')));
        assert_eq!(found("a: {b: c\nd: [e]\n"), Some((3, '{')));
        assert_eq!(found("a:\n  - [b\n  - c\n"), Some((7, '[')));
        assert_eq!(found("a: [b, [c]\nd: e\n"), Some((3, '[')));
        assert_eq!(unclosed("a: [b\nc: [d\n", 7), Some((3, '[')), "none that is behind the error");
    }

    #[test]
    fn brackets_in_texts_quotes_and_comments_are_none() {
        for text in [
            "a: b[c\n",
            "a: /{b\n",
            "a: '[b'\nb: \"\\\"[\"\n",
            "a: b # [c\n",
            "a: it's [\n",
            "a: [b, {c: d}]\n",
            "a: [\"]\", b]\n",
            "a: [b}\n",
        ] {
            assert_eq!(found(text), None, "{text:?}");
        }
    }
}
