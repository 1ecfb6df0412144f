//! Characters and commands that are spellings of something else.

/// Commands for one sign.
const SIGNS: &[(&str, char)] = &[
    ("times", '*'),
    ("cdot", '*'),
    ("ast", '*'),
    ("star", '*'),
    ("bullet", '*'),
    ("div", '/'),
    ("pm", '±'),
    ("mp", '∓'),
    ("le", '≤'),
    ("leq", '≤'),
    ("leqslant", '≤'),
    ("leqq", '≤'),
    ("ge", '≥'),
    ("geq", '≥'),
    ("geqslant", '≥'),
    ("geqq", '≥'),
    ("lt", '<'),
    ("gt", '>'),
    ("ne", '≠'),
    ("neq", '≠'),
    ("approx", '≈'),
    ("approxeq", '≈'),
    ("equiv", '≡'),
    ("sim", '∼'),
    ("cong", '≅'),
    ("in", '∈'),
    ("notin", '∉'),
    ("cup", '∪'),
    ("bigcup", '∪'),
    ("cap", '∩'),
    ("bigcap", '∩'),
    ("setminus", '∖'),
    ("smallsetminus", '∖'),
    ("backslash", '∖'),
    ("emptyset", '∅'),
    ("varnothing", '∅'),
    ("infty", '∞'),
    ("infinity", '∞'),
    ("lfloor", '⌊'),
    ("rfloor", '⌋'),
    ("lceil", '⌈'),
    ("rceil", '⌉'),
    ("langle", '⟨'),
    ("rangle", '⟩'),
    ("lvert", '|'),
    ("rvert", '|'),
    ("vert", '|'),
    ("mid", '|'),
    ("lVert", '‖'),
    ("rVert", '‖'),
    ("Vert", '‖'),
    ("lbrace", '⦃'),
    ("rbrace", '⦄'),
    ("lbrack", '['),
    ("rbrack", ']'),
    ("lparen", '('),
    ("rparen", ')'),
    ("colon", ':'),
    ("circ", '°'),
    ("degree", '°'),
    ("degrees", '°'),
    ("prime", '\''),
    ("lor", '∨'),
    ("vee", '∨'),
    ("land", '∧'),
    ("wedge", '∧'),
    ("ldots", '…'),
    ("dots", '…'),
    ("cdots", '…'),
    ("to", '→'),
    ("rightarrow", '→'),
    ("Rightarrow", '⇒'),
    ("implies", '⇒'),
    ("neg", '¬'),
    ("cr", '¶'),
    ("newline", '¶'),
    ("choose", '⊛'),
    ("over", '⊘'),
    ("lt=", '≤'),
    ("pounds", '£'),
    ("euro", '€'),
];

/// Commands that only change how something looks.
const IGNORED: &[&str] = &[
    "left",
    "right",
    "middle",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "biggl",
    "biggr",
    "Biggl",
    "Biggr",
    "bigm",
    "displaystyle",
    "textstyle",
    "scriptstyle",
    "scriptscriptstyle",
    "limits",
    "nolimits",
    "quad",
    "qquad",
    "thinspace",
    "medspace",
    "thickspace",
    "enspace",
    "negthinspace",
    "mathstrut",
    "strut",
    "bf",
    "rm",
    "it",
    "sf",
    "boldsymbol",
    "mathstrut",
    "hfill",
    "hline",
    "nonumber",
    "notag",
    "allowbreak",
    "nobreak",
    "large",
    "Large",
    "small",
    "normalsize",
    "ensuremath",
    "boxed",
    "fbox",
    "framebox",
    "underline",
    "displaylimits",
    "mathopen",
    "mathclose",
    "mathord",
    "mathbin",
    "mathinner",
    "protect",
    "relax",
    "noindent",
    "centering",
    "bold",
    "pmb",
    "bm",
    "unboldmath",
];

/// Commands whose argument, in plain letters, is a text.
const TEXTS: &[&str] = &[
    "text",
    "mbox",
    "hbox",
    "textrm",
    "textnormal",
    "textbf",
    "textit",
    "texttt",
    "textsf",
    "textsc",
    "emph",
    "mathrm",
    "operatorname",
    "operatorname*",
    "mathsf",
    "mathtt",
    "mathit",
    "mathbf",
    "mathnormal",
    "unit",
    "si",
    "SI",
];

/// Commands whose argument is one name together with them.
const NAMING: &[&str] = &[
    "overline",
    "bar",
    "vec",
    "hat",
    "widehat",
    "tilde",
    "widetilde",
    "overrightarrow",
    "overleftrightarrow",
    "dot",
    "ddot",
    "mathcal",
    "mathfrak",
    "mathscr",
    "angle",
    "triangle",
    "overarc",
    "wideparen",
    "overset",
    "stackrel",
    "measuredangle",
    "odot",
];

