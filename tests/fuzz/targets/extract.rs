//! What finds answers in completions: for maths in every manner, for code, and the marked text
//! itself. Nothing inside of thinking is ever an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use omni_code_reward::extract::Extract as Program;
use omni_math_reward::{Extract, extract};
use omni_sdk::text;

fuzz_target!(|completion: &str| {
    for how in [Extract::Tags, Extract::Boxed, Extract::Auto, Extract::Last] {
        let _ = extract(completion, how);
    }
    for how in [Program::Tags, Program::Auto] {
        let _ = how.program(completion, Some("main"));
        let _ = how.program(completion, None);
    }
    let _ = text::fences(completion);
    let answer = text::answer(completion);
    if let Some(answer) = answer {
        assert!(completion.contains(answer) && answer.trim() == answer);
    }
    // A thought in front changes nothing, whatever it holds, as long as it is closed.
    if !completion.contains("</think>") {
        let thoughtful = format!("<think>\\boxed{{1}}<answer>2</answer></think>{completion}");
        assert_eq!(text::answer(&thoughtful), answer);
        assert_eq!(text::boxed(&thoughtful), text::boxed(completion));
    }
});
