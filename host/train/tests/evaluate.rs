//! Evaluations on items whose scores are known beforehand.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use common::world::World;
use omni_record::{
    Component, EvalEvent, Fuel, GroupScore, Item, Message, ReasonKind, Role, Rollout, Sample,
    TaskEval, Undefined, Value,
};
use omni_train::outside::{OutsideError, Problems, Scorer, Silent, Split};
use omni_train::reward::{ComponentSpec, RewardSpec};
use omni_train::{
    EvalPlan, Evaluated, Evaluation, RunConfig, TaskSpec, TrainError, evaluate, too_much_lost,
};
use serde_json::{Value as Json, json};

const RUN: &str = r#"
seed = 5
[policy]
model = "unused"
[rollout]
max_completion_tokens = 6
scoring_threads = 2
[eval]
bootstrap = 500
[eval.final]
items = 100
samples = 2
greedy = true
[[task]]
name = "amc"
use = "math"
domain = "math"
[[task]]
name = "code"
use = "code"
[[task]]
name = "aime"
use = "math"
domain = "math"
[[task]]
name = "qa"
use = "qa"
[[task]]
name = "writing"
use = "writing"
"#;

/// What a scorer was given.
#[derive(Clone)]
struct Asked {
    item: Item,
    texts: Vec<String>,
    seed: u32,
}

/// Items by task; an item's score stands in its reference.
struct Bench {
    world: World,
    items: Vec<Vec<Item>>,
    asked: Mutex<Vec<(usize, Asked)>>,
}

fn item(id: &str, reference: &str, data: Json) -> Item {
    Item {
        id: id.into(),
        messages: vec![Message { role: Role::User, content: format!("letters {id}") }],
        reference: Some(reference.into()),
        data,
    }
}

fn rows(references: &[&str], data: impl Fn(usize) -> Json) -> Vec<Item> {
    references.iter().enumerate().map(|(i, r)| item(&i.to_string(), r, data(i))).collect()
}

impl Bench {
    fn new() -> Self {
        let none = |_| json!({});
        let conversation = |gpt: [&str; 2], base: &str| json!({ "turns": ["again"], "references": { "gpt": gpt, "base": base } });
        let writing = [
            conversation(["1", "0.5"], "0"),
            conversation(["1", "1"], "1"),
            conversation(["0", "judge"], "0.5"),
        ];
        let items = vec![
            rows(&["1", "1", "1", "0"], none),
            rows(&["unsupported", "unsupported", "fuel", "1", "0", "1"], none),
            rows(&["0", "1"], none),
            rows(
                &["1", "1", "0", "0", "0"],
                |i| json!({ "category": if i < 3 { "physics" } else { "law" } }),
            ),
            writing.into_iter().enumerate().map(|(i, d)| item(&i.to_string(), "own", d)).collect(),
        ];
        Self { world: World::new(), items, asked: Mutex::default() }
    }

    fn evaluate(&self, overrides: &[&str]) -> (EvalEvent, Vec<Sample>) {
        let evaluated = self.try_evaluate(overrides, false).unwrap().unwrap();
        (evaluated.event, evaluated.samples)
    }

    fn try_evaluate(
        &self,
        overrides: &[&str],
        stopped: bool,
    ) -> Result<Option<Evaluated>, TrainError> {
        let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
        let config = RunConfig::from_text(RUN, Path::new("RUN.toml"), &overrides).unwrap();
        let specs: Vec<TaskSpec> = config
            .task
            .iter()
            .enumerate()
            .map(|(i, task)| {
                let metric = if task.label() == "writing" { "preference" } else { "accuracy" };
                let spec = ComponentSpec {
                    name: metric.into(),
                    weight: 1.0,
                    primary: true,
                    required: None,
                };
                let reward = RewardSpec::resolve(vec![spec], None, i, task).unwrap();
                TaskSpec { name: task.label().into(), reward }
            })
            .collect();
        let mut plan = EvalPlan::test(&config);
        plan.shown = u32::MAX;
        let mut policy = self.world.policy();
        let evaluation = Evaluation {
            config: &config,
            tasks: &specs,
            policy: &mut policy,
            tokenizer: &self.world.tokenizer,
            problems: self,
            scorer: self,
            progress: &Silent,
            stop: &AtomicBool::new(stopped),
        };
        evaluate(evaluation, &plan, 0)
    }
}

