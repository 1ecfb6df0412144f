//! What has been seen of a task's items, and what it comes to.
//!
//! Everything is kept by item, since items are what every mean is over and what the bootstrap
//! draws. An item's value is the mean over its outputs, turns and sets of references that have one.

use std::collections::{BTreeMap, BTreeSet};

use omni_record::{
    Average, Estimate, Finish, Item, PartEval, ReasonKind, TaskEval, TaskItems, Value, Verdicts,
};

use super::EvalPlan;
use super::conversation::answer_text;
use super::lost::Losses;
use crate::TaskSpec;
use crate::measure::{Components, Mean, PassAtK, Resampler, SUCCESS};
use crate::prompts::Prompt;
use crate::rollout::Rolled;
use crate::rouge::rouge_l;

/// The metric that stands for a judge's verdicts.
const PREFERENCE: &str = "preference";

/// One score of one output.
struct Mark {
    greedy: bool,
    /// Which of the item's outputs.
    sample: u32,
    /// Counted from 1.
    turn: u32,
    set: Option<String>,
    /// None where it could not be scored.
    metric: Option<f64>,
    /// True where that is because the sandbox lacks something.
    unsupported: bool,
    rouge_l: Option<f64>,
}

/// One item.
struct Seen {
    id: String,
    category: Option<String>,
    benchmark: Option<String>,
    marks: Vec<Mark>,
}

impl Seen {
    /// The mean of a value over some of the item's marks; none where none has it.
    fn mean(
        &self,
        marks: impl Fn(&Mark) -> bool,
        value: impl Fn(&Mark) -> Option<f64>,
    ) -> Option<f64> {
        let mut mean = Mean::default();
        self.marks.iter().filter(|m| marks(m)).filter_map(value).for_each(|v| mean.add(v));
        mean.get()
    }
}

/// What has been seen of one task so far.
pub(super) struct Tally {
    seen: Vec<Seen>,
    entropy: Mean,
    length: Mean,
    truncated: Mean,
    components: Components,
    losses: Losses,
    long_prompts: u32,
    long_turns: u32,
}

/// Values of a benchmark's items, for the average of its domain.
pub(super) struct Stratum {
    pub(super) name: String,
    pub(super) sampled: Vec<f64>,
    pub(super) greedy: Vec<f64>,
}

/// Where an output stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The item, as [`Tally::item`] counted it.
    pub(super) item: usize,
    pub(super) turn: u32,
    /// The item's first output among those at hand.
    pub(super) sample: u32,
    pub(super) greedy: bool,
    /// Whether components, lengths and the like are taken from it.
    pub(super) primary: bool,
}

impl Tally {
    pub(super) fn new(task: &TaskSpec) -> Self {
        Self {
            seen: Vec::new(),
            entropy: Mean::default(),
            length: Mean::default(),
            truncated: Mean::default(),
            components: Components::new(task),
            losses: Losses::new(task.reward.metric == PREFERENCE),
            long_prompts: 0,
            long_turns: 0,
        }
    }

    /// Takes in an item, and says its place.
    pub(super) fn item(&mut self, item: &Item) -> usize {
        let text = |key: &str| item.data.get(key).and_then(|v| v.as_str()).map(str::to_owned);
        let (category, benchmark) = (text("category"), text("benchmark"));
        self.seen.push(Seen { id: item.id.clone(), category, benchmark, marks: Vec::new() });
        self.seen.len() - 1
    }

    pub(super) fn long_prompt(&mut self) {
        self.long_prompts += 1;
    }

    pub(super) fn long_turn(&mut self) {
        self.long_turns += 1;
    }

    pub(super) fn entropy(&mut self, mean: f64) {
        self.entropy.add(mean);
    }

    pub(super) fn add(&mut self, task: &TaskSpec, prompt: &Prompt, rolled: &Rolled, place: Place) {
        let scores = std::iter::once(&rolled.score).chain(&rolled.more);
        let items: Vec<&Item> = prompt.scored_as().into_iter().map(|(item, _)| item).collect();
        for (view, (item, score)) in items.into_iter().zip(scores).enumerate() {
            let set = prompt.views.get(view).map(|v| v.set.clone());
            let outputs = rolled.rollouts.iter().zip(&score.rollouts);
            for (output, (rollout, components)) in outputs.enumerate() {
                let metric = components.iter().find(|c| c.name == task.reward.metric);
                let unsupported = metric.is_some_and(|c| {
                    matches!(&c.value, Value::Undefined(why) if why.kind == ReasonKind::Unsupported)
                });
                self.losses.add(metric.map(|c| &c.value), &rollout.text);
                let compared =
                    item.reference.as_deref().filter(|_| task.reward.metric == PREFERENCE);
                self.seen[place.item].marks.push(Mark {
                    greedy: place.greedy,
                    sample: place.sample + output as u32,
                    turn: place.turn,
                    set: set.clone(),
                    metric: metric.and_then(|c| c.value.score()),
                    unsupported,
                    rouge_l: compared.map(|r| rouge_l(r, &answer_text(&rollout.text)).f_measure),
                });
                if place.primary {
                    self.components.add(components);
                }
            }
        }
        for rollout in rolled.rollouts.iter().filter(|_| place.primary) {
            self.length.add(f64::from(rollout.tokens));
            self.truncated.add(f64::from(u8::from(rollout.finish == Finish::Length)));
        }
    }

