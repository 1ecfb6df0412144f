//! Interpreters.

use std::marker::PhantomData;

use super::{enter, program};
use crate::interpreter::Interpreter;
use bindings::exports::omni::plugin::interpreter as wit;
use bindings::omni::plugin::programs;

/// What wit-bindgen made of the world.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0",
        world: "interpreter-plugin",
        pub_export_macro: true,
        export_macro_name: "__export_interpreter_plugin",
        default_bindings_module: "omni_sdk::glue::interpreter::bindings",
    });
}

program!(programs);

/// The world's exports for a plugin's own type.
#[derive(Debug)]
pub struct Glue<T>(PhantomData<T>);

impl<T: Interpreter> wit::Guest for Glue<T> {
    fn languages() -> Vec<String> {
        enter();
        T::languages()
    }

    fn run(program: programs::Program) -> programs::Execution {
        enter();
        execution_out(T::run(&program_in(program)))
    }
}
