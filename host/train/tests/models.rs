//! `[models]` of a run file: what is read, what is refused, and where.

use std::path::Path;

use omni_train::RunConfig;
use omni_train::config::ConfigError;

const HEAD: &str = "[policy]\nmodel = \"p\"\n[[task]]\nuse = \"writing\"\n";

fn resolve(text: &str, overrides: &[&str]) -> Result<RunConfig, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    RunConfig::from_text(text, Path::new("/runs/RUN.toml"), &overrides)
}

fn run(models: &str) -> Result<RunConfig, ConfigError> {
    resolve(&format!("{HEAD}{models}"), &[])
}

#[test]
fn models_are_read_with_their_defaults_and_written_back() {
    let config = run("[models.a]\nendpoint = \"http://h/v1\"\nmodel = \"m\"\nprice_input = 2\n\
         extra = { top_p = 0.5, nested = { b = 1, a = 2 } }\n\
         [models.b]\ngguf = \"x/y.gguf\"\n[models.c]\nfolder = \"/abs\"\n")
    .unwrap();
    let a = &config.models["a"];
    assert_eq!((a.concurrency, a.timeout_seconds, a.retries), (8, 60.0, 4));
    assert_eq!((a.price_input, a.record_questions), (2.0, true));
    assert_eq!(config.models["b"].gguf.as_deref(), Some(Path::new("/runs/x/y.gguf")));
    assert_eq!(config.models["c"].folder.as_deref(), Some(Path::new("/abs")));
    let written = config.to_toml().unwrap();
    assert_eq!(resolve(&written, &[]).unwrap(), config);
}

#[test]
fn a_task_asks_the_model_it_names_or_the_only_one() {
    let one = "[models.a]\nfolder = \"x\"\n";
    let config = run(one).unwrap();
    assert_eq!(config.judge_model(&config.task[0]), Some("a"));
    let config = run(&format!("{one}[models.b]\nfolder = \"y\"\n")).unwrap();
    assert_eq!(config.judge_model(&config.task[0]), None, "two, and none is named");
    let text = format!("{HEAD}{one}[models.b]\nfolder = \"y\"\n");
    let config = resolve(&text, &["task.0.judge_model=b"]).unwrap();
    assert_eq!(config.judge_model(&config.task[0]), Some("b"));
    let error = resolve(&text, &["task.0.judge_model=c"]).unwrap_err();
    assert_eq!(error.key.as_deref(), Some("task.0.judge_model"));
    assert!(error.to_string().contains("this run has a, b"), "{error}");
}

#[test]
fn what_does_not_fit_together_is_named_with_its_line() {
    let endpoint = "[models.a]\nendpoint = \"http://h/v1\"\n";
    for (models, key, line, words) in [
        ("[models.a]\n", "models.a", 5, "exactly one of"),
        ("[models.a]\nfolder = \"x\"\ngguf = \"y\"\n", "models.a", 5, "exactly one of"),
        (endpoint, "models.a.model", 5, "is missing"),
        ("[models.a]\nfolder = \"x\"\nkey_env = \"K\"\n", "models.a.key_env", 7, "`endpoint`"),
        ("[models.a]\nfolder = \"x\"\ntokenizer = \"t\"\n", "models.a.tokenizer", 7, "`gguf`"),
        ("[models.a]\nfolder = \"x\"\nmax_tokens = 0\n", "models.a.max_tokens", 7, "at least 1"),
        ("[models.a]\nfolder = \"x\"\ntemperature = nan\n", "models.a.temperature", 7, "NaN"),
        (
            "[models.a]\nfolder = \"x\"\ntimeout_seconds = 1e9\n",
            "models.a.timeout_seconds",
            7,
            "a day",
        ),
        (
            "[models.a]\nendpoint = \"http://h\"\nmodel = \"m\"\nmoney_budget = 5.0\n",
            "models.a.money_budget",
            8,
            "price_input",
        ),
        (
            "[models.a]\nendpoint = \"http://h\"\nmodel = \"m\"\nextra = { stream = true }\n",
            "models.a.extra",
            8,
            "`stream`",
        ),
    ] {
        let error = run(models).unwrap_err();
        assert_eq!((error.key.as_deref(), error.line), (Some(key), Some(line)), "{models}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = run("[models.a]\nendpiont = \"x\"\n").unwrap_err();
    assert!(error.to_string().contains("did you mean `endpoint`?"), "{error}");
}

#[test]
fn how_a_model_is_asked_may_change_what_is_asked_may_not() {
    let base = "[models.a]\nendpoint = \"http://h/v1\"\nmodel = \"m\"\n";
    let begun = run(base).unwrap().models.remove("a").unwrap();
    for (more, same) in [
        ("key_env = \"K\"\nconcurrency = 1\nretries = 0\ntimeout_seconds = 3\n", true),
        ("token_budget = 5\nmoney_budget = 1.0\nprice_input = 3\n", true),
        ("backoff_seconds = 0\nmax_wait_seconds = 1\nrecord_questions = false\n", true),
        ("temperature = 0.5\n", false),
        ("max_tokens = 7\n", false),
        ("extra = { seed = 1 }\n", false),
    ] {
        let now = run(&format!("{base}{more}")).unwrap().models.remove("a").unwrap();
        let mut old = begun.clone();
        old.operate_as(&now);
        assert_eq!(old == now, same, "{more}");
    }
    let other = run(&base.replace("\"m\"", "\"n\"")).unwrap().models.remove("a").unwrap();
    let mut old = begun;
    old.operate_as(&other);
    assert_ne!(old, other);
}
