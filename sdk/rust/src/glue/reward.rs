//! Rewards.

use std::marker::PhantomData;

use super::{configured, enter, error, message, program, verdict};
use crate::reward::{Component, Finish, Group, Item, Reply, Request, Reward, Rollout, Turn, Value};
use bindings::exports::omni::plugin::reward as wit;
use bindings::omni::plugin::{judgements, programs, types};

/// What wit-bindgen made of the world.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0",
        world: "reward-plugin",
        pub_export_macro: true,
        export_macro_name: "__export_reward_plugin",
        default_bindings_module: "omni_sdk::glue::reward::bindings",
    });
}

error!(types::Error);
message!(types);
program!(programs);
verdict!(judgements);

/// The world's exports for a plugin's own type.
#[derive(Debug)]
pub struct Glue<T>(PhantomData<T>);

impl<T: Reward> wit::Guest for Glue<T> {
    fn components(config: String) -> Result<Vec<String>, types::Error> {
        enter();
        Ok(configured::<T>(&config)?.components())
    }

    fn score(group: wit::Group, replies: Vec<wit::Reply>) -> Result<wit::Turn, types::Error> {
        enter();
        let reward = configured::<T>(&group.config)?;
        let group = group_in(group);
        let replies: Vec<_> = replies.into_iter().map(reply_in).collect();
        Ok(match reward.score(&group, &replies)? {
            Turn::Ask(requests) => wit::Turn::Ask(requests.into_iter().map(request_out).collect()),
            Turn::Done(scores) => {
                let one = |scores: Vec<_>| scores.into_iter().map(component_out).collect();
                wit::Turn::Done(scores.into_iter().map(one).collect())
            }
        })
    }
}

fn group_in(group: wit::Group) -> Group {
    let wit::Group { task, item, rollouts, seed, .. } = group;
    let item = Item {
        id: item.id,
        messages: item.messages.into_iter().map(message_in).collect(),
        reference: item.reference,
        data: item.data,
    };
    let rollouts = rollouts.into_iter().map(|rollout| Rollout {
        text: rollout.text,
        tokens: rollout.tokens,
        finish: match rollout.finish {
            types::Finish::Stop => Finish::Stop,
            types::Finish::Length => Finish::Length,
        },
    });
    Group { task, item, rollouts: rollouts.collect(), seed }
}

fn reply_in(reply: wit::Reply) -> Reply {
    match reply {
        wit::Reply::Executed(execution) => Reply::Executed(execution_in(execution)),
        wit::Reply::Compared(verdict) => Reply::Compared(verdict_in(verdict)),
        wit::Reply::Failed(reason) => Reply::Failed(reason),
    }
}

fn request_out(request: Request) -> wit::Request {
    match request {
        Request::Execute(program) => wit::Request::Execute(program_out(program)),
        Request::Compare(comparison) => wit::Request::Compare(judgements::Comparison {
            conversation: comparison.conversation.into_iter().map(message_out).collect(),
            first: comparison.first,
            second: comparison.second,
            rubric: comparison.rubric,
            judge: comparison.judge,
        }),
    }
}

fn component_out(component: Component) -> wit::Component {
    let value = match component.value {
        Value::Scored(score) => wit::Value::Scored(score),
        Value::Undefined(reason) => wit::Value::Undefined(reason),
    };
    wit::Component { name: component.name, value }
}