    /// Each item's values, in the order in which the items were taken in.
    pub(super) fn items(&self, task: &TaskSpec, split: &str) -> TaskItems {
        let values = |greedy: bool| {
            let of = |seen: &Seen| seen.mean(|m| m.greedy == greedy, |m| m.metric);
            self.seen.iter().map(of).collect()
        };
        TaskItems {
            split: split.to_owned(),
            metric: task.reward.metric.clone(),
            ids: self.seen.iter().map(|seen| seen.id.clone()).collect(),
            sampled: values(false),
            greedy: values(true),
        }
    }

    /// What the task came to, and its share of a domain.
    pub(super) fn finish(
        self,
        task: &TaskSpec,
        split: &str,
        plan: &EvalPlan,
        resampler: &Resampler,
    ) -> (TaskEval, Vec<Stratum>) {
        let view = View {
            seen: &self.seen,
            task: &task.name,
            preference: task.reward.metric == PREFERENCE,
            primary_greedy: plan.samples == 0,
            resampler,
        };
        let all = view.part("", |_| true, |_| true);
        let categories = view.by("category", |seen| seen.category.as_deref());
        let benchmarks = match view.benchmarks().is_empty() {
            true => BTreeMap::new(),
            false => view.by("benchmark", |seen| seen.benchmark.as_deref()),
        };
        let marks = || self.seen.iter().flat_map(|s| &s.marks);
        let sets: BTreeSet<&str> = marks().filter_map(|m| m.set.as_deref()).collect();
        let set = |name: &str| {
            view.part(&format!("set/{name}"), |_| true, |m| m.set.as_deref() == Some(name))
        };
        let turns: BTreeSet<u32> = marks().map(|m| m.turn).collect();
        let turn = |n: u32| view.part(&format!("turn/{n}"), |_| true, |m| m.turn == n);
        let (pass_at_k, pass_at_1) = view.passes();
        let eval = TaskEval {
            split: split.to_owned(),
            domain: None,
            items: self.seen.len() as u32,
            long_prompts: self.long_prompts,
            unsupported: all.unsupported,
            unscored: view.unscored(),
            long_turns: self.long_turns,
            metric: task.reward.metric.clone(),
            sampled: all.sampled,
            greedy: all.greedy,
            pass_at_k,
            pass_at_1,
            category_average: view.average(&categories),
            categories,
            benchmarks,
            references: sets.into_iter().map(|name| (name.to_owned(), set(name))).collect(),
            turns: match turns.len() {
                0 | 1 => BTreeMap::new(),
                _ => turns.into_iter().map(|n| (n, turn(n))).collect(),
            },
            verdicts: all.verdicts,
            rouge_l: all.rouge_l,
            entropy: self.entropy.get(),
            components: self.components.means(),
            completion_length: self.length.get().unwrap_or(0.0),
            truncated_fraction: self.truncated.get().unwrap_or(0.0),
            undefined: self.components.undefined,
            judge_failures: self.components.judge_failures,
            lost: self.losses.finish(),
        };
        (eval, view.strata())
    }
}

/// What is asked of the items again and again.
struct View<'a> {
    seen: &'a [Seen],
    task: &'a str,
    preference: bool,
    primary_greedy: bool,
    resampler: &'a Resampler,
}

