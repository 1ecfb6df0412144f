//! Run files: presets, overrides, what errors say, and that the resolved form reads back.

use std::path::Path;

use omni_train::config::{
    AggregationDenominator, LossKind, LrSchedule, Normalise, RatioLevel, UndefinedRule,
};
use omni_train::{ConfigError, RunConfig, WarmupConfig};

const MINIMAL: &str = "[policy]\nmodel = \"models/tiny\"\n\n[[task]]\nuse = \"math/math\"\n";

fn resolve(text: &str, overrides: &[&str]) -> Result<RunConfig, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    RunConfig::from_text(text, Path::new("/runs/RUN.toml"), &overrides)
}

fn error(text: &str, overrides: &[&str]) -> ConfigError {
    resolve(text, overrides).expect_err("accepted")
}

#[test]
fn a_minimal_file_has_the_methods_defaults() {
    let config = resolve(MINIMAL, &[]).unwrap();
    assert_eq!(
        (config.loss.kind, config.loss.beta, config.loss.ratio),
        (LossKind::Grpo, 0.0, RatioLevel::Token)
    );
    assert_eq!((config.advantage.ddof, config.advantage.eps), (1, 1e-4));
    assert_eq!(config.loss.denominator, AggregationDenominator::Batch);
    assert_eq!(config.task[0].undefined, UndefinedRule::Exclude);
    assert_eq!(config.task[0].label(), "math");
    assert_eq!(config.policy.model, Path::new("/runs/models/tiny"), "relative to the file");
}

#[test]
fn the_papers_preset_is_its_table_5() {
    let config = resolve(&format!("preset = \"paper\"\n{MINIMAL}"), &[]).unwrap();
    let r = &config.rollout;
    assert_eq!((r.max_prompt_tokens, r.max_completion_tokens), (1024, 3072));
    assert_eq!((r.prompts_per_batch, r.batches_per_phase, r.group_size), (256, 6, 16));
    assert_eq!((r.temperature, r.top_p, r.top_k), (1.0, 1.0, 50));
    let o = &config.optimizer;
    assert_eq!((o.lr, o.schedule, o.max_grad_norm), (1e-6, LrSchedule::Constant, 1.0));
    let l = &config.loss;
    assert_eq!((l.beta, l.epsilon_low, l.epsilon_high), (0.0, 0.2, 0.2));
    assert_eq!(config.schedule.epochs, 3.0);
    assert_eq!((config.advantage.ddof, config.advantage.eps), (0, 0.0));
}

#[test]
fn fine_tuning_has_the_papers_settings_by_default_and_by_preset() {
    let paper = resolve(&format!("preset = \"paper\"\n{MINIMAL}"), &[]).unwrap();
    let plain = resolve(MINIMAL, &[]).unwrap();
    let sft = &paper.sft;
    assert_eq!((sft.samples, sft.keep, sft.batch, sft.prompts), (128, 4, 128, None));
    assert_eq!((sft.lr, sft.schedule, sft.epochs), (2.5e-6, LrSchedule::Cosine, 3.0));
    assert_eq!(paper.sft, plain.sft);
    assert!(
        !plain.to_toml().unwrap().contains("[sft]"),
        "a run that does not use it is not longer"
    );
    let quick =
        resolve(&format!("preset = \"quickstart\"\n{MINIMAL}"), &["sft.samples=8"]).unwrap();
    assert_eq!((quick.sft.samples, quick.sft.keep, quick.sft.batch), (8, 4, 32));
    assert!(quick.to_toml().unwrap().contains("[sft]"));
    let wrong = error(&format!("{MINIMAL}[sft]\nkeep = 0\n"), &[]);
    assert_eq!((wrong.key.as_deref(), wrong.line), (Some("sft.keep"), Some(7)), "{wrong}");
}

#[test]
fn the_file_stands_above_its_preset_and_overrides_above_both() {
    let text = format!("preset = \"trl\"\n{MINIMAL}\n[loss]\nepsilon_high = 0.28\n");
    let config =
        resolve(&text, &["loss.beta=0.04", "rollout.group_size = 4", "preset=paper"]).unwrap();
    assert_eq!(config.loss.epsilon_high, 0.28);
    assert_eq!(config.loss.beta, 0.04);
    assert_eq!(config.rollout.group_size, 4);
    assert_eq!(config.rollout.top_k, 50, "an override can choose the preset");
    assert_eq!(config.loss.kind, LossKind::Grpo);
}

