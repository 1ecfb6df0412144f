//! What orders are compared with: mixed batches, fine-tuning, merges, variants.

use std::path::PathBuf;

use omni_record::MethodKind;

use super::words::{folder, inline, list, plain, quoted, run_file, set};
use super::{Builder, MERGED, Row, RowRun, Split, node};
use crate::config::{MethodName, Scope, Variant};
use crate::step::{Cost, Place, Step, StepKind, Word};

impl Builder<'_> {
    pub(super) fn mixed(&mut self, evidence_known: bool) {
        let steps = (self.facts.max_steps > 0).then(|| self.facts.joint_steps()).flatten();
        if self.study.methods.contains(&MethodName::Joint) {
            let settings = [
                "schedule.plugin=\"schedulers/joint\"".to_owned(),
                "schedule.config={}".to_owned(),
            ];
            self.mixed_row("joint", "joint", MethodKind::Joint, &settings, steps, false);
        }
        for schedule in &self.study.schedule {
            if schedule.evidence && !evidence_known {
                continue;
            }
            let config = inline(&serde_json::Value::Object(schedule.config.clone()));
            let mut settings = vec![
                format!("schedule.plugin={}", quoted(&schedule.plugin)),
                format!("schedule.config={config}"),
            ];
            settings.extend(schedule.set.iter().cloned());
            let name = &schedule.name;
            self.mixed_row(name, name, MethodKind::Schedule, &settings, steps, schedule.evidence);
        }
    }

    fn mixed_row(
        &mut self,
        name: &str,
        label: &str,
        kind: MethodKind,
        settings: &[String],
        limit: Option<u64>,
        evidence: bool,
    ) {
        let mut runs = Vec::new();
        for &seed in &self.study.seeds {
            let run = format!("seed-{seed}/{name}/run");
            let mut own = vec![format!("seed={seed}")];
            own.extend(limit.map(|steps| format!("schedule.max_steps={steps}")));
            own.extend(settings.iter().cloned());
            let all = || 0..self.facts.tasks.len();
            let prompts = all().map(|task| self.facts.prompts(task)).sum::<Option<u64>>();
            let steps = self.facts.joint_steps();
            let kept = if self.facts.validates { 2 } else { 1 };
            self.train(&run, &own, None, steps, prompts, kept, evidence);
            let test = format!("seed-{seed}/{name}/test");
            self.eval(&test, Place::Last(run.clone()), Split::Test, &[], vec![run.clone()]);
            runs.push(RowRun { seed, made_by: vec![run], test, validation: None });
        }
        let (name, label) = (name.to_owned(), label.to_owned());
        self.graph.rows.push(Row { name, kind, label, order: None, runs });
    }

    pub(super) fn sft(&mut self) {
        if !self.study.methods.contains(&MethodName::Sft) {
            return;
        }
        let mut runs = Vec::new();
        for &seed in &self.study.seeds {
            let run = format!("seed-{seed}/sft/run");
            let mut command = vec![plain("sft"), run_file()];
            command.extend([plain("--out"), folder(&run)]);
            command.extend(set(&format!("seed={seed}")));
            command.extend(set("eval.final.items=0"));
            self.push(Step {
                id: run.clone(),
                kind: StepKind::Sft,
                command,
                after: Vec::new(),
                evidence: false,
                cost: Cost {
                    prompts: self.facts.sft.map(|sft| sft.prompts),
                    generated: self.facts.sft.map(|sft| sft.outputs),
                    disk: self.facts.checkpoint_bytes,
                    ..Cost::default()
                },
            });
            let test = format!("seed-{seed}/sft/test");
            self.eval(&test, Place::Last(run.clone()), Split::Test, &[], vec![run.clone()]);
            runs.push(RowRun { seed, made_by: vec![run], test, validation: None });
        }
        self.graph.rows.push(Row {
            name: "sft".into(),
            kind: MethodKind::Sft,
            label: "SFT by rejection sampling".into(),
            order: None,
            runs,
        });
    }

    pub(super) fn merges(&mut self) {
        let merges: Vec<MethodName> =
            self.study.methods.iter().copied().filter(|method| method.is_merge()).collect();
        for method in merges {
            let name = method.as_str();
            let mut runs = Vec::new();
            for &seed in &self.study.seeds {
                let (model, test) =
                    (format!("seed-{seed}/{name}/model"), format!("seed-{seed}/{name}/test"));
                self.merge(&model, method, seed);
                let place = Place::Folder(PathBuf::from(&model).join(MERGED));
                self.eval(&test, place, Split::Test, &[], vec![model]);
                let made_by = (0..self.facts.tasks.len())
                    .map(|task| format!("{}/run", node(self.facts, seed, &[task])))
                    .collect();
                runs.push(RowRun { seed, made_by, test, validation: None });
            }
            let label = match method {
                MethodName::Ties => "merged (TIES)",
                MethodName::TaskArithmetic => "merged (task arithmetic)",
                _ => "merged (linear)",
            };
            self.graph.rows.push(Row {
                name: name.into(),
                kind: MethodKind::Merge,
                label: label.into(),
                order: None,
                runs,
            });
        }
    }

    fn merge(&mut self, id: &str, method: MethodName, seed: u64) {
        let merging = &self.study.merge;
        let mut command = vec![plain("merge"), plain("--base")];
        command.push(Word::Path { before: String::new(), place: Place::Base });
        let mut after = Vec::new();
        for task in 0..self.facts.tasks.len() {
            let run = format!("{}/run", node(self.facts, seed, &[task]));
            let place = Place::Best(run.clone());
            command.extend([plain("--model"), Word::Path { before: String::new(), place }]);
            after.push(run);
        }
        command.extend([plain("--method"), plain(method.as_str())]);
        if method == MethodName::Ties {
            let scope = match merging.scope {
                Scope::Global => "global",
                Scope::Tensor => "tensor",
            };
            command.extend([plain("--density"), plain(&merging.density.to_string())]);
            command.extend([plain("--scope"), plain(scope)]);
        }
        if method != MethodName::Linear {
            command.push(plain(&format!("--lambda={}", merging.lambda)));
        }
        command.extend([plain("--out"), folder(&format!("{id}/{MERGED}"))]);
        self.push(Step {
            id: id.to_owned(),
            kind: StepKind::Merge,
            command,
            after,
            evidence: false,
            cost: Cost { disk: self.facts.checkpoint_bytes / 3, ..Cost::default() },
        });
    }

    pub(super) fn variants(&mut self) {
        for variant in &self.study.variant {
            let name = &variant.name;
            let label = variant.label.clone().unwrap_or_else(|| name.clone());
            let mut runs = Vec::new();
            if variant.tasks.as_ref().is_some_and(Vec::is_empty) {
                let test = format!("base/{name}");
                self.eval(&test, Place::Base, Split::Test, &variant.set, Vec::new());
                let seed = self.study.seeds[0];
                runs.push(RowRun { seed, made_by: Vec::new(), test, validation: None });
            } else {
                for &seed in &self.study.seeds {
                    runs.push(self.variant(variant, seed));
                }
            }
            let kind = MethodKind::Variant;
            self.graph.rows.push(Row { name: name.clone(), kind, label, order: None, runs });
        }
    }

    fn variant(&mut self, variant: &Variant, seed: u64) -> RowRun {
        let (run, test) = (
            format!("seed-{seed}/{}/run", variant.name),
            format!("seed-{seed}/{}/test", variant.name),
        );
        let mut settings = vec![
            format!("seed={seed}"),
            "schedule.plugin=\"schedulers/joint\"".to_owned(),
            "schedule.config={}".to_owned(),
        ];
        let names = self.facts.names();
        let trained: Vec<usize> = match &variant.tasks {
            Some(tasks) => {
                let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
                settings.push(format!("schedule.tasks={}", list(&tasks)));
                (0..names.len()).filter(|&at| tasks.contains(&names[at].as_str())).collect()
            }
            None => (0..names.len()).collect(),
        };
        let steps = trained.iter().map(|&task| self.facts.steps(task)).sum::<Option<u64>>();
        let prompts = trained.iter().map(|&task| self.facts.prompts(task)).sum::<Option<u64>>();
        if let (Some(steps), true) = (steps, self.facts.max_steps > 0) {
            settings.push(format!("schedule.max_steps={steps}"));
        }
        settings.extend(variant.set.iter().cloned());
        let kept = if self.facts.validates { 2 } else { 1 };
        self.train(&run, &settings, None, steps, prompts, kept, false);
        self.eval(&test, Place::Last(run.clone()), Split::Test, &variant.set, vec![run.clone()]);
        RowRun { seed, made_by: vec![run], test, validation: None }
    }
}
