//! The command line, defined once: parsing, `--help` and docs/cli.md all come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Train one language model on many tasks at once, with sandboxed rewards.
#[derive(Debug, Parser)]
#[command(name = "omni-host", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// A pack, or a folder of packs; repeatable. In a checkout of the project its own packs
    /// (target/packs) are found without it.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) plugins: Vec<PathBuf>,

    /// Threads for the policy and for plugins; results do not depend on it. Default: all cores.
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a policy on the tasks of a run file.
    Train(Train),
    /// Measure a policy on the held-out splits of a run file's tasks.
    Eval(Eval),
    /// Score given completions with a task's rewards.
    Score(Score),
    /// Make a small policy's first weights by supervised learning on a task's demonstrations.
    Warmup(Warmup),
    /// Build and look into packs.
    #[command(subcommand)]
    Pack(Pack),
    /// See the plugins that are loaded.
    #[command(subcommand)]
    Plugin(Plugin),
    /// Say what this machine has: toolchains, cores and SIMD, CUDA, caches.
    Doctor(Json),
    /// Measure what tasks do to each other, and compare the order chosen by it with other methods.
    Study(Study),
    /// Choose the order of a curriculum from measured backward transfer.
    Plan(Plan),
    /// Sample from the policy of a run file, keep what its rewards call correct, fine-tune on that.
    Sft(Sft),
    /// Merge models that were trained from one base: TIES, task arithmetic, linear.
    Merge(Merge),
    /// Serve a policy and the tasks' rewards over HTTP, as an OpenAI-compatible endpoint.
    Serve(Serve),
    /// Write the report of a run or a study again from its records: a page, CSV and JSON.
    Report(Report),
    /// Benchmarks (not supported yet).
    #[command(hide = true)]
    Bench(Rest),
    /// Rebuild and rescore on change (not supported yet).
    #[command(hide = true)]
    Dev(Rest),
    /// Compiles one component; the runtime's child process.
    #[command(name = "__compile", hide = true)]
    Compile {
        /// The component.
        input: PathBuf,
        /// Where the compiled code goes.
        output: PathBuf,
    },
    /// Writes the generated documents.
    #[command(name = "__docs", hide = true)]
    Docs {
        /// Their folder.
        folder: PathBuf,
        /// Change nothing; fail if one is stale.
        #[arg(long)]
        check: bool,
    },
}

/// `train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// The run file.
    #[arg(value_name = "RUN.toml")]
    pub(crate) run: PathBuf,
    /// Go on from the last checkpoint in the run folder.
    #[arg(long)]
    pub(crate) resume: bool,
    /// The run folder. Default: runs/NAME, after the run file's name.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Override a setting, as in `--set optimizer.lr=1e-5`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Do nothing: check the file, and say what would be done and what is missing for it.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) dry_run: bool,
    /// With --dry-run: print that as JSON on standard output.
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
}

/// `sft`.
#[derive(Debug, Args)]
pub(crate) struct Sft {
    /// The run file; its table `[sft]` says how much is sampled and how it is learned.
    #[arg(value_name = "RUN.toml")]
    pub(crate) run: PathBuf,
    /// Go on from what the run folder holds: the sampled outputs, or the last checkpoint.
    #[arg(long)]
    pub(crate) resume: bool,
    /// The run folder. Default: runs/NAME-sft, after the run file's name.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Override a setting, as in `--set sft.samples=8`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Do nothing: check the file, and say what would be done and what is missing for it.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) dry_run: bool,
    /// With --dry-run: print that as JSON on standard output.
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
}

/// `study`.
#[derive(Debug, Args)]
pub(crate) struct Study {
    /// The study file: which runs are made of one run file.
    #[arg(value_name = "STUDY.toml")]
    pub(crate) file: PathBuf,
    /// The study's folder; finished steps in it are not run again. Default: runs/NAME-study, after
    /// the study file's name.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Steps at a time, each a process with its share of the threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) jobs: usize,
    /// Train all orders of the tasks, sharing their common beginnings (`orders.all`).
    #[arg(long)]
    pub(crate) all_orders: bool,
    /// Print the steps, what they wait for and what they cost; run nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --dry-run: print JSON.
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    /// Make a finished step again, with all that waits for it: its name, or a folder of steps;
    /// repeatable.
    #[arg(long, value_name = "STEP", conflicts_with = "dry_run")]
    pub(crate) redo: Vec<String>,
    /// Override a setting of the study file, or with `run.` before it one of the run file:
    /// `--set run.schedule.max_steps=40`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a number of at least 1".to_owned()),
        Ok(n) => Ok(n),
    }
}

