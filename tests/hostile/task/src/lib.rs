//! A task whose splits are the names of faults.

#[allow(missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "task-plugin" });
}

use bindings::exports::omni::plugin::task::{Error, Guest, Item, Split};
use bindings::omni::plugin::types::{Message, Role};

struct Hostile;
bindings::export!(Hostile with_types_in bindings);

impl Guest for Hostile {
    fn splits(config: String) -> Result<Vec<Split>, Error> {
        hostile_faults::act(&config);
        Ok(vec![
            Split { name: "train".into(), items: None },
            Split { name: "test".into(), items: Some(4) },
        ])
    }

    fn items(config: String, split: String, offset: u32, limit: u32) -> Result<Vec<Item>, Error> {
        hostile_faults::act(&split);
        let limit = if split == "too-many" { limit + 1 } else { limit };
        match split.as_str() {
            "train" | "too-many" | "bad-data" => Ok((offset..offset.saturating_add(limit))
                .map(|i| Item {
                    id: format!("{split}-{i}"),
                    messages: vec![Message { role: Role::User, content: config.clone() }],
                    reference: Some(i.to_string()),
                    data: if split == "bad-data" { "[1]".into() } else { "{\"n\":1}".into() },
                })
                .collect()),
            _ => Err(Error::InvalidInput(format!("no split `{split}`"))),
        }
    }
}
