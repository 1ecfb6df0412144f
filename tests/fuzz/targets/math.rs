//! The LaTeX parser and the comparison: any two texts are read and compared within bounds; a text
//! that is accepted as a reference equals itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use omni_math_reward::{Verdict, parse, verify};

fuzz_target!(|text: &str| {
    // The first line is the reference, the rest the answer.
    let (reference, answer) = text.split_once('\n').unwrap_or((text, text));
    let _ = parse(answer);
    let verdict = verify(reference, answer);
    // Whatever can be compared at all is compared with itself as equal: never unequal.
    if !matches!(verdict, Verdict::Undefined(_)) {
        assert_ne!(verify(reference, reference), Verdict::Unequal, "{reference:?}");
    }
});
