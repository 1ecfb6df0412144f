//! Between the host's values and the contract's generated types.

use omni_record::{Finish, Item, Message, Role, Rollout};

use crate::bindings::exports::omni::plugin::{scheduler as ws, task as wt};
use crate::bindings::omni::plugin::{judgements as wj, programs as wp, types as w};
use crate::limits::ProgramLimits;
use crate::values::{
    Comparison, Evidence, Execution, Observation, Preference, Program, Setup, Split, Status,
    StopKind, TaskInfo, Verdict,
};

impl From<Role> for w::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::System => Self::System,
            Role::User => Self::User,
            Role::Assistant => Self::Assistant,
        }
    }
}

impl From<w::Role> for Role {
    fn from(role: w::Role) -> Self {
        match role {
            w::Role::System => Self::System,
            w::Role::User => Self::User,
            w::Role::Assistant => Self::Assistant,
        }
    }
}

impl From<&Message> for w::Message {
    fn from(m: &Message) -> Self {
        Self { role: m.role.into(), content: m.content.clone() }
    }
}

impl From<w::Message> for Message {
    fn from(m: w::Message) -> Self {
        Self { role: m.role.into(), content: m.content }
    }
}

impl From<&Item> for w::Item {
    fn from(item: &Item) -> Self {
        Self {
            id: item.id.clone(),
            messages: item.messages.iter().map(Into::into).collect(),
            reference: item.reference.clone(),
            data: item.data.to_string(),
        }
    }
}

impl From<&Rollout> for w::Rollout {
    fn from(r: &Rollout) -> Self {
        Self {
            text: r.text.clone(),
            tokens: r.tokens,
            finish: match r.finish {
                Finish::Stop => w::Finish::Stop,
                Finish::Length => w::Finish::Length,
            },
        }
    }
}

/// An item from a task plugin; its data must be a JSON object.
pub(crate) fn item(item: w::Item) -> Result<Item, String> {
    let data: serde_json::Value = serde_json::from_str(&item.data)
        .map_err(|e| format!("item `{}`: data is not JSON: {e}", item.id))?;
    if !data.is_object() {
        return Err(format!("item `{}`: data is not a JSON object", item.id));
    }
    Ok(Item {
        id: item.id,
        messages: item.messages.into_iter().map(Into::into).collect(),
        reference: item.reference,
        data,
    })
}

impl From<wt::Split> for Split {
    fn from(s: wt::Split) -> Self {
        Self { name: s.name, items: s.items }
    }
}

impl From<wp::Limits> for ProgramLimits {
    fn from(l: wp::Limits) -> Self {
        Self { fuel: l.fuel, memory_bytes: l.memory_bytes, output_bytes: l.output_bytes }
    }
}

impl From<ProgramLimits> for wp::Limits {
    fn from(l: ProgramLimits) -> Self {
        Self { fuel: l.fuel, memory_bytes: l.memory_bytes, output_bytes: l.output_bytes }
    }
}

impl From<wp::Program> for Program {
    fn from(p: wp::Program) -> Self {
        Self {
            language: p.language,
            source: p.source,
            stdin: p.stdin,
            seed: p.seed,
            limits: p.limits.map(Into::into),
        }
    }
}

impl From<&Program> for wp::Program {
    fn from(p: &Program) -> Self {
        Self {
            language: p.language.clone(),
            source: p.source.clone(),
            stdin: p.stdin.clone(),
            seed: p.seed,
            limits: p.limits.map(Into::into),
        }
    }
}

impl From<StopKind> for wp::StopKind {
    fn from(k: StopKind) -> Self {
        match k {
            StopKind::Fuel => Self::Fuel,
            StopKind::Memory => Self::Memory,
            StopKind::Time => Self::Time,
            StopKind::Output => Self::Output,
            StopKind::Trap => Self::Trap,
        }
    }
}

impl From<wp::StopKind> for StopKind {
    fn from(k: wp::StopKind) -> Self {
        match k {
            wp::StopKind::Fuel => Self::Fuel,
            wp::StopKind::Memory => Self::Memory,
            wp::StopKind::Time => Self::Time,
            wp::StopKind::Output => Self::Output,
            wp::StopKind::Trap => Self::Trap,
        }
    }
}

