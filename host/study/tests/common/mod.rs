//! What the tests share: a study of tasks that only has numbers.
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part")]

use std::path::Path;

use omni_study::{Facts, Measured, StudyConfig, TaskFacts};

/// So many tasks of 1,280 prompts, 40 steps of 32.
pub(crate) fn facts(tasks: &[&str]) -> Facts {
    let measured = Measured { items: 2000, samples: 1, greedy: false, temperature: 1.0 };
    Facts {
        tasks: tasks
            .iter()
            .map(|name| TaskFacts { name: (*name).into(), weight: 1.0, prompts: Some(1280) })
            .collect(),
        batch: 32,
        group: 8,
        max_steps: 0,
        constant_rate: true,
        validates: true,
        validation: measured,
        test: measured,
        checkpoint_bytes: 12_000_000,
        sft: None,
    }
}

/// A study file.
pub(crate) fn study(text: &str) -> StudyConfig {
    let study: StudyConfig = toml::from_str(&format!("run = \"run.toml\"\n{text}")).unwrap();
    study.validate().unwrap();
    study
}

/// Writes an evaluation as `eval --out` does, with these sampled accuracies and entropies by task.
pub(crate) fn evaluation(root: &Path, step: &str, tasks: &[(&str, &[f64], f64)]) {
    let folder = root.join(step);
    std::fs::create_dir_all(&folder).unwrap();
    let mut items = serde_json::json!({ "version": 1, "purpose": "test", "tasks": {} });
    let mut event = serde_json::to_value(omni_record::EvalEvent::default()).unwrap();
    for (name, values, entropy) in tasks {
        let ids: Vec<String> = (0..values.len()).map(|n| format!("{name}-{n}")).collect();
        let none: Vec<Option<f64>> = vec![None; values.len()];
        items["tasks"][*name] = serde_json::json!({
            "split": "test", "metric": "accuracy", "ids": ids, "sampled": values, "greedy": none,
        });
        let mut task = omni_record::TaskEval::default();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        task.sampled =
            Some(omni_record::Estimate { mean, items: values.len() as u32, ..Default::default() });
        task.entropy = Some(*entropy);
        event["tasks"][*name] = serde_json::to_value(task).unwrap();
    }
    std::fs::write(folder.join("items.json"), items.to_string()).unwrap();
    std::fs::write(folder.join("eval.json"), event.to_string()).unwrap();
}
