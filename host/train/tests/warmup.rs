//! Warm-up: the loss falls, the seed decides everything, bad sources are named.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use common::bigram::Bigram;
use common::world::World;
use omni_policy::Policy;
use omni_record::Item;
use omni_train::config::{Optimizer, TokenizerSettings, WarmupTask};
use omni_train::outside::{OutsideError, Problems, Progress, Report, Split};
use omni_train::{TrainError, Warmup, WarmupConfig, WarmupSummary, corpus, warmup};

fn config() -> WarmupConfig {
    let task = |uses: &str, weight| WarmupTask {
        uses: uses.into(),
        split: "train".into(),
        items: 20,
        weight,
        ..WarmupTask::default()
    };
    WarmupConfig {
        steps: 40,
        batch: 8,
        report_every: 10,
        optimizer: Optimizer { lr: 0.3, ..Optimizer::default() },
        tokenizer: Some(TokenizerSettings { vocab_size: 280, items: 5 }),
        task: vec![task("letters", 1.0), task("short", 3.0)],
        ..WarmupConfig::default()
    }
}

#[derive(Default)]
struct Losses(RefCell<Vec<f64>>);

impl Progress for Losses {
    fn report(&self, report: Report<'_>) {
        if let Report::Warmup { loss, .. } = report {
            self.0.borrow_mut().push(loss);
        }
    }
}

fn run(
    config: &WarmupConfig,
    problems: &dyn Problems,
) -> Result<(WarmupSummary, Bigram, Vec<f64>), TrainError> {
    let world = World::new();
    let mut policy = world.policy();
    let losses = Losses::default();
    let summary = warmup(Warmup {
        config,
        policy: &mut policy,
        tokenizer: &world.tokenizer,
        problems,
        progress: &losses,
        stop: &AtomicBool::new(false),
    })?;
    Ok((summary, policy, losses.0.into_inner()))
}

fn weights(policy: &Bigram) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    policy.save_model(dir.path()).unwrap();
    std::fs::read(dir.path().join("model.safetensors")).unwrap()
}

#[test]
fn the_loss_falls_and_the_seed_decides() {
    let world = World::new();
    let (summary, policy, losses) = run(&config(), &world).unwrap();
    assert_eq!(
        (summary.steps, summary.demonstrations, summary.too_long, losses.len()),
        (40, 40, 0, 4)
    );
    assert!(losses[0] > 2.0 && summary.loss < losses[0] / 4.0, "{losses:?}");
    assert_eq!(weights(&policy), weights(&run(&config(), &world).unwrap().1));
    let other = WarmupConfig { seed: 1, ..config() };
    assert_ne!(weights(&policy), weights(&run(&other, &world).unwrap().1));
}

#[test]
fn micro_batches_change_rounding_only() {
    let world = World::new();
    let whole = run(&config(), &world).unwrap().0.loss;
    let cut = run(&WarmupConfig { micro_batch_tokens: 1, ..config() }, &world).unwrap().0.loss;
    assert!((whole - cut).abs() < 1e-3, "{whole} {cut}");
}

#[test]
fn long_demonstrations_are_counted() {
    let world = World::new();
    let (summary, ..) = run(&WarmupConfig { max_tokens: 60, ..config() }, &world).unwrap();
    // Items 5, 11 and 17 of each task are long.
    assert_eq!(summary.too_long, 6);
    let error = run(&WarmupConfig { max_tokens: 2, ..config() }, &world).err().unwrap();
    assert!(error.to_string().contains("no demonstration of at most 2 tokens"), "{error}");
}

#[test]
fn the_corpus_holds_prompts_and_demonstrations() {
    let texts = corpus(&config(), &World::new()).unwrap();
    assert_eq!(texts.len(), 2 * 5 * 2);
    assert!(
        texts.contains(&"letters".to_owned())
            && texts.iter().any(|t| t.starts_with("say some letters"))
    );
}

struct Mute(World);

impl Problems for Mute {
    fn splits(&self, task: usize) -> Result<Vec<Split>, OutsideError> {
        self.0.splits(task)
    }

    fn items(
        &self,
        task: usize,
        split: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Item>, OutsideError> {
        let mut items = self.0.items(task, split, offset, limit)?;
        items.iter_mut().for_each(|i| i.data = serde_json::json!({}));
        Ok(items)
    }
}

#[test]
fn an_item_without_a_demonstration_is_named() {
    let error = run(&config(), &Mute(World::new())).err().unwrap();
    assert_eq!(
        error.to_string(),
        "task `letters`: item `train-0` has no text `data.demonstration` to learn from"
    );
}