impl From<wp::Execution> for Execution {
    fn from(e: wp::Execution) -> Self {
        let status = match e.status {
            wp::Status::Exited => Status::Exited,
            wp::Status::Raised(text) => Status::Raised(text),
            wp::Status::Stopped(stop) => {
                Status::Stopped { kind: stop.kind.into(), message: stop.message }
            }
        };
        Self { status, stdout: e.stdout, stderr: e.stderr, fuel: e.fuel }
    }
}

impl From<&Execution> for wp::Execution {
    fn from(e: &Execution) -> Self {
        let status = match &e.status {
            Status::Exited => wp::Status::Exited,
            Status::Raised(text) => wp::Status::Raised(text.clone()),
            Status::Stopped { kind, message } => {
                wp::Status::Stopped(wp::Stop { kind: (*kind).into(), message: message.clone() })
            }
        };
        Self { status, stdout: e.stdout.clone(), stderr: e.stderr.clone(), fuel: e.fuel }
    }
}

impl From<wj::Comparison> for Comparison {
    fn from(c: wj::Comparison) -> Self {
        Self {
            conversation: c.conversation.into_iter().map(Into::into).collect(),
            first: c.first,
            second: c.second,
            rubric: c.rubric,
            judge: c.judge,
        }
    }
}

impl From<&Comparison> for wj::Comparison {
    fn from(c: &Comparison) -> Self {
        Self {
            conversation: c.conversation.iter().map(Into::into).collect(),
            first: c.first.clone(),
            second: c.second.clone(),
            rubric: c.rubric.clone(),
            judge: c.judge.clone(),
        }
    }
}

impl From<wj::Verdict> for Verdict {
    fn from(v: wj::Verdict) -> Self {
        match v {
            wj::Verdict::Preferred(p) => Self::Preferred(match p {
                wj::Preference::First => Preference::First,
                wj::Preference::Tie => Preference::Tie,
                wj::Preference::Second => Preference::Second,
            }),
            wj::Verdict::Undecided(why) => Self::Undecided(why),
        }
    }
}

impl From<&Verdict> for wj::Verdict {
    fn from(v: &Verdict) -> Self {
        match v {
            Verdict::Preferred(p) => Self::Preferred(match p {
                Preference::First => wj::Preference::First,
                Preference::Tie => wj::Preference::Tie,
                Preference::Second => wj::Preference::Second,
            }),
            Verdict::Undecided(why) => Self::Undecided(why.clone()),
        }
    }
}

impl From<&TaskInfo> for ws::TaskInfo {
    fn from(t: &TaskInfo) -> Self {
        Self { name: t.name.clone(), items: t.items, weight: t.weight }
    }
}

impl From<&Observation> for ws::Observation {
    fn from(o: &Observation) -> Self {
        Self {
            task: o.task.clone(),
            prompts: o.prompts,
            mean_reward: o.mean_reward,
            mean_abs_advantage: o.mean_abs_advantage,
            gradient_norm: o.gradient_norm,
            entropy: o.entropy,
            accuracy: o.accuracy,
        }
    }
}

impl From<&Evidence> for ws::Evidence {
    fn from(e: &Evidence) -> Self {
        Self {
            tasks: e.tasks.clone(),
            base_accuracy: e.base_accuracy.clone(),
            self_accuracy: e.self_accuracy.clone(),
            backward_transfer: e.backward_transfer.clone(),
            entropy_change: e.entropy_change.clone(),
        }
    }
}

impl From<&Setup> for ws::Setup {
    fn from(s: &Setup) -> Self {
        Self {
            tasks: s.tasks.iter().map(Into::into).collect(),
            prompts_per_batch: s.prompts_per_batch,
            epochs: s.epochs,
            evidence: s.evidence.as_ref().map(Into::into),
            config: s.config.clone(),
            seed: s.seed,
        }
    }
}
