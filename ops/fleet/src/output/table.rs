//! Tables with aligned columns, as wide as their widest cell.

use super::{Hue, Paint};

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    right: bool,
}

/// A cell's text and its colour; apart, because colour has no width.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    hue: Hue,
}

impl Cell {
    pub(crate) fn new(hue: Hue, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            hue,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Hue::Plain, text)
    }
}

impl Table {
    /// Columns by title; a leading `>` aligns the column to the right, as numbers want it.
    pub(crate) fn new(titles: &[&'static str]) -> Self {
        let column = |title: &&'static str| match title.strip_prefix('>') {
            Some(title) => Column { title, right: true },
            None => Column {
                title,
                right: false,
            },
        };
        Self {
            columns: titles.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        assert_eq!(
            cells.len(),
            self.columns.len(),
            "a row has a cell for each column"
        );
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn render(&self, paint: Paint) -> String {
        self.render_more(paint, &mut Vec::new())
    }

    /// The titles where `widths` is empty, and the rows, in columns no narrower than `widths`.
    pub(super) fn render_more(&self, paint: Paint, widths: &mut Vec<usize>) -> String {
        let titles: Option<Vec<Cell>> = widths.is_empty().then(|| self.titles());
        widths.resize(self.columns.len(), 0);
        for (n, width) in widths.iter_mut().enumerate() {
            *width = self.width(n).max(*width);
        }
        let mut text = String::new();
        for row in titles.iter().chain(&self.rows) {
            text += self.render_row(row, widths, paint).trim_end();
            text.push('\n');
        }
        text
    }

    fn titles(&self) -> Vec<Cell> {
        let titles = self.columns.iter();
        titles.map(|c| Cell::new(Hue::Dim, c.title)).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].width());
        cells
            .chain([self.columns[column].title.chars().count()])
            .max()
            .unwrap_or(0)
    }

    fn render_row(&self, row: &[Cell], widths: &[usize], paint: Paint) -> String {
        let mut line = String::new();
        for (n, cell) in row.iter().enumerate() {
            let gap = " ".repeat(widths[n] - cell.width());
            let painted = paint.hue(cell.hue, &cell.text);
            let last = n + 1 == row.len();
            line += &match (self.columns[n].right, last) {
                (true, _) => gap + &painted,
                // Nothing is to be aligned after the last column, and trailing blanks wrap on narrow terminals.
                (false, true) => painted,
                (false, false) => painted + &gap,
            };
            if !last {
                line += "  ";
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["QUEUE", ">LIVE", "PAUSED"]);
        table.row(["default".into(), "7".into(), "".into()]);
        table.row(["für später".into(), "12345".into(), "by ops".into()]);
        let expected = "\
QUEUE        LIVE  PAUSED
default         7
für später  12345  by ops
";
        assert_eq!(table.render(Paint::off()), expected);
    }

    #[test]
    fn a_table_that_grows_has_its_titles_once_and_keeps_its_widths() {
        let mut widths = Vec::new();
        let mut more = |queue: &str| {
            let mut table = Table::new(&["QUEUE", ">LIVE"]);
            table.row([queue.into(), "7".into()]);
            table.render_more(Paint::off(), &mut widths)
        };
        assert_eq!(more("default"), "QUEUE    LIVE\ndefault     7\n");
        assert_eq!(more("mail"), "mail        7\n");
    }
}
