//! The graph of a study: which steps there are, as far as is known yet.
//!
//! A pure function of the study, the run file's facts, and what the evidence chose. The single-task
//! runs are the first nodes of the tree of orders; where the learning rate stays, orders share the
//! runs of their common beginnings.

mod methods;
mod words;

use std::collections::BTreeSet;

use omni_record::MethodKind;

pub(crate) use self::words::permutations;
use self::words::{folder, list, plain, run_file, set};
use crate::config::{MethodName, StudyConfig};
use crate::facts::{Facts, Measured, slug};
use crate::step::{Cost, Place, Step, StepKind, Word};

/// What the evidence decided. Orders are of the run file's tasks by their places in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// The curriculum.
    pub curriculum: Vec<usize>,
    /// The order that is predicted to be worst.
    pub worst: Option<Vec<usize>>,
    /// Orders that further seeds repeat.
    pub repeated: Vec<Vec<usize>>,
}

/// The steps, those that matter most first, and what they are for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Each after all that it waits for.
    pub steps: Vec<Step>,
    /// Rows of the accuracy table.
    pub rows: Vec<Row>,
}

/// A row of the accuracy table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// A unique name.
    pub name: String,
    /// What it was made by.
    pub kind: MethodKind,
    /// What people read.
    pub label: String,
    /// The order of training, where there is one.
    pub order: Option<Vec<usize>>,
    /// One for each seed.
    pub runs: Vec<RowRun>,
}

/// A row's policy with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct RowRun {
    /// The seed.
    pub seed: u64,
    /// Steps that made it, first to last.
    pub made_by: Vec<String>,
    /// The evaluation of its test splits.
    pub test: String,
    /// That of its validation splits.
    pub validation: Option<String>,
}

/// The validation of the base policy.
pub(crate) const BASE_VALIDATION: &str = "base/validation";
/// The test of the base policy.
pub(crate) const BASE_TEST: &str = "base/test";

/// What a merge writes, within its step's folder.
pub(crate) const MERGED: &str = "policy";

/// The validation of the policy trained on one task.
pub(crate) fn single_validation(facts: &Facts, seed: u64, task: usize) -> String {
    format!("{}/validation", node(facts, seed, &[task]))
}

/// A node of the tree of orders.
pub(crate) fn node(facts: &Facts, seed: u64, order: &[usize]) -> String {
    format!("seed-{seed}/orders/{}", joined(facts, order))
}

fn joined(facts: &Facts, order: &[usize]) -> String {
    let names: Vec<String> = order.iter().map(|&task| slug(&facts.tasks[task].name)).collect();
    names.join("+")
}

/// All steps that are known: without `chosen`, those that wait for the evidence are missing.
#[must_use]
pub fn graph(study: &StudyConfig, facts: &Facts, chosen: Option<&Chosen>) -> Graph {
    let mut builder = Builder { study, facts, graph: Graph::default(), ids: BTreeSet::new() };
    builder.base();
    builder.singles();
    if let Some(chosen) = chosen {
        builder.chosen(chosen);
    }
    builder.mixed(chosen.is_some());
    builder.sft();
    builder.merges();
    builder.variants();
    builder.other_orders(chosen);
    builder.graph
}

struct Builder<'a> {
    study: &'a StudyConfig,
    facts: &'a Facts,
    graph: Graph,
    ids: BTreeSet<String>,
}

