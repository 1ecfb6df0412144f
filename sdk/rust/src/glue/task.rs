//! Tasks.

use std::marker::PhantomData;

use super::{configured, enter, error, message};
use crate::task::{Item, Task};
use bindings::exports::omni::plugin::task as wit;
use bindings::omni::plugin::types;

/// What wit-bindgen made of the world.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0",
        world: "task-plugin",
        pub_export_macro: true,
        export_macro_name: "__export_task_plugin",
        default_bindings_module: "omni_sdk::glue::task::bindings",
    });
}

error!(types::Error);
message!(types);

/// The world's exports for a plugin's own type.
#[derive(Debug)]
pub struct Glue<T>(PhantomData<T>);

impl<T: Task> wit::Guest for Glue<T> {
    fn splits(config: String) -> Result<Vec<wit::Split>, types::Error> {
        enter();
        let splits = configured::<T>(&config)?.splits()?;
        let out = splits.into_iter().map(|it| wit::Split { name: it.name, items: it.items });
        Ok(out.collect())
    }

    fn items(
        config: String,
        split: String,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<types::Item>, types::Error> {
        enter();
        let items = configured::<T>(&config)?.items(&split, offset, limit)?;
        Ok(items.into_iter().map(item_out).collect())
    }
}

fn item_out(item: Item) -> types::Item {
    types::Item {
        id: item.id,
        messages: item.messages.into_iter().map(message_out).collect(),
        reference: item.reference,
        data: item.data,
    }
}
