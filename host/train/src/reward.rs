//! Hybrid rewards: from components to one number, or to none. Eq: METHOD section 2.
//!
//! Three cases are kept apart. The model's fault is a score of 0 like any other. The system's
//! fault is an undefined component, which is left out of the sum without renormalising. And an
//! output is *excluded* when a required component is undefined, since what is left of its sum
//! would pass for a bad answer.

use omni_record::{Component, Undefined, Value};

use crate::config::{ConfigError, Task, UndefinedRule};

/// One component of a task's reward.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentSpec {
    /// Its name.
    pub name: String,
    /// Its weight, in [0, 1].
    pub weight: f64,
    /// Whether it says what the task is about, rather than how the answer looks.
    pub primary: bool,
    /// Whether an output without it is excluded; none: if it is primary and has a weight.
    pub required: Option<bool>,
}

/// How a task's components become its reward.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardSpec {
    /// The components, in the order in which tables show them.
    pub components: Vec<ComponentSpec>,
    /// What an undefined component does to its output.
    pub undefined: UndefinedRule,
    /// The component that accuracies are the mean of.
    pub metric: String,
}

/// What became of one output.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its reward.
    Reward(f64),
    /// It counts nowhere, for this reason.
    Excluded(Undefined),
}

impl Outcome {
    /// The reward, where there is one.
    #[must_use]
    pub fn reward(&self) -> Option<f64> {
        match self {
            Self::Reward(r) => Some(*r),
            Self::Excluded(_) => None,
        }
    }
}

/// `Σ w · r` over the defined components; none where no component is defined. Components without
/// a weight here count as weight 0.
#[must_use]
pub fn weighted_sum(specs: &[ComponentSpec], components: &[Component]) -> Option<f64> {
    let mut defined = false;
    let mut sum = 0.0;
    for component in components {
        if let Value::Scored(score) = component.value {
            defined = true;
            let weight = specs.iter().find(|s| s.name == component.name).map_or(0.0, |s| s.weight);
            if weight != 0.0 {
                sum += weight * score;
            }
        }
    }
    defined.then_some(sum)
}

impl RewardSpec {
    /// Puts a run file's settings for a task above what its pack declares.
    ///
    /// # Errors
    /// A weight or a requirement for a component that the task doesn't have.
    pub fn resolve(
        mut components: Vec<ComponentSpec>,
        metric: Option<&str>,
        index: usize,
        task: &Task,
    ) -> Result<Self, ConfigError> {
        let known = |components: &[ComponentSpec]| {
            let names: Vec<&str> = components.iter().map(|c| c.name.as_str()).collect();
            format!("this task has {}", names.join(", "))
        };
        for (name, weight) in &task.rewards {
            match components.iter_mut().find(|c| c.name == *name) {
                Some(component) => component.weight = *weight,
                None => {
                    return Err(ConfigError::new(
                        format!("task.{index}.rewards.{name}"),
                        "no such component",
                    )
                    .help(known(&components)));
                }
            }
        }
        if let Some(required) = &task.required {
            if let Some(unknown) =
                required.iter().find(|r| components.iter().all(|c| c.name != **r))
            {
                return Err(ConfigError::new(
                    format!("task.{index}.required"),
                    format!("no component `{unknown}`"),
                )
                .help(known(&components)));
            }
            for component in &mut components {
                component.required = Some(required.contains(&component.name));
            }
        }
        let metric = metric
            .or_else(|| components.iter().find(|c| c.primary).map(|c| c.name.as_str()))
            .or_else(|| components.first().map(|c| c.name.as_str()))
            .unwrap_or_default()
            .to_owned();
        Ok(Self { components, undefined: task.undefined, metric })
    }

    /// The reward of one output, or why it is excluded.
    #[must_use]
    pub fn outcome(&self, components: &[Component]) -> Outcome {
        if self.undefined == UndefinedRule::Exclude {
            for spec in &self.components {
                let required = spec.required.unwrap_or(spec.primary && spec.weight > 0.0);
                if !required {
                    continue;
                }
                match components.iter().find(|c| c.name == spec.name).map(|c| &c.value) {
                    Some(Value::Scored(_)) => {}
                    Some(Value::Undefined(why)) => return Outcome::Excluded(why.clone()),
                    None => return Outcome::Excluded(absent(&spec.name)),
                }
            }
        }
        match weighted_sum(&self.components, components) {
            Some(sum) => Outcome::Reward(sum),
            None => Outcome::Excluded(
                components
                    .iter()
                    .find_map(|c| match &c.value {
                        Value::Undefined(why) => Some(why.clone()),
                        Value::Scored(_) => None,
                    })
                    .unwrap_or_else(|| absent("any")),
            ),
        }
    }

