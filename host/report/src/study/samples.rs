//! What the methods wrote for the same items, side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use omni_record::{Method, MethodKind, RunFolder, Sample, Value};

use super::accuracy::main_methods;
use super::names::Letters;
use super::numbers::Numbers;
use super::training::inside;
use crate::chart::short;
use crate::html::escape;

/// Letters of a method's name above its output.
const LABEL: usize = 28;

/// Items shown of each task.
const ITEMS: usize = 2;

/// Methods shown of each item.
const METHODS: usize = 9;

/// Characters shown of a text.
const CHARACTERS: usize = 2400;

/// A prompt, and which of its answers: the item, the turn, the set of references.
type Key = (String, Option<u32>, Option<String>);

/// Samples of one method by task and item.
struct Kept<'a> {
    method: &'a Method,
    samples: BTreeMap<(String, Key), Sample>,
    /// Keys in the order of the file.
    order: Vec<(String, Key)>,
}

fn kept<'a>(method: &'a Method, folder: &Path) -> Option<Kept<'a>> {
    let outputs = method.runs.iter().find_map(|run| run.outputs.as_ref())?;
    let samples = RunFolder::new(inside(folder, outputs)?).samples().ok()?;
    let mut kept = Kept { method, samples: BTreeMap::new(), order: Vec::new() };
    for sample in samples {
        let key = (sample.item.clone(), sample.turn, sample.set.clone());
        let key = (sample.task.clone(), key);
        kept.order.push(key.clone());
        kept.samples.entry(key).or_insert(sample);
    }
    (!kept.order.is_empty()).then_some(kept)
}

/// The section's HTML; empty where no method kept any output.
pub(super) fn html(numbers: &Numbers<'_>, letters: &Letters, folder: &Path) -> String {
    let kept: Vec<Kept<'_>> =
        main_methods(numbers).into_iter().filter_map(|m| kept(m, folder)).collect();
    let mut out = String::new();
    for task in &numbers.study.tasks {
        // A single-task policy is shown on its own task alone.
        let shown: Vec<&Kept<'_>> = kept
            .iter()
            .filter(|k| k.method.kind != MethodKind::Single || is_of(k.method, task))
            .collect();
        let keys = common(&shown, task);
        if keys.is_empty() {
            continue;
        }
        let _ = write!(out, "<h3>{}</h3>", escape(task));
        for (index, key) in keys.iter().enumerate() {
            item(&mut out, letters, &shown, &(task.clone(), key.clone()), index == 0);
        }
    }
    out
}

/// Whether a single-task method was trained on the task.
fn is_of(method: &Method, task: &str) -> bool {
    match &method.order {
        Some(order) => order.iter().any(|t| t == task),
        None => method.name.strip_prefix("single-") == Some(task),
    }
}

/// The items that most methods have, in the order of the first of them.
fn common(kept: &[&Kept<'_>], task: &str) -> Vec<Key> {
    let mut keys: Vec<(usize, Key)> = Vec::new();
    for key in kept.iter().flat_map(|k| &k.order).filter(|key| key.0 == task) {
        if keys.iter().all(|(_, known)| *known != key.1) {
            let methods = kept.iter().filter(|k| k.samples.contains_key(key)).count();
            keys.push((methods, key.1.clone()));
        }
    }
    keys.sort_by_key(|(methods, _)| std::cmp::Reverse(*methods));
    keys.into_iter().take(ITEMS).map(|(_, key)| key).collect()
}

fn item(out: &mut String, letters: &Letters, kept: &[&Kept<'_>], key: &(String, Key), open: bool) {
    let samples: Vec<(&Method, &Sample)> =
        kept.iter().filter_map(|k| Some((k.method, k.samples.get(key)?))).collect();
    let Some((_, first)) = samples.first() else { return };
    let turn = first.turn.map_or(String::new(), |turn| format!(", turn {turn}"));
    let set = first.set.as_ref().map_or(String::new(), |set| format!(", against {set}"));
    let _ = write!(
        out,
        "<details{}><summary>item {}{turn}{}</summary><div class=\"side\"><div><p>Prompt</p><pre>{}\
         </pre></div>",
        if open { " open" } else { "" },
        escape(&first.item),
        escape(&set),
        cut(&first.prompt)
    );
    if let Some(reference) = &first.reference {
        let _ = write!(out, "<div><p>Reference</p><pre>{}</pre></div>", cut(reference));
    }
    out.push_str("</div><div class=\"side\">");
    for (method, sample) in samples.iter().take(METHODS) {
        let Some(output) = sample.outputs.first() else { continue };
        let components: Vec<String> = output
            .components
            .iter()
            .map(|component| match &component.value {
                Value::Scored(score) => format!("{} {score}", component.name),
                Value::Undefined(why) => {
                    format!("{} undefined ({})", component.name, why.kind.as_str())
                }
            })
            .collect();
        let _ = write!(
            out,
            "<div><p><b>{}</b> <span class=\"note\">{}</span></p><pre>{}</pre></div>",
            escape(&letters.method(method, LABEL)),
            escape(&components.join(", ")),
            cut(&output.text)
        );
    }
    out.push_str("</div></details>");
}

/// Escaped, and no longer than is read.
fn cut(text: &str) -> String {
    escape(&short(text, CHARACTERS))
}
