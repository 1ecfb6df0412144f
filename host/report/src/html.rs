//! The page around the figures: escaping, tables, and the one style sheet.
//!
//! Everything that a model or a pack wrote goes through [`escape`]; the page has no script and no
//! reference to anything outside itself, and its content policy forbids both.

use std::fmt::Write as _;

/// Text made safe for element content and quoted attributes. Control characters that HTML forbids
/// become U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // Direction overrides could make a page read as something else than it says.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A table of text cells; the first column is text, the others numbers.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
    for cell in head {
        let _ = write!(out, "<th>{}</th>", escape(cell));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

/// A whole page. `body` is HTML; `title` is text.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}</title><style>{STYLE}{}</style></head>\n<body><main>\n{body}\n</main></body></html>\n",
        escape(title),
        crate::svg::STYLE
    )
}

const STYLE: &str = "\
body{margin:0;background:#fff;color:#1c1c1c;font:16px/1.5 system-ui,sans-serif}\
main{max-width:1080px;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}\
.facts{color:#555;margin:0 0 1rem}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:1rem}\
figure{margin:0;border:1px solid #ddd;border-radius:6px;padding:.6rem}\
figcaption{font-weight:600}svg{width:100%;height:auto;display:block}\
.legend{margin:.2rem 0;font-size:.85rem}.legend span{margin-right:.9rem;white-space:nowrap}\
.legend i{display:inline-block;width:1em;height:.28em;margin-right:.35em;vertical-align:middle}\
.none,.note{color:#666;font-size:.9rem}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}\
th:first-child,td:first-child{text-align:left}\
details{border:1px solid #ddd;border-radius:6px;padding:.4rem .6rem;margin:.4rem 0}\
summary{cursor:pointer}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:.5rem;margin:.4rem 0;\
font:13px/1.4 ui-monospace,monospace;max-height:24rem;overflow-y:auto}\
@media print{details{break-inside:avoid}figure{break-inside:avoid}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "</pre><script>alert('x')</script>&\u{0}\u{1b}[31m\u{202e}";
        let safe = escape(hostile);
        assert!(!safe.contains('<') && !safe.contains('\u{0}') && !safe.contains('\u{1b}'));
        assert!(!safe.contains('\u{202e}'));
        assert!(safe.starts_with("&lt;/pre&gt;&lt;script&gt;"));
    }

    #[test]
    fn a_page_refers_to_nothing_outside() {
        let page = page("a < b", "<p>x</p>");
        assert!(page.contains("a &lt; b"));
        for word in ["http://", "https://", "src=", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