const GREEK: &[(&str, char)] = &[
    ("alpha", 'α'),
    ("beta", 'β'),
    ("gamma", 'γ'),
    ("delta", 'δ'),
    ("epsilon", 'ε'),
    ("zeta", 'ζ'),
    ("eta", 'η'),
    ("theta", 'θ'),
    ("kappa", 'κ'),
    ("lambda", 'λ'),
    ("mu", 'μ'),
    ("nu", 'ν'),
    ("xi", 'ξ'),
    ("pi", 'π'),
    ("rho", 'ρ'),
    ("sigma", 'σ'),
    ("tau", 'τ'),
    ("phi", 'φ'),
    ("chi", 'χ'),
    ("psi", 'ψ'),
    ("omega", 'ω'),
    ("Gamma", 'Γ'),
    ("Delta", 'Δ'),
    ("Theta", 'Θ'),
    ("Lambda", 'Λ'),
    ("Xi", 'Ξ'),
    ("Pi", 'Π'),
    ("Sigma", 'Σ'),
    ("Phi", 'Φ'),
    ("Psi", 'Ψ'),
    ("Omega", 'Ω'),
    ("ell", 'ℓ'),
];

/// Fractions that are one character.
const FRACTIONS: &[(char, u8, u8)] = &[
    ('½', 1, 2),
    ('⅓', 1, 3),
    ('⅔', 2, 3),
    ('¼', 1, 4),
    ('¾', 3, 4),
    ('⅕', 1, 5),
    ('⅖', 2, 5),
    ('⅗', 3, 5),
    ('⅘', 4, 5),
    ('⅙', 1, 6),
    ('⅚', 5, 6),
    ('⅐', 1, 7),
    ('⅛', 1, 8),
    ('⅜', 3, 8),
    ('⅝', 5, 8),
    ('⅞', 7, 8),
    ('⅑', 1, 9),
    ('⅒', 1, 10),
];

/// The sign of a command.
pub(super) fn sign(command: &str) -> Option<char> {
    SIGNS.iter().find(|(name, _)| *name == command).map(|(_, sign)| *sign)
}

/// Whether a command changes nothing but looks.
pub(super) fn ignored(command: &str) -> bool {
    IGNORED.contains(&command)
}

/// Whether a command's argument is a text.
pub(super) fn is_text(command: &str) -> bool {
    TEXTS.contains(&command)
}

/// Whether a command makes a name of its argument.
pub(super) fn is_naming(command: &str) -> bool {
    NAMING.contains(&command)
}

/// The name of a Greek letter, by command or word; both shapes of a letter are one.
pub(super) fn greek(name: &str) -> Option<&'static str> {
    let name = match name.strip_prefix("var") {
        Some(letter @ ("phi" | "theta" | "epsilon")) => letter,
        _ => name,
    };
    GREEK.iter().find(|(command, _)| *command == name).map(|(command, _)| *command)
}

/// The name of a Greek character.
pub(super) fn greek_letter(c: char) -> Option<&'static str> {
    let c = match c {
        'µ' => 'μ',
        '𝜋' | 'ᴨ' => 'π',
        'ϕ' => 'φ',
        'ϑ' => 'θ',
        'ϵ' => 'ε',
        other => other,
    };
    GREEK.iter().find(|(_, letter)| *letter == c).map(|(command, _)| *command)
}

/// A fraction's character.
pub(super) fn fraction(c: char) -> Option<(u8, u8)> {
    FRACTIONS.iter().find(|(letter, ..)| *letter == c).map(|(_, n, d)| (*n, *d))
}

/// The digit or sign that is raised.
pub(super) fn raised(c: char) -> Option<char> {
    Some(match c {
        '⁰' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴'..='⁹' => char::from_digit(u32::from(c) - 0x2070, 10)?,
        '⁺' => '+',
        '⁻' => '-',
        'ⁿ' => 'n',
        'ˣ' => 'x',
        _ => return None,
    })
}

/// The digit that is lowered.
pub(super) fn lowered(c: char) -> Option<char> {
    char::from_digit(u32::from(c).checked_sub(0x2080)?, 10)
}

/// The sign that a character is another spelling of.
pub(super) fn plain(c: char) -> char {
    match c {
        '−' | '–' | '—' | '‐' | '‑' | '‒' | '﹣' | '－' | '⁃' | '➖' => '-',
        '＋' | '﹢' => '+',
        '×' | '✕' | '✖' | '⋅' | '·' | '∙' | '•' | '∗' | '＊' | '⨯' => '*',
        '÷' | '⁄' | '∕' | '／' => '/',
        '＝' => '=',
        '＜' | '﹤' => '<',
        '＞' | '﹥' => '>',
        '⩽' | '≦' => '≤',
        '⩾' | '≧' => '≥',
        '（' => '(',
        '）' => ')',
        '［' | '【' => '[',
        '］' | '】' => ']',
        '｛' => '{',
        '｝' => '}',
        '，' | '、' => ',',
        '；' => ';',
        '：' => ':',
        '。' | '．' => '.',
        '％' => '%',
        '！' => '!',
        '＄' => '$',
        '∣' | '｜' | '│' => '|',
        '∥' => '‖',
        '\u{2329}' | '\u{3008}' => '⟨',
        '\u{232a}' | '\u{3009}' => '⟩',
        'º' | '˚' | '∘' => '°',
        '′' | '’' | '‘' | '`' => '\'',
        '″' => '"',
        '⋃' => '∪',
        '⋂' => '∩',
        '＼' => '∖',
        '⋯' => '…',
        '⟶' | '⇾' => '→',
        '⟹' => '⇒',
        '＾' | 'ˆ' => '^',
        '０'..='９' => char::from_u32(u32::from(c) - 0xFF10 + 0x30).unwrap_or(c),
        other => other,
    }
}
