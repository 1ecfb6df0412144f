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
        crate::chart::STYLE
    )
}

const STYLE: &str = "\
body{margin:0;background:#fff;color:#1c1c1c;font:16px/1.5 system-ui,sans-serif}\
main{max-width:1120px;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem;margin:.5rem 0;overflow-wrap:anywhere}\
h2{font-size:1.2rem;margin:2.2rem 0 .5rem;border-bottom:2px solid #ddd}\
h3{font-size:1rem;margin:1.2rem 0 .4rem;overflow-wrap:anywhere}\
p{margin:.5rem 0;max-width:52rem;overflow-wrap:anywhere}li{margin:.35rem 0;max-width:52rem;overflow-wrap:anywhere}ul{padding-left:1.3rem}\
.facts{color:#555;margin:0 0 1rem}\
.warn{border-left:4px solid #d55e00;padding:.3rem .8rem;background:#fff6ee}\
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,335px),1fr));gap:.8rem;margin:.8rem 0}\
.wide{grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr))}\
figure{margin:0;border:1px solid #ddd;border-radius:6px;padding:.6rem;min-width:0}\
figcaption{font-weight:600;overflow-wrap:anywhere}figure .note{margin:.1rem 0 .4rem}\
figure>.scroll>svg{width:100%;height:auto;display:block}\
.legend{margin:.2rem 0;font-size:.85rem}.legend span{margin-right:.9rem;display:inline-block}\
.legend svg{width:24px;height:12px;margin-right:.35em;vertical-align:-1px}.legend svg.dot{width:12px}\
.none,.note{color:#555;font-size:.88rem}\
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}\
th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}\
th{vertical-align:bottom;border-bottom-color:#888;white-space:normal;max-width:7.5rem;line-height:1.25;min-width:2.6rem}\
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:#fff;white-space:normal;min-width:6.5rem;max-width:19rem}\
.text{text-align:left}td i{font-style:normal;color:#666}\
details{border:1px solid #ddd;border-radius:6px;padding:.4rem .6rem;margin:.4rem 0}\
summary{cursor:pointer;overflow-wrap:anywhere}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:.5rem;margin:.4rem 0;\
font:13px/1.4 ui-monospace,monospace;max-height:24rem;overflow-y:auto}\
.side{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,250px),1fr));gap:.6rem}\
.side>div{min-width:0}.side p{margin:.2rem 0;font-size:.88rem}.side pre{max-height:16rem}\
@media(max-width:480px){main{padding:.6rem}figure{padding:.35rem}th,td{padding:.25rem .4rem}\
td:first-child,th:first-child{min-width:5.5rem;max-width:8.5rem;overflow-wrap:anywhere}}\
@page{size:A4;margin:12mm}\
@media print{html{font-size:9pt}body{font-size:1rem}main{max-width:none;padding:0}h2,h3{break-after:avoid}\
figure,.side>div,tr{break-inside:avoid}\
.scroll{overflow:visible}.charts{grid-template-columns:1fr 1fr}\
table{font-size:7.5pt}th,td{padding:.12rem .3rem;white-space:normal}td{white-space:nowrap}\
td.text{white-space:normal}pre{max-height:none;overflow:visible;font-size:7.5pt}\
svg{min-width:0!important}details::details-content{content-visibility:visible;display:block}\
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

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