/// `eval`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// The run file that names the tasks and the evaluation's settings.
    #[arg(value_name = "RUN.toml")]
    pub(crate) run: PathBuf,
    /// The policy: a Hugging Face folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: PathBuf,
    /// The tasks' splits: `test` as `[eval.final]` says, `validation` as `[eval]` says.
    #[arg(long, value_enum, default_value_t = Splits::Test)]
    pub(crate) split: Splits,
    /// Also write eval.json, items.json (the accuracies item by item), samples.jsonl and the
    /// resolved run.toml into a new folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Items of each task whose outputs go to samples.jsonl: a number, or `all`. Default: 5.
    #[arg(long, value_name = "N|all", requires = "out", value_parser = number_or_all)]
    pub(crate) samples: Option<u32>,
    /// Override a setting; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Do nothing: check the file, and say what would be done and what is missing for it.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which splits `eval` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Splits {
    /// What tables report.
    Test,
    /// What checkpoints are chosen by.
    Validation,
}

/// `all` is more than any split has.
fn number_or_all(text: &str) -> Result<u32, String> {
    match text {
        "all" => Ok(u32::MAX),
        text => text.parse().map_err(|_| "neither a number nor `all`".to_owned()),
    }
}

/// `score`.
#[derive(Debug, Args)]
pub(crate) struct Score {
    /// The task, as `pack/task`, or `task` where that is unique.
    pub(crate) task: String,
    /// JSONL: one `{"id", "messages"|"prompt", "reference", "data", "completions"}` a line;
    /// `-` is standard input. With --replay and without this, the run's recorded samples.
    #[arg(long, value_name = "F.jsonl", required_unless_present = "replay")]
    pub(crate) input: Option<PathBuf>,
    /// How the lines' columns make rows, beside `completions`: a ready mapping's name (docs/data.md),
    /// or a mapping file. Its filters are not used: every line is scored.
    #[arg(long, value_name = "NAME", requires = "input")]
    pub(crate) mapping: Option<String>,
    /// Where the scores go. Default: standard output.
    #[arg(long, value_name = "G.jsonl")]
    pub(crate) output: Option<PathBuf>,
    /// A JSON object of settings handed to the rewards, over the pack's own.
    #[arg(long, value_name = "JSON")]
    pub(crate) config: Option<String>,
    /// A run file: its entry for the task says the rewards' settings, the judge and the judge's
    /// model.
    #[arg(long, value_name = "RUN.toml", conflicts_with = "replay")]
    pub(crate) run: Option<PathBuf>,
    /// Score with the settings and the recorded judges' replies of a run folder: no model, no
    /// network.
    #[arg(long, value_name = "RUN")]
    pub(crate) replay: Option<PathBuf>,
    /// With --run: a folder that keeps the judges' replies, to go on with or to --replay later.
    #[arg(long, value_name = "DIR", requires = "run")]
    pub(crate) record: Option<PathBuf>,
    /// Seed handed to rewards and judges.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,
}

/// `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The policy: a Hugging Face folder. Without one only scoring is served.
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: Option<PathBuf>,
    /// The name that the policy answers to. Default: the folder's.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A task whose rewards `POST /v1/score` offers, as `pack/task`, or `task` where that is
    /// unique; repeatable.
    #[arg(long = "task", value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// A run file: its entries for the tasks say the rewards' settings, the judges and the judges'
    /// models. Without --task all its entries are offered.
    #[arg(long, value_name = "RUN.toml")]
    pub(crate) run: Option<PathBuf>,
    /// Where to listen. Anything but loopback wants a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: std::net::SocketAddr,
    /// The environment variable that holds the token which requests must bear.
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) token_env: Option<String>,
    /// The largest body of a request, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    pub(crate) max_body_mib: u32,
    /// The longest answer, in tokens.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub(crate) max_tokens: u32,
    /// Completions generated at a time.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) concurrency: u32,
    /// Prompts, and scoring requests, that may wait; further ones are answered with 503.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) queue: u32,
    /// How long running requests may take to finish after Ctrl-C, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) grace: u32,
}