impl Builder<'_> {
    fn base(&mut self) {
        self.eval(BASE_VALIDATION, Place::Base, Split::Validation, &[], Vec::new());
        self.eval(BASE_TEST, Place::Base, Split::Test, &[], Vec::new());
        let run = RowRun {
            seed: self.study.seeds[0],
            made_by: Vec::new(),
            test: BASE_TEST.into(),
            validation: Some(BASE_VALIDATION.into()),
        };
        self.graph.rows.push(Row {
            name: "base".into(),
            kind: MethodKind::Base,
            label: "base".into(),
            order: None,
            runs: vec![run],
        });
    }

    fn singles(&mut self) {
        for &seed in &self.study.seeds {
            for task in 0..self.facts.tasks.len() {
                self.phase(seed, &[task]);
                let run = format!("{}/run", node(self.facts, seed, &[task]));
                let id = single_validation(self.facts, seed, task);
                self.eval(&id, Place::Last(run.clone()), Split::Validation, &[], vec![run]);
            }
        }
        for task in 0..self.facts.tasks.len() {
            let seeds = self.study.seeds.clone();
            let runs = seeds
                .into_iter()
                .map(|seed| {
                    let at = node(self.facts, seed, &[task]);
                    let run = format!("{at}/run");
                    let test = format!("{at}/test");
                    let policy = Place::Last(run.clone());
                    self.eval(&test, policy, Split::Test, &[], vec![run.clone()]);
                    let validation = Some(single_validation(self.facts, seed, task));
                    RowRun { seed, made_by: vec![run], test, validation }
                })
                .collect();
            let name = &self.facts.tasks[task].name;
            self.graph.rows.push(Row {
                name: format!("single-{}", slug(name)),
                kind: MethodKind::Single,
                label: format!("only {name}"),
                order: Some(vec![task]),
                runs,
            });
        }
    }

    /// The run that adds the last task of `order` to what was trained before; all before it.
    fn phase(&mut self, seed: u64, order: &[usize]) -> Vec<String> {
        let whole = order.len() > 1 && !self.facts.constant_rate;
        let mut made = match order.len() {
            0 | 1 => Vec::new(),
            _ if whole => Vec::new(),
            count => self.phase(seed, &order[..count - 1]),
        };
        let id = format!("{}/run", node(self.facts, seed, order));
        let mut settings = vec![format!("seed={seed}")];
        let trained: &[usize] = if whole { order } else { &order[order.len() - 1..] };
        let from = made.last().cloned();
        if whole {
            let names: Vec<&str> =
                order.iter().map(|&task| self.facts.tasks[task].name.as_str()).collect();
            settings.push("schedule.plugin=\"schedulers/sequence\"".into());
            settings.push(format!("schedule.config={{ order = {} }}", list(&names)));
        } else {
            let name = self.facts.tasks[trained[0]].name.as_str();
            settings.push("schedule.plugin=\"schedulers/joint\"".into());
            settings.push("schedule.config={}".into());
            settings.push(format!("schedule.tasks={}", list(&[name])));
        }
        // Curves of validation are those of single-task runs; best checkpoints are theirs alone.
        if order.len() > 1 {
            settings.push("eval.every=0".into());
        }
        let steps = trained.iter().map(|&task| self.facts.steps(task)).sum::<Option<u64>>();
        let prompts = trained.iter().map(|&task| self.facts.prompts(task)).sum::<Option<u64>>();
        let kept = if order.len() == 1 && self.facts.validates { 2 } else { 1 };
        self.train(&id, &settings, from, steps, prompts, kept, false);
        made.push(id);
        made
    }

    /// A whole order: its phases, and its tests.
    fn order(&mut self, seed: u64, order: &[usize]) -> RowRun {
        let made_by = self.phase(seed, order);
        if self.study.orders.prefixes && self.facts.constant_rate {
            for length in 2..order.len() {
                self.test_node(seed, &order[..length]);
            }
        }
        let test = self.test_node(seed, order);
        RowRun { seed, made_by, test, validation: None }
    }

    fn test_node(&mut self, seed: u64, order: &[usize]) -> String {
        let at = node(self.facts, seed, order);
        let (run, test) = (format!("{at}/run"), format!("{at}/test"));
        self.eval(&test, Place::Last(run.clone()), Split::Test, &[], vec![run]);
        test
    }

    fn chosen(&mut self, chosen: &Chosen) {
        if self.study.methods.contains(&MethodName::Curriculum) {
            self.row_of(&chosen.curriculum, MethodKind::Curriculum, &self.study.seeds);
        }
        let worst = chosen.worst.as_ref().filter(|_| self.study.curriculum.also_worst);
        if let Some(worst) = worst
            && *worst != chosen.curriculum
        {
            self.row_of(worst, MethodKind::Order, &self.study.seeds);
        }
    }

    fn row_of(&mut self, order: &[usize], kind: MethodKind, seeds: &[u64]) {
        let name = joined(self.facts, order);
        if let Some(row) = self.graph.rows.iter().position(|row| row.name == name) {
            let known: Vec<u64> = self.graph.rows[row].runs.iter().map(|run| run.seed).collect();
            for &seed in seeds.iter().filter(|seed| !known.contains(seed)) {
                let run = self.order(seed, order);
                self.graph.rows[row].runs.push(run);
            }
            return;
        }
        let runs = seeds.iter().map(|&seed| self.order(seed, order)).collect();
        let names: Vec<&str> =
            order.iter().map(|&task| self.facts.tasks[task].name.as_str()).collect();
        let label = match kind {
            MethodKind::Curriculum => format!("curriculum: {}", names.join(" → ")),
            _ => names.join(" → "),
        };
        self.graph.rows.push(Row { name, kind, label, order: Some(order.to_vec()), runs });
    }

    fn other_orders(&mut self, chosen: Option<&Chosen>) {
        let seeds = self.study.seeds.clone();
        let tasks = self.facts.names();
        for order in &self.study.curriculum.orders {
            let order: Vec<usize> = order
                .iter()
                .filter_map(|name| tasks.iter().position(|task| task == name))
                .collect();
            self.row_of(&order, MethodKind::Order, &seeds);
        }
        if self.study.orders.all {
            for order in permutations(tasks.len()) {
                self.row_of(&order, MethodKind::Order, &seeds[..1]);
            }
        }
        for order in chosen.iter().flat_map(|chosen| &chosen.repeated) {
            self.row_of(order, MethodKind::Order, &seeds);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what differs between runs, each by its name")]
    fn train(
        &mut self,
        id: &str,
        settings: &[String],
        from: Option<String>,
        steps: Option<u64>,
        prompts: Option<u64>,
        kept: u64,
        evidence: bool,
    ) {
        let mut command = vec![plain("train"), run_file(), plain("--out"), folder(id)];
        for setting in settings {
            command.extend(set(setting));
        }
        // Tables come from evaluations that are steps of their own.
        command.extend(set("eval.final.items=0"));
        if evidence {
            let place = Place::Folder("evidence.json".into());
            let before = "schedule.evidence=".to_owned();
            command.extend([plain("--set"), Word::Path { before, place }]);
        }
        if let Some(from) = &from {
            let place = Place::Last(from.clone());
            let before = "policy.continue_from=".to_owned();
            command.extend([plain("--set"), Word::Path { before, place }]);
        }
        let cost = Cost {
            steps,
            prompts,
            generated: prompts.map(|prompts| prompts * self.facts.group),
            evaluated: 0,
            disk: kept * self.facts.checkpoint_bytes,
        };
        let after = from.into_iter().collect();
        let (id, kind) = (id.to_owned(), StepKind::Train);
        self.push(Step { id, kind, command, after, evidence, cost });
    }

    fn eval(
        &mut self,
        id: &str,
        policy: Place,
        split: Split,
        settings: &[String],
        after: Vec<String>,
    ) {
        let (study, facts) = (self.study, self.facts);
        let (word, table, measured): (_, _, Measured) = match split {
            Split::Validation => ("validation", "eval", facts.validation_of(study)),
            Split::Test => ("test", "eval.final", facts.test_of(study)),
        };
        let mut command = vec![plain("eval"), run_file(), plain("--policy")];
        command.push(Word::Path { before: String::new(), place: policy });
        command.extend([plain("--split"), plain(word), plain("--out"), folder(id)]);
        command.extend(set(&format!("{table}.items={}", measured.items)));
        command.extend(set(&format!("{table}.samples={}", measured.samples)));
        for setting in settings {
            command.extend(set(setting));
        }
        let cost = Cost { evaluated: measured.outputs(facts.tasks.len()), ..Cost::default() };
        let (id, kind) = (id.to_owned(), StepKind::Eval);
        self.push(Step { id, kind, command, after, evidence: false, cost });
    }

    fn push(&mut self, step: Step) {
        if self.ids.insert(step.id.clone()) {
            self.graph.steps.push(step);
        }
    }
}

#[derive(Clone, Copy)]
enum Split {
    Validation,
    Test,
}
