//! Named sets of settings. Each is plain TOML, so that what it fills in can be read here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The paper's Table 5 and its equations read literally.
    Paper,
    /// TRL 1.16's defaults.
    Trl,
    /// A model of a million parameters on two cores.
    Quickstart,
}

impl Preset {
    /// Its settings.
    #[must_use]
    pub fn toml(self) -> &'static str {
        match self {
            Self::Paper => PAPER,
            Self::Trl => TRL,
            Self::Quickstart => QUICKSTART,
        }
    }
}

const PAPER: &str = r#"
[optimizer]
lr = 1e-6
schedule = "constant"
max_grad_norm = 1.0

[rollout]
prompts_per_batch = 256
batches_per_phase = 6
group_size = 16
temperature = 1.0
top_p = 1.0
top_k = 50
max_prompt_tokens = 1024
max_completion_tokens = 3072

[loss]
kind = "grpo"
beta = 0.0
epsilon_low = 0.2
epsilon_high = 0.2

[advantage]
ddof = 0
eps = 0.0

[schedule]
epochs = 3.0

[sft]
samples = 128
keep = 4
batch = 128
epochs = 3.0
lr = 2.5e-6
schedule = "cosine"
"#;

const TRL: &str = r#"
[optimizer]
lr = 1e-6
schedule = "linear"
max_grad_norm = 1.0

[rollout]
prompts_per_batch = 1
group_size = 8
temperature = 1.0
top_p = 1.0
top_k = 0
max_completion_tokens = 256

[loss]
kind = "dapo"
denominator = "generation"
beta = 0.0
kl_correction = true
epsilon_low = 0.2
epsilon_high = 0.2

[advantage]
ddof = 1
eps = 1e-4

[schedule]
epochs = 3.0
"#;

const QUICKSTART: &str = r#"
[optimizer]
lr = 1e-4
warmup_steps = 20

[rollout]
prompts_per_batch = 32
group_size = 8
max_prompt_tokens = 192
max_completion_tokens = 64

[schedule]
max_steps = 150

[sft]
samples = 16
keep = 4
prompts = 600
batch = 32
epochs = 2.0
lr = 3e-4
"#;
