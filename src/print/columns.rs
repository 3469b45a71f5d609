//! Text in columns, as Go's `text/tabwriter` lays it out: kubectl's tables and descriptions.
//!
//! A cell ends with a tab; the last one of a line belongs to no column. A column is a run of lines
//! that have such a cell there, and is as wide as the widest of them. Nothing is known of what the
//! text says.

/// Lays out lines whose cells end with tabs. Columns are at least `least` wide and end with
/// `padding` spaces.
pub(super) fn lay_out(text: &str, least: usize, padding: usize) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let mut out = String::new();
    Layout { lines: &lines, least, padding, out: &mut out }.block(&mut Vec::new(), 0, lines.len());
    out
}

/// As wide as `kubectl describe`.
pub(super) fn description(text: &str) -> String {
    lay_out(text, 0, 2)
}

/// Rows of tables of `kubectl get`: at least six wide, three spaces between columns. Widths are
/// remembered, so that rows that come later stand below the earlier ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    widths: Vec<usize>,
}

impl Rows {
    /// Lays out rows, which have one number of cells. Of a cell only its first line is shown.
    pub(super) fn lay_out(&mut self, rows: &[Vec<String>]) -> String {
        let shown = |cell: &String| match cell.find(['\n', '\r', '\u{c}']) {
            Some(end) => format!("{}...", &cell[..end]),
            None => cell.clone(),
        };
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        for row in &rows {
            for (index, cell) in row.iter().enumerate().take(row.len().saturating_sub(1)) {
                let width = (cell.chars().count() + 3).max(6);
                match self.widths.get_mut(index) {
                    Some(known) => *known = width.max(*known),
                    None => self.widths.push(width),
                }
            }
        }
        let mut out = String::new();
        for row in &rows {
            for (index, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if index + 1 < row.len() {
                    let spaces = self.widths[index].saturating_sub(cell.chars().count());
                    out.extend(std::iter::repeat_n(' ', spaces));
                }
            }
            out.push('\n');
        }
        out
    }
}

struct Layout<'a> {
    lines: &'a [Vec<&'a str>],
    least: usize,
    padding: usize,
    out: &'a mut String,
}

impl Layout<'_> {
    /// Lays out lines `from..to`, of which the columns of `widths` are known.
    fn block(&mut self, widths: &mut Vec<usize>, mut from: usize, to: usize) {
        let column = widths.len();
        let has_cell = |line: &[&str]| column + 1 < line.len();
        let mut at = from;
        while at < to {
            if !has_cell(&self.lines[at]) {
                at += 1;
                continue;
            }
            self.write(widths, from, at);
            let run = self.lines[at..to].iter().take_while(|line| has_cell(line)).count();
            let cells = self.lines[at..at + run].iter().map(|line| line[column].chars().count());
            let widest = cells.max().unwrap_or(0) + self.padding;
            widths.push(widest.max(self.least));
            self.block(widths, at, at + run);
            widths.pop();
            from = at + run;
            at = from;
        }
        self.write(widths, from, to);
    }

    fn write(&mut self, widths: &[usize], from: usize, to: usize) {
        for line in &self.lines[from..to] {
            for (index, cell) in line.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = widths.get(index) {
                    let spaces = width.saturating_sub(cell.chars().count());
                    self.out.extend(std::iter::repeat_n(' ', spaces));
                }
            }
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_laid_out_as_go_does() {
        let rows = [
            ("the widest cell and two spaces", "Name:\tx\nAge:\ty\n", "Name:  x\nAge:   y\n"),
            ("the last cell is not padded", "A\tB\t\n", "A  B  \n"),
            (
                "a line without the cell ends a column",
                "A\tB\nx\nlonger-cell\tB\n",
                "A  B\nx\nlonger-cell  B\n",
            ),
            ("a longer last cell does not widen it", "A\tB\nlonger-cell\n", "A  B\nlonger-cell\n"),
            ("letters are counted, not bytes", "ä\tb\nxx\tb\n", "ä   b\nxx  b\n"),
            (
                "an empty cell goes on below",
                "Labels:\ta=b\n\tc=d\n",
                "Labels:  a=b\n         c=d\n",
            ),
            (
                "columns within columns",
                "a\tb\tc\nlong\tx\ny\tlonger\tz\n",
                "a     b  c\nlong  x\ny     longer  z\n",
            ),
            ("nothing", "", ""),
        ];
        for (sentence, text, expected) in rows {
            assert_eq!(description(text), expected, "{sentence}");
        }
    }

    #[test]
    fn rows_stand_below_earlier_ones() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
        let mut rows = Rows::default();
        let first = rows.lay_out(&[row(&["NAME", "A", "AGE"]), row(&["web-1", "x", "5s"])]);
        assert_eq!(first, "NAME    A     AGE\nweb-1   x     5s\n");
        assert_eq!(rows.lay_out(&[row(&["w", "y", "6s"])]), "w       y     6s\n");
        assert_eq!(rows.lay_out(&[row(&["two\nlines", "", ""])]), "two...         \n");
    }
}
