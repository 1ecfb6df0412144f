//! The macro that makes a type the crate's plugin.
//!
//! Natively it only checks that the type has the trait, so that a workspace of
//! many plugins can be tested at once; on wasm32 it exports the world.

/// Makes a type the crate's plugin: `export!(reward MyReward)`, or
/// `export!(MyReward)` where the crate's feature alone says the kind.
#[macro_export]
macro_rules! export {
    (task $plugin:ty) => {
        $crate::__export!(task, $crate::task::Task, __export_task_plugin, $plugin);
    };
    (reward $plugin:ty) => {
        $crate::__export!(reward, $crate::reward::Reward, __export_reward_plugin, $plugin);
    };
    (judge $plugin:ty) => {
        $crate::__export!(judge, $crate::judge::Judge, __export_judge_plugin, $plugin);
    };
    (interpreter $plugin:ty) => {
        $crate::__export!(
            interpreter,
            $crate::interpreter::Interpreter,
            __export_interpreter_plugin,
            $plugin
        );
    };
    (scheduler $plugin:ty) => {
        $crate::__export!(
            scheduler,
            $crate::scheduler::Scheduler,
            __export_scheduler_plugin,
            $plugin
        );
    };
    ($plugin:ty) => {
        $crate::__export_by_feature!($plugin);
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($kind:ident, $trait:path, $export:ident, $plugin:ty) => {
        const _: fn() = || {
            fn check<T: $trait>() {}
            check::<$plugin>();
        };
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($kind:ident, $trait:path, $export:ident, $plugin:ty) => {
        #[doc(hidden)]
        type __OmniPlugin = $crate::glue::$kind::Glue<$plugin>;
        $crate::glue::$kind::bindings::$export!(
            __OmniPlugin with_types_in $crate::glue::$kind::bindings
        );
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_by_feature {
    ($plugin:ty) => {
        const _: fn() = || {
            fn check<T>() {}
            check::<$plugin>();
        };
    };
}

#[cfg(all(target_family = "wasm", feature = "task"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_by_feature {
    ($plugin:ty) => {
        $crate::export!(task $plugin);
    };
}

#[cfg(all(target_family = "wasm", feature = "reward"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_by_feature {
    ($plugin:ty) => {
        $crate::export!(reward $plugin);
    };
}

#[cfg(all(target_family = "wasm", feature = "judge"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_by_feature {
    ($plugin:ty) => {
        $crate::export!(judge $plugin);
    };
}

#[cfg(all(target_family = "wasm", feature = "interpreter"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_by_feature {
    ($plugin:ty) => {
        $crate::export!(interpreter $plugin);
    };
}

#[cfg(all(target_family = "wasm", feature = "scheduler"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_by_feature {
    ($plugin:ty) => {
        $crate::export!(scheduler $plugin);
    };
}
