//! HTML from texts: what a text holds is never markup.

use std::fmt::{Display, Write as _};

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

/// A cell of a table.
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A number, set to the right.
    Number(String),
    /// A digest, key or command.
    Code(String),
    /// The beginning of a digest, on one line.
    Short(String),
}

impl Markup {
    /// Markup as it is.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// An element with a text in it.
    pub(super) fn element(&mut self, name: &'static str, text: impl Display) -> &mut Self {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "<{name}>{}</{name}>", escape(&text.to_string()));
        self
    }

    /// A command in a block of its own.
    pub(super) fn command(&mut self, text: impl Display) -> &mut Self {
        let _ = writeln!(self.0, "<pre><code>{}</code></pre>", escape(&text.to_string()));
        self
    }

    /// A table; without rows the word "None".
    pub(super) fn table(&mut self, heads: &[&'static str], rows: Vec<Vec<Cell>>) -> &mut Self {
        if rows.is_empty() {
            return self.element("p", "None.");
        }
        self.raw("<table><thead><tr>");
        for head in heads {
            let _ = write!(self.0, "<th scope=\"col\">{}</th>", escape(head));
        }
        self.raw("</tr></thead><tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                let _ = match cell {
                    Cell::Text(text) => write!(self.0, "<td>{}</td>", escape(&text)),
                    Cell::Number(text) => write!(self.0, "<td class=\"n\">{}</td>", escape(&text)),
                    Cell::Code(text) => {
                        write!(self.0, "<td><code>{}</code></td>", escape(&text))
                    }
                    Cell::Short(text) => {
                        write!(self.0, "<td class=\"k\"><code>{}</code></td>", escape(&text))
                    }
                };
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody></table>\n")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Cell, Markup};

    #[test]
    fn no_text_of_a_log_becomes_markup() {
        let hostile = "</td><script>alert('x')</script>\u{1b}[2J\"&";
        let mut page = Markup::default();
        page.element("h1", hostile).command(hostile);
        for cell in [Cell::Text, Cell::Number, Cell::Code, Cell::Short] {
            page.table(&["what"], vec![vec![cell(hostile.to_owned())]]);
        }
        let page = page.into_string();
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\''));
        assert_eq!(page.matches("&lt;script&gt;").count(), 6);
    }
}
