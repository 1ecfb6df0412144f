//! Reads a Python literal.

use super::{Kind, Value};

/// How deeply values may nest.
const DEPTH: usize = 200;

/// The literal that a whole source is, if it is one.
pub(super) fn whole(source: &str) -> Option<Value> {
    let mut parser = Parser { rest: source };
    let value = parser.open_tuple()?;
    parser.space();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.find('\n').map_or("", |at| &comment[at..]),
                None if self.rest.starts_with("\\\n") => self.rest = &self.rest[2..],
                None => return,
            }
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A value, or several with commas between: a tuple without its brackets.
    fn open_tuple(&mut self) -> Option<Value> {
        let first = self.value(0)?;
        if !self.eat(",") {
            return Some(first);
        }
        let mut items = vec![first];
        loop {
            self.space();
            if self.rest.is_empty() {
                return Some(Value::Tuple(items));
            }
            items.push(self.value(0)?);
            if !self.eat(",") {
                return Some(Value::Tuple(items));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        let first = self.rest.chars().next()?;
        match first {
            '(' => self.round(depth),
            '[' => {
                self.eat("[");
                Some(Value::List(self.items("]", depth)?.0))
            }
            '{' => self.curly(depth),
            '-' | '+' => {
                self.eat(if first == '-' { "-" } else { "+" });
                let value = self.value(depth + 1)?;
                signed(value, first == '-')
            }
            '0'..='9' | '.' => self.number(),
            _ if self.at_string() => self.strings(),
            _ => self.word(depth),
        }
    }

    fn round(&mut self, depth: usize) -> Option<Value> {
        self.eat("(");
        let (mut items, comma) = self.items(")", depth)?;
        if items.len() == 1 && !comma {
            return items.pop();
        }
        Some(Value::Tuple(items))
    }

    /// Values up to a closing bracket, and whether a comma stood among them.
    fn items(&mut self, close: &str, depth: usize) -> Option<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.eat(close) {
                return Some((items, comma));
            }
            items.push(self.value(depth + 1)?);
            if self.eat(",") {
                comma = true;
            } else if self.eat(close) {
                return Some((items, comma));
            } else {
                return None;
            }
        }
    }

    fn curly(&mut self, depth: usize) -> Option<Value> {
        self.eat("{");
        if self.eat("}") {
            return Some(Value::Dict(Vec::new()));
        }
        let first = self.value(depth + 1)?;
        if !self.eat(":") {
            let mut items = vec![first];
            if self.eat(",") {
                items.extend(self.items("}", depth)?.0);
            } else if !self.eat("}") {
                return None;
            }
            return Some(Value::Set(items));
        }
        let mut pairs = vec![(first, self.value(depth + 1)?)];
        loop {
            let comma = self.eat(",");
            if self.eat("}") {
                return Some(Value::Dict(pairs));
            }
            if !comma {
                return None;
            }
            let key = self.value(depth + 1)?;
            if !self.eat(":") {
                return None;
            }
            pairs.push((key, self.value(depth + 1)?));
        }
    }

    fn word(&mut self, depth: usize) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            "None" => Some(Value::None),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "inf" => Some(Value::Float(f64::INFINITY)),
            "nan" => Some(Value::Float(f64::NAN)),
            "set" | "frozenset" | "list" | "tuple" | "dict" => self.empty_or(word, depth),
            "float" => {
                let Some(Value::Text(points)) = self.eat("(").then(|| self.value(depth + 1))?
                else {
                    return None;
                };
                let text: String = points.iter().filter_map(|it| char::from_u32(*it)).collect();
                if !self.eat(")") {
                    return None;
                }
                match text.trim().to_ascii_lowercase().as_str() {
                    "inf" | "+inf" | "infinity" => Some(Value::Float(f64::INFINITY)),
                    "-inf" | "-infinity" => Some(Value::Float(f64::NEG_INFINITY)),
                    "nan" => Some(Value::Float(f64::NAN)),
                    _ => None,
                }
            }
            _ => self.made(*Kind::ALL.iter().find(|kind| kind.name() == word)?, depth),
        }
    }

    /// A value of the standard library, by what it is made with.
    fn made(&mut self, kind: Kind, depth: usize) -> Option<Value> {
        if !self.eat("(") {
            return None;
        }
        let (mut items, _) = self.items(")", depth)?;
        let int = |it: &Value| matches!(it, Value::Int(_));
        let fits = match (kind, &items[..]) {
            (Kind::Complex, [Value::Int(_) | Value::Float(_)]) => true,
            (Kind::Complex, [Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)]) => {
                true
            }
            (Kind::Deque, [] | [Value::List(_)]) => true,
            (Kind::Counter | Kind::OrderedDict | Kind::DefaultDict, [Value::Dict(_)]) => true,
            (Kind::Counter | Kind::OrderedDict, []) => true,
            (Kind::ByteArray, [Value::Bytes(_)]) => true,
            (Kind::Decimal, [Value::Text(_) | Value::Int(_)]) => true,
            (Kind::Fraction, [_] | [_, _]) | (Kind::TimeDelta, [_] | [_, _] | [_, _, _]) => {
                items.iter().all(int)
            }
            (Kind::Range, list) => (1..=3).contains(&list.len()) && list.iter().all(int),
            (Kind::Date, list) => list.len() == 3 && list.iter().all(int),
            (Kind::DateTime, list) => (3..=7).contains(&list.len()) && list.iter().all(int),
            (Kind::Time, list) => list.len() <= 4 && list.iter().all(int),
            _ => false,
        };
        if !fits {
            return None;
        }
        // In one form each, so that equal ones look equal.
        let zero = || Value::Int("0".to_owned());
        match kind {
            Kind::Complex => {
                items.resize(2, zero());
            }
            Kind::Fraction => items.resize(2, Value::Int("1".to_owned())),
            Kind::Range if items.len() == 1 => items.insert(0, zero()),
            Kind::DateTime => items.resize(7, zero()),
            Kind::Time => items.resize(4, zero()),
            Kind::TimeDelta => items.resize(3, zero()),
            Kind::Counter | Kind::OrderedDict => items.resize(1, Value::Dict(Vec::new())),
            Kind::Deque => items.resize(1, Value::List(Vec::new())),
            _ => {}
        }
        if kind == Kind::Range {
            items.resize(3, Value::Int("1".to_owned()));
        }
        Some(Value::Made(kind, items))
    }

    /// `set()` and the like, or `set([…])`.
    fn empty_or(&mut self, word: &str, depth: usize) -> Option<Value> {
        if !self.eat("(") {
            return None;
        }
        let items = if self.eat(")") {
            Vec::new()
        } else {
            let inner = self.value(depth + 1)?;
            if !self.eat(")") || word == "dict" {
                return None;
            }
            match inner {
                Value::List(items) | Value::Tuple(items) => items,
                Value::Set(items) if word.ends_with("set") => items,
                _ => return None,
            }
        };
        Some(match word {
            "list" => Value::List(items),
            "tuple" => Value::Tuple(items),
            "dict" => Value::Dict(Vec::new()),
            "frozenset" => Value::Made(Kind::FrozenSet, vec![Value::Set(items)]),
            _ => Value::Set(items),
        })
    }

    fn number(&mut self) -> Option<Value> {
        let (_, length) = crate::syntax::token(self.rest)?;
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        let plain = text.replace('_', "").to_ascii_lowercase();
        for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            if let Some(digits) = plain.strip_prefix(prefix) {
                let value = u128::from_str_radix(digits, base).ok()?;
                return Some(Value::Int(value.to_string()));
            }
        }
        if plain.bytes().all(|byte| byte.is_ascii_digit()) {
            let digits = plain.trim_start_matches('0');
            let digits = if digits.is_empty() { "0" } else { digits };
            return Some(Value::Int(digits.to_owned()));
        }
        let fits = plain.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
        fits.then(|| plain.parse().ok().map(Value::Float))?
    }

    fn at_string(&self) -> bool {
        let quote = self.rest.find(['"', '\'']);
        quote.is_some_and(|at| {
            ["", "r", "b", "u", "br", "rb"].contains(&self.rest[..at].to_ascii_lowercase().as_str())
        })
    }

    /// One string, or several that stand beside each other.
    fn strings(&mut self) -> Option<Value> {
        let mut text = Vec::new();
        let mut kind = None;
        while self.at_string() {
            let (points, bytes) = self.string()?;
            if *kind.get_or_insert(bytes) != bytes {
                return None;
            }
            text.extend(points);
            self.space();
        }
        if kind? {
            let bytes: Option<Vec<u8>> = text.iter().map(|it| u8::try_from(*it).ok()).collect();
            return bytes.map(Value::Bytes);
        }
        Some(Value::Text(text))
    }

    fn string(&mut self) -> Option<(Vec<u32>, bool)> {
        let quote = self.rest.find(['"', '\''])?;
        let prefix = self.rest[..quote].to_ascii_lowercase();
        let (raw, bytes) = (prefix.contains('r'), prefix.contains('b'));
        let body = &self.rest[quote..];
        let mark = &body[..1];
        let triple = mark.repeat(3);
        let close = if body.starts_with(&triple) { triple.as_str() } else { mark };
        let mut rest = &body[close.len()..];
        let mut points = Vec::new();
        loop {
            if let Some(after) = rest.strip_prefix(close) {
                self.rest = after;
                return Some((points, bytes));
            }
            let next = rest.chars().next()?;
            rest = &rest[next.len_utf8()..];
            if next == '\\' && !raw {
                rest = escape(rest, bytes, &mut points)?;
            } else {
                if next == '\\' {
                    let quoted = rest.chars().next()?;
                    points.push(u32::from(next));
                    points.push(u32::from(quoted));
                    rest = &rest[quoted.len_utf8()..];
                    continue;
                }
                if next == '\n' && close.len() == 1 {
                    return None;
                }
                points.push(u32::from(next));
            }
        }
    }
}

