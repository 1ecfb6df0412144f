//! What tests need that the sandbox lacks. Such a row is no zero for anybody: it is unsupported.

use omni_sdk::reward::{Error, Result};

use crate::forms::{Form, Row};
use crate::syntax::{Kind, lines};

/// The standard modules that the interpreter has and that work without files, processes and
/// networks, but for those that begin with an underscore.
const MODULES: &str = "\
    abc annotationlib argparse array ast atexit base64 binascii bisect builtins calendar \
    cmath cmd code codecs codeop collections colorsys compression concurrent configparser \
    contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib dis doctest email \
    encodings enum errno fnmatch fractions functools gc getopt gettext graphlib gzip hashlib heapq \
    hmac html importlib inspect io ipaddress itertools json keyword linecache locale logging \
    marshal math mimetypes numbers opcode operator optparse os pathlib pickle pickletools pkgutil \
    platform pprint queue quopri random re reprlib sched secrets select shlex signal stat \
    statistics string stringprep struct symtable sys sysconfig tabnanny textwrap threading time \
    timeit token tokenize tomllib traceback tracemalloc types typing unicodedata unittest urllib \
    uuid warnings weakref xml zipfile zlib zoneinfo";

/// What tests do to files where no module's name tells.
const FILES: [&str; 13] = [
    "os.makedirs(",
    "os.mkdir(",
    "os.remove(",
    "os.unlink(",
    "os.listdir(",
    "os.rmdir(",
    "os.rename(",
    "os.walk(",
    "os.system(",
    "os.popen(",
    ".write_text(",
    ".mkdir(",
    ".touch(",
];

/// Refuses rows that name or import what there is not.
pub(crate) fn check(row: &Row, item: &str) -> Result<()> {
    let none: [String; 0] = [];
    let tests = match &row.tests {
        Form::Functional(code) => std::slice::from_ref(code),
        Form::Assertions(list) => list,
        Form::Streams(_) | Form::Calls(..) => &none,
    };
    let needs = |what: &str| Err(Error::unsupported(format!("item `{item}`: needs {what}")));
    for library in &row.libs {
        let library = library.split('.').next().unwrap_or("").trim();
        if !library.is_empty() && !available(library) {
            return needs(&format!("module `{library}`"));
        }
    }
    for source in tests.iter().chain([&row.preamble, &row.setup]) {
        if let Some(module) = imported(source).into_iter().find(|it| !available(it)) {
            return needs(&format!("module `{module}`"));
        }
    }
    for test in tests {
        let opens = test.match_indices("open(").any(|(at, _)| {
            // `open` itself, and no method or longer name; and nobody replaces it.
            let before = test[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || ['_', '.', '\'', '"'].contains(&c))
        });
        if opens && !test.contains("patch(") {
            return needs("files (`open`)");
        }
        if let Some(found) = FILES.iter().find(|it| test.contains(**it)) {
            return needs(&format!("files (`{}`)", found.trim_end_matches('(')));
        }
    }
    Ok(())
}

fn available(module: &str) -> bool {
    module.starts_with("__future__") || MODULES.split_whitespace().any(|it| it == module)
}

/// The modules that a source imports, but for those that it can do without.
pub(crate) fn imported(source: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let mut optional = false;
    for line in without_texts(source).lines() {
        let code = line.split('#').next().unwrap_or("");
        for statement in code.split(';').map(str::trim).filter(|_| !optional) {
            if let Some(rest) = statement.strip_prefix("import ") {
                for one in rest.split(',') {
                    let name = one.split_whitespace().next().unwrap_or("");
                    modules.extend(name.split('.').next().map(str::to_owned));
                }
            } else if let Some((name, _)) =
                statement.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
            {
                modules.extend(name.trim().split('.').next().map(str::to_owned));
            }
        }
        optional = code.trim() == "try:";
    }
    modules
        .retain(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    modules.sort();
    modules.dedup();
    modules
}

/// The source without its literals of several lines, where it can be told what they are.
fn without_texts(source: &str) -> String {
    let mut rest = 0;
    let mut kept = String::new();
    let lines = lines(source).unwrap_or_default();
    for token in lines.iter().flat_map(|line| &line.tokens) {
        if token.kind == Kind::Text && token.text.contains('\n') {
            kept.push_str(&source[rest..token.at]);
            kept.push_str("''");
            rest = token.end();
        }
    }
    kept + &source[rest..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_where_they_stand() {
        let source = "import os, sys as s\nfrom a.b import c\n  import x.y; import z\nimported = 1\n\
                      try:\n    import q\nexcept ImportError:\n    q = None\nfrom . import r\n";
        assert_eq!(imported(source), ["a", "os", "sys", "x", "z"]);
        assert_eq!(
            imported("text = '''\nimport q\n'''\nimport r\n'import s'\nimport t"),
            ["r", "t"]
        );
        assert!(available("heapq") && available("__future__") && !available("numpy"));
    }
}