    /// The metric of one output, where it is defined.
    #[must_use]
    pub fn metric(&self, components: &[Component]) -> Option<f64> {
        components.iter().find(|c| c.name == self.metric).and_then(|c| c.value.score())
    }
}

fn absent(name: &str) -> Undefined {
    Undefined {
        kind: omni_record::ReasonKind::Contract,
        message: format!("the reward returned no component `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_record::ReasonKind;

    fn spec(name: &str, weight: f64, primary: bool) -> ComponentSpec {
        ComponentSpec { name: name.into(), weight, primary, required: None }
    }

    fn hybrid(undefined: UndefinedRule) -> RewardSpec {
        RewardSpec {
            components: vec![
                spec("accuracy", 1.0, true),
                spec("format", 0.1, false),
                spec("tags", 0.0, false),
            ],
            undefined,
            metric: "accuracy".into(),
        }
    }

    fn scored(name: &str, score: f64) -> Component {
        Component { name: name.into(), value: Value::Scored(score) }
    }

    fn undefined(name: &str, kind: ReasonKind) -> Component {
        Component {
            name: name.into(),
            value: Value::Undefined(Undefined { kind, message: "why".into() }),
        }
    }

    #[test]
    fn defined_components_are_weighed() {
        let out = hybrid(UndefinedRule::Exclude).outcome(&[
            scored("accuracy", 1.0),
            scored("format", 1.0),
            scored("tags", 0.75),
        ]);
        assert_eq!(out, Outcome::Reward(1.1));
    }

    #[test]
    fn an_undefined_required_component_excludes_and_is_no_zero() {
        let components = [undefined("accuracy", ReasonKind::Fuel), scored("format", 1.0)];
        let Outcome::Excluded(why) = hybrid(UndefinedRule::Exclude).outcome(&components) else {
            panic!("not excluded")
        };
        assert_eq!(why.kind, ReasonKind::Fuel);
        // The paper's rule takes what is left of the sum, without renormalising.
        assert_eq!(hybrid(UndefinedRule::Omit).outcome(&components), Outcome::Reward(0.1));
    }

    #[test]
    fn the_papers_rule_excludes_only_without_any_component() {
        let spec = hybrid(UndefinedRule::Omit);
        let out = spec.outcome(&[
            undefined("accuracy", ReasonKind::Judge),
            undefined("format", ReasonKind::Trap),
        ]);
        assert!(matches!(out, Outcome::Excluded(Undefined { kind: ReasonKind::Judge, .. })));
        assert!(matches!(spec.outcome(&[]), Outcome::Excluded(_)));
    }

    #[test]
    fn an_undefined_auxiliary_component_is_left_out() {
        let components = [scored("accuracy", 1.0), undefined("format", ReasonKind::Plugin)];
        assert_eq!(hybrid(UndefinedRule::Exclude).outcome(&components), Outcome::Reward(1.0));
    }

    #[test]
    fn a_missing_required_component_is_the_rewards_fault() {
        let out = hybrid(UndefinedRule::Exclude).outcome(&[scored("format", 1.0)]);
        assert!(matches!(out, Outcome::Excluded(Undefined { kind: ReasonKind::Contract, .. })));
    }

    #[test]
    fn a_primary_component_without_weight_is_not_required() {
        let mut spec = hybrid(UndefinedRule::Exclude);
        spec.components[0].weight = 0.0;
        let components = [undefined("accuracy", ReasonKind::Fuel), scored("format", 1.0)];
        assert_eq!(spec.outcome(&components), Outcome::Reward(0.1));
        spec.components[0].required = Some(true);
        assert!(matches!(spec.outcome(&components), Outcome::Excluded(_)));
    }

    #[test]
    fn settings_for_unknown_components_are_errors_with_their_key() {
        let mut task = Task { uses: "math".into(), ..Task::default() };
        task.rewards.insert("acuracy".into(), 1.0);
        let error =
            RewardSpec::resolve(vec![spec("accuracy", 1.0, true)], None, 2, &task).unwrap_err();
        assert_eq!(error.key.as_deref(), Some("task.2.rewards.acuracy"));
        assert!(error.to_string().contains("this task has accuracy"), "{error}");
    }
}
