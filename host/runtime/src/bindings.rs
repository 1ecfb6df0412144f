//! What `bindgen!` makes of the released contract.
//!
//! One world that exports all five interfaces, so that the types they share are one Rust type
//! each; a component exports one of them and is reached through that interface's `GuestIndices`.
//! Nothing generated leaves this crate.

#![allow(
    missing_docs,
    unreachable_pub,
    unused,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "../../wit/0.1.0",
    inline: "
        package omni:host;
        world every-plugin {
            include omni:plugin/task-plugin@0.1.0;
            include omni:plugin/reward-plugin@0.1.0;
            include omni:plugin/judge-plugin@0.1.0;
            include omni:plugin/interpreter-plugin@0.1.0;
            include omni:plugin/scheduler-plugin@0.1.0;
        }
    ",
});