impl View<'_> {
    /// The values of some items by some of their marks.
    fn values(
        &self,
        items: impl Fn(&Seen) -> bool,
        marks: impl Fn(&Mark) -> bool,
        value: impl Fn(&Mark) -> Option<f64>,
    ) -> Vec<f64> {
        let of_item = |seen: &Seen| seen.mean(&marks, &value);
        self.seen.iter().filter(|s| items(s)).filter_map(of_item).collect()
    }

    fn part(
        &self,
        name: &str,
        items: impl Fn(&Seen) -> bool,
        marks: impl Fn(&Mark) -> bool,
    ) -> PartEval {
        let estimate = |greedy: bool, name: String| {
            let values = self.values(&items, |m| m.greedy == greedy && marks(m), |m| m.metric);
            self.resampler.mean(&values, &name)
        };
        let primary = |m: &Mark| m.greedy == self.primary_greedy && marks(m);
        let asked = self.asked(&items, &marks);
        let unsupported = |marks: &&Vec<&Mark>| is_lost(marks) && has_unsupported(marks);
        let mut verdicts = Verdicts::default();
        for metric in asked.iter().flatten().filter_map(|m| m.metric) {
            match metric.total_cmp(&0.5) {
                std::cmp::Ordering::Greater => verdicts.wins += 1,
                std::cmp::Ordering::Equal => verdicts.ties += 1,
                std::cmp::Ordering::Less => verdicts.losses += 1,
            }
        }
        let rouge = self.values(&items, primary, |m| m.rouge_l);
        PartEval {
            items: asked.len() as u32,
            unsupported: asked.iter().filter(unsupported).count() as u32,
            sampled: estimate(false, format!("{}/{name}/sampled", self.task)),
            greedy: estimate(true, format!("{}/{name}/greedy", self.task)),
            verdicts: self.preference.then_some(verdicts),
            rouge_l: self.resampler.mean(&rouge, &format!("{}/{name}/rouge-l", self.task)),
        }
    }

    /// The marks of some items in the pass that counts are taken from; items without any left out.
    fn asked(
        &self,
        items: impl Fn(&Seen) -> bool,
        marks: impl Fn(&Mark) -> bool,
    ) -> Vec<Vec<&Mark>> {
        let primary = |m: &Mark| m.greedy == self.primary_greedy && marks(m);
        self.seen
            .iter()
            .filter(|s| items(s))
            .map(|s| s.marks.iter().filter(|m| primary(m)).collect::<Vec<_>>())
            .filter(|marks| !marks.is_empty())
            .collect()
    }

    /// Items without a score that are not unsupported.
    fn unscored(&self) -> u32 {
        let asked = self.asked(|_| true, |_| true);
        asked.iter().filter(|marks| is_lost(marks) && !has_unsupported(marks)).count() as u32
    }

    /// Parts of the items by what `key` reads off them.
    fn by(&self, what: &str, key: fn(&Seen) -> Option<&str>) -> BTreeMap<String, PartEval> {
        let names: BTreeSet<&str> = self.seen.iter().filter_map(key).collect();
        let part =
            |name: &str| self.part(&format!("{what}/{name}"), |s| key(s) == Some(name), |_| true);
        names.into_iter().map(|name| (name.to_owned(), part(name))).collect()
    }

    fn average(&self, categories: &BTreeMap<String, PartEval>) -> Option<Average> {
        let estimate = |greedy: bool, name: &str| -> Option<Estimate> {
            let values: Vec<Vec<f64>> = categories
                .keys()
                .map(|category| {
                    self.values(
                        |s| s.category.as_ref() == Some(category),
                        |m| m.greedy == greedy,
                        |m| m.metric,
                    )
                })
                .collect();
            let strata: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
            self.resampler.mean_of_means(&strata, &format!("{}/categories/{name}", self.task))
        };
        (!categories.is_empty()).then(|| Average {
            sampled: estimate(false, "sampled"),
            greedy: estimate(true, "greedy"),
        })
    }

    /// Over sampled outputs: pass@k by k, and pass@1 with its interval.
    fn passes(&self) -> (BTreeMap<u32, f64>, Option<Estimate>) {
        let mut pass_at_k = PassAtK::default();
        let mut first = Vec::new();
        for seen in self.seen {
            // An output that goes on over several turns succeeds if it does at all of them.
            let mut outputs: BTreeMap<u32, Mean> = BTreeMap::new();
            for mark in seen.marks.iter().filter(|m| !m.greedy) {
                if let Some(metric) = mark.metric {
                    outputs.entry(mark.sample).or_default().add(metric);
                }
            }
            if outputs.is_empty() {
                continue;
            }
            let succeeds = |m: &&Mean| m.get().is_some_and(|v| v >= SUCCESS);
            let successes = outputs.values().filter(succeeds).count();
            pass_at_k.count(outputs.len(), successes);
            first.push(successes as f64 / outputs.len() as f64);
        }
        let pass_at_1 = self.resampler.mean(&first, &format!("{}/pass@1", self.task));
        (pass_at_k.means(), pass_at_1)
    }

    /// The benchmarks that the items name; none where they are all of one, which is the task then.
    fn benchmarks(&self) -> Vec<Option<&str>> {
        let names: BTreeSet<Option<&str>> =
            self.seen.iter().map(|s| s.benchmark.as_deref()).collect();
        if names.len() < 2 { Vec::new() } else { names.into_iter().collect() }
    }

    /// The task's benchmarks, or the task itself. One without items leaves its domain without an
    /// average.
    fn strata(&self) -> Vec<Stratum> {
        let stratum = |name: String, of: &dyn Fn(&Seen) -> bool| {
            let values = |greedy| self.values(of, |m| m.greedy == greedy, |m| m.metric);
            Stratum { name, sampled: values(false), greedy: values(true) }
        };
        let names = self.benchmarks();
        if names.is_empty() {
            return vec![stratum(self.task.to_owned(), &|_| true)];
        }
        names
            .into_iter()
            .map(|name| {
                let label = name.map_or(self.task.to_owned(), |b| format!("{}/{b}", self.task));
                stratum(label, &|s| s.benchmark.as_deref() == name)
            })
            .collect()
    }
}

fn is_lost(marks: &[&Mark]) -> bool {
    marks.iter().all(|m| m.metric.is_none())
}

fn has_unsupported(marks: &[&Mark]) -> bool {
    marks.iter().any(|m| m.unsupported)
}
