//! What equals what, and what does not.

#![expect(clippy::unwrap_used, reason = "tests")]

use omni_math_reward::Math;
use omni_sdk::reward::{Group, Item, Reward, Turn, Value};

fn score(config: &str, reference: Option<&str>, text: &str) -> Value {
    let math: Math = omni_sdk::config::read(config).unwrap();
    let mut item = Item::new("i", "?");
    item.reference = reference.map(str::to_owned);
    match math.score(&Group::new(item, &[text]), &[]).unwrap() {
        Turn::Done(mut scores) => scores.remove(0).remove(0).value,
        Turn::Ask(_) => panic!("asks"),
    }
}

fn equal(reference: &str, answer: &str) -> bool {
    score("{}", Some(reference), &format!("<think>x</think><answer>{answer}</answer>"))
        == Value::Scored(1.0)
}

#[test]
fn equal_answers() {
    for (reference, answer) in [
        ("18", "18"),
        ("18", "$18"),
        ("18", "\\$18.00"),
        ("18", "18 dollars"),
        ("18", "18."),
        ("2125", "2,125"),
        ("1,450,000", "1450000"),
        ("1450000", "1.45 million"),
        ("-5", "−5"),
        ("0.5", "\\frac12"),
        ("0.5", "1/2"),
        ("0.5", "50%"),
        ("50", "50\\%"),
        ("50%", "0.5"),
        ("50", "50 percent"),
        ("\\frac{14}{3}", "14/3"),
        ("\\frac{14}{3}", "4\\frac{2}{3}"),
        ("\\frac{14}{3}", "4 2/3"),
        ("\\dfrac{17}{50}", "0.34"),
        ("\\frac 59", "\\frac{5}{9}"),
        ("\\frac9{19}", "9/19"),
        ("\\frac43", "\\boxed{\\frac{4}{3}}"),
        ("90^\\circ", "90"),
        ("90", "90^{\\circ}"),
        ("90", "90 degrees"),
        ("3\\sqrt{13}", "\\sqrt{117}"),
        ("11\\sqrt2", "\\sqrt{2} \\cdot 11"),
        ("\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}"),
        ("18+2\\pi", "2\\pi + 18"),
        ("18+2\\pi", "2(9+π)"),
        ("\\frac{20000}{\\pi}", "20000/\\pi"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, \\pi/2)"),
        ("(3,4]", "(3, 4]"),
        ("3, 5, 7", "7,3,5"),
        ("1,-2", "-2, 1"),
        ("10,\\!080", "10080"),
        ("11,\\! 111,\\! 111,\\! 100", "11111111100"),
        ("\\text{Evelyn}", "Evelyn"),
        ("\\text{even}", "Even"),
        ("\\text{(C)}", "C"),
        ("x=5", "5"),
        ("5", "x = 5"),
        ("5.4 \\text{ cents}", "5.4"),
        ("864 \\mbox{ inches}^2", "864"),
        ("864 \\mbox{ inches}^2", "864\\text{ in}^2"),
        ("\\frac{270}7\\text{ degrees}", "\\frac{270}{7}^\\circ"),
        ("137 \\frac{1}{2}", "137.5"),
        (".35625", "0.35625"),
        ("025", "25"),
        ("2^{10}", "1024"),
        ("2^10", "1024"),
        ("5\\times 10^{-3}", "0.005"),
        ("1.5e3", "1500"),
        ("8^{2/3}", "4"),
        ("\\sqrt[3]{27}", "3"),
        ("p - q", "p-q"),
        ("2516_8", "2516_{8}"),
        ("\\$32,\\!348", "$32,348"),
        ("123456789012345678901234567890", "123,456,789,012,345,678,901,234,567,890"),
        ("\\{1\\pm\\sqrt{5},-2\\}", "\\{-2,1\\pm\\sqrt5\\}"),
        ("-\\frac{\\pi}{6}", "\\frac{-\\pi}{6}"),
        ("\\frac{11+9a}{20}", "\\frac{11 + 9a}{20}"),
        ("5", "5 \\text{ or } 10/2"),
        ("x^2-1", "(x-1)(x+1)"),
        ("x+2y=3", "2x + 4y - 6 = 0"),
        ("x > 3", "(3, \\infty)"),
        ("(-\\infty, 2) \\cup (3, \\infty)", "x < 2 \\text{ or } x > 3"),
        ("1 \\pm \\sqrt{19}", "1+\\sqrt{19}, 1-\\sqrt{19}"),
        ("\\sin 2x", "2\\sin x\\cos x"),
        ("e^{i\\pi}", "-1"),
        ("\\log_2 8", "3"),
        ("\\frac{1+\\sqrt5}{2}", "\\phi"),
        (
            "\\begin{pmatrix} 1/2 \\\\ 1 \\end{pmatrix}",
            "\\frac12\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}",
        ),
        ("2004!", "2004 \\cdot 2003!"),
        ("2 \\text{ m}", "200 cm"),
        ("\\frac13", "0.333333"),
        ("12.566", "4\\pi"),
        ("90^\\circ", "\\frac{\\pi}{2}"),
        ("A3_{16}", "(a3)_{16}"),
    ] {
        assert!(equal(reference, answer), "{reference} = {answer}");
    }
}

