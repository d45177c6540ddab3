//! A page of text for a person: headings, fields, tables, lines.

use std::fmt::Display;

use super::{Hue, Paint, Table};

/// Width of the names beside values.
const NAME_WIDTH: usize = 14;

/// Text under construction.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    pub(super) fn new(paint: Paint) -> Self {
        Self {
            text: String::new(),
            paint,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn line(&mut self, text: impl Display) {
        self.text += &text.to_string();
        self.text.push('\n');
    }

    pub(crate) fn hued(&mut self, hue: Hue, text: impl Display) {
        let text = self.paint.hue(hue, &text.to_string());
        self.line(text);
    }

    /// A title with a blank line before it, unless it is the first.
    pub(crate) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let text = self.paint.bold(Hue::Plain, text);
        self.line(text);
    }

    /// A name and its value.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        self.field_hued(name, Hue::Plain, value);
    }

    pub(crate) fn field_hued(&mut self, name: &str, hue: Hue, value: impl Display) {
        let name = self.paint.hue(Hue::Dim, &format!("{name:NAME_WIDTH$}"));
        let value = self.paint.hue(hue, &value.to_string());
        self.line(format_args!("{name} {value}"));
    }

    /// A field that few have.
    pub(crate) fn field_if(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// Rows of a table that grows while somebody reads: titles at the first call, and columns as wide as all before.
    pub(crate) fn table_more(&mut self, table: &Table, widths: &mut Vec<usize>) {
        self.text += &table.render_more(self.paint, widths);
    }

    /// The table, or a word where it is empty.
    pub(crate) fn table(&mut self, table: &Table, none: &str) {
        if table.is_empty() {
            return self.hued(Hue::Dim, none);
        }
        self.text += &table.render(self.paint);
    }
}
