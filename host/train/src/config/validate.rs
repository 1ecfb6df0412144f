//! Checks that need more than one value's type.

use super::error::nearest;
use super::{
    Advantage, ConfigError, LrSchedule, Normalise, Optimizer, RunConfig, Scale, WarmupConfig,
};

pub(super) fn require(ok: bool, key: &str, message: &str) -> Result<(), ConfigError> {
    if ok { Ok(()) } else { Err(ConfigError::new(key, message)) }
}

pub(super) fn finite_at_least(value: f64, low: f64, key: &str) -> Result<(), ConfigError> {
    require(
        value.is_finite() && value >= low,
        key,
        &format!("must be a number of at least {low}, not {value}"),
    )
}

impl Optimizer {
    fn validate(&self) -> Result<(), ConfigError> {
        finite_at_least(self.lr, 0.0, "optimizer.lr")?;
        for beta in self.betas {
            require((0.0..1.0).contains(&beta), "optimizer.betas", "both must lie in [0, 1)")?;
        }
        finite_at_least(self.eps, 0.0, "optimizer.eps")?;
        finite_at_least(self.weight_decay, 0.0, "optimizer.weight_decay")?;
        finite_at_least(self.max_grad_norm, 0.0, "optimizer.max_grad_norm")
    }
}

impl Advantage {
    fn validate(&self) -> Result<(), ConfigError> {
        require(self.ddof <= 1, "advantage.ddof", "must be 0 or 1")?;
        finite_at_least(self.eps, 0.0, "advantage.eps")?;
        if self.normalise == Normalise::Gdpo && self.scale != Scale::Group {
            return Err(ConfigError::new(
                "advantage.scale",
                "`normalise = \"gdpo\"` divides by deviations of its own",
            )
            .help("leave `scale` out"));
        }
        let m = &self.median;
        require(m.window > 0, "advantage.median.window", "must be at least 1")?;
        require(m.target > 0.0 && m.target < 1.0, "advantage.median.target", "must lie in (0, 1)")?;
        for (value, key) in [(m.slope, "slope"), (m.floor, "floor")] {
            require(
                value.is_finite() && value > 0.0,
                &format!("advantage.median.{key}"),
                &format!("must be above 0, not {value}"),
            )?;
        }
        Ok(())
    }
}

