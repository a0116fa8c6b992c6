//! Tables for people: aligned columns, nothing drawn around them.

/// Between columns; one would read as a sentence.
const GAP: &str = "  ";

/// Lines of cells under `headings`, each column as wide as its widest cell. No space at the ends of lines.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let mut widths = [0; N];
    for row in std::iter::once(&headings).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}{GAP}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".into(), "b".into()], ["länger".into(), "c".into()]];
        assert_eq!(table(["ONE", "TWO"], &rows), "ONE     TWO\na       b\nlänger  c\n");
    }
}
