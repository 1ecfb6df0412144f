//! What may stand after a number without changing it: units, currencies, degrees, percent signs.
//!
//! A unit is recognised, never guessed at: `5x` is not five of something, and `5 million`,
//! `5 or 6` and `5 less` are not five.

/// What followed a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suffix {
    /// Nothing.
    None,
    /// A percent sign or the word.
    Percent,
    /// Thousands, millions, …: the power of ten, and the unit after it.
    Scale(u32, Option<String>),
    /// A unit of measure or a counted noun, normalised.
    Unit(String),
}

/// Units of up to three letters; longer words need not be known.
const SHORT: [&str; 58] = [
    "m", "s", "g", "h", "l", "cm", "mm", "km", "dm", "nm", "kg", "mg", "lb", "lbs", "oz", "ft",
    "in", "yd", "yds", "mi", "mph", "kph", "hr", "hrs", "min", "sec", "ms", "ml", "cl", "dl",
    "gal", "qt", "pt", "day", "per", "a", "an", "of", "the", "ca", "usd", "eur", "gbp", "am", "pm",
    "pcs", "sq", "cu", "deg", "rad", "bus", "car", "cup", "egg", "box", "men", "cow", "pie",
];

/// Words that make a number another number, or no number.
const NOT_UNITS: [&str; 46] = [
    "hundred",
    "hundreds",
    "hundredth",
    "hundredths",
    "tenth",
    "tenths",
    "thousandth",
    "thousandths",
    "dozen",
    "dozens",
    "half",
    "halves",
    "third",
    "thirds",
    "quarter",
    "quarters",
    "fourth",
    "fourths",
    "fifth",
    "fifths",
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
    "base",
    "score",
    "between",
    "through",
    "until",
    "either",
    "remainder",
    "multiplied",
];

const SCALES: [(&str, u32); 4] =
    [("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12)];

/// Reads what follows a number; none when it is not something that may.
pub fn read(text: &str) -> Option<Suffix> {
    let spaced = text.starts_with(char::is_whitespace);
    let text = text.trim();
    if text.is_empty() {
        return Some(Suffix::None);
    }
    if matches!(text, "%" | "\\%") {
        return Some(Suffix::Percent);
    }
    let degree = text.trim_start_matches('^').trim_matches(['{', '}', ' ']);
    if matches!(degree, "\\circ" | "°" | "\\degree") {
        return Some(Suffix::Unit("degree".to_owned()));
    }
    if matches!(text, "€" | "£" | "¥" | "¢") {
        return Some(Suffix::Unit(text.to_owned()));
    }
    let (plain, marked) = unwrap_text(text)?;
    let mut words: Vec<String> = plain.split_whitespace().map(singular).collect();
    let mut scale = 0;
    if let Some((_, power)) =
        words.first().and_then(|first| SCALES.iter().find(|(name, _)| name == first))
    {
        scale = *power;
        words.remove(0);
    }
    if words.first().is_some_and(|word| word == "percent") && words.len() == 1 && scale == 0 {
        return Some(Suffix::Percent);
    }
    let known = |word: &str| {
        let (base, power) = word.split_once('^').unwrap_or((word, "2"));
        let letters = !base.is_empty()
            && base.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '-' | '/' | '.'));
        let length = base.chars().filter(|c| c.is_alphabetic()).count();
        letters
            && matches!(power, "2" | "3" | "²" | "³")
            && !NOT_UNITS.contains(&base)
            && !SCALES.iter().any(|(name, _)| *name == base)
            && (length > 3
                || SHORT.contains(&base)
                || SHORT.contains(&base.trim_end_matches('.'))
                || base.contains('/'))
    };
    if !words.iter().all(|word| known(word)) {
        return None;
    }
    // "5cm" is a length, "5m" and "5abcd" might be products.
    let glued_known =
        words.len() == 1 && words[0].chars().count() > 1 && SHORT.contains(&words[0].as_str());
    if !(spaced || marked || glued_known || words.is_empty()) {
        return None;
    }
    let unit = (!words.is_empty()).then(|| words.join(" "));
    match (scale, unit) {
        (0, None) => None,
        (0, Some(unit)) => Some(Suffix::Unit(unit)),
        (scale, unit) => Some(Suffix::Scale(scale, unit)),
    }
}

/// Takes `\text{…}` and its kin apart; says whether there was one. None when other LaTeX is left.
fn unwrap_text(text: &str) -> Option<(String, bool)> {
    let (mut plain, mut marked) = (text.to_owned(), false);
    for command in
        ["\\text", "\\mbox", "\\textrm", "\\mathrm", "\\textbf", "\\hbox", "\\operatorname"]
    {
        let opening = format!("{command}{{");
        while let Some(start) = plain.find(&opening) {
            let inner = start + opening.len();
            let end = inner + plain[inner..].find('}')?;
            plain =
                format!("{} {}{}", &plain[..start], plain[inner..end].trim(), &plain[end + 1..]);
            marked = true;
        }
    }
    let plain =
        plain.replace("^{2}", "^2").replace("^{3}", "^3").replace("² ", "^2 ").replace(" ^", "^");
    let plain = plain.strip_suffix('.').map(str::to_owned).unwrap_or(plain);
    (!plain.contains(['\\', '{', '}', '(', ')', '='])).then_some((plain.trim().to_owned(), marked))
}

/// Lower case, without the plural's s, with one name for each common unit.
fn singular(word: &str) -> String {
    if let Some((base, power)) = word.split_once('^') {
        return format!("{}^{power}", singular(base));
    }
    let word = word.to_lowercase();
    let word = match word.as_str() {
        "cm" | "centimeter" | "centimeters" | "centimetre" | "centimetres" => "cm",
        "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => "km",
        "mm" | "millimeter" | "millimeters" | "millimetre" | "millimetres" => "mm",
        "m" | "meter" | "meters" | "metre" | "metres" => "m",
        "ft" | "foot" | "feet" => "ft",
        "inch" | "inches" => "in",
        "kg" | "kilogram" | "kilograms" => "kg",
        "hr" | "hrs" | "hour" | "hours" => "hr",
        "minute" | "minutes" => "min",
        "sec" | "second" | "seconds" => "s",
        "lbs" | "pound" | "pounds" => "lb",
        "ounce" | "ounces" => "oz",
        "usd" | "dollar" | "dollars" => "dollar",
        "deg" | "degree" | "degrees" => "degree",
        other => other,
    };
    let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    (if plural { &word[..word.len() - 1] } else { word }).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_recognised_and_not_guessed() {
        for (text, unit) in [
            (" dollars", "dollar"),
            (" eggs", "egg"),
            ("^\\circ", "degree"),
            (" \\text{ cents}", "cent"),
            ("\\mbox{ inches}^2", "in^2"),
            ("\\mbox{ cm}^2", "cm^2"),
            ("cm", "cm"),
            (" miles per hour", "mile per hr"),
        ] {
            assert_eq!(read(text), Some(Suffix::Unit(unit.to_owned())), "{text}");
        }
        for text in [
            "x", " x", "m", "k+2", " or 6", " hundred", " dozen", " less", " 3", "abcd", "_8",
            " \\pm 2", " ab", "!", " half",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(" million dollars"), Some(Suffix::Scale(6, Some("dollar".to_owned()))));
        assert_eq!(read("\\%"), Some(Suffix::Percent));
        assert_eq!(read(" percent"), Some(Suffix::Percent));
    }
}
