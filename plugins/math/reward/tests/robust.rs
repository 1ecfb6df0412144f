//! Whatever stands in a text: an end, no panic, and the same verdict twice.

use omni_math_reward::number::Fuel;
use omni_math_reward::{Extract, Verdict, extract, parse, verify, verify_text};
use proptest::prelude::*;

/// Pieces that answers are made of, and that break them.
const PIECES: &[&str] = &[
    "\\frac",
    "\\sqrt",
    "\\text",
    "\\left",
    "\\right.",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "\\\\",
    "&",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\\{",
    "\\}",
    "|",
    "^",
    "_",
    "!",
    "'",
    "%",
    "$",
    "\\$",
    ",",
    ";",
    ":",
    "=",
    "<",
    "\\le",
    "\\in",
    "\\cup",
    "\\infty",
    "\\pm",
    "\\mp",
    "+",
    "-",
    "*",
    "/",
    " ",
    "1",
    "23",
    "0.5",
    "1,000",
    "1e9",
    "999999999",
    "x",
    "y",
    "i",
    "e",
    "\\pi",
    "\\theta",
    "\\sin",
    "\\log",
    "\\ln",
    "\\binom",
    "\\lfloor",
    "\\rfloor",
    "^\\circ",
    "°",
    "½",
    "√",
    "∪",
    "²",
    "₃",
    "\\mathbb{R}",
    "\\emptyset",
    "or",
    "and",
    "cm",
    "dollars",
    "million",
    "east",
    "\\boxed{",
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "é",
    "\u{200b}",
    "\\overline{3}",
    "...",
    "=5",
    "\\text∪",
    "\\max",
    "\\operatorname{lcm}",
    "\\begin{cases}",
    "\\end{cases}",
    "\\not",
    "~",
    "\\",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![pieces(), ".{0,60}", "[0-9x+*/^(){}\\\\ .,-]{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_two_texts_have_a_verdict(reference in texts(), answer in texts()) {
        let _ = parse(&answer);
        let verdict = verify(&reference, &answer);
        prop_assert_eq!(&verdict, &verify(&reference, &answer));
    }

    #[test]
    fn any_text_may_hold_an_answer(text in texts()) {
        for how in [Extract::Tags, Extract::Boxed, Extract::Auto, Extract::Last] {
            let found = extract(&text, how);
            prop_assert!(found.is_none_or(|answer| !answer.trim().is_empty()));
            verify_text("5", &text, how);
        }
    }

    #[test]
    fn a_usable_reference_equals_itself(text in texts()) {
        let verdict = verify(&text, &text);
        prop_assert!(verdict != Verdict::Unequal, "{text:?}");
    }

    #[test]
    fn order_of_terms_does_not_matter(a in -99i64..99, b in -99i64..99, c in 1i64..99) {
        let one = format!("{a}x^2 + {b}x - \\frac{{{c}}}{{7}}");
        let two = format!("-{c}/7 + x({b} + {a}x)");
        prop_assert_eq!(verify(&one, &two), Verdict::Equal);
        let off = format!("-{c}/7 + x({b} + {a}x) + 1/1000000007");
        prop_assert_eq!(verify(&one, &off), Verdict::Unequal);
    }
}

#[test]
fn what_is_spent_is_bounded() {
    let mut fuel = Fuel::default();
    assert!(fuel.spend(omni_math_reward::number::FUEL).is_ok());
    assert!(fuel.spend(1).is_err());
    // Each of these would take for ever if it were carried out.
    for (reference, answer) in [
        ("2", "9^{9^{9^{9}}}"),
        ("2", "10^{10^{10}}!"),
        ("2", "(((9!)!)!)!"),
        ("2", "\\binom{10^{12}}{10^{11}}"),
        ("2", "(1+\\sqrt{2})^{10^{15}}"),
        ("2", "\\sin(10^{10^{10}})"),
        ("2", "e^{e^{e^{e^{9}}}}"),
        ("x", "x^{10^{18}} - x^{10^{18}} + 2"),
        ("x", "((((x+1)^{99}+1)^{99}+1)^{99}+1)^{99}"),
        ("\\sqrt 2", "\\sqrt[10^{9}]{2}"),
    ] {
        assert_eq!(verify(reference, answer), Verdict::Unequal, "{answer}");
    }
    assert!(matches!(verify("9^{9^{9^{9}}}", "9"), Verdict::Undefined(_)));
    assert_eq!(verify("9^{9^{9^{9}}}", "9^{9^{9^9}}"), Verdict::Equal);
}

#[test]
fn a_stack_of_half_a_megabyte_is_enough() {
    let run = || {
        for (open, close) in [
            ("(", ")"),
            ("{", "}"),
            ("\\sqrt{", "}"),
            ("\\frac{1}{1+", "}"),
            ("|", "|"),
            ("-", ""),
            ("\\sin(", ")"),
            ("2^{", "}"),
            ("\\{", "\\}"),
            ("[", "]"),
            ("\\pm ", ""),
            ("\\begin{pmatrix}", "\\end{pmatrix}"),
            ("2^", ""),
            ("\\sqrt", ""),
            ("\\ln ", ""),
        ] {
            for depth in [10, 39, 40, 41, 160, 1_000] {
                let text = format!("{}2{}", open.repeat(depth), close.repeat(depth));
                verify("5", &text);
                verify(&text, "5");
            }
        }
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(run).unwrap().join().unwrap();
}