impl RunConfig {
    /// Checks ranges, and that tasks are named once.
    ///
    /// # Errors
    /// The first value that is out of its range, by its key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.policy.model.as_os_str().is_empty() {
            return Err(ConfigError::new("policy.model", "is missing")
                .help("name a Hugging Face model folder: [policy] model = \"…\""));
        }
        self.optimizer.validate()?;
        self.validate_continued()?;
        let r = &self.rollout;
        require(r.prompts_per_batch > 0, "rollout.prompts_per_batch", "must be at least 1")?;
        require(r.batches_per_phase > 0, "rollout.batches_per_phase", "must be at least 1")?;
        require(r.group_size > 0, "rollout.group_size", "must be at least 1")?;
        require(
            r.max_completion_tokens > 0,
            "rollout.max_completion_tokens",
            "must be at least 1",
        )?;
        require(r.max_prompt_tokens > 0, "rollout.max_prompt_tokens", "must be at least 1")?;
        require(r.top_p > 0.0 && r.top_p <= 1.0, "rollout.top_p", "must lie in (0, 1]")?;
        positive_temperature(r.temperature, "rollout.temperature")?;
        let l = &self.loss;
        require((0.0..=1.0).contains(&l.epsilon_low), "loss.epsilon_low", "must lie in [0, 1]")?;
        finite_at_least(l.epsilon_high, 0.0, "loss.epsilon_high")?;
        finite_at_least(l.beta, 0.0, "loss.beta")?;
        self.advantage.validate()?;
        finite_at_least(self.schedule.epochs, 0.0, "schedule.epochs")?;
        require(self.schedule.epochs > 0.0, "schedule.epochs", "must be above 0")?;
        self.sft.validate()?;
        positive_temperature(self.eval.temperature, "eval.temperature")?;
        positive_temperature(self.eval.last.temperature, "eval.final.temperature")?;
        require(
            self.eval.every == 0 || self.eval.samples > 0 || self.eval.greedy,
            "eval.samples",
            "with no samples and no greedy output there is nothing to evaluate",
        )?;
        require(
            self.eval.bootstrap <= 100_000,
            "eval.bootstrap",
            "must be at most 100000; 1000 is plenty",
        )?;
        require(
            self.checkpoint.keep > 0,
            "checkpoint.keep",
            "must be at least 1, or a run could not resume",
        )?;
        self.validate_models()?;
        self.validate_tasks()?;
        self.validate_trained()
    }

    /// Whether a run that was to take `limit` steps (0: as many as its scheduler wants) may go on
    /// with this configuration's `schedule.max_steps`: true where that is more.
    ///
    /// # Errors
    /// When it is fewer, or when the steps that were taken would have been others.
    pub fn may_raise(&self, limit: u64) -> Result<bool, ConfigError> {
        let (key, new) = ("schedule.max_steps", self.schedule.max_steps);
        if new == limit {
            return Ok(false);
        }
        if limit == 0 || (new != 0 && new < limit) {
            let was = if limit == 0 { "0, no limit".into() } else { format!("{limit}") };
            return Err(ConfigError::new(
                key,
                format!("a run that is resumed may take more steps than it was to, not fewer; it was {was}"),
            )
            .help(format!(
                "resume with schedule.max_steps = {limit}; the policy after fewer steps is \
                 an earlier checkpoint"
            )));
        }
        if self.optimizer.schedule != LrSchedule::Constant {
            return Err(ConfigError::new(
                key,
                format!(
                    "was {limit}, and the learning rate of the steps that were taken fell towards \
                     that end: with more steps it is another run"
                ),
            )
            .help("start a new run with another --out"));
        }
        Ok(true)
    }

    fn validate_continued(&self) -> Result<(), ConfigError> {
        let Some(checkpoint) = &self.policy.continue_from else { return Ok(()) };
        if checkpoint.as_os_str().is_empty() {
            return Err(ConfigError::new("policy.continue_from", "is empty")
                .help("name a checkpoint of another run, or leave it out"));
        }
        if self.optimizer.schedule != LrSchedule::Constant {
            return Err(ConfigError::new(
                "optimizer.schedule",
                "a falling learning rate needs to know the last step of all the runs that \
                 `policy.continue_from` joins, which none of them knows",
            )
            .help("set it to \"constant\", or leave `policy.continue_from` out"));
        }
        Ok(())
    }

    fn validate_trained(&self) -> Result<(), ConfigError> {
        if self.schedule.evidence.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(ConfigError::new("schedule.evidence", "is empty")
                .help("name a file of the form that `plan` reads, or leave it out"));
        }
        let key = "schedule.tasks";
        let Some(trained) = &self.schedule.tasks else { return Ok(()) };
        if trained.is_empty() {
            return Err(ConfigError::new(key, "names no task")
                .help("name the tasks to train, or leave it out to train all"));
        }
        let known: Vec<&str> = self.task.iter().map(super::Task::label).collect();
        for (i, name) in trained.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let help = nearest(name, known.iter().copied()).map_or_else(
                    || format!("the tasks are {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(
                    ConfigError::new(key, format!("this run has no task `{name}`")).help(help)
                );
            }
            if trained[..i].contains(name) {
                return Err(ConfigError::new(key, format!("names `{name}` twice")).help(
                    "name each task once; `schedule.epochs` says how often its prompts are used",
                ));
            }
        }
        Ok(())
    }

    fn validate_tasks(&self) -> Result<(), ConfigError> {
        if self.task.is_empty() {
            return Err(
                ConfigError::new("task", "there is none").help("add a table: [[task]] use = \"…\"")
            );
        }
        for (i, task) in self.task.iter().enumerate() {
            let key = |name: &str| format!("task.{i}.{name}");
            if task.uses.is_empty() {
                return Err(ConfigError::new(key("use"), "is missing").help("name a pack's task"));
            }
            if self.task[..i].iter().any(|t| t.label() == task.label()) {
                return Err(ConfigError::new(
                    key("name"),
                    format!("`{}` is the name of two tasks", task.label()),
                )
                .help("give one of them another `name`"));
            }
            for (component, weight) in &task.rewards {
                if !(0.0..=1.0).contains(weight) {
                    return Err(ConfigError::new(
                        key(&format!("rewards.{component}")),
                        format!("a weight lies in [0, 1], not {weight}"),
                    ));
                }
            }
            require(
                task.domain.as_deref() != Some(""),
                &key("domain"),
                "a domain needs a name; leave it out for none",
            )?;
            finite_at_least(task.weight, 0.0, &key("weight"))?;
            require(
                (0.0..=1.0).contains(&task.fault_limit),
                &key("fault_limit"),
                "must lie in [0, 1]",
            )?;
            if let Some(beta) = task.beta {
                finite_at_least(beta, 0.0, &key("beta"))?;
            }
            if let Some(epsilon) = task.epsilon_low {
                require((0.0..=1.0).contains(&epsilon), &key("epsilon_low"), "must lie in [0, 1]")?;
            }
            if let Some(epsilon) = task.epsilon_high {
                finite_at_least(epsilon, 0.0, &key("epsilon_high"))?;
            }
            if let Some(temperature) = task.temperature {
                positive_temperature(temperature, &key("temperature"))?;
            }
        }
        Ok(())
    }
}

/// Training samples; only evaluation has a greedy form, and that is a switch of its own.
pub(super) fn positive_temperature(value: f64, key: &str) -> Result<(), ConfigError> {
    require(value.is_finite() && value > 0.0, key, &format!("must be above 0, not {value}"))
}

impl WarmupConfig {
    /// Checks ranges, and that there is a model to train.
    ///
    /// # Errors
    /// The first value that is out of its range, by its key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.optimizer.validate()?;
        require(self.batch > 0, "batch", "must be at least 1")?;
        require(self.steps > 0, "steps", "must be at least 1")?;
        if self.from.is_some() && (self.model.is_some() || self.tokenizer.is_some()) {
            return Err(ConfigError::new(
                "from",
                "a model that is continued has its shape and its tokenizer",
            )
            .help("leave out either `from` or the tables `model` and `tokenizer`"));
        }
        require(!self.task.is_empty(), "task", "there is none; add a table: [[task]] use = \"…\"")?;
        for (i, task) in self.task.iter().enumerate() {
            require(
                !task.uses.is_empty(),
                &format!("task.{i}.use"),
                "is missing; name a pack's task",
            )?;
            require(task.items > 0, &format!("task.{i}.items"), "must be at least 1")?;
            finite_at_least(task.weight, 0.0, &format!("task.{i}.weight"))?;
        }
        require(self.task.iter().any(|t| t.weight > 0.0), "task", "every weight is 0")
    }
}