impl Problems for Bench {
    fn splits(&self, task: usize) -> Result<Vec<Split>, OutsideError> {
        let items = Some(self.items[task].len() as u32);
        Ok(vec![Split { name: "test".into(), items }])
    }

    fn items(
        &self,
        task: usize,
        _: &str,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Item>, OutsideError> {
        Ok(self.items[task][from as usize..(from + limit) as usize].to_vec())
    }
}

impl Scorer for Bench {
    fn score(&self, task: usize, item: &Item, rollouts: &[Rollout], seed: u32) -> GroupScore {
        let texts = rollouts.iter().map(|r| r.text.clone()).collect();
        self.asked.lock().unwrap().push((task, Asked { item: item.clone(), texts, seed }));
        let undefined = |kind| Value::Undefined(Undefined { kind, message: "why".into() });
        let value = match item.reference.as_deref().unwrap() {
            "unsupported" => undefined(ReasonKind::Unsupported),
            "fuel" => undefined(ReasonKind::Fuel),
            "judge" => undefined(ReasonKind::Judge),
            number => Value::Scored(number.parse().unwrap_or(0.125)),
        };
        let name = if task == 4 { "preference" } else { "accuracy" };
        let component = Component { name: name.into(), value };
        GroupScore {
            rollouts: rollouts.iter().map(|_| vec![component.clone()]).collect(),
            fuel: Fuel::default(),
            reproducible: true,
        }
    }
}

fn means(eval: &TaskEval) -> [f64; 2] {
    [eval.sampled.unwrap().mean, eval.greedy.unwrap().mean]
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn benchmarks_have_accuracies_and_their_domain_an_average() {
    let (event, _) = Bench::new().evaluate(&[]);
    assert_eq!(means(&event.tasks["amc"]), [0.75, 0.75]);
    assert_eq!(means(&event.tasks["aime"]), [0.5, 0.5]);
    assert_eq!(event.tasks["amc"].domain.as_deref(), Some("math"));
    assert_eq!(event.domains.len(), 1);
    let math = &event.domains["math"];
    assert_eq!(math.benchmarks, ["amc", "aime"]);
    // Each benchmark weighs the same: not 4 of 6 items.
    let average = math.sampled.unwrap();
    assert!(near(average.mean, 0.625) && average.items == 6);
    let (low, high) = (average.low.unwrap(), average.high.unwrap());
    assert!(low < 0.625 && high > 0.625 && low >= 0.0 && high <= 1.0, "{low} {high}");
    assert!(near(math.greedy.unwrap().mean, 0.625));
    assert_eq!(event.bootstrap.unwrap().resamples, 500);
    let first = event.tasks["amc"].pass_at_1.unwrap();
    assert!(near(first.mean, 0.75) && first.low.is_some());
    assert_eq!(event.tasks["amc"].pass_at_k[&2], 0.75);
    assert_eq!(event.tasks["amc"].verdicts, None);
    assert_eq!(event.tasks["amc"].rouge_l, None);
}

#[test]
fn items_can_name_their_benchmark_themselves() {
    let mut bench = Bench::new();
    for (i, item) in bench.items[0].iter_mut().enumerate() {
        item.data = json!({ "benchmark": if i == 3 { "hard" } else { "easy" } });
    }
    let (event, _) = bench.evaluate(&[]);
    let amc = &event.tasks["amc"];
    assert_eq!((amc.benchmarks["easy"].items, amc.benchmarks["hard"].items), (3, 1));
    assert_eq!(amc.benchmarks["easy"].sampled.unwrap().mean, 1.0);
    assert_eq!(event.domains["math"].benchmarks, ["amc/easy", "amc/hard", "aime"]);
    assert!(near(event.domains["math"].sampled.unwrap().mean, 0.5));
    // Where they all name the same one, it is the task.
    bench.items[0].iter_mut().for_each(|item| item.data = json!({ "benchmark": "amc23" }));
    let (event, _) = bench.evaluate(&[]);
    assert!(event.tasks["amc"].benchmarks.is_empty());
    assert_eq!(event.domains["math"].benchmarks, ["amc", "aime"]);
    // A domain of one benchmark is that benchmark, its interval too.
    let (event, _) = bench.evaluate(&["task.qa.domain=QA"]);
    assert_eq!(event.domains["QA"].sampled, event.tasks["qa"].sampled);
}

#[test]
fn rows_that_need_what_the_sandbox_lacks_are_counted_and_are_no_zeros() {
    let (event, _) = Bench::new().evaluate(&[]);
    let code = &event.tasks["code"];
    assert_eq!((code.items, code.unsupported, code.unscored), (6, 2, 1));
    let accuracy = code.sampled.unwrap();
    assert!(near(accuracy.mean, 2.0 / 3.0) && accuracy.items == 3);
    // Of two samples each; the fault is somebody's, what is unsupported nobody's.
    assert_eq!((code.undefined["unsupported"], code.undefined["fuel"], code.faults()), (4, 2, 2));
    // Over sampled and greedy outputs: three of each of the four items that are supported.
    assert_eq!((code.lost.outputs, code.lost.of, code.lost.kinds["fuel"]), (3, 12, 3));
    let mut bench = Bench::new();
    bench.items[2] = rows(&["unsupported"], |_| json!({}));
    let (event, _) = bench.evaluate(&[]);
    assert_eq!(event.tasks["aime"].sampled, None);
    assert_eq!(event.domains["math"].sampled, None, "no average of what is not there");
}

#[test]
fn a_task_that_lost_more_than_its_limit_is_named_with_the_kinds() {
    let lines = |overrides: &[&str]| {
        let (event, _) = Bench::new().evaluate(&[]);
        let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
        too_much_lost(&event, &RunConfig::from_text(RUN, Path::new("R"), &overrides).unwrap())
    };
    // 3 of 12 outputs of code, 3 of 27 of writing.
    assert_eq!(lines(&["task.code.fault_limit=0.25", "task.writing.fault_limit=1.0"]), [""; 0]);
    let both = lines(&[]);
    assert_eq!(both.len(), 2);
    assert!(both[0].starts_with("task `code`: 3 of 12 outputs have no accuracy"), "{}", both[0]);
    assert!(both[0].contains("(fuel 3)") && both[0].contains("fault_limit = 0.1"), "{}", both[0]);
    assert!(both[1].contains("`writing`") && both[1].contains("(judge: no-verdict 3)"));
}

#[test]
fn categories_have_their_exact_match_and_two_averages() {
    let (event, _) = Bench::new().evaluate(&[]);
    let qa = &event.tasks["qa"];
    let of = |category: &str| qa.categories[category].greedy.unwrap();
    assert!(near(of("physics").mean, 2.0 / 3.0) && of("physics").items == 3);
    assert_eq!((of("law").mean, of("law").items), (0.0, 2));
    assert!(near(qa.greedy.unwrap().mean, 0.4), "over items");
    assert!(near(qa.category_average.unwrap().greedy.unwrap().mean, 1.0 / 3.0), "over categories");
    assert!(event.tasks["amc"].categories.is_empty());
    assert_eq!(event.tasks["amc"].category_average, None);
}

#[test]
fn sets_of_references_and_turns_make_win_rates() {
    let (event, _) = Bench::new().evaluate(&[]);
    let writing = &event.tasks["writing"];
    // By item: (1 + 0 + 0.5) / 3, (1 + 1 + 1) / 3, (0 + 0.5) / 2.
    assert!(near(writing.sampled.unwrap().mean, (0.5 + 1.0 + 0.25) / 3.0));
    assert_eq!(writing.sampled.unwrap().items, 3, "conversations are what intervals are over");
    let set = |name: &str| &writing.references[name];
    assert!(near(set("gpt").sampled.unwrap().mean, (0.75 + 1.0 + 0.0) / 3.0));
    assert!(near(set("base").greedy.unwrap().mean, 0.5));
    let turn = |n: u32| writing.turns[&n].sampled.unwrap();
    assert!(near(turn(1).mean, (0.5 + 1.0 + 0.25) / 3.0));
    assert!(near(turn(2).mean, 0.75) && turn(2).items == 2 && writing.turns[&2].items == 3);
    // Two samples of each.
    let verdicts = writing.verdicts.unwrap();
    assert_eq!((verdicts.wins, verdicts.ties, verdicts.losses), (8, 4, 4));
    let verdicts = set("base").verdicts.unwrap();
    assert_eq!((verdicts.wins, verdicts.ties, verdicts.losses), (2, 2, 2));
    assert_eq!(writing.undefined["judge"], 2);
    assert_eq!((writing.lost.outputs, writing.lost.of), (3, 27));
    assert_eq!(writing.lost.kinds["judge: no-verdict"], 3);
    assert_eq!((writing.unsupported, writing.unscored, writing.long_turns), (0, 0, 0));
    // One output of three conversations has all its turns preferred.
    assert!(near(writing.pass_at_1.unwrap().mean, 1.0 / 3.0));
    // References without a letter share nothing with letters.
    assert_eq!(writing.rouge_l.unwrap().mean, 0.0);
}

#[test]
fn second_turns_follow_the_policys_own_answers() {
    let bench = Bench::new();
    let (_, samples) = bench.evaluate(&[]);
    let asked = bench.asked.lock().unwrap();
    let of_writing: Vec<&Asked> = asked.iter().filter(|(t, _)| *t == 4).map(|(_, a)| a).collect();
    let turn = |n: u64| -> Vec<&Asked> {
        of_writing.iter().copied().filter(|a| a.item.data["turn"] == n).collect()
    };
    // Three items, two sets at the first turn and one at the second, in two passes; sampled
    // conversations go their own ways after the first turn.
    assert_eq!((turn(1).len(), turn(2).len(), of_writing.len()), (12, 9, 21));
    for first in turn(1) {
        assert_eq!(first.item.messages.len(), 1);
        assert_ne!(first.item.reference.as_deref(), Some("own"), "the sets stand for it");
    }
    for second in turn(2) {
        let said: Vec<(Role, &str)> =
            second.item.messages.iter().map(|m| (m.role, m.content.as_str())).collect();
        assert_eq!((said.len(), said[1].0, said[2]), (3, Role::Assistant, (Role::User, "again")));
        let own = turn(1)
            .iter()
            .filter(|first| first.item.id == second.item.id)
            .any(|first| first.texts.iter().any(|text| text.trim() == said[1].1));
        assert!(own, "{said:?}");
        let number: usize = second.item.id.parse().unwrap();
        let gpt = &bench.items[4][number].data["references"]["gpt"][1];
        assert_eq!(second.item.reference.as_deref(), gpt.as_str());
    }
    let one: Vec<&&Asked> = of_writing
        .iter()
        .filter(|a| a.item.id == "0" && a.item.data["turn"] == 1 && a.texts.len() == 2)
        .collect();
    assert!(
        one.len() == 2 && one[0].seed != one[1].seed,
        "sets are judged with seeds of their own"
    );
    // Everything is there to look at: sets and turns are named.
    let of = |set: &str, turn: u32| {
        let wanted = |s: &&Sample| s.set.as_deref() == Some(set) && s.turn == Some(turn);
        samples.iter().filter(wanted).map(|s| s.outputs.len()).collect::<Vec<_>>()
    };
    assert_eq!(of("gpt", 1), [2, 2, 2]);
    assert_eq!(of("gpt", 2), [1; 6]);
    assert!(of("base", 2).is_empty());
    let plain = samples.iter().filter(|s| s.task == "amc");
    assert!(plain.clone().all(|s| s.set.is_none() && s.turn.is_none()) && plain.count() == 4);
}

#[test]
fn a_conversation_that_grows_too_long_is_counted() {
    let mut bench = Bench::new();
    bench.items[4][0].data["turns"] = json!(["again ".repeat(300)]);
    let (event, _) = bench.evaluate(&[]);
    let writing = &event.tasks["writing"];
    assert_eq!(writing.long_turns, 2, "both samples");
    assert!(near(writing.references["gpt"].sampled.unwrap().mean, 2.0 / 3.0));
    assert_eq!(writing.items, 3);
}

#[test]
fn the_same_evaluation_gives_the_same_record_whatever_the_threads() {
    let timeless = |threads: &str| {
        let (mut event, samples) = Bench::new().evaluate(&[threads]);
        (event.time, event.seconds) = (0.0, 0.0);
        (event, samples)
    };
    let one = timeless("rollout.scoring_threads=1");
    assert_eq!(one, timeless("rollout.scoring_threads=4"));
    let text = serde_json::to_string(&omni_record::Event::Eval(one.0.clone())).unwrap();
    let back: omni_record::Event = serde_json::from_str(&text).unwrap();
    assert_eq!(back, omni_record::Event::Eval(one.0));
}

#[test]
fn greedy_alone_is_what_is_counted_then() {
    let (event, samples) = Bench::new().evaluate(&["eval.final.samples=0", "eval.bootstrap=0"]);
    let writing = &event.tasks["writing"];
    let verdicts = writing.verdicts.unwrap();
    assert_eq!((verdicts.wins, verdicts.ties, verdicts.losses), (4, 2, 2));
    assert!(writing.sampled.is_none() && writing.pass_at_1.is_none());
    assert_eq!((event.tasks["code"].unsupported, event.tasks["code"].undefined["fuel"]), (2, 1));
    assert_eq!(event.bootstrap, None);
    assert_eq!(event.tasks["amc"].greedy.unwrap().low, None);
    assert_eq!(samples.iter().filter(|s| s.task == "writing").count(), 6 + 3);
}

#[test]
fn a_stop_gives_nothing_and_a_malformed_conversation_is_named() {
    assert!(Bench::new().try_evaluate(&[], true).unwrap().is_none());
    let mut bench = Bench::new();
    bench.items[4][1].data["turns"] = json!(3);
    let error = bench.try_evaluate(&[], false).unwrap_err();
    assert!(error.is_input(), "{error}");
    let text = error.to_string();
    assert!(text.contains("writing") && text.contains("item `1`") && text.contains("data.turns"));
}

#[test]
fn every_item_has_its_value_and_their_mean_is_the_accuracy() {
    let bench = Bench::new();
    let Evaluated { event, items, .. } = bench.try_evaluate(&[], false).unwrap().unwrap();
    assert_eq!((items.version, items.purpose.as_str()), (omni_record::ITEMS_VERSION, "test"));
    assert!(items.tasks.keys().eq(event.tasks.keys()));
    for (name, task) in &items.tasks {
        let of = &event.tasks[name];
        assert_eq!((&task.split, &task.metric), (&of.split, &of.metric));
        assert_eq!((task.ids.len(), task.greedy.len()), (of.items as usize, of.items as usize));
        for (values, mean) in [(&task.sampled, of.sampled), (&task.greedy, of.greedy)] {
            let there: Vec<f64> = values.iter().copied().flatten().collect();
            assert_eq!(there.len() as u32, mean.unwrap().items, "{name}");
            assert!(near(there.iter().sum::<f64>() / there.len() as f64, mean.unwrap().mean));
        }
    }
    // In the order of the data, what has no value in its place.
    assert_eq!(items.tasks["code"].ids, ["0", "1", "2", "3", "4", "5"]);
    let [one, zero] = [Some(1.0), Some(0.0)];
    assert_eq!(items.tasks["code"].sampled, [None, None, None, one, zero, one]);
    // Over turns and sets of references, as the task's own mean is.
    assert_eq!(items.tasks["writing"].sampled.len(), 3);

    // Another policy, or only one of the two passes: the same items in the same places.
    let greedy = bench.try_evaluate(&["eval.final.samples=0", "seed=9"], false).unwrap().unwrap();
    for (name, task) in &greedy.items.tasks {
        assert_eq!(task.ids, items.tasks[name].ids);
        assert_eq!(task.greedy, items.tasks[name].greedy, "scores stand in the references here");
        assert!(task.sampled.len() == task.ids.len() && task.sampled.iter().all(Option::is_none));
    }
}