#[test]
fn different_answers() {
    for (reference, answer) in [
        ("18", "19"),
        ("18", "-18"),
        ("18", "1 8"),
        ("18", "18 or 19"),
        ("18", "18, 19"),
        ("18", "18 million"),
        ("18", "18x"),
        ("18", "18 x"),
        ("18", "18 hundred"),
        ("18", "18 less"),
        ("18", "not 18"),
        ("18", "10+9=18"),
        ("18", "x + 3 = 18"),
        ("18", "18 = 19"),
        ("18", "about 18 or 19 of them"),
        ("18", "it is not 18 at all"),
        ("18", "18!"),
        ("18", "18_9"),
        ("18", "18e"),
        ("18", "18.0.0"),
        ("18", "(18"),
        ("18", "18)"),
        ("0.333", "1/3"),
        ("0.5", "0.5%"),
        ("1", "1%"),
        ("5 cm", "5 m"),
        ("5", "(5, 5)"),
        ("(1,2)", "(2,1)"),
        ("(1,2)", "[1,2]"),
        ("(1,2]", "(1,2)"),
        ("1, 2", "1, 2, 2"),
        ("1, 1, 2", "1, 2, 2"),
        ("x=5", "y=5"),
        ("x=5", "x=6"),
        ("\\sqrt{2}", "1.4142"),
        ("\\sqrt{2}", "1.41421357"),
        ("\\pi", "3.14159"),
        ("\\pi", "22/7"),
        ("40_9", "40"),
        ("Evelyn", "Evelina"),
        ("east", "seat"),
        ("2k+2", "2k+3"),
        ("1234", "12,34"),
        ("(1,000)", "(1,0)"),
        ("9^{9^{9^{9}}}", "9"),
        ("1", "9^{9^{9^{9}}}"),
        ("0", "1/0"),
        ("1", "0^0"),
        ("5", ""),
        ("5", "$"),
    ] {
        assert!(!equal(reference, answer), "{reference} ≠ {answer}");
    }
}

#[test]
fn where_the_answer_stands() {
    let one = Value::Scored(1.0);
    let zero = Value::Scored(0.0);
    for (config, text, expected) in [
        ("{}", "<answer>4</answer><answer>5</answer>", &one),
        ("{}", "<answer>5</answer><answer>4</answer>", &zero),
        ("{}", "<think><answer>5</answer></think>", &zero),
        ("{}", "<think>4</think>5", &zero),
        ("{}", "\\boxed{5}", &zero),
        ("{}", "", &zero),
        (r#"{"extract": "boxed"}"#, "so \\boxed{4}, no, \\boxed{5}.", &one),
        (r#"{"extract": "boxed"}"#, "so \\boxed{4} or \\boxed{5}.", &zero),
        (r#"{"extract": "last"}"#, "<answer>4</answer> but $x = 5$", &one),
        ("{}", "<answer>The answer is 5.</answer>", &one),
        ("{}", "<answer>We have \\(x\\) and thus $5$ apples</answer>", &one),
        ("{}", "<answer>4 or 5</answer>", &zero),
        (r#"{"extract": "boxed"}"#, "<answer>5</answer>", &zero),
        (r#"{"extract": "boxed"}"#, "<think>\\boxed{5}</think>", &zero),
        (r#"{"extract": "auto"}"#, "<answer>5</answer>", &one),
        (r#"{"extract": "auto"}"#, "is \\boxed{5}", &one),
        (r#"{"extract": "auto"}"#, "we get $4+1$ and so $x=5$.", &one),
        (r#"{"extract": "auto"}"#, "She has 3 eggs, then 5.", &one),
        (r#"{"extract": "auto"}"#, "That costs $3 and then $5", &one),
        (r#"{"extract": "auto"}"#, "<think>5</think>", &zero),
    ] {
        assert_eq!(&score(config, Some("5"), text), expected, "{config} {text}");
    }
    assert!(omni_sdk::config::read::<Math>(r#"{"extract": "box"}"#).is_err());
    assert!(omni_sdk::config::read::<Math>(r#"{"extrct": "boxed"}"#).is_err());
}

#[test]
fn an_unusable_reference_is_undefined() {
    for reference in [None, Some(""), Some("  "), Some("$$"), Some("\\frac{1}{0}")] {
        let value = score("{}", reference, "<answer>5</answer>");
        assert!(matches!(value, Value::Undefined(_)), "{reference:?}: {value:?}");
    }
}

#[test]
fn hostile_answers_end_at_once() {
    let deep = "(".repeat(100_000) + "1" + &")".repeat(100_000);
    let towers = "9^".repeat(2_000) + "9";
    let digits = "9".repeat(200_000);
    let roots = "\\sqrt{".repeat(3_000) + "2" + &"}".repeat(3_000);
    let fractions = "\\frac{1}{1+".repeat(400) + "1" + &"}".repeat(400);
    let commas = "1,".repeat(2_000);
    let brackets = "[(".repeat(1_000);
    let texts = "\\text{a}".repeat(9_000);
    let boxes = "\\boxed{".repeat(8_000) + &"}".repeat(8_000);
    for text in [
        texts,
        boxes,
        deep,
        towers,
        digits.clone(),
        roots,
        fractions,
        commas,
        brackets,
        "1e99999999999".to_owned(),
        "10^{-99999}".to_owned(),
    ] {
        assert!(!equal("5", &text));
    }
    // Too long to calculate with, and still equal to itself.
    assert!(equal(&digits, &digits));
}