#[test]
fn overrides_reach_into_tasks_and_take_bare_words() {
    let config = resolve(
        MINIMAL,
        &[
            "task.math.beta=0.1",
            "task.0.undefined=omit",
            "task.math.rewards.format=0.2",
            "schedule.plugin=schedulers/sequence",
        ],
    )
    .unwrap();
    assert_eq!(config.task[0].beta, Some(0.1));
    assert_eq!(config.task[0].undefined, UndefinedRule::Omit);
    assert_eq!(config.task[0].rewards["format"], 0.2);
    assert_eq!(config.schedule.plugin, "schedulers/sequence");
}

#[test]
fn the_resolved_form_reads_back_identically() {
    let text = format!(
        "preset = \"quickstart\"\nseed = 9\n{MINIMAL}name = \"sums\"\nconfig = {{ digits = 3, kinds = [\"add\"] }}\n\
         required = [\"accuracy\"]\nrewards = {{ format = 0.1 }}\ntemperature = 0.7\n\
         [schedule]\nplugin = \"sequence\"\nconfig = {{ order = [\"sums\"], nested = {{ a = 0.1 }} }}\n"
    );
    let config = resolve(&text, &[]).unwrap();
    let written = config.to_toml().unwrap();
    assert_eq!(resolve(&written, &[]).unwrap(), config);
    assert_eq!(resolve(&written, &[]).unwrap().to_toml().unwrap(), written);
}

#[test]
fn a_misspelt_key_is_shown_with_its_place_and_what_was_meant() {
    let e = error(&format!("{MINIMAL}\n[rollout]\ntop_p = 1.0\ngroup_sise = 4\n"), &[]);
    assert_eq!(
        e.to_string(),
        "/runs/RUN.toml:9: `rollout.group_sise`: unknown key `group_sise` (did you mean `group_size`?)"
    );
    let e = error(&format!("{MINIMAL}wieght = 2\n"), &[]);
    assert_eq!(
        e.to_string(),
        "/runs/RUN.toml:6: `task.0.wieght`: unknown key `wieght` (did you mean `weight`?)"
    );
}

#[test]
fn wrong_values_are_shown_with_their_place() {
    let e = error(&format!("{MINIMAL}\n[loss]\nkind = \"grop\"\n"), &[]);
    assert_eq!((e.line, e.key.as_deref()), (Some(8), Some("loss.kind")));
    assert!(e.to_string().contains("did you mean `grpo`?"), "{e}");
    let e = error(&format!("{MINIMAL}\n[optimizer]\nlr = \"fast\"\n"), &[]);
    assert_eq!((e.line, e.key.as_deref()), (Some(8), Some("optimizer.lr")));
    let e = error(&format!("{MINIMAL}\n[optimizer]\nlr = -1.0\n"), &[]);
    assert_eq!((e.line, e.key.as_deref()), (Some(8), Some("optimizer.lr")));
    let e = error(&format!("{MINIMAL}rewards = {{ format = 3.0 }}\n"), &[]);
    assert_eq!((e.line, e.key.as_deref()), (Some(6), Some("task.0.rewards.format")));
    let e = error(&format!("{MINIMAL}\n[[task]]\nuse = \"other/math\"\n"), &[]);
    assert!(e.to_string().contains("`math` is the name of two tasks"), "{e}");
    let e = error("[policy]\nmodel = \"m\"\n", &[]);
    assert!(e.to_string().contains("`task`: there is none"), "{e}");
    let e = error("[policy\nmodel = 1", &[]);
    assert_eq!(e.line, Some(1));
}

#[test]
fn wrong_overrides_are_named() {
    assert_eq!(
        error(MINIMAL, &["rollout.group_sise=4"]).to_string(),
        "`rollout.group_sise`: unknown key `group_sise` (did you mean `group_size`?)"
    );
    assert!(error(MINIMAL, &["rollout"]).to_string().contains("key=value"));
    assert!(error(MINIMAL, &["task.qa.beta=1"]).to_string().contains("has no entry `qa`"));
    assert_eq!(
        error(MINIMAL, &["rollout.group_size=many"]).key.as_deref(),
        Some("rollout.group_size")
    );
    assert_eq!(error(MINIMAL, &["seed.x=1"]).key.as_deref(), Some("seed.x"));
}

#[test]
fn a_missing_file_is_named() {
    let e = RunConfig::resolve(Path::new("/nowhere/RUN.toml"), &[]).unwrap_err();
    assert!(e.to_string().starts_with("/nowhere/RUN.toml: cannot be read"), "{e}");
}

