//! What a run's policy wrote.

use std::fmt::Write as _;

use omni_record::{Sample, Value};

use crate::html::escape;

/// Outputs shown of one sample.
const SHOWN_OUTPUTS: usize = 4;

/// What the policy wrote at the beginning and the end of training, and at the last evaluation.
pub(super) fn outputs(body: &mut String, samples: &[Sample], tasks: &[String]) {
    body.push_str("<h2>Sample outputs</h2>");
    if samples.is_empty() {
        body.push_str("<p class=\"none\">No samples were kept.</p>");
        return;
    }
    for task in tasks {
        let mut of_task: Vec<&Sample> =
            samples.iter().filter(|sample| &sample.task == task).collect();
        of_task.sort_by_key(|sample| sample.step);
        if of_task.is_empty() {
            continue;
        }
        let _ = write!(body, "<h3>{}</h3>", escape(task));
        let training = || of_task.iter().filter(|sample| sample.purpose == "train");
        let held_out = of_task.iter().rfind(|sample| sample.purpose != "train");
        let chosen = [training().next(), training().next_back().filter(|_| training().count() > 1)];
        for sample in chosen.into_iter().chain([held_out]).flatten() {
            one_sample(body, sample);
        }
    }
}

fn one_sample(body: &mut String, sample: &Sample) {
    let _ = write!(
        body,
        "<details><summary>step {}, {}, item {}</summary><p>Prompt</p><pre>{}</pre>",
        sample.step,
        escape(&sample.purpose),
        escape(&sample.item),
        escape(&sample.prompt)
    );
    if let Some(reference) = &sample.reference {
        let _ = write!(body, "<p>Reference</p><pre>{}</pre>", escape(reference));
    }
    for output in sample.outputs.iter().take(SHOWN_OUTPUTS) {
        let reward = output.reward.map_or("excluded".to_owned(), |reward| format!("{reward:.3}"));
        let advantage = output
            .advantage
            .map_or(String::new(), |advantage| format!(", advantage {advantage:+.3}"));
        let components: Vec<String> = output
            .components
            .iter()
            .map(|component| match &component.value {
                Value::Scored(score) => format!("{} {score}", component.name),
                Value::Undefined(why) => {
                    format!("{} undefined ({}: {})", component.name, why.kind.as_str(), why.message)
                }
            })
            .collect();
        let _ = write!(
            body,
            "<p>Output: reward {}{} <span class=\"note\">{}</span></p><pre>{}</pre>",
            escape(&reward),
            escape(&advantage),
            escape(&components.join(", ")),
            escape(&output.text)
        );
    }
    body.push_str("</details>");
}
