//! Units: what may stand after a number without changing it.
//!
//! A unit is recognised, never guessed at: `5x` is not five of something, and `5 million`,
//! `5 or 6` and `5 less` are not five.

/// A unit of measure, a currency or a counted noun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its words in one spelling: `cm^2`, `mile/hr`, `apple`.
    pub name: String,
}

/// What followed a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suffix {
    /// Nothing.
    None,
    /// A percent sign or the word.
    Percent,
    /// Thousands, millions, …: the power of ten, and the unit after it.
    Scale(u32, Option<Unit>),
    /// A unit.
    Unit(Unit),
}

/// Spellings of units, each with the one that is kept.
const SPELLINGS: &[(&str, &str)] = &[
    ("centimeter", "cm"),
    ("centimetre", "cm"),
    ("kilometer", "km"),
    ("kilometre", "km"),
    ("millimeter", "mm"),
    ("millimetre", "mm"),
    ("meter", "m"),
    ("metre", "m"),
    ("foot", "ft"),
    ("feet", "ft"),
    ("inch", "in"),
    ("inches", "in"),
    ("yard", "yd"),
    ("mile", "mi"),
    ("gram", "g"),
    ("kilogram", "kg"),
    ("kilo", "kg"),
    ("milligram", "mg"),
    ("pound", "lb"),
    ("lbs", "lb"),
    ("ounce", "oz"),
    ("hour", "hr"),
    ("hrs", "hr"),
    ("h", "hr"),
    ("minute", "min"),
    ("mins", "min"),
    ("second", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("liter", "l"),
    ("litre", "l"),
    ("L", "l"),
    ("milliliter", "ml"),
    ("millilitre", "ml"),
    ("mL", "ml"),
    ("gallon", "gal"),
    ("usd", "dollar"),
    ("buck", "dollar"),
    ("$", "dollar"),
    ("¢", "cent"),
    ("€", "euro"),
    ("eur", "euro"),
    ("£", "sterling"),
    ("gbp", "sterling"),
    ("¥", "yen"),
    ("deg", "degree"),
    ("radian", "rad"),
    ("mph", "mi/hr"),
    ("kph", "km/hr"),
    ("kmh", "km/hr"),
    ("person", "people"),
    ("child", "children"),
    ("celsius", "C"),
    ("fahrenheit", "F"),
];

/// Known units of up to four letters that are no word.
const SHORT: &[&str] = &[
    "cm", "mm", "km", "dm", "nm", "kg", "mg", "lb", "oz", "ft", "in", "yd", "mi", "hr", "min",
    "ms", "ml", "cl", "dl", "gal", "qt", "pt", "day", "per", "of", "am", "pm", "AM", "PM", "pcs",
    "sq", "cu", "rad", "bus", "car", "cup", "egg", "box", "men", "cow", "pie", "Hz", "kHz", "kJ",
    "kW", "Pa", "kPa", "mol", "eV", "dB", "kmh", "mph", "kph", "usd", "USD", "deg", "sec", "hrs",
    "lbs", "yds", "mL", "eur", "EUR", "GBP", "gbp", "way", "set", "pen", "top", "ppm", "bps",
    "cents",
];

/// Units of one letter.
const LETTERS: &[&str] = &["m", "g", "s", "h", "l", "L", "N", "J", "W", "V"];

/// Words that make a number another number, or no number.
const NOT_UNITS: &[&str] = &[
    "hundred",
    "hundredth",
    "tenth",
    "thousandth",
    "dozen",
    "half",
    "halve",
    "third",
    "quarter",
    "fourth",
    "fifth",
    "over",
    "divided",
    "times",
    "plus",
    "minus",
    "less",
    "than",
    "more",
    "most",
    "least",
    "approximately",
    "about",
    "factorial",
    "squared",
    "cubed",
    "root",
    "infinity",
    "modulo",
    "mod",
    "base",
    "score",
    "between",
    "through",
    "until",
    "either",
    "remainder",
    "multiplied",
    "not",
    "if",
    "when",
    "where",
    "for",
    "is",
    "equal",
    "equals",
    "except",
    "but",
    "instead",
    "wrong",
    "or",
    "and",
    "to",
    "with",
    "such",
    "that",
    "so",
    "then",
    "thus",
    "hence",
    "because",
    "since",
    "any",
    "all",
    "some",
    "none",
    "isn",
    "aren",
    "wasn",
    "doesn",
    "don",
    "didn",
    "won",
    "right",
    "wrong",
    "correct",
    "negative",
    "positive",
    "something",
    "anything",
    "nothing",
    "double",
    "twice",
    "triple",
    "no",
    "too",
    "also",
    "only",
    "never",
    "false",
    "true",
    "nor",
    "fewer",
    "up",
    "down",
    "at",
    "as",
    "by",
    "does",
    "do",
    "was",
    "were",
    "are",
    "be",
];

/// Longer descriptions are sentences.
const MAX_WORDS: usize = 6;

/// Whether a word never belongs to a unit or a product of letters.
pub fn is_other(word: &str) -> bool {
    NOT_UNITS.contains(&word.to_lowercase().as_str())
}

const SCALES: [(&str, u32); 4] =
    [("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12)];

/// Units that convert into each other: name, dimension, and how many of the dimension's first unit
/// one is, as a fraction.
const SIZES: &[(&str, &str, i64, i64)] = &[
    ("m", "length", 1, 1),
    ("cm", "length", 1, 100),
    ("mm", "length", 1, 1_000),
    ("dm", "length", 1, 10),
    ("km", "length", 1_000, 1),
    ("in", "length", 127, 5_000),
    ("ft", "length", 381, 1_250),
    ("yd", "length", 1_143, 1_250),
    ("mi", "length", 201_168, 125),
    ("g", "mass", 1, 1_000),
    ("kg", "mass", 1, 1),
    ("mg", "mass", 1, 1_000_000),
    ("oz", "weight", 1, 1),
    ("lb", "weight", 16, 1),
    ("s", "time", 1, 1),
    ("ms", "time", 1, 1_000),
    ("min", "time", 60, 1),
    ("hr", "time", 3_600, 1),
    ("day", "time", 86_400, 1),
    ("week", "time", 604_800, 1),
    ("l", "volume", 1, 1),
    ("ml", "volume", 1, 1_000),
    ("cl", "volume", 1, 100),
    ("dl", "volume", 1, 10),
    ("cent", "money", 1, 100),
    ("dollar", "money", 1, 1),
];

/// The unit of a currency's sign.
pub fn currency(sign: char) -> Option<Unit> {
    let name = SPELLINGS.iter().find(|(spelling, _)| spelling.chars().eq([sign]))?.1;
    Some(Unit { name: name.to_owned() })
}

/// Whether a word is a known short unit.
pub fn is_known(word: &str) -> bool {
    SHORT.contains(&word)
        || word.len() > 1 && SPELLINGS.iter().any(|(spelling, _)| *spelling == word)
        || word.strip_suffix('s').is_some_and(|one| {
            one.len() > 2 && (SHORT.contains(&one) || SPELLINGS.iter().any(|(s, _)| *s == one))
        })
}

/// Whether a letter is a unit.
pub fn is_letter(letter: &str) -> bool {
    LETTERS.contains(&letter)
}

impl Unit {
    /// How many of the unit that both share one of each is, when they convert.
    pub fn ratio(&self, other: &Self) -> Option<((i64, i64), (i64, i64))> {
        let split = |name: &str| {
            let (base, power) = name.split_once('^').unwrap_or((name, "1"));
            let (.., dimension, n, d) = *SIZES.iter().find(|(unit, ..)| *unit == base)?;
            let power: u32 = power.parse().ok().filter(|power| (1..=3).contains(power))?;
            Some((dimension, power, (n.checked_pow(power)?, d.checked_pow(power)?)))
        };
        let ((dimension, power, this), (others, to, that)) =
            (split(&self.name)?, split(&other.name)?);
        (dimension == others && power == to).then_some((this, that))
    }

    /// Whether it is the degree of an angle.
    pub fn is_degree(&self) -> bool {
        self.name == "degree"
    }
}

/// Reads the words that follow a number; none when they are not a unit.
pub fn read(text: &str) -> Option<Suffix> {
    let text = text.replace(" ^", "^").replace("^ ", "^").replace(" /", "/").replace("/ ", "/");
    let text = text.replace("\\%", "%").replace('*', " ").replace(['.', '(', ')'], "");
    let said = |word: &str| NOT_UNITS.contains(&word.to_lowercase().as_str());
    if text.split_whitespace().any(said) || text.split_whitespace().count() > MAX_WORDS {
        return None;
    }
    let mut words: Vec<String> = text.split_whitespace().map(canonical).collect();
    let Some(first) = words.first() else { return Some(Suffix::None) };
    if words.len() == 1 && matches!(first.as_str(), "percent" | "%") {
        return Some(Suffix::Percent);
    }
    let scale = SCALES.iter().find(|(name, _)| name == first).map(|(_, power)| *power);
    if scale.is_some() {
        words.remove(0);
    }
    let known = |word: &String| {
        word.split(['/', '-']).all(|part| {
            let (base, power) = part.split_once('^').unwrap_or((part, "2"));
            let power = power.strip_prefix('-').unwrap_or(power);
            !base.is_empty()
                && base
                    .chars()
                    .all(|c| c.is_alphabetic() || matches!(c, '\'' | '$' | '€' | '£' | '¥'))
                && matches!(power, "1" | "2" | "3")
                && !NOT_UNITS.contains(&base)
                && !SCALES.iter().any(|(name, _)| *name == base)
        })
    };
    if !words.iter().all(known) {
        return None;
    }
    let name = unit_name(words);
    let unit = (!name.is_empty()).then_some(Unit { name });
    match (scale, unit) {
        (None, None) => None,
        (None, Some(unit)) => Some(Suffix::Unit(unit)),
        (Some(scale), unit) => Some(Suffix::Scale(scale, unit)),
    }
}

/// "square inches" is in^2, "miles per hour" mi/hr; little words say nothing.
fn unit_name(words: Vec<String>) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut power = None;
    for word in words {
        match word.as_str() {
            "square" | "sq" => power = Some("^2"),
            "cubic" | "cu" => power = Some("^3"),
            "per" => out.push("/".to_owned()),
            "of" | "the" | "a" | "an" | "in" if !out.is_empty() => {}
            _ => out.push(word + power.take().unwrap_or_default()),
        }
    }
    if let Some(power) = power {
        // "square units", where the unit is left out.
        out.push(format!("unit{power}"));
    }
    out.join(" ").replace(" / ", "/")
}

/// One name for each unit: known spellings, no plural.
fn canonical(word: &str) -> String {
    if word.contains('/') {
        return word.split('/').map(canonical).collect::<Vec<_>>().join("/");
    }
    if let Some((base, power)) = word.split_once('^') {
        return format!("{}^{power}", canonical(base));
    }
    let lower = word.to_lowercase();
    let plural = lower.len() > 3 && lower.ends_with('s') && !lower.ends_with("ss");
    let one = if plural { &lower[..lower.len() - 1] } else { &lower };
    for candidate in [word, &lower, one] {
        if let Some((_, kept)) = SPELLINGS.iter().find(|(spelling, _)| *spelling == candidate) {
            return (*kept).to_owned();
        }
    }
    one.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_recognised_and_not_guessed() {
        for (text, unit) in [
            ("dollars", "dollar"),
            ("eggs", "egg"),
            ("inches^2", "in^2"),
            ("square inches", "in^2"),
            ("cm ^2", "cm^2"),
            ("miles per hour", "mi/hr"),
            ("km / h", "km/hr"),
            ("mph", "mi/hr"),
        ] {
            assert_eq!(read(text), Some(Suffix::Unit(Unit { name: unit.to_owned() })), "{text}");
        }
        for text in ["or 6", "hundred", "dozen", "less", "half", "if x"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(
            read("million dollars"),
            Some(Suffix::Scale(6, Some(Unit { name: "dollar".to_owned() })))
        );
        assert_eq!(read("percent"), Some(Suffix::Percent));
    }

    #[test]
    fn sizes_convert_within_a_dimension() {
        let unit = |name: &str| Unit { name: name.to_owned() };
        assert_eq!(unit("m").ratio(&unit("cm")), Some(((1, 1), (1, 100))));
        assert_eq!(unit("m^2").ratio(&unit("cm^2")), Some(((1, 1), (1, 10_000))));
        assert_eq!(unit("m").ratio(&unit("kg")), None);
        assert_eq!(unit("m^2").ratio(&unit("cm")), None);
    }
}