/// `plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// JSON: `tasks`, `base_accuracy`, `self_accuracy`, `backward_transfer` (rows evaluated, columns
    /// trained), and optionally `weights`, `standard_errors` (of the transfers) and `entropy_change`
    /// (rows trained, columns evaluated).
    #[arg(value_name = "EVIDENCE.json")]
    pub(crate) evidence: PathBuf,
    /// Print the plan as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Samples that the chance of being best is estimated from.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) samples: u32,
    /// Seed of the samples.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// `merge`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The model that all were trained from: a Hugging Face folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) base: PathBuf,
    /// A model to merge, with its weight (1 without); repeatable.
    #[arg(long = "model", value_name = "DIR[=WEIGHT]", required = true)]
    pub(crate) models: Vec<String>,
    /// How.
    #[arg(long, value_enum, default_value = "ties")]
    pub(crate) method: MergeMethod,
    /// TIES keeps this fraction of each model's changes, the largest.
    #[arg(long, default_value_t = 0.2)]
    pub(crate) density: f64,
    /// What the merged change is multiplied by (TIES and task arithmetic).
    #[arg(long, default_value_t = 1.0)]
    pub(crate) lambda: f64,
    /// What TIES takes its fraction of.
    #[arg(long, value_enum, default_value = "global")]
    pub(crate) scope: MergeScope,
    /// The number type of the result. Default: the base's.
    #[arg(long, value_enum)]
    pub(crate) dtype: Option<MergeType>,
    /// The largest file of weights, in GiB.
    #[arg(long, value_name = "GIB", default_value_t = 5)]
    pub(crate) max_shard_gib: u32,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// How models are merged.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MergeMethod {
    /// Trim, elect signs, average what agrees.
    Ties,
    /// The base plus the sum of the weighted changes.
    TaskArithmetic,
    /// The weighted mean of the models.
    Linear,
}

/// What TIES takes its fraction of.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MergeScope {
    /// All of a model's parameters.
    Global,
    /// Each tensor.
    Tensor,
}

/// A number type.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MergeType {
    /// 32 bits.
    F32,
    /// 16 bits, 5 of them exponent.
    F16,
    /// 16 bits, 8 of them exponent.
    Bf16,
}

/// `warmup`.
#[derive(Debug, Args)]
pub(crate) struct Warmup {
    /// The warm-up file: the policy's shape, the tasks, how many demonstrations are wrong.
    #[arg(value_name = "WARMUP.toml")]
    pub(crate) file: PathBuf,
    /// The Hugging Face folder to write.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Override a setting; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `pack`.
#[derive(Debug, Subcommand)]
pub(crate) enum Pack {
    /// Build a pack, or each pack of a folder, into a folder of built packs.
    Build {
        /// The pack's folder, or a folder of packs.
        #[arg(value_name = "DIR")]
        source: PathBuf,
        /// Where built packs go, each in a folder of its own. Default: target/packs.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Say what a pack, or one component, holds, without running it.
    Inspect {
        /// A built pack's folder, or a component (.wasm).
        path: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make wrong answers for the questions of a dataset: with a model, which also checks that
    /// they are wrong, or from the answers of the same category.
    Distractors(Distractors),
    /// A command of `pack` that is not supported yet.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// `pack distractors`.
#[derive(Debug, Args)]
pub(crate) struct Distractors {
    /// The dataset: .jsonl, .json or .parquet. Default: the mapping's place on the hub.
    #[arg(long, value_name = "FILE", required_unless_present = "mapping")]
    pub(crate) input: Option<PathBuf>,
    /// JSON Lines with `data.distractors`, which need no mapping. Where it is there already, only
    /// the rows that it lacks are made.
    #[arg(long, value_name = "G.jsonl")]
    pub(crate) output: PathBuf,
    /// How the dataset's columns make rows: a ready mapping's name, or a mapping file.
    #[arg(long, value_name = "NAME")]
    pub(crate) mapping: Option<String>,
    /// Wrong answers for each question.
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) count: usize,
    /// The part of a row whose equals are of one category; without a model, wrong answers come from
    /// there.
    #[arg(long, value_name = "PART", default_value = "data.category")]
    pub(crate) category: String,
    /// Begin with the wrong answers that a row has (the other options, say).
    #[arg(long)]
    pub(crate) keep: bool,
    /// Take only so many rows of the dataset, shared out as its mapping says.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Seed of what is chosen.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,
    /// A run file with a table [models]: ask one of them.
    #[arg(long, value_name = "RUN.toml")]
    pub(crate) run: Option<PathBuf>,
    /// Which of its models. Default: the only one.
    #[arg(long, value_name = "NAME", requires = "run")]
    pub(crate) model: Option<String>,
}

/// `plugin`.
#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// The components and tasks of every pack found.
    List(Json),
    /// A command of `plugin` that is not supported yet.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// `report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The folder of a run or of a study.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Write report.html, report.json and tables/*.csv there, not beside the records.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Also write a picture: a run's rewards, or a study's orders as predicted and as measured.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) svg: Option<PathBuf>,
}

/// A command whose only choice is its form.
#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whatever follows a command that is not supported yet.
#[derive(Debug, Args)]
pub(crate) struct Rest {
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<String>,
}