#[test]
fn the_schemas_know_every_table_and_say_what_it_means() {
    let schema = omni_train::config::schema();
    for table in [
        "policy",
        "optimizer",
        "rollout",
        "loss",
        "advantage",
        "schedule",
        "eval",
        "checkpoint",
        "task",
    ] {
        assert!(schema["properties"][table]["description"].is_string(), "{table}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert!(omni_train::config::warmup_schema()["properties"]["tokenizer"].is_object());
}

#[test]
fn a_warm_up_is_of_a_new_model_or_of_an_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("WARMUP.toml");
    std::fs::write(&file, "from = \"models/tiny\"\n[[task]]\nuse = \"math\"\n").unwrap();
    let config = WarmupConfig::resolve(&file, &["steps=7".to_owned()]).unwrap();
    assert_eq!((config.steps, config.from), (7, Some(dir.path().join("models/tiny"))));
    std::fs::write(
        &file,
        "from = \"models/tiny\"\n[model]\nlayers = 2\n[[task]]\nuse = \"math\"\n",
    )
    .unwrap();
    let e = WarmupConfig::resolve(&file, &[]).unwrap_err();
    assert_eq!((e.line, e.key.as_deref()), (Some(1), Some("from")));
}

#[test]
fn the_papers_example_is_its_setting() {
    let example = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/paper");
        RunConfig::resolve(&folder.join(name), &[]).unwrap()
    };
    let run = example("run.toml");
    let names: Vec<&str> = run.task.iter().map(|t| t.label()).collect();
    assert_eq!(names, ["code", "math", "qa", "writing"], "the order that the paper reports");
    assert_eq!((run.rollout.group_size, run.rollout.max_completion_tokens), (16, 3072));
    assert_eq!(run.advantage.normalise, Normalise::None);
    let judge = &run.models["judge"];
    assert_eq!((judge.model.as_deref(), judge.temperature), (Some("gpt-4.1-mini"), Some(0.4)));
    assert_eq!(run.task[3].judge_model.as_deref(), Some("judge"));
    let limits: Vec<Option<u32>> =
        run.task.iter().map(|t| t.data["train"].datasets()[0].limit).collect();
    assert_eq!(limits, [Some(13000), Some(12000), Some(5500), Some(6650)], "the paper's section 4");
    assert_eq!(run.task[1].data["test"].datasets().len(), 6, "Table 1's benchmarks of math");

    let eval = example("eval.toml");
    let of =
        |domain: &str| eval.task.iter().filter(|t| t.domain.as_deref() == Some(domain)).count();
    assert_eq!([of("Math"), of("General QA"), of("Coding"), of("Creative Writing")], [6, 1, 2, 1]);
    assert!(eval.task.iter().all(|t| t.data["test"].datasets()[0].mapping.is_some()));
    assert_eq!(eval.task[9].data["test"].datasets()[0].references.len(), 3, "Table 6");
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/mappings");
    for data in run.task.iter().chain(&eval.task).flat_map(|t| t.data.values()) {
        for mapping in data.datasets().into_iter().filter_map(|it| it.mapping) {
            assert!(mappings.join(format!("{mapping}.toml")).is_file(), "{mapping}");
        }
    }
}

#[test]
fn normalisation_has_its_ranges() {
    let set = |overrides: &[&str]| resolve(MINIMAL, overrides);
    let config = set(&["advantage.normalise=median", "advantage.median.window=64"]).unwrap();
    assert_eq!(config.advantage.normalise, Normalise::Median);
    assert_eq!((config.advantage.median.window, config.advantage.median.slope), (64, 3.0));
    let again: RunConfig = toml::from_str(&config.to_toml().unwrap()).unwrap();
    assert_eq!(again, config);
    for (key, wrong) in [
        ("advantage.normalise", &["advantage.normalise=gdbo"][..]),
        ("advantage.median.target", &["advantage.median.target=1.0"]),
        ("advantage.median.floor", &["advantage.median.floor=0"]),
        ("advantage.median.slope", &["advantage.median.slope=-1"]),
        ("advantage.median.window", &["advantage.median.window=0"]),
        ("advantage.scale", &["advantage.normalise=gdpo", "advantage.scale=batch"]),
        ("eval.bootstrap", &["eval.bootstrap=1000000"]),
        ("task.0.domain", &["task.math.domain=\"\""]),
    ] {
        let error = set(wrong).expect_err(key);
        assert_eq!(error.key.as_deref(), Some(key), "{error}");
    }
}