/// Reads what follows a backslash.
fn escape<'a>(rest: &'a str, bytes: bool, points: &mut Vec<u32>) -> Option<&'a str> {
    let code = rest.chars().next()?;
    let after = &rest[code.len_utf8()..];
    let simple = match code {
        '\n' => return Some(after),
        'n' => 10,
        't' => 9,
        'r' => 13,
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'v' => 11,
        '\\' | '\'' | '"' => u32::from(code),
        '0'..='7' => {
            let length = rest.bytes().take(3).take_while(|it| (b'0'..b'8').contains(it)).count();
            points.push(u32::from_str_radix(&rest[..length], 8).ok()?);
            return Some(&rest[length..]);
        }
        'x' | 'u' | 'U' if code == 'x' || !bytes => {
            let length = match code {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            points.push(u32::from_str_radix(after.get(..length)?, 16).ok()?);
            return after.get(length..);
        }
        'N' if !bytes => return None,
        other => {
            points.push(u32::from('\\'));
            u32::from(other)
        }
    };
    points.push(simple);
    Some(after)
}

fn signed(value: Value, negative: bool) -> Option<Value> {
    match value {
        Value::Int(digits) if negative && digits != "0" => Some(Value::Int(
            digits.strip_prefix('-').map_or_else(|| format!("-{digits}"), str::to_owned),
        )),
        Value::Int(_) => Some(value),
        Value::Float(number) => Some(Value::Float(if negative { -number } else { number })),
        _ => None,
    }
}
