//! `headgate explain`: what a diagnostic's code means, at length.

use headgate_project::diagnostic::codes;
use serde_json::json;

use crate::cli::{
    Verdict,
    output::{Output, Paint},
};

/// Wide enough for code and sentence side by side, narrow enough to read.
const WIDTH: usize = 88;

pub(super) fn run(code: Option<&str>, output: &Output) -> anyhow::Result<Verdict> {
    match code {
        None => list(output),
        Some(code) => one(code, output),
    }
}

fn list(output: &Output) -> anyhow::Result<Verdict> {
    if output.is_json() {
        let all = codes::ALL.iter().map(|(code, text)| json!({"code": code, "text": text}));
        output.json(&all.collect::<Vec<_>>())?;
        return Ok(Verdict::Well);
    }
    let names: Vec<_> = codes::ALL.iter().map(|(code, _)| *code).collect();
    output.text(&format!("{}\n", names.join("\n")))?;
    Ok(Verdict::Well)
}

fn one(code: &str, output: &Output) -> anyhow::Result<Verdict> {
    let Some(text) = headgate_project::explain(code) else {
        let nearest = nearest(code).map(|near| format!("did you mean `{near}`?"));
        let help = nearest.unwrap_or_else(|| "`headgate explain` lists every code".to_owned());
        let error = output.paint_error(Paint::Bad, "error");
        output
            .error_text(&format!("{error}: no diagnostic has the code `{code}`\n  help: {help}\n"));
        return Ok(Verdict::Problem);
    };
    if output.is_json() {
        output.json(&json!({"code": code, "text": text}))?;
    } else {
        let heading = output.paint(Paint::Strong, code);
        output.text(&format!("{heading}\n\n{}\n", wrapped(text)))?;
    }
    Ok(Verdict::Well)
}

/// The code that differs in few letters, if one does.
fn nearest(code: &str) -> Option<&'static str> {
    // What is longer than any code is not a misspelt one, and comparing it would take long.
    let candidates = codes::ALL.iter().filter(|_| code.len() <= 64);
    candidates
        .map(|(known, _)| (strsim::damerau_levenshtein(code, known), *known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .min()
        .map(|(_, known)| known)
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')));
        assert_eq!(text.split_whitespace().count(), 40);
    }

    #[test]
    fn a_misspelt_code_finds_the_right_one() {
        assert_eq!(nearest("unkown-key"), Some("unknown-key"));
        assert_eq!(nearest("completely-different-thing"), None);
        assert_eq!(nearest(&"x".repeat(10_000)), None);
    }
}
