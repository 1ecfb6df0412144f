//! `warmup`: a small policy's first weights, by supervised learning on the tasks' demonstrations.

use std::collections::BTreeMap;
use std::path::Path;

use omni_policy::{BpeConfig, CpuPolicy, ModelConfig, Policy as _, Tokenizer};
use omni_train::{Warmup, WarmupConfig, corpus, warmup};

use crate::args::{Arguments, Warmup as Options};
use crate::console;
use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::problems::{Sources, Wanted};
use crate::progress::Renderer;
use crate::run;

/// Standard deviation of new weights, as Qwen2's own configuration has it.
const INITIALIZER_RANGE: f64 = 0.02;

/// Trains and writes the folder.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Outcome<()> {
    let mut config = WarmupConfig::resolve(&options.file, &options.set).or_input()?;
    if let Some(threads) = arguments.threads {
        config.threads = threads;
    }
    run::device(config.device)?;
    if options.out.exists() {
        return Err(Fault::input(format!(
            "{} is there already: choose another --out, or remove it",
            options.out.display()
        )));
    }
    let engine = Engine::open(arguments)?;
    let packs: Vec<omni_pack::Task> = config
        .task
        .iter()
        .map(|task| engine.packs().task(&task.uses).or_input_at(options.file.display()))
        .collect::<Outcome<_>>()?;
    let wanted: Vec<Wanted<'_>> = config
        .task
        .iter()
        .zip(&packs)
        .map(|(task, pack)| Wanted {
            label: &task.uses,
            pack,
            data: BTreeMap::new(),
            config: &task.config,
        })
        .collect();
    let problems = Sources::open(&engine, &wanted, None)?;
    let threads = run::threads(config.threads);
    let (mut policy, tokenizer) = match &config.from {
        Some(folder) => {
            let tokenizer = Tokenizer::load(folder).map_err(run::policy_fault)?;
            (CpuPolicy::load(folder, threads).map_err(run::policy_fault)?, tokenizer)
        }
        None => fresh(&config, &problems)?,
    };
    console::say(format!(
        "{} parameters, {} tokens in the vocabulary, {} threads",
        policy.parameters(),
        policy.vocab_size(),
        engine.threads()
    ));
    let stop = run::stop_flag("this step is finished and the weights written")?;
    let renderer = Renderer::new(Vec::new());
    let summary = warmup(Warmup {
        config: &config,
        policy: &mut policy,
        tokenizer: &tokenizer,
        problems: &problems,
        progress: &renderer,
        stop,
    });
    renderer.finish();
    let summary = summary.map_err(run::train_fault)?;
    save(&policy, &tokenizer, &options.out)?;
    console::say(format!(
        "{} steps on {} demonstrations ({} too long), loss {:.4}; policy: {}",
        summary.steps,
        summary.demonstrations,
        summary.too_long,
        summary.loss,
        options.out.display()
    ));
    Ok(())
}

/// A new model with a tokenizer trained on the demonstrations.
fn fresh(config: &WarmupConfig, problems: &Sources) -> Outcome<(CpuPolicy, Tokenizer)> {
    let shape = config.model.clone().unwrap_or_default();
    let settings = config.tokenizer.clone().unwrap_or_default();
    let texts = corpus(config, problems).map_err(run::train_fault)?;
    let bpe = BpeConfig { vocab_size: settings.vocab_size, ..BpeConfig::default() };
    let tokenizer = Tokenizer::train_bpe(texts.into_iter(), &bpe).map_err(run::policy_fault)?;
    let model = ModelConfig {
        // A corpus too small for the vocabulary leaves rows of the embedding unused.
        vocab_size: settings.vocab_size.max(tokenizer.vocab_size()),
        hidden_size: shape.hidden_size,
        intermediate_size: shape.intermediate_size,
        num_hidden_layers: shape.layers,
        num_attention_heads: shape.heads,
        num_key_value_heads: shape.kv_heads,
        head_dim: shape.hidden_size / shape.heads.max(1),
        rms_norm_eps: 1e-6,
        rope_theta: shape.rope_theta,
        max_position_embeddings: shape.max_positions,
        tie_word_embeddings: shape.tied,
        initializer_range: INITIALIZER_RANGE,
        eos_token_ids: tokenizer.eos_ids().to_vec(),
        pad_token_id: tokenizer.pad_id(),
    };
    let policy = CpuPolicy::init_random(model, config.seed, run::threads(config.threads))
        .map_err(run::policy_fault)?;
    Ok((policy, tokenizer))
}

/// Writes the folder aside and renames it, so that it is whole or absent.
fn save(policy: &CpuPolicy, tokenizer: &Tokenizer, out: &Path) -> Outcome<()> {
    let mut aside = out.as_os_str().to_owned();
    aside.push(".partial");
    let aside = Path::new(&aside);
    if aside.exists() {
        std::fs::remove_dir_all(aside).or_run_at(aside.display())?;
    }
    std::fs::create_dir_all(aside).or_run_at(format!("cannot make {}", aside.display()))?;
    policy.save_model(aside).map_err(run::policy_fault)?;
    tokenizer.save(aside).map_err(run::policy_fault)?;
    std::fs::rename(aside, out).or_run_at(format!("cannot write {}", out.display()))
}
